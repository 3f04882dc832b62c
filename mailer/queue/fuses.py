"""Fuses: what one submitter hands in faster than he may waits its turn, and somebody is told. No mail of anybody else waits for that.

Mail is let through when it is read for the first time. What is too much is put off until its turn, as it stands in its records, so the
turn survives a restart; of a flood, turns are written down little by little, so that nobody waits for that either. Turns are given for
the next hour, and what has none yet asks for one then. When a turn comes, nobody is asked again. An operator who says that a message
shall be tried now (`mailer queue retry`) gets past, and what he cancels uses no turn. Reports, which are the daemon's own and have the
null sender, have no fuse; a program that uses that sender, as those that answer by themselves do, has one. How far each fuse is used up
is remembered in the spool.

A reload changes what holds from then on; who waits is given another turn where the limits of his submitter changed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mailer.events import Alarm, Mended
from mailer.io.machine import called
from mailer.io.people import fits, person
from mailer.limits.fuse import Fuse
from mailer.mail.outcome import Cause
from mailer.mail.principal import Principal, parse, unix
from mailer.spool.api import CorruptMessage, NoSuchMessage, at_once
from mailer.transport import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.config import Config
    from mailer.config.kinds import Rate
    from mailer.events import Event
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry, Spool

NAME = "fuses"
LARGEST = 1 << 20  # bytes of what is remembered
MANY = 10_000  # submitters
REMIND = 60.0  # seconds after which an alarm that is open has the news
WAITING = 100_000  # messages that are remembered; those beyond keep their turn at a reload
NOBODY = 0.0
AHEAD = 3600.0  # seconds for which turns are given; whoever comes later asks again then: nothing is put off for days
PACE = 0.004  # seconds between two turns of a flood that are written down: all else that the daemon does goes before that
AT_ONCE = 0.2  # seconds ahead to which they are written down at once


class Limit(NamedTuple):
    """What holds for a submitter: the rate, the burst, and the setting that says so."""

    rate: Rate
    burst: int
    where: str

    @property
    def words(self) -> str:
        """The limit for a person."""
        return f"{self.rate} (burst {self.burst}; {self.where})"


def limits_by(config: Config) -> Callable[[Principal], Limit | None] | None:
    """What holds for each submitter by `config`, if anything does for any; None for no limit."""
    fuse, rules = config.fuse, config.submitters
    usual = Limit(fuse.rate, fuse.burst or default_burst(fuse.rate), "fuse.rate") if fuse.rate else None
    if not any(rule.rate for rule in rules):
        return None if usual is None else lambda _: usual

    def of(who: Principal) -> Limit | None:
        him = person(who)
        for nth, rule in enumerate(rules):
            if fits(rule.user, him):
                return Limit(rule.rate, rule.burst or default_burst(rule.rate), f"submitter.{nth}.rate") if rule.rate else usual
        return usual

    return of


def default_burst(rate: Rate) -> int:
    """What is let through at once, where nobody said: a tenth of what the rate is, and one at least."""
    return max(rate.number // 10, 1)


class Gone(NamedTuple):
    """A fuse that has gone: how many had to wait, when the last of them has his turn, when that was told last, and the limit in words."""

    many: int
    until: float
    told: float
    limit: str


class Waits(NamedTuple):
    """What a message waits for: its turn, as the `outcomes` have it; or it is to be read again, at a time, for that to be written down."""

    outcomes: list[Outcome]
    again: float = 0.0


GOES = Waits([])


class Fuses:
    """The fuses of all submitters, in `spool`; `tell` hears when one goes, and when nobody waits any more. Without limits none goes."""

    def __init__(self, spool: Spool, tell: Callable[[Event], None]) -> None:
        self.spool = spool
        self.tell = tell
        self.trouble = ""
        """Why what was remembered cannot be read; empty if it can."""
        self.gone: dict[Principal, Gone] = {}
        self._own = unix(os.getuid())
        self._limit: Callable[[Principal], Limit | None] | None = None
        self._known: dict[Principal, tuple[Limit, Fuse] | None] = {}
        self._paid: dict[str, float] = {}
        self._waiting: dict[str, Principal] = {}
        self._turns: dict[str, float] = {}
        """Those of messages that are not on record yet."""
        self._reserved: set[str] = set()
        """Messages that wait and have a turn."""
        self._writes = 0.0
        self._many: Counter[Principal] = Counter()
        self._again: set[str] = set()
        self._changed = False

    # What holds

    def recall(self, now: float) -> None:
        """Read how far the fuses were used up when the daemon before ended: whoever was to wait does so still."""
        try:
            if (kept := at_once(self.spool.recall(NAME))) is not None:
                rows = json.loads(kept[:LARGEST])
                self._paid = {str(who): float(paid) for who, paid in rows.items() if 0 <= float(paid) < 1e12}
                self.gone = {parse(who): Gone(0, paid, now, "he may") for who, paid in self._paid.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            self.trouble = f"{self.spool.place}/{NAME} cannot be read, so all fuses are whole: {error}"

    def change(self, limit: Callable[[Principal], Limit | None] | None, now: float) -> list[str]:
        """Let other limits hold; returns the messages that are to ask for another turn."""
        self._limit = limit
        if limit is None:
            self._end(now)
            return self._freed()
        again: list[str] = []
        for who, known in [*self._known.items()]:
            before = known and known[0]
            after = limit(who)
            if before == after:
                continue
            if known is not None:
                known[1].take_back(now)
                self._paid[who] = known[1].paid
            del self._known[who]
            again += [id for id, whose in self._waiting.items() if whose == who]
        self._again.update(again)
        for id in again:
            self._turns.pop(id, None)
        return again

    def _end(self, now: float) -> None:
        """No fuse is left: what was used up counts no more, and who waited does so no longer."""
        self._changed = self._changed or bool(self._paid or self._known)
        self._paid.clear()
        self._known.clear()
        self.gone = {who: gone._replace(until=min(gone.until, now)) for who, gone in self.gone.items()}

    def _freed(self) -> list[str]:
        """The messages that wait for a turn that nobody gives any more; they wait no longer."""
        freed = [*self._waiting]
        for id in freed:
            self._over(id)
            self._turns.pop(id, None)
            self._again.discard(id)
        return freed

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more."""
        self._paid = {who: paid + seconds for who, paid in self._paid.items()}
        self._turns = {id: due + seconds for id, due in self._turns.items()}
        self._writes += seconds
        for known in self._known.values():
            if known is not None:
                known[1].paid += seconds
        self.gone = {who: gone._replace(until=gone.until + seconds, told=gone.told + seconds) for who, gone in self.gone.items()}

    # What is asked

    def put_off(self, entry: Entry, now: float, *, urged: bool) -> Waits:
        """What a message has to wait for; nothing for one that may go on."""
        if self._limit is None and not self._waiting:
            return GOES
        who, id = entry.envelope.principal, entry.id
        if (due := self._turns.pop(id, 0.0)) > now and who is not None and (found := self._fuse(who)) is not None and not urged:
            return Waits(self._outcomes(entry, who, found[0], now, due))
        again = id in self._again
        if self._waiting:
            self._over(id)
            self._again.discard(id)
        if (
            who is None
            or (who == self._own and not entry.envelope.sender)
            or urged
            or due
            or (entry.history.outcomes and not again and not _asks_again(entry))
        ):
            return GOES
        found = self._fuse(who)
        if found is None:
            return GOES
        limit, fuse = found
        due = fuse.next(now)
        if due > now + AHEAD:
            due = now + AHEAD * 1.1
        else:
            fuse.turn(now)
            self._changed = True
            if due <= now:
                return GOES
            self._reserved.add(id)
        self._waits(id, who)
        self._goes(who, limit, now, due)
        write = max(self._writes, now)
        self._writes = write + PACE
        if write - now < AT_ONCE:
            return Waits(self._outcomes(entry, who, limit, now, due))
        self._turns[id] = due
        return Waits([], write)

    @staticmethod
    def _outcomes(entry: Entry, who: Principal, limit: Limit, now: float, due: float) -> list[Outcome]:
        later = "; it has no turn yet" if due > now + AHEAD else ""
        return verdict.fused(entry.history.pending(), f"{name_of(who)} submits faster than {limit.words}{later}", now, due)

    def left(self, id: str, now: float) -> None:
        """An operator has taken a message that waits: its turn is somebody else's, and where nobody waits any more, that is told."""
        reserved = id in self._reserved
        who = self._over(id)
        self._turns.pop(id, None)
        if who is None:
            return
        self._changed = True
        if (found := self._fuse(who)) is not None:
            if reserved:
                found[1].give_back()
            if not self._many[who]:
                found[1].take_back(now)
        if not self._many[who] and who in self.gone:
            self.gone[who] = self.gone[who]._replace(until=now)

    async def inherit(self, ids: Iterable[str]) -> list[str]:
        """Note that these messages wait for their turn since before the daemon began; returns those for which there is no fuse any more."""
        if self._limit is None:
            return [*ids]
        free: list[str] = []
        for id in ids:
            if id in self._waiting:
                continue
            try:
                entry = await self.spool.read(id)
            except (NoSuchMessage, CorruptMessage, OSError):
                continue
            if entry.state == "deferred" and (who := entry.envelope.principal) is not None:
                if self._limit_of(who) is None:
                    free.append(id)
                    continue
                self._waits(id, who)
                if not _asks_again(entry):
                    self._reserved.add(id)
            await asyncio.sleep(0)
        return free

    def _waits(self, id: str, who: Principal) -> None:
        if len(self._waiting) < WAITING:
            self._waiting[id] = who
            self._many[who] += 1

    def _over(self, id: str) -> Principal | None:
        """Message `id` waits no more; who handed it in, if it did."""
        self._reserved.discard(id)
        who = self._waiting.pop(id, None)
        if who is not None:
            self._many[who] -= 1
        return who

    def _limit_of(self, who: Principal) -> Limit | None:
        return self._limit(who) if self._limit else None

    def _fuse(self, who: Principal) -> tuple[Limit, Fuse] | None:
        if who not in self._known:
            if len(self._known) >= MANY:
                self._paid.update((known, fuse[1].paid) for known, fuse in self._known.items() if fuse is not None)
                self._known.clear()
            limit = self._limit_of(who)
            self._known[who] = None if limit is None else (limit, Fuse(*limit.rate, limit.burst, self._paid.pop(who, NOBODY)))
        return self._known[who]

    # What is told

    def _goes(self, who: Principal, limit: Limit, now: float, due: float) -> None:
        gone = self.gone.get(who, Gone(0, due, -REMIND, limit.words))
        self.gone[who] = gone = gone._replace(many=gone.many + 1, until=due, limit=limit.words)
        if gone.many == 1:
            self._tell(who, gone, now)

    def _tell(self, who: Principal, gone: Gone, now: float) -> None:
        self.gone[who] = gone._replace(told=now)
        many = "1 message" if gone.many == 1 else f"{gone.many} messages"
        shown = who.name if who.uid is not None else who
        text = f"runaway sender: {name_of(who)} submits faster than {gone.limit}; {many} had to wait so far, and nothing is lost"
        remedy = f"mailer queue list --submitter {shown} --by subject shows it, mailer queue cancel --submitter {shown} ends it"
        self.tell(Alarm(now, "sender", text, who, remedy))

    def look(self, now: float) -> None:
        """Tell of those for whom messages wait still, and for whom none do any more."""
        for who, gone in [*self.gone.items()]:
            if now >= gone.until:
                del self.gone[who]
                self._changed = True
                waited = f"; {gone.many} messages had to wait" if gone.many > 1 else ""
                self.tell(Mended(now, "sender", who, f"{name_of(who)} keeps to the limits again{waited}"))
            elif gone.many > 1 and not 0 <= now - gone.told < REMIND:
                self._tell(who, gone, now)

    async def save(self, now: float) -> None:
        """Write down how far the fuses are used up, if that has changed. Raises `OSError`; then it is written the next time."""
        if not self._changed:
            return
        paid = self._paid | {str(who): known[1].paid for who, known in self._known.items() if known is not None}
        rows = {who: at for who, at in paid.items() if at > now or who in self.gone}
        self._changed = False
        try:
            await self.spool.remember({NAME: json.dumps(rows, separators=(",", ":")).encode()})
        except OSError:
            self._changed = True
            raise


def _asks_again(entry: Entry) -> bool:
    """Whether a message was put off without a turn: for longer than one is ahead."""
    last = next(iter(entry.history.last.values()), None)
    return last is not None and last.cause is Cause.FUSED and last.due - last.at > AHEAD * 1.05


def name_of(who: Principal) -> str:
    """What people call a submitter."""
    return str(who) if who.uid is None else called(who.uid)
