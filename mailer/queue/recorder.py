"""The recorder: what was decided goes to the journal, to the status database and off the disk, in batches.

For a message that all have received the order is: journal, where somebody subscribes, then status, then out of the spool. If the program
dies in between, the message is delivered twice at worst, which is the window that every SMTP sender has (RFC 5321 §6.1). A
batch is what came together within `DELAY` seconds (`LONGER` with a journal) or while the batch before was being written, so the
window stays small and a busy daemon commits hundreds of messages at once. What the spool does not let go is tried again every `AGAIN`
seconds.

A status that cannot be written keeps no message, for it is a view; a journal that cannot be does, for who reads it has to hear of each.
Then the files of what is delivered are told so, once, and stay. They are in memory as long, so in the end delivery waits for the disk, too.

How it stands with the destinations is told to the same status (`DestinationStates`): what makes mail wait (a window, a breaker, a pause,
a rate) is in the daemon's memory, and commands are other processes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.events import ReportsHeard, Seen, Standings
from mailer.spool.api import Done, Drop, End, GiveBack
from mailer.status.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from mailer.events import Event
    from mailer.journal.chronicle import Chronicle
    from mailer.spool.api import Entry, Lease, Spool
    from mailer.status.api import StatusRecorder

    from .destination import Destination

DELAY = 0.02  # seconds; as long as one round trip over the internet, and what a crash may repeat
LONGER = 0.04  # seconds, with a journal: each batch is one more wait for the disk and one more thread that is passed to
AGAIN = 5.0  # seconds between two tries to remove what the disk would not let go
MOST = 5_000  # events that wait for a journal that cannot be written, before the status has them first
STANDINGS = 1.0  # seconds between two looks at what has changed at the destinations


class Recorder:
    """Writes events and removes what is done with from `spool`. `chronicle` writes them before, where there is one.

    `status` writes events down, never more than one batch at a time. `done` is told
    of each batch when it is through: the IDs that left the spool, and what went wrong, with the ID of the message that would not leave, or
    ``status``. With `once`, a message whose events cannot be written would not leave, either.
    """

    def __init__(
        self,
        spool: Spool,
        status: StatusRecorder,
        done: Callable[[list[str], list[tuple[str, Exception]]], None] = lambda *_: None,
        *,
        once: bool = False,
    ) -> None:
        self.spool = spool
        self.status = status
        self.done = done
        self._once = once
        self.chronicle: Chronicle | None = None
        self._events: list[Event] = []
        self._leases: list[Lease] = []
        self._unjournaled: list[Lease] = []  # whose events could not be written
        self._closing = False
        self._held: dict[str, Lease] = {}  # those, and what is being removed
        self._busy = False  # a batch is being written, or will be
        self._since = 0.0  # when the first of what is to be written came
        self._writing: asyncio.Future[None] | None = None
        self._stuck: list[Lease] = []  # what the spool would not let go
        self._removing: set[asyncio.Future[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._due = 0.0  # when it rings; the timer itself cannot say in uvloop, if that is now
        self._again: asyncio.TimerHandle | None = None

    @property
    def batch(self) -> asyncio.Future[None] | None:
        """The batch that is being written, or was written last."""
        return self._writing

    def journaled(self) -> bool:
        """Whether what was told a second ago is in the journal, or nobody subscribes to it."""
        return self.chronicle is None or not self.chronicle.failing

    def told(self, event: Event) -> None:
        """Take note of an event; it is written with the next batch."""
        if isinstance(event, ReportsHeard):  # whoever acts upon reports has had it written
            return
        if not (self._events or self._leases):
            self._schedule()
        self._events.append(event)
        if self.chronicle is not None:
            self.chronicle.told(event)

    def resumed(self, entry: Entry) -> None:
        """A message was begun by a daemon before: what that has not written down is."""
        if self.chronicle is not None and self.chronicle.resumed(entry):
            self.told(Seen(entry.arrived, entry))

    def release(self, lease: Lease) -> None:
        """Let a message that is delivered to all leave the spool when its status is written."""
        if not (self._events or self._leases):
            self._schedule()
        self._leases.append(lease)
        self._held[lease.entry.id] = lease

    def holds(self, id: str) -> bool:
        """Whether message `id` was released and has not left yet."""
        return id in self._held

    def _schedule(self) -> None:
        """Something is to be written, which is the first. While a batch is, it waits for that one to end."""
        self._since = asyncio.get_running_loop().time()
        if not self._busy:
            self._start_later()

    def _start_later(self) -> None:
        self._busy = True
        failing = self.chronicle is not None and self.chronicle.failing and not self._closing
        self._due = self._since + (AGAIN if failing else DELAY if self.chronicle is None else LONGER)
        self._timer = asyncio.get_running_loop().call_at(self._due, self._start)

    def _start(self) -> None:
        self._timer = None
        events, leases = self._events, self._leases
        self._events, self._leases = [], []
        if self.chronicle is None:
            leases, self._unjournaled = self._unjournaled + leases, []
            self._writing = asyncio.ensure_future(self.status.write(events))
        else:
            self._writing = asyncio.ensure_future(self._write_journal(self.chronicle, events, leases))
        self._writing.add_done_callback(lambda written: self._wrote(written, leases))

    async def _write_journal(self, chronicle: Chronicle, events: list[Event], leases: list[Lease]) -> None:
        """The journal, then the status. Where the journal cannot be written, the batch waits: `leases` is empty then."""
        if await chronicle.write():
            leases[:0], self._unjournaled = self._unjournaled, []
        else:
            new, leases[:] = [*leases], []
            self._unjournaled += new
            await self._mark(new)
            if self._once and new:
                why = OSError("delivered, and still in the spool: the journal cannot be written")
                self.done([], [(lease.entry.id, why) for lease in new])
            self._since = asyncio.get_running_loop().time()
            if not self._closing and len(events) + len(self._events) < MOST:
                self._events[:0] = events
                return
        await self.status.write(events)

    async def _mark(self, leases: Sequence[Lease]) -> None:
        """Have the files of delivered messages say so: nobody gets one twice, however long it stays. That is tried once."""
        news = [(lease, [outcome for outcome in lease.entry.history.last.values() if outcome.verdict == "delivered"]) for lease in leases]
        await self.spool.record(news)

    def _wrote(self, written: asyncio.Future[None], leases: list[Lease]) -> None:
        """The status is committed. If it cannot be: the mail is delivered whether or not we can tell, for status is a view."""
        self._busy = False
        if self._events or self._leases or (self._unjournaled and not self._closing):
            self._start_later()
        problems: list[tuple[str, Exception]] = []
        if not written.cancelled() and isinstance(error := written.exception(), Exception):
            problems.append(("status", error))
        if leases:
            self._in_task(self._remove(leases, problems))
        else:
            self.done([], problems)

    async def _remove(self, leases: Sequence[Lease], problems: list[tuple[str, Exception]], *, again: bool = False) -> None:
        """Take delivered messages out of the spool. What would not leave is told once, and tried again."""
        gone: list[str] = []
        results = await self.spool.settle([End(lease, (), Drop()) for lease in leases])
        for lease, result in zip(leases, results, strict=True):
            if isinstance(result, Done):
                gone.append(lease.entry.id)
            else:
                self._stuck.append(lease)
                if not again:
                    problems.append((lease.entry.id, OSError(result.why)))
        self.done(gone, problems)
        for lease in leases:
            self._held.pop(lease.entry.id, None)
        if self._stuck and self._again is None:
            self._again = asyncio.get_running_loop().call_later(AGAIN, lambda: self._in_task(self._clear()))

    async def _clear(self) -> None:
        self._again = None
        stuck, self._stuck = self._stuck, []
        await self._remove(stuck, [], again=True)

    def _in_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)

    async def close(self) -> None:
        """Write what is left, and try a last time what the disk did not take before. No event may come after."""
        self._closing = True
        if self._timer is not None and self._due > asyncio.get_running_loop().time() + DELAY:
            self._timer.cancel()
            self._start()
        while self._busy:
            if self._writing is None or self._writing.done():
                await asyncio.sleep(DELAY)
            else:
                await asyncio.wait([self._writing])
        while self._removing:
            await asyncio.wait(self._removing)
        if self._unjournaled:  # the next daemon tells what became of them: their files know it
            await self.spool.settle([End(lease, (), GiveBack()) for lease in self._unjournaled])
        if self._again is not None:
            self._again.cancel()
            stuck = [End(lease, (), Drop()) for lease in self._stuck]
            results = await self.spool.settle(stuck)
            self.done([end.lease.entry.id for end, result in zip(stuck, results, strict=True) if isinstance(result, Done)], [])


class DestinationStates:
    """The states that were told last of each destination. One at rest costs a comparison."""

    def __init__(self) -> None:
        self._told: dict[str, Standing] = {}
        self._first = True

    def news(self, destinations: Iterable[Destination], now: float) -> Standings | None:
        """What has changed since the last time; None if nothing has."""
        told, self._told = self._told, {}
        changed = []
        for destination in destinations:
            key = destination.key
            before = told.get(key)
            if before is None or not _rests(destination, before):
                standing = standing_of(destination, now)
                if standing != before:
                    changed.append(standing)
                before = standing
            self._told[key] = before
        gone = [key for key in told if key not in self._told]
        if not (changed or gone or self._first):
            return None
        first, self._first = self._first, False
        return Standings(now, changed, gone, first)


def _rests(destination: Destination, before: Standing) -> bool:
    """Whether nothing has happened there, and nothing was going on: of ten thousand destinations, nearly all."""
    if destination.running or before.sessions or before.waiting or len(destination) or destination.lot:
        return False
    if destination.breaker.failures or before.failures or destination.paused_until or before.paused_until:
        return False
    return destination.last_at == before.last_at and destination.window.size == before.window


def standing_of(destination: Destination, now: float) -> Standing:
    """The standing of `destination` at `now` (seconds since the epoch)."""
    breaker = destination.breaker
    wait = destination.why(now)
    paused = destination.paused_until > now
    return Standing(
        destination.key,
        len(destination) + (destination.lot.count if destination.lot else 0),
        destination.running,
        destination.window.size,
        destination.window.cap,
        breaker.state(now),
        breaker.failures,
        breaker.open_until,
        breaker.reason,
        destination.paused_until if paused else 0.0,
        destination.pause_reason if paused else "",
        wait.until if wait.kind == "rate" else 0.0,
        destination.last_reply,
        destination.last_at,
        *wait,
    )
