"""BODYSTRUCTURE, with extension data, and BODY, without: which parts a message has, as IMAP sends it. RFC 9051 §7.5.2, RFC 3501 §7.4.2.

Without recursion, though parts are within parts: what is still to be written waits in a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mime.header import header

from .envelope import FIELDS, envelope
from .strings import NIL, ntext, string

if TYPE_CHECKING:
    from mailer.mime.parameters import Parameters
    from mailer.mime.tree import Part

EMPTY = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0'
"""A part of a multipart that has none, for the grammar wants one."""


def bodystructure(content: bytes, part: Part, *, extended: bool = True) -> bytes:
    """The structure of the message `part`, which was read from `content`."""
    made: list[bytes] = []
    waiting: list[Part | bytes] = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, bytes):
            made.append(each)
        elif each.type == "multipart":
            made.append(b"(")
            waiting.append(b" %b%b)" % (_quoted(each.subtype), _multipart_extension(each) if extended else b""))
            waiting += reversed(each.parts) if each.parts else (EMPTY + (b" NIL NIL NIL NIL)" if extended else b")"),)
        else:
            made.append(b"(" + _basic(each))
            tail = (_extension(each) if extended else b"") + b")"
            if each.message is not None:
                inner = header(content, each.message.start, each.message.header_end, FIELDS)
                made.append(b" %b " % envelope(inner))
                waiting += (b" %d%b" % (each.lines, tail), each.message)
            else:
                made.append((b" %d" % each.lines if each.type == "text" else b"") + tail)
    return b"".join(made)


def _basic(part: Part) -> bytes:
    """body-fields behind the type, RFC 9051 §9."""
    params = part.params
    if part.type == "text" and not any(name in ("charset", "charset*") for name, _ in params):
        params = (*params, ("charset", "us-ascii"))  # RFC 2045 §5.2
    return b"%b %b %b %b %b %b %d" % (
        _quoted(part.type),
        _quoted(part.subtype),
        _parameters(params),
        ntext(part.id or None),
        ntext(part.description or None),
        _quoted(part.encoding or "7bit"),  # RFC 2045 §6.1
        part.end - part.header_end,
    )


def _quoted(text: str) -> bytes:
    return string(text.encode("utf-8", "surrogateescape"))


def _parameters(params: Parameters) -> bytes:
    return b"(%b)" % b" ".join([b"%b %b" % (_quoted(name), _quoted(value)) for name, value in params]) if params else NIL


def _extension(part: Part) -> bytes:
    """body-ext-1part: MD5, disposition, language, location."""
    if part.disposition is None and not part.md5 and not part.language and not part.location:
        return b" NIL NIL NIL NIL"
    return b" " + ntext(part.md5 or None) + _described(part)


def _multipart_extension(part: Part) -> bytes:
    """body-ext-mpart: parameters, disposition, language, location."""
    return b" " + _parameters(part.params) + _described(part)


def _described(part: Part) -> bytes:
    disposition = b"(%b %b)" % (_quoted(part.disposition[0]), _parameters(part.disposition[1])) if part.disposition else NIL
    language = b"(%b)" % b" ".join([_quoted(tag) for tag in part.language]) if part.language else NIL
    return b" %b %b %b" % (disposition, language, ntext(part.location or None))
