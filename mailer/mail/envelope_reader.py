"""Reading the envelope of a message in the spool, see `envelope`, which whoever only puts mail there does not need.

It is strict about what it needs and ignores members that it does not know: a file from a later
version is still mail. What somebody else wrote is measured before it is read (`excess`): its bytes, for they
are held in memory, and its separators, for reading each takes the interpreter a moment in which nothing else runs.
"""

from __future__ import annotations

from .envelope import PRIORITIES, Envelope, Recipient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .envelope import RecipientType

RECIPIENT_TYPES: tuple[RecipientType, ...] = ("to", "cc", "bcc")
SETTLED = ("fail", "delivered")
SETTLED_BY = ("", "miswritten", "alias", "discarded", "loop")
"""The verdicts that a recipient can have from its submission on, and their causes (`mailer.mail.outcome`)."""

DEFAULTS = {"message_id": "", "subject": "", "request_id": "", "priority": "normal", "parent": ""}
TEXTS = ("id", "created", "sender", *DEFAULTS)
"""The members that are text; those without a default have to be there."""

LONGEST_TEXT = 512  # characters of what is said of such a recipient
LEAST_BYTES, BYTES_EACH = 64 << 10, 1400  # of an envelope, and more for each recipient: two addresses, and one more in `options`
LEAST_MARKS, MARKS_EACH = 4096, 12  # separators of JSON, likewise; a recipient has 7, with options of its own 12


class EnvelopeError(ValueError):
    """A line that is no envelope; `str()` says what is wrong with it."""


class LaterEnvelope(EnvelopeError):
    """An envelope that says what only a later version of the program can mean."""


def from_line(line: bytes) -> Envelope:
    """The envelope that `line` is, as `Envelope.to_line` wrote it, or as anybody did who keeps to `mailer-spool(5)`.

    Raises `EnvelopeError` for anything else: no JSON, wrong types, no recipient, an address with
    a control character, nesting or numbers that only an attacker writes.
    """
    try:
        document = _decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise EnvelopeError(f"the envelope is no JSON object: {error}") from None
    if not isinstance(document, dict):
        raise EnvelopeError("the envelope is no JSON object")
    if b"\\u" in line:
        _check_unicode(document)
    given = {**DEFAULTS, **document}
    for name in TEXTS:
        if not isinstance(given.get(name), str):
            raise EnvelopeError(f"the envelope has no text {name!r}")
    priority = given["priority"]
    if priority not in PRIORITIES:
        raise LaterEnvelope(f"the envelope's priority {priority[:40]!r} is none of {', '.join(PRIORITIES)}")
    return Envelope(
        given["id"],
        given["created"],
        _clean(given["sender"], "sender"),
        [_recipient(item) for item in _list(document, "recipients")],
        message_id=given["message_id"],
        subject=given["subject"],
        request_id=given["request_id"],
        priority=priority,
        submitter=_object(document, "submitter"),
        options=_object(document, "options"),
        parent=given["parent"],
    )


def largest(recipients: int) -> int:
    """The bytes that the envelope of a message to so many may have."""
    return LEAST_BYTES + BYTES_EACH * recipients


def excess(line: bytes, recipients: int) -> str:
    """What the envelope `line` has too much of for one to at most so many recipients; ``""`` if nothing. Reads none of it."""
    if len(line) > largest(recipients):
        return f"the envelope has {len(line)} bytes, more than one of {recipients} recipients may have"
    if sum(map(line.count, (b",", b":", b"[", b"{"))) > LEAST_MARKS + MARKS_EACH * recipients:
        return f"the envelope has more members than one of {recipients} recipients may have"
    return ""


def _decode(text: str) -> object:
    """Read JSON; the decoder is made once, when the first envelope is read."""
    if not _decoders:
        from json import JSONDecoder

        _decoders.append(JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse).decode)
    return _decoders[0](text)


_decoders: list[Callable[[str], object]] = []


def _recipient(item: object) -> Recipient:
    if not isinstance(item, dict):
        raise EnvelopeError("a recipient of the envelope is no object")
    if "outcome" in item:
        return _settled(item)
    address = _clean(_text(item, "address"), "recipient")
    if not address:
        raise EnvelopeError("a recipient of the envelope is empty")
    type, behalf = _text(item, "type", "to"), _clean(_text(item, "for", ""), "address on whose behalf a recipient stands")
    return Recipient(address, type if type in RECIPIENT_TYPES else "to", behalf=behalf)


def _settled(item: dict[str, object]) -> Recipient:
    """A recipient that nothing is sent to."""
    address, given, type = _text(item, "address"), _object(item, "outcome"), _text(item, "type", "to")
    code, outcome = given.get("code"), {name: _text(given, name, "") for name in ("verdict", "enhanced", "text", "cause")}
    if outcome["verdict"] not in SETTLED or outcome["cause"] not in SETTLED_BY or not isinstance(code, int) or not 200 <= code <= 599:
        raise EnvelopeError("the outcome of a recipient of the envelope is none")
    if any(not text.isprintable() or len(text) > LONGEST_TEXT for text in (address, *outcome.values())):
        raise EnvelopeError("the outcome of a recipient of the envelope is too long, or no text")
    return Recipient(address, type if type in RECIPIENT_TYPES else "to", {**outcome, "code": code})


def _clean(address: str, what: str) -> str:
    """The address, if it can stand in a command of SMTP; the spool is not the place to trust."""
    if not address.isprintable() or ">" in address.rpartition("@")[2] or len(address) > 512:
        raise EnvelopeError(f"the {what} of the envelope is no address")
    return address


def _text(document: dict[str, object], name: str, default: str | None = None) -> str:
    value = document.get(name, default)
    if not isinstance(value, str):
        raise EnvelopeError(f"the envelope has no text {name!r}")
    return value


def _check_unicode(document: dict[str, object]) -> None:
    """Half a surrogate pair can be written as an escape, and by no other means."""
    from json import dumps

    try:
        dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise EnvelopeError("the envelope is no Unicode text") from None


def _list(document: dict[str, object], name: str) -> list[object]:
    value = document.get(name)
    if not isinstance(value, list) or not value:
        raise EnvelopeError(f"the envelope has no {name}")
    return value


def _object(document: dict[str, object], name: str) -> dict[str, object]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise EnvelopeError(f"the envelope's {name!r} is no object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a member stands twice")
    return document


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
