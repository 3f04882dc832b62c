"""What tests of webhooks share: events, endpoints by script, and the whole of one sender in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailer.config.sections.webhook import Webhook
from mailer.hooks.endpoint import Verdict
from mailer.hooks.memory import MemoryHookStore
from mailer.hooks.post import Posted
from mailer.hooks.subscriber import Subscriber
from mailer.journal.api import JournalEvent
from mailer.journal.memory import MemoryJournal
from mailer.mail.web_url import WebUrl

GOOD, ILL, REFUSED = Posted(Verdict("good"), 200), Posted(Verdict("wait", "it answered 500"), 500), Posted(Verdict("refused", "no"), 422)
GONE = Posted(Verdict("gone", "it answered 410"), 410)
START = 1_796_000_000.0


def webhook(**settings: Any) -> Webhook:
    """An endpoint of the configuration."""
    plain = {"name": "shop", "url": WebUrl.read("https://app.example.com/events"), "secret_file": "/nowhere"}
    return Webhook(**{**plain, **settings})


def event(number: int = 0, *, message: str = "", type: str = "delivered", **more: Any) -> JournalEvent:
    """One that was not written yet."""
    return JournalEvent("", START + number, type, message or f"01JDZ3N4T000000000000{number:05d}", to=f"r{number}@example.net", **more)  # type: ignore[arg-type]


class LoopClock:
    """The time of the loop, as wall time."""

    def now(self) -> float:
        return START + asyncio.get_running_loop().time()


@dataclass
class Script:
    """A poster whose answers a test gives: `answer` is asked with the ID of the event and how often it was posted before.

    `posts` has what was posted when; a post takes `seconds`.
    """

    answer: Callable[[str, int], Posted] = lambda _id, _before: GOOD
    seconds: float = 0.01
    posts: list[tuple[float, str]] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    async def post(self, _hook: Webhook, id: str, _body: bytes) -> Posted:
        before = sum(each == id for _, each in self.posts)
        self.posts.append((asyncio.get_running_loop().time(), id))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
            return self.answer(id, before)
        finally:
            self.under_way -= 1

    @property
    def ids(self) -> list[str]:
        return [id for _, id in self.posts]


class Bench:
    """A journal, a store, and a subscriber that posts by `script`."""

    def __init__(self, script: Script, **settings: Any) -> None:
        self.script = script
        self.hook = webhook(**settings)
        self.journal = MemoryJournal()
        self.store = MemoryHookStore()
        self.told: list[Any] = []
        self.start()

    def start(self) -> None:
        self.subscriber = Subscriber(
            self.hook,
            self.journal,
            self.store,
            self.script,
            LoopClock(),
            lambda _, state, error: self.told.append(error or state),  # type: ignore[arg-type]
        )
        self.task = asyncio.create_task(self.subscriber.run())

    async def write(self, *events: JournalEvent) -> list[str]:
        return [each.id for each in await self.journal.append(events)]

    async def cursor(self) -> str:
        return await self.journal.cursor("hooks.shop")

    async def until(self, holds: Callable[[], bool], seconds: float = 100_000.0) -> None:
        """Wait until something is so; it is looked at ever more seldom, for each look of very many takes a moment of the machine."""
        pause = 0.05
        async with asyncio.timeout(seconds):
            while not holds():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(pause)
                pause = min(pause * 1.1, 0.5)

    async def stop(self) -> None:
        await self.subscriber.stop(5.0)
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def kill(self) -> None:
        """As kill -9 does, as far as this process can: nothing is saved."""
        for task in [self.task, *self.subscriber._flying, *([self.subscriber._news] if self.subscriber._news else [])]:
            task.cancel()


def missing(wanted: Sequence[str], had: Sequence[str]) -> set[str]:
    return set(wanted) - set(had)
