"""The thread that writes the log, so that a reader who is slow, or not there, stops nothing but the log.

A log may be a pipe whose reader sleeps, a FIFO that nobody has opened, a terminal that was stopped, a disk that is full. What cannot
be written waits in order, up to `MOST` characters; what comes then is counted and let go. When the log takes lines again, it is
told in its place how many are missing, and why.

A log that is busy is written some twenty times a second, all that has come by then: each write takes the interpreter from those who
deliver, twice. The first line after a silence is written at once.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from collections import deque
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    Lost = Callable[[int, str], str]  # how many lines, and why: the line that says so, with its end

MOST = 4 * 1024 * 1024  # characters that wait; some ten thousand lines
PAUSE = 0.05  # seconds between two writes
PIECE = 1 << 16  # characters that are written at once
SLOW = "nobody read the log as fast as it was written"


class Lines(NamedTuple):
    """Some lines, and how many; or, without any text, so many that were let go, for the reason that `text` is then."""

    text: str
    number: int
    lost: bool = False


class Writer:
    """Writes to the descriptor of `stream`, from a thread that begins with the first line. `lost` says that some are missing."""

    def __init__(self, stream: TextIO, lost: Lost) -> None:
        self.stream = stream
        self._lost = lost
        self._waiting: deque[Lines] = deque()
        self._size = 0
        self._let_go = 0  # lines, since there was room last
        self._torn = False  # whether a line was written in part
        self._ending = Event()
        self._changed = Condition()
        self._thread: Thread | None = None

    def put(self, text: str, count: int) -> None:
        """Have `count` lines written, soon. Never waits, raises nothing."""
        with self._changed:
            if self._size + len(text) > (MOST // 2 if self._let_go else MOST):
                self._let_go += count
                return
            self._admit_loss()
            if not self._waiting:
                self._changed.notify()
            self._waiting.append(Lines(text, count))
            self._size += len(text)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def close(self, seconds: float) -> bool:
        """Write what waits, for so long at most, then close the stream unless it is a standard one; whether all was written."""
        with self._changed:
            self._ending.set()
            self._changed.notify()
        if self._thread is None:
            self._close()
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _admit_loss(self) -> None:
        if self._let_go:
            self._waiting.append(Lines(SLOW, self._let_go, lost=True))
            self._let_go = 0

    def _run(self) -> None:
        failed, why = 0, ""  # lines that the system did not take
        while (lines := self._next()) is not None:
            if lines.lost:
                failed, why = failed + lines.number, why or lines.text
                lines = Lines("", 0)
            text = (self._lost(failed, why) if failed else "") + lines.text
            try:
                self._write(("\n" if self._torn else "") + text)
            except (OSError, ValueError) as error:
                failed, why = failed + lines.number, getattr(error, "strerror", None) or str(error)
            else:
                failed, why = 0, ""
            if self._size < PIECE:
                self._ending.wait(PAUSE)
        self._close()

    def _next(self) -> Lines | None:
        """What is to be written next; None when all is, and the end has come."""
        with self._changed:
            while not self._waiting:
                self._admit_loss()
                if not self._waiting:
                    if self._ending.is_set():
                        return None
                    self._changed.wait()
            lines = self._waiting.popleft()
            if lines.lost:
                return lines
            text, number = lines.text, lines.number
            while self._waiting and not self._waiting[0].lost and len(text) < PIECE:
                lines = self._waiting.popleft()
                text, number = text + lines.text, number + lines.number
            self._size -= len(text)
            return Lines(text, number)

    def _write(self, text: str) -> None:
        """All of it; the stream's own buffers and locks are left alone, for this thread may be held up when the program ends."""
        fd, data = self.stream.fileno(), memoryview(text.encode(errors="replace"))
        whole = len(data)
        while data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:  # somebody who shares it has made it so
                select.select([], [fd], [])
            except OSError:
                self._torn |= len(data) < whole
                raise
        self._torn = False

    def _close(self) -> None:
        if self.stream not in (sys.stderr, sys.stdout, sys.__stderr__):
            self.stream.close()


def open_stream(path: str) -> TextIO:
    """What a log is written to: `path`, appended to (mode 0600), or standard error if it is empty. Raises `OSError`.

    A FIFO that nobody reads is opened all the same, and without a wait.
    """
    if not path:
        return sys.stderr
    flags = os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(path, flags | os.O_WRONLY, 0o600)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        fd = os.open(path, flags | os.O_RDWR, 0o600)
    os.set_blocking(fd, True)
    return os.fdopen(fd, "w", encoding="utf-8")
