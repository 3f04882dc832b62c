"""``mailer status --destinations``: how much mail waits for whom and since when, and what the daemon says of each destination."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.config import load
from mailer.delivery.route import RouteTable
from mailer.delivery.terms import FOR, TermsTable
from mailer.mail.failure import Failure
from mailer.spool import pauses
from mailer.status.backlog import HEADINGS, Pile, piles
from mailer.status.destinations import FOREVER, hosts_of

from .bounces import general
from .options import usage
from .show import BLANK, ROOMY, Cell, Column, Line, Table, moment, terminal, width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.status.api import MailView
    from mailer.status.destinations import Standing
    from mailer.status.reader import Waiting

    from .options import Given
    from .show import Block, Piece, Value

BREAKERS = {"closed": "good", "half-open": "wait", "open": "bad"}
"""The style of each state of a breaker."""


class Destinations:
    """The question, asked anew with each `view`."""

    def __init__(self, given: Given) -> None:
        self.by = given.text("--by") or "destination"
        if self.by not in ("destination", "domain", "reason"):
            raise usage(f"--by takes destination, domain or reason, not {self.by!r}", "status")
        self.config = _config(given)
        self.routes = RouteTable(self.config.routes) if self.config else None
        self.terms = TermsTable(self.config) if self.config else None
        self.missing: list[str] = []

    def blocks(self, view: MailView) -> list[Block]:
        """The answer for a person."""
        now = time.time()
        standings = view.standings()
        if self.by == "reason":
            return list(_reasons(self._reasons(view, standings, now), now))
        found = self._piles(view, standings, now)
        blocks: list[Block] = [_shape(self.by, found) if found else Line(["Nothing waits."])]
        if self.by == "destination":
            standings, others = _paused(view, standings, now)
            if standings:
                blocks += [BLANK, *_state(standings, now, running=view.daemon.running)]
            if others:
                blocks += [BLANK, *(_pause_line(each, now) for each in others)]
        return blocks

    def objects(self, view: MailView) -> Iterator[dict[str, object]]:
        """The answer for a program."""
        now = time.time()
        standings = view.standings()
        if self.by == "reason":
            for (reason, destination), pile in self._reasons(view, standings, now).items():
                yield {"reason": reason, "destination": destination, "backlog": pile.as_json()}
            return
        found = self._piles(view, standings, now)
        if self.by == "domain":
            for name, pile in found.items():
                yield {"domain": name, "backlog": pile.as_json()}
            return
        known = {standing.key: standing for standing in _paused(view, standings, now)[0]}
        for name in [*found, *(key for key in known if key not in found)]:
            state = known[name].as_json() if name in known else None
            pile = found.get(name, Pile())
            yield {"destination": name, "backlog": pile.as_json(), "state": state, "stale": bool(state) and not view.daemon.running}

    def _piles(self, view: MailView, standings: Sequence[Standing], now: float) -> dict[str, Pile]:
        if self.by == "domain":
            return piles(view.waiting(), lambda each: each.domain, now)
        return piles(view.waiting(), self._named(standings), now)

    def _reasons(self, view: MailView, standings: Sequence[Standing], now: float) -> dict[tuple[str, str], Pile]:
        name = self._named(standings)
        together = piles(view.waiting(), lambda each: f"{_reason(each)}\n{name(each)}", now)
        return {(key.partition("\n")[0], key.partition("\n")[2]): pile for key, pile in together.items()}

    def _named(self, standings: Sequence[Standing]) -> Callable[[Waiting], str]:
        """What the destination of a recipient is called: a relay by the rules, else by the host that was tried last, else the domain."""
        keys = {host: each.key.partition(FOR)[0] for each in standings for host in hosts_of(each.key)}
        names: dict[tuple[str, str], str] = {}

        def name(each: Waiting) -> str:
            host = each.host.lower()
            found = names.get((each.domain, host))
            if found is None:
                found = names[each.domain, host] = self._destination(each.domain, keys.get(host, ""))
            return found

        return name

    def _destination(self, domain: str, tried: str) -> str:
        """The destination of mail for `domain`, whose host belonged to `tried` when it was tried last."""
        if self.routes is None or self.terms is None:
            return tried or domain
        vias = self.routes.find(domain).via
        relays = " ".join(map(str, vias)) if all(via.kind == "relay" for via in vias) else ""
        key = relays or tried
        return self.terms.key(key, domain) if key else domain


def _paused(view: MailView, standings: Sequence[Standing], now: float) -> tuple[list[Standing], list[pauses.Pause]]:
    """`standings` with what an operator has paused, as the daemon's account leaves out; and pauses of what is no destination of it."""
    try:
        known = pauses.read(view.spool.root)
    except (Failure, OSError):  # a view: `mailer queue pauses` says what is wrong with it
        return [*standings], []
    seen, others = [], {pause.target: pause for pause in known if pause.holds(now)}
    for standing in standings:
        pause = known.of_way(standing.key, now)
        seen.append(_with_pause(standing, pause) if pause else standing)
        if pause:
            others.pop(pause.target, None)
    return seen, [*others.values()]


def _with_pause(standing: Standing, pause: pauses.Pause) -> Standing:
    until = min(pause.until, FOREVER)
    return standing._replace(paused_until=until, pause_reason=pause.why, wait="pause", wait_detail=pause.reply, wait_until=until)


def _pause_line(pause: pauses.Pause, now: float) -> Line:
    return Line([Cell(pause.reply + (f" (until {moment(pause.until, now)})" if pause.until < FOREVER else ""), "wait")])


def _config(given: Given) -> Config | None:
    """None where the configuration is wrong, and then mail counts for its domain."""
    try:
        return load(given.text("--config"), given.text("--spool"))
    except Failure:
        return None


def _reason(each: Waiting) -> str:
    return general(each.why).replace("\n", " ") if each.why else "not tried yet"


# For people


def _narrow() -> bool:
    """Whether the columns of a line do not fit beside each other."""
    return terminal() and width() < ROOMY


def _shape(by: str, found: dict[str, Pile]) -> Table:
    """As qshape(1): a line for each, and the sum of all above them. Ages that nobody has are left out where there is no room for them."""
    total = Pile([sum(pile.ages[at] for pile in found.values()) for at in range(len(HEADINGS))])
    ages = [at for at in range(len(HEADINGS)) if total.ages[at] or not _narrow()]
    rows: list[Sequence[Value]] = [_row(Cell("TOTAL", "strong"), total, ages)]
    rows += [_row(Cell(name), pile, ages) for name, pile in found.items()]
    return Table([Column(by.upper()), Column("T", right=True), *(Column(HEADINGS[at], right=True) for at in ages)], rows)


def _row(name: Cell, pile: Pile, ages: Sequence[int]) -> list[Value]:
    counts = [pile.ages[at] for at in ages]
    return [name, str(pile.total), *(Cell(str(count), "" if count else "quiet") for count in counts)]


def _reasons(found: dict[tuple[str, str], Pile], now: float) -> Iterator[Block]:
    if not found:
        yield Line(["Nothing waits."])
        return
    columns = [Column("T", right=True), Column("OLDEST", right=True), Column("DESTINATION"), Column("REASON")]
    yield Table(
        columns,
        [
            [str(pile.total), Cell(moment(pile.oldest, now), "quiet"), destination, Cell(reason, "wait")]
            for (reason, destination), pile in found.items()
        ],
    )


def _state(standings: Sequence[Standing], now: float, *, running: bool) -> Iterator[Block]:
    if not running:
        at = max(standing.updated_at for standing in standings)
        yield Line([Cell(f"No daemon runs. This is how it stood when the last one wrote it down, {moment(at, now)}:", "wait")])
    if _narrow():
        yield Table(
            [Column("DUE", right=True), Column("SESSIONS", right=True), Column("DESTINATION")], [_stacked(each, now) for each in standings]
        )
        return
    columns = [
        Column("DESTINATION"),
        Column("DUE", right=True),
        Column("SESSIONS", right=True),
        Column("MAY HAVE", right=True),
        Column("BREAKER", cut=True),
        Column("WHY IT WAITS"),
        Column("LAST REPLY"),
    ]
    yield Table(columns, [_state_row(standing, now) for standing in standings])


def _stacked(standing: Standing, now: float) -> list[Value]:
    """What a row has, one below the other."""
    key, due, sessions, _, breaker, why, said = _state_row(standing, now)
    lines = [Line([Cell(str(key), "strong")]), Line(["breaker ", breaker])]
    lines += [Line(["waits: ", why])] if standing.wait else []
    lines += [Line(["last reply: ", said])] if standing.last_reply else []
    return [due, f"{sessions} of {int(standing.window)}", lines]


def _state_row(standing: Standing, now: float) -> list[Piece]:
    breaker = standing.breaker + (f" until {moment(standing.open_until, now)}" if standing.breaker == "open" else "")
    if standing.breaker == "closed" and standing.failures:
        breaker = f"closed, {standing.failures} failed"
    why = standing.wait + (f" until {moment(standing.wait_until, now)}" if 0 < standing.wait_until < FOREVER else "")
    detail = f": {standing.wait_detail}" if standing.wait_detail else ""
    said = f"{standing.last_reply} ({moment(standing.last_at, now)})" if standing.last_reply and standing.last_at else standing.last_reply
    return [
        standing.key,
        str(standing.waiting),
        str(standing.sessions),
        f"{int(standing.window)} of {standing.window_cap}",
        Cell(breaker, BREAKERS[standing.breaker]),
        Cell(why + detail if why else "-", "wait" if why else "quiet"),
        said or "-",
    ]
