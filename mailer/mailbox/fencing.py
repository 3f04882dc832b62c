"""The right to write a mailbox, while it is moved from one store to another: a fence at its rows, a lease on it, and who opens it again.

An owner has an epoch, which is one more with each change of him (`mailer.mailbox.owners.api`). The rows of his mailbox have one, too: who
writes must not have a lower one. Only a move raises that:

1. The owner is frozen until a time, the lease, and gets the epoch n.
2. His rows get the epoch n + 1, which nobody has. From then on nothing changes them, whoever has them open, on whatever machine.
3. The owner is given to the other store, and so gets n + 1; or, when the lease is over, the first who would write opens him again, and so
   gets n + 1. Of both, who comes second changes nothing, for he has read the epoch n.

So a mailbox is written in one place at a time, however slow, dead or asleep a mover is, and with clocks that differ a move is at worst
given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from mailer.mail.problem import Problem

from .ledger import StaleOwner, account_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from .engine.api import Engine, Rows
    from .owners.api import Owner, Owners

T = TypeVar("T")

FENCE: Final = "UPDATE account SET epoch = ? WHERE owner = ? AND epoch < ?"


class FencedEngine:
    """The rows of `engine` for whoever has the epoch `epoch`: an `Engine`, whose changes raise `StaleOwner` where that is too low."""

    def __init__(self, engine: Engine, epoch: int) -> None:
        self.dialect: Literal["sqlite", "postgresql"] = engine.dialect
        self.owner = engine.owner
        self._engine = engine
        self._epoch = epoch

    def read(self, ask: Callable[[Rows], T]) -> T:
        """What `ask` makes of the rows of one moment."""
        return self._engine.read(ask)

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction. Raises `StaleOwner`."""

        def acted(rows: Rows) -> T:
            account = account_of(rows, self.owner)
            if account is not None and account.epoch > self._epoch:
                raise StaleOwner
            return act(rows)

        return self._engine.change(acted)

    def set_aside(self, now: float) -> str:
        """Put rows aside that are damaged, and tell no epoch."""
        return self._engine.set_aside(now)

    def forget(self) -> None:
        """Remove all rows. Raises `StaleOwner`."""
        self.change(lambda _: None)
        self._engine.forget()

    def close(self) -> None:
        """Let go of what is open."""
        self._engine.close()


def fence(engine: Engine, epoch: int) -> None:
    """Let nobody write the rows of `engine` who has an epoch below this one. Raises `Problem`."""
    engine.change(lambda rows: rows.change(FENCE, (epoch, engine.owner, epoch)))


def thawed(owners: Owners, owner: Owner, now: float) -> Owner:
    """An owner as he may be written: opened again, if he was frozen and the lease is over. Raises `Problem`."""
    if owner.state != "frozen" or owner.until > now:
        return owner
    try:
        return owners.put(owner._replace(state="open", until=0.0))
    except Problem as problem:
        again = owners.by_id([owner.id])[0]
        if problem.kind != "try-again" or again is None:
            raise
        return again  # somebody else was first
