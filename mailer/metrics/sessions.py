"""What is counted of sessions: how long they last, how long one is waited for, logins, TLS, and which are open now.

The pool tells it, once or twice a session and not for each message: this is a `mailer.transport.meter.Meter`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailer.transport.connection import Connection
    from mailer.transport.errors import SessionError
    from mailer.transport.transcript import Prologue

    from .hosts import Hosts
    from .row import HostRow

SUCCESS, FAILURE = "success", "failure"
UNKNOWN = "unknown"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Sessions:
    """Counts of the sessions with `hosts`, and those that are `open`: whether each waits for mail.

    `certificates` are those that relays have shown last, as DER, by the name of the relay.
    """

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.counting = False
        """Whether anybody wants to know; which ones are open is known in any case, for that is asked at any moment."""
        self.open: dict[Connection, bool] = {}
        self.certificates: dict[str, bytes] = {}

    def _row(self, host: str, port: int) -> HostRow:
        row = self.hosts.row(host, port)
        row.recent -= 1  # it is mail that makes a host busy
        return row

    def lent(self, connection: Connection, seconds: float, *, new: bool) -> None:
        """Count how long it was waited for; of a `new` one, its login and TLS."""
        self.open[connection] = False
        if not self.counting:
            return
        endpoint = connection.endpoint
        row = self._row(endpoint.host, endpoint.port)
        row.acquired.add(seconds)
        if new:
            secure = bool(connection.hop.tls)
            given_up = not secure and connection.hop.tls_wanted == "opportunistic" and connection.extensions.starttls
            if secure or given_up:
                row.tls[SUCCESS if secure else FAILURE] += 1
            _count_logins(row, connection.prologue)
            if secure and row.label in self.hosts.relays.values() and (shown := connection.peer_certificates):
                self.certificates[row.label] = shown[0]

    def failed(self, error: SessionError) -> None:
        """Count a login or TLS that came to nothing."""
        if not self.counting or error.transcript is None:
            return
        row = self._row(error.hop.host, error.hop.port)
        if error.phase == "starttls":
            row.tls[FAILURE] += 1
        elif error.hop.tls:
            row.tls[SUCCESS] += 1
        _count_logins(row, error.transcript.prologue, broken=error.phase == "auth")

    def returned(self, connection: Connection) -> None:
        """Note that it waits for mail."""
        self.open[connection] = True

    def over(self, connection: Connection) -> None:
        """Count how long it lasted."""
        if self.open.pop(connection, None) is not None and self.counting:
            self._row(connection.endpoint.host, connection.endpoint.port).lasted.add(connection.age)

    def states(self) -> Mapping[tuple[str, str], int]:
        """How many are open, by host and state: ``active`` or ``idle``."""
        rows, found = self.hosts.rows, Counter[tuple[str, str]]()
        for connection, waits in list(self.open.items()):
            label = self.hosts.label(connection.endpoint.host, connection.endpoint.port)
            found[label if label in rows else self.hosts.other.label, "idle" if waits else "active"] += 1
        return found


def _count_logins(row: HostRow, prologue: Prologue, *, broken: bool = False) -> None:
    """Each AUTH in the session and its last answer. One whose answer did not come stands nowhere: it has `broken`."""
    method, found = "", []
    for _, command, reply in prologue.said:
        if command.verb == "AUTH":
            method = _method(command.line)
        elif command.verb != "RESPONSE":
            continue
        if not 300 <= reply.code < 400:
            found.append((method, SUCCESS if reply.code < 300 else FAILURE))
            method = ""
    if broken and (method or not found):
        found.append((method or UNKNOWN, FAILURE))
    for each in found:
        row.logins[each] = row.logins.get(each, 0) + 1


def _method(line: bytes) -> str:
    """The mechanism in a line of AUTH, in small letters. RFC 4954 §4"""
    words = line.decode("ascii", "replace").lower().split()
    return words[1] if len(words) > 1 and _LETTERS.issuperset(words[1]) else UNKNOWN
