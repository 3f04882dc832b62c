"""Owners in memory, for tests."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.spool import new_id

from .api import Owner
from .rows import compared_address, fit_address, refuse_older, refuse_present, refuse_taken

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemoryOwners:
    """Owners in this process: an `Owners`."""

    def __init__(self) -> None:
        self._known: dict[str, Owner] = {}
        self._last = 0
        self._lock = Lock()

    def find(self, addresses: Sequence[str]) -> Sequence[Owner | None]:
        """The owners of the mailboxes of these addresses."""
        with self._lock:
            return [self._named(compared_address(address)) for address in addresses]

    def by_id(self, ids: Sequence[str]) -> Sequence[Owner | None]:
        """The owners with these IDs."""
        with self._lock:
            return [self._known.get(id) for id in ids]

    def make(self, address: str, now: float, store: str = "") -> Owner:
        """The owner of `address`, made if there is none. Raises `Problem` (usage) for what cannot be an address."""
        key = fit_address(address)
        with self._lock:
            known = self._named(key)
            if known is None:
                self._last += 1
                known = Owner(new_id(now), self._last, address, now, store=store)
                self._known[known.id] = known
            return known

    def put(self, owner: Owner) -> Owner:
        """Keep him in place of the one of his ID, with the next epoch. Raises `Problem` (no-such, try-again, usage)."""
        with self._lock:
            return self._put(owner)

    def succeed(self, owner: Owner, removed: Owner | None) -> Owner:
        """Keep `owner`, and at once `removed`, who had his address. Raises `Problem` as `put` does."""
        with self._lock:
            before = dict(self._known)
            try:
                if removed is not None:
                    self._put(removed)
                return self._put(owner)
            except Problem:
                self._known = before
                raise

    def listing(self, *, after: str = "", limit: int = 1000, removed: bool = False) -> Sequence[Owner]:
        """Owners in the order of their IDs."""
        with self._lock:
            known = sorted(self._known)
            return [
                self._known[id] for id in known if id > after and (self._known[id].state == "removed") == removed
            ][:limit]  # fmt: skip

    def forget(self, id: str) -> None:
        """Forget one who is removed. Raises `Problem` (usage) for one who is not."""
        with self._lock:
            refuse_present(self._known.get(id))
            self._known.pop(id, None)

    def close(self) -> None:
        """Nothing is open."""

    def _put(self, owner: Owner) -> Owner:
        key = fit_address(owner.address)
        kept = self._known.get(owner.id)
        refuse_older(owner, kept)
        if owner.state != "removed":
            refuse_taken(owner, self._named(key))
        assert kept is not None
        self._known[owner.id] = owner._replace(number=kept.number, created=kept.created, epoch=owner.epoch + 1)
        return self._known[owner.id]

    def _named(self, key: str) -> Owner | None:
        return next((each for each in self._known.values() if each.state != "removed" and compared_address(each.address) == key), None)
