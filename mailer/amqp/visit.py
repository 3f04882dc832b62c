"""A visit at the broker: from the connections to their loss, or to the end of the process.

Two connections: on one mail comes in, on the other is published, so that a broker that slows publishers down, or a body that waits for
room in memory, holds up no confirmation. Portions of letters are put by `LANES` threads, so that one is checked while another one waits
for the disk.

Where the disk takes nothing more, all rests: nothing more is taken, what is under way ends, all that is held goes back once, and from
time to time it is tried whether there is room. The broker counts deliveries, and gives up on a letter that it has delivered too often: so
that must not happen for each letter again and again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mailer.events import Alarm, DeadLetter, Mended
from mailer.mail.problem import Problem
from mailer.net import broker

from . import answers
from .consumer import Budget, Consumer
from .declaring import declare
from .letter import QueueTerms
from .shelf import Shelf
from .taking import Accepted, Faulty

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from typing import Any

    from aio_pika.abc import AbstractConnection

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock

    from .figures import AmqpFigures
    from .letter import Letter
    from .results import Results
    from .taking import Taken, Taker

LANES = 4
REST = 5.0  # seconds between two looks whether the disk takes mail again
HELD = 64 << 20  # bytes of bodies in memory; one body may be more
GRACE = 10.0  # seconds for what is under way at the end
GONE = "the broker has closed the connection"


class Shelved(NamedTuple):
    """A letter, and who is to be told what became of it."""

    consumer: Consumer
    letter: Letter


class Visit:
    """A visit with what `config` says. Letters are put by `taker`; what has to be known is given to `tell` and `figures`."""

    def __init__(
        self, config: Config, taker: Taker, results: Results | None, figures: AmqpFigures, tell: Callable[[Event], None], clock: Clock
    ) -> None:
        self._section = config.amqp
        self._config = config
        self._taker = taker
        self._results = results
        self._figures = figures
        self._tell = tell
        self._clock = clock
        self._shelf: Shelf[Shelved] = Shelf(len(self._section.queues), lambda one: one.letter.size)
        self._consumers: list[Consumer] = []
        self._busy = 0
        self._idle = asyncio.Event()
        self._halt: str = ""
        self._halted = asyncio.Event()
        self._lost = asyncio.Event()
        self._why = GONE

    async def run(self, stopping: asyncio.Event, ready: Callable[[], object]) -> None:
        """Take and publish until `stopping` is set; `ready` is called when that has begun.

        Raises `Problem` where the broker cannot be had, or is lost.
        """
        section, self._ready = self._section, ready
        terms = [QueueTerms.of(name, self._config.amqp_queues, self._taker.settings) for name in section.queues]
        inlet = await broker.connect(section, self._config.tls.ca_file, "mailer takes mail")
        try:
            outlet = await broker.connect(section, self._config.tls.ca_file, "mailer publishes")
            try:
                await self._guarded(self._stay, inlet, outlet, terms, stopping)
            finally:
                await _closed(outlet)
        finally:
            self._figures.connected, self._figures.held = False, 0
            await _closed(inlet)

    async def _guarded(self, work: Callable[..., Awaitable[None]], *given: object) -> None:
        """Do `work`; what the library raises becomes a `Problem`, also where it cancels what it waits for itself."""
        try:
            await work(*given)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Problem(GONE, "unavailable") from None
        except broker.errors():  # what a broker says may quote what it was sent
            raise Problem(GONE, "unavailable") from None

    async def _stay(
        self, inlet: AbstractConnection, outlet: AbstractConnection, terms: Sequence[QueueTerms], stopping: asyncio.Event
    ) -> None:
        for connection in (inlet, outlet):
            connection.close_callbacks.add(self._leave)
        await declare(outlet, self._section)
        channel = await outlet.channel(publisher_confirms=True, on_return_raises=True)
        channel.close_callbacks.add(self._leave)
        self._publisher = answers.Publisher(channel)
        budget = Budget(HELD)
        assert inlet.transport is not None
        for at, each in enumerate(terms):
            under = await inlet.transport.connection.channel(publisher_confirms=False)
            under.closing.add_done_callback(self._leave)
            made = Consumer(under, each, self._section.prefetch, budget, partial(self._heard, at), self._ended)
            self._consumers.append(made)
        self._figures.connected = True
        self._figures.connections += 1
        self._tell(Mended(self._clock.now(), "broker", detail="it is there"))
        await self._begin()
        self._ready()
        most = max(self._section.prefetch * max(len(terms), 1) // LANES, 1)
        works = [self._work(most) for _ in range(LANES)] if terms else []
        if self._results is not None:
            works.append(self._results.publish(self._publisher, self._figures))
        await self._until(stopping, self._rest(), *works)

    async def _until(self, stopping: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
        """Work until the end; raises what ends the visit before that."""
        tasks = [asyncio.ensure_future(work) for work in works]
        stop, lost = asyncio.ensure_future(_wait(stopping)), asyncio.ensure_future(_wait(self._lost))
        try:
            await asyncio.wait([*tasks, stop, lost], return_when=asyncio.FIRST_COMPLETED)
            if stop.done() and not lost.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(GRACE):
                        await self._pause()
                return
            for task in tasks:
                if task.done():
                    task.result()
            raise Problem(self._why, "unavailable")
        finally:
            for task in (*tasks, stop, lost):
                task.cancel()
            await asyncio.gather(*tasks, stop, lost, return_exceptions=True)

    def _leave(self, *_: object) -> None:
        self._lost.set()

    def _ended(self) -> None:
        self._why = "the broker has ended the delivery: a queue was deleted, or has moved"
        self._lost.set()

    # What comes in

    async def _begin(self) -> None:
        """Take mail, if the disk does."""
        if lack := await asyncio.to_thread(self._taker.trial):
            self._stop(lack)
            return
        for consumer in self._consumers:
            await consumer.begin()

    def _heard(self, queue: int, letter: Letter) -> None:
        self._figures.held = sum(consumer.held for consumer in self._consumers)
        self._shelf.put(queue, Shelved(self._consumers[queue], letter))

    async def _work(self, most: int) -> None:
        while True:
            portion = await self._shelf.portion(most)
            self._busy += 1
            try:
                given = [(one.letter, one.consumer.terms) for one in portion]
                await self._settle(portion, await asyncio.to_thread(self._taker.take, given))
            finally:
                self._busy -= 1
                self._idle.set()

    async def _settle(self, portion: Sequence[Shelved], taken: Sequence[Taken]) -> None:
        """Tell publishers and the broker what became of each."""
        told = [self._answer(one, became) for one, became in zip(portion, taken, strict=True)]
        await asyncio.gather(*(one for one in told if one is not None))
        accepted: dict[Consumer, list[int]] = {}
        for one, became in zip(portion, taken, strict=True):
            queue = one.consumer.terms.queue
            if isinstance(became, Accepted):
                accepted.setdefault(one.consumer, []).append(one.letter.tag)
                self._figures.messages[queue, "repeat" if became.repeat else "accepted"] += 1
            elif isinstance(became, Faulty):
                await one.consumer.refuse(one.letter.tag)
                self._figures.messages[queue, "refused"] += 1
            else:
                self._figures.messages[queue, "returned"] += 1
                self._stop(str(became.problem))
        for consumer, tags in accepted.items():
            await consumer.accept(tags)
        self._figures.held = sum(consumer.held for consumer in self._consumers)

    def _answer(self, one: Shelved, became: Taken) -> Awaitable[None] | None:
        """What has to be published before the broker is told; None if nothing has."""
        if isinstance(became, Accepted):
            return self._reply(one.letter, answers.reply(became)) if one.letter.reply_to else None
        return self._explain(one, became.problem) if isinstance(became, Faulty) else None

    async def _reply(self, letter: Letter, document: dict[str, object]) -> None:
        self._count(await self._publisher.tell(letter, document))

    async def _explain(self, one: Shelved, problem: Problem) -> None:
        """Say why it becomes a dead letter: to whoever wants a reply, and beside the dead letter."""
        letter, queue = one.letter, one.consumer.terms.queue
        if letter.reply_to:
            await self._reply(letter, answers.refusal(problem))
        document = answers.reason(queue, letter, problem)
        headers = {"x-mailer-reason": answers.words(problem), "x-mailer-queue": queue}
        try:
            await self._publisher.publish(self._section.reasons, document, correlation_id=letter.message_id, headers=headers)
            self._count("")
        except answers.Unheard as error:
            self._count(str(error))
        self._tell(DeadLetter(self._clock.now(), queue, letter.message_id, answers.words(problem)))

    def _count(self, unheard: str) -> None:
        self._figures.replies["unheard" if unheard else "heard"] += 1
        if unheard:
            self._tell(Alarm(self._clock.now(), "unheard", unheard))

    # Rest, while the disk takes nothing

    def _stop(self, why: str) -> None:
        if not self._halted.is_set():
            self._halt = why
            self._halted.set()

    async def _rest(self) -> None:
        while True:
            await self._halted.wait()
            self._figures.halted = True
            await self._pause()
            for consumer in self._consumers:
                await consumer.return_all()
            self._tell(Alarm(self._clock.now(), "disk", f"no mail is taken from the broker: {self._halt}", "amqp"))
            while lack := await self._lacks():
                self._tell(Alarm(self._clock.now(), "disk", f"no mail is taken from the broker: {lack}", "amqp"))
            self._tell(Mended(self._clock.now(), "disk", "amqp", "there is room; mail is taken again"))
            self._figures.halted = False
            self._halted.clear()
            for consumer in self._consumers:
                await consumer.begin()

    async def _lacks(self) -> str:
        await asyncio.sleep(REST)
        return await asyncio.to_thread(self._taker.trial)

    async def _pause(self) -> None:
        """Take no more, and wait for what is under way."""
        for consumer in self._consumers:
            await consumer.pause()
        self._shelf.empty()
        while self._busy:
            self._idle.clear()
            await self._idle.wait()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _closed(connection: AbstractConnection) -> None:
    """Close it; a broker that does not answer is not waited for."""
    with suppress(*broker.errors()):
        async with asyncio.timeout(GRACE / 2):
            await connection.close()
