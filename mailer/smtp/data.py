"""The message on the wire: a dot alone ends it, so a line that begins with one gets another (RFC 5321 §4.5.2).

`blocks` writes, `Unstuffer` reads. One law: what is written holds CRLF.CRLF once, at its end,
and no bare CR, bare LF or NUL, whatever the message is; so no two servers can disagree about where it
ends (SMTP smuggling, CVE-2023-51764 and its kin). Messages come normalised from submission; one that
does not (a file that somebody else put into the spool) is normalised here.

The reader keeps the law from the other side: only CRLF.CRLF ends a message, nothing that looks like it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailer.mail.message import normalise

BLOCK = 65536  # octets of the message in one write: what a socket takes at once, roughly
END = b"\r\n.\r\n"


def blocks(data: bytes, *, normal: bool = False) -> Iterator[bytes]:
    """`data` as it is sent after the 354, with the dot that ends it, in pieces of about `BLOCK` octets, so that none is copied whole.

    RFC 5321 §4.5.2. `normal`: the caller has asked `is_normal` himself.
    """
    if data and not normal:
        data = normalise(data)
    if len(data) <= BLOCK:  # as nearly always
        return iter((_stuffed(data, 0, len(data)) + b".\r\n",))
    return _pieces(data)


def _pieces(data: bytes) -> Iterator[bytes]:
    start, size = 0, len(data)
    while size - start > BLOCK:
        # After a line end if there is one; in the middle of a line, the next piece begins none.
        end = data.rfind(b"\n", start, start + BLOCK) + 1 or start + BLOCK
        yield _stuffed(data, start, end)
        start = end
    yield _stuffed(data, start, size) + b".\r\n"


def _stuffed(data: bytes, start: int, end: int) -> bytes:
    """``data[start:end]`` with the dots put in; normal data, so LF alone is enough to see a line end."""
    piece = data[start:end].replace(b"\n.", b"\n..")
    if piece.startswith(b".") and (start == 0 or data[start - 1] == 10):
        return b"." + piece
    return piece


class Unstuffer:
    """A reader of a message up to its end, in pieces of any size. `rest` is what came after the end, once `done`."""

    __slots__ = ("_held", "_virtual", "done", "rest")

    def __init__(self) -> None:
        # The line end of the DATA command is the first half of the end of an empty message, §4.1.1.4; it
        # stands before the data and is taken off what comes out.
        self._held = b"\r\n"
        self._virtual = True
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """The part of the message that `data` makes known, without the dots that were put in for the way."""
        data = self._held + data
        end = data.find(END)
        if end >= 0:
            self.done, self.rest = True, data[end + 5 :]
            data, self._held = data[: end + 2], b""
        else:
            keep = _beginning_of_end(data)
            data, self._held = data[: len(data) - keep], data[len(data) - keep :]
        data = data.replace(b"\r\n.", b"\r\n")
        if data and self._virtual:
            self._virtual = False
            return data[2:]
        return data


def _beginning_of_end(data: bytes) -> int:
    """How many octets at the end of `data` may be the beginning of `END`."""
    return next((length for length in (4, 3, 2, 1) if data.endswith(END[:length])), 0)
