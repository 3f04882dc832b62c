"""A spool file as bytes: reading what `put` wrote, and the records that were appended since.

::

    mailer/1 HEADERLEN BODYLEN CRC32\\n      lengths in bytes; CRC-32 over envelope line and body
    {…envelope…}\\n                         fixed at submission
    …BODYLEN bytes of message…             CRLF line ends
    \\n{"at":…,"to":[0],"verdict":…}        zero or more outcome records

A record begins with its newline, so that after a torn one the next starts on a fresh line; a line that is
no whole record reads as not written. A record ends with a seal, the CRC-32 of what stands before it, so that one that was
damaged is told apart from one that was cut off: then nobody knows who has the message, and somebody has to decide. Nothing else of a
file may be wrong: what does not add up is `CorruptMessage`, and the caller sets it aside.

A note is a record with an empty ``to``: it says nothing about a recipient, and a reader that does not know it reads no outcome in it::

    {"at":…,"to":[],"note":"warned"}                the sender was told that the message is late
    {"at":…,"to":[],"note":"replayed","as":"ID"}    it was put again, as ID
    {"at":…,"to":[],"note":"released"}              an operator has released it, though a record before this is damaged
    {"at":…,"to":[],"note":"live"}                  an operator has released it, though a sandbox held when it was submitted
"""

from __future__ import annotations

import json
import re
import zlib
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.envelope_reader import EnvelopeError, LaterEnvelope, excess, from_line
from mailer.mail.outcome import VERDICT_OF, Outcome
from mailer.spool.api import CorruptMessage, LaterMessage, Note

from .enqueue import MAGIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.mail.envelope import Envelope

PIECE = 1 << 20  # bytes of a body that is only checked, at a time
HEAD_LIMIT = 64  # bytes of the first line; three numbers fit
MAX_RECORD = 64 * 1024  # bytes; what the next two allow fits in, whatever characters a reply has
MAX_TEXT = 1000  # characters of a reply that are written; each takes 12 bytes at most
MAX_TEXTS = 128 * 1024  # characters of all the replies of one attempt; where there are more, each is cut
LEAST_TEXT = 40  # characters of one that are written all the same
MAX_WEIGHT = 2 * 1024 * 1024  # of a file's records (`History.weight`); from there on all that is put off shares `FULL`
FULL = "(the record of this message is full; what was said is in the log)"
MAX_SHARED = 1000  # recipients of one record
LATER = "a later version of mailer wrote it"
SEAL = b',"crc":"'
SEALED = len(SEAL) + 10  # bytes from there to the end: eight digits, a quotation mark, a brace
NOTE = b'"note":'
RELEASED = b'"note":"released"'
_FIRST = re.compile(rb"%b (\d+) (\d+) ([0-9a-f]{8})\n" % re.escape(MAGIC))


def parse(data: bytes, id: str, recipients: int = 0) -> tuple[Envelope, int, int]:
    """(envelope, start of the body, end of the body) of the spool file `data` named `id`.

    Where somebody else wrote it, `recipients` is how many it may have; then the envelope may not be larger than those need.
    Raises `LaterMessage`, `CorruptMessage`: no such first line, lengths beyond the file, a CRC that does not hold, an envelope
    that is none, is too large, or belongs to another name.
    """
    start, middle, end, crc = _places(data[:HEAD_LIMIT], len(data))
    if zlib.crc32(memoryview(data)[start:end]) != crc:
        raise CorruptMessage("the checksum does not hold")
    line = data[start:middle]
    if recipients and (why := excess(line, recipients)):
        raise CorruptMessage(why)
    return _envelope(line, id), middle, end


def skim(read: Callable[[int, int], bytes], size: int, id: str) -> tuple[Envelope, int, int]:
    """What `parse` finds in a file of `size` bytes, of which `read` gives those from one place up to another. The body is not kept.

    Raises `CorruptMessage`.
    """
    start, middle, end, crc = _places(read(0, HEAD_LIMIT), size)
    line = read(start, middle)
    known = zlib.crc32(line)
    for at in range(middle, end, PIECE):
        known = zlib.crc32(read(at, min(at + PIECE, end)), known)
    if known != crc:
        raise CorruptMessage("the checksum does not hold")
    return _envelope(line, id), middle, end


def whole(read: Callable[[int, int], bytes], size: int, id: str) -> tuple[Envelope, bytes, int]:
    """(envelope, body, its end) of a file as for `skim`; nothing that looks at it keeps the interpreter. Raises `CorruptMessage`."""
    start, middle, end, crc = _places(read(0, HEAD_LIMIT), size)
    line, body = read(start, middle), read(middle, end)
    if zlib.crc32(body, zlib.crc32(line)) != crc:
        raise CorruptMessage("the checksum does not hold")
    return _envelope(line, id), body, end


def _places(first: bytes, size: int) -> tuple[int, int, int, int]:
    """Where the envelope begins, the body, and what follows it; and the checksum."""
    start, header_length, body_length, crc = _head(first)
    middle, end = start + header_length, start + header_length + body_length
    if end > size:
        raise CorruptMessage("the file is shorter than its first line says")
    return start, middle, end, crc


def _envelope(line: bytes, id: str) -> Envelope:
    try:
        envelope = from_line(line)
    except LaterEnvelope as error:
        raise LaterMessage(f"{LATER}: {error}") from None
    except EnvelopeError as error:
        raise CorruptMessage(str(error)) from None
    if envelope.id != id:
        raise CorruptMessage("the file's name is not the ID in its envelope")
    return envelope


def _head(data: bytes) -> tuple[int, int, int, int]:
    """The length of the first line, of the envelope and of the body, and the checksum."""
    if found := _FIRST.match(data):
        return found.end(), int(found[1]), int(found[2]), int(found[3], 16)
    line, newline, _ = data.partition(b"\n")
    words = line.split(b" ")
    magic, slash, version = words[0].partition(b"/")
    if magic + slash == MAGIC[:-1] and version.isdigit() and int(version) > int(MAGIC[-1:]):
        raise LaterMessage(f"{LATER}: its format is {version.decode()}, and this version knows {MAGIC[-1:].decode()}")
    if not newline or len(words) != 4 or words[0] != MAGIC:
        raise CorruptMessage("the file does not begin as a message of this version does")
    raise CorruptMessage("the first line is damaged")


def parse_records(tail: bytes) -> tuple[list[Outcome], list[Note], bool]:
    """The outcomes and notes in what follows the body, and whether a record is damaged; what is torn or is none reads as not written.

    What an operator has released all the same counts as damaged no more. Raises `LaterMessage` for what this version cannot know.
    """
    outcomes: list[Outcome] = []
    notes: list[Note] = []
    damaged = False
    for line in tail.split(b"\n") if tail else ():
        if not line or len(line) > MAX_RECORD:
            continue
        if (holds := _seal_holds(line)) is False:
            damaged = True
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            damaged |= _is_whole(line)
            continue
        if holds and isinstance(record, dict) and str(record.get("verdict", "defer")) not in VERDICT_OF:
            raise LaterMessage(f"{LATER}: a record of it has the verdict {str(record['verdict'])[:40]!r}")
        outcomes += _record(record)
        if NOTE in line:
            notes += _note(record)
        if holds and RELEASED in line:
            damaged = False
    return outcomes, notes, damaged


def seal(record: bytes) -> bytes:
    """`record`, a JSON object on one line, with its checksum as last member."""
    return b'%s%s%08x"}' % (record[:-1], SEAL, zlib.crc32(record[:-1]))


def _seal_holds(line: bytes) -> bool | None:
    """Whether the seal at the end of a line holds; None if it has none, since it is older or was cut off."""
    at = line.rfind(SEAL)
    if at < 0 or len(line) - at < SEALED:
        return None
    return line[at + len(SEAL) :] == b'%08x"}' % zlib.crc32(line[:at])


def _is_whole(line: bytes) -> bool:
    """Whether a line that cannot be read ends as records do, so that it was not cut off."""
    return line.endswith(b'"}') and not line.endswith(b'\\"}')


def _record(record: Any) -> list[Outcome]:
    try:
        at = parse_rfc3339(record["at"])
        if "due" in record:
            record["due"] = parse_rfc3339(record["due"])
        first = Outcome.from_record(0, at, record)  # all of them share its texts
        return [first._replace(to=to) for to in record["to"] if type(to) is int]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _note(record: Any) -> list[Note]:
    try:
        what, at, id = record["note"], record["at"], record.get("as", "")
        return [Note(what, parse_rfc3339(at), id)] if isinstance(what, str) and isinstance(id, str) else []
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def render_note(note: Note) -> bytes:
    """The bytes to append for a note."""
    record = {"at": rfc3339(note.at), "to": [], "note": note.what, **({"as": note.id} if note.id else {})}
    return b"\n" + seal(json.dumps(record, separators=(",", ":")).encode())


def render_records(outcomes: Sequence[Outcome], weight: int = 0) -> bytes:
    """The bytes to append for `outcomes` to a file whose records have that `weight`; who shares all but the number shares a record.

    No record is longer than what is read again: a long reply must not lose the news that it brings. And the replies of a stranger
    must not make a file so long that reading it is a burden: what they led to is written in any case, their words while there is room.
    """
    groups = (list(group) for _, group in groupby(_affordable(outcomes, weight), lambda outcome: outcome[1:]))
    return b"".join(_render(group[at : at + MAX_SHARED]) for group in groups for at in range(0, len(group), MAX_SHARED))


def _affordable(outcomes: Sequence[Outcome], weight: int) -> Sequence[Outcome]:
    """`outcomes` with as much of their texts as there is room for."""
    if weight > MAX_WEIGHT:
        outcomes = [outcome if outcome.final else outcome._replace(text=FULL, queue_id="", seconds=0.0) for outcome in outcomes]
    texts = {outcome.text for outcome in outcomes}
    limit = min(MAX_TEXT, max(MAX_TEXTS // max(len(texts), 1), LEAST_TEXT))
    if all(len(text) <= limit for text in texts):
        return outcomes
    return [outcome._replace(text=outcome.text[:limit]) for outcome in outcomes]


def _render(outcomes: list[Outcome]) -> bytes:
    first = outcomes[0]
    record: dict[str, object] = {"at": rfc3339(first.at), "to": [outcome.to for outcome in outcomes]}
    record |= first.to_record()
    if first.due:
        record["due"] = rfc3339(first.due)
    return b"\n" + seal(json.dumps(record, separators=(",", ":")).encode())


def settled(outcomes: Iterable[Outcome]) -> bool:
    """Whether one of `outcomes` is final: then its record must be on disk before anything else happens."""
    return any(outcome.final for outcome in outcomes)
