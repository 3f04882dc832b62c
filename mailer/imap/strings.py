"""Strings of IMAP: quoted where they are short and plain, else literals; NIL for none. RFC 9051 §4.3, RFC 3501 §4.3.

What is made here is good for both revisions: octets above 127 are sent in literals, which every client takes.
"""

from __future__ import annotations

NIL = b"NIL"
LONGEST_QUOTED = 1000  # octets; a line of an answer stays short


def string(value: bytes) -> bytes:
    """A string; no octet of it is NUL, which neither form can have (CHAR8)."""
    if value.isascii() and len(value) <= LONGEST_QUOTED and b"\r" not in value and b"\n" not in value and b"\0" not in value:
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"' if b"\\" in value or b'"' in value else b'"' + value + b'"'
    value = value.replace(b"\0", b" ")
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    """A string, or NIL for None."""
    return NIL if value is None else string(value)


def ntext(value: str | None) -> bytes:
    """Text as a string, NIL for None; surrogates are the octets that they stand for."""
    return NIL if value is None else string(value.encode("utf-8", "surrogateescape"))
