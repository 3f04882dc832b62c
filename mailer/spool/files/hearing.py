"""What a daemon hears: its doorbell, hung, with an event loop that listens to it. Used by `spool`, for `mailer.spool.api.Spool.changes`."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from mailer.spool import is_id
from mailer.spool.api import Changes

from . import doorbell, suspensions

if TYPE_CHECKING:
    import socket

LOOKS = 1.0  # seconds between two looks at everything that the doorbell asks for


class Hearing:
    """The doorbell of the spool at `root`, from now on until `close`. Made within the loop that is to hear it; raises `OSError`."""

    def __init__(self, root: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._bell: socket.socket = doorbell.hang(root)
        self._capacity = doorbell.capacity(self._bell, root)
        self._rung = asyncio.Event()
        self._heard: dict[str, None] = {}
        self._again = -inf  # when everything may be looked at again, by the loop's clock
        self._later: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._bell, self._hear)

    def _hear(self) -> None:
        heard = doorbell.listen(self._bell, self._capacity)
        if doorbell.EVERYTHING in heard:
            heard.remove(doorbell.EVERYTHING)
            if self._later is None:  # whoever found the bell's queue full has his message in place by now, and so before that look
                self._later = self._loop.call_at(max(self._again, self._loop.time()), self._look_at_everything)
        self._heard |= dict.fromkeys(heard)
        self._rung.set()

    def _look_at_everything(self) -> None:
        self._later = None
        self._again = self._loop.time() + LOOKS
        self._heard[doorbell.EVERYTHING] = None
        self._rung.set()

    async def changes(self) -> Changes:
        """Wait for the doorbell. When it rings more often than it can be heard, or for everything, that is told every `LOOKS` seconds."""
        while not self._heard:
            self._rung.clear()
            await self._rung.wait()
        heard, self._heard = self._heard, {}
        ids = [word for word in heard if is_id(word)]
        return Changes(ids, doorbell.EVERYTHING in heard, suspensions.NAME in heard, doorbell.REPORTS in heard)

    def close(self) -> None:
        """Take the doorbell down."""
        self._loop.remove_reader(self._bell)
        self._bell.close()
        if self._later is not None:
            self._later.cancel()
            self._later = None
