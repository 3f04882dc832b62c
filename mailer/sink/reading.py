"""A message that was kept, as a page shows it: header, text, HTML, attachments, source.

It may be anything that SMTP lets through. What cannot be read is said, and the source is there in any case. The HTML stays as it is:
what it may do is the browser's to forbid (`mailer.sink.web`); only pictures that lie in the message (``cid:``, RFC 2392) get the address
of their part.
"""

from __future__ import annotations

import re
import time
from email import policy
from email.errors import MessageError
from email.parser import BytesParser
from email.utils import parseaddr
from typing import TYPE_CHECKING, Final, NamedTuple

from .box import Boxed, decoded, split, whole

if TYPE_CHECKING:
    from email.message import EmailMessage

SHOWN: Final = 512 * 1024  # octets of source, and characters of text, that a page shows
MOST: Final = 500  # parts that are looked at
DEEP: Final = 100  # of them that have parts
REMOTE: Final = re.compile(
    r"""(?:src|srcset|background)\s{0,9}=\s{0,9}["']?\s{0,9}(?:https?:)?//|url\(\s{0,9}["']?\s{0,9}(?:https?:)?//|<link\b""", re.IGNORECASE
)
"""What a page loads, with an address elsewhere."""
NO_MIME: Final = (MessageError, LookupError, RecursionError, ValueError, AssertionError, AttributeError, TypeError)
"""What the library's parser raises for mail that nobody has tried it with."""
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})


class File(NamedTuple):
    """An attachment: its `number` among the parts, and its size in octets."""

    number: int
    name: str
    type: str
    size: int


class Shown(NamedTuple):
    """All that pages show of a message."""

    id: str
    subject: str
    sender: str
    address: str
    reverse_path: str
    to: str
    cc: str
    recipients: tuple[str, ...]
    moment: str
    size: int
    header: list[tuple[str, str]]
    text: str
    html: str
    has_remote: bool
    files: list[File]
    source: str
    cut: int
    trouble: str


def read(kept: Boxed) -> Shown:
    """What is in the file of `kept`. Raises `OSError`."""
    content = content_of(kept)
    header: list[tuple[str, str]] = []
    text = html = trouble = ""
    files: list[File] = []
    try:
        mail = _parsed(content)
        header = [(whole(name), decoded(str(value))) for name, value in mail.raw_items()]
        text, html, files, trouble = _parts(mail, kept.id)
    except NO_MIME as error:
        trouble = f"its structure is no MIME that can be read ({type(error).__name__})."
    cc = next((value for name, value in header if name.lower() == "cc"), "")
    return Shown(
        kept.id, kept.subject, kept.sender, parseaddr(kept.sender)[1], kept.reverse_path, kept.to, cc, kept.recipients,
        time.strftime("%-d %B %Y, %H:%M:%S", time.localtime(kept.at)), kept.size, header, text[:SHOWN], html, bool(REMOTE.search(html)),
        files, content[:SHOWN].decode(errors="replace"), SHOWN if len(content) > SHOWN else 0, trouble,
    )  # fmt: skip


def content_of(kept: Boxed) -> bytes:
    """The message as it came, without the lines that tell its envelope. Raises `OSError`."""
    with open(kept.path, "rb") as file:
        data = file.read()
    return data[split(data)[1] :]


def part_of(kept: Boxed, number: int) -> tuple[str, str, bytes] | None:
    """Type, name and content of the part of this number; None where there is none. Raises `OSError`."""
    try:
        parts = [*_parsed(content_of(kept)).walk()]
        part = parts[number] if 0 <= number < len(parts) else None
        return None if part is None or part.is_multipart() else (part.get_content_type(), _name(part, number), _content(part))
    except NO_MIME:
        return None


def _parsed(content: bytes) -> EmailMessage:
    if content.count(b"multipart/") > DEEP:
        raise ValueError("so many parts within parts take the library's parser too long")
    return BytesParser(policy=policy.default).parsebytes(content)


def _parts(mail: EmailMessage, id: str) -> tuple[str, str, list[File], str]:
    """Text, HTML, attachments, and what could not be read."""
    texts: list[str] = []
    pages: list[str] = []
    files: list[File] = []
    within: dict[str, int] = {}
    trouble = ""
    for number, part in enumerate(mail.walk()):
        if number >= MOST:
            trouble = f"it has more than {MOST} parts."
            break
        if part.is_multipart():
            continue
        kind, disposition = part.get_content_type(), part.get_content_disposition()
        if cid := str(part.get("content-id", "")).strip().strip("<>"):
            within[cid] = number
        if disposition != "attachment" and kind == "text/plain" and not part.get_filename():
            texts.append(_text(part))
        elif disposition != "attachment" and kind == "text/html" and not part.get_filename():
            pages.append(_text(part))
        else:
            files.append(File(number, _name(part, number), whole(kind), len(_content(part))))
    html = "\n".join(pages)
    for cid, number in within.items():
        html = html.replace(f"cid:{cid}", f"/messages/{id}/parts/{number}?inline=1")
    return "\n".join(texts), html, files, trouble


def _content(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _text(part: EmailMessage) -> str:
    charset = part.get_content_charset("utf-8")
    try:
        return whole(_content(part).decode(charset, "replace"))
    except LookupError:
        return _content(part).decode("utf-8", "replace")


def _name(part: EmailMessage, number: int) -> str:
    return whole(part.get_filename() or f"part {number}").replace("/", "_").replace("\\", "_")
