"""Which messages of a mailbox are reports, and which address a message came to: pure functions over its octets.

In a mailbox that people read, too, what is no report has to stay as it is. Out-of-office notes and their like are reports only where they
came to the bounce address: elsewhere they answer what somebody wrote himself.

A server that puts a message into a mailbox writes down whom it was for, in one of `ENVELOPE_FIELDS` at the top of the header. Anybody
can write such a field, too; what an address proves, a token in it has to prove.
"""

from __future__ import annotations

from typing import NamedTuple

from mailer.dsn.reading import ReportKind, read
from mailer.dsn.return_token import is_marked

ENVELOPE_FIELDS = (b"x-original-to", b"delivered-to", b"envelope-to", b"x-envelope-to", b"x-delivered-to", b"to", b"cc")
"""Fields that may say whom a message was for, the best first: before aliases, then behind them, then as its author wrote."""

LOOKED_AT = 65536  # octets of a header
LONGEST = 320  # octets of an address
TRIED = 50  # words of a field

_REPORTS = frozenset({ReportKind.BOUNCE, ReportKind.DELAY, ReportKind.DELIVERED, ReportKind.COMPLAINT, ReportKind.DMARC, ReportKind.TLSRPT})


class Addressed(NamedTuple):
    """The address that a message was for, and its reverse-path, as its header says; ``""`` where it does not."""

    recipient: str
    mail_from: str


def is_report(content: bytes, address: str) -> bool:
    """Whether the message is a report; `address` is the bounce address, ``""`` where there is none."""
    kind = read(content).kind
    return kind in _REPORTS or (
        kind is ReportKind.AUTO_REPLY and bool(address) and _is_ours(addressed(content, address).recipient, address)
    )


def addressed(content: bytes, address: str) -> Addressed:
    """Find the address that the message was for: the bounce `address`, with an extension or without, if any field has it.

    Else it is the address of the best field.
    """
    found = _fields(content)
    said = [word for name in ENVELOPE_FIELDS for word in found.get(name, ())]
    best = next((word for word in said if is_marked(word, address)), "") if address else ""
    best = best or next((word for word in said if address and word.lower() == address.lower()), "")
    path = next(iter(found.get(b"return-path", ())), "")
    return Addressed(best or next(iter(said), ""), path)


def _is_ours(recipient: str, address: str) -> bool:
    return recipient.lower() == address.lower() or is_marked(recipient, address)


def _fields(content: bytes) -> dict[bytes, list[str]]:
    """The addresses in those fields of the header, in order."""
    found: dict[bytes, list[str]] = {}
    name = b""
    for line in content[:LOOKED_AT].replace(b"\r\n", b"\n").split(b"\n"):
        if not line:
            break
        value = line
        if line[:1] not in (b" ", b"\t"):
            name, colon, value = line.partition(b":")
            name = name.strip().lower() if colon else b""
        if name in ENVELOPE_FIELDS or name == b"return-path":
            words = found.setdefault(name, [])
            if len(words) < TRIED:
                words += _addresses(value)
    return found


def _addresses(value: bytes) -> list[str]:
    """The words of a field that look like addresses. No list is parsed: an address of ours needs no quotes."""
    text = value.decode("utf-8", "replace")
    for mark in "<>,;\t":
        text = text.replace(mark, " ")
    return [word for word in text.split(" ")[:1000] if "@" in word and len(word) <= LONGEST and word.isprintable()][:TRIED]
