"""What is said of messages that were found: SEARCH, ESEARCH, SORT and THREAD. RFC 9051 §7.3.4, RFC 3501 §7.2.5, RFC 4731, RFC 5256 §4.

Each is a line without ``* `` before it and without its end. Numbers are what the command asks for, UIDs or numbers of messages, ascending
but for SORT. A MODSEQ of 0 is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .sets import written
from .strings import string

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from .threading import Forest

OPTIONS: Final = frozenset({"MIN", "MAX", "ALL", "COUNT", "SAVE"})
"""What RETURN may ask for: RFC 9051 §6.4.4; SAVE is of SORT as well, RFC 5182 §2.1, RFC 5267 §3.1."""
_CLOSE: Final = -1


def search_line(numbers: Sequence[int], modseq: int = 0, name: bytes = b"SEARCH") -> bytes:
    """SEARCH, or SORT by that `name`: numbers one by one; with the highest MODSEQ of theirs where it is asked for (RFC 7162 §3.1.5)."""
    pieces = [name, *[b"%d" % number for number in numbers]]
    if modseq and numbers:
        pieces.append(b"(MODSEQ %d)" % modseq)
    return b" ".join(pieces)


def esearch_line(tag: bytes, numbers: Sequence[int], returns: AbstractSet[str], modseq: int = 0, *, uid: bool = False) -> bytes:
    """ESEARCH, RFC 9051 §7.3.4: what `returns` asks for, all where it asks for nothing. Where nothing was found, at most how many."""
    wanted = returns or {"ALL"}
    pieces = [b"ESEARCH (TAG %b)" % string(tag)]
    pieces += [b"UID"] if uid else []
    if numbers:
        pieces += [b"MIN %d" % numbers[0]] if "MIN" in wanted else []
        pieces += [b"MAX %d" % numbers[-1]] if "MAX" in wanted else []
        pieces += [b"ALL %b" % written(numbers)] if "ALL" in wanted else []
    pieces += [b"COUNT %d" % len(numbers)] if "COUNT" in wanted else []
    if modseq and numbers:
        pieces.append(b"MODSEQ %d" % modseq)
    return b" ".join(pieces)


def thread_line(forest: Forest, numbers: Sequence[int]) -> bytes:
    """THREAD, RFC 5256 §4: the conversations with the number of each message by its place; a message that is not there has none."""
    pieces: list[bytes] = []
    waiting: list[int] = []
    for root in forest.roots:
        waiting.append(root)
        while waiting:
            node = waiting.pop()
            pieces.append(b")" if node == _CLOSE else b"(")
            if node != _CLOSE:
                waiting += (_CLOSE, *reversed(_chain(forest, numbers, node, pieces)))
    return b"THREAD " + b"".join(pieces) if pieces else b"THREAD"


def _chain(forest: Forest, numbers: Sequence[int], node: int, pieces: list[bytes]) -> Sequence[int]:
    """Say a message, and those below it as long as each has one answer; the answers of the last."""
    if node < len(numbers):
        pieces.append(b"%d" % numbers[node])
    while len(answers := forest.children[node]) == 1:
        node = answers[0]
        pieces.append(b" %d" % numbers[node])
    if answers and node < len(numbers):
        pieces.append(b" ")
    return answers
