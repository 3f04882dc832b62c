"""A directory that is the whole machine to the programs in it: the tree that `install` unpacked, with an /etc of its own.

What a Debian package has compiled in (``/etc/exim4/exim4.conf``, ``/var/spool/smtpd``, the user Debian-exim) is found
there, and not on the machine, of which nothing is read or written. The network is the machine's: loopback, and
ports that are free.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

from tests.fakes.processes import Program, wait_until

from .install import DEBIAN

USERS = {
    "root": 0,
    "Debian-exim": 64101,
    "opensmtpd": 64102,
    "opensmtpq": 64103,
    "dovecot": 64104,
    "dovenull": 64105,
    "mail": 64106,
    "cyrus": 64107,
}
"""Nobody's numbers, so that whatever runs as one of these could do nothing to the machine's files."""

DIRECTORIES = ("etc", "dev", "run", "var/spool", "var/log", "var/lib", "var/mail", "mail")


class Root:
    """One such machine below `path`, a scratch directory, of what was unpacked into `tree`."""

    def __init__(self, path: Path, tree: Path = DEBIAN) -> None:
        self.path = path
        shutil.copytree(tree, path, symlinks=True, copy_function=_link)
        for name in DIRECTORIES:
            self.path.joinpath(name).mkdir(parents=True, exist_ok=True)
        self.directory("tmp", mode=0o1777)
        self.path.joinpath("var/run").symlink_to("../run")
        self.write("dev/null", "").chmod(0o666)  # an empty file serves, and is not forbidden where devices are
        self.write("etc/passwd", "".join(f"{name}:x:{id}:{id}::/:/bin/false\n" for name, id in USERS.items()))
        self.write("etc/group", "".join(f"{name}:x:{id}:\n" for name, id in USERS.items()))
        self.write("etc/hosts", "127.0.0.1 localhost\n")

    def write(self, name: str, text: str, owner: str = "root") -> Path:
        """A file of it; directories above it are made."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.give(path, owner)
        return path

    def directory(self, name: str, owner: str = "root", mode: int = 0o755) -> Path:
        """A directory of it."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        self.give(path, owner)
        return path

    def give(self, path: Path, owner: str) -> None:
        """Let it belong to `owner`, one of `USERS`."""
        os.chown(path, USERS[owner], USERS[owner])

    def start(self, *words: str, ports: Iterable[int]) -> Program:
        """Start a program of it and wait until it accepts connections at `ports`. Its output is in ``var/log/said``."""
        env = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"}
        program = Program(["chroot", self.path, *words], self.path / "var/log/said", env=env)
        try:
            program.accepts(*ports)
        except BaseException:
            self.stop(program)
            raise
        return program

    def stop(self, program: Program) -> None:
        """End `program`, and then whatever still lives here."""
        program.stop(1.0)  # Dovecot would take six
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(f"every process below {self.path} is gone", lambda: not self.pids())

    def pids(self) -> list[int]:
        """The processes to which this directory is ``/``."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and Path(os.readlink(entry / "root")) == self.path:
                    found.append(int(entry.name))
        return found


def _link(source: str, target: str) -> None:
    """Nobody writes to these files, so they need not be copied where they can be shared."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
