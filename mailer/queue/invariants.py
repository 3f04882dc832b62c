"""Invariants: hold, while the daemon runs, that nothing is stuck and nothing fills up, and mend what is.

The invariant is that of `mailer-spool(5)`: every recipient of an accepted message has a due time, is being tried, or has a final
outcome. The queue keeps it by construction; this looks whether it did, by other means: the directories against what the scheduler
knows, and what the scheduler takes for being in memory against the attempts that there are. What is found is a bug of ours, or somebody's
hand in the spool. It is told as an alarm, ``invariant``, counted (``mailer_invariant_violations_total`` in `metrics`), and expected anew.

=======================================================  ===============================================================
looked for                                               told apart from
=======================================================  ===============================================================
a message in ``queued/`` or ``deferred/`` that the       one that was put or moved since the last look, whose ring was
scheduler does not know                                  lost: its file's ctime is younger
a message that is in memory since `LOST` seconds, and    one that waits for its turn, or for a slow host: there is an
that nothing in memory is about                          `Attempt` of it, or a `Lease`
a message that is due later than the schedule can say    one that was submitted to leave later
=======================================================  ===============================================================
"""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io.clock import STEP as STEP_OF_CLOCK
from mailer.spool import first_id
from mailer.spool.api import CorruptMessage, NoSuchMessage, Reserve, Trouble

from . import clock_step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mailer.spool.api import Due

    from .context import Context
    from .manager import QueueManager
    from .tasks import Watchdog

LOST = 600.0  # seconds in memory, before it is looked whether there is an attempt of it
SLACK = 86400.0  # seconds beyond the longest that anything is put off
READ = 100  # files read in one look, of those whose due time is strange
TICK = STEP_OF_CLOCK + 0.1  # seconds by which a file's time may be behind: it is of the kernel's last tick, by a clock put back a little
PART = 20  # the time between two steps of a look, as a multiple of the one that a step takes
DISK = 10.0  # seconds between two looks at the disk
RECORDER_PATIENCE = 300.0  # seconds for one batch: a disk may be slow, but not so slow
TOLD = 5  # violations of one look that are told by name


class Invariants:
    """The invariants of `manager`, which are looked after.

    `violations` counts what was found since the start; `now` is the time of files, in seconds.
    """

    def __init__(self, manager: QueueManager, now: Callable[[], float] = time.time) -> None:
        self.manager = manager
        self.now = now
        self.violations = 0
        self._looked_at = 0.0
        self._unseen = ""  # the first name that a message put since then can have
        self._since: dict[str, float] = {}
        self._steps = 0

    @property
    def _context(self) -> Context:
        return self.manager.current.context

    async def look(self) -> None:
        """One look at everything, at once. Raises `OSError`."""
        async for _ in self.steps():
            pass

    async def steps(self) -> AsyncIterator[None]:
        """One look at everything, a portion at a time, so that others may work between two steps. Raises `OSError`."""
        if self._steps != self.manager.steps:  # what the last look saw was by another clock
            self._steps, self._looked_at, self._unseen, self._since = self.manager.steps, 0.0, "", {}
        began = self.now()
        problems: dict[str, str] = {}
        far: list[tuple[str, float]] = []
        async for portion in self._context.spool.due(lambda name: self._is_known(name, far), dated=True):
            for found in portion:
                self._unknown(found, problems)
            yield
        for id, due in far[:READ]:
            if await self._is_far_off(id, due):
                problems[id] = "was put off for longer than anything is"
        problems |= self._lost()
        self._looked_at, self._unseen = began, first_id(began)
        self.violations += len(problems)
        if problems:
            some = "; ".join(f"message {id} {problem}" for id, problem in islice(problems.items(), TOLD))
            rest = f"; and {len(problems) - TOLD} more" if len(problems) > TOLD else ""
            self._context.tell(Alarm(self._context.clock.now(), "invariant", f"{some}{rest}: expected anew"))
        self.manager.suspended.hurry(problems, all=True)

    def _is_known(self, name: str, far: list[tuple[str, float]]) -> bool:
        """Whether somebody is going to look at it, as at nearly all; those that are due very late are noted in `far`."""
        scheduler = self._context.scheduler
        if scheduler.knows(name):
            due = scheduler.due_of(name)
            if due and due > self._longest:
                far.append((name, due))
            return True
        return name in self.manager.settler.away or name in self.manager.loader.later

    def _unknown(self, found: Due | Trouble, problems: dict[str, str]) -> None:
        """It waits, and nobody is going to look at it. One that the last look, after which all was known, could not see is simply new."""
        if isinstance(found, Trouble):
            self.manager.loader.stranger(found)
        elif (found.state != "queued" or found.id < self._unseen) and found.changed < self._looked_at - TICK:
            problems[found.id] = f"is in {found.state}/ and was not going to be tried"
        else:
            self.manager.expect_all([(found.due, found.id)])

    @property
    def _longest(self) -> float:
        """Beyond this time nothing is put off."""
        schedule = self._context.policy.schedule
        return self._context.clock.now() + max(schedule.expire, *schedule.steps) + SLACK

    def _lost(self) -> dict[str, str]:
        """Said to be in memory, and is not."""
        context, now = self._context, self._context.clock.now()
        self._since = {id: self._since.get(id, now) for id in context.scheduler.active}
        old = {id for id, since in self._since.items() if now - since >= LOST and id not in self.manager.unremovable}
        if not old:
            return {}
        old -= {attempt.entry.id for attempt in self.manager.loader.attempts}
        old = {id for id in old if not context.recorder.holds(id)}
        for id in old:
            context.scheduler.forget(id)
            del self._since[id]
        return dict.fromkeys(old, "counted as being tried, and nobody tried it")

    async def _is_far_off(self, id: str, due: float) -> bool:
        """Whether not even its sender has named that time: a clock that was wrong for an hour must not cost a year."""
        try:
            entry = await self._context.spool.read(id)
        except (NoSuchMessage, CorruptMessage):
            return False
        return entry.state == "deferred" and due > entry.appointed + 1.0


class Housekeeping:
    """The housekeeping of `manager`: from time to time it sees that nothing is stuck and nothing fills up.

    `hush` is told to keep the log short, or not to any more.
    """

    def __init__(self, manager: QueueManager, invariants: Invariants, watchdog: Watchdog, hush: Callable[[bool], None]) -> None:
        self.manager = manager
        self.invariants = invariants
        self.watchdog = watchdog
        self.hush = hush
        self._batch: object = None
        self._batch_since = 0.0

    async def look(self) -> None:
        """Read the pauses, break off what is stuck, and look through the queue for what is not known, which takes a part of the time.

        Raises `OSError`.
        """
        time = asyncio.get_running_loop().time
        await self.manager.mind_pauses()
        self.watchdog.look(time(), self.manager.current.context.policy.attempt_limit)
        begin = time()
        for steps in (self._redated(), self.invariants.steps()):
            async for _ in steps:
                await asyncio.sleep(PART * (time() - begin))
                begin = time()

    async def _redated(self) -> AsyncIterator[None]:
        if self.manager.redating:
            self.manager.redating = False
            async for _ in clock_step.redate(self.manager.current.context):
                yield

    def clock(self) -> bool:
        """Notice, also while nothing happens, that the clock was set, or that the machine has slept; whether it was set."""
        manager, before = self.manager, self.manager.steps
        manager.check_clock()
        stepped = manager.steps != before
        if stepped or manager.overslept:
            manager.current.context.wake()
        return stepped

    async def disk(self) -> None:
        """Ask the disk of the spool; say so when it runs short, and when it has room again."""
        context, settler = self.manager.current.context, self.manager.settler
        settings, place = context.policy.submission, context.spool.place
        lack = await context.spool.room(Reserve(settings.min_free_space, settings.min_free_inodes))
        before, settler.short = settler.short, lack
        now = context.clock.now()
        if lack:
            text = f"the disk of the spool {place} has {lack}: mail is refused and no reports are written until it has room"
            context.tell(Alarm(now, "disk", text))
            if not before:
                self.hush(True)
        elif not lack:
            if before:
                self.hush(False)
            context.tell(Mended(now, "disk", detail=f"the disk of the spool {place} has room again"))

    def alive(self) -> bool:
        """Whether the recorder makes progress. That this is asked at all shows that the loop does."""
        now, batch = asyncio.get_running_loop().time(), self.manager.current.context.recorder.batch
        if batch is None or batch.done() or batch is not self._batch:
            self._batch, self._batch_since = batch, now
        return now - self._batch_since < RECORDER_PATIENCE or batch is None or batch.done()
