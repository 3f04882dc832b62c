"""Programs that a test starts, and waiting for what they do.

Each `Program` writes what it says to a file, so that no pipe fills up and a failure can show it, and is
ended by its own pid. Nothing here sleeps to synchronise: `wait_until` asks again until its deadline, and says
what it was waiting for when that passes.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

MAILER = (sys.executable, str(Path(__file__).parents[2] / "bin" / "mailer"))
"""How the tests start the program: the script that is installed, under this interpreter, whatever is on the PATH."""


PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
"""Where programs are looked for: mail programs are not on everybody's PATH."""


def which(program: str) -> str:
    """The path of a program that must be there; a test that needs it says so with the marker `peer`."""
    path = shutil.which(program, path=PLACES)
    assert path, f"{program} is not installed"
    return path


PATIENCE = 60.0
"""Seconds that a test waits for what has to come: far more than it takes, so that a busy machine is no failure."""


def wait_until(what: str, asked: Callable[[], T], seconds: float = PATIENCE, every: float = 0.01) -> T:
    """Ask until the answer is true and return it; raises `AssertionError` that names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := asked()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(every)
    return answer


CLIENT_PORTS = max(int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]), 18432)
"""From this one up the system takes ports for clients."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody uses this moment, for servers that cannot be told to choose one themselves.

    Those from `CLIENT_PORTS` up would be given to connections by the time the server starts.
    """
    while True:
        port = random.randrange(CLIENT_PORTS - 16384, CLIENT_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((host, port))
            return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True


class Program:
    """One running program, started by `popen`. As a context manager it is stopped on the way out."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        popen: type[subprocess.Popen[bytes]] = subprocess.Popen,
    ) -> None:
        self.argv = [str(word) for word in argv]
        self.log = log
        with log.open("ab") as out:
            self.process = popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd, start_new_session=True)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """Everything that it wrote so far."""
        return self.log.read_text(errors="replace")

    def says(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until it wrote `text`; if it ends before that, fail with what it wrote instead."""

        def heard() -> bool:
            ended = not self.running
            if text in self.said:
                return True
            assert not ended, f"{self.argv} ended with {self.process.returncode} before it said {text!r}:\n{self.said}"
            return False

        wait_until(f"{self.argv} says {text!r}", heard, seconds)

    def accepts(self, *ports: int, seconds: float = PATIENCE) -> None:
        """Wait until it accepts connections at all of `ports`; if it does not, end it, and fail with what it wrote."""
        deadline = time.monotonic() + seconds
        try:
            for port in ports:
                while not listens(port):
                    assert self.running, f"{self.argv} ended with {self.process.returncode}:\n{self.said}"
                    assert time.monotonic() < deadline, f"{self.argv} does not listen on {port} within {seconds:g} s:\n{self.said}"
                    time.sleep(0.02)
        except BaseException:
            self.kill()
            raise

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Its exit code; negative for the signal that ended it."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it as a crash would, and it alone."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = PATIENCE) -> int:
        """Ask it to end; insist when it does not. Returns the exit code."""
        if self.running:
            self.process.terminate()
            try:
                return self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class Usage:
    """What a process and those of its children that it waited for have cost so far, from /proc."""

    def __init__(self, pid: int) -> None:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self.cpu = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # seconds, user and system
        status = Path(f"/proc/{pid}/status").read_text()
        self.peak_kib = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
