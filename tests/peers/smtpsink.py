"""smtp-sink, the bit bucket that comes with Postfix: a receiver in C that is faster than anything we send with."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.conftest import PLACES
from tests.fakes.processes import Usage, free_port, listens, wait_until

F_SETPIPE_SZ = 1031


class SmtpSink:
    """Counts what it takes; with `dump`, a directory that any user may enter, it also keeps each message as a file there."""

    def __init__(self, *options: str, dump: Path | None = None, backlog: int = 1024) -> None:
        self.port = free_port()
        self.dump = dump
        self._options = [*options, *(["-d", str(dump / "%M.")] if dump else [])]
        self._backlog = backlog
        self._told = b""
        self._count = 0

    def __enter__(self) -> Self:
        self._pipe, write = os.pipe()
        fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20)  # it writes a line a message, and must never wait for us
        os.set_blocking(self._pipe, False)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        if user and self.dump:
            shutil.chown(self.dump, "nobody")
        program = shutil.which("smtp-sink", path=PLACES)
        assert program, "smtp-sink is not installed"
        argv: Sequence[str] = [program, "-c", *user, *self._options, f"127.0.0.1:{self.port}", str(self._backlog)]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.DEVNULL)
        os.close(write)
        wait_until("smtp-sink listens", lambda: listens(self.port))
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()
        os.close(self._pipe)

    @property
    def count(self) -> int:
        """Messages taken so far, by its own count at each final dot."""
        try:
            while heard := os.read(self._pipe, 1 << 20):
                self._told = (self._told + heard)[-400:]
        except BlockingIOError:
            pass
        if seen := re.findall(rb"mesg=(\d+)\s", self._told):
            self._count = int(seen[-1])
        return self._count

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return Usage(self.process.pid).cpu

    def messages(self, count: int) -> list[bytes]:
        """Wait for `count` messages and return them as sent, with CRLF line ends and without what the dump puts above them."""
        assert self.dump is not None
        files = wait_until(
            f"{count} messages", lambda: len(found := sorted(self.dump.iterdir())) >= count and self.count >= count and found
        )
        return [_as_sent(path.read_bytes()) for path in files]


def _as_sent(stored: bytes) -> bytes:
    above, field, message = stored.partition(b"X-Test:")
    assert above.startswith(b"X-Client-Addr:"), above
    return (field + message.removesuffix(b"\n")).replace(b"\n", b"\r\n")
