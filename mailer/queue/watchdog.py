"""The watchdog: an attempt that makes no progress is broken off, and its message goes back to the queue.

Every wait has its deadline, so this should never bite. It is for the day when one is missing, or when so many add up that a host holds a
session for a day. What counts as progress is a session's next message; a session that is at the same one for longer than
``delivery.attempt_limit`` is cancelled, and told with the phase in which it was stuck. Its message is put off like after a lost connection.

What is writing to the disk is not broken off: what was learned must not be lost. It is told, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Alarm

if TYPE_CHECKING:
    from .context import Context, Current
    from .tasks import Progress


class Watchdog:
    """A watchdog of the tasks of the context. `bitten` counts what was broken off."""

    def __init__(self, current: Current) -> None:
        self.current = current
        self.bitten = 0
        self._seen: dict[Progress, tuple[object, float]] = {}  # its mark, and since when
        self._told: set[Progress] = set()

    def look(self, now: float) -> None:
        """One look at all tasks; `now` is the loop's time, in seconds."""
        context = self.current.context
        before, self._seen = self._seen, {}
        for progress in [*context.tasks.running.values()]:
            mark, since = before.get(progress, (None, now))
            self._seen[progress] = seen = (mark, since) if mark is progress.mark else (progress.mark, now)
            if now - seen[1] > context.policy.attempt_limit:
                self._stuck(context, progress, now - seen[1])
        self._told &= self._seen.keys()

    def _stuck(self, context: Context, progress: Progress, seconds: float) -> None:
        phase = progress.where()
        if phase == "settle":
            if progress not in self._told:
                self._told.add(progress)
                self._alarm(context, f"the disk has not taken what became of a message for {seconds:.0f} s: {progress.about()}")
            return
        text = f"no progress for {seconds:.0f} s in phase {phase}"
        if context.tasks.break_off(progress, text):
            self.bitten += 1
            self._alarm(context, f"an attempt made {text}; it is broken off: {progress.about()}")

    def _alarm(self, context: Context, text: str) -> None:
        context.tell(Alarm(context.clock.now(), "stuck", text))
