"""The interface of where messages are kept: objects by the ID of an owner and that of a message, written once, read by range.

An object is there whole or not at all, and stays when `put` has returned whatever fails then. What is asked of many is asked at once.
Nothing here knows what is in an object; one that is encrypted was so before it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class NewBody(NamedTuple):
    """An object that is to be kept: for the owner with the ID `owner`, the ID of its message, and its octets in pieces."""

    owner: str
    id: str
    parts: Sequence[bytes]


class BodyStat(NamedTuple):
    """An object that is there: the ID of its message, its octets, and when it was written, in seconds since the epoch."""

    id: str
    size: int
    written: float


class Bodies(Protocol):
    """Where messages are kept.

    What fails raises `Problem`: no-such for an object that is not there, try-again where room is short, io-error, no-permission.
    """

    def put(self, bodies: Sequence[NewBody]) -> None:
        """Keep these; durable when it returns. One of that ID which is there already stays as it is, and must be the same."""

    def replace(self, bodies: Sequence[NewBody]) -> None:
        """Keep these in place of those that are there: at any moment it is the one or the other. What they say is the same, and only how
        they are encrypted is another."""

    def read(self, owner: str, id: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` octets of an object from `start` on, or all that are left."""

    def remove(self, owner: str, ids: Sequence[str]) -> None:
        """Forget these; one that is gone already is no trouble."""

    def listing(self, owner: str) -> Iterator[BodyStat]:
        """All objects of an owner, in no order."""

    def forget(self, owner: str) -> None:
        """Forget all of an owner, for ever."""

    def sweep(self, owner: str, before: float) -> int:
        """Remove what was begun before this time and never finished; how many there were."""

    def close(self) -> None:
        """Let go of what is open."""
