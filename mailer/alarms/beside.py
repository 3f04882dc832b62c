"""Alarms beside: those of a process that works beside the daemon, such as a door of its own, which the daemon's book is to have, too.

Such a process has a book of its own, and leaves what is open in it in the spool, as a note of its name (`AlarmsBeside`). The daemon reads
the notes, and tells what has begun and ended as if it had met it itself (`Neighbours`): so people, log and status hear of it, whoever met
it. A process that has ended has no open alarms; that it has is somebody else's alarm.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, cast, get_args

from mailer.events import Alarm, Mended
from mailer.io.component import Component
from mailer.mail.alarm import AlarmKind, Severity
from mailer.mail.neighbours import NEIGHBOURS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.mail.alarm import OpenAlarm
    from mailer.spool.files.store import SpoolDirectory

    from .book import AlarmBook

POST = 1.0  # seconds between two looks at what has changed
Place = tuple[AlarmKind, str]


def _note(name: str) -> str:
    return f"alarms.{name}"


class AlarmsBeside:
    """Leaves what is open in `book` as the note of the process `name` in the spool."""

    def __init__(self, spool: SpoolDirectory, name: str, book: AlarmBook) -> None:
        self._spool = spool
        self._name = _note(name)
        self._book = book

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """While it goes on, the note says what is open; afterwards nothing is."""
        task = asyncio.ensure_future(self._keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._spool.remember, self._name, _text([]))

    async def _keep(self) -> None:
        last = b""
        while True:
            text = _text(self._book.alarms)
            if text != last:
                with contextlib.suppress(OSError):  # a disk that is full has an alarm of the daemon's
                    await asyncio.to_thread(self._spool.remember, self._name, text)
                    last = text
            await asyncio.sleep(POST)


class Neighbours(Component):
    """Tells `tell` what has begun and ended in the processes beside the daemon, by their notes in `spool`."""

    def __init__(self, spool: SpoolDirectory, tell: Callable[[Event], None], clock: Clock, chores: Chores) -> None:
        self._spool = spool
        self._tell = tell
        self._clock = clock
        self._chores = chores
        self._open: dict[Place, str] = {}

    async def start(self) -> None:
        """Look from now on."""
        self._chores.every(POST, self.look, what="notes of other processes could not be read")

    async def look(self) -> None:
        """Read the notes, and tell what is new. Raises `OSError`."""
        found = await asyncio.to_thread(self._read)
        for place, alarm in found.items():
            if self._open.get(place) != alarm.detail:
                self._tell(alarm)
        for what, key in self._open.keys() - found.keys():
            self._tell(Mended(self._clock.now(), what, key))
        self._open = {place: alarm.detail for place, alarm in found.items()}

    def _read(self) -> dict[Place, Alarm]:
        return {
            (alarm.what, alarm.key): alarm for name in NEIGHBOURS for alarm in _alarms(self._spool.recall(_note(name)), self._clock.now())
        }


def _text(alarms: Sequence[OpenAlarm]) -> bytes:
    rows = [[alarm.kind, alarm.key, alarm.text, alarm.remedy, alarm.severity] for alarm in alarms]
    return json.dumps({"pid": os.getpid(), "alarms": rows}).encode()


def _alarms(text: bytes | None, now: float) -> Iterator[Alarm]:
    """Those of a note; none of what is no note, or of a process that is gone."""
    try:
        document: dict[str, Any] = json.loads(text or b"null") or {}
        if not _lives(int(document.get("pid", 0))):
            return
        for kind, key, detail, remedy, severity in document.get("alarms", []):
            if kind in get_args(AlarmKind) and severity in get_args(Severity):
                yield Alarm(now, cast("AlarmKind", kind), str(detail), str(key), str(remedy), cast("Severity", severity))
    except (ValueError, TypeError, AttributeError):  # somebody's hand
        return


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return pid > 0
    return pid > 0
