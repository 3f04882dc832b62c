"""The text of a message: what is looked for in it, the beginning of what it says, and the names of its files.

Decoded from transfer encodings (RFC 2045 §6) and character sets, HTML without its tags. Bounds: `PART` octets of one
text, `TEXT` characters of one message, `FIRST` octets for a preview.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from itertools import islice
from typing import TYPE_CHECKING

from mailer.mail.text import one_line

from .addresses import mailboxes
from .charset import base64_octets, decoded
from .header import all_fields
from .html import text_of_html
from .parameters import parameter
from .tree import every
from .words import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .tree import Part

TEXT = 4 * 1024 * 1024  # characters of a message that are looked at
PART = 1024 * 1024  # octets of one text, which are decoded at once
FIRST = 6000  # octets of a part of which a preview is made
PREVIEW = 200  # characters
ENOUGH = 600  # characters of a text whose lines mostly are enough for a preview
FILES = 1000  # names of files
FILE_NAME = 255  # characters of one
HEADER_TEXT = 512 * 1024  # characters of a header
ADDRESSED = frozenset({b"from", b"to", b"cc", b"bcc"})

_NOT_SHOWN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffc\ud800-\udfff]+"
)
"""What fills the first line of letters so that nothing else is shown there, and what a terminal or a page would act on."""
_QUOTE = re.compile(r"^>.*$", re.MULTILINE)


def octets(content: bytes, part: Part, most: int) -> bytes:
    """The first `most` octets of the body of a part, more or less, without its transfer encoding."""
    if part.encoding == "base64":
        return base64_octets(content[part.header_end : min(part.end, part.header_end + most * 3 // 2)])
    raw = content[part.header_end : min(part.end, part.header_end + most)]
    return a2b_qp(raw) if part.encoding == "quoted-printable" else raw


def text(content: bytes, part: Part, most: int = TEXT) -> str:
    """The text of a part that is text, with LF line ends."""
    found = decoded(octets(content, part, most), parameter(part.params, "charset"))
    if part.subtype == "html":
        return text_of_html(found)
    return found.replace("\r\n", "\n") if "\r" in found else found


def searchable(content: bytes, part: Part) -> Iterator[str]:
    """The text of each part that has some, from the first to the last, and the fields of messages in the message."""
    room = TEXT
    for each in every(part):
        if room <= 0:
            return
        if each.message is not None:
            found = header_text(content, each.message)
        elif each.type == "text":
            found = text(content, each, min(room, PART))
        else:
            continue
        room -= len(found)
        yield found


def header_text(content: bytes, part: Part) -> str:
    """The header of a message as lines ``name: value``, the name in small letters and the value decoded, on one line each."""
    lines: list[str] = []
    room = HEADER_TEXT
    for name, value in all_fields(content, part.start, part.header_end):
        said = value.decode("utf-8", "surrogateescape")
        line = f"{name.decode('ascii', 'replace')}: {shown(said)}"
        lines.append(line.replace("\n", " ") if "\n" in line else line)
        room -= len(line)
        if name in ADDRESSED and "<" in said and "(" in said:
            plain = list(islice(_without_comments(name.decode("ascii"), said), max(room, 0) // 8))
            lines += plain
            room -= sum(map(len, plain))
        if room < 0:
            break
    return "\n".join(lines)


def _without_comments(name: str, value: str) -> Iterator[str]:
    """Lines for those addresses that are written otherwise than ENVELOPE tells them, by which they are found too: RFC 9051 §6.4.4."""
    for each in mailboxes([value]):
        if each.host and (plain := f"{each.local}@{each.host}") not in value:
            yield f"{name}: {plain}".replace("\n", " ")


def all_text(content: bytes, part: Part, names: tuple[str, ...]) -> tuple[str, str, str]:
    """What is looked for in a message: its header, its body, and the names of its files; no NUL is in any."""
    found = (header_text(content, part), "\n".join(searchable(content, part)), "\n".join(names))
    return (found[0].replace("\0", " "), found[1].replace("\0", " "), found[2].replace("\0", " "))


def preview(content: bytes, part: Part) -> str:
    """The beginning of what a message says, on one line of `PREVIEW` characters at most; quotations are passed over."""
    said = ""
    for each in islice((each for each in every(part) if each.type == "text" and not _is_file(each)), 3):
        written = text(content, each, FIRST * 8 if each.subtype == "html" else FIRST)
        begin = _said(written[: written.rfind("\n", 0, ENOUGH) + 1])
        said = begin if len(begin) > PREVIEW else _said(written) or " ".join(_NOT_SHOWN.sub("", written).split())
        if said:
            break
    return said if len(said) <= PREVIEW else said[: PREVIEW - 1].rstrip() + "…"


def _said(lines: str) -> str:
    """What is said in lines that are no quotations, on one line."""
    return " ".join(_QUOTE.sub("", _NOT_SHOWN.sub("", lines)).split())


def _is_file(part: Part) -> bool:
    return part.disposition is not None and part.disposition[0].lower() == "attachment"


def file_name(part: Part) -> str:
    """The name of the file that a part is, on one line; empty for none. RFC 2183 §2.3"""
    name = (part.disposition and parameter(part.disposition[1], "filename")) or parameter(part.params, "name")
    return one_line(name, FILE_NAME) if name else ""


def file_names(part: Part) -> tuple[str, ...]:
    """The names of the files in a message."""
    return tuple(islice((name for each in every(part) if (name := file_name(each))), FILES))
