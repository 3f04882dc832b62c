"""A session with an IMAP server (RFC 3501): the standard library's, guarded. Blocking, for a thread.

What imaplib leaves to whoever uses it is done here, for a server is a stranger:

- **Bounds.** It reads a literal of whatever size the server announces, and lines without end. All octets come by `read` and `readline`
  here, which count them against the budget of the command, and look at its deadline: one that drips does not hold a thread for ever.
- **STARTTLS.** What comes in the clear behind the server's OK would be read as if TLS had brought it; such a session is given up
  (CVE-2011-0411), and so is one that says PREAUTH, which has no room for STARTTLS.
- **Lines.** A control character in an argument would end the command and begin another; it is refused before anything is sent.
- **Capabilities** are asked again behind the login: Dovecot shows MOVE only then.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any

from mailer.net import tls

from .sources import SourceTrouble, chosen, words_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from .sources import MailboxServer

CONNECT = 30.0  # seconds
LONGEST_LINE = 8 << 20  # octets: the numbers of a million messages stand on one line
SMALL = 1 << 20  # octets of an answer that has no message in it, besides one such line
PIECE = 65536
UID = re.compile(rb"\bUID (\d{1,10})\b")
"""That of a message, in what a server says of it."""


class ImapVisit(imaplib.IMAP4):
    """One session, up to the login. Raises `SourceTrouble` for whatever goes wrong with it."""

    def __init__(self, server: MailboxServer) -> None:
        self.server = server
        self._buffer = b""
        self._left = SMALL
        self._until = monotonic() + server.seconds
        try:
            super().__init__(server.host, server.port, CONNECT)
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            self._abandon()
            raise SourceTrouble.of(server, error) from None

    def log_in(self) -> None:
        """Make TLS where it is still to be made, and log in. Raises `SourceTrouble`, and `Problem` of the secret."""
        if self.state != "NONAUTH":
            raise SourceTrouble(f"{self.server.host} says that we are logged in already, which leaves no room for TLS (PREAUTH)", ours=True)
        if self.server.requirement.mode == "starttls":
            self._secure()
        if not isinstance(self.sock, ssl.SSLSocket) and not self.server.clear_login:
            raise SourceTrouble(f"the password would travel to {self.server.host} unencrypted", ours=True)
        login = self.server.login
        secret = login.secret()
        mechanism = chosen(login, secret, [word.removeprefix("AUTH=") for word in self.capabilities if word.startswith("AUTH=")])
        try:
            if mechanism is not None:
                self.authenticate(mechanism.name, lambda challenge: mechanism.answer(challenge) or b"")
            else:
                self._said("LOGIN", quoted(login.username), quoted(secret))
                self.state = "AUTH"
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if login.refused is not None:
                login.refused()
            raise SourceTrouble(f"{self.server.host} does not let {login.username} in: {words_of(error)}", ours=True) from None
        self._get_capabilities()

    @property
    def tls_version(self) -> str:
        """The version of TLS; empty without."""
        return (self.sock.version() or "") if isinstance(self.sock, ssl.SSLSocket) else ""

    def do(self, name: str, *args: str, most: int = SMALL) -> list[Any]:
        """What a command says, of whose answer `most` octets are read. Raises `imaplib.IMAP4.error` where it is refused."""
        self._left = most + LONGEST_LINE
        self.untagged_responses = {}
        return self._said(name, *args)

    def _said(self, name: str, *args: str) -> list[Any]:
        kind, data = self._simple_command(name, *args)
        if kind != "OK":
            raise self.error(data[-1] if data else name)
        return list(data)

    def told(self, name: str) -> list[Any]:
        """What the server has said by the way under `name`: ``FETCH``, ``SEARCH``."""
        return list(self.untagged_responses.get(name, []))

    def bodies(self, uids: str, wanted: Collection[int], *, most: int, about: int) -> dict[int, bytes]:
        """The messages of the set `uids`, unmarked, by their UIDs: those that are among `wanted`, whatever else the server says.

        Of the answer `most` octets are read, and of what it says beside each message `about` are looked at. Raises as `do` does.
        """
        self.do("UID", "FETCH", uids, "(UID BODY.PEEK[])", most=most)
        found = {}
        told = self.told("FETCH")
        for at, each in enumerate(told):
            if isinstance(each, tuple) and len(each) == 2:
                behind = told[at + 1] if at + 1 < len(told) and isinstance(told[at + 1], bytes) else b""
                uid = UID.search(each[0][:about]) or UID.search(behind[:about])
                if uid and int(uid[1]) in wanted:
                    found[int(uid[1])] = each[1]
        return found

    # What imaplib calls

    def _command(self, name: str, *args: Any) -> Any:
        """Refuse what would be several commands. Raises `SourceTrouble`."""
        self._until = monotonic() + self.server.seconds
        octets = [each.encode() if isinstance(each, str) else bytes(each) for each in args]
        if any(mark in each for each in octets for mark in (b"\r", b"\n", b"\0")):
            raise SourceTrouble("a name or a password holds a control character", ours=True)
        return super()._command(name, *octets)  # type: ignore[misc]

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """Connect, and make TLS where it comes first."""
        self.host, self.port = host, port
        self.sock = socket.create_connection((host, port), timeout)
        if self.server.requirement.mode == "implicit":
            self._wrap()

    def _wrap(self) -> None:
        requirement = self.server.requirement
        self.sock.settimeout(CONNECT)
        wrapped = tls.context(requirement).wrap_socket(self.sock, server_hostname=tls.server_name(requirement, self.server.host) or None)
        self.sock = wrapped
        tls.check(requirement, [wrapped.getpeercert(binary_form=True) or b""])

    def _secure(self) -> None:
        if "STARTTLS" not in self.capabilities:
            raise SourceTrouble(
                f'{self.server.host} offers no STARTTLS, and nothing is said there without; try tls = "implicit"', ours=True
            )
        self._said("STARTTLS")
        if self._buffer:
            raise SourceTrouble(f"{self.server.host} said something where the handshake of TLS begins", ours=True)
        self._wrap()
        self._get_capabilities()

    def _get_capabilities(self) -> None:
        """Ask for them, and read them without case. A server that says none has none."""
        self.untagged_responses.pop("CAPABILITY", None)
        self._said("CAPABILITY")
        words = b" ".join(each for each in self.untagged_responses.get("CAPABILITY", []) if isinstance(each, bytes))
        self.capabilities = tuple(words.decode("ascii", "replace").upper().split())

    def read(self, size: int) -> bytes:
        """Read so many octets: a literal. Raises `abort` of imaplib for more than is expected."""
        if size > self._left:
            raise self.abort(f"the server announces {size} octets, where no more than {self._left} are expected")
        parts = []
        while size > 0:
            if not self._buffer:
                self._fill()
            part, self._buffer = self._buffer[:size], self._buffer[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def readline(self) -> bytes:
        """Read a line. Raises `abort` of imaplib for one that is too long."""
        parts: list[bytes] = []
        size = 0
        while (end := self._buffer.find(b"\n")) < 0:
            parts.append(self._buffer)
            size += len(self._buffer)
            self._buffer = b""
            if size > LONGEST_LINE:
                raise self.abort("the server says a line without end")
            self._fill()
        parts.append(self._buffer[: end + 1])
        self._buffer = self._buffer[end + 1 :]
        return b"".join(parts)

    def _fill(self) -> None:
        seconds = self._until - monotonic()
        if seconds <= 0:
            raise TimeoutError
        self.sock.settimeout(seconds)
        data = self.sock.recv(PIECE)
        if not data:
            raise self.abort("the server has hung up")
        self._left -= len(data)
        if self._left < -LONGEST_LINE:
            raise self.abort("the server says more than was asked for")
        self._buffer = data

    def send(self, data: Any) -> None:
        """All of it, in time."""
        self.sock.settimeout(max(self._until - monotonic(), 0.001))
        self.sock.sendall(data)

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._abandon()

    def leave(self) -> None:
        """Say goodbye, as far as the server listens, and let go."""
        try:
            self.do("LOGOUT")
        except (imaplib.IMAP4.error, OSError, SourceTrouble):
            pass
        self._abandon()

    def _abandon(self) -> None:
        sock: socket.socket | None = getattr(self, "sock", None)
        if sock is not None:
            sock.close()


def quoted(text: str) -> str:
    """The text as a quoted string. RFC 3501 §4.3"""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
