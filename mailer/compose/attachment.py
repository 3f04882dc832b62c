"""A file that travels with a message: what it is called, what it is, and how both are written.

Contents are never changed: base 64 brings them over octet by octet. Only a message
that is attached stays readable, for RFC 2046 §5.2.1 allows it no other encoding than that of its lines.
"""

from __future__ import annotations

from typing import NamedTuple

from mailer.mail.charset import is_utf8
from mailer.mail.message import normalise
from mailer.mail.mime import base64_lines, is_plain, parameter

from .fields import EmailError, checked
from .kinds import UNKNOWN, kind_of

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&^_.+-")  # RFC 6838 §4.2


class Attachment(NamedTuple):
    """A file: `data` under a `name`, of a media `type`; shown within the HTML as ``cid:CONTENT_ID`` if it has a `content_id`."""

    data: bytes
    name: str = ""
    type: str = ""  # empty: what the name and the first octets say
    content_id: str = ""

    def __repr__(self) -> str:
        return f"Attachment({self.name!r}, {self.type or kind_of(self.name, self.data)!r}, {len(self.data)} octets)"


def file_part(file: Attachment) -> bytes:
    """The part of a message that holds `file`. Raises `EmailError`."""
    name = checked("the name of an attachment", file.name)
    encoding, type, body = _encoded(_type(file, name), file.data)
    head = [
        f"Content-Type: {type}\r\n",
        f"Content-Disposition: {'inline' if file.content_id else 'attachment'}{''.join(parameter('filename', name)) if name else ''}\r\n",
        f"Content-ID: <{_content_id(file.content_id)}>\r\n" if file.content_id else "",
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n",
    ]
    return "".join(head).encode() + body


def _type(file: Attachment, name: str) -> str:
    type = checked("the type of an attachment", file.type) or kind_of(name, file.data)
    kind, _, rest = type.partition(";")
    major, _, minor = kind.strip().partition("/")
    if not (major and minor and _TOKEN.issuperset(major + minor)) or not type.isascii() or len(type) > 200 or major.lower() == "multipart":
        raise EmailError("attachment", f"{type!r} is no type of an attachment; they look like application/pdf")
    if major.lower() == "text" and "charset" not in rest.lower() and is_utf8(file.data):
        type += "; charset=utf-8"
    return type


def _content_id(text: str) -> str:
    inner = text.removeprefix("<").removesuffix(">")
    if not inner or len(inner) > 200 or not all("!" <= c <= "~" and c not in "<>" for c in inner):
        raise EmailError("attachment", f"{text[:80]!r} is no content ID; letters, digits and dots make one")
    return inner


def _encoded(type: str, data: bytes) -> tuple[str, str, bytes]:
    """Transfer encoding, type, and the octets on the wire."""
    if type.lower().startswith("message/"):
        message = normalise(data)
        if is_plain(message):
            return "7bit", type, message
        type = UNKNOWN  # as a message it could not be sent to every server
    return "base64", type, b"".join(base64_lines(data, 0, len(data)))
