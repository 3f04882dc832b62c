"""How mail stands, on one page: how much of it is in which state, why it waits, how it stands with destinations, and what failed last.

Of the whole spool for whoever runs it, or of the mail of one program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.problem import Problem
from mailer.spool.api import Reserve, at_once
from mailer.status import sqlite
from mailer.status.api import Filter

from .overview import Overview
from .program_view import ProgramView
from .status import Backlog, ByDestination, Pile
from .waits import MOST, waits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config
    from mailer.mail.principal import Principal
    from mailer.spool.files.store import SpoolDirectory
    from mailer.status.record import Record

FAILURES = 10
WAITING = 50  # messages of a program that are shown
DESTINATIONS = 100


class MailStanding(NamedTuple):
    """How mail stands: the `overview`, the `destinations`, the largest first, or, of one program's mail, what of it is `waiting`."""

    overview: Overview
    destinations: Sequence[ByDestination] = ()
    waiting: Sequence[Record] = ()
    whole: bool = True


def whole_standing(spool: SpoolDirectory, config: Config, now: float) -> MailStanding:
    """How it stands with all mail of `spool` at `now`, in seconds since the epoch. Raises `Problem`."""
    with sqlite.view(spool) as view:
        what = view.summary(FAILURES)
        pending = sum(what.counts[word] for word in ("queued", "deferred", "sending"))
        alarms = view.alarms()
        why = waits(view, lambda: config, now, pending, alarms)
        try:
            lack = at_once(view.spool.room(Reserve(config.submission.min_free_space, config.submission.min_free_inodes)))
        except (Problem, OSError):
            lack = ""
        backlog = Backlog(view, config, now)
        if pending <= MOST:
            destinations = backlog.by_destination()
        else:  # to count more takes seconds, and the daemon knows of some
            destinations = [ByDestination(each.key, Pile(), each, not view.daemon.running) for each in backlog.states()[0]]
        return MailStanding(Overview(what, (), config.sandbox, alarms, why, lack), destinations[:DESTINATIONS])


def own_standing(spool: SpoolDirectory, who: Principal) -> MailStanding:
    """How it stands with the mail of the program `who`. Raises `Problem`."""
    with ProgramView(spool, who) as view:
        waiting = view.page(Filter(states=frozenset(("queued", "sending", "deferred", "held", "scheduled"))), "", WAITING).items
        return MailStanding(Overview(view.summary(FAILURES)), waiting=waiting, whole=False)
