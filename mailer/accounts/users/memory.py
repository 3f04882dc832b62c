"""Users in memory: for tests, and for whoever needs them no longer than his process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .api import User


class MemoryUsers:
    """Users that are gone with the process: a `UserBook`."""

    def __init__(self, users: Sequence[User] = ()) -> None:
        self._users = {user.key: user for user in users}

    async def find(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """The users with these addresses."""
        return self.find_now(addresses)

    def find_now(self, addresses: Sequence[str]) -> Sequence[User | None]:
        """As `find`, in the thread of whoever asks."""
        return [self._users.get(key_of(address)) for address in addresses]

    async def listing(self, *, after: str = "", limit: int = 1000) -> Sequence[User]:
        """Users in the order of their keys."""
        behind = key_of(after)
        return [self._users[key] for key in sorted(self._users) if key > behind][:limit]

    async def put(self, users: Sequence[User], *, new: bool = False) -> None:
        """Keep each in place of the one of his address."""
        if new:
            refuse_known(user for user in users if user.key in self._users)
        self._users.update((user.key, user) for user in users)

    async def change(self, address: str, act: Callable[[User], User]) -> User | None:
        """Keep what `act` makes of a user."""
        [user] = self.find_now([address])
        if user is None:
            return None
        changed = self._users[user.key] = act(user)
        return changed

    async def remove(self, addresses: Sequence[str]) -> Sequence[bool]:
        """Forget the users of these addresses."""
        return [self._users.pop(key_of(address), None) is not None for address in addresses]

    def is_gone(self, address: str) -> bool:
        """Whether there is no such user."""
        return self.find_now([address]) == [None]

    def stand_in(self) -> User | None:
        """None is needed."""

    async def close(self) -> None:
        """Nothing is open."""


def refuse_known(users: Iterable[User]) -> None:
    """Refuse to make these users, who are there. Raises `Problem` (usage) for the first of them, if there is one."""
    for user in users:
        raise Problem(f"there is a user {user.address} already; `mailer user passwd {user.address}` gives him another password", "usage")
