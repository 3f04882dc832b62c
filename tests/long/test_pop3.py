"""POP3 for half an hour: octets and commands by chance, at the machine and at the door, whose memory stays where it was."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import resource
import time

import pytest

from mailer.events import Alarm
from tests.mailbox.premises import ANN, message
from tests.pop3.soup import anything, in_order
from tests.pop3.test_fuzz import compared
from tests.popd.house import PHONE, PopHouse, PopTalker

SECONDS = 900.0


def held() -> int:
    """Kilobytes of the process at its largest."""
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.timeout(2 * SECONDS)
def test_a_quarter_of_an_hour_at_the_machine() -> None:
    """Whole and in pieces, with the same answers."""
    end, seed, first = time.monotonic() + SECONDS, 1000, 0
    while time.monotonic() < end:
        for _ in range(500):
            seed += 1
            compared(seed, 100)
        first = first or held()
    assert held() < first * 1.2


@pytest.mark.timeout(2 * SECONDS)
def test_a_quarter_of_an_hour_at_the_door() -> None:
    """Whatever is said and however it is cut off, no mistake of ours is met, and others are served."""
    house, dice = PopHouse(), random.Random(7)
    house.put(*(message(str(number), text="x" * number * 1000) for number in range(5)))

    async def once() -> None:
        said = in_order(dice, 60).replace(b"secret", PHONE.encode()).replace(b"ann", ANN.encode(), 1).replace(b"QUIT", b"NOOP")
        if dice.random() < 0.3:
            said = anything(dice, 60)
        async with PopTalker.of(house.port) as client:
            with contextlib.suppress(OSError):  # the session may be over
                await client.say(said[: dice.randrange(len(said))])
                client.writer.write_eof()
                await client.reader.read()

    async def scenario() -> None:
        begin, first = time.monotonic(), 0
        async with house.open():
            while time.monotonic() < begin + SECONDS:
                await asyncio.gather(*(once() for _ in range(20)))
                house.told[:] = [event for event in house.told if isinstance(event, Alarm)]
                if time.monotonic() > begin + SECONDS / 5:
                    first = first or held()
        assert held() < first * 1.2

    asyncio.run(scenario())
    assert house.heard(Alarm) == []
    assert len(house.left()) == 5
