"""Making a mailbox of a state of a backup, beside the one that is there, and letting the address lead to it when all is well.

The new mailbox belongs to a new owner: his messages are written first, then his rows, then every folder gets a UIDVALIDITY above all that
there were, and then each message is read and compared with what its row says. Killed up to there, the mailbox that was there is as it was,
and the next restore begins anew. What came to it since the state was made is put into the new one, the last of it while nobody can write
the one before, whoever has that open; then the address leads there, in one change. The one before is kept as those of removed users are,
and who had it open is told to try again.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem
from mailer.mailbox.api import BodyLost, NewMail
from mailer.mailbox.fencing import fence, thawed
from mailer.mailbox.sealing import opened

from . import rows
from .shelf import INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.mailbox.api import BoxFlaw, FolderEntry, Mail
    from mailer.mailbox.box import OwnMailbox
    from mailer.mailbox.owners.api import Owner

    from .shelf import BackupState
    from .writing import Backups

AT_ONCE: Final = 64
ENTRIES: Final = 500
LEASE: Final = 5.0  # seconds in which nobody writes the mailbox that is there, at most
MARGIN: Final = 1.0  # seconds of them that are left when the address is given away


class Restored(NamedTuple):
    """What came of a restore: the owner of the new mailbox, the state that it was made of, how many messages it has, how many came since
    and were added, and what is not as it has to be."""

    owner: Owner
    state: BackupState
    messages: int
    added: int
    flaws: Sequence[BoxFlaw]


class Comparison(NamedTuple):
    """How a state and the mailbox that is there differ: messages of both, and IDs of those that one of them has alone."""

    state: BackupState
    both: int
    backup_only: Sequence[str]
    mailbox_only: Sequence[str]


class Restoring:
    """One restore of the mailbox that had `address`, of its last state or of `state`. `told` hears how many of so many messages are done.

    Raises `Problem` where there is no such state.
    """

    def __init__(self, backups: Backups, address: str, told: Callable[[int, int], None], state: str = "") -> None:
        self.backups = backups
        self.mailboxes = backups.mailboxes
        self.address = address
        self.state = backups.shelf.newest(address, state)
        self._told = told

    def compare(self) -> Comparison:
        """What of the state the mailbox of the address has now. Raises `Problem`."""
        there = {*self.state.messages()}
        with self.mailboxes.of(self.address) as box:
            here = {*rows.ids(box.engine)}
        return Comparison(self.state, len(there & here), sorted(there - here), sorted(here - there))

    def beside(self, address: str) -> Restored:
        """Make a mailbox of it for another address, which has none. Raises `Problem`."""
        if self.mailboxes.owners.find([address])[0] is not None:
            raise Problem(f"{address} has a mailbox; name an address that has none", "usage")
        restored = self._made()
        return restored._replace(owner=self.mailboxes.give(restored.owner, address))

    def instead(self) -> Restored:
        """Make a mailbox of it, and let the address lead there. Raises `Problem`, also where a message of it is not whole."""
        restored = self._made()
        if restored.flaws:
            self._undo(restored.owner)
            first = restored.flaws[0]
            text = (
                f"the state {self.state.id} is not whole ({len(restored.flaws)} faults; first: {first.what} {first.mail}); nothing changed"
            )
            raise Problem(f"{text}: take an older one with --state, or restore it beside with --as", "io-error")
        before = self.mailboxes.owners.find([self.address])[0]
        if before is None:
            return restored._replace(owner=self.mailboxes.give(restored.owner, self.address))
        known = {*self.state.messages()}
        added = self._add(restored.owner, before, known)
        with self._frozen(before) as frozen:
            added += self._add(restored.owner, frozen, known)
            if self.backups.clock() > frozen.until - MARGIN:
                raise Problem(f"so much comes to {self.address} that nothing was changed; try again when less is going on", "try-again")
            owner = self.mailboxes.give(restored.owner, self.address)
        return restored._replace(owner=owner, added=added)

    @contextmanager
    def _frozen(self, before: Owner) -> Iterator[Owner]:
        """The owner of the mailbox that is there, which nobody writes meanwhile; nor later, once its address leads elsewhere.

        Killed, it is written again when the lease is over. Raises `Problem`.
        """
        owners, now = self.mailboxes.owners, self.backups.clock()
        before = thawed(owners, owners.by_id([before.id])[0] or before, now)
        if before.state != "open":
            raise Problem(f"the mailbox of {self.address} is {before.state}, and nothing was changed; try again later", "try-again")
        frozen = owners.put(before._replace(state="frozen", until=now + LEASE))
        try:
            self._fence(frozen)
            yield frozen
        except BaseException:
            with suppress(Problem):
                owners.put(frozen._replace(state="open", until=0.0))
            raise

    def _fence(self, frozen: Owner) -> None:
        try:
            with self.mailboxes.opened(frozen) as old:
                fence(old.engine, frozen.epoch + 1)
        except Problem as problem:
            _pass_lost(problem)

    def _undo(self, owner: Owner) -> None:
        self.mailboxes.erase(self.mailboxes.remove(owner.address))

    def _made(self) -> Restored:
        """A mailbox of the state, at an address that nobody else has and that the next attempt finds."""
        with self.backups.shelf.alone(self.state.owner):
            return self._made_alone(f"restored-{self.state.owner.id.lower()}@{self.address.rpartition('@')[2]}")

    def _made_alone(self, address: str) -> Restored:
        self._left_over(address)
        found = self.mailboxes.owners.find([self.address])[0]
        least = self._next_uidvalidity(found) if found is not None else 0
        owner = self.mailboxes.owners.make(address, self.backups.clock())
        source = self.backups.terms.open_rows(f"{self.state.path}/{INDEX}", self.state.owner)
        try:
            with self.mailboxes.opened(owner) as box:
                self._messages(box, rows.digests(source))
                rows.restore_rows(source, box.engine, owner, least, box.bodies.key_number)
                box.renumber()
                flaws = box.check(bodies=True)
                return Restored(owner, self.state, box.usage().messages, 0, flaws)
        finally:
            source.close()

    def _left_over(self, address: str) -> None:
        """Nothing that an attempt before has left of this address is gone on with."""
        if found := self.mailboxes.owners.find([address])[0]:
            self._undo(found)

    def _next_uidvalidity(self, owner: Owner) -> int:
        """One above all that the mailbox has now; 0 where it cannot be looked into any more."""
        try:
            with self.mailboxes.opened(owner) as box:
                return max((folder.uidvalidity for folder in box.folders()), default=0) + 1
        except Problem:
            return 0

    def _messages(self, box: OwnMailbox, wanted: Sequence[tuple[str, bytes]]) -> None:
        """Write the messages, sealed as the new owner's are. What the backup has not, or not whole, is left for the check to find."""
        sealing = self.backups.terms.sealing(self.state.owner) if self.backups.terms.sealing else None
        batch: list[tuple[str, bytes]] = []
        for done, (id, digest) in enumerate(wanted, 1):
            try:
                batch.append((id, opened(self.backups.bodies.read(self.state.owner.id, id), digest, sealing)))
            except BodyLost:
                continue
            except Problem as problem:
                if problem.kind != "no-such":
                    raise
            if len(batch) == AT_ONCE:
                box.bodies.put(batch)
                batch = []
                self._told(done, len(wanted))
        if batch:
            box.bodies.put(batch)

    def _add(self, owner: Owner, before: Owner, known: set[str]) -> int:
        """Put what the mailbox that is there has and nobody has `known`, which it is then; what cannot be read is left where it is."""
        added, seen = 0, set[str]()
        try:
            with self.mailboxes.opened(before) as old, self.mailboxes.opened(owner) as new:
                for name, entry, mail in _since(old, known):
                    seen.add(mail.id)
                    try:
                        content = old.read(mail)[len(mail.prefix) :]
                    except BodyLost:
                        continue
                    news = NewMail(name, content, mail.prefix, entry.flags, entry.keywords, mail.received, made=True)
                    added += len(new.put([news]))
        except Problem as problem:
            _pass_lost(problem)
        known |= seen
        return added


def _since(box: OwnMailbox, known: set[str]) -> Iterator[tuple[str, FolderEntry, Mail]]:
    """What is there and not `known`. That an ID is older than the state says nothing: its message may have been on its way to the disk when
    the state was made, or the clock was set back."""
    for folder in box.folders():
        fresh = [entry for entry in box.entries(folder.id) if entry.mail not in known]
        for at in range(0, len(fresh), ENTRIES):
            some = fresh[at : at + ENTRIES]
            for entry, mail in zip(some, box.mails([each.mail for each in some]), strict=True):
                if mail is not None:
                    yield folder.name, entry, mail


def _pass_lost(problem: Problem) -> None:
    """Raise all trouble but that of a mailbox that has lost its rows."""
    if problem.kind not in ("io-error", "no-such"):
        raise problem
