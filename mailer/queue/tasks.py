"""The tasks that run beside the manager's loop: how far each has come, who broke one off, and how all of them end.

The watchdog breaks off an attempt that makes no progress, and its message goes back to the queue. Every wait has its deadline, so this
should never bite. It is for the day when one is missing, or when so many add up that a host holds a session for a day. What counts as
progress is a session's next message; a session that is at the same one for longer than ``delivery.attempt_limit`` is cancelled, and told
with the phase in which it was stuck. Its message is put off like after a lost connection. What is writing to the disk is not broken off:
what was learned must not be lost. It is told, once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.transport import verdict

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


class Watchdog:
    """A watchdog for `tasks`. `bitten` counts what was broken off."""

    def __init__(self, tasks: Tasks) -> None:
        self.tasks = tasks
        self.bitten = 0
        self._seen: dict[Progress, tuple[object, float]] = {}  # its mark, and since when

    def look(self, now: float, limit: float) -> None:
        """Look at all tasks; `now` is the loop's time in seconds, `limit` the seconds that a task may take for one step forward."""
        before, self._seen = self._seen, {}
        for progress in [*self.tasks.running.values()]:
            mark, since = before.get(progress, (None, now))
            self._seen[progress] = seen = (mark, since) if mark is progress.mark else (progress.mark, now)
            if now - seen[1] > limit:
                self._stuck(progress, now - seen[1])

    def _stuck(self, progress: Progress, seconds: float) -> None:
        phase = progress.where()
        if phase == "settle":
            self._alarm(f"the disk has not taken what became of a message for {seconds:.0f} s: {progress.about()}", progress)
            return
        text = f"no progress for {seconds:.0f} s in phase {phase}"
        if self.tasks.break_off(progress, text):
            self.bitten += 1
            self._alarm(f"an attempt made {text}; it is broken off: {progress.about()}", progress)

    def _alarm(self, text: str, progress: Progress) -> None:
        self.tasks.tell(Alarm(self.tasks.clock.now(), "stuck", text, progress.about()))
