"""A file that travels with a message: what it is called, what it is, and how both are written.

Contents are never changed: base 64 brings them over octet by octet. Only a message
that is attached stays readable, for RFC 2046 §5.2.1 allows it no other encoding than that of its lines.

What a file is, the ending of its name decides, for it tells a spreadsheet from an archive where the octets are the same. Where it begins
with the octets of a picture or a document of another kind than the name says, they decide: a mail program that is told a wrong one shows
nothing. Without a known ending it is what its octets say; what they do not say either is text if it can be read as such.

A list of our own, and not the standard library's, which reads files of the machine: the same parts make the same message
everywhere. And not a library: those on PyPI know a thousand types where a mail program asks for thirty.
"""

from __future__ import annotations

from typing import NamedTuple

from mailer.mail.message import normalise
from mailer.mail.mime import base64_lines, is_plain, parameter
from mailer.mail.text import is_utf8

from .fields import EmailError, checked

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


UNKNOWN = "application/octet-stream"

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."

TYPES = {
    "7z": "application/x-7z-compressed", "aac": "audio/aac", "asc": "application/pgp-keys", "avi": "video/x-msvideo", "avif": "image/avif",
    "bmp": "image/bmp", "bz2": "application/x-bzip2", "c": "text/x-c", "conf": "text/plain", "css": "text/css", "csv": "text/csv",
    "diff": "text/x-diff", "doc": "application/msword", "docx": _OFFICE + "wordprocessingml.document", "eml": "message/rfc822",
    "epub": "application/epub+zip", "flac": "audio/flac", "gif": "image/gif", "gz": "application/gzip", "heic": "image/heic",
    "htm": "text/html", "html": "text/html", "ics": "text/calendar", "jpeg": "image/jpeg", "jpg": "image/jpeg", "js": "text/javascript",
    "json": "application/json", "log": "text/plain", "m4a": "audio/mp4", "md": "text/markdown", "mov": "video/quicktime",
    "mp3": "audio/mpeg", "mp4": "video/mp4", "odp": _OPEN + "presentation", "ods": _OPEN + "spreadsheet", "odt": _OPEN + "text",
    "ogg": "audio/ogg", "patch": "text/x-diff", "pdf": "application/pdf", "png": "image/png", "ppt": "application/vnd.ms-powerpoint",
    "pptx": _OFFICE + "presentationml.presentation", "ps": "application/postscript", "py": "text/x-python", "rtf": "application/rtf",
    "sh": "text/x-sh", "sig": "application/pgp-signature", "sql": "application/sql", "svg": "image/svg+xml", "tar": "application/x-tar",
    "tgz": "application/gzip", "tif": "image/tiff", "tiff": "image/tiff", "toml": "application/toml", "tsv": "text/tab-separated-values",
    "txt": "text/plain", "vcf": "text/vcard", "wav": "audio/wav", "webm": "video/webm", "webp": "image/webp",
    "xls": "application/vnd.ms-excel", "xlsx": _OFFICE + "spreadsheetml.sheet", "xml": "application/xml", "xz": "application/x-xz",
    "yaml": "application/yaml", "yml": "application/yaml", "zip": "application/zip", "zst": "application/zstd",
}  # fmt: skip
"""Ending of a name → type."""

CERTAIN = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)  # fmt: skip
"""Beginnings that nothing else has, of types that mail programs show: these overrule a name."""

LIKELY = (
    (b"PK\x03\x04", "application/zip"), (b"\x1f\x8b", "application/gzip"), (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"), (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"), (b"OggS", "audio/ogg"), (b"fLaC", "audio/flac"), (b"ID3", "audio/mpeg"),
    (b"{\\rtf", "application/rtf"), (b"%!PS", "application/postscript"), (b"BEGIN:VCARD", "text/vcard"),
    (b"BEGIN:VCALENDAR", "text/calendar"), (b"-----BEGIN PGP SIGNATURE", "application/pgp-signature"),
)  # fmt: skip
"""Beginnings that tell the type of what has no telling name."""

RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
"""Four octets behind the length of a RIFF file → type."""


def kind_of(name: str, data: bytes) -> str:
    """The type of a file that is called `name` and holds `data`."""
    certain = _beginning(data, CERTAIN)
    return certain or by_name(name) or _beginning(data, LIKELY) or _container(data) or ("text/plain" if _is_text(data) else UNKNOWN)


def by_name(name: str) -> str:
    """The type that the ending of `name` stands for, empty if it stands for none."""
    _, dot, ending = name.rpartition(".")
    return TYPES.get(ending.lower(), "") if dot else ""


def _beginning(data: bytes, table: tuple[tuple[bytes, str], ...]) -> str:
    return next((type for beginning, type in table if data.startswith(beginning)), "")


def _container(data: bytes) -> str:
    if data[:4] == b"RIFF":
        return RIFF.get(data[8:12], "")
    return "video/mp4" if data[4:8] == b"ftyp" else ""


def _is_text(data: bytes) -> bool:
    """Whether people can read it: UTF-8 without control characters but those that make lines, columns and pages."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and not any(char < " " and char not in "\t\n\r\f" for char in set(text))
