"""Sources: which address of ours a message leaves from, and how many leave from a new one on each of its first days.

`Sources` decides for a job right before it is taken on: the sources of its destination in their order, that of the last try
first, since who greylisted us waits for the same address. A source that is being warmed up has a number for each day that it
sends to a place; what is more goes by the next one, and waits until tomorrow (UTC) where no other has room. Reports are not
counted and always find one. A source may also rest for a while, because of what somebody said about it (`replies`).

A message counts once for each recipient, and once only: where it was tried before from the same source, it was counted then. The
last message of a day may pass its number by what it has more than one recipient.

What was sent is counted in a `Book`, which is kept in the spool as a small file, ``warmup``: written whole and renamed into
place, about once a second while it changes, and when the daemon stops. A crash forgets at most what was sent since then.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mailer.net.happy_eyeballs import is_six
from mailer.spool.api import at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.sections.shaping import Source
    from mailer.spool.api import Spool
    from mailer.transport.route import NextHop, Route

    from .table import TermsTable

NAME = "warmup"
DAY = 86_400
LARGEST = 64 << 20  # bytes of the file
MOST = 10_000  # destinations whose sources are kept worked out, and pairs of a source and a place where it rests
PAUSE = 3600.0  # seconds of the new day over which what had to wait for it begins again


class Count(NamedTuple):
    """A count: on the sending day number `day`, which is `date` (days since the epoch), `sent` messages have left."""

    day: int
    date: int
    sent: int


NOTHING = Count(0, 0, 0)


class Book:
    """The book of how much each source has sent where, as `spool` remembers it. If it cannot be read, `trouble` says why."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.trouble = ""
        self.failed = False
        """Whether it could not be written the last time."""
        self._counts: dict[tuple[str, str], Count] = {}
        self._changed = False
        self.rests: dict[tuple[str, str], tuple[float, str]] = {}
        """Until when a source rests at a place, and why; that is not written down."""
        try:
            if (kept := at_once(spool.recall(NAME))) is not None:
                self._counts = dict(map(_read, json.loads(kept[:LARGEST])))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            self.trouble = f"{spool.place}/{NAME} cannot be read, so warming up begins anew: {error}"

    def count(self, source: str, place: str, now: float) -> Count:
        """The count of today, for a source and a place. A day on which nothing was sent there is not one of its days.

        A clock that was set back opens no new day; what was sent by a clock that was ahead was sent today, and tomorrow is a new day.
        """
        count = self._counts.get((source, place), NOTHING)
        today = int(now // DAY)
        return Count(count.day + 1, today, 0) if today > count.date else count._replace(date=today)

    def sent(self, source: str, place: str, now: float, count: int) -> None:
        """Count `count` more messages that have left."""
        today = self.count(source, place, now)
        self._counts[source, place] = today._replace(sent=today.sent + count)
        self._changed = True

    async def save(self) -> None:
        """Write down what has changed. Raises `OSError`; what could not be written is written the next time."""
        if not self._changed:
            return
        text = json.dumps([[*name, *count] for name, count in self._counts.items()], separators=(",", ":"))
        self._changed = self.failed = False
        try:
            await self.spool.remember({NAME: text.encode()})
        except OSError:
            self._changed = self.failed = True
            raise


def _read(row: list[object]) -> tuple[tuple[str, str], Count]:
    source, place, *numbers = row
    if not isinstance(source, str) or not isinstance(place, str) or len(numbers) != 3:
        raise ValueError("it is not what mailer writes")
    if not all(isinstance(number, int) and 0 <= number < 2**40 for number in numbers):
        raise ValueError("it holds a number out of range")
    return (source, place), Count(*numbers)  # type: ignore[arg-type]


class Exits(NamedTuple):
    """The sources of a destination in their order, each with its plan, and the name under which it is counted there."""

    sources: tuple[tuple[Source, tuple[int, ...]], ...]
    place: str


class Wait(NamedTuple):
    """The wait where no source may be used: why, and until when (seconds since the epoch)."""

    reason: str
    until: float


class Sources:
    """The choice of a source for each job. Which of them rest, the `book` remembers over a reload."""

    def __init__(self, table: TermsTable, book: Book) -> None:
        self.table = table
        self.book = book
        self._exits: dict[str, Exits] = {}
        self._made: dict[tuple[str, str], tuple[Route, Route]] = {}
        self._rests = book.rests

    def choose(self, route: Route, count: int, now: float, last: str = "") -> tuple[str, Route] | Wait:
        """The source for a message that counts `count`, and the way from there; `last` is the source of its last try.

        The name is empty where the configuration has no source for the destination.
        """
        exits = self.exits(route.key)
        if not exits.sources:
            return "", route
        waits: list[Wait] = []
        for source, plan in sorted(exits.sources, key=lambda each: each[0].name != last):
            made = self._from(route, source)
            if not made.hops:
                continue
            known = count == 0 or source.name == last
            if wait := self._resting(source.name, exits.place, now) or self._exhausted(source.name, exits.place, plan, now, known):
                waits.append(wait)
                continue
            if plan and not known:
                self.book.sent(source.name, exits.place, now, count)
            return source.name, made
        if not waits:
            return Wait("no source of ours has an address of the family that its hosts have", now + PAUSE)
        return Wait("; ".join(dict.fromkeys(wait.reason for wait in waits)), min(wait.until for wait in waits))

    def exits(self, key: str) -> Exits:
        """The sources for the destination `key`."""
        exits = self._exits.get(key)
        if exits is None:
            if len(self._exits) >= MOST:
                self._exits.clear()
            exits = self._exits[key] = self._work_out(key)
        return exits

    def rest(self, key: str, name: str, until: float, why: str, now: float) -> bool:
        """Let source `name` not be used there until then, if there is another one that does not rest: returns whether there is."""
        exits = self.exits(key)
        if all(source.name == name or self._resting(source.name, exits.place, now) for source, _ in exits.sources):
            return False
        if len(self._rests) >= MOST:
            self._rests.clear()
        self._rests[name, exits.place] = (until, why)
        return True

    def move(self, seconds: float) -> None:
        """Move all times by so many seconds, for the clock was set: what rests, rests as long as before."""
        for name, (until, why) in self._rests.items():
            self._rests[name] = (until + seconds, why)

    def _work_out(self, key: str) -> Exits:
        table = self.table
        rules = table.rules(key)
        shared = next((table.config.shapes[at].match for at in rules if table.config.shapes[at].share), None)
        by_name = {source.name: source for source in table.config.sources}
        plan = table.said(key, rules, "warm_up").value
        names = table.said(key, rules, "sources").value or ()
        found = tuple((by_name[name], (plan or by_name[name].warm_up) if by_name[name].warm_up else ()) for name in names)
        return Exits(found, ",".join(map(str, shared)) if shared else key)

    def _resting(self, name: str, place: str, now: float) -> Wait | None:
        until, why = self._rests.get((name, place), (0.0, ""))
        return Wait(f"source {name} rests: {why}", until) if now < until else None

    def _exhausted(self, name: str, place: str, plan: Sequence[int], now: float, known: bool) -> Wait | None:
        """Whether a source that is being warmed up has sent its number for today."""
        if known or not plan:
            return None
        day, date, sent = self.book.count(name, place, now)
        if day > len(plan) or sent < plan[day - 1]:
            return None
        reason = f"source {name} is being warmed up and has sent its {plan[day - 1]} for day {day} to {place}"
        return Wait(reason, (date + 1) * float(DAY))

    def _from(self, route: Route, source: Source) -> Route:
        """The way from there: the hosts that the source can call. Made once for each way that the router finds."""
        known = self._made.get((route.key, source.name))
        if known is None or known[0] is not route:
            if len(self._made) > 1000:
                self._made.clear()
            hops = tuple(hop for each in route.hops if (hop := _stop(each, source)).addresses)
            known = self._made[route.key, source.name] = (route, replace(route, hops=hops))
        return known[1]


def _stop(hop: NextHop, source: Source) -> NextHop:
    four = next((own for own in source.addresses if not is_six(own)), "")
    six = next((own for own in source.addresses if is_six(own)), "")
    endpoint = replace(hop.endpoint, source=four, source6=six, hello=source.hello or hop.endpoint.hello)
    return hop._replace(endpoint=endpoint, addresses=tuple(one for one in hop.addresses if (six if is_six(one) else four)))
