"""The recorder: what was decided goes to the status database and off the disk, in batches.

For a message that all have received the order is: status, then unlink. If the program dies in between, the
message is delivered twice at worst, which is the window that every SMTP sender has (RFC 5321 §6.1). A
batch is what came together within `DELAY` seconds or while the batch before was being written, so the
window stays small and a busy daemon commits hundreds of messages at once. What cannot be unlinked is among the `Leftovers`, and
tried again every `AGAIN` seconds.

Threads do what takes long and needs no interpreter: one tries again to remove leftovers; another closes files that are gone
(`files.unlinked`), which no batch has to wait for.

How it stands with the destinations is told to the same status (`DestinationStates`): what makes mail wait (a window, a breaker, a pause,
a rate) is in the daemon's memory, and commands are other processes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mailer.events import Standings
from mailer.mail.problem import Problem
from mailer.spool.api import CorruptMessage, NoSuchMessage
from mailer.spool.files import unlinked
from mailer.status.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from mailer.events import Event
    from mailer.spool.api import Entry
    from mailer.spool.files.store import Claim, SpoolDirectory
    from mailer.status.api import StatusRecorder

    from .destination import Destination

DELAY = 0.02  # seconds; as long as one round trip over the internet, and what a crash may repeat
AGAIN = 5.0  # seconds between two tries to remove what the disk would not let go
STANDINGS = 1.0  # seconds between two looks at what has changed at the destinations
UNCLOSED = 8  # batches whose files are to be closed: from there on the loop does it itself, before it opens any more


class Recorder:
    """Writes events and removes what is done with from `spool`.

    `status` writes events down, never more than one batch at a time. `done` is told
    of each batch when it is through: the IDs that left the spool, and what went wrong, with the ID of the message that would not leave, or
    ``status``.
    """

    def __init__(
        self,
        spool: SpoolDirectory,
        status: StatusRecorder,
        done: Callable[[list[str], list[tuple[str, Exception]]], None] = lambda *_: None,
    ) -> None:
        self.spool = spool
        self.status = status
        self.done = done
        self._events: list[Event] = []
        self._claims: list[Claim] = []
        self._held: dict[str, Claim] = {}  # those, and what is being removed
        self._busy = False  # a batch is being written, or will be
        self._since = 0.0  # when the first of what is to be written came
        self._remover = ThreadPoolExecutor(1, "leftovers")
        self._closer = ThreadPoolExecutor(1, "unlinked")
        self._unclosed: deque[Future[None]] = deque()
        self._writing: asyncio.Future[None] | None = None
        self._leftovers = Leftovers(spool)
        self._keeping: set[asyncio.Future[None]] = set()
        self._again: asyncio.TimerHandle | None = None

    @property
    def batch(self) -> asyncio.Future[None] | None:
        """The batch that is being written, or was written last."""
        return self._writing

    def told(self, event: Event) -> None:
        """Take note of an event; it is written with the next batch."""
        self._schedule()
        self._events.append(event)

    def release(self, claim: Claim) -> None:
        """Let a message that is delivered to all leave the spool when its status is written."""
        self._schedule()
        self._claims.append(claim)
        self._held[claim.entry.id] = claim

    def holds(self, id: str) -> bool:
        """Whether message `id` was released and has not left yet."""
        return id in self._held

    def _schedule(self) -> None:
        """Something is to be written. While a batch is, it waits for that one to end."""
        if self._events or self._claims:
            return
        self._since = asyncio.get_running_loop().time()
        if not self._busy:
            self._start_later()

    def _start_later(self) -> None:
        self._busy = True
        asyncio.get_running_loop().call_at(self._since + DELAY, self._start)

    def _start(self) -> None:
        events, claims = self._events, self._claims
        self._events, self._claims = [], []
        self._writing = asyncio.ensure_future(self.status.write(events))
        self._writing.add_done_callback(lambda written: self._wrote(written, claims))

    def _wrote(self, written: asyncio.Future[None], claims: list[Claim]) -> None:
        """The status is committed. If it cannot be: the mail is delivered whether or not we can tell, for status is a view."""
        self._busy = False
        if self._events or self._claims:
            self._start_later()
        problems: list[tuple[str, Exception]] = []
        if not written.cancelled() and isinstance(error := written.exception(), Exception):
            problems.append(("status", error))
        stuck: list[tuple[Claim, OSError]] = []
        self.done(self._remove(claims, stuck), problems)
        if stuck:
            self._keep(stuck)

    def _remove(self, claims: list[Claim], stuck: list[tuple[Claim, OSError]]) -> list[str]:
        """Take delivered messages off the disk; returns those that are gone, and adds the others to `stuck`."""
        gone: list[Claim] = []
        for claim in claims:
            try:
                self.spool.drop(claim)
                gone.append(claim)
            except FileNotFoundError:  # somebody else has removed it
                gone.append(claim)
            except OSError as error:
                stuck.append((claim, error))
        ids = [claim.entry.id for claim in gone]
        for id in ids:
            self._held.pop(id, None)
        if gone:
            self._close_all(unlinked.together(claim.surrender() for claim in gone))
        return ids

    # What would not leave

    def _keep(self, stuck: list[tuple[Claim, OSError]]) -> None:
        """That they are delivered is written down; only then is it told that they are still there."""
        self._in_thread(lambda: ([], self._leftovers.keep(stuck)))

    def _clear(self) -> None:
        self._again = None
        self._in_thread(lambda: (self._leftovers.clear(), []))

    def _in_thread(self, act: Callable[[], tuple[list[str], list[tuple[str, Exception]]]]) -> None:
        keeping = asyncio.ensure_future(self._kept(act))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)

    async def _kept(self, act: Callable[[], tuple[list[str], list[tuple[str, Exception]]]]) -> None:
        loop = asyncio.get_running_loop()
        gone, problems = await loop.run_in_executor(self._remover, act)
        self.done(gone, problems)
        for id, _ in problems:
            self._held.pop(id, None)
        if self._leftovers and self._again is None:
            self._again = loop.call_later(AGAIN, self._clear)

    def _close_all(self, runs: list[tuple[int, int]]) -> None:
        while self._unclosed and self._unclosed[0].done():
            self._unclosed.popleft()
        if len(self._unclosed) < UNCLOSED:
            self._unclosed.append(self._closer.submit(unlinked.close, runs))
        else:
            unlinked.close(runs)

    async def close(self) -> None:
        """Write what is left, and try a last time to remove what would not go. No event may come after."""
        while self._busy:
            if self._writing is None or self._writing.done():
                await asyncio.sleep(DELAY)
            else:
                await asyncio.wait([self._writing])
        if self._keeping:
            await asyncio.wait(self._keeping)
        if self._again is not None:
            self._again.cancel()
            self.done(await asyncio.get_running_loop().run_in_executor(self._remover, self._leftovers.clear), [])
        self._remover.shutdown()
        self._closer.shutdown()


class Leftovers:
    """Messages that every recipient has, and whose files the disk would not let go. Used in the recorder's thread.

    They must not be delivered again, whoever starts next. So that is written into the file: a record that all have it, after which
    whoever finds the file only removes it. Then the removal is tried again until it works. Neither needs the lock, which is given back at
    once: a directory that lets nothing go must not use up the descriptors of those that come after.
    """

    def __init__(self, spool: SpoolDirectory) -> None:
        self.spool = spool
        self._entries: dict[str, Entry] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def keep(self, stuck: Iterable[tuple[Claim, OSError]]) -> list[tuple[str, Exception]]:
        """Write down of each that it is delivered, and give it back; the ID of each and what is told of it."""
        problems: list[tuple[str, Exception]] = []
        for claim, error in stuck:
            with claim:
                self._entries[claim.entry.id] = claim.entry
                why = f"message {claim.entry.id} is delivered but cannot be removed: {error.strerror or error}"
                try:
                    self._record(claim, claim.entry)
                    problems.append((claim.entry.id, OSError(f"{why}; that it is delivered is written down")))
                except OSError as worse:
                    problems.append((claim.entry.id, OSError(f"{why}; nor can that be written down: {worse.strerror or worse}")))
        return problems

    def clear(self) -> list[str]:
        """Try again to remove them; the IDs of those that are gone."""
        gone = [id for id, entry in self._entries.items() if self._is_gone(id, entry)]
        for id in gone:
            del self._entries[id]
        return gone

    def _is_gone(self, id: str, entry: Entry) -> bool:
        try:
            with self.spool.claim(id, entry.state) as claim:
                if not claim.entry.history.done:
                    self._record(claim, entry)
                self.spool.drop(claim)
        except NoSuchMessage:
            return True
        except (Problem, CorruptMessage, OSError):
            return False
        return True

    def _record(self, claim: Claim, entry: Entry) -> None:
        self.spool.record(claim, [outcome for _, outcome in sorted(entry.history.last.items())])


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
