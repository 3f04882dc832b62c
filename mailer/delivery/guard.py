"""The guard: holds, while the daemon runs, that nothing is stuck, and mends what is.

The invariant is that of `mailer-spool(5)`: every recipient of an accepted message has a due time, is being tried, or has a final
outcome. The engine keeps it by construction; this looks whether it did, by other means: the directories against what the scheduler
knows, and what the scheduler takes for being in memory against the memory. What is found is a bug of ours, or somebody's hand in the
spool. It is told as an alarm, ``invariant``, counted, and expected anew.

=======================================================  ===============================================================
looked for                                               told apart from
=======================================================  ===============================================================
a message in ``queued/`` or ``deferred/`` that the       one that was put or moved since the last look, whose ring was
scheduler does not know                                  lost: its file's ctime is younger
a message that is in memory since `LOST` seconds, and    one that waits for its turn, or for a slow host: there is an
that nothing in memory is about                          `Attempt` of it, or a `Claim`
a message that is due long after its time to expire      one that was submitted to leave later
=======================================================  ===============================================================
"""

from __future__ import annotations

import gc
import os
import time
from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.spool import Claim, NoSuchMessage
from mailer.spool.file import CorruptFile

from .attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine

LOST = 600.0  # seconds in memory, before the memory is searched for it: that takes some milliseconds
SLACK = 86400.0  # seconds beyond the longest that anything is put off
READ = 100  # files read in one look, of those whose due time is strange
TOLD = 5  # violations of one look that are told one by one


class Guard:
    """Looks after `engine`. `violations` counts what was found since the start; `now` is the time of files, in seconds."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self.now = now
        self.violations = 0
        self._looked_at = 0.0
        self._since: dict[str, float] = {}

    def look(self) -> None:
        """One look at everything, before a rescan would mend it in silence. Raises `OSError`."""
        began = self.now()
        problems = {**self._unknown(), **self._lost(), **self._far_off()}
        self._looked_at = began
        self.violations += len(problems)
        for nth, (id, problem) in enumerate(problems.items()):
            if nth < TOLD:
                rest = f" (and {len(problems) - TOLD} more)" if nth == TOLD - 1 and len(problems) > TOLD else ""
                self._alarm(f"message {id} {problem}{rest}; it is expected anew")
        self.engine.standstill.hurry(problems, all=True)

    def _alarm(self, text: str) -> None:
        self.engine.tell(Alarm(self.engine.clock.now(), "invariant", text))

    def _unknown(self) -> dict[str, str]:
        """On disk, and nobody is going to look at it."""
        spool, scheduler, away = self.engine.spool, self.engine.scheduler, self.engine.settler.away
        found = {}
        for state in ("queued", "deferred"):
            for id in spool.ids(state):
                if not scheduler.knows(id) and id not in away and self._was_there(spool.path(state, id)):
                    found[id] = f"is in {state}/ and was not going to be tried"
        return found

    def _was_there(self, path: str) -> bool:
        """Whether the last look, after which all was known, saw the file where it is."""
        try:
            return os.stat(path, follow_symlinks=False).st_ctime < self._looked_at
        except FileNotFoundError:
            return False

    def _lost(self) -> dict[str, str]:
        """Said to be in memory, and is not."""
        engine, now = self.engine, self.engine.clock.now()
        self._since = {id: self._since.get(id, now) for id in engine.scheduler.active}
        old = {id for id, since in self._since.items() if now - since >= LOST and id not in engine.unremovable}
        if not old:
            return {}
        for thing in gc.get_objects():
            if isinstance(thing, Attempt | Claim):
                old.discard(thing.entry.id)
        for id in old:
            engine.scheduler.forget(id)
            del self._since[id]
        return dict.fromkeys(old, "counted as being tried, and nobody tried it")

    def _far_off(self) -> dict[str, str]:
        """Put off for longer than anything is: a clock that was wrong for an hour must not cost a year."""
        spool, now = self.engine.spool, self.engine.clock.now()
        longest = now + self.engine.policy.schedule.expire + SLACK
        found, read = {}, 0
        for due, id in spool.dues():
            if due > longest and id not in self.engine.scheduler.active and read < READ:
                read += 1
                try:
                    entry = spool.read(id, "deferred")
                except (NoSuchMessage, CorruptFile):
                    continue
                if max(entry.envelope.due, entry.arrived) + self.engine.policy.schedule.expire + SLACK < due:
                    found[id] = "was put off until long after its time"
        return found
