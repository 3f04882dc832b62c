"""Adoption: when ``drop/`` is looked at, and what is told of it.

One thread takes the files, a pass at a time, so that none is adopted twice at once. However often it is asked for, one look at
everything waits, and so many names; whoever rings the doorbell makes no queue.

What was refused and kept is told of one by one, for there is only so much of that. The rest, which a user can make any number of, is
told of in a line for each user, once a minute: what was deleted, what was left, and what has another ID than its user gave it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from mailer.events import Alarm, Corrupt
from mailer.spool.files.drop import named
from mailer.spool.files.pickup import Stuck, adopt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.spool.files.admit import IntakeTerms
    from mailer.spool.files.pickup import Adopted, Rest
    from mailer.spool.files.store import SpoolDirectory

ROUND = 1000  # files that are taken before others get their turn
NAMES = 1000  # that wait to be looked at; when there are more, everything is
QUIET = 60.0  # seconds between two lines about one user


class Adoption:
    """The adoption of what is in ``drop/`` of `spool`, on the `terms` of the moment.

    `look` is told of IDs that are new, in the daemon's loop.
    """

    def __init__(
        self,
        spool: SpoolDirectory,
        terms: Callable[[], IntakeTerms],
        clock: Clock,
        look: Callable[[Iterable[str]], None],
        tell: Callable[[Event], None],
    ) -> None:
        self.spool = spool
        self.terms = terms
        self.clock = clock
        self.look = look
        self.tell = tell
        self.refusals = Refusals()
        self.stuck = Stuck()
        self._all = False
        self._rest: Rest | None = None  # of the last look at everything
        self._closing = False
        self._names: dict[str, None] = {}
        self._thread = ThreadPoolExecutor(1, "adopt")
        self._task: asyncio.Task[None] | None = None

    def now(self) -> None:
        """Take everything that was there when this began, and return when that is done. What there is no room for stays there."""
        until, more, rest = float("inf"), True, None
        while more:
            began = time.time()
            try:
                done = adopt(self.spool, self.terms(), ROUND, until=until, stuck=self.stuck, rest=rest)
            except OSError as error:
                self._waits(f"{error.filename or self.spool.place}: {error.strerror}")
                return
            self._told(done)
            more, until, rest = done.more, min(until, began), done.rest

    def scan(self) -> None:
        """Take all that is in ``drop/``."""
        self._all = True
        self._go()

    def rung(self, ids: Iterable[str]) -> None:
        """The doorbell named `ids`; those that are in ``drop/`` are taken."""
        self._names.update((found.name, None) for found in named(self.spool, ids))
        if len(self._names) > NAMES:
            self._names.clear()
            self._all = True
        self._go()

    async def close(self) -> None:
        """End: take what is being taken, and no more."""
        self._closing = True
        if self._task:
            await self._task
        await asyncio.to_thread(self._thread.shutdown)
        self._tell_refusals(last=True)

    @property
    def _wanted(self) -> bool:
        return bool(self._names or self._rest or self._all) and not self._closing

    def _go(self) -> None:
        if self._wanted and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        while self._wanted:
            names, rest = [*self._names] or None, None
            self._names = {}
            if names is None:
                rest, self._rest = self._rest, None
                self._all &= rest is not None  # what is to be looked at anew waits for the rest of the look before
            try:
                take = partial(adopt, self.spool, self.terms(), ROUND, names, stuck=self.stuck, rest=rest)
                done = await asyncio.get_running_loop().run_in_executor(self._thread, take)
            except OSError as error:
                self._waits(f"{error.filename or self.spool.place}: {error.strerror}")
            except Exception as error:
                self.tell(Alarm.of(self.clock.now(), error))
            else:
                self._told(done)
                if names is None:
                    self._rest = done.rest
                self._all |= done.more and self._rest is None

    def _told(self, done: Adopted) -> None:
        for error in done.bugs[:1]:
            self.tell(Alarm.of(self.clock.now(), error))
        if done.trouble:
            self._waits(done.trouble)
        for name, uid, reason, path in done.refused:  # not by its bare name, which may be the ID of somebody else's message
            self.tell(Corrupt(self.clock.now(), f"drop/{name}", f"of user {uid}: {reason}", path))
        self.refusals.add(done)
        self._tell_refusals()
        if done.ids:
            self.look(done.ids)

    def _tell_refusals(self, *, last: bool = False) -> None:
        for line in self.refusals.lines(float("inf") if last else time.monotonic()):
            self.tell(Alarm(self.clock.now(), "drop", line))

    def _waits(self, why: str) -> None:
        self.tell(Alarm(self.clock.now(), "spool", f"cannot adopt what is in drop/: {why}"))


class Refusals:
    """What was deleted, what was left and what was renamed since it was last told, by user."""

    def __init__(self) -> None:
        self._deleted: Counter[int] = Counter()
        self._renamed: Counter[int] = Counter()
        self._left: dict[int, int] = {}  # those that the last pass found
        self._left_told: dict[int, int] = {}
        self._why: dict[int, str] = {}
        self._again: dict[int, float] = {}

    def add(self, done: Adopted) -> None:
        """Count one more pass. A file that is left is met again by the next, so there are as many as in the pass that met the most."""
        self._deleted += done.deleted
        for uid, count in done.left.items():
            self._left[uid] = max(count, self._left.get(uid, 0))
        for name, uid, id in done.renamed:
            self._renamed[uid] += 1
            done.why.setdefault(uid, f"{name} says another time than that at which it was left, and is {id} now")
        self._why = {**done.why, **self._why}

    def lines(self, now: float) -> list[str]:
        """The lines that are to be told at `now`, in seconds on a clock that only goes on."""
        due = [uid for uid in self._why if now >= self._again.get(uid, 0.0)]
        return [line for uid in due if (line := self._line(uid, now))]

    def _line(self, uid: int, now: float) -> str:
        deleted, left, why = self._deleted.pop(uid, 0), self._left.pop(uid, 0), self._why.pop(uid)
        renamed = self._renamed.pop(uid, 0)
        new = left > self._left_told.get(uid, 0)
        self._left_told[uid] = left
        if not deleted and not new and not renamed:
            return ""
        self._again[uid] = now + QUIET
        counts = {"deleted": deleted, "left there": left, "taken under another ID": renamed}
        said = " and ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"user {uid} left in drop/ what cannot be taken as it is: {said}; {why}"
