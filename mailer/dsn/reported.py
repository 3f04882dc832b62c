"""What a report says, as values: the kind of report, and each recipient that it is about.

Made by `mailer.dsn.reading` out of the octets of a message, and used by whoever matches it to a message of ours. Everything in it was
written by a stranger: texts are on one line and bounded, and nothing here says whether any of it is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .classes import WhoseFault


class ReportKind(StrEnum):
    """What a message that came back is."""

    BOUNCE = "bounce"  # at least one recipient did not get the mail, and will not
    DELAY = "delay"  # it is late, and still tried
    DELIVERED = "delivered"  # it has arrived, or was passed on to a system that sends no reports
    COMPLAINT = "complaint"  # a feedback report, RFC 5965
    AUTO_REPLY = "auto-reply"  # somebody is away, asks for a confirmation, or has read it; RFC 3834, RFC 8098
    DMARC = "dmarc"  # an aggregate report, RFC 7489 §7.2, RFC 9990
    TLSRPT = "tlsrpt"  # RFC 8460
    NONE = "none"  # anything else: mail of people


@dataclass(frozen=True, slots=True)
class Reported:
    """One recipient of a report. What the report does not say is empty."""

    address: str
    """Whom it is about, as its sender knows him: the original recipient, else the final one; without angle brackets."""
    original: str = ""
    """The address that the sender wrote, where the report has it: Original-Recipient, RFC 3464 §2.3.1."""
    final: str = ""
    """Where the message was to go in the end, where the report has it: Final-Recipient, RFC 3464 §2.3.2."""
    action: str = ""
    """``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded``, RFC 3464 §2.3.3."""
    status: str = ""
    """An enhanced code, as ``5.1.1``: of the report, or the one that fits its words. RFC 3463"""
    diagnostic: str = ""
    """What the host said, on one line of at most 500 characters."""
    remote: str = ""
    """The host that said it, RFC 3464 §2.3.5."""
    class_: str = ""
    """The name of its class in ``classes.toml``."""
    hard: bool = False
    """Whether no later message to this recipient can arrive, as far as the report tells."""
    fault: WhoseFault | None = None
    """Whose fault it is; None where nothing went wrong."""


@dataclass(frozen=True, slots=True)
class Report:
    """A message that came back, read."""

    kind: ReportKind
    recipients: tuple[Reported, ...] = ()
    message_id: str = ""
    """The Message-ID of the message that came back, without angle brackets."""
    envid: str = ""
    """The name that its sender gave it, RFC 3461 §4.4."""
    paths: tuple[str, ...] = ()
    """Reverse-paths of the message that came back, where a token of ours may stand."""
    sender: str = ""
    """The address of the report's author, its From field."""
    header: bytes = b""
    """The header of the message that came back, with CRLF line ends, at most 64 KiB."""
    at: float | None = None
    """The Date of the report, in seconds since the epoch."""
    unread: int = 0
    """How many recipients it names beyond those in `recipients`."""
