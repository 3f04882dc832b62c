"""`mailer access` as a process of its own, with certificates, for programs that read their users' mail by IMAP."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import re
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from tests.fakes.processes import MAILER, free_port
from tests.mailbox.premises import message

from .install import READERS
from .view import run_over

MBSYNCS = re.compile(rb"^X-TUID: [^\r]*\r\n", re.MULTILINE)
SECRET = "correct-horse-battery"
LETTERS = [
    message("one", text=".dot\r\n..two\r\n\r\n.", id="1@example.net"),
    message("two", text="x" * 900, id="2@example.net"),
    message("large", text=("0123456789abcdef" * 4 + "\r\n") * 3000, id="3@example.net"),
    message("four", text="umlaut in a body: \u00fc", id="4@example.net"),
]


class Reading:
    """Start and stop it as a context manager; `move_in` says who reads. The authority's certificate is the file `ca`."""

    def __init__(self, home: Path) -> None:
        self.ca = home / "ca.pem"
        self.imaps, self.imap, self.pops = free_port(), free_port(), free_port()
        self._log = home / "access.log"
        self._config = home / "config.toml"
        self.home = home
        self.user = ""
        authority = trustme.CA()
        authority.issue_cert("localhost", common_name="localhost").private_key_and_cert_chain_pem.write_to_path(str(home / "chain.pem"))
        authority.cert_pem.write_to_path(str(self.ca))
        doors = "".join(
            f'[[listen]]\nkind = "{kind}"\naddress = "127.0.0.1:{port}"\ntls = "{tls}"\ncertificate_file = "{home}/chain.pem"\n'
            for kind, port, tls in (("imap", self.imaps, "implicit"), ("imap", self.imap, "starttls"), ("pop3", self.pops, "implicit"))
        )
        self._config.write_text(f"""
[mailer]
hostname = "mx.example.com"
spool = "{home}/spool"
[mailboxes]
path = "{home}/mailboxes"
[[domain]]
name = "example.com"
via = "local"
{doors}""")

    def mailer(self, *words: str, said: str = "") -> None:
        """A command of the administrator."""
        argv = [*MAILER, *words, "--config", str(self._config)]
        done = subprocess.run(argv, input=said, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    def move_in(self, name: str, home: Path) -> None:
        """Whoever comes from now on is `name`, a new user; his program keeps its things in `home`."""
        self.user = f"{name}@example.com"
        self.home = home / "reader"
        self.home.mkdir()
        self.mailer("user", "add", self.user, "--password-stdin", said=f"{SECRET}\n")

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            argv = [*MAILER, "access", "--config", str(self._config)]
            self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith(b"listening on "), self._log.read_text()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=60)
        if error is not None:
            said = self.home / "said"
            print(said.read_text(errors="replace") if said.exists() else "", self._log.read_text(), file=sys.stderr)
            return
        assert self._process.returncode == 0
        assert '"bug"' not in self._log.read_text()

    def own(self) -> imaplib.IMAP4_SSL:
        """Python's own client, which has logged in."""
        client = imaplib.IMAP4_SSL("localhost", self.imaps, ssl_context=ssl.create_default_context(cafile=str(self.ca)), timeout=20)
        client.login(self.user, SECRET)
        return client

    def pop(self) -> poplib.POP3_SSL:
        """The same of POP3."""
        client = poplib.POP3_SSL("localhost", self.pops, context=ssl.create_default_context(cafile=str(self.ca)), timeout=20)
        client.user(self.user)
        client.pass_(SECRET)
        return client

    def put(self, *letters: bytes, folder: str = "INBOX") -> None:
        """Messages come into a folder."""
        client = self.own()
        for each in letters:
            assert client.append(folder, "", "", each)[0] == "OK"
        client.logout()

    def flags(self, folder: str = "INBOX") -> list[frozenset[bytes]]:
        """Of each message there."""
        return [frozenset(imaplib.ParseFlags(each)) for each in self._fetched(folder, "(FLAGS)") if isinstance(each, bytes)]

    def bodies(self, folder: str = "INBOX") -> list[bytes]:
        """Each message there."""
        return [each[1] for each in self._fetched(folder, "(BODY.PEEK[])") if isinstance(each, tuple)]

    def _fetched(self, folder: str, what: str) -> list[bytes | tuple[bytes, bytes]]:
        client = self.own()
        kind, count = client.select(folder, readonly=True)
        assert kind == "OK", count
        found: list[bytes | tuple[bytes, bytes]] = client.fetch("1:*", what)[1] if count != [b"0"] else []  # type: ignore[assignment]
        client.logout()
        return found

    def write(self, name: str, text: str) -> str:
        """A file of the program's, for its owner only."""
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def run(self, *words: str, terminal: str = "dumb") -> int:
        """How a program of the tree `readers` ends."""
        return asyncio.run(run_over(READERS, self.home, *words, seconds=30, TERM=terminal))

    def files(self, below: str) -> dict[str, bytes]:
        """The messages of a Maildir by their names, with line ends as in the mailbox, and without the field that mbsync adds."""
        found = [*(self.home / below / "cur").glob("*"), *(self.home / below / "new").glob("*")]
        return {path.name: MBSYNCS.sub(b"", path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) for path in found}
