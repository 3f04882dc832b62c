"""Dovecot's IMAP alone, over a pipe: one user who is logged in already, and a Maildir below a directory of the test's own.

No daemon, no port, no password; as whoever runs the tests, or as nobody where that is root.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from copy import copy
from pathlib import Path
from typing import Self

PROGRAM = "/usr/lib/dovecot/imap"

CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
mail_location = maildir:{home}/Maildir
ssl = no
protocols = imap
first_valid_uid = 0
first_valid_gid = 0
mail_uid = {user}
mail_gid = {group}
stats_writer_socket_path =
maildir_copy_with_hardlinks = no
"""
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class DovecotImap:
    """Start and stop it as a context manager; the messages are put there before, and `seen` says of each by its number whether it is."""

    def __init__(self, home: Path, messages: Iterable[bytes], seen: Callable[[int], bool] = lambda number: False) -> None:
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.home = home
        for name in ("run", "Maildir/new", "Maildir/cur", "Maildir/tmp"):
            (home / name).mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(messages):
            name = f"{1_700_000_000 + number}.{number:06}.host:2,{'S' * seen(number)}"
            (home / "Maildir/cur" / name).write_bytes(message)
        (home / "dovecot.conf").write_text(CONFIGURATION.format(home=home, user=user.pw_uid, group=user.pw_gid))
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._name = user.pw_name
        self._tag = 0

    def environment(self) -> dict[str, str]:
        """That of a session."""
        return {"USER": self._name, "HOME": str(self.home), "PATH": os.environ["PATH"]}

    def __enter__(self) -> Self:
        self.program = subprocess.Popen(
            [PROGRAM, "-c", self.home / "dovecot.conf"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment(),
            cwd=self.home,
        )
        assert self.program.stdout is not None
        greeting = self.program.stdout.readline()
        assert greeting.startswith(b"* PREAUTH"), (self.home / "log").read_text() if (self.home / "log").exists() else greeting
        return self

    def __exit__(self, *error: object) -> None:
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.close()
        self.program.stdout.close()
        self.program.wait(timeout=20)
        shutil.rmtree(self.home / "run", ignore_errors=True)

    def beside(self) -> Self:
        """Another session of the same user, which is started and stopped in the same way, before this one is stopped."""
        return copy(self)

    def ask(self, command: bytes) -> list[bytes]:
        """The untagged answers to a command, each with its literals; it has to be answered OK."""
        *answers, last = self.do(command)
        assert last.split(b" ")[1] == b"OK", last
        return answers

    def do(self, command: bytes) -> list[bytes]:
        """All answers to a command, the tagged one with its tag at the end."""
        assert self.program.stdin is not None
        self._tag += 1
        tag = b"t%d" % self._tag
        self.program.stdin.write(tag + b" " + command + b"\r\n")
        self.program.stdin.flush()
        answers: list[bytes] = []
        while True:
            answer = self._answer()
            answers.append(answer.removesuffix(b"\r\n"))
            if answer.startswith(tag + b" "):
                return answers

    def _answer(self) -> bytes:
        assert self.program.stdout is not None
        pieces = [self.program.stdout.readline()]
        assert pieces[0], (self.home / "log").read_text()
        while found := _LITERAL.search(pieces[-1]):
            pieces += [self.program.stdout.read(int(found[1])), self.program.stdout.readline()]
        return b"".join(pieces)
