"""The watchdog: an attempt that makes no progress is broken off, and its message goes back to the queue.

Every wait has its deadline, so this should never bite. It is for the day when one is missing, or when so many add up that a host holds a
session for a day. What counts as progress is a session's next message; a session that is at the same one for longer than
``delivery.attempt_limit`` is cancelled, and told with the place where it was stuck. Its message is put off like after a lost connection.

What is writing to the disk is not broken off: what was learned must not be lost. It is told, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.events import Alarm
from mailer.smtp.client import PHASE, Client

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from mailer.mail.outcome import Phase

    from .manager import QueueManager

PHASES: tuple[tuple[str, Phase], ...] = (
    ("settle.py", "settle"), ("dns.py", "dns"), ("query.py", "dns"), ("finder.py", "dns"), ("happy_eyeballs.py", "connect"),
    ("handshake.py", "greeting"), ("tls.py", "starttls"), ("transaction.py", "body"),
)  # fmt: skip
"""By the file that a stuck task is in, the phase of delivery, where the session itself does not know."""


class _Seen(NamedTuple):
    what: object
    since: float


class Watchdog:
    """Watches the tasks of `manager`. `bitten` counts what was broken off."""

    def __init__(self, manager: QueueManager) -> None:
        self.manager = manager
        self.bitten = 0
        self._seen: dict[object, _Seen] = {}
        self._told: set[object] = set()

    def look(self, now: float) -> None:
        """One look at all tasks; `now` is the loop's time, in seconds."""
        manager, limit = self.manager, self.manager.policy.attempt_limit
        marks: dict[object, tuple[object, asyncio.Task[Any]]] = {line: (line.load, line.task) for line in manager.lines if line.task}
        marks |= {task: (task, task) for task in manager.tasks if task not in {line.task for line in manager.lines}}
        before, self._seen = self._seen, {}
        for key, (what, task) in marks.items():
            seen = before.get(key)
            self._seen[key] = seen = seen if seen is not None and seen.what is what else _Seen(what, now)
            if now - seen.since > limit:
                self._stuck(key, task, now - seen.since)
        self._told &= marks.keys()

    def _stuck(self, key: object, task: asyncio.Task[Any], seconds: float) -> None:
        phase, place = whereabouts(task)
        if phase == "settle":
            if key not in self._told:
                self._told.add(key)
                self._alarm(f"the disk has not taken what became of a message for {seconds:.0f} s ({place})")
            return
        self.bitten += 1
        text = f"no progress for {seconds:.0f} s in phase {phase}, at {place}"
        self._alarm(f"an attempt made {text}; it is broken off" + _about(key))
        self.manager.stuck[task] = (phase, text)
        task.cancel()

    def _alarm(self, text: str) -> None:
        self.manager.tell(Alarm(self.manager.clock.now(), "stuck", text))


def _about(key: object) -> str:
    load = getattr(key, "load", None)
    destination = getattr(key, "destination", None)
    return f": message {load.job.attempt.entry.id} to {destination.key}" if load is not None and destination is not None else ""


def whereabouts(task: asyncio.Task[Any]) -> tuple[Phase, str]:
    """The phase of delivery that `task` waits in, and the place in the program: ``net/stream.py:120``."""
    frames = [*_frames(task)]
    names = [frame.f_code.co_filename.rpartition("/mailer/")[2] for frame in frames]
    place = next(
        (f"{name}:{frame.f_lineno}" for name, frame in zip(reversed(names), reversed(frames), strict=True) if name), "an unknown place"
    )
    if any(name.endswith("settle.py") for name in names):
        return "settle", place
    for frame in reversed(frames):
        client = getattr(frame.f_locals.get("self"), "_client", None)
        if isinstance(client, Client):
            return PHASE.get(client.verb, "body"), place
    for name in reversed(names):
        for file, phase in PHASES:
            if name.endswith(file):
                return phase, place
    return "connect" if any(name.endswith("pool.py") for name in names) else "body", place


def _frames(task: asyncio.Task[Any]) -> Iterable[Any]:
    """The frames of a task that waits, outermost first: each coroutine awaits the next."""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            return
        yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
