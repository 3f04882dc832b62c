"""Making a state of a mailbox in a directory of backups, while the mailbox is used.

In this order, each step durable before the next: the rows of one moment; the messages that they tell of and that are not there yet; the
name of the state. A message that is removed here in between was deleted a week before, or is lost: then it is named, and the state has the
others. An encrypted mailbox is written as it is kept; its messages are written anew when their keys were changed.

Of each owner the last states are kept; messages that none of them has any more go.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem
from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.spool import new_id

from . import rows
from .shelf import INDEX, MESSAGES, OWNER, BackupShelf, write, write_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.mailbox.bodies.api import Bodies
    from mailer.mailbox.engine.api import Engine
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.mailbox.owners.api import Owner
    from mailer.mailbox.sealing import Sealing

KEPT: Final = 7
"""States of a mailbox that are kept, if nobody says how many."""
AT_ONCE: Final = 64
OCTETS: Final = 32 << 20


def plainly(path: str, owner: Owner) -> Engine:  # noqa: ARG001 - where they are encrypted, it depends on whose they are
    """The rows of a state that is not encrypted."""
    return SqliteEngine(path)


class BackupTerms(NamedTuple):
    """What backups need of the configuration: what opens the rows of a state, of the owner as he was then, and what opens his messages;
    and how many states are `kept`."""

    open_rows: Callable[[str, Owner], Engine] = plainly
    sealing: Callable[[Owner], Sealing | None] | None = None
    kept: int = KEPT


class BackedUp(NamedTuple):
    """What came of a backup: the ID of the state, how many messages it has, how many were copied and how many octets, which were lost."""

    state: str
    messages: int
    copied: int
    octets: int
    lost: Sequence[str]
    forgotten: int


class Backups:
    """The backups of `mailboxes` in the directory `root`. `clock` tells seconds since the epoch."""

    def __init__(self, root: str, mailboxes: Mailboxes, terms: BackupTerms | None = None, clock: Callable[[], float] = time.time) -> None:
        self.shelf = BackupShelf(root)
        self.mailboxes = mailboxes
        self.terms = terms or BackupTerms()
        self.clock = clock
        self.bodies = FileBodies(self.shelf.layout)

    def write(self, owner: Owner, told: Callable[[int, int], None]) -> BackedUp:
        """Make a state of the mailbox of `owner`; `told` hears how many of so many messages were looked at. Raises `Problem`."""
        with self.shelf.alone(owner), self.mailboxes.opened(owner) as box:
            id, whose = new_id(self.clock()), self.mailboxes.owners.by_id([owner.id])[0] or owner  # who may have keys by now
            with self.shelf.beginning(whose, id) as draft:
                found = self._rows(box.engine, whose, f"{draft}/{INDEX}")
                copied, octets, lost = self._messages(box.bodies.kept, whose, found, told)
                write(f"{draft}/{MESSAGES}", [f"{each}\n" for each in found])
                write_owner(f"{draft}/{OWNER}", whose, {"messages": len(found), "lost": len(lost)})
            return BackedUp(id, len(found), copied, octets, lost, self._forget(owner))

    def _rows(self, engine: Engine, owner: Owner, path: str) -> list[str]:
        """Write the rows of this moment to `path`; the IDs of the messages."""
        copy = self.terms.open_rows(path, owner)
        try:
            rows.copy_rows(engine, copy)
            return rows.ids(copy)
        finally:
            copy.close()

    def _messages(
        self, bodies: Bodies, owner: Owner, wanted: Sequence[str], told: Callable[[int, int], None]
    ) -> tuple[int, int, list[str]]:
        """Copy what is not there yet: how many, how many octets, and what is lost."""
        there = {each.id: each.written for each in self.bodies.listing(owner.id)}
        written = {each.id: each.written for each in bodies.listing(owner.id)} if owner.key_number else {}
        missing = [id for id in wanted if id not in there or written.get(id, 0.0) > there[id]]
        copied = octets = 0
        lost: list[str] = []
        for batch in self._batches(bodies, owner, missing, lost):
            self.bodies.replace(batch)
            copied += len(batch)
            octets += sum(len(part) for body in batch for part in body.parts)
            told(len(wanted) - len(missing) + copied + len(lost), len(wanted))
        return copied, octets, lost

    def _batches(self, bodies: Bodies, owner: Owner, ids: Sequence[str], lost: list[str]) -> Iterator[list[NewBody]]:
        batch: list[NewBody] = []
        octets = 0
        for id in ids:
            try:
                data = bodies.read(owner.id, id)
            except Problem as problem:
                if problem.kind != "no-such":
                    raise
                lost.append(id)
                continue
            if batch and (len(batch) == AT_ONCE or octets + len(data) > OCTETS):
                yield batch
                batch, octets = [], 0
            batch.append(NewBody(owner.id, id, (data,)))
            octets += len(data)
        if batch:
            yield batch

    def _forget(self, owner: Owner) -> int:
        """Forget states that are too many, and messages that no other has; how many messages went."""
        states = self.shelf.states(owner.id)
        if len(states) <= self.terms.kept:
            return 0
        for state in states[: -self.terms.kept]:
            self.shelf.remove(state)
        wanted = {id for state in states[-self.terms.kept :] for id in state.messages()}
        gone = [each.id for each in self.bodies.listing(owner.id) if each.id not in wanted]
        self.bodies.remove(owner.id, gone)
        return len(gone)
