"""The signing process: one that makes signatures on another processor while the daemon delivers.

An RSA signature costs as much as the delivery of a small message. A thread could make it beside the rest, but both would
take the interpreter from each other, some times for each message: with a process, signed mail leaves a third faster than
with that. The process is started when signatures queue up, is given the keys through a socket, and gets digests of 32 bytes,
never mail. It ends when the daemon does, whatever way that ends.

Nobody ever waits for it. It is asked for the signature that will be needed last, while the daemon needs the oldest
first; who needs one that is not there makes it himself. So a process that is slow, stuck or dead costs nothing but its help.

What goes to it: a byte with the number of the key, from 1, and the digest; before a key is used, a zero byte, its length
in four bytes, and the key in PEM. What comes back, in the same order: the length in two bytes, and the signature.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.dkim.key import private_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.dkim.key import PrivateKey

PLENTY = 32  # signatures that are not made yet; with as many the process is started
AT_ONCE = 64  # digests that are with the process: enough for the time until somebody looks again, a few milliseconds
MOST = 10_000  # signatures that are kept in mind for the process
EVERY = 16  # so many calls go by until the answers of the process are looked at
AGAIN = 60.0  # seconds before one that died is replaced
PATIENCE = 1.0  # seconds for it to end
MOST_KEYS = 255


class SignatureWanted:
    """A signature that will be needed: of `digest`, by `key`; `made` when it is there."""

    __slots__ = ("digest", "key", "made")

    def __init__(self, key: PrivateKey, digest: bytes) -> None:
        self.key = key
        self.digest = digest
        self.made = b""


class SigningProcess:
    """The daemon's end of the signing process, which is started and replaced as needed."""

    def __init__(self) -> None:
        self._waiting: dict[SignatureWanted, None] = {}  # the oldest first
        self._asked: deque[SignatureWanted] = deque()
        self._numbers: dict[PrivateKey, int] = {}
        self._answers = b""
        self._calls = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._next_start = 0.0

    def want(self, wanted: SignatureWanted, at: float) -> None:
        """Say, `at` (seconds since the epoch), that a signature will be needed."""
        self._waiting[wanted] = None
        if len(self._waiting) > MOST:
            del self._waiting[next(iter(self._waiting))]
        if self._socket is not None:
            self._look()
        elif len(self._waiting) >= PLENTY and at >= self._next_start and (os.cpu_count() or 1) > 1:
            self._next_start = at + AGAIN
            self._start()

    def signature(self, wanted: SignatureWanted) -> bytes:
        """The signature, made by whoever could first."""
        self._waiting.pop(wanted, None)
        if self._socket is not None:
            self._look()
        if not wanted.made:
            wanted.made = wanted.key.sign_digest(wanted.digest)
        return wanted.made

    def close(self) -> None:
        """End the process. `signature` still works."""
        self._waiting.clear()
        self._asked.clear()
        self._numbers.clear()
        self._answers = b""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAILER_", "PYTHON"))}
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "mailer.queue.signing_process"],
                    stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                    env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
                )  # fmt: skip
            except OSError:  # no room for another process: the daemon signs alone
                ours.close()
                return
        self._socket = ours

    def _look(self) -> None:
        """Now and then, take what it has made and give it more."""
        self._calls += 1
        if self._calls % EVERY:
            return
        assert self._socket is not None
        try:
            if self._asked:
                self._hear(self._socket)
            if requests := self._requests():
                self._socket.sendall(requests)
        except BlockingIOError:
            return
        except OSError:  # it died: what it was asked for is made by whoever needs it
            self.close()

    def _hear(self, end: socket.socket) -> None:
        try:
            got = end.recv(65536)
        except BlockingIOError:
            return
        if not got:
            raise ConnectionResetError
        answers = self._answers + got
        while len(answers) > 2 and len(answers) >= (length := 2 + int.from_bytes(answers[:2], "big")):
            self._asked.popleft().made = answers[2:length]
            answers = answers[length:]
        self._answers = answers

    def _requests(self) -> bytes:
        """What is wanted last, but for one: whoever comes next makes that himself."""
        found = []
        while len(self._asked) < AT_ONCE and len(self._waiting) > 1:
            wanted, _ = self._waiting.popitem()
            number = self._numbers.get(wanted.key)
            if number is None:
                if len(self._numbers) == MOST_KEYS:
                    continue
                number = self._numbers[wanted.key] = len(self._numbers) + 1
                found.append(b"\0%b%b" % (len(wanted.key.pem).to_bytes(4, "big"), wanted.key.pem))
            found.append(b"%c%b" % (number, wanted.digest))
            self._asked.append(wanted)
        return b"".join(found)


def serve(end: socket.socket) -> None:
    """Be the process: sign what is asked for until the daemon is gone."""
    signers: list[Callable[[bytes], bytes]] = []
    with end.makefile("rb") as requests:
        while number := requests.read(1):
            if number == b"\0":
                pem = requests.read(int.from_bytes(requests.read(4), "big"))
                signers.append(private_key(pem).sign_digest)
            else:
                made = signers[number[0] - 1](requests.read(32))
                end.sendall(len(made).to_bytes(2, "big") + made)


def _main() -> None:
    import signal

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # meant for the daemon, which has to finish its work
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as end:
        try:
            serve(end)
        except OSError:
            return  # it is gone


if __name__ == "__main__":
    _main()
