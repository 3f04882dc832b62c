"""The bodies of one mailbox: sealed where it is encrypted, and compared with what the row of a message says of them.

A body that is read whole is proved by its digest, which binds it to its message: one that was swapped, cut or flipped is lost, and says
so. A piece of a large one that is not encrypted is read alone, for a client that takes 20 MB in pieces would have the whole of it read and
proved each time. Of those that are encrypted the last is kept open for the next piece.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem

from .api import BodyLost, NoKey
from .bodies.api import NewBody
from .sealing import CHANGING, MAGIC, OtherKey, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .api import Mail, StoredMail
    from .bodies.api import Bodies
    from .sealing import Sealing

LARGE: Final = 256 << 10  # octets from which on a piece is read alone
LARGEST_KEPT: Final = 64 << 20  # octets of an opened body that is kept for the next piece


class OwnBodies:
    """The bodies of the owner with the ID `owner` in `bodies`, sealed by what `sealing` gives, if it gives something; asked with True, it
    looks anew."""

    def __init__(self, owner: str, bodies: Bodies, sealing: Callable[[bool], Sealing | None]) -> None:
        self._owner = owner
        self.kept = bodies
        self._sealing = sealing
        self._last: tuple[str, bytes] | None = None
        self._lock = Lock()

    @property
    def key_number(self) -> int:
        """The number of the key by which bodies are sealed now; 0 where they are kept as they are."""
        sealing = self._sealing(False)
        return sealing.number if sealing else 0

    def put(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Keep each by its ID, durably. Raises `Problem`."""
        self.kept.put(self.sealed(contents))

    def sealed(self, contents: Iterable[tuple[str, bytes]]) -> list[NewBody]:
        """Each as it is kept."""
        sealing = self._sealing(False)
        return [NewBody(self._owner, id, (sealing.seal(body) if sealing else body,)) for id, body in contents]

    def remove(self, ids: Sequence[str]) -> None:
        """Forget these. Raises `Problem`."""
        self.kept.remove(self._owner, ids)

    def any(self) -> bool:
        """Whether there are any. Raises `Problem`."""
        return next(iter(self.kept.listing(self._owner)), None) is not None

    def read(self, mail: Mail | StoredMail, start: int, length: int | None) -> bytes:
        """Octets of a message, prefix and body. Raises `BodyLost`, `NoKey`, `Problem`."""
        end = mail.size if length is None else min(start + length, mail.size)
        front = len(mail.prefix)
        if end <= front:
            return mail.prefix[start:end]
        first, last = max(start - front, 0), end - front
        return mail.prefix[start:front] + self._piece(mail, first, max(last - first, 0))

    def whole(self, mail: Mail | StoredMail) -> bytes:
        """The body of a message, proved. Raises `BodyLost`, `NoKey`, `Problem`."""
        stored = self._stored(mail, 0, None)
        try:
            if not mail.key_number and not stored.startswith(MAGIC):
                return opened(stored, mail.digest, None)
            try:
                return opened(stored, mail.digest, self._sealing(False))
            except (NoKey, OtherKey):  # the owner may have others since
                return opened(stored, mail.digest, self._sealing(True))
        except BodyLost as lost:
            raise BodyLost(f"the message {mail.id}: {lost}; `mailer mailbox verify` says what else is so") from None
        except NoKey as missing:
            raise NoKey(f"the message {mail.id}: {missing}") from None

    def found(self, id: str) -> tuple[bytes, int]:
        """A body of which no row tells, and the number of the key that it was sealed by. Raises `NoKey`, `BodyLost`, `Problem`."""
        stored = self.kept.read(self._owner, id)
        if not stored.startswith(MAGIC):
            return stored, 0
        sealing = self._sealing(True)
        if sealing is None:
            raise NoKey(f"the message {id} is encrypted, and its key is not there")
        return sealing.open(stored), sealing.number or CHANGING

    def sizes(self) -> dict[str, int]:
        """The octets of each that is there, as it is kept. Raises `Problem`."""
        return {each.id: each.size for each in self.kept.listing(self._owner)}

    def _piece(self, mail: Mail | StoredMail, first: int, length: int) -> bytes:
        octets = mail.size - len(mail.prefix)
        if not mail.key_number and octets > LARGE and length < octets and not self._is_sealed(mail):
            piece = self._stored(mail, first, length)
            if len(piece) != length:
                raise BodyLost(f"the body of the message {mail.id} is shorter than what was put there")
            return piece
        with self._lock:
            body = self._last[1] if self._last and self._last[0] == mail.id else None
        if body is None:
            body = self.whole(mail)
        if mail.key_number and length < octets <= LARGEST_KEPT:
            with self._lock:
                self._last = (mail.id, body)
        return body[first : first + length]

    def _is_sealed(self, mail: Mail | StoredMail) -> bool:
        """Whether it may have been encrypted since somebody looked at its row."""
        return self._sealing(False) is not None and self._stored(mail, 0, len(MAGIC)) == MAGIC

    def _stored(self, mail: Mail | StoredMail, start: int, length: int | None) -> bytes:
        try:
            return self.kept.read(self._owner, mail.id, start, length)
        except Problem as problem:
            if problem.kind == "no-such":
                raise BodyLost(f"the body of the message {mail.id} is gone ({problem})") from None
            raise
