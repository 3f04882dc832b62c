"""Reads what came back: which kind of report it is, and what it says of whom.

The order is that of certainty. The parts that programs write for programs come first: of deliveries (RFC 3464), of complaints (RFC 5965),
of policies (RFC 7489, RFC 8460), of reading (RFC 8098). No field of the header overrules them: an answering machine writes none of them.
Then come the letters: reports by their shape, then answers of machines. Whatever is left is mail of people.

Pure, and for any octets: nothing raises. The time grows with the size, and the memory is a small multiple of it; `mailer.dsn.parts` has the
bounds. What a report says is a stranger's word: `Report` may be all lies, and whoever acts on it matches it first.
"""

from __future__ import annotations

from dataclasses import replace
from email.utils import mktime_tz, parsedate_tz
from itertools import islice
from typing import TYPE_CHECKING

from mailer.aggregate.finding import kind_of as aggregate_kind
from mailer.mail.message import Message, normalise
from mailer.mime.words import text_of_words

from . import automatic
from .delivery_status import ACTIONS, ADDRESS, LOOKED, RECIPIENTS, address_of, beyond, fields_of, one_line, reported
from .feedback_report import Feedback, feedback
from .parts import FIELD, Parts, returned
from .phrases import words
from .reported import Report, Reported, ReportKind
from .shapes import is_known_author, shape
from .vocabulary import vocabulary

if TYPE_CHECKING:
    from .delivery_status import Fields
    from .parts import MimePart

__all__ = ["Report", "ReportKind", "Reported", "read"]

STATUS = ("message/delivery-status", "message/global-delivery-status")  # RFC 3464 §2.1, RFC 6533 §3
FEEDBACK = ("message/feedback-report",)  # RFC 5965 §2
READ = ("message/disposition-notification", "message/global-disposition-notification")  # RFC 8098 §3.1, RFC 6533 §5
CAME_BACK = (
    "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers",
    "message/rfc822-headers", "text/rfc822-header", "text/rfc822",
)  # fmt: skip
"""The message that came back, or its header: RFC 6522 §3, RFC 6533 §4; the last ones are mistakes of some."""
TLSRPT = ("application/tlsrpt+gzip", "application/tlsrpt+json")  # RFC 8460 §6.4, §6.5
PATHS = (b"original-mail-from", b"x-mailer-sender", b"x-postfix-sender", b"x-sender")
OWN = (b"x-original-to", b"delivered-to", b"envelope-to", b"to")
MOST_PATHS = 16
UNFLATTENED = 64 * 1024


def read(content: bytes) -> Report:
    """The report that the message `content` is; any octets are one, if only of the kind ``none``."""
    return _read(content, inner=True)


def _read(content: bytes, *, inner: bool) -> Report:
    parts = Parts(content)
    came_back = _came_back(parts)
    return (
        _of_delivery(parts, came_back)
        or _of_feedback(parts, came_back)
        or _of_policy(parts)
        or _of_reading(parts, came_back)
        or (_of_inner(parts) if inner and b"multipart/report" in came_back.lower() else None)
        or _of_shape(parts, came_back)
        or _of_nothing(parts)
    )


def _came_back(parts: Parts) -> bytes:
    part = parts.first(*CAME_BACK)
    if part is None:
        return b""
    if (part.header.value(b"content-transfer-encoding") or "7bit").strip().lower() in ("7bit", "8bit", "binary"):
        return returned(parts.data, part.start, part.end)
    data = normalise(parts.octets(part, UNFLATTENED) or b"\r\n")
    return returned(data, 0, len(data))


# By the parts that programs write


def _of_delivery(parts: Parts, came_back: bytes) -> Report | None:
    """RFC 3464, RFC 6533."""
    part = parts.first(*STATUS)
    if part is None or _is_passed_on(parts):
        return None
    found = _delivery(parts, parts.octets(part, LOOKED), came_back)
    return found and replace(found, unread=beyond(parts.data, part.start, part.end, len(found.recipients)))


def _is_passed_on(parts: Parts) -> bool:
    """Whether a person forwards a report with its parts: then it is no multipart/report, and he writes in his own name."""
    return parts.kind != "multipart/report" and automatic.is_reply(automatic.subject_of(parts.header)) and not is_known_author(parts.header)


def _delivery(parts: Parts, body: bytes, came_back: bytes, *, failed: bool = False) -> Report | None:
    fields, blocks = fields_of(body)
    if failed:
        blocks = [{**block, b"action": "failed"} for block in blocks]
    if not blocks:
        return None
    text = _letter_of(parts, blocks)
    found = tuple(dict.fromkeys(reported(block, text) for block in blocks))
    return _report(parts, _kind(found), found, came_back, fields=fields)


def _letter_of(parts: Parts, blocks: list[Fields]) -> str:
    """The letter, where there is one recipient: of several, nobody knows whom its words are about."""
    return parts.written()[:UNFLATTENED] if len(blocks) == 1 and len(blocks[0].get(b"diagnostic-code", "")) < 40 else ""


def _kind(found: tuple[Reported, ...]) -> ReportKind:
    """The worst that is said of anybody."""
    actions = {each.action for each in found}
    if "failed" in actions:
        return ReportKind.BOUNCE
    return ReportKind.DELAY if "delayed" in actions or not actions & ACTIONS else ReportKind.DELIVERED


def _of_feedback(parts: Parts, came_back: bytes) -> Report | None:
    """RFC 5965, and what looks like it: the subjects of older loops, with the message that came back."""
    part = parts.first(*FEEDBACK)
    if part is not None:
        return _complaint(parts, feedback(parts.octets(part, UNFLATTENED), came_back), came_back)
    if came_back and vocabulary().subjects.first(automatic.subject_of(parts.header))[1] == "complaint":
        return _complaint(parts, feedback(b"", came_back), came_back)
    return None


def _complaint(parts: Parts, found: Feedback, came_back: bytes) -> Report:
    fields = {b"original-envelope-id": found.envid}
    return _report(parts, ReportKind.COMPLAINT, found.recipients, came_back, fields=fields, paths=found.paths)


def _of_policy(parts: Parts) -> Report | None:
    """Reports about policies, by what is in an attachment, else by its name: RFC 8460 §5.3, RFC 7489 §7.2.1.1."""
    if kind := aggregate_kind(parts.data):
        return _report(parts, ReportKind(kind))
    type = parts.type.lower()
    if parts.first(*TLSRPT) is not None or "report-type=tlsrpt" in type.replace('"', "").replace(" ", ""):
        return _report(parts, ReportKind.TLSRPT)
    if any(_is_aggregate(part) for part in parts.all):
        return _report(parts, ReportKind.DMARC)
    return None


def _is_aggregate(part: MimePart) -> bool:
    """Whether a part is called as aggregate reports are: receiver, domain, begin and end between exclamation marks."""
    name = part.name.lower()
    if name.count("!") < 3 or not name.endswith((".xml", ".xml.gz", ".zip", ".gz")):
        return False
    return all(stamp.isdigit() for stamp in name.partition(".xml")[0].removesuffix(".zip").removesuffix(".gz").split("!")[2:4])


def _of_reading(parts: Parts, came_back: bytes) -> Report | None:
    """RFC 8098: somebody has read it, or has not; it did arrive. Unless a program refused it so, RFC 5429 §2.1.3."""
    part = parts.first(*READ)
    if part is None:
        return None
    body = parts.octets(part, UNFLATTENED)
    if b"automatic-action" in body.lower() and b"deleted" in body.lower():
        refused = _delivery(parts, body, came_back, failed=True)
        said = parts.written()
        if refused is not None and (vocabulary().failed.stands_in(words(said[:2000])) or "reject" in said[:2000]):
            return refused
    return _report(parts, ReportKind.AUTO_REPLY, (), came_back)


# By the letter


def _of_shape(parts: Parts, came_back: bytes) -> Report | None:
    """A report without a part for programs, or with one that lost its type on the way."""
    text = parts.written()
    if "inal-recipient:" in text.lower() and not automatic.is_reply(automatic.subject_of(parts.header)):
        flat = _delivery(parts, _flattened(text), came_back)
        if flat is not None and any("@" in each.address for each in flat.recipients):
            return flat
    found = shape(parts.header, text, came_back, encloses=bool(came_back))
    if found is None:
        return None
    return _report(parts, found.kind, found.recipients, came_back or found.header)


def _of_inner(parts: Parts) -> Report | None:
    """A report within a message that a gateway of the mail system put around it."""
    part = parts.first("message/rfc822")
    if part is None or not is_known_author(parts.header):
        return None
    found = _read(parts.octets(part, len(parts.data)), inner=False)
    return found if found.kind in (ReportKind.BOUNCE, ReportKind.DELAY, ReportKind.DELIVERED) else None


def _flattened(text: str) -> bytes:
    """The lines of a letter that are fields of RFC 3464, without what stands before them."""
    return "\n".join(line.lstrip("> \t") if ":" in line[:40] else line for line in text[:UNFLATTENED].split("\n")).encode()


def _of_nothing(parts: Parts) -> Report:
    """An answer of a machine, or mail of people."""
    header = parts.header
    subject = automatic.subject_of(header)
    answer = automatic.is_answer(header, subject) or automatic.is_automatic(header)
    return _report(parts, ReportKind.AUTO_REPLY if answer else ReportKind.NONE)


# What every report has


def _report(
    parts: Parts,
    kind: ReportKind,
    recipients: tuple[Reported, ...] = (),
    came_back: bytes = b"",
    *,
    fields: Fields | None = None,
    paths: tuple[str, ...] = (),
) -> Report:
    header, back, said = parts.header, Message(came_back, b""), fields or {}
    return Report(
        kind=kind,
        recipients=recipients[:RECIPIENTS],
        message_id=_id(back.value(b"message-id") or "") or (_id(header.value(b"in-reply-to") or "") if kind is not ReportKind.NONE else ""),
        envid=one_line(said.get(b"original-envelope-id", ""), ADDRESS),
        paths=_paths(header, back, said, paths),
        sender=address_of(text_of_words((header.value(b"from") or "")[:FIELD])),
        header=came_back,
        at=_date(header.value(b"date") or ""),
    )


def _id(value: str) -> str:
    """A Message-ID without its brackets, RFC 5322 §3.6.4."""
    inner = value[:FIELD].partition("<")[2].partition(">")[0] or value[:FIELD].strip(" <>").partition(" ")[0]
    return one_line(inner, 998)


def _paths(header: Message, back: Message, said: Fields, others: tuple[str, ...]) -> tuple[str, ...]:
    """Where the reverse-path of the message may stand: in the report's fields, in what came back, and as the address that it came to."""
    found = [*others, *(address_of(said.get(name, "")) for name in PATHS)]
    found += [address_of(value) for value in islice(back.values(b"return-path"), MOST_PATHS)]
    found += [address_of(text_of_words(value[:FIELD])) for name in OWN for value in islice(header.values(name), MOST_PATHS)]
    return tuple(path for path in dict.fromkeys(found) if "@" in path)[:MOST_PATHS]


def _date(value: str) -> float | None:
    """RFC 5322 §3.3, as it is read in practice."""
    try:
        read = parsedate_tz(value[:100])
        return None if read is None else float(mktime_tz(read))
    except (ValueError, OverflowError, IndexError):
        return None
