"""A disk that takes nothing more in the middle of the work: a visit in this process, a real broker, and a taker that a test commands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mailer.amqp import visit
from mailer.amqp.figures import AmqpFigures
from mailer.amqp.letter import Letter, QueueTerms
from mailer.amqp.taking import Postponed, Taken, Taker
from mailer.amqp.visit import Visit
from mailer.config import load
from mailer.events import Alarm, Event, Mended
from mailer.io.clock import SystemClock
from mailer.mail.problem import Problem
from mailer.spool.files.batch import Post

from .house import House, letter

pytestmark = [pytest.mark.peer("rabbitmq"), pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]


class FullDisk(Taker):
    """The disk fills up after `room` messages, and has room again when it was looked at so many times."""

    def __init__(self, *given: object, room: int, looks: int) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.room = room
        self.looks = looks

    def trial(self) -> str:
        """Full, as long as it is."""
        if self.room > 0:
            return ""
        self.looks -= 1
        if self.looks <= 0:
            self.room = 10**6
        return "" if self.room else "the disk has no room"

    def take(self, letters: Sequence[tuple[Letter, QueueTerms]]) -> list[Taken]:
        """As many as there is room for."""
        fits = max(min(self.room, len(letters)), 0)
        self.room -= fits
        return [*super().take(letters[:fits]), *[Postponed(Problem("No space left on device", "try-again"))] * (len(letters) - fits)]


def test_a_disk_that_fills_up_costs_no_message_its_deliveries(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is given back once, and taken when there is room: with a limit of two deliveries none is a dead letter. One alarm, one end."""
    monkeypatch.setattr(visit, "REST", 0.1)
    house.configure(amqp="delivery_limit = 2")
    told: list[Event] = []

    async def run() -> None:
        config, stopping = load(str(house.file)), asyncio.Event()
        with Post(config.spool) as post:
            taker = FullDisk(config.submitting, post, room=5, looks=10)
            one = Visit(config, taker, None, figures := AmqpFigures(), told.append, SystemClock())
            task = asyncio.ensure_future(one.run(stopping, lambda: None))
            while not figures.connected:
                await asyncio.sleep(0.05)
            await house.publish(*(letter(n) for n in range(200)))
            await asyncio.to_thread(house.has, 200)
            await house.settled()
            stopping.set()
            await task

    asyncio.run(run())
    assert asyncio.run(house.count(house.dead)) == 0
    alarms = [event for event in told if isinstance(event, Alarm)]
    assert {event.what for event in alarms} == {"disk"}
    assert sum(isinstance(event, Mended) and event.what == "disk" for event in told) == 1


def test_memory_is_held_for_a_few_bodies_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not budgeted waits at the broker, and all are taken in the end."""
    monkeypatch.setattr(visit, "HELD", 300_000)
    most = 0

    class Watching(Taker):
        def take(self, letters: Sequence[tuple[Letter, QueueTerms]]) -> list[Taken]:
            nonlocal most
            most = max(most, sum(one.size for one, _ in letters))
            return super().take(letters)

    async def run() -> None:
        config, stopping = load(str(house.file)), asyncio.Event()
        with Post(config.spool) as post:
            one = Visit(config, Watching(config.submitting, post), None, figures := AmqpFigures(), lambda _: None, SystemClock())
            task = asyncio.ensure_future(one.run(stopping, lambda: None))
            while not figures.connected:
                await asyncio.sleep(0.05)
            await house.publish(*(letter(n, body_plain="x\n" * 50_000) for n in range(30)))
            await asyncio.to_thread(house.has, 30)
            await house.settled()
            stopping.set()
            await task

    asyncio.run(run())
    assert 0 < most < 500_000
