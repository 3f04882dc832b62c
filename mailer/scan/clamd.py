"""ClamAV's daemon: a message is streamed to it in pieces, and it answers ``stream: OK`` or names what it found. clamd(8), INSTREAM.

``zINSTREAM`` and a NUL, then pieces, each behind its length in four octets, and a length of nothing at the end; the answer ends in a NUL.
Where a message is larger than clamd is configured to take, it answers and closes while we still send: the answer is there to be read all
the same. Only ``stream: OK`` is clean. What it does not look into, because an archive unpacks to too much, it calls OK, too; that is for
its own settings (AlertExceedsMax) to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .opinion import Opinion, ScanError, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = b"zINSTREAM\0"
PING, PONG = b"zPING\0", b"PONG\0"
PIECE = 1 << 16  # octets
MOST = 4096  # octets of an answer

_TOO_LARGE = b"INSTREAM size limit exceeded"


def pieces(content: bytes) -> Iterator[bytes]:
    """What is sent for `content`, in order."""
    yield COMMAND
    view = memoryview(content)
    for start in range(0, len(content), PIECE):
        piece = view[start : start + PIECE]
        yield len(piece).to_bytes(4, "big") + piece
    yield bytes(4)


def is_whole(data: bytes) -> bool:
    """Whether `data` is an answer to its end. Raises `ScanError` for one that is too long."""
    if len(data) > MOST:
        raise ScanError(f"clamd says more than {MOST} octets")
    return b"\0" in data


def read(data: bytes) -> Opinion:
    """What the answer `data` says. Raises `ScanError` for one that is torn, or of another kind."""
    if not is_whole(data):
        raise ScanError(f"clamd hung up within its answer: {plain(data, 60)!r}" if data else "clamd hung up without an answer")
    line = data.partition(b"\0")[0].strip()
    if line == b"stream: OK":
        return Opinion(reason="clean")
    if line.startswith(b"stream: ") and line.endswith(b" FOUND"):
        name = plain(line[len(b"stream: ") : -len(b" FOUND")]) or "a virus without a name"
        return Opinion("refuse", reason=f"it has the virus {name}", virus=name)
    if line.startswith(_TOO_LARGE):
        return Opinion(unscanned="larger than clamd takes")
    raise ScanError(f"clamd says {plain(line, 120)!r}")
