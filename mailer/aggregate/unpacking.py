"""A document out of its wrapping: gzip (RFC 1952), ZIP (PKWARE's APPNOTE.TXT), or none; in pieces, and never more than is allowed.

Used by `finding`. What is compressed may come to a thousand times its size, so the result is counted as it grows: `MOST` octets, `RATIO`
times what came, `MEMBERS` files. Sums and sizes that the wrapping declares have to hold. A wrapping within a wrapping is refused: no
reporter writes one, and each level would multiply the bounds.

The ZIP reader is our own, since the standard library's makes an object of each entry of the directory before anybody can
count them. It reads what reporters write: one disk, stored or deflated, not encrypted.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from .summary import BadReport

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

MOST = 20 << 20  # octets of a document, unpacked
RATIO = 200  # times its packed size; XML of reports comes to about twenty
MEMBERS = 10  # files of a ZIP, or parts of a gzip file
PIECE = 1 << 16  # octets that are handed on together

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
_END, _ENTRY = b"PK\x05\x06", b"PK\x01\x02"
_END_RECORD = struct.Struct("<4s4H2LH")  # APPNOTE.TXT §4.3.16
_DIRECTORY_RECORD = struct.Struct("<4s6H3L5H2L")  # §4.3.12
_LOCAL_RECORD = struct.Struct("<4s5H3L2H")  # §4.3.7
_COMMENT = 0xFFFF  # octets of the longest comment behind the directory
_STORED, _DEFLATED = 0, 8  # §4.4.5
_ENCRYPTED = 1  # §4.4.4


def unpacked(data: bytes) -> Iterator[bytes]:
    """The document in `data`, in pieces of at most `PIECE` octets; what is not packed comes as it is.

    Raises `BadReport`, at the latest where the bound is met: what came before is not to be used then.
    """
    pieces: Iterator[bytes]
    if data.startswith(GZIP):
        pieces = _gunzipped(data)
    elif data.startswith(ZIP):
        pieces = _unzipped(data)
    else:
        pieces = _plain(data, 0, len(data))
    size, most = 0, min(MOST, RATIO * len(data))
    for piece in pieces:
        if not size and piece.startswith((GZIP, ZIP)):
            raise BadReport("it is packed more than once")
        size += len(piece)
        if size > most:
            raise BadReport(f"unpacked it is larger than {most} bytes, the most that {len(data)} may become")
        yield piece


def _plain(data: bytes, start: int, end: int) -> Iterator[bytes]:
    return (data[at : min(at + PIECE, end)] for at in range(start, end, PIECE))


def _gunzipped(data: bytes) -> Iterator[bytes]:
    """RFC 1952 §2.2: members one behind the other. zlib checks the sum and the size of each."""
    at = 0
    for _ in range(MEMBERS):
        at = yield from _inflated(zlib.decompressobj(zlib.MAX_WBITS | 16), data, at, len(data))
        if not data[at:].strip(b"\0"):  # zeros fill blocks of tapes, and say nothing
            return
        if not data.startswith(GZIP, at):
            raise BadReport("there is something else behind its gzip data")
    raise BadReport(f"its gzip data has more than {MEMBERS} members")


def _inflated(stream: zlib._Decompress, data: bytes, start: int, end: int) -> Generator[bytes, None, int]:
    """What the packed octets from `start` on come to; returns where they end."""
    try:
        for at in range(start, end, PIECE):
            packed = data[at : min(at + PIECE, end)]
            while packed and not stream.eof:
                yield stream.decompress(packed, PIECE)
                packed = stream.unconsumed_tail
            if stream.eof:
                return min(at + PIECE, end) - len(stream.unused_data)
        while not stream.eof and (piece := stream.decompress(b"", PIECE)):
            yield piece
    except zlib.error as error:
        raise BadReport(f"it cannot be unpacked: {error}") from None
    if not stream.eof:
        raise BadReport("its packed data ends too early")
    return end


def _unzipped(data: bytes) -> Iterator[bytes]:
    """The one file that is a document; others that reporters add (a style sheet, a read-me) are not looked at."""
    files = [entry for entry in _directory(data) if not entry[0].endswith(b"/")]
    documents = [entry for entry in files if entry[0].lower().endswith((b".xml", b".json"))] or files
    if len(documents) != 1:
        raise BadReport(f"its ZIP archive has {len(documents)} documents in place of one")
    return _member(data, *documents[0][1:])


def _directory(data: bytes) -> Iterator[tuple[bytes, int, int, int, int, int]]:
    """(name, method, sum, packed size, size, place) of each entry of the directory at the end."""
    at = data.rfind(_END, max(0, len(data) - _COMMENT - _END_RECORD.size))
    if at < 0 or at + _END_RECORD.size > len(data):
        raise BadReport("its ZIP archive is cut off: the directory at its end is missing")
    _, _, _, _, count, _, place, _ = _END_RECORD.unpack_from(data, at)
    if count > MEMBERS:
        raise BadReport(f"its ZIP archive has {count} files, more than {MEMBERS}")
    for _ in range(count):
        if not data.startswith(_ENTRY, place) or place + _DIRECTORY_RECORD.size > len(data):
            raise BadReport("the directory of its ZIP archive is damaged")
        fields = _DIRECTORY_RECORD.unpack_from(data, place)
        flags, method, crc, packed, size, name, extra, comment, start = (*fields[3:5], *fields[7:13], fields[16])
        if flags & _ENCRYPTED:
            raise BadReport("its ZIP archive is encrypted")
        place += _DIRECTORY_RECORD.size
        yield data[place : place + name], method, crc, packed, size, start
        place += name + extra + comment


def _member(data: bytes, method: int, crc: int, packed: int, size: int, place: int) -> Iterator[bytes]:
    if not data.startswith(ZIP, place) or place + _LOCAL_RECORD.size > len(data):
        raise BadReport("the directory of its ZIP archive is damaged")
    name, extra = _LOCAL_RECORD.unpack_from(data, place)[-2:]
    start = place + _LOCAL_RECORD.size + name + extra
    end = min(start + packed, len(data))
    pieces: Iterator[bytes]
    if method == _DEFLATED:
        pieces = _inflated(zlib.decompressobj(-zlib.MAX_WBITS), data, start, end)
    elif method == _STORED:
        pieces = _plain(data, start, end)
    else:
        raise BadReport(f"its ZIP archive is packed by method {method}, and neither stored nor deflated")
    found = total = 0
    for piece in pieces:
        found, total = zlib.crc32(piece, found), total + len(piece)
        if total > size:
            break
        yield piece
    if (found, total) != (crc, size):
        raise BadReport("the sum or the size of the file in its ZIP archive is wrong")
