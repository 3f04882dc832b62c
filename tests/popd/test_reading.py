"""Messages are read some at a time, and each that is asked for is the one that is there."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from mailer.events import Alarm, Mended
from mailer.mailbox.api import BodyLost, NoKey
from mailer.mailbox.box import OwnMailbox
from mailer.popd.reading import AHEAD, MOST_AHEAD, PIECE, firsts
from tests.mailbox.premises import Premises, message

from .house import ANN, PHONE, PopHouse, played


def test_those_behind_are_read_with_it() -> None:
    """As many as there is room for, and none that is gone or too large; of one that is gone nothing is read."""
    premises = Premises()
    house = PopHouse(premises)
    house.put(*(message(str(number)) for number in range(20)), message("large") + b"x" * PIECE, message("behind"))
    with premises.ann() as box:
        box.expunge(1, [(3, 3)], marked=False)
        uids = [*range(1, 23)]
        found = firsts(box, 1, uids[:MOST_AHEAD], PIECE)
        assert [*found] == [1, 2, *range(4, 17)]
        assert all(first.octets == message(str(uid - 1)) for uid, first in found.items())
        assert firsts(box, 1, uids[2:18], PIECE) == {}
        assert [*firsts(box, 1, uids[18:], PIECE)] == [19, 20]
        [large] = firsts(box, 1, uids[20:], PIECE).values()
        assert len(large.octets) == PIECE
        assert [*firsts(box, 1, [2, 20], PIECE)] == [2, 20]
        assert AHEAD >= PIECE


def test_one_after_the_other_and_in_any_order() -> None:
    """Whatever was read before somebody asked, and whoever changes the mailbox meanwhile."""
    house = PopHouse()
    contents = [message(f"number {number}") for number in range(40)]
    house.put(*contents)

    async def play(house: PopHouse) -> None:
        async with house.client(PHONE) as client:
            for number in [*range(1, 41), *range(40, 0, -1), 7, 8, 9, 3, 4, 5]:
                assert await client.asked(f"RETR {number}") == contents[number - 1]
            with house.premises.ann() as box:
                box.move(1, [(20, 30)], "Archive")
            for number in range(15, 35):
                said = await client(f"RETR {number}")
                assert said.startswith("-ERR" if 20 <= number <= 30 else "+OK"), number
                if said.startswith("+OK"):
                    assert await client.lines() == contents[number - 1]

    played(house, play)


def test_a_message_that_is_lost_is_lost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for it hears so, those beside it come, and whoever runs this is told."""
    house = PopHouse()
    house.put(*map(message, "abc"))
    read = OwnMailbox.read

    def losing(self: OwnMailbox, mail: object, start: int = 0, length: int | None = None) -> bytes:
        content = read(self, mail, start, length)  # type: ignore[arg-type]
        if b"Subject: b" in content:
            raise BodyLost("gone")
        return content

    monkeypatch.setattr(OwnMailbox, "read", losing)

    async def play(house: PopHouse) -> None:
        async with house.client(PHONE) as client:
            assert b"Subject: a" in await client.asked("RETR 1")
            assert await client("RETR 2") == "-ERR [SYS/PERM] this message is lost"
            assert b"Subject: c" in await client.asked("RETR 3")
        assert [(alarm.what, alarm.key) for alarm in house.heard(Alarm)] == [("mailboxes", f"pop3 {ANN}")]

    played(house, play)


def test_without_its_key_a_mailbox_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3206: that is no matter of the password, and does not pass by itself; the alarm ends when he has it."""
    house = PopHouse()
    house.put(message("a"))
    drop = OwnMailbox.maildrop

    def locked(self: OwnMailbox, folder: int) -> object:
        raise NoKey("no key")

    monkeypatch.setattr(OwnMailbox, "maildrop", locked)

    async def play(house: PopHouse) -> None:
        async with house.client("") as client:
            await client(f"USER {ANN}")
            assert (await client(f"PASS {PHONE}")).startswith("-ERR [SYS/PERM] your mail is encrypted")
            monkeypatch.setattr(OwnMailbox, "maildrop", drop)
            await client(f"USER {ANN}")
            assert (await client(f"PASS {PHONE}")).startswith("+OK logged in, 1 message")
        assert [type(event) for event in house.told if isinstance(event, (Alarm, Mended)) and event.what == "mailboxes"] == [Alarm, Mended]

    played(house, play)


def test_who_is_new_has_nothing() -> None:
    """A user whose first mail is still to come."""

    async def play(house: PopHouse) -> None:
        async with house.client("battery staple", "bob@example.com") as client:
            assert await client("STAT") == "+OK 0 0"
            assert await client.asked("UIDL") == b""
            assert await client("QUIT") == "+OK bye"

    played(PopHouse(), play)


def test_a_stop_removes_nothing() -> None:
    """Who has marked something and is waited for hears a last word, and has it all next time."""
    house = PopHouse()
    house.put(message("a"))

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            async with house.open():
                client = await stack.enter_async_context(house.client(PHONE))
                await client("DELE 1")
            assert await client.line() == "-ERR [SYS/TEMP] we are going down, come back later"
        assert house.left() == [1]

    asyncio.run(scenario())
