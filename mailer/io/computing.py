"""Threads that compute one at a time, and wait for the disk side by side.

Python lets one thread compute at a time in any case, but each call into SQLite or the system hands the interpreter to another one: with
eight threads that do fifty such calls for a message, passing it on costs more than the work. Here it is passed on where a thread waits.

It is a courtesy, and no lock: nothing may depend on it. Who does not get his turn within `PATIENCE` computes all the same, so that no lock
that somebody else holds meanwhile can stop anybody.

Used by what files mail (`mailer.transport.writers`); `waiting` by whatever waits for a disk or a server on the way.
"""

from __future__ import annotations

from contextlib import nullcontext
from threading import Lock, local
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PATIENCE: Final = 0.02  # seconds


class Computing:
    """The turn of the threads that enter it: it is theirs until they leave, but for where they are `waiting`."""

    def __init__(self) -> None:
        self._turn = Lock()

    def __enter__(self) -> None:
        _mine.turn = turn = _Turn(self._turn)
        turn.take()

    def __exit__(self, *error: object) -> None:
        turn, _mine.turn = _mine.turn, None
        if turn is not None:
            turn.give()


class _Turn:
    """The turn, as one thread has it; entered, it is somebody else's."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._is_mine = False

    def take(self) -> None:
        self._is_mine = self._is_mine or self._lock.acquire(timeout=PATIENCE)

    def give(self) -> None:
        if self._is_mine:
            self._is_mine = False
            self._lock.release()

    def __enter__(self) -> None:
        self.give()

    def __exit__(self, *error: object) -> None:
        self.take()


class _Mine(local):
    """The turn that this thread has entered."""

    turn: _Turn | None = None


_mine = _Mine()
_NOBODY: Final = nullcontext[None]()


def waiting() -> AbstractContextManager[None]:
    """Let others compute while this thread waits for something."""
    return _mine.turn or _NOBODY
