"""What is asked of many messages together: the spool at a glance, failures counted, and what waits for whom.

The backlog is how many recipients wait for their mail, for whom, and since when, as qshape(1) counts them. It is counted from what lies
in the spool, not from what the daemon has in memory, so it is right whether or not one runs, and however little of a long queue the
daemon has read; held mail does not wait for anybody and is left out. Mail for a relay counts for that relay; other mail counts for the
hosts that were tried last, if the daemon knows them as a destination, and else for the domain of the recipient.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address import domain_of
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.spool.api import at_once
from mailer.status.api import every
from mailer.status.standing import FOREVER, hosts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.config import Config
    from mailer.routing.table import RouteTable
    from mailer.shaping.table import TermsTable
    from mailer.spool.suspensions import Suspension
    from mailer.status.api import MailView, Undelivered, Waiting
    from mailer.status.standing import Standing

LONGEST = 500  # characters of a reply that are compared: the expression goes over long words again and again

# What differs between two replies that say the same: addresses, numbers that are not codes, and names of queues
_PARTICULAR = r"<[^<>]*@[^<>]*>|\S+@\S+|\b(?=\w*\d)\w{7,}\b|\b\d+(?:\.\d+){3}\b"


def general(reply: str) -> str:
    """A reply without what is particular to one message, so that equal reasons count as one."""
    return re.sub(_PARTICULAR, "…", reply[:LONGEST])[:200] or "no reason is known"


# Failures


class Group(NamedTuple):
    """Recipients that did not get their mail, and what they have in common: `by` is one of `GROUPS`, `example` one of them."""

    by: str
    name: str
    many: int
    example: str

    def as_json(self) -> dict[str, object]:
        """A line of ``mailer bounces --by … --json``."""
        return {self.by: self.name, "count": self.many, "example": self.example}


def _reason(item: Undelivered) -> str:
    return general(item.recipient.why)


def _domain(item: Undelivered) -> str:
    return domain_of(item.recipient.address)


def _code(item: Undelivered) -> str:
    recipient = item.recipient
    return " ".join(part for part in (str(recipient.code or ""), recipient.enhanced_code) if part) or "none"


def _class(item: Undelivered) -> str:
    return item.judged.name


GROUPS: dict[str, Callable[[Undelivered], str]] = {"reason": _reason, "domain": _domain, "code": _code, "class": _class}
"""What failures are counted by: the reply without what is particular to one message, the recipient's domain, the codes of the reply, and
what it means, `mailer.dsn.classes`."""


def groups(found: Iterable[Undelivered], by: str, limit: int | None = None) -> list[Group]:
    """Recipients that did not get their mail, counted by one of `GROUPS`; the most frequent first, no more than `limit`."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for item in found:
        name = GROUPS[by](item)
        counts[name] += 1
        examples.setdefault(name, item.recipient.why if by != "reason" else item.recipient.address)
    return [Group(by, name, count, examples[name]) for name, count in counts.most_common(limit)]


# The backlog

EDGES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)  # minutes
HEADINGS = (*map(str, EDGES), "1280+")
"""What each column holds: the recipients who have waited for less than so many minutes, and no less than the one before."""


class Pile:
    """The recipients who wait for one thing: by age, and when the first of their messages was put (seconds since the epoch)."""

    __slots__ = ("ages", "oldest")

    def __init__(self, ages: Sequence[int] = (0,) * len(HEADINGS)) -> None:
        self.ages = [*ages]
        self.oldest = 0.0

    @property
    def total(self) -> int:
        """How many recipients there are."""
        return sum(self.ages)

    def add(self, queued_at: float, now: float) -> None:
        """Count one more recipient, whose mail was put `queued_at` (seconds since the epoch)."""
        minutes = (now - queued_at) / 60
        self.ages[next((at for at, edge in enumerate(EDGES) if minutes < edge), len(EDGES))] += 1
        self.oldest = min(self.oldest or queued_at, queued_at)

    def as_json(self) -> dict[str, object]:
        """As ``mailer status --destinations --json`` has it."""
        return {
            "total": self.total,
            "by_age_minutes": dict(zip(HEADINGS, self.ages, strict=True)),
            "oldest_at": rfc3339(self.oldest) if self.oldest else None,
        }


def piles(waiting: Iterable[Waiting], name: Callable[[Waiting], str], now: float) -> dict[str, Pile]:
    """Recipients that wait, in piles by what `name` makes of each; the largest first."""
    found: dict[str, Pile] = {}
    for each in waiting:
        key = name(each)
        pile = found.get(key)
        if pile is None:
            pile = found[key] = Pile()
        pile.add(each.queued_at, now)
    return dict(sorted(found.items(), key=lambda item: -item[1].total))


class ByDestination(NamedTuple):
    """How much waits for a destination, and how it stands with it, where that is known; the state may be that of a daemon that is gone."""

    name: str
    pile: Pile
    state: Standing | None
    stale: bool

    def as_json(self) -> dict[str, object]:
        """A line of ``mailer status --destinations --json``."""
        return {
            "destination": self.name,
            "backlog": self.pile.as_json(),
            "state": self.state.as_json() if self.state else None,
            "stale": self.stale,
        }


class ByDomain(NamedTuple):
    """How much waits for a domain."""

    name: str
    pile: Pile

    def as_json(self) -> dict[str, object]:
        """A line of ``mailer status --destinations --by domain --json``."""
        return {"domain": self.name, "backlog": self.pile.as_json()}


class ByReason(NamedTuple):
    """How much waits for a destination, and why."""

    reason: str
    destination: str
    pile: Pile

    def as_json(self) -> dict[str, object]:
        """A line of ``mailer status --destinations --by reason --json``."""
        return {"reason": self.reason, "destination": self.destination, "backlog": self.pile.as_json()}


class Backlog:
    """The backlog of `view` at `now` (seconds since the epoch); without a `config`, which may be wrong, mail counts for its domain.

    Raises `Problem` (no-permission) where only the user's own mail is seen.
    """

    def __init__(self, view: MailView, config: Config | None, now: float) -> None:
        self.view = view
        self.now = now
        self.standings = [*every(view.destinations)]
        self._config = config

    def by_destination(self) -> list[ByDestination]:
        """The backlog by destination, the largest first; then those that the daemon knows of and nothing waits for."""
        found = self.piles()
        known = {standing.key: standing for standing in self.states()[0]}
        names = [*found, *(key for key in known if key not in found)]
        running = self.view.daemon.running
        return [ByDestination(name, found.get(name, Pile()), known.get(name), name in known and not running) for name in names]

    def by_domain(self) -> list[ByDomain]:
        """The backlog by the domain of the recipients, the largest first."""
        return [ByDomain(name, pile) for name, pile in piles(every(self.view.backlog), lambda each: each.domain, self.now).items()]

    def by_reason(self) -> list[ByReason]:
        """The backlog by reason and destination, the largest first."""
        name = self.namer()
        together = piles(every(self.view.backlog), lambda each: f"{_why(each)}\n{name(each)}", self.now)
        return [ByReason(key.partition("\n")[0], key.partition("\n")[2], pile) for key, pile in together.items()]

    def by(self, what: str) -> Sequence[ByDestination | ByDomain | ByReason]:
        """The backlog by ``destination``, ``domain`` or ``reason``."""
        if what == "reason":
            return self.by_reason()
        return self.by_domain() if what == "domain" else self.by_destination()

    def piles(self) -> dict[str, Pile]:
        """How much waits for each destination, the largest first."""
        return piles(every(self.view.backlog), self.namer(), self.now)

    def states(self) -> tuple[list[Standing], list[Suspension]]:
        """What the daemon says of each destination, with what an operator has paused; and pauses of what is no destination of it."""
        try:
            known = at_once(self.view.spool.suspensions())
        except (Problem, OSError):  # a view: `mailer queue pauses` says what is wrong with it
            return [*self.standings], []
        seen, others = [], {pause.target: pause for pause in known if pause.holds(self.now)}
        for standing in self.standings:
            pause = known.of_way(standing.key, self.now)
            seen.append(_with_pause(standing, pause) if pause else standing)
            if pause:
                others.pop(pause.target, None)
        return seen, [*others.values()]

    def namer(self) -> Callable[[Waiting], str]:
        """What the destination of a recipient is called: a relay by the rules, else by the host that was tried last, else the domain."""
        from mailer.routing.table import RouteTable
        from mailer.shaping.table import FOR, TermsTable

        tables = (RouteTable.of(self._config), TermsTable(self._config)) if self._config else None
        keys = {host: each.key.partition(FOR)[0] for each in self.standings for host in hosts_of(each.key)}
        names: dict[tuple[str, str], str] = {}

        def name(each: Waiting) -> str:
            host = each.host.lower()
            found = names.get((each.domain, host))
            if found is None:
                found = names[each.domain, host] = _destination(tables, each.domain, keys.get(host, ""))
            return found

        return name


def _destination(tables: tuple[RouteTable, TermsTable] | None, domain: str, tried: str) -> str:
    """The destination of mail for `domain`, whose host belonged to `tried` when it was tried last."""
    if tables is None:
        return tried or domain
    routes, terms = tables
    vias = routes.find(domain).via
    relays = " ".join(map(str, vias)) if all(via.kind != "mx" for via in vias) else ""
    key = relays or tried
    return terms.key(key, domain) if key else domain


def _with_pause(standing: Standing, pause: Suspension) -> Standing:
    until = min(pause.until, FOREVER)
    return standing._replace(paused_until=until, pause_reason=pause.why, wait="pause", wait_detail=pause.reply, wait_until=until)


def _why(each: Waiting) -> str:
    return general(each.why).replace("\n", " ") if each.why else "not tried yet"
