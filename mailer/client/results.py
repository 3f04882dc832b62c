"""What comes back from the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailer.smtp.reply import queue_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.smtp.extension import Extensions

    from .errors import SmtpError


class Rejected(NamedTuple):
    """A recipient for whom the message was not taken, and the reply that says why."""

    address: str
    code: int  # RFC 5321 §4.2
    enhanced_code: str  # RFC 3463; empty if there is none
    text: str


@dataclass(frozen=True, slots=True)
class SendResult:
    """The server has taken the message for everybody in `accepted`, which is at least one."""

    message_id: str  # with its angle brackets
    accepted: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    response: str  # the server's last word, such as "250 2.0.0 Ok: queued as 4XyZ1"
    host: str  # the server, as "smtp.example.com[192.0.2.1]:587"
    tls_wanted: str  # none, opportunistic, starttls or implicit
    tls: str  # what came of it: "TLSv1.3 verified", "TLSv1.3 unverified", or empty
    attempts: int
    duration: float  # seconds, waits for limits and between attempts included

    @property
    def server_id(self) -> str:
        """The server's own name for the message, which its postmaster will ask for; empty if it told none."""
        return queue_id(self.response)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One entry in `results` for each message, in their order: what was returned for it, or raised."""

    results: tuple[SendResult | SmtpError, ...]
    duration: float  # seconds

    def __iter__(self) -> Iterator[SendResult | SmtpError]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def succeeded(self) -> int:
        """Messages taken for at least one recipient."""
        return sum(isinstance(result, SendResult) for result in self.results)

    @property
    def failed(self) -> int:
        """Messages taken for nobody."""
        return len(self.results) - self.succeeded


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A session that came as far as mail."""

    host: str
    port: int
    address: str  # IP
    tls: str  # as in `SendResult`
    banner: str  # the text of the greeting
    extensions: Extensions
    authenticated_as: str  # empty without credentials
    duration: float  # seconds until it was there; next to nothing if it had waited in the pool


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """Connections at this moment."""

    idle: int
    in_use: int
    pending: int  # sends that wait for one
    max_size: int

    @property
    def total(self) -> int:
        """All that are open or being opened."""
        return self.idle + self.in_use
