"""A message composed from plain parts: addresses, a subject, a text, and perhaps the same as HTML.

Used by ``mailer send --to … --subject … --text …`` and by programs. What comes out is what submission takes in:
it has no Date and no Message-ID, which submission adds, and no Bcc, which belongs to the envelope only. It is
7-bit with short lines, so it passes everywhere unchanged; only an address with letters beyond ASCII before
the @ stays as it is and needs SMTPUTF8. The same parts make the same bytes.

No value can begin a second field: a line end or another control character in one is refused, not mended
(header injection is how contact forms become open relays).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from mailer.mail import address
from mailer.mail.failure import BAD_MESSAGE, Failure
from mailer.mail.message import normalise
from mailer.mail.mime import MAX_WORD, ascii_address, encoded, field, multipart, part, phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OURS = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "mime-version"})
STRUCTURED = frozenset({"date", "message-id", "in-reply-to", "references", "sender"})
"""Fields of RFC 5322 §3.6 that stand once and are read by programs; no encoded word may stand there."""

_BARE = "bare.invalid"  # stands for the domain that an address without one gets from submission


def compose(
    *,
    sender: str = "",
    to: Sequence[str] = (),
    cc: Sequence[str] = (),
    reply_to: Sequence[str] = (),
    subject: str = "",
    text: str = "",
    html: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The message, with CRLF line ends.

    Addresses are written as in a mail program, ``Anna <anna@example.org>`` or ``anna@example.org``, several in one
    text with commas; one without a domain stays so, for submission to complete. An empty `sender` leaves From to
    submission too. `headers` are (name, value) of further fields. Raises `Failure` (65).
    """
    fields = [
        *_addresses("From", [sender] if sender else [], most=1),
        *_addresses("To", to),
        *_addresses("Cc", cc),
        *_addresses("Reply-To", reply_to),
        *([field("Subject", encoded(_checked("Subject", subject)))] if subject else []),
        *_further(headers),
        field("MIME-Version", "1.0"),
    ]
    return "".join(fields).encode() + _body(text, html)


def _body(text: str, html: str | None) -> bytes:
    """The Content fields and all below: one text, or the alternatives with the plainest first (RFC 2046 §5.1.4)."""
    plain = _text_part("plain", text)
    if html is None:
        return plain
    parts = [plain, _text_part("html", html)]
    return multipart("multipart/alternative", parts, sha256(b"\0".join(parts)).hexdigest()[:24])


def _text_part(kind: str, text: str) -> bytes:
    try:
        data = normalise(text.encode())
    except UnicodeEncodeError as error:
        raise Failure(f"the text holds a byte that is no UTF-8, at character {error.start}; nothing was queued", BAD_MESSAGE) from None
    return part(f"text/{kind}; charset={'us-ascii' if data.isascii() else 'utf-8'}", data)


def _addresses(name: str, texts: Iterable[str], most: int = 0) -> list[str]:
    """The field with all addresses of `texts`, or nothing if there is none; at most `most` of them unless that is 0."""
    found = [_mailbox(name, piece) for text in texts for piece in _split(_checked(name, text)) if piece]
    if most and len(found) > most:
        raise Failure(f"{name} takes one address, not {len(found)}; nothing was queued", BAD_MESSAGE)
    return [field(name, ", ".join(found))] if found else []


def _split(text: str) -> Iterator[str]:
    """`text` divided at its commas, those within quotes apart."""
    start = 0
    quoted = escaped = False
    for at, char in enumerate(text):
        if char == '"' and not escaped:
            quoted = not quoted
        elif char == "," and not quoted:
            yield text[start:at].strip()
            start = at + 1
        escaped = char == "\\" and quoted and not escaped
    yield text[start:].strip()


def _mailbox(name: str, text: str) -> str:
    """One address, with or without a display name before it; RFC 5322 §3.4."""
    display, bracket, inner = text.rpartition("<") if text.endswith(">") else ("", "", text)
    try:
        parsed = address.parse(bracket + inner, _BARE)
    except address.AddressError as error:
        raise Failure(f"{name}: {error}; nothing was queued", BAD_MESSAGE) from None
    written = parsed.local if parsed.domain == _BARE else ascii_address(str(parsed))
    display = _unquoted(display.strip())
    return f"{phrase(display)} <{written}>" if display else written


def _unquoted(display: str) -> str:
    """A display name without its quotes and backslashes, blanks run together."""
    if len(display) > 1 and display[0] == display[-1] == '"':
        display = display[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return " ".join(display.split())


def _further(headers: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The fields that were asked for by name."""
    seen = set()
    for name, value in headers:
        key = name.lower()
        if not name or not all("!" <= c <= "~" and c != ":" for c in name) or len(name) > 70:  # RFC 5322 §2.2
            raise Failure(f"{address.printable(name)!r} is no name of a header field; nothing was queued", BAD_MESSAGE)
        if key in OURS or key.startswith("content-"):
            raise Failure(f"the field {name} is made from the other options; nothing was queued", BAD_MESSAGE)
        if key in STRUCTURED and key in seen:
            raise Failure(f"the field {name} may stand once; nothing was queued", BAD_MESSAGE)
        seen.add(key)
        yield field(name, _value(name, _checked(name, value)))


def _value(name: str, value: str) -> str:
    """`value` as it is where it can stand so; whoever writes an encoded word himself means it."""
    if value.isascii() and max(map(len, value.split(" "))) <= MAX_WORD:
        return value
    if name.lower() in STRUCTURED:
        raise Failure(f"the field {name} holds a character beyond ASCII, or a word too long for a line; nothing was queued", BAD_MESSAGE)
    return encoded(value)


def _checked(name: str, value: str) -> str:
    """`value` without blanks at its ends, tabs as blanks; refused if it holds what could end a line somewhere."""
    value = value.replace("\t", " ").strip(" ")
    for char in value:
        if char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029" or "\ud800" <= char <= "\udfff":
            raise Failure(f"{name} holds the control character U+{ord(char):04X}; nothing was queued", BAD_MESSAGE)
    return value
