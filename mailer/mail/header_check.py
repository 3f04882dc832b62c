"""Whether the header of a stranger's message is one that every reader reads alike.

For mail that is only handed on, and so neither completed nor put right: where two readers differ about what is a field, one of them is
deceived about who wrote it (RFC 5322 §2.2). Used before such a message is taken.
"""

from __future__ import annotations

from .message import header_end, normalise

MAX_HEADER = 1_000_000  # octets
MAX_FIELDS = 1000
MAX_LINES = 20_000  # of all fields: a folded field is read line by line


def useless_header(content: bytes, max_octets: int = MAX_HEADER, max_fields: int = MAX_FIELDS) -> str:
    """Why the header of `content` is of no use, as a sentence goes on behind "the header"; empty where it is sound.

    `content` is a message as it came, whatever its line ends are. No more than `max_octets` of it are read, each a few times.
    """
    head = _head(content[: max_octets + 1])
    if head[:1] in (b" ", b"\t"):
        return "begins with a blank"
    if len(head) > max_octets:
        return f"has more than {max_octets} octets"
    if head.count(b"\n") + head.count(b"\r") > 2 * MAX_LINES:
        return f"has more than {MAX_LINES} lines"
    head = normalise(head) if head else b""
    unfolded = head.replace(b"\r\n ", _FOLD).replace(b"\r\n\t", _FOLD)
    if unfolded.count(b"\r\n") > max_fields:
        return f"has more than {max_fields} fields"
    if header_end(unfolded) < len(unfolded):
        return "has a line that is no field"
    return ""


_FOLD = b"\xff"  # what stands in no name, so that a name that goes on behind a fold is none


def _head(content: bytes) -> bytes:
    """What stands before the first empty line, whatever ends the lines; all of it, where there is no such line."""
    breaks = (b"\n\n", b"\n\r\n") if b"\n" in content else (b"\r\r",)
    if content.startswith((b"\n", b"\r\n", breaks[0][:1])):
        return b""
    ends = [at for each in breaks if (at := content.find(each)) >= 0]
    return content[: min(ends) + 1] if ends else content
