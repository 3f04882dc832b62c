"""All mailboxes of this machine: found by address or by owner, kept open while they are used, and closed when many others are.

Whoever uses one has it from `of` or `opened`, and has it no longer than his ``with``; a session of days keeps it for days. The same mailbox
is one object for all who use it at once.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.problem import Problem

from .api import BoxFlaw
from .box import KEPT, MailboxTerms, OwnMailbox
from .fencing import thawed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .api import Told
    from .bodies.api import Bodies
    from .box import Verdict
    from .engine.api import Engine
    from .owners.api import Owner, Owners
    from .sealing import Sealing

MOST_OPEN: Final = 256  # mailboxes that nobody uses and that are kept open all the same
STRIPES: Final = 64  # mailboxes that are opened side by side
LEFT_KEPT: Final = 7 * 86400.0  # seconds that what a move has left behind is kept
REMOVED_KEPT: Final = 30 * 86400.0  # seconds that the mailbox of a removed owner is kept


class MailboxesSwept(NamedTuple):
    """What a sweep of all mailboxes did: `files` that went, and the troubles that it had, a line each."""

    files: int
    troubles: Sequence[str] = ()


class _Open:
    """A mailbox that is open, and how many use it."""

    def __init__(self, box: OwnMailbox) -> None:
        self.box = box
        self.users = 0


class Mailboxes:
    """The mailboxes of `owners`, whose rows are where `open_engine` says and whose messages are in `bodies`. Used by several threads.

    `opener` gives what seals the bodies of an owner, and `ready` the owner with all that this needs; `clock` tells seconds since the
    epoch; `tell` hears of changes, and `judged` of junk (the ID of the owner, that of the message, the verdict). Deleted messages are kept
    for `kept` seconds, mailboxes of removed owners for `removed_kept`. Where owners are in several places, `bodies_of` says what has the
    messages of one. `closing` is called at the end.
    """

    def __init__(
        self,
        owners: Owners,
        open_engine: Callable[[Owner], Engine],
        bodies: Bodies,
        *,
        opener: Callable[[Owner], Sealing | None] | None = None,
        ready: Callable[[Owner], Owner] | None = None,
        clock: Callable[[], float] = time.time,
        tell: Told | None = None,
        judged: Callable[[str, str, Verdict], None] | None = None,
        kept: float = KEPT,
        removed_kept: float = REMOVED_KEPT,
        most_open: int = MOST_OPEN,
        bodies_of: Callable[[Owner], Bodies] | None = None,
        left: Callable[[Owner, float], None] | None = None,
        closing: Callable[[], None] | None = None,
    ) -> None:
        self.owners = owners
        self.bodies = bodies
        self._open_engine = open_engine
        self._bodies_of = bodies_of or (lambda _: bodies)
        self._left_behind = left
        self._closing = closing
        self._clock = clock
        self._ready = ready or (lambda owner: owner)
        self._terms = MailboxTerms(clock, tell, judged, opener, kept, self._again)
        self._removed_kept = removed_kept
        self._most_open = most_open
        self._open: dict[str, _Open] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()  # of those, the ones that nobody uses, from the one that was used least of late
        self._lock = Lock()
        self._opening = [Lock() for _ in range(STRIPES)]

    @contextmanager
    def of(self, address: str, *, make: bool = False) -> Iterator[OwnMailbox]:
        """The mailbox of `address`, which is made with `make` where there is none. Raises `Problem` (no-such), `NoKey`."""
        owner = self.owners.make(address, self._clock()) if make else self.owners.find([address])[0]
        if owner is None:
            more = "a user has one from his first mail on: `mailer mailbox list` shows all"
            raise Problem(f"there is no mailbox of {address}; {more}", "no-such")
        with self.opened(owner) as box:
            yield box

    @contextmanager
    def opened(self, owner: Owner) -> Iterator[OwnMailbox]:
        """The mailbox of `owner`. Raises `Problem`, `NoKey`."""
        held = self._taken(owner)
        try:
            yield held.box
        finally:
            for each in self._left(owner.id, held):
                each.box.close()

    def repair(self, owner: Owner) -> Sequence[BoxFlaw]:
        """Mend the mailbox of an owner, and begin its rows anew where they are gone or damaged: from its messages alone, all that there are
        come into one folder. What was damaged stays beside it. Raises `Problem`, `NoKey`."""
        self._forget(owner.id)
        engine = self._open_engine(owner)
        try:
            aside = engine.set_aside(self._clock())
            box = OwnMailbox(owner, engine, self._bodies_of(owner), self._terms, anew=True)
            flaws = box.check(repair=True)
        finally:
            engine.close()
        return [BoxFlaw(f"what said where messages are was damaged, and is {aside} now", mended=True), *flaws] if aside else flaws

    def remove(self, address: str) -> Owner:
        """Have nobody find the mailbox of `address` any more; it is kept for a while. Raises `Problem` (no-such)."""
        owner = self.owners.find([address])[0]
        if owner is None:
            raise Problem(f"there is no mailbox of {address}; `mailer mailbox list` shows who has one", "no-such")
        removed = self.owners.put(owner._replace(state="removed", until=self._clock() + self._removed_kept))
        self._forget(owner.id)
        return removed

    def restore(self, owner: Owner) -> Owner:
        """Have a mailbox found again that was removed. Raises `Problem`: usage where its address has another, no-such where it is gone."""
        return self.owners.put(owner._replace(state="open", until=0.0))

    def give(self, owner: Owner, address: str) -> Owner:
        """Have `address` lead to the mailbox of `owner`; the one of whoever had it is kept for a while. Raises `Problem`."""
        before = self.owners.find([address])[0]
        owner = self.owners.by_id([owner.id])[0] or owner  # who was given keys, maybe, since he was read
        removed = before and before._replace(state="removed", until=self._clock() + self._removed_kept)
        given = self.owners.succeed(owner._replace(address=before.address if before else address), removed)
        for each in (owner, before):
            if each is not None:
                self._forget(each.id)
        return given

    def sweep(self, now: float) -> MailboxesSwept:
        """Remove what is due in all mailboxes, and the mailboxes of owners who were removed long enough ago."""
        files, troubles = 0, []
        for owner in self._all():
            try:
                with self.opened(owner) as box:
                    files += box.sweep(now)
                if self._left_behind is not None:
                    self._left_behind(owner, now - LEFT_KEPT)
            except Problem as problem:
                troubles.append(f"{owner.address}: {problem}")
        for owner in self._all(removed=True):
            if owner.until <= now:
                try:
                    self.erase(owner)
                except Problem as problem:
                    troubles.append(f"{owner.address}: {problem}")
        return MailboxesSwept(files, troubles)

    def erase(self, owner: Owner) -> None:
        """Forget the mailbox of an owner who was removed, for ever; killed in the middle, it is done again. Raises `Problem`."""
        self._forget(owner.id)
        if self._left_behind is not None:
            self._left_behind(owner, math.inf)
        self._bodies_of(owner).forget(owner.id)
        engine = self._open_engine(owner)
        try:
            engine.forget()
        finally:
            engine.close()
        self.owners.forget(owner.id)

    def close(self) -> None:
        """Close all of them, and what they are in."""
        with self._lock:
            held, self._open = [*self._open.values()], {}
            self._idle.clear()
        for each in held:
            each.box.close()
        self.bodies.close()
        self.owners.close()
        if self._closing is not None:
            self._closing()

    def _taken(self, owner: Owner) -> _Open:
        """The open mailbox of an owner, as he is now; opened where it is not."""
        with self._opening[hash(owner.id) % STRIPES]:
            with self._lock:
                held = self._open.get(owner.id)
                if held is not None and _fits(held.box.owner, owner):
                    self._idle.pop(owner.id, None)
                    held.users += 1
                    return held
            new = _Open(self._made(self._ready(owner)))
            new.users = 1
            with self._lock:
                self._open[owner.id] = new
                self._idle.pop(owner.id, None)
                if held is not None and held.users == 0:
                    held.box.close()
            return new

    def _made(self, owner: Owner) -> OwnMailbox:
        engine = self._open_engine(owner)
        try:
            return OwnMailbox(owner, engine, self._bodies_of(owner), self._terms)
        except BaseException:
            engine.close()
            raise

    def _left(self, id: str, held: _Open) -> list[_Open]:
        """One user of it less; those that are closed for that."""
        with self._lock:
            held.users -= 1
            if self._open.get(id) is not held:
                return [held] if held.users == 0 else []
            if held.users:
                return []
            self._idle[id] = None
            surplus = max(len(self._idle) - self._most_open, 0)
            return [self._open.pop(self._idle.popitem(last=False)[0]) for _ in range(surplus)]

    def _forget(self, id: str) -> None:
        with self._lock:
            held = self._open.pop(id, None)
            self._idle.pop(id, None)
        if held is not None and held.users == 0:
            held.box.close()

    def _again(self, id: str) -> Owner | None:
        """The owner with this ID as he is now, opened again where a move of his was given up."""
        owner = self.owners.by_id([id])[0]
        return owner and thawed(self.owners, owner, self._clock())

    def _all(self, *, removed: bool = False) -> Iterator[Owner]:
        after = ""
        while some := self.owners.listing(after=after, removed=removed):
            yield from some
            after = some[-1].id


def _fits(open_for: Owner, owner: Owner) -> bool:
    """Whether a mailbox that is open for an owner is the one of him as he is now."""
    return open_for.epoch >= owner.epoch and open_for.store == owner.store
