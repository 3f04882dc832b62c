"""Dovecot's POP3 alone, over a pipe: one user who is logged in already, and a Maildir below a directory of the test's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from .dovecot_imap import CONFIGURATION

PROGRAM = "/usr/lib/dovecot/pop3"


class DovecotPop3:
    """Start and stop it as a context manager; the messages are put there before."""

    def __init__(self, home: Path, messages: Iterable[bytes]) -> None:
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.home = home
        for name in ("run", "Maildir/new", "Maildir/cur", "Maildir/tmp"):
            (home / name).mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(messages):
            (home / "Maildir/cur" / f"{1_700_000_000 + number}.{number:06}.host:2,").write_bytes(message)
        text = CONFIGURATION.replace("protocols = imap", "protocols = pop3").format(home=home, user=user.pw_uid, group=user.pw_gid)
        (home / "dovecot.conf").write_text(text)
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        self.user = user.pw_name

    def __enter__(self) -> Self:
        environment = {"USER": self.user, "HOME": str(self.home), "PATH": os.environ["PATH"]}
        words = [PROGRAM, "-c", str(self.home / "dovecot.conf")]
        self.program = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=self.home)
        return self

    def __exit__(self, *error: object) -> None:
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.close()
        self.program.stdout.close()
        self.program.wait(timeout=20)
        shutil.rmtree(self.home / "run", ignore_errors=True)

    def say(self, octets: bytes) -> None:
        """Octets as they are."""
        assert self.program.stdin is not None
        self.program.stdin.write(octets)
        self.program.stdin.flush()

    def line(self) -> bytes:
        """A line with its end."""
        assert self.program.stdout is not None
        return self.program.stdout.readline()

    def lines(self) -> bytes:
        """Octets as they come, up to the line with the dot alone, and with it."""
        found = [self.line()]
        while found[-1] not in (b".\r\n", b""):
            found.append(self.line())
        return b"".join(found)

    def left(self) -> set[int]:
        """Which of the messages are there, counted from 1."""
        return {int(path.name.split(".")[1]) + 1 for path in (self.home / "Maildir").glob("*/*host*")}
