"""A report about recipients that failed or are late, as the bytes of a message: RFC 3464 in the multipart/report of RFC 6522.

Pure and deterministic: the same failure gives the same bytes. Everything that came from outside (replies,
host names, the subject) was made one harmless line by `one_line` before it stands here; the returned header is
the only thing that is kept as it was, and it stands in a part of its own under a boundary that occurs nowhere in it.

The report is 7-bit, so every server takes it; the exception is the address of a sender with letters beyond ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.address import ascii_address
from mailer.mail.dates import rfc5322
from mailer.mail.delivery_options import NOTHING
from mailer.mail.mime import encoded, field, is_plain, multipart, part

from .fields import ascii_line, one_line, status_part
from .letter import letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.delivery_options import Request
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Outcome

    from .fields import Kind

SUBJECT: dict[Kind, str] = {
    "failed": "Not delivered: ", "expired": "Not delivered in time: ", "delayed": "Not delivered yet: ",
    "relayed": "Passed on: ", "delivered": "Delivered: ",
}  # fmt: skip
RETURNED = 64 * 1024  # bytes of the original header that a report carries


def report(
    *,
    envelope: Envelope,
    outcomes: Sequence[Outcome],
    kind: Kind,
    header: bytes,
    content: bytes = b"",
    reporting_host: str,
    postmaster: str,
    at: float,
    message_id: str,
    asked: Request = NOTHING,
    until: float = 0.0,
) -> bytes:
    """The report for `envelope.sender` about `outcomes`, the last one of each recipient that it is about, with CRLF line ends.

    `header` is the original header, normalised, `content` the whole original message where it is to go back in
    full (if it is not 7-bit, the header goes back alone: a report must pass everywhere). `reporting_host` and
    `postmaster` are who we are, `at` is the Date in seconds since the epoch, `message_id` the report's own
    with its angle brackets. `asked` is what the sender asked for, `until` how long one that is late is tried.
    """
    text = letter(envelope, outcomes, kind, reporting_host, until=until, whole=bool(content) and is_plain(content))
    parts = [
        part("text/plain; charset=utf-8", text.replace("\n", "\r\n").encode()),
        part("message/delivery-status", status_part(envelope, outcomes, reporting_host, kind, asked, until)),
        _returned(header, content),
    ]
    fields = [
        field("From", f"Mail Delivery System <{ascii_address(postmaster)}>"),
        field("To", f"<{ascii_address(envelope.sender)}>"),
        field("Subject", encoded(SUBJECT[kind] + (one_line(envelope.subject, 200) or "(no subject)"))),
        field("Date", rfc5322(at)),
        field("Message-ID", message_id),
        *_threading(envelope),
        field("Auto-Submitted", "auto-replied"),  # RFC 3834 §5
        field("MIME-Version", "1.0"),
    ]
    body = multipart(
        "multipart/report; report-type=delivery-status",  # RFC 6522 §3
        parts,
        envelope.id,
        preamble="This is a delivery report in MIME format, RFC 3464.\r\n",
    )
    return "".join(fields).encode() + body


def _returned(header: bytes, content: bytes) -> bytes:
    """The original: in full as message/rfc822, which RFC 2046 §5.2.1 lets nobody encode, else its header."""
    if content and is_plain(content):
        return b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + content
    if len(header) > RETURNED:
        header = header[: header.rfind(b"\r\n", 0, RETURNED) + 2]
    return part("text/rfc822-headers", header)  # RFC 6522 §4


def _threading(envelope: Envelope) -> list[str]:
    """In-Reply-To and References, so that the report stands beside its message; RFC 5322 §3.6.4."""
    original = envelope.message_id
    if original != ascii_line(original) or not (original.startswith("<") and original.endswith(">")) or " " in original:
        return []
    return [field("In-Reply-To", original), field("References", original)]
