"""The ledger: what was decided goes to the status database and off the disk, in batches, in one thread.

For a message that all have received the order is: status, then unlink. If the program dies in between, the
message is delivered twice at worst, which is the window that every SMTP sender has (RFC 5321 §6.1). A
batch is what came together within `DELAY` seconds or while the batch before was being written, so the
window stays small and a busy daemon commits hundreds of messages at once.

The thread exists so that a slow disk holds up the record and not the conversation with other hosts.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.events import Event
    from mailer.spool import Claim, Spool

DELAY = 0.005  # seconds

_Done = tuple[list[str], list[tuple[str, Exception]]]


class Ledger:
    """Writes events with `write` and removes what is done with from `spool`.

    `done` is told of each batch when it is through: the IDs that left the spool, and what went wrong.
    `write` is called in the ledger's own thread only.
    """

    def __init__(
        self, spool: Spool, write: Callable[[Sequence[Event]], None], done: Callable[[list[str], list[tuple[str, Exception]]], None]
    ) -> None:
        self.spool = spool
        self.write = write
        self.done = done
        self._events: list[Event] = []
        self._claims: list[Claim] = []
        self._scheduled = False
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._writing: asyncio.Future[_Done] | None = None

    def told(self, event: Event) -> None:
        """Take note of an event; it is written with the next batch."""
        self._events.append(event)
        self._schedule()

    def release(self, claim: Claim) -> None:
        """The message is delivered to all: it leaves the spool when its status is written."""
        self._claims.append(claim)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(DELAY, self._start)

    def _start(self) -> None:
        events, claims = self._events, self._claims
        self._events, self._claims = [], []
        self._writing = asyncio.get_running_loop().run_in_executor(self._thread, self._write, events, claims)
        self._writing.add_done_callback(self._wrote)

    def _write(self, events: list[Event], claims: list[Claim]) -> _Done:
        problems: list[tuple[str, Exception]] = []
        try:
            self.write(events)
        except Exception as error:  # the mail is delivered whether or not we can tell: status is a view
            problems.append(("status", error))
        gone = []
        for claim in claims:
            try:
                self.spool.drop(claim)
                gone.append(claim.entry.id)
            except OSError as error:
                problems.append((claim.entry.id, error))
            claim.close()
        return gone, problems

    def _wrote(self, future: asyncio.Future[_Done]) -> None:
        self._scheduled = False
        if self._events or self._claims:
            self._schedule()
        if not future.cancelled():
            self.done(*future.result())

    async def close(self) -> None:
        """Write what is left. No event may come after."""
        while self._scheduled:
            if self._writing is None or self._writing.done():
                await asyncio.sleep(DELAY)
            else:
                await asyncio.wait([self._writing])
        self._thread.shutdown()
