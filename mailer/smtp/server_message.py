"""The message that a client sends, as it arrives: between its lines with DATA (RFC 5321 §4.1.1.4), or in chunks with BDAT (RFC 3030 §2).

Used by `Server`, piece by piece, whatever the pieces are. What is held is the message and nothing besides: however small the pieces, they
are put together at once, and the whole is never copied. Whether its lines end as they should is seen as they come, so that the end of a
large message costs no more than that of a small one.
"""

from __future__ import annotations

from io import BytesIO

from mailer.mail.message import is_clean

from .data import Unstuffer
from .reply import Reply

MAX_CHUNKS = 10_000  # of a message: of 50 MB, chunks of 5 KB, and who sends smaller ones has no large messages
MAX_EMPTY = 100  # of them, that bring nothing

_STRAY = Reply.own(554, "5.6.0", "the message has a bare CR, a bare LF or a NUL")


def too_large(max_size: int) -> Reply:
    """What is said of a message that is larger than `max_size` octets. RFC 1870 §6.1"""
    return Reply.own(552, "5.3.4", f"a message may have {max_size} octets here")


class Arriving:
    """A message that arrives, collected up to the one true end. What exceeds `max_size` octets is counted and not kept; zero is no limit.

    `size` is how many octets have come, and `refusal` what is said at the end, if anything is against it by then.
    """

    __slots__ = ("_buffer", "_clean", "_empty", "_half", "_max_size", "_unstuffer", "chunks", "refusal", "size")

    def __init__(self, max_size: int) -> None:
        self.size = 0
        self.chunks = 0
        self.refusal: Reply | None = None
        self._max_size = max_size
        self._buffer = BytesIO()
        self._unstuffer: Unstuffer | None = None
        self._empty = 0
        self._clean = True
        self._half = False  # whether what has come ends in a CR

    def feed(self, data: bytes) -> bytes | None:
        """Take `data` of a message that comes with DATA. Returns what follows the end of the message, None while it has not come."""
        unstuffer = self._unstuffer = self._unstuffer or Unstuffer()
        self.add(unstuffer.feed(data))
        return unstuffer.rest if unstuffer.done else None

    def add(self, data: bytes) -> None:
        """Take a part that came in a chunk: as it is, and without an end that it would have to tell itself."""
        self.size += len(data)
        if self.refusal is not None or not data:
            return
        if not self.has_room(0):
            self.drop(too_large(self._max_size))
            return
        self._look(data)
        self._buffer.write(data)

    def has_room(self, octets: int) -> bool:
        """Whether so many more are within the limit."""
        return self._max_size <= 0 or self.size + octets <= self._max_size

    def begin_chunk(self, octets: int) -> bool:
        """Count a chunk of so many octets; False where there are more of them than anybody needs."""
        self.chunks += 1
        self._empty += not octets
        return self.chunks <= MAX_CHUNKS and self._empty <= MAX_EMPTY

    def drop(self, reply: Reply) -> None:
        """Keep nothing of it, and say `reply` at its end."""
        self.refusal = reply
        self._buffer = BytesIO()

    def _look(self, data: bytes) -> None:
        if not self._clean:
            return
        if self._half:
            data = b"\r" + data
        self._half = data.endswith(b"\r")
        self._clean = is_clean(data[:-1] if self._half else data)

    @property
    def normal(self) -> bool:
        """Whether it has CRLF line ends only, ends in one, and has no NUL; one without an octet is normal, too."""
        if not self._clean or self._half:
            return False
        return not self.size or self._tail() == b"\r\n"

    def _tail(self) -> bytes:
        self._buffer.seek(-2 if self.size > 1 else 0, 2)
        return self._buffer.read()

    def raw(self) -> bytes:
        """The message as it came."""
        return self._buffer.getvalue()

    def strict(self) -> bytes:
        """The message as it came, where nothing stray is in it, and otherwise nothing, and a `refusal`. Its last line is given its end."""
        if not self._clean or self._half:
            self.drop(_STRAY)
        elif not self.normal:
            self._buffer.seek(0, 2)
            self._buffer.write(b"\r\n")
        return self._buffer.getvalue()
