"""A whole Cyrus IMAP: LMTP into mailboxes of its own kind, each message a file in the directory of its owner."""

from __future__ import annotations

import imaplib
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from tests.fakes.processes import free_port

from .install import CYRUS
from .mailboxes import Mailboxes
from .root import Root

IMAPD = """\
configdirectory: /var/lib/cyrus
partition-default: /var/spool/cyrus
mailbox_legacy_dirs: yes
servername: cyrus.example
virtdomains: userid
defaultdomain: peer.example
unixhierarchysep: yes
admins: cyrus
allowplaintext: yes
"""
SERVICES = """\
START {{
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -r"
}}
SERVICES {{
  imap cmd="/usr/lib/cyrus/bin/imapd -N" listen="127.0.0.1:{imap}" proto="tcp4"
  lmtp cmd="/usr/lib/cyrus/bin/lmtpd -a" listen="127.0.0.1:{lmtp}" proto="tcp4"
}}
"""
ZONE = "GB\t+513030-0000731\tEurope/London\n"  # without a table of zones, be it this short, no program of it starts


class Cyrus:
    """Start and stop it as a context manager. `mailboxes` are those of `people` and of `full`, who has more than may be there."""

    def __init__(self, home: Path, people: Iterable[str], full: str) -> None:
        self.people = [*people, full]
        self.full = full
        self.root = Root(home / "root", CYRUS)
        self.ports = {door: free_port() for door in ("imap", "lmtp")}
        self.root.write("etc/imapd.conf", IMAPD)
        self.root.write("etc/cyrus.conf", SERVICES.format(**self.ports))
        self.root.write("usr/share/zoneinfo/zone.tab", ZONE)
        for name in ("lib", "spool"):
            self.root.directory(f"var/{name}/cyrus", "cyrus")
        self.mailboxes = Mailboxes(self.root.path / "var/spool/cyrus/user", b"\r\n", "[0-9]*.")

    def __enter__(self) -> Self:
        self.program = self.root.start("/usr/lib/cyrus/bin/master", ports=self.ports.values())
        try:
            self._furnish()
        except BaseException:
            self.root.stop(self.program)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.root.stop(self.program)

    def _furnish(self) -> None:
        """Make the mailboxes, as its operator does; it takes any password for right."""
        with imaplib.IMAP4("127.0.0.1", self.ports["imap"]) as operator, imaplib.IMAP4("127.0.0.1", self.ports["imap"]) as owner:
            operator.login("cyrus", "any")
            for name in self.people:
                assert operator.create(f"user/{name}")[0] == "OK"
            owner.login(self.full, "any")
            assert owner.append("INBOX", None, None, b"Subject: first\r\n\r\nhello\r\n")[0] == "OK"  # type: ignore[arg-type]
            assert operator.setquota(f"user/{self.full}", "(STORAGE 0)")[0] == "OK"
