"""The bell: whoever changes a mailbox rings it, and every process of this machine where somebody looks into one hears it.

    MAILBOXES/bell/PID-SYMBOLS         the socket of a process that listens, for datagrams
    MAILBOXES/bell/PID-SYMBOLS.late    what it could not take in at once, a line each

A datagram, and a line, says whose mailbox it is, which folder of it has changed, and the MODSEQ of that, and nothing else: who hears it
asks the mailbox. Whoever rings waits for nobody, nor for anything that goes wrong: the change is durable, and the bell no promise of it.
A socket whose process is gone is removed by the first who rings it in vain.

Nothing is lost where a socket is full, which has room for a handful: what it does not take is a line in the file beside it, and then the
socket is tried once more with an empty datagram. So a listener reads that file each time that it has emptied its socket; either the empty
one wakes it, or the socket is full still, and is emptied later than the line was written. Where that file has `MOST` octets as well, a
line of it says that anything may have changed, and listeners ask anew, whatever they look at. A listener is told of each folder once, with
the highest MODSEQ, of all that it finds waiting.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem
from mailer.spool import is_id
from mailer.spool.files.owner import as_owner_of

from .layout import Layout

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from .api import Told

LATE: Final = ".late"
MOST: Final = 1_000_000  # octets of what is late
LONGEST: Final = 128  # octets of a datagram
AT_ONCE: Final = 512  # datagrams that are taken before others have their turn
SETTLED: Final = 1.0  # seconds after which a directory that has not changed has not changed since it was read
KEPT: Final = 10.0  # seconds in which somebody who was held up may still write into what was late
ANYTHING: Final = ("", 0, 0)
"""What is told where anything may have changed."""


class Bell:
    """The bell of the mailboxes below `root`; it may be rung by several threads. `own` is the socket that is not to hear it."""

    def __init__(self, root: str, own: str = "") -> None:
        self._root = root
        self._path = Layout(root).bell
        self._lock = Lock()
        self._own = own
        self._socket: socket.socket | None = None
        self._directory = -1
        self._seen: tuple[int, int] | None = None
        self._names: list[str] = []

    def ring(self, owner: str, folder: int, modseq: int) -> None:
        """Let all know that this folder of the owner with this ID has changed. Raises nothing."""
        with self._lock, suppress(OSError):
            for name in self._listeners():
                self._tell(name, b"%s %d %d" % (owner.encode(), folder, modseq))

    def close(self) -> None:
        """Let go of what is open."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()
            os.close(self._directory)
            self._socket, self._seen = None, None

    def _listeners(self) -> list[str]:
        """The names of the sockets; read anew where they may be others. Raises `OSError`."""
        about = os.stat(self._path)
        seen = about.st_ino, about.st_mtime_ns
        if seen != self._seen or time.time() - about.st_mtime < SETTLED:
            if self._seen is None or self._seen[0] != about.st_ino:
                self._open()
            self._names = [name for name in os.listdir(self._path) if not name.endswith(LATE) and name != self._own]
            self._seen = seen
        return self._names

    def _open(self) -> None:
        self._let_go()
        self._directory = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def _tell(self, name: str, line: bytes) -> None:
        try:
            self._send(name, line)
        except BlockingIOError:
            self._tell_late(name, line + b"\n")
        except (ConnectionRefusedError, FileNotFoundError):  # its process is gone
            for each in (name, name + LATE):
                with suppress(OSError):
                    os.unlink(f"{self._path}/{each}")
        except OSError:
            return

    def _tell_late(self, name: str, line: bytes) -> None:
        with suppress(OSError, Problem), as_owner_of(self._root):
            file = os.open(f"{self._path}/{name}{LATE}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(file).st_size
                if size < MOST + LONGEST:
                    os.write(file, line if size < MOST else b"\n")
            finally:
                os.close(file)
            self._send(name, b"")

    def _send(self, name: str, data: bytes) -> None:
        assert self._socket is not None
        self._socket.sendto(data, f"/proc/self/fd/{self._directory}/{name}")  # a path may be longer than a socket's (unix(7))


class BellListener:
    """The socket of this process in the directory of the bell below `root`; `heard` is told in the thread of the `loop`.

    Where anything may have changed it is told `ANYTHING`.
    """

    def __init__(self, root: str, heard: Told, loop: asyncio.AbstractEventLoop) -> None:
        """Listen from now on. Raises `OSError`, `Problem`."""
        self.name = f"{os.getpid()}-{token_hex(4)}"
        self._root = root
        self._heard = heard
        self._loop = loop
        self._late: list[tuple[int, float]] = []  # files that have lost their name, and until when they are looked at
        layout = Layout(root)
        with as_owner_of(root):
            layout.have(layout.bell)
            self._path = f"{layout.bell}/{self.name}"
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                _bind(self._socket, layout.bell, self.name)
            except OSError:
                self._socket.close()
                raise
        loop.add_reader(self._socket, self._listen)

    def close(self) -> None:
        """Listen no more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for file, _ in self._late:
            os.close(file)
        self._late.clear()
        for each in (self._path, self._path + LATE):
            with suppress(OSError):
                os.unlink(each)

    def _listen(self) -> None:
        newest: dict[tuple[str, int], int] = {}
        for _ in range(AT_ONCE):
            try:
                line = self._socket.recv(LONGEST)
            except OSError:
                break
            _add(newest, line)
        anything = False
        for line in self._late_lines():
            anything = anything or not line
            _add(newest, line)
        if anything:
            self._heard(*ANYTHING)
        else:
            for (owner, folder), modseq in newest.items():
                self._heard(owner, folder, modseq)

    def _late_lines(self) -> Iterable[bytes]:
        """What could not be said at once: of a file whose name is taken away first, so that the next one makes another."""
        now = self._loop.time()
        with suppress(OSError):
            file = os.open(self._path + LATE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            os.unlink(self._path + LATE)
            self._late.append((file, now + KEPT))
        lines: list[bytes] = []
        for file, _ in self._late:
            while data := os.read(file, MOST + 2 * LONGEST):
                lines += data.removesuffix(b"\n").split(b"\n")
        for file, until in self._late:
            if until < now:
                os.close(file)
        self._late = [each for each in self._late if each[1] >= now]
        return lines


def _bind(made: socket.socket, directory: str, name: str) -> None:
    """Give `made` its name, whose path may be longer than a socket's (unix(7)). Raises `OSError`."""
    place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    try:
        made.bind(f"/proc/self/fd/{place}/{name}")
    finally:
        os.close(place)


def _add(newest: dict[tuple[str, int], int], line: bytes) -> None:
    """Note what a datagram or a line says; nothing for what says nothing."""
    owner, _, numbers = line.partition(b" ")
    folder, _, modseq = numbers.partition(b" ")
    if folder.isdigit() and modseq.isdigit() and is_id(name := owner.decode("ascii", "replace")):
        key = name, int(folder)
        newest[key] = max(newest.get(key, 0), int(modseq))
