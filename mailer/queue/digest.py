"""The one message that stands for many equal ones: how many, from when to when, which, and the first and last few of them whole. Pure."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339, rfc5322
from mailer.mail.message import Message
from mailer.spool import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

LISTED = 200  # messages that are named one by one
LONGEST = 100_000  # bytes of a message that is enclosed; of a longer one the header is


class Folded(NamedTuple):
    """One of those that are folded: its ID, when it was put (seconds since the epoch), its subject, and its bytes if it is enclosed."""

    id: str
    at: float
    subject: str
    content: bytes = b""


def digest_id(ids: Sequence[str]) -> str:
    """The ID of the message that stands for those of `ids`, in their order: always the same for the same ones."""
    number = int.from_bytes(sha256("\n".join(ids).encode()).digest()[:10], "big")  # 80 bits are 16 symbols
    return ids[-1][:10] + encode(number, 16)


def digest(id: str, found: Sequence[Folded], template: bytes, hostname: str, now: float) -> bytes:
    """The message `id` for all that were `found`, oldest first; From and To are those of `template`, the newest of them."""
    last = Message.split(template)
    boundary = f"=_{id.lower()}"
    enclosed = [each for each in found if each.content]
    eight = any(not each.content.isascii() for each in enclosed) or not all(each.subject.isascii() for each in found)
    kept = [field for name, field in last.fields() if name in (b"from", b"to", b"cc", b"reply-to")]
    subject = next((field.partition(b":")[2].strip() for name, field in last.fields() if name == b"subject"), b"")
    lines = [
        *kept,
        b"Subject: [%d messages] %b" % (len(found), subject),
        b"Date: %b" % rfc5322(now).encode(),
        b"Message-ID: <%b@%b>" % (id.lower().encode(), hostname.encode()),
        b"Auto-Submitted: auto-generated",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="%b"' % boundary.encode(),
        *([b"Content-Transfer-Encoding: 8bit"] if eight else []),
        b"",
    ]
    parts = [_part(b"text/plain; charset=utf-8", _text(found, len(enclosed)).encode("utf-8", "replace"))]
    for each in enclosed:
        whole = len(each.content) <= LONGEST
        content = each.content if whole else Message.split(each.content).header[:LONGEST]
        parts.append(_part(b"message/rfc822" if whole else b"text/rfc822-headers", content))
    edge = f"--{boundary}".encode()
    body = b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts)
    return b"".join(line.rstrip(b"\r\n") + b"\r\n" for line in lines) + body + edge + b"--\r\n"


def _part(kind: bytes, content: bytes) -> bytes:
    encoding = b"" if content.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return b"Content-Type: %b\r\n%b\r\n%b" % (kind, encoding, content)


def _text(found: Sequence[Folded], enclosed: int) -> str:
    first, last = found[0], found[-1]
    lines = [
        f"{len(found)} messages like this one were handed in between {rfc3339(int(first.at))} and {rfc3339(int(last.at))}.",
        "They are folded into this message, by the section [fold] of mailer-config(5); none of them is sent besides.",
        "All are enclosed." if enclosed >= len(found) else f"The first and the last of them are enclosed, {enclosed} in all.",
        "mailer queue show ID shows each, and mailer queue replay ID sends it, until bounce.retention is over:",
        "",
        *(f"{each.id}  {rfc3339(int(each.at))}  {' '.join(each.subject.split())}" for each in found[:LISTED]),
    ]
    if len(found) > LISTED:
        lines.append(f"and {len(found) - LISTED} more; mailer status --state cancelled lists them")
    return "".join(line + "\r\n" for line in lines)
