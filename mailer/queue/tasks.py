"""The tasks that run beside the manager's loop: how far each has come, who broke one off, and how all of them end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.events import Alarm

from ..transport import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.mail.outcome import Outcome, Phase


class Progress:
    """The progress of a task: the `phase` it is in, and a `mark`, which is another one with each step forward."""

    def __init__(self, phase: Phase, about: str = "") -> None:
        self.phase = phase
        self.mark: object = None
        self._about = about

    def where(self) -> Phase:
        """The phase of delivery that the task waits in."""
        return self.phase

    def about(self) -> str:
        """Which message it is about, and where that goes."""
        return self._about


class Tasks:
    """All tasks of the queue. `wake` is called when one ends."""

    def __init__(self, clock: SteadyClock, tell: Callable[[Event], None], wake: Callable[[], None]) -> None:
        self.clock = clock
        self.tell = tell
        self.wake = wake
        self.stopping = False
        """Whether nothing new is to be begun."""
        self.running: dict[asyncio.Task[None], Progress] = {}
        """How far each has come."""
        self._finding: set[asyncio.Task[None]] = set()  # those that look for a route: nobody was called yet
        self._stuck: dict[asyncio.Task[None], tuple[Phase, str]] = {}

    def spawn(self, coroutine: Coroutine[None, None, None], progress: Progress) -> asyncio.Task[None]:
        """Run `coroutine` beside everything else; what goes wrong with it is told."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.running[task] = progress
        task.add_done_callback(self._ended)
        return task

    def find(self, coroutine: Coroutine[None, None, None], about: str) -> None:
        """Run `coroutine`, which looks for a route: no stop waits for it, as silent name servers would hold it up."""
        task = self.spawn(coroutine, Progress("dns", about))
        self._finding.add(task)
        task.add_done_callback(self._finding.discard)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self.running[task]
        self.wake()
        if not task.cancelled() and (error := task.exception()):
            self.tell(Alarm.of(self.clock.now(), error))

    def break_off(self, progress: Progress, why: str) -> bool:
        """Cancel the task that has come so far and is stuck; it asks `broken_off` then. False if it was before."""
        task = next(task for task, its in self.running.items() if its is progress)
        if task in self._stuck:
            return False
        self._stuck[task] = progress.where(), why
        task.cancel()
        return True

    def broken_off(self, recipients: Iterable[int]) -> list[Outcome]:
        """What became of `recipients`, since this task was broken off. Raises `CancelledError` again if it was not: the program ends."""
        task = asyncio.current_task()
        if task not in self._stuck:
            raise asyncio.CancelledError
        phase, why = self._stuck.pop(task)
        task.uncancel()
        return verdict.stuck(recipients, why, phase, self.clock.now())

    async def stop(self, patience: float) -> None:
        """Let what runs finish within `patience` seconds, break off the rest, and at once what only looks for a route."""
        self.stopping = True
        for task in self._finding:
            task.cancel()
        if self.running:
            _, late = await asyncio.wait(self.running, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
