"""A message on its way in, from the 354 to its end, in pieces of any size."""

from __future__ import annotations

from mailer.mail.message import is_normal, normalise

from .dot import Unstuffer


class Arriving:
    """Collects a message up to the one true end. What exceeds `max_size` octets is counted and not kept."""

    __slots__ = ("_chunks", "_max_size", "_size", "_unstuffer")

    def __init__(self, max_size: int) -> None:
        """`max_size` zero is no limit."""
        self._unstuffer = Unstuffer()
        self._max_size = max_size
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take `data`. Returns what follows the end of the message, None while it has not come."""
        chunk = self._unstuffer.feed(data)
        self._size += len(chunk)
        if self.too_large:
            self._chunks.clear()
        else:
            self._chunks.append(chunk)
        return self._unstuffer.rest if self._unstuffer.done else None

    @property
    def too_large(self) -> bool:
        """Whether the message exceeds the limit."""
        return 0 < self._max_size < self._size

    def add(self, data: bytes) -> None:
        """Take a part that came in a chunk: as it is, and without an end that it would have to tell itself."""
        self._size += len(data)
        if self.too_large:
            self._chunks.clear()
        else:
            self._chunks.append(data)

    def raw(self) -> bytes:
        """The message as it came, for one that is said to be binary."""
        return b"".join(self._chunks)

    def content(self, mend: bool) -> bytes | None:
        """The message, or None if it has a bare CR, a bare LF or a NUL, and `mend` does not allow to put them right."""
        content = b"".join(self._chunks)
        if not content or is_normal(content):
            return content
        return normalise(content) if mend else None
