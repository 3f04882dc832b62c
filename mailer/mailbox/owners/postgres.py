"""Owners in the database of PostgreSQL that has their mailboxes: where there are several machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from mailer.mail.problem import Problem
from mailer.mailbox.engine.postgres import PostgresRows, committed

from .rows import RowOwners

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.mailbox.engine.api import Rows
    from mailer.mailbox.engine.connections import Connections

    from .api import Owner

T = TypeVar("T")

READ: Final = "BEGIN READ ONLY"
CHANGE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"


class LostAnswer(Problem):
    """The connection was lost while a change ended: it is done, or is not."""


class PostgresOwners(RowOwners):
    """The owners in the database of `connections`, which others use as well. It may be used by several threads."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(OwnerDatabase(connections))

    def make(self, address: str, now: float, store: str = "") -> Owner:
        """The owner of `address`, made if there is none. Raises `Problem` (usage) for what cannot be an address."""
        try:
            return super().make(address, now, store)
        except LostAnswer:
            return super().make(address, now, store)

    def put(self, owner: Owner) -> Owner:
        """Keep him in place of the one of his ID, with the next epoch. Raises `Problem` (no-such, try-again, usage)."""
        try:
            return super().put(owner)
        except LostAnswer:
            return self._put_again(owner)

    def _put_again(self, owner: Owner) -> Owner:
        """The same, where it may have been done: the row is waited for, and then has what was to be there, or has not."""
        try:
            return super().put(owner)
        except Problem:
            kept = self.by_id([owner.id])[0]
            if kept is None or kept != owner._replace(number=kept.number, created=kept.created, epoch=owner.epoch + 1):
                raise
            return kept


class OwnerDatabase:
    """A database as `OwnerTables`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def read(self, ask: Callable[[Rows | None], T]) -> T:
        """What `ask` makes of the rows that are there."""
        with self._connections.lent((READ, ())) as db:
            return ask(PostgresRows(db))

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction. Raises `LostAnswer`."""
        with self._connections.lent((CHANGE, ())) as db:
            done = act(PostgresRows(db))
            if committed(db):
                return done
        raise LostAnswer(f"the connection to {self._connections.where} was lost; look whether it is done, and try again", "try-again")

    def close(self) -> None:
        """Nothing is to be let go of: the connections are everybody's."""
