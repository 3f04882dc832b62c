"""A message that not every server would take, mended before anybody signs it: no line is cut, no octet is lost.

SMTP takes lines of 998 octets (RFC 5321 §4.5.3.1.6), and octets above 127 only where a message says what they are. A program
that writes longer lines is mended for by somebody on the way, who breaks them where he likes, and with them each
signature. So it is done here, as little as possible:

==============================================  =======================================================================
a body with lines too long                      that part as quoted-printable or base 64, RFC 2045 §6
8-bit text that says ``7bit``, or nothing       the same, and it says its character set: UTF-8, or as readers guess
8-bit text that says ``us-ascii``               it says what it is
base 64 or quoted-printable, lines too long     written anew with short ones
octets above 127 in a header                    encoded words (RFC 2047), parameters (RFC 2231), A-labels (RFC 5890), ``%C3``
a field with lines too long                     folded at its blanks; encoded words where free text has none
==============================================  =======================================================================

8-bit text that says so stays, for those who carry it know what to do; so does an address in UTF-8, which cannot be written otherwise.
What somebody has signed or encrypted is left as it is, whatever is wrong with it: mending it would break it for certain.
"""

from __future__ import annotations

import re
from binascii import a2b_qp, b2a_qp

from .address import ascii_address
from .address_list import boxes
from .charset import ASCII, WESTERN, charset_of, readable
from .entity import MAX_DEPTH, OPEN, SIGNED, body_of, default_of, encoded, encoding_of, kind_of, pieces, relabelled, with_mime
from .message import Change, Message, has_long_line
from .mime import MAX_WORD, field, parameter, phrase
from .mime import encoded as encoded_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LONG = "it has a line of more than 998 octets"
RAW = "it has octets above 127 and does not say what they are"
LARGEST_HEADER = 1 << 20  # octets of a header in which something is mended; submission takes no larger one
LONGEST_READ = 10_000  # characters of a field in which encoded words are read: more takes for ever

_CHARSET = re.compile(r';\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]*))', re.IGNORECASE)
_SEALED = frozenset({
    "multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted",
})  # fmt: skip
_PEOPLE = frozenset({
    b"from", b"sender", b"reply-to", b"to", b"cc", b"resent-from", b"resent-sender", b"resent-reply-to", b"resent-to", b"resent-cc",
    b"disposition-notification-to", b"return-receipt-to", b"errors-to",
})  # fmt: skip
_PROGRAMS = frozenset({
    b"date", b"message-id", b"references", b"in-reply-to", b"received", b"return-path", b"mime-version", b"auto-submitted", b"importance",
    b"precedence", b"authentication-results", b"received-spf", b"autocrypt", b"resent-date", b"resent-message-id",
})  # fmt: skip
"""Fields that programs read: an encoded word is none there. So are Content- and List- fields, but for the description."""


def repaired(message: Message, changes: list[Change]) -> Message:
    """`message` (normalised) as every server takes it; what was done, or should have been, is added to `changes`."""
    mended = Message.split(_whole(message, 0, "", changes))
    return Message(mended.header, mended.rest or message.rest)


def _whole(message: Message, depth: int, where: str, changes: list[Change]) -> bytes:
    """A message, or one within another, that nobody has signed; else only what would have to be done is said."""
    if any(name in SIGNED for name, _ in message.fields()):
        return _sealed(message, depth, "text/plain", where, changes)
    return _entity(message, depth, "text/plain", where, changes)


def _sealed(entity: Message, depth: int, default: str, where: str, changes: list[Change]) -> bytes:
    wanted: list[Change] = []
    _mended(entity, depth, default, where, wanted)
    changes += [Change("left", change.what, "", "", f"{change.why}, and it is signed or encrypted") for change in wanted]
    return bytes(entity)


def _entity(entity: Message, depth: int, default: str, where: str, changes: list[Change]) -> bytes:
    if kind_of(entity, default) in _SEALED:
        return _sealed(entity, depth, default, where, changes)
    return _mended(entity, depth, default, where, changes)


def _mended(entity: Message, depth: int, default: str, where: str, changes: list[Change]) -> bytes:
    """A message or a part of one; `default` is its type if it does not say, `where` its number, as in ``1.2``."""
    entity = _header(entity, where, changes)
    kind, encoding, body = kind_of(entity, default), encoding_of(entity), body_of(entity)
    long = has_long_line(body + b"\r\n")
    raw = not body.isascii()
    if not long and (not raw or (encoding in ("8bit", "binary") and not kind.startswith(("multipart/", "message/")))):
        return bytes(_told(entity, kind, body, depth, where, changes) if raw else entity)
    if depth <= MAX_DEPTH and (divided := pieces(entity.value(b"content-type") or "", body) if kind.startswith("multipart/") else None):
        return entity.header + b"\r\n" + _parts(divided, default_of(kind), depth, where, changes)
    if depth <= MAX_DEPTH and kind in ("message/rfc822", "message/global"):
        return entity.header + b"\r\n" + _whole(Message.split(body), depth + 1, where, changes)
    made = None if kind.startswith(("multipart/", "message/")) else _leaf(entity, kind, encoding, body, depth)
    guessed = raw and made is not None and made.header != entity.header and charset_of(body) == WESTERN and kind.startswith("text/")
    why = LONG if long else f"{RAW}, taken for {WESTERN}" if guessed else RAW
    what = f"part {where}" if where else "body"
    if made is None:
        if long or encoding not in ("8bit", "binary"):
            changes.append(Change("left", what, "", "", f"{why}, and {kind} in {encoding or '7bit'} cannot be encoded anew"))
        return bytes(entity)
    changes.append(Change("mended", what, encoding or "7bit", encoding_of(made), why))
    return bytes(made)


def _told(entity: Message, kind: str, body: bytes, depth: int, where: str, changes: list[Change]) -> Message:
    """8-bit text that says so, which may stay; with a character set, if it says none or a false one."""
    made = _labelled(entity, kind, body, depth)
    if made is not entity:
        was, now = (_charset(one.value(b"content-type") or "") for one in (entity, made))
        changes.append(Change("mended", f"character set of part {where}" if where else "character set", was, now, RAW))
    return made


def _parts(divided: Iterable[tuple[bytes, str]], default: str, depth: int, where: str, changes: list[Change]) -> bytes:
    found: list[bytes] = []
    number = 0
    for piece, role in divided:
        if role == "part":
            number += 1
            place = f"{where}.{number}" if where else str(number)
            found.append(b"\r\n" + _entity(Message.split(piece[2:]), depth + 1, default, place, changes))
        elif role == "beside" and (has_long_line(piece + b"\r\n") or not piece.isascii()):
            changes.append(Change("mended", "text beside the parts", "", "nothing", LONG if piece.isascii() else RAW))
            found.append(b"\r\n" if piece.endswith(b"\r\n") else b"")
        else:
            found.append(piece)
    return b"".join(found)


def _leaf(entity: Message, kind: str, encoding: str, body: bytes, depth: int) -> Message | None:
    """A part without parts in an encoding with short lines; None if it has one that nobody knows, or that it does not keep to."""
    if encoding == "base64" and body.isascii():
        packed = b"".join(body.split())
        new, made = encoding, b"".join(packed[at : at + 76] + b"\r\n" for at in range(0, len(packed), 76))
    elif encoding == "quoted-printable" and body.isascii():
        new, made = encoding, b2a_qp(a2b_qp(body).replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    elif encoding in OPEN:
        new, made = encoded(kind, body)
        entity = _labelled(entity, kind, body, depth)
    else:
        return None
    header = relabelled(entity, new)
    return Message(header[:-2], b"\r\n" + made)


def _labelled(entity: Message, kind: str, body: bytes, depth: int) -> Message:
    """The same with a Content-Type that says a character set, for text that says none, or ASCII, and is not."""
    type = entity.value(b"content-type")
    if type is None:
        if not depth:
            return with_mime(entity, body)
        return entity.with_fields(f"Content-Type: {kind}; charset={charset_of(body)}") if kind.startswith("text/") else entity
    if body.isascii() or not kind.startswith("text/") or _charset(type) not in {"", *ASCII}:
        return entity
    made = _CHARSET.sub("", type).rstrip(" \t;")  # RFC 2045 §5.2: without a label it is ASCII
    line = field("Content-Type", f"{made}; charset={charset_of(body)}").encode()
    return Message(b"".join(line if name == b"content-type" else one for name, one in entity.fields()), entity.rest)


def _charset(type: str) -> str:
    """The character set that a Content-Type names, in lower case; empty if it names none."""
    found = _CHARSET.search(type)
    return (found[1] or found[2] or "").strip().lower() if found else ""


# Header fields


def _header(entity: Message, where: str, changes: list[Change]) -> Message:
    if entity.header.isascii() and not has_long_line(entity.header):
        return entity
    if len(entity.header) > LARGEST_HEADER:
        changes.append(Change("left", f"part {where} header" if where else "header", "", "", "it is too large to be looked at"))
        return entity
    given = _charset(entity.value(b"content-type") or "")
    made = []
    for name, one in entity.fields():
        if one.isascii() and not has_long_line(one):
            made.append(one)
            continue
        what = (f"part {where} " if where else "") + one.partition(b":")[0].decode().strip()
        value, guessed = _decoded(one.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t"), given)
        why = LONG if one.isascii() else f"{RAW}, taken for {WESTERN}" if guessed else RAW
        new = _field(name, one, value)
        if new is None:
            changes.append(Change("left", what, "", "", f"{why}, and it cannot be written otherwise"))
        elif new != one:
            changes.append(Change("mended", what, _shown(one), _shown(new), why))
        made.append(one if new is None else new)
    return Message(b"".join(made), entity.rest)


def _field(name: bytes, one: bytes, value: str) -> bytes | None:
    """The field in ASCII with short lines; in UTF-8 if it needs SMTPUTF8, as addresses may; None if it cannot be.

    `one` is the field as it came, whose value reads as `value`.
    """
    if name in _PEOPLE:
        made = _people(value)
        if not made.isascii() and not _is_utf8(one):  # then such an address is nobody's
            made = _escaped(made)
        if not made.isascii() and not has_long_line(one):
            return one
    elif name in (b"content-type", b"content-disposition"):
        made = _escaped(_parameters(value))
    else:
        made = _text(value) if _is_free(name) else _escaped(value)
    written = field(one.partition(b":")[0].decode().strip(), made).encode()
    return None if has_long_line(written) else written


def _is_free(name: bytes) -> bool:
    """Whether people read it, and nobody else."""
    return name == b"content-description" or not (name in _PROGRAMS or name in _PEOPLE or name.startswith((b"content-", b"list-")))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(raw: bytes, given: str) -> tuple[str, bool]:
    """The text of a value, and whether it is a guess: in UTF-8, else in the character set of the body, else as readers would take it.

    In a word that is encoded, octets that should have been encoded too are of the set that it names.
    """
    if not raw.isascii() and b"=?" in raw:
        raw = _WORD.sub(_whole_word, raw)
    for charset in ("utf-8", given):
        try:
            return _printable(raw.decode(charset)), False
        except (ValueError, LookupError):
            continue
    text, guessed = readable(raw)
    return _printable(text), guessed


def _whole_word(found: re.Match[bytes]) -> bytes:
    """An encoded word that holds octets above 127: in UTF-8 and as it should have been, where its set is known and fits."""
    if found[0].isascii():
        return found[0]
    try:
        octets = a2b_qp(found[3], header=True) if found[2] in b"qQ" else found[3]
        return encoded_words(_printable(octets.decode(found[1].decode("ascii")))).encode()
    except (ValueError, LookupError):
        return encoded_words(_printable(readable(found[3].replace(b"_", b" "))[0])).encode()


def _printable(text: str) -> str:
    """`text` without what could end a line somewhere."""
    return "".join(" " if char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029" else char for char in text)


def _text(value: str) -> str:
    """Text that people read, encoded where it has to be; what is encoded already is read before."""
    if value.isascii() and max(map(len, value.split(" "))) <= MAX_WORD and " " * MAX_WORD not in value:
        return value
    return encoded_words(_read(value))


def _read(value: str) -> str:
    """`value` with its encoded words read; as it is, where nobody can read them."""
    if "=?" in value and len(value) <= LONGEST_READ:
        from email.errors import MessageError
        from email.header import decode_header

        try:
            words = decode_header(value)
            text = "".join(word if isinstance(word, str) else word.decode(charset or "raw-unicode-escape") for word, charset in words)
            return _printable(text.encode("utf-8", "replace").decode())
        except (ValueError, LookupError, MessageError):
            pass
    return value


def _escaped(value: str) -> str:
    """What programs read, with each octet above 127 as ``%C3``: that is what it is in an address of the web, RFC 3987 §3.1."""
    return "".join(char if char < "\x80" else "".join(f"%{octet:02X}" for octet in char.encode()) for char in value)


def _people(value: str) -> str:
    """Addresses with names and comments encoded and their domains in A-labels, and a blank behind each comma to fold at."""
    made, at = "", 0
    for text, start, end, _, _ in boxes(value):
        written = value[start:end]
        made += _beside(value[at:start]) + (written if written.isascii() else ascii_address(text))
        at = end
    return made + _beside(value[at:])


def _beside(text: str) -> str:
    """What stands beside addresses: display names, the names of groups, comments, and what divides them."""
    if text.isascii():
        return text.replace(",", ", ")
    return "".join(_named(found[0]) for found in _BESIDE.finditer(text)).strip(" ") + " " * text.endswith(" ")


def _named(text: str) -> str:
    if text.isascii():
        return text.replace(",", ", ")
    if text.startswith("("):  # RFC 2047 §5 (2)
        return f" ({encoded_words(_read(text[1:].removesuffix(')')))}) "
    inner = text.strip().strip('"').replace('\\"', '"').replace("\\\\", "\\")
    return f" {phrase(' '.join(_read(inner).split()))} "


_BESIDE = re.compile(r'\((?:[^()\\]|\\.)*+\)?|[<>,:;]+|(?:"(?:[^"\\]|\\.)*+"?|[^<>,:;("])++', re.DOTALL)
_WORD = re.compile(rb"=\?([!-<>@-~]{1,75})\?([bBqQ])\?([^?]*)\?=")


def _parameters(value: str) -> str:
    """A media type or a disposition with each parameter that has to be in the form of RFC 2231."""

    def written(found: re.Match[str]) -> str:
        if found[0].isascii():
            return found[0]
        text = found[2] if found[3] is None else found[3]
        if found[3] is None:
            text = text.replace('\\"', '"').replace("\\\\", "\\")
        return "".join(parameter(found[1], _read(text))).replace("\r\n", "")

    return _PARAMETER.sub(written, value).replace(";", "; ").replace(";  ", "; ")


_PARAMETER = re.compile(r';\s*([A-Za-z0-9!#$&+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"][^;"]*))')


def _shown(one: bytes) -> str:
    return " ".join(one.partition(b":")[2].decode("utf-8", "replace").split())[:200]
