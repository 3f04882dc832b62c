"""A Dovecot that runs on the configuration that ``mailer mailbox dovecot`` prints, without rights of root, in a directory of the test."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from mailer.operate.dovecot import DovecotTerms, configuration
from tests.fakes.processes import Program, free_port, wait_until

PROGRAMS = ("/usr/sbin/dovecot", *(f"/usr/lib/dovecot/{name}" for name in ("imap", "pop3", "lmtp")))


class PrintedDovecot:
    """Start and stop it as a context manager. `home` is a directory that others may enter; `users` are lines of its file of users."""

    def __init__(self, home: Path, users: Iterable[str]) -> None:
        self.home = home
        who = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.owner, self.group = who.pw_uid, who.pw_gid
        self.imap, self.pop3 = free_port(), free_port()
        self.terms = DovecotTerms(
            mail=str(home / "mail"),
            users=str(home / "users"),
            socket=str(home / "run" / "from-mailer"),
            user=who.pw_name,
            group=_group(self.group),
            run=str(home / "run"),
            address="127.0.0.1",
            ports=(self.imap, self.pop3),
        )
        for name in ("mail", "run"):
            (home / name).mkdir()
        (home / "users").write_text("".join(users))
        (home / "dovecot.conf").write_text(configuration(self.terms))
        self.give(home)

    def give(self, path: Path) -> None:
        """Let all below `path` belong to the user of Dovecot."""
        for each in (path, *path.rglob("*")) if os.geteuid() == 0 else ():
            os.chown(each, self.owner, self.group, follow_symlinks=False)

    def maildir(self, address: str) -> Path:
        """Where the mail of an address is."""
        name, _, domain = address.partition("@")
        return self.home / "mail" / domain / name / "Maildir"

    def __enter__(self) -> Self:
        words = [PROGRAMS[0], "-F", "-c", str(self.home / "dovecot.conf")]
        if os.geteuid() == 0:
            words = ["setpriv", f"--reuid={self.owner}", f"--regid={self.group}", "--clear-groups", *words]
        self.program = Program(words, self.home / "said", env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"})
        try:
            self.program.accepts(self.imap, self.pop3)
            wait_until("LMTP is listened for", (self.home / "run" / "from-mailer").exists)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.program.stop(5.0)
        wait_until("every process of this Dovecot is gone", lambda: not self._left())

    def has(self, users: str, *addresses: str) -> None:
        """Add lines to its file of users, and wait until it knows these: it looks at that file once in each second, and till the next one a
        new user is nobody."""
        with (self.home / "users").open("a") as file:
            file.write(users)
        for address in addresses:
            wait_until(f"Dovecot knows {address}", lambda address=address: self._knows(address), every=0.1)  # type: ignore[misc]

    def _knows(self, address: str) -> bool:
        words = ["doveadm", "-c", str(self.home / "dovecot.conf"), "user", address]
        return subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0

    def doveadm(self, *words: str) -> str:
        """What doveadm says."""
        done = subprocess.run(
            ["doveadm", "-c", str(self.home / "dovecot.conf"), *words], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def _left(self) -> list[str]:
        """The lines of command of what still runs by its configuration."""
        found = []
        for each in Path("/proc").iterdir():
            if each.name.isdigit():
                try:
                    words = (each / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self.home / "dovecot.conf").encode() in words:
                    found.append(words.decode())
        return found


def _group(number: int) -> str:
    import grp

    return grp.getgrgid(number).gr_name
