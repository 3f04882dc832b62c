"""What is answered about folders: LIST, LSUB, STATUS, and the names in them. RFC 9051 §7.3, RFC 3501 §7.2, RFC 5258 §6.

Each function makes one untagged line, without ``*`` before it and the end behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .names import modified_utf7

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DELIMITER = b'"/"'


def folder_name(name: str, *, utf8: bool) -> bytes:
    """The name of a folder, quoted: in UTF-8 where the client has asked for that (RFC 9051 §5.1, RFC 6855 §3), else in modified UTF-7."""
    octets = name.encode() if utf8 else modified_utf7(name).encode("ascii")
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def list_line(
    name: str, attributes: Sequence[str], *, utf8: bool, childinfo: Sequence[str] = (), old_name: str = "", lsub: bool = False
) -> bytes:
    """LIST, or LSUB: a name with its attributes, what CHILDINFO says (RFC 9051 §6.3.9.6), and what it was called (§6.3.9.7)."""
    head = b"LSUB" if lsub else b"LIST"
    more = []
    if childinfo:
        more.append(b'"CHILDINFO" (%b)' % b" ".join(b'"%b"' % each.encode("ascii") for each in childinfo))
    if old_name:
        more.append(b'"OLDNAME" (%b)' % folder_name(old_name, utf8=utf8))
    tail = b" (%b)" % b" ".join(more) if more else b""
    return b"%b (%b) %b %b%b" % (head, " ".join(attributes).encode("ascii"), DELIMITER, folder_name(name, utf8=utf8), tail)


def status_line(name: str, items: Mapping[str, int | str | None], *, utf8: bool) -> bytes:
    """STATUS: items with their values; None is NIL (RFC 7889 §3.1), text stands in parentheses (RFC 8474 §4.3)."""
    said = " ".join(f"{item} {_value(value)}" for item, value in items.items())
    return b"STATUS %b (%b)" % (folder_name(name, utf8=utf8), said.encode("ascii"))


def mailbox_id(folder: int) -> str:
    """The MAILBOXID of the folder with that number, which no other folder of its owner ever has (RFC 8474 §4)."""
    return f"F{folder}"


def _value(value: int | str | None) -> str:
    return "NIL" if value is None else f"({value})" if isinstance(value, str) else str(value)
