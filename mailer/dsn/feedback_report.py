"""Reads feedback reports: what a person, or a provider for him, says of mail that did arrive. RFC 5965, RFC 6591.

Large providers fill in little of it, and some blacken what they fill in. So the fields of the part message/feedback-report are read
first, and what they leave out is looked for in the header of the message that came back. Only what says that a person wants no such
mail is hard; a report of a failed check (``auth-failure``), of fraud with our name, or of a virus spares nobody.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address_list import in_header
from mailer.mail.message import Message, normalise

from .classes import class_of
from .delivery_status import ADDRESS, VALUE, address_of, one_line
from .reported import Reported

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKED = 64 * 1024  # octets of the part
RECIPIENTS = 1000
UNWANTED = frozenset({"abuse", "opt-out", "opt-out-list", "unsubscribe", "complaint", "spam", ""})
"""Types of feedback by which a person says no; the old drafts have others than RFC 5965 §7.3. None given is abuse."""
NAMING = (b"original-rcpt-to", b"removal-recipient", b"original-recipient", b"final-recipient")
IN_HEADER = (b"x-hmxmroriginalrecipient", b"x-original-to", b"delivered-to", b"x-rcpt-to", b"envelope-to", b"to")
"""Where the message that came back names its recipient, best first; the first is Microsoft's."""
BLACKENED = ("redacted", "[redacted]", "undisclosed", "undisclosed-recipients", "unknown", "hidden")


class Feedback(NamedTuple):
    """What a feedback report says: of whom, and from whose reverse-path the message came."""

    recipients: tuple[Reported, ...]
    paths: tuple[str, ...]
    envid: str


def feedback(part: bytes, header: bytes) -> Feedback:
    """The feedback of a report whose part for programs is `part`, about a message with this `header`; both may be empty."""
    fields = Message(normalise(part[:LOOKED].lstrip(b"\r\n") or b"\r\n"), b"")
    kind = _one(fields, b"feedback-type").lower()
    addresses = [address for name in NAMING for address in map(address_of, islice(fields.values(name), RECIPIENTS)) if _told(address)]
    found = class_of("complaint" if kind in UNWANTED else "feedback")
    paths = [address_of(value[:VALUE]) for value in fields.values(b"original-mail-from")]
    said = one_line(" ".join(filter(None, (kind or "abuse", _one(fields, b"source-ip"), _one(fields, b"user-agent")))))
    recipients = tuple(
        Reported(address, diagnostic=said, class_=found.name, hard=found.hard, fault=found.fault)
        for address in [*dict.fromkeys(addresses or recipients_in(header))][:RECIPIENTS] or [""]
    )
    return Feedback(recipients, tuple(path for path in paths if "@" in path), _one(fields, b"original-envelope-id"))


def _one(fields: Message, name: bytes) -> str:
    return one_line((fields.value(name) or "")[:VALUE], ADDRESS)


def _told(address: str) -> bool:
    """Whether it is an address, and not a word that stands for one."""
    local, at, domain = address.rpartition("@")
    return bool(at and local and domain) and local.lower() not in BLACKENED and "redacted" not in domain.lower()


def recipients_in(header: bytes) -> list[str]:
    """The recipients that a returned header names in its first field that names any, at most `RECIPIENTS`."""
    fields = Message(header, b"")
    for name in IN_HEADER:
        if found := [*_addresses(fields, name)]:
            return found[:RECIPIENTS]
    return []


def _addresses(fields: Message, name: bytes) -> Iterator[str]:
    for value in islice(fields.values(name), RECIPIENTS):
        yield from (one_line(address, ADDRESS) for address in in_header(value[: 16 * VALUE]) if _told(address))
