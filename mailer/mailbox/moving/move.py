"""The phases of a move; what each of them leaves behind when it is killed is said in `mailer.mailbox.moving`."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mailer.mail.problem import Problem
from mailer.mailbox import settings
from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.fencing import fence, thawed

from .balance import differing
from .news import bring, modseq_of
from .tables import TABLES, same

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.mailbox.engine.api import Engine
    from mailer.mailbox.owners.api import Owner, Owners

    from .place import MailboxStore

LEASE: Final = 5.0  # seconds in which nobody writes, at most
FEW: Final = 100  # rows that are left to be brought while nobody writes
ROUNDS: Final = 20  # of the chase: somebody who writes faster than we read is frozen all the same
TRIES: Final = 3  # of a freeze
LEFT: Final = "left"  # the setting of rows that were left behind: since when
REMOVING: Final = 3600.0  # seconds in which no move begins, where whoever removes what is left behind is killed
MARGIN: Final = 1.0  # seconds of the lease that are left when the owner is given away


class MoveWatched(Protocol):
    """What hears of the progress of a move: the phase, and how many rows and messages were brought in it."""

    def __call__(self, phase: str, many: int) -> None:
        """Hear of it."""


class Moved(NamedTuple):
    """What a move did: the owner as he is now, the store he was in, rows and messages that were brought, and for how many seconds nobody
    could write."""

    owner: Owner
    source: str
    rows: int
    bodies: int
    frozen: float


class Move:
    """The move of an owner from the store `source` to `target`; `clock` tells seconds since the epoch. Raises `Problem`."""

    def __init__(
        self,
        owners: Owners,
        source: MailboxStore,
        target: MailboxStore,
        clock: Callable[[], float],
        watched: MoveWatched | None = None,
    ) -> None:
        self._owners = owners
        self._source = source
        self._target = target
        self._clock = clock
        self._watched = watched
        self._rows = self._bodies = 0

    def run(self, owner: Owner) -> Moved:
        """Move him, or finish what a move before has begun. Raises `Problem`: try-again for what passes, and he is where he was."""
        owner = thawed(self._owners, owner, self._clock())
        self._refuse(owner)
        with closing(self._source.open(owner)) as ours, closing(self._target.open(owner)) as theirs:
            theirs.change(lambda _: None)  # a file is made by the first change
            return self._moved(owner, ours, theirs)

    def _moved(self, owner: Owner, ours: Engine, theirs: Engine) -> Moved:
        for _ in range(TRIES):
            since = self._copy(owner, ours, theirs)
            since = self._chase(ours, theirs, since)
            begun = time.monotonic()
            frozen = self._owners.put(owner._replace(state="frozen", until=self._clock() + LEASE))
            try:
                wrong = self._finish(frozen, ours, theirs, since)
                if not wrong and time.monotonic() - begun < LEASE - MARGIN:
                    given = self._owners.put(frozen._replace(state="open", until=0.0, store=self._target.name))
                    self._note(ours)
                    return Moved(given, self._source.name, self._rows, self._bodies, time.monotonic() - begun)
            except BaseException:
                self._give_up(frozen)
                raise
            owner = self._give_up(frozen)
            self._refuse(owner)
        reason = f"{', '.join(wrong)} differ" if wrong else f"the rest took longer than {LEASE - MARGIN:.0f} s"
        raise Problem(f"the mailbox of {owner.address} stays where it is, for {reason}; try again when less is going on", "try-again")

    def _note(self, ours: Engine) -> None:
        """Note at what is left behind since when it is; without that it stays until somebody has it removed."""
        with suppress(Problem):
            ours.change(lambda rows: settings.keep(rows, ours.owner, LEFT, str(self._clock())))

    def _refuse(self, owner: Owner) -> None:
        """Refuse to move one who is not here, or not free. Raises `Problem`."""
        if owner.state != "open":
            raise Problem(f"the mailbox of {owner.address} is {owner.state}, and is not moved; try again later", "try-again")
        if owner.until > self._clock():
            text = f"what another move has left of the mailbox of {owner.address} is being removed, and it is not moved; try again later"
            raise Problem(text, "try-again")
        if owner.store == self._target.name:
            raise Problem(f"the mailbox of {owner.address} is there already", "usage")
        if owner.store != self._source.name:
            raise Problem(f"the mailbox of {owner.address} was moved elsewhere meanwhile; try again", "try-again")

    def _copy(self, owner: Owner, ours: Engine, theirs: Engine) -> int:
        """Have all on the other side that is here; the MODSEQ up to which that is so."""
        since = modseq_of(ours)
        self._bring_bodies(owner)
        for name in TABLES:
            self._tell("copy", same(ours, theirs, name))
        return since

    def _chase(self, ours: Engine, theirs: Engine, since: int) -> int:
        for _ in range(ROUNDS):
            many, since = bring(ours, theirs, since)
            self._tell("chase", many)
            if many < FEW:
                break
        return since

    def _finish(self, owner: Owner, ours: Engine, theirs: Engine, since: int) -> list[str]:
        """Bring the rest while nobody writes; the tables that differ all the same."""
        fence(ours, owner.epoch + 1)
        self._bring_bodies(owner)
        self._tell("freeze", bring(ours, theirs, since)[0])
        return list(differing(ours, theirs))

    def _give_up(self, frozen: Owner) -> Owner:
        """Let everybody write again where the mailbox was; the owner then."""
        try:
            return self._owners.put(frozen._replace(state="open", until=0.0))
        except Problem:  # the lease was over, and somebody writes, or nobody can be asked, and soon it is over
            return self._owners.by_id([frozen.id])[0] or frozen

    def _bring_bodies(self, owner: Owner) -> None:
        """Have the messages on the other side that it lacks."""
        here, there = self._source.bodies, self._target.bodies
        if here is there:
            return
        known = {kept.id: kept for kept in there.listing(owner.id)}
        for kept in here.listing(owner.id):
            other = known.get(kept.id)
            if other is None or other.size != kept.size or other.written < kept.written:  # it may have been encrypted anew
                self._bring_body(owner.id, kept.id, is_there=other is not None)

    def _bring_body(self, owner: str, id: str, *, is_there: bool) -> None:
        try:
            body = NewBody(owner, id, [self._source.bodies.read(owner, id)])
        except Problem as problem:
            if problem.kind == "no-such":  # it was removed a moment ago
                return
            raise
        (self._target.bodies.replace if is_there else self._target.bodies.put)([body])
        self._bodies += 1
        self._hear("messages", 1)

    def _tell(self, phase: str, many: int) -> None:
        self._rows += many
        self._hear(phase, many)

    def _hear(self, phase: str, many: int) -> None:
        if self._watched is not None:
            self._watched(phase, many)


def purge(owners: Owners, owner: Owner, left: MailboxStore, now: float, *, bodies_too: bool) -> None:
    """Remove what a move has left in the store `left`; its messages as well where the new store has others.

    While that is done the mailbox is used, and not moved: a move that is under way finds him changed, and none begins. Raises `Problem`:
    usage where his mailbox is there, try-again where it is being moved.
    """
    if owner.store == left.name:
        raise Problem(f"the mailbox of {owner.address} is there, and stays", "usage")
    if owner.state == "frozen":
        raise Problem(f"the mailbox of {owner.address} is being moved, and nothing is removed; try again later", "try-again")
    owner = owners.put(owner._replace(until=now + REMOVING))
    if bodies_too:
        left.bodies.forget(owner.id)
    engine = left.open(owner)
    try:
        engine.forget()
    finally:
        engine.close()
    again = owners.by_id([owner.id])[0]
    if again is not None and again.until == owner.until:
        owners.put(again._replace(until=0.0))


def left_since(owner: Owner, store: MailboxStore) -> float | None:
    """Since when rows of his are left behind in a store, in seconds since the epoch; None where there are none, or nobody noted it. Raises
    `Problem`."""
    if owner.store == store.name or not store.has(owner):
        return None
    engine = store.open(owner)
    try:
        noted = engine.read(lambda rows: settings.get(rows, engine.owner, LEFT))
    finally:
        engine.close()
    return float(noted) if noted else None
