"""Housekeeping: what the daemon does from time to time so that nothing is stuck and nothing fills up.

The service calls it; each part is a file of its own. `look` goes through the queue, `disk` and `network` come every few seconds, `alive`
when the service manager wants a sign of life.
"""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING

from mailer.events import Alarm, Daemon
from mailer.spool.files import layout

from . import clock_step
from .invariants import Invariants
from .watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .manager import QueueManager
    from .recorder import Recorder

PART = 20  # the time between two steps of a look, as a multiple of the one that a step takes
DISK = 10.0  # seconds between two looks at the disk
LEDGER_PATIENCE = 300.0  # seconds for one batch: a disk may be slow, but not so slow


class Housekeeping:
    """Looks after `manager` and `recorder`. `hush` is told to keep the log short, or not to any more."""

    def __init__(self, manager: QueueManager, recorder: Recorder, hush: Callable[[bool], None]) -> None:
        self.manager = manager
        self.recorder = recorder
        self.hush = hush
        self.guard = Invariants(manager)
        self.watchdog = Watchdog(manager)
        self._batch: object = None
        self._batch_since = 0.0

    async def look(self) -> None:
        """Read the pauses, break off what is stuck, and look through the queue for what is not known, which takes a part of the time.

        Raises `OSError`.
        """
        time = asyncio.get_running_loop().time
        self.manager.dispatcher.mind_pauses()
        self.watchdog.look(time())
        begin = time()
        for _ in chain(self._redated(), self.guard.steps()):
            await asyncio.sleep(PART * (time() - begin))
            begin = time()

    def _redated(self) -> Iterator[None]:
        if self.manager.redating:
            self.manager.redating = False
            yield from clock_step.redate(self.manager)

    def clock(self) -> bool:
        """Notice, also while nothing happens, that the clock was set, or that the machine has slept; whether it was set."""
        manager, before = self.manager, self.manager.steps
        manager.check_clock()
        stepped = manager.steps != before
        if stepped or manager.overslept:
            manager.wake()
        return stepped

    def network(self) -> None:
        """Let go what waits for the network, if it is back."""
        self.manager.standstill.poll()

    def disk(self) -> None:
        """Ask the disk of the spool; say so when it runs short, and when it has room again."""
        manager, settings = self.manager, self.manager.policy.submission
        lack = layout.shortage(manager.spool.root, settings.min_free_space, settings.min_free_inodes)
        before, manager.settler.short = manager.settler.short, lack
        now = manager.clock.now()
        if lack and not before:
            text = f"the disk of the spool {manager.spool.root} has {lack}: mail is refused and no reports are written until it has room"
            manager.tell(Alarm(now, "disk", text))
            self.hush(True)
        elif before and not lack:
            self.hush(False)
            manager.tell(Daemon(now, "room", f"the disk of the spool {manager.spool.root} has room again"))

    def alive(self) -> bool:
        """Whether the recorder comes on. That this is asked at all shows that the loop does."""
        now, batch = asyncio.get_running_loop().time(), self.recorder.batch
        if batch is None or batch.done() or batch is not self._batch:
            self._batch, self._batch_since = batch, now
        return now - self._batch_since < LEDGER_PATIENCE or batch is None or batch.done()
