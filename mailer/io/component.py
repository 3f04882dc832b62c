"""A component: one part of the daemon, with a beginning, a change of configuration and an end; and its chores, what it does every so often.

`mailer.service` has the components in their order: log, recorder, traces, metrics, doorbell, intake, queue, service manager. They start
one after the other, and stop the other way round; chores begin when all have started, and end when the queue has stopped. A reload is two
steps for all of them together, so that a configuration that one of them cannot have changes nothing in any::

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        table = TermsTable(config)          # make ready; `Problem` refuses the configuration
        yield
        self.context = Context(table, …)    # take over: nothing here can fail

What was made ready, and is not to be (another component has refused: the ``yield`` raises), lets go of what it holds, if it holds anything.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from mailer.config import Config


class Component:
    """One part of the daemon; what it does not say itself about its beginning, a reload or its end is nothing."""

    async def start(self) -> None:
        """Begin. Raises `Problem` where the daemon cannot do without it."""

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:  # noqa: ARG002 -- of those that follow the configuration
        """Entered, make ready what `config` changes, or raise `Problem`; left, take it over; left by an exception, let go of it."""
        yield

    async def stop(self, grace: float) -> None:
        """End what is begun; what is under way has `grace` seconds. No event of its own comes after."""


class _Chore(NamedTuple):
    work: Callable[[], object]
    seconds: Callable[[], float]
    threaded: bool
    soon: asyncio.Event | None
    what: str


class Chores(Component):
    """What the components do side by side, from `begin` to `stop`. One that ends, or has a bug, ends the daemon.

    A disk that fails a chore is told to `trouble`, and memory that runs short to `short`, with words for what could not be done; its
    turn comes again. They are a `Component` themselves, whose place is before that of those whose end they go on beside.
    """

    def __init__(self, trouble: Callable[[OSError], object], short: Callable[[str], object]) -> None:
        self.trouble = trouble
        self._short = short
        self._works: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[asyncio.Future[None]] = []

    def every(
        self,
        seconds: float | Callable[[], float],
        work: Callable[[], object],
        *,
        threaded: bool = False,
        soon: asyncio.Event | None = None,
        what: str = "a chore could not be done",
    ) -> None:
        """Do `work`, which may be a coroutine function, with so many seconds between, and earlier when `soon` is set; or in a thread."""
        chore = _Chore(work, seconds if callable(seconds) else lambda: seconds, threaded, soon, what)
        self._works.append(lambda: self._repeat(chore))

    def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` once; when it is done, so is the daemon."""
        self._works.append(work)

    def beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` once."""
        self._works.append(lambda: self._beside(work))

    def begin(self) -> None:
        """Begin with all of them."""
        self._tasks = [asyncio.ensure_future(work()) for work in self._works]

    async def until(self, stopping: asyncio.Event) -> None:
        """Wait until one ends, or `stopping` is set."""
        self._tasks.append(asyncio.ensure_future(_set(stopping)))
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self, _grace: float) -> None:
        """Cancel all that go on. Raises what one of them has raised."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _beside(self, work: Callable[[], Awaitable[None]]) -> None:
        await work()
        await asyncio.Event().wait()

    async def _repeat(self, chore: _Chore) -> None:
        while True:
            await _rest(chore.seconds(), chore.soon)
            try:
                if chore.threaded:
                    await asyncio.to_thread(chore.work)
                elif asyncio.iscoroutine(done := chore.work()):
                    await done
            except OSError as error:
                self.trouble(error)
            except MemoryError:  # of one chore, whose turn comes again
                self._short(chore.what)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _rest(seconds: float, soon: asyncio.Event | None) -> None:
    if soon is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await soon.wait()
    except TimeoutError:
        pass
    soon.clear()
