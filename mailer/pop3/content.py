"""A message on its way to a client of POP3: in lines that end in CRLF, with a dot before each that begins with one (RFC 1939 §3).

Used by `server`, piece by piece, so that a large message is never in memory; and by the mailbox, which counts what is sent. What is kept
may have line ends of other kinds, where a client of IMAP has put it there so. A bare LF goes out as CRLF, for many clients take it for the
end of a line, and a dot behind it for the end of the message; a last line without an end gets one. All other octets go as they are, 8-bit
ones, NUL and bare CR among them.
"""

from __future__ import annotations

END = b".\r\n"


def lengthening(content: bytes) -> int:
    """How many octets of line ends a whole message gets on its way; dots that are put in for the way do not count (RFC 1939 §11)."""
    bare = content.count(b"\n") - content.count(b"\r\n")
    return bare if not content or content.endswith(b"\n") else bare + 2


class Sending:
    """One message. With `lines`, its header and so many lines of what follows: TOP, RFC 1939 §7. One that is `even` has no line end but
    CRLF, as whoever counted `lengthening` knows, and is not looked through for that."""

    __slots__ = ("_at_start", "_cr", "_even", "_in_header", "_left", "enough")

    def __init__(self, lines: int | None = None, *, even: bool = False) -> None:
        self._left = lines
        self._even = even
        self._in_header = lines is not None
        self._at_start = True  # of a line
        self._cr = b""  # one at the end of a piece: what it is, says the next
        self.enough = False
        """Whether nothing more of the message is wanted."""

    def feed(self, piece: bytes) -> bytes:
        """The octets to send for the next piece."""
        if self.enough:
            return b""
        piece = self._cr + piece if self._cr else piece
        self._cr = b""
        if piece.endswith(b"\r"):
            piece, self._cr = piece[:-1], b"\r"
        if not self._even and piece.count(b"\n") != piece.count(b"\r\n"):
            piece = piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return self._stuffed(piece if self._left is None else self._cut(piece))

    def end(self) -> bytes:
        """What ends it: the end of its last line, where that has none, and the dot alone."""
        if self.enough:
            return END
        rest = self._stuffed(self._cr)
        return rest + (END if self._at_start else b"\r\n" + END)

    def _stuffed(self, piece: bytes) -> bytes:
        if not piece:
            return piece
        dot = b"." if self._at_start and piece.startswith(b".") else b""
        self._at_start = piece.endswith(b"\n")
        return dot + piece.replace(b"\r\n.", b"\r\n..")

    def _cut(self, piece: bytes) -> bytes:
        """As much of it as TOP wants."""
        begin = 0
        if self._in_header:
            begin = self._header_end(piece)
            if begin < 0:
                return piece
            self._in_header = False
        return piece[: self._last_wanted(piece, begin)]

    def _header_end(self, piece: bytes) -> int:
        """Behind the empty line; -1 where it has not come."""
        if self._at_start and piece.startswith(b"\r\n"):
            return 2
        found = piece.find(b"\r\n\r\n")
        return found + 4 if found >= 0 else -1

    def _last_wanted(self, piece: bytes, begin: int) -> int:
        """Where the lines of the body end that are wanted."""
        assert self._left is not None
        there = piece.count(b"\n", begin)
        if there < self._left:
            self._left -= there
            return len(piece)
        for _ in range(self._left):
            begin = piece.index(b"\n", begin) + 1
        self.enough = True
        return begin
