"""The interface of what holds the rows of one owner: SQL in, rows out, all that is asked at once being of one moment.

The text of SQL is the same for all engines: the tables of `mailer.mailbox.schema`, ``?`` for values, ``ON CONFLICT`` and ``RETURNING``, and
no function that only one of them has. Every table has a column `owner` first in its key, which says whose row it is; a file that belongs to
one owner has the same number in all of them. What needs more than that (ranked words) asks `dialect`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")


class Rows(Protocol):
    """A transaction that is under way."""

    def run(self, sql: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]:
        """The rows that `sql` gives: those of a SELECT, or of a RETURNING."""

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Do `sql`, and say how many rows it touched."""

    def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Do `sql` for each of `rows`."""


class Engine(Protocol):
    """The rows of one owner, who is `owner` in them. It may be used by several threads.

    What fails raises `Problem`: bad-config for what is there and cannot be used, no-permission, io-error, try-again for what passes.
    """

    dialect: Literal["sqlite", "postgresql"]
    owner: int

    def read(self, ask: Callable[[Rows], T]) -> T:
        """What `ask` makes of the rows of one moment; it changes nothing."""

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction, beside which no other changes this owner's rows; durable when it returns, undone if it raises."""

    def set_aside(self, now: float) -> str:
        """Where the rows are damaged, so that nothing can be read of them, put them aside as they are, so that others can be begun; where
        they are then, empty where nothing is wrong with them."""

    def forget(self) -> None:
        """Remove all rows of this owner, for ever."""

    def close(self) -> None:
        """Let go of what is open."""
