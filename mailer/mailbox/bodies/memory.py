"""Messages in memory, for tests and for trying things out: the interface of `api` and nothing more. Nothing outlives the process."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

from .api import BodyStat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .api import NewBody


class MemoryBodies:
    """Messages by the ID of the owner and their own. It may be used by several threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[str, dict[str, tuple[bytes, float]]] = {}
        self._lock = Lock()

    def put(self, bodies: Sequence[NewBody]) -> None:
        """Keep these; one of that ID which is there already stays as it is."""
        with self._lock:
            for body in bodies:
                self._kept.setdefault(body.owner, {}).setdefault(body.id, (b"".join(body.parts), self._clock()))

    def replace(self, bodies: Sequence[NewBody]) -> None:
        """Keep these in place of those that are there."""
        with self._lock:
            for body in bodies:
                self._kept.setdefault(body.owner, {})[body.id] = b"".join(body.parts), self._clock()

    def read(self, owner: str, id: str, start: int = 0, length: int | None = None) -> bytes:
        """`length` octets of a message from `start` on, or all that are left. Raises `Problem`."""
        try:
            content = self._kept[owner][id][0]
        except KeyError:
            raise Problem(f"the message {id} is not there any more", "no-such") from None
        return content[start:] if length is None else content[start : start + length]

    def remove(self, owner: str, ids: Sequence[str]) -> None:
        """Forget these."""
        with self._lock:
            for id in ids:
                self._kept.get(owner, {}).pop(id, None)

    def listing(self, owner: str) -> Iterator[BodyStat]:
        """All messages of an owner, in no order."""
        with self._lock:
            found = [BodyStat(id, len(content), written) for id, (content, written) in self._kept.get(owner, {}).items()]
        yield from found

    def forget(self, owner: str) -> None:
        """Forget all of an owner."""
        with self._lock:
            self._kept.pop(owner, None)

    def sweep(self, owner: str, before: float) -> int:  # noqa: ARG002 - of the interface
        """Nothing is begun and not finished."""
        return 0

    def close(self) -> None:
        """Nothing is open."""
