"""Commands by chance at the door itself: each is answered, and none meets a mistake of ours."""

from __future__ import annotations

import random

import pytest

from mailer.events import Alarm
from tests.imap.soup import command, sentence
from tests.mailbox.premises import put

from .dialog import ImapDialog, ImapPlay
from .house import ImapHouse, in_house


def sent(seed: int, many: int) -> None:
    """So many commands by chance, in sessions that begin anew where one has ended."""
    dice = random.Random(seed)

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=5)
            box.create("x")
        number = 0
        while number < many:
            dialog = ImapDialog(before=[b"0 LOGIN ann@example.com correct-horse\r\n", b"0 SELECT INBOX\r\n"])
            play = ImapPlay(house, dialog, "lines")
            stream = await play._client("")
            while number < many and not play.tasks[""].done():
                number += 1
                if not number % 20:
                    with house.premises.ann() as box:
                        put(box, many=2)
                said = (command if dice.random() < 0.2 else sentence)(dice, number)
                stream.give(said)
                await play._settled("")
                assert not [each for each in house.told if isinstance(each, Alarm)], (said, house.told[-1])
            await play.leave()

    in_house(test)


@pytest.mark.parametrize("seed", range(4))
def test_no_command_meets_a_mistake_of_ours(seed: int) -> None:
    """Nobody is told of a bug, whatever is said."""
    sent(seed, 150)
