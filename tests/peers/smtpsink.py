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

from tests.fakes.processes import Usage, free_port, listens, wait_until, which

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
        argv: Sequence[str] = [which("smtp-sink"), "-c", *user, *self._options, f"127.0.0.1:{self.port}", str(self._backlog)]
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

    def received(self, mark: str) -> tuple[list[str], bytes]:
        """Wait for the message whose field ``X-Test`` is `mark`; returns its envelope's RCPT arguments, and it as it was sent."""
        dump = self.dump
        assert dump is not None

        def arrived() -> tuple[list[str], bytes] | None:
            # A file is written while it is received; the count goes up when it is whole.
            whole = self.count
            files = [path.read_bytes() for path in dump.iterdir()]
            found = [data for data in files if f"\nX-Test: {mark}\n".encode() in data]
            return _as_sent(found[0]) if found and len(files) <= whole else None

        return wait_until(f"smtp-sink has the message {mark}", arrived) or ([], b"")


def _as_sent(stored: bytes) -> tuple[list[str], bytes]:
    above, field, message = stored.partition(b"\nX-Test:")
    recipients = [line.partition(b": ")[2].decode() for line in above.split(b"\n") if line.startswith(b"X-Rcpt-Args:")]
    return recipients, (field[1:] + message.removesuffix(b"\n")).replace(b"\n", b"\r\n")
