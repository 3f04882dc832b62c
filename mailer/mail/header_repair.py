"""The header of a message that not every server would take, mended: `repair` says how, and does the same to bodies.

`single` mends fields that may stand once, and stand twice, say nothing or lack commas, for large receivers refuse such mail
(RFC 5322 §3.6). Recipients are put together, since nobody may be lost; of all else the first that says something is kept, which is what
most readers show. What is empty is taken away; submission fills in what it can. A subject may be empty, and so may a description.
Addresses without a comma between them, which all get the mail (`address_list`), are a list with one, and no domain has a dot behind it.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_qp

from .address import ascii_address
from .address_list import boxes
from .message import LISTS, MERGED, ONCE, UNKNOWN_WORD, Change, Message, has_long_line, says_nothing
from .mime import MAX_WORD, field, parameter, phrase
from .mime import encoded as encoded_words
from .text import WESTERN, is_utf8, readable

LONG = "it has a line of more than 998 octets"
RAW = "it has octets above 127 and does not say what they are"
UNKNOWN = "it has words in a character set that is called unknown"
LARGEST_HEADER = 1 << 20  # octets of a header in which something is mended; submission takes no larger one
LONGEST_READ = 10_000  # characters of a field in which encoded words are read: more takes for ever
MOST_CHANGES = 1000  # that are named one by one
REST = "further places"

_CHARSET = re.compile(r';\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]*))', re.IGNORECASE)
_PEOPLE = frozenset({
    b"from", b"sender", b"reply-to", b"to", b"cc", b"resent-from", b"resent-sender", b"resent-reply-to", b"resent-to", b"resent-cc",
    b"disposition-notification-to", b"return-receipt-to", b"errors-to",
})  # fmt: skip
_PROGRAMS = frozenset({
    b"date", b"message-id", b"references", b"in-reply-to", b"received", b"return-path", b"mime-version", b"auto-submitted", b"importance",
    b"precedence", b"authentication-results", b"received-spf", b"autocrypt", b"resent-date", b"resent-message-id",
})  # fmt: skip
"""Fields that programs read: an encoded word is none there. So are Content- and List- fields, but for the description."""


def note(changes: list[Change], change: Change) -> None:
    """Add `change` to `changes`; where there are too many, that there are more of its kind."""
    if len(changes) < MOST_CHANGES:
        changes.append(change)
    elif not any(one.action == change.action for one in changes[MOST_CHANGES:]):
        changes.append(Change(change.action, REST, "", "", "there are too many to be named"))


def charset(type: str) -> str:
    """The character set that a Content-Type names, in lower case; empty if it names none."""
    found = _CHARSET.search(type)
    return (found[1] or found[2] or "").strip().lower() if found else ""


def with_charset(type: str, charset: str) -> str:
    """The Content-Type `type` with another character set."""
    made = _CHARSET.sub("", type).rstrip(" \t;")
    return f"{made}; charset={charset}"


def mended_header(entity: Message, where: str, changes: list[Change]) -> Message:
    """The header of a message, or of part `where` of one; what was done, or should have been, is added to `changes`."""
    if _is_fit(entity.header):
        return entity
    if len(entity.header) > LARGEST_HEADER:
        note(changes, Change("left", f"part {where} header" if where else "header", "", "", "it is too large to be looked at"))
        return entity
    given = charset(entity.value(b"content-type") or "")
    made = bytearray()
    for name, one in entity.fields():
        if _is_fit(one) or (name in _PROGRAMS and one.isascii() and not has_long_line(one)):
            made += one
            continue
        what = (f"part {where} " if where else "") + one.partition(b":")[0].decode().strip()
        value, guessed = _decoded(one.partition(b":")[2].replace(b"\r\n", b"").strip(b" \t"), given)
        why = LONG if has_long_line(one) and one.isascii() else UNKNOWN if one.isascii() else RAW
        why += f", taken for {WESTERN}" * guessed
        new = _field(name, one, value)
        if new is None:
            note(changes, Change("left", what, "", "", f"{why}, and it cannot be written otherwise"))
        elif new != one:
            note(changes, Change("mended", what, _shown(one), _shown(new), why))
        made += one if new is None else new
    return Message(bytes(made), entity.rest)


def _is_fit(header: bytes) -> bool:
    """Whether every server takes it, and every reader shows what it says."""
    return header.isascii() and not has_long_line(header) and not (b"=?" in header and UNKNOWN_WORD in header.lower())


def _field(name: bytes, one: bytes, value: str) -> bytes | None:
    """The field in ASCII with short lines; in UTF-8 if it needs SMTPUTF8, as addresses may; None if it cannot be.

    `one` is the field as it came, whose value reads as `value`.
    """
    if name in _PEOPLE:
        made = _people(value)
        if not made.isascii() and not is_utf8(one):  # then such an address is nobody's
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


def _decoded(raw: bytes, given: str) -> tuple[str, bool]:
    """The text of a value, and whether it is a guess: in UTF-8, else in the character set of the body, else as readers would take it.

    In a word that is encoded, octets that should have been encoded too are of the set that it names.
    """
    guesses: list[bool] = []
    if b"=?" in raw and UNKNOWN_WORD in raw.lower():
        raw = _UNKNOWN_WORDS.sub(lambda found: _known(found[0], guesses), raw)
    if not raw.isascii() and b"=?" in raw:
        raw = _WORD.sub(_whole_word, raw)
    for charset in ("utf-8", given):
        try:
            return _printable(raw.decode(charset)), any(guesses)
        except (ValueError, LookupError):
            continue
    text, guessed = readable(raw)
    return _printable(text), guessed


def _known(words: bytes, guesses: list[bool]) -> bytes:
    """Encoded words of an unknown set, one behind the other, as their readers would take the octets; whether that is a guess."""
    octets = b""
    for word in words.split():
        encoding, _, said = word[len(UNKNOWN_WORD) : -2].partition(b"?")
        try:
            octets += a2b_qp(said, header=True) if encoding in b"qQ" else a2b_base64(said)
        except Base64Error:
            return words
    text, guessed = readable(octets)
    guesses.append(guessed)
    return encoded_words(_printable(text)).encode() or words


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
_UNKNOWN_WORDS = re.compile(rb"=\?unknown-8bit\?[bq]\?[!->@-~]*\?=(?:[ \t]+=\?unknown-8bit\?[bq]\?[!->@-~]*\?=)*", re.IGNORECASE)
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


def single(message: Message, changes: list[Change]) -> Message:
    """`message` with each field of `ONCE` once at most, and its lists of addresses well written; what was done is added to `changes`."""
    found: dict[bytes, list[bytes]] = {}
    for name, one in message.fields():
        if name in ONCE:
            found.setdefault(name, []).append(one)
    kept = {name: _well_written(name, _one(name, fields, changes), changes) for name, fields in found.items()}
    made = bytearray()
    for name, one in message.fields():
        if name not in kept:
            made += one
        elif name in found:  # where the first of them stands
            del found[name]
            made += kept[name]
    return Message(bytes(made), message.rest)


def _one(name: bytes, fields: list[bytes], changes: list[Change]) -> bytes:
    """The field that stands for `fields`, or nothing."""
    label = fields[0].partition(b":")[0].decode().strip()
    full = [one for one in fields if not says_nothing(name, one)]
    full.sort(key=lambda one: not one.partition(b":")[2].strip())  # what may be empty, too, is not kept before what says something
    if not full:
        new = b"MIME-Version: 1.0\r\n" if name == b"mime-version" else b""
        changes.append(Change("mended" if new else "removed", label, _shown(fields[0]), _shown(new), "it is empty"))
        return new
    if len(full) == 1 or name not in MERGED:
        why = "it may stand once" if len(full) > 1 else "it is empty"
        for one in fields:
            if len(fields) > 1 and one is not full[0]:
                note(changes, Change("removed", label, _shown(one), "", why))
        return full[0]
    values = [one.partition(b":")[2].strip(b" \t\r\n,") for one in full]
    made = full[0].partition(b":")[0] + b": " + b",\r\n ".join(values) + b"\r\n"
    changes.append(Change("mended", label, " | ".join(map(_shown, full[:MOST_CHANGES])), _shown(made), "it may stand once"))
    return made


def _well_written(name: bytes, given: bytes, changes: list[Change]) -> bytes:
    """The field with a comma between each two addresses that have none, and no dot behind a domain."""
    if name not in LISTS or b"@" not in given:
        return given
    label, _, text = given.partition(b":")
    value = text.decode("utf-8", "surrogateescape")
    made, at, last, why = "", 0, -1, ""  # what is written, up to where, and where the mailbox before ends
    for address, _, end, first, after in boxes(value):
        if "@" not in address:
            last = -1
            continue
        if last >= 0 and not _DIVIDER.search(_COMMENT.sub("", value[last:first])):
            made, at, why = f"{made}{value[at:last]},", last, "a comma is missing between two addresses"
        if value[end - 1] == ".":  # RFC 5322 §3.4.1: a dot divides two words
            made, at, why = made + value[at : end - 1], end, why or "a dot stands behind a domain"
        last = after
    if not why:
        return given
    new = label + b":" + (made + value[at:]).encode("utf-8", "surrogateescape")
    changes.append(Change("mended", label.decode().strip(), _shown(given), _shown(new), why))
    return new


_DIVIDER = re.compile(r"[,;:]")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*+\)")
