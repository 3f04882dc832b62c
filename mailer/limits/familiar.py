"""Where users have logged in from: whoever came from a network of late may go on from there, whatever others do who share it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mail.ip_network import network

from .table import LimitTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .table import LimitRow

REMEMBERED: Final = 30 * 86400.0  # seconds
FRESH: Final = 3600.0  # seconds in which a login is no news


class FamiliarNetworks:
    """The networks of users, by the keys of these. Times are in seconds since the epoch."""

    def __init__(self) -> None:
        self.table = LimitTable("familiar")
        self._users: dict[str, set[str]] = {}  # of each network

    def knows(self, user: str, ip: str, now: float) -> bool:
        """Whether `user` has logged in from the network of `ip` within `REMEMBERED` seconds."""
        found = self.table.get(_key(network(ip), user))
        return bool(found) and now - found[0] < REMEMBERED

    def knows_any(self, ip: str, now: float) -> bool:
        """Whether some user has."""
        here = network(ip)
        return any(now - self.table.get(_key(here, user))[0] < REMEMBERED for user in self._users.get(here, ()))

    def note(self, user: str, ip: str, now: float) -> bool:
        """Note that `user` has logged in from `ip`; whether that is news."""
        here = network(ip)
        found = self.table.get(_key(here, user))
        if found and 0 <= now - found[0] < FRESH:
            return False
        self._forget(self.table.put(_key(here, user), now))
        self._users.setdefault(here, set()).add(user)
        return True

    def expire(self, now: float) -> None:
        """Let go of what is too long ago."""
        self._forget(self.table.expire(now - REMEMBERED))

    def restore(self, rows: Iterable[LimitRow]) -> None:
        """Have what was written down."""
        for key in self.table.restore(rows):
            place, _, user = key.partition(" ")
            self._users.setdefault(place, set()).add(user)

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            place, _, user = key.partition(" ")
            users = self._users.get(place, set())
            users.discard(user)
            if not users:
                self._users.pop(place, None)


def _key(place: str, user: str) -> str:
    return f"{place} {user}"
