"""``mailer status --destinations``: how much mail waits for whom and since when, and what the daemon says of each destination."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.config import load
from mailer.mail.problem import Problem
from mailer.operate.status import HEADINGS, Backlog, Pile
from mailer.status.standing import FOREVER

from .options import usage
from .selectors import banner, sandbox_of
from .show import BLANK, ROOMY, Cell, Column, Line, Table, moment, terminal, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config import Config
    from mailer.operate.status import ByReason
    from mailer.spool.suspensions import Suspension
    from mailer.status.api import MailView
    from mailer.status.standing import Standing

    from .options import Given
    from .show import Block, Piece, Value

BREAKERS = {"closed": "good", "half-open": "wait", "open": "bad"}
"""The style of each state of a breaker."""


class Destinations:
    """The question about destinations, asked anew with each `view`."""

    def __init__(self, given: Given) -> None:
        self.by = given.text("--by") or "destination"
        if self.by not in ("destination", "domain", "reason"):
            raise usage(f"--by takes destination, domain or reason, not {self.by!r}", "status")
        self.config = config_of(given)
        self.sandbox = sandbox_of(given)
        self.missing: list[str] = []

    def blocks(self, view: MailView) -> list[Block]:
        """The answer for a person, below the sandbox, if one holds."""
        return banner(self.sandbox, listed=True) + self._blocks(view)

    def _blocks(self, view: MailView) -> list[Block]:
        now = time.time()
        backlog = Backlog(view, self.config, now)
        if self.by == "reason":
            return list(_reasons(backlog.by_reason(), now))
        if self.by == "domain":
            return [_shape("DOMAIN", {each.name: each.pile for each in backlog.by_domain()})]
        blocks = [_shape("DESTINATION", backlog.piles())]
        standings, others = backlog.states()
        if standings:
            blocks += [BLANK, *_state(standings, now, running=view.daemon.running)]
        if others:
            blocks += [BLANK, *(_pause_line(each, now) for each in others)]
        return blocks

    def objects(self, view: MailView) -> Iterator[dict[str, object]]:
        """The answer for a program."""
        return (each.as_json() for each in Backlog(view, self.config, time.time()).by(self.by))


def _pause_line(pause: Suspension, now: float) -> Line:
    return Line([Cell(pause.reply + (f" (until {moment(pause.until, now)})" if pause.until < FOREVER else ""), "wait")])


def config_of(given: Given) -> Config | None:
    """None where the configuration is wrong, and then mail counts for its domain."""
    try:
        return load(given.text("--config"), given.text("--spool"))
    except Problem:
        return None


# For people


def _narrow() -> bool:
    """Whether the columns of a line do not fit beside each other."""
    return terminal() and width() < ROOMY


def _shape(heading: str, found: dict[str, Pile]) -> Block:
    """As qshape(1): a line for each, and the sum of all above them. Ages that nobody has are left out where there is no room for them."""
    if not found:
        return Line(["Nothing waits."])
    total = Pile([sum(pile.ages[at] for pile in found.values()) for at in range(len(HEADINGS))])
    ages = [at for at in range(len(HEADINGS)) if total.ages[at] or not _narrow()]
    rows: list[Sequence[Value]] = [_row(Cell("TOTAL", "strong"), total, ages)]
    rows += [_row(Cell(name), pile, ages) for name, pile in found.items()]
    return Table([Column(heading), Column("T", right=True), *(Column(HEADINGS[at], right=True) for at in ages)], rows)


def _row(name: Cell, pile: Pile, ages: Sequence[int]) -> list[Value]:
    counts = [pile.ages[at] for at in ages]
    return [name, str(pile.total), *(Cell(str(count), "" if count else "quiet") for count in counts)]


def _reasons(found: list[ByReason], now: float) -> Iterator[Block]:
    if not found:
        yield Line(["Nothing waits."])
        return
    columns = [Column("T", right=True), Column("OLDEST", right=True), Column("DESTINATION"), Column("REASON")]
    yield Table(
        columns,
        [
            [str(pile.total), Cell(moment(pile.oldest, now), "quiet"), destination, Cell(reason, "wait")]
            for reason, destination, pile in found
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
