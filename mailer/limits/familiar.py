"""Where users have logged in from: whoever came from a network of late may go on from there, whatever others do who share it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .failures import network_of
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
        found = self.table.get(_key(network_of(ip), user))
        return bool(found) and now - found[0] < REMEMBERED

    def knows_any(self, ip: str, now: float) -> bool:
        """Whether some user has."""
        network = network_of(ip)
        return any(now - self.table.get(_key(network, user))[0] < REMEMBERED for user in self._users.get(network, ()))

    def note(self, user: str, ip: str, now: float) -> None:
        """Note that `user` has logged in from `ip`."""
        network = network_of(ip)
        found = self.table.get(_key(network, user))
        if found and 0 <= now - found[0] < FRESH:
            return
        self._forget(self.table.put(_key(network, user), now))
        self._users.setdefault(network, set()).add(user)

    def expire(self, now: float) -> None:
        """Let go of what is too long ago."""
        self._forget(self.table.expire(now - REMEMBERED))

    def restore(self, rows: Iterable[LimitRow]) -> None:
        """Have what was written down."""
        for key in self.table.restore(rows):
            network, _, user = key.partition(" ")
            self._users.setdefault(network, set()).add(user)

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            network, _, user = key.partition(" ")
            users = self._users.get(network, set())
            users.discard(user)
            if not users:
                self._users.pop(network, None)


def _key(network: str, user: str) -> str:
    return f"{network} {user}"
