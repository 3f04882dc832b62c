"""``mailer status``: what became of a message, of many, or of the whole spool; always spool and database together."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

from mailer.intake.view import view_of
from mailer.mail.problem import Problem
from mailer.operate.selection import meant
from mailer.spool.files.daemons import elsewhere
from mailer.status.api import every

from . import NO_SUCH, OK, pages, show
from .options import JSON, Option, Subcommand, usage
from .selectors import LIMIT, SELECTION, SINCE, banner, beside, chosen, expanded, filter_of, lack_of, messages, sandbox_of, spool_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config import Config
    from mailer.mail.alarm import OpenAlarm
    from mailer.operate.overview import Overview
    from mailer.operate.subscribers import JournalSubscriber
    from mailer.operate.waits import WaitingFor
    from mailer.status.api import MailView, Summary
    from mailer.status.record import Record

    from .destinations import Destinations
    from .options import Given
    from .show import Block

SHOWN = 20  # messages of a list, unless --limit says otherwise


class StatusQuery:
    """The question of ``mailer status``: messages by name, a list, or (neither) the summary. `missing` are names that nobody knows."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.names = given.operands
        self.listed = chosen(given) or given.flag("--limit")
        if self.names and self.listed:
            raise usage("name messages, or select them with options, not both", "status")
        self.wanted = filter_of(given)
        self.limit = given.number("--limit", SHOWN) or None
        self.missing: list[str] = []
        self.named = given.flag("--spool")
        self.sandbox = sandbox_of(given)

    def overview(self, view: MailView) -> Overview:
        """The summary, with the spools that may have been meant: those with a daemon, where none runs on this one and none was named."""
        from mailer.operate.overview import LATELY, Overview

        what = view.summary()
        others = () if what.daemon.running or self.named else elsewhere(what.spool)
        alarms = view.alarms()
        why, lack = self._waits(view, what, alarms), lack_of(self.given, view)
        incoming = view.incoming(time.time() - LATELY)
        return Overview(what, others, self.sandbox, alarms, why, lack, self._subscribers(what.spool), incoming)

    def _subscribers(self, spool: str) -> Sequence[JournalSubscriber]:
        from mailer.operate.subscribers import is_written, subscribers

        if not is_written(spool) or (config := self._config()) is None:
            return ()
        import asyncio

        return asyncio.run(subscribers(spool, config))

    def _config(self) -> Config | None:
        from .destinations import config_of

        return config_of(self.given)

    def _waits(self, view: MailView, what: Summary, alarms: Sequence[OpenAlarm]) -> Sequence[WaitingFor]:
        """Why mail waits, as far as the user may see that."""
        pending = sum(what.counts[word] for word in ("queued", "deferred", "sending"))
        if not pending:
            return ()
        from mailer.operate.waits import waits

        try:
            return waits(view, self._config, time.time(), pending, alarms)
        except Problem:
            return ()

    def blocks(self, view: MailView) -> list[Block]:
        """The answer for a person, below the sandbox, if one holds."""
        return banner(self.sandbox, listed=self.listed) + self._blocks(view)

    def _blocks(self, view: MailView) -> list[Block]:
        now = time.time()
        if self.names:
            found = [list(pages.message(record, now)) for record in self.records(view)]
            return [block for at, one in enumerate(found) for block in ([show.BLANK] if at else []) + one]
        if not self.listed:
            return list(pages.overview(self.overview(view), now))
        records = list(self.records(view))
        return [pages.messages(records, now) if records else show.Line(["No message is like that."])]

    def objects(self, view: MailView) -> Iterator[dict[str, object]]:
        """The answer for a program."""
        if not self.names and not self.listed:
            yield self.overview(view).as_json()
            return
        for record in self.records(view):
            yield record.as_json()

    def records(self, view: MailView) -> Iterator[Record]:
        """The messages that were asked for."""
        if not self.names:
            yield from every(partial(view.messages, self.wanted), self.limit)
            return
        self.missing = []
        for name in self.names:
            found, why = meant(view, name)
            if why:
                self.missing.append(why)
            yield from found


def run(asked: Given) -> int:
    """Show messages, a list, or the summary; 67 if one that was named is unknown."""
    given = expanded(asked)
    if given is None:
        return OK
    if given.flag("--check"):
        from .status_check import check

        return check(given)
    if given.flag("--depth"):
        raise usage("--depth goes with --check", "status")
    spool = spool_of(given)
    query = _query(given)
    if given.flag("--watch"):
        _watch(given, query)
        return OK
    with view_of(spool) as view:
        if given.flag("--quiet"):
            list(query.objects(view))
        elif given.flag("--json"):
            for item in query.objects(view):
                show.json_line(item)
            if "--destinations" in given.values or given.operands or chosen(given) or given.flag("--limit"):  # the summary says it itself
                beside(query.sandbox)
        else:
            show.show(query.blocks(view))
        notes = view.notes
    show.note(*notes, *query.missing)
    return NO_SUCH if query.missing else OK


def _query(given: Given) -> StatusQuery | Destinations:
    if given.flag("--by") and not given.flag("--destinations"):
        raise usage("--by goes with --destinations", "status")
    if not given.flag("--destinations"):
        return StatusQuery(given)
    from .destinations import Destinations

    if given.operands or chosen(given) or given.flag("--limit"):
        raise usage("--destinations goes with --by, --watch and --json, and with nothing else", "status")
    return Destinations(given)


def _watch(given: Given, query: StatusQuery | Destinations) -> None:
    spool = spool_of(given)

    def blocks() -> list[Block]:
        with view_of(spool) as view:
            shown = query.blocks(view)
        return shown + [show.Line([why]) for why in query.missing]

    def lines() -> list[str]:
        with view_of(spool) as view:
            return [json.dumps(item) for item in query.objects(view)]

    if given.flag("--json"):
        show.changes(lines)
    else:
        show.watch(blocks)


COMMAND = Subcommand(
    "status",
    run,
    summary="what became of messages",
    about=(
        "Shows the messages that are named, by ID (or as many of its first symbols as no other ID begins with), Message-ID or request "
        "id; or those that the options select, newest first; or, "
        "with neither, how many messages there are of each kind.\n\n"
        "The answer comes from the spool and the status database together, so it is right whether or not a daemon runs. While the "
        "configuration has a sandbox ([sandbox] in mailer-config(5)), a line above says what it does; what it trapped counts as sent, with "
        "the reply 250 2.0.0 trapped in our words.\n\n"
        "With --destinations: first the backlog, as qshape(1) shows it: how many recipients wait for each destination, in columns by "
        "the minutes since their message was queued. It is counted in the spool and leaves out held mail. Mail for a relay counts for "
        "that relay; other mail counts for the hosts that were tried last, if the daemon knows them as a destination, and "
        "else for the domain of the recipient. Then what the daemon says of each destination: how many sessions are at work and how "
        "many there may be, whether it is left alone, why its mail waits, and what it said last. While no daemon runs, that is how the "
        "last one left it.\n\n"
        "With --check: whether all is well, for Nagios and timers. What is critical: an open alarm that is, mail that waits and no daemon, "
        "a disk that takes no mail, and what is beyond the second bound of --older or --depth. A warning: an open alarm that is one, no "
        "daemon, and what is beyond the first bound. The first line says the worst; a line for each follows, with what mends it. "
        "mailer-delivery(7) lists the alarms."
    ),
    operands="[ID… | -]",
    words=messages,
    options=(
        *SELECTION,
        SINCE,
        LIMIT,
        Option("--destinations", help="how much waits for whom and since when, and how it stands with each destination"),
        Option(
            "--by",
            metavar="WHAT",
            words=("destination", "domain", "reason"),
            help="with --destinations: count by destination, domain or reason",
        ),
        Option("--check", help="say in one line whether all is well: exit code 0, 1 for a warning, 2 for what is critical"),
        Option("--depth", metavar="N", help="with --check: more messages than N that wait are a warning; N,M: more than M are critical"),
        Option("--watch", "-w", help="keep showing it, until Ctrl-C"),
        JSON,
    ),
    examples=(
        "mailer status",
        "mailer status 01KAHGWV7J5ZQ0C9XK3M2T8B4R",
        "mailer status --state deferred --domain example.net",
        "mailer status --destinations --watch",
        "mailer status --check --older 15m,2h --depth 1000",
        "mailer status --destinations --by reason",
        """mailer status --since 2h --json | jq -r '.recipients[] | select(.status == "failed") | .address'""",
    ),
    epilog="""\
statuses: queued · sending · deferred · held · scheduled (to leave later; its status in JSON is deferred) ·
sent · failed · expired · cancelled; a recipient can also be bounced (a report came later) or complained

exit codes: 0 · 64 usage · 67 a message that was named is not known · 77 no permission;
with --check: 0 all is well · 1 a warning · 2 critical""",
)
