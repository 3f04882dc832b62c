"""What is kept of endpoints, in files below ``hooks/`` of the spool, which are those of its owner alone.

==================  ==========================================================================================================
``NAME.state``      its state, one JSON object; replaced as a whole
``NAME.dead``       events that were given up, one JSON object a line; appended. Beyond `MOST_DEAD` octets it becomes
                    ``NAME.dead.old``, which replaces the one before
``NAME.again``      dead events that are being posted again
``NAME.switch``     a wish, one JSON object, until it is granted; ``NAME.replay``: another
==================  ==========================================================================================================

What is replaced is written beside, synced, and renamed, so a crash leaves the old or the new. What is appended is synced before the cursor
moves on, so a crash repeats an event and loses none; a torn line at the end reads as none.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from mailer.io import durable

from .api import ABOUT, MOST_DEAD, DeadEvent, HookStore, HookWish, state_as_json, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .endpoint import EndpointState

DIRECTORY = "hooks"
LOCK = "hooks.lock"
"""The file beside it that the one sender of a spool has locked."""

LARGEST = 65536  # octets of a state or a wish
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class FileHookStore(HookStore):
    """See `HookStore`. `root` is the spool."""

    def __init__(self, root: str, most: int = MOST_DEAD) -> None:
        self._place = f"{root}/{DIRECTORY}"
        self._most = most

    def _path(self, name: str, kind: str) -> str:
        return f"{self._place}/{name}.{kind}"

    async def note(self, name: str, state: EndpointState) -> None:
        """Replace the file."""
        await asyncio.to_thread(self._replace, self._path(name, "state"), state_as_json(state))

    async def bury(self, name: str, dead: Sequence[DeadEvent]) -> None:
        """Append, and begin a new file where it is too long."""
        await asyncio.to_thread(self._bury, self._path(name, "dead"), dead)

    async def exhume(self, name: str, *, new: bool = True) -> Sequence[DeadEvent]:
        """Move what is there to ``NAME.again``."""
        return await asyncio.to_thread(self._exhume, name, new=new)

    async def settled(self, name: str) -> None:
        """Unlink ``NAME.again``."""
        await asyncio.to_thread(durable.forget, self._path(name, "again"))

    async def granted(self, name: str, wish: HookWish) -> None:
        """Unlink it, if it is still this one."""
        await asyncio.to_thread(self._granted, name, wish)

    async def state(self, name: str) -> EndpointState:
        """What the file says."""
        return state_of(await asyncio.to_thread(_read_object, self._path(name, "state")))

    async def dead(self, name: str) -> Sequence[DeadEvent]:
        """What the files say."""
        return await asyncio.to_thread(self._all_dead, name)

    async def wish(self, name: str, wish: HookWish) -> None:
        """Write it down."""
        await asyncio.to_thread(self._replace, self._path(name, ABOUT[wish.word]), wish._asdict())

    async def wishes(self, name: str) -> Sequence[HookWish]:
        """What the files say."""
        return await asyncio.to_thread(self._wishes, name)

    # In a thread

    def _replace(self, path: str, value: object) -> None:
        self._make()
        beside = f"{path}.{os.getpid()}.new"
        durable.forget(beside)
        durable.write_new(beside, [json.dumps(value).encode(), b"\n"])
        os.rename(beside, path)
        durable.sync_directory(self._place)

    def _make(self) -> None:
        with suppress(FileExistsError):
            os.mkdir(self._place, 0o700)
            durable.sync_directory(os.path.dirname(self._place))

    def _bury(self, path: str, dead: Sequence[DeadEvent]) -> None:
        with suppress(FileNotFoundError):
            if os.stat(path).st_size > self._most:
                os.rename(path, f"{path}.old")
        self._append(path, dead)

    def _append(self, path: str, dead: Sequence[DeadEvent]) -> None:
        self._make()
        lines = b"".join(json.dumps(each.as_json(), separators=(",", ":")).encode() + b"\n" for each in dead)
        fd = os.open(path, APPEND, durable.PRIVATE)
        try:
            durable.write_all(fd, (b"\n" if _torn(path) else b"") + lines)
            os.fsync(fd)
        finally:
            durable.let_go(fd)
        durable.sync_directory(self._place)

    def _exhume(self, name: str, *, new: bool) -> Sequence[DeadEvent]:
        """Where there is something apart already, what is new is appended to it: nothing is ever in no file."""
        again = self._path(name, "again")
        if new:
            dead = [*_read_dead(self._path(name, "dead.old")), *_read_dead(self._path(name, "dead"))]
            if dead:
                self._append(again, dead)
            durable.forget(self._path(name, "dead.old"))
            durable.forget(self._path(name, "dead"))
        return _unique(_read_dead(again))

    def _all_dead(self, name: str) -> Sequence[DeadEvent]:
        return _unique([each for kind in ("again", "dead.old", "dead") for each in _read_dead(self._path(name, kind))])

    def _granted(self, name: str, wish: HookWish) -> None:
        if _wish(self._path(name, ABOUT[wish.word])) == wish:
            durable.forget(self._path(name, ABOUT[wish.word]))

    def _wishes(self, name: str) -> list[HookWish]:
        found = (_wish(self._path(name, kind)) for kind in dict.fromkeys(ABOUT.values()))
        return [wish for wish in found if wish is not None]


def _read_object(path: str) -> object:
    try:
        with open(path, "rb", opener=durable.prompt) as file:
            return json.loads(file.read(LARGEST))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):  # somebody's hand: it begins anew
        return None


def _wish(path: str) -> HookWish | None:
    found = _read_object(path)
    if not isinstance(found, dict) or found.get("word") not in ABOUT or not isinstance(found.get("to"), str):
        return None
    return HookWish(found["word"], found["to"])


def _read_dead(path: str) -> list[DeadEvent]:
    try:
        with open(path, "rb", opener=durable.prompt) as file:
            return [each for line in file if (each := DeadEvent.read(line)) is not None]
    except FileNotFoundError:
        return []


def _unique(found: Sequence[DeadEvent]) -> list[DeadEvent]:
    """Each once: a crash between two files leaves one in both."""
    return [*{each.event.id: each for each in found}.values()]


def _torn(path: str) -> bool:
    """Whether the last line has no end."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return False
        file.seek(size - 1)
        return file.read(1) != b"\n"
