"""Owners as rows of a table: what SQLite and PostgreSQL do alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mailer.mail.address_key import LONGEST, key_of
from mailer.mail.problem import Problem
from mailer.spool import new_id

from . import schema
from .api import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.mailbox.engine.api import Rows

T = TypeVar("T")


class OwnerTables(Protocol):
    """Where the table is. `read` gives None for what was never made. What fails raises `Problem`."""

    def read(self, ask: Callable[[Rows | None], T]) -> T:
        """What `ask` makes of the rows that are there."""

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction."""

    def close(self) -> None:
        """Let go of what is open."""


class RowOwners:
    """Owners in `tables`: an `Owners`."""

    def __init__(self, tables: OwnerTables) -> None:
        self._tables = tables

    def find(self, addresses: Sequence[str]) -> Sequence[Owner | None]:
        """The owners of the mailboxes of these addresses."""
        return self._wanted([compared_address(address) for address in addresses])

    def by_id(self, ids: Sequence[str]) -> Sequence[Owner | None]:
        """The owners with these IDs."""
        return self._wanted([bindable(id) for id in ids], by_id=True)

    def make(self, address: str, now: float, store: str = "") -> Owner:
        """The owner of `address`, made if there is none. Raises `Problem` (usage) for what cannot be an address."""
        key = fit_address(address)

        def make(rows: Rows) -> Owner:
            made = rows.run(schema.MAKE, (new_id(now), key, bindable(address), now, store, b"", b""))
            return Owner(*made[0]) if made else known_to(rows, [key])[key]

        return self._wanted([key])[0] or self._tables.change(make)

    def put(self, owner: Owner) -> Owner:
        """Keep him in place of the one of his ID, with the next epoch. Raises `Problem` (no-such, try-again, usage)."""
        return self._tables.change(lambda rows: _put(rows, owner))

    def succeed(self, owner: Owner, removed: Owner | None) -> Owner:
        """Keep `owner`, and in the same transaction `removed`, who had his address. Raises `Problem` as `put` does."""

        def act(rows: Rows) -> Owner:
            if removed is not None:
                _put(rows, removed)
            return _put(rows, owner)

        return self._tables.change(act)

    def listing(self, *, after: str = "", limit: int = 1000, removed: bool = False) -> Sequence[Owner]:
        """Owners in the order of their IDs."""
        values = (int(removed), bindable(after), limit)
        return self._tables.read(lambda rows: [Owner(*row) for row in rows.run(schema.LISTING, values)] if rows else [])

    def forget(self, id: str) -> None:
        """Forget one who is removed. Raises `Problem` (usage) for one who is not."""

        def forget(rows: Rows) -> None:
            if not rows.change(schema.FORGET, (bindable(id),)):
                refuse_present(known_to(rows, [bindable(id)], by_id=True).get(id))

        self._tables.change(forget)

    def close(self) -> None:
        """Let go of what is open."""
        self._tables.close()

    def _wanted(self, keys: Sequence[str], *, by_id: bool = False) -> Sequence[Owner | None]:
        several = [key for key in dict.fromkeys(keys) if len(key) <= LONGEST]
        if not several:
            return [None] * len(keys)
        known = self._tables.read(lambda rows: known_to(rows, several, by_id=by_id) if rows else {})
        return [known.get(key) for key in keys]


def _put(rows: Rows, owner: Owner) -> Owner:
    key = fit_address(owner.address)
    before = known_to(rows, [owner.id], by_id=True).get(owner.id)
    refuse_older(owner, before)
    if owner.state != "removed":
        refuse_taken(owner, known_to(rows, [key]).get(key))
    done = rows.run(schema.PUT, (key, bindable(owner.address), *_changing(owner), owner.id, owner.epoch))
    if not done:
        raise changed_meanwhile(owner)  # a moment ago
    return Owner(*done[0])


def known_to(rows: Rows, keys: Sequence[str], *, by_id: bool = False) -> dict[str, Owner]:
    """The owners whom there are for `keys` (addresses as they are compared, or IDs), by these."""
    known: dict[str, Owner] = {}
    for start in range(0, len(keys), schema.SOME):
        some = keys[start : start + schema.SOME]
        many = 1 if len(some) == 1 else schema.SOME
        values = [*some, *[some[-1]] * (many - len(some))]
        known.update((row[0], Owner(*row[1:])) for row in rows.run((schema.BY_ID if by_id else schema.BY_KEY)[many], values))
    return known


def bindable(text: str) -> str:
    """A text that databases take: half of a surrogate pair and NUL are in no address."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def compared_address(address: str) -> str:
    """An address as it is compared and kept."""
    return bindable(key_of(address))


def fit_address(address: str) -> str:
    """An address as it is compared, where a mailbox can be for it. Raises `Problem` for what cannot be one."""
    if not 0 < len(address) <= LONGEST or not address.isprintable():
        raise Problem(f"{address[:60]!r} cannot be the address of a mailbox: it is empty, too long or not printable", "usage")
    return compared_address(address)


def refuse_older(owner: Owner, kept: Owner | None) -> None:
    """Refuse to keep one who has changed since he was read, or whom nobody knows. Raises `Problem`."""
    if kept is None:
        raise Problem(f"there is no owner {owner.id} ({owner.address}); `mailer mailbox list` shows who is there", "no-such")
    if kept.epoch != owner.epoch:
        raise changed_meanwhile(kept)


def changed_meanwhile(owner: Owner) -> Problem:
    """Two have changed one owner at the same moment, and this one was later."""
    return Problem(f"the mailbox of {owner.address} was changed by another process meanwhile; try again", "try-again")


def refuse_taken(owner: Owner, other: Owner | None) -> None:
    """Refuse an address that is another's. Raises `Problem`."""
    if other is not None and other.id != owner.id:
        raise Problem(f"the address {owner.address} has a mailbox already, {other.id}; remove that one first", "usage")


def refuse_present(owner: Owner | None) -> None:
    """Refuse to forget one who is there. Raises `Problem`."""
    if owner is not None and owner.state != "removed":
        raise Problem(f"the mailbox of {owner.address} is in use; remove it before it is forgotten", "usage")


def _changing(owner: Owner) -> tuple[Any, ...]:
    return (
        owner.state, owner.until, owner.store, owner.public_key, owner.wrapped_private, owner.wrapped_index_key, owner.key_number,
    )  # fmt: skip
