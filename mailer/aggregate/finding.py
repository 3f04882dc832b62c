"""Which parts of a message hold an aggregate report, and what these say.

Used by whoever reads reports: `kind_of` is the short look that tells them from other mail, `read` the long one. A part counts by what is
in it once it is unpacked, not by what it is called: reporters send the same document as ``application/gzip``, ``application/zip``,
``text/xml``, ``application/octet-stream``, in a multipart or as the whole message, under names of RFC 7489 §7.2.1.1 and RFC 8460 §5.1
or others. Only what can be one by its media type or name is unpacked, and of that first a piece. A message within the message is not
looked into: what somebody forwards or returns is no report to us.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, a2b_qp
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.entity import MAX_DEPTH, OPEN, Entity, pieces
from mailer.mail.message import Message, blocks, normalise

from . import dmarc, tlsrpt
from .summary import BadReport
from .unpacking import MOST, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from .summary import DmarcReport, TlsReport

    Kind = Literal["dmarc", "tlsrpt"]

MOST_PARTS = 100  # of a message that are walked through; a report has one to five
MOST_REPORTS = 10  # of a message
LONGEST_HEADER = 256 * 1024  # octets of the header of a message, or of a part

MEDIA = frozenset({
    "application/gzip", "application/x-gzip", "application/gzip-compressed", "application/x-gunzip", "application/zip",
    "application/x-zip", "application/x-zip-compressed", "application/xml", "text/xml", "application/json", "application/octet-stream",
    "application/tlsrpt+json", "application/tlsrpt+gzip", "application/x-compressed", "multipart/x-zip",
})  # fmt: skip
"""Media types under which these documents come. RFC 8460 §6.4, §6.5 has two of them, RFC 7489 §7.2.1.1 one; reporters have the others."""

NAMES = (".xml", ".xml.gz", ".gz", ".zip", ".json", ".json.gz")


class Aggregate(NamedTuple):
    """What a message reports in sums. `problems` says of each document that could not be read why, as a sentence."""

    dmarc: tuple[DmarcReport, ...] = ()
    tlsrpt: tuple[TlsReport, ...] = ()
    problems: tuple[str, ...] = ()


def kind_of(content: bytes) -> Kind | None:
    """Whether the message `content` holds such a report, and of which kind the first one is; unpacks no more than 64 KiB of each part."""
    for part in _candidates(content):
        if kind := _kind(part):
            return kind
    return None


def read(content: bytes) -> Aggregate:
    """What the reports in the message `content` say. Never raises: what cannot be read is among the problems."""
    reports: list[DmarcReport] = []
    tls_reports: list[TlsReport] = []
    problems: list[str] = []
    room = _Room()
    for data in _candidates(content):
        if len(reports) + len(tls_reports) + len(problems) >= MOST_REPORTS:
            problems.append(f"there are more than {MOST_REPORTS} documents in it; the others were not read")
            break
        kind = _kind(data)
        try:
            if kind == "dmarc":
                reports.append(dmarc.read(room.take(unpacked(data))))
            elif kind == "tlsrpt":
                tls_reports.append(tlsrpt.read(room.take(unpacked(data))))
            else:
                _complain(data)
        except BadReport as error:
            problems.append(str(error))
    return Aggregate(tuple(reports), tuple(tls_reports), tuple(problems))


class _Room:
    """What all documents of a message have together, unpacked: a message of many costs no more than one that is as large as may be."""

    def __init__(self) -> None:
        self._left = MOST

    def take(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The `pieces` of a document, as far as there is room. Raises `BadReport`."""
        for piece in pieces:
            self._left -= len(piece)
            if self._left < 0:
                raise BadReport(f"unpacked, it and those before it in the message are larger than {MOST} bytes")
            yield piece


def _kind(data: bytes) -> Kind | None:
    try:
        start = next((piece for piece in unpacked(data) if piece), b"")
    except BadReport:
        return None
    if tlsrpt.is_root(start):
        return "tlsrpt"
    return "dmarc" if dmarc.is_root(start) else None


def _complain(data: bytes) -> None:
    """Say what is wrong with a document that is neither. Raises `BadReport`."""
    for _ in unpacked(data):
        break
    raise BadReport("it is neither a DMARC report nor a TLS report")


def _candidates(content: bytes) -> Iterator[bytes]:
    """The octets of each part that may be one."""
    data = normalise(content)
    left = [(_entity(data, 0, len(data)), 0)]
    seen = 0
    while left and seen < MOST_PARTS:
        entity, depth = left.pop()
        seen += 1
        kind = entity.kind("text/plain")
        if kind.startswith("multipart/") and depth < MAX_DEPTH:
            inner = pieces(entity.type, data, entity.start, entity.end)
            if inner is not None:
                places = islice(((start, end) for start, end, role in inner if role == "part"), MOST_PARTS)
                parts = [(_entity(data, min(start + 2, end), end), depth + 1) for start, end in places]  # behind the delimiter's line
                left += reversed(parts)
                continue
        if kind in MEDIA or _named(entity):
            yield _decoded(entity, data)


def _entity(data: bytes, start: int, end: int) -> Entity:
    """The entity at this place; one with a header that no program writes is one without."""
    found = Entity.within(data, start, end)
    return found._replace(header=Message(b"", b"")) if len(found.header.header) > LONGEST_HEADER else found


def _named(entity: Entity) -> bool:
    """Whether a file name in its header ends as theirs do."""
    texts = (entity.type, entity.header.value(b"content-disposition") or "")
    return any(text.lower().rstrip('"; ').endswith(NAMES) for text in texts)


def _decoded(entity: Entity, data: bytes) -> bytes:
    """Its body without the transfer encoding, RFC 2045 §6; what is no base64 within it is passed over, as §6.8 has it."""
    encoding = entity.encoding
    if encoding == "base64":
        return b"".join(_base64(data, entity.start, entity.end))
    if encoding == "quoted-printable":
        return a2b_qp(data[entity.start : entity.end])
    return data[entity.start : entity.end] if encoding in OPEN else b""


_OTHERS = bytes(octet for octet in range(256) if not (chr(octet).isalnum() and octet < 128) and octet not in b"+/")


def _base64(data: bytes, start: int, end: int) -> Iterator[bytes]:
    """In pieces, so that no other thread waits long."""
    rest = b""
    for block in blocks(data, start, end):
        rest += block.translate(None, _OTHERS)
        whole = len(rest) - len(rest) % 4
        yield a2b_base64(rest[:whole])
        rest = rest[whole:]
    try:
        yield a2b_base64(rest + b"=" * (-len(rest) % 4))
    except Error:
        return  # one symbol too many
