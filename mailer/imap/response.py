"""Lines that the server says: status, codes, and what is told of a folder. RFC 9051 §7.

All are octets without CRLF, and those that are untagged without ``* ``, as `ImapServer.say` takes them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .flags import NAMES
from .sets import written
from .strings import NIL, string

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .answer import Answer

_UNPRINTABLE = re.compile(r"[^ -~]")
LONGEST_TEXT = 400  # letters of a text for people


def status(kind: str, text: str, code: str = "") -> bytes:
    """OK, NO, BAD, BYE with a text for people, and a code. RFC 9051 §7.1

    What another has written may be in the text: nothing in it begins a line, or a code.
    """
    words = _UNPRINTABLE.sub("?", text)[:LONGEST_TEXT].lstrip("[ ") or "-"
    return f"{kind} [{_UNPRINTABLE.sub('?', code)}] {words}".encode() if code else f"{kind} {words}".encode()


def tagged(tag: str, answer: Answer) -> bytes:
    """The line that ends a command; that of a command without a tag is untagged."""
    return tag.encode() + b" " + status(answer.kind, answer.text, answer.code)


def capability(words: Sequence[str]) -> bytes:
    """CAPABILITY. RFC 9051 §7.2.2"""
    return b"CAPABILITY " + " ".join(words).encode()


def enabled(words: Sequence[str]) -> bytes:
    """ENABLED, which may be without a word. RFC 9051 §7.2.1"""
    return " ".join(["ENABLED", *words]).encode()


def identity(fields: Mapping[str, str]) -> bytes:
    """ID. RFC 2971 §3.2"""
    if not fields:
        return b"ID " + NIL
    return b"ID (%b)" % b" ".join([string(part.encode()) for pair in fields.items() for part in pair])


def namespace() -> bytes:
    """NAMESPACE: all folders are the user's own, with ``/`` between levels. RFC 9051 §7.3.2"""
    return b'NAMESPACE (("" "/")) NIL NIL'


def exists(count: int) -> bytes:
    """EXISTS. RFC 9051 §7.4.1"""
    return b"%d EXISTS" % count


def recent(count: int) -> bytes:
    """RECENT, for clients of IMAP4rev1. RFC 3501 §7.3.2"""
    return b"%d RECENT" % count


def expunge(number: int) -> bytes:
    """EXPUNGE. RFC 9051 §7.5.1"""
    return b"%d EXPUNGE" % number


def vanished(uids: Iterable[int], *, earlier: bool = False) -> bytes:
    """VANISHED, of UIDs that ascend; `earlier` where they went before they could be told. RFC 7162 §3.2.10"""
    return b"VANISHED (EARLIER) " + written(uids) if earlier else b"VANISHED " + written(uids)


def folder_flags(keywords: Iterable[str] = ()) -> bytes:
    """FLAGS: those that messages of the folder have or can have. RFC 9051 §7.3.5"""
    return f"FLAGS ({' '.join([*NAMES.values(), *keywords])})".encode()


def permanent_flags(keywords: Iterable[str] = (), *, readonly: bool = False, more: bool = True) -> bytes:
    """OK [PERMANENTFLAGS …]: those that a client can change, and with `more` that it can make keywords. RFC 9051 §7.1"""
    words = [] if readonly else [*NAMES.values(), *keywords, *(["\\*"] if more else [])]
    return status("OK", "none can be changed" if readonly else "these last", f"PERMANENTFLAGS ({' '.join(words)})")


def code(name: str, value: int, text: str = "") -> bytes:
    """OK with a code that has a number: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ. RFC 9051 §7.1, RFC 7162 §3.1.2.1"""
    return status("OK", text or name.lower(), f"{name} {value}")


def closed() -> bytes:
    """OK [CLOSED]: what follows is of another folder. RFC 9051 §7.1"""
    return status("OK", "what was selected is closed", "CLOSED")


def copy_uid(uidvalidity: int, pairs: Sequence[tuple[int, int]]) -> str:
    """The code COPYUID, of pairs of UIDs that ascend on the side they come from. RFC 9051 §7.1

    Each side is written in the order of the pairs, so that both are read in step.
    """
    return f"COPYUID {uidvalidity} {_in_order([one for one, _ in pairs])} {_in_order([other for _, other in pairs])}"


def append_uid(uidvalidity: int, uids: Sequence[int]) -> str:
    """The code APPENDUID. RFC 9051 §7.1, RFC 4315 §4"""
    return f"APPENDUID {uidvalidity} {_in_order(uids)}"


def _in_order(uids: Sequence[int]) -> str:
    return written(uids).decode("ascii")
