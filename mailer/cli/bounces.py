"""``mailer bounces``: the recipients that did not get their mail, and why; one by one, or counted."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mailer.intake.view import view_of
from mailer.operate.status import GROUPS, groups
from mailer.status.api import every

from . import OK, bounces_aggregates, bounces_ingest, bounces_key, bounces_reports, pages, show
from .options import JSON, Option, Subcommand, usage
from .selectors import DOMAIN, FROM, LIMIT, TO, banner, beside, chosen, filter_of, sandbox_of, spool_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.operate.status import Group
    from mailer.status.api import Undelivered

    from .options import Given

SHOWN = 20
T = TypeVar("T", "Group", "Undelivered")


def run(given: Given) -> int:
    """Show the recipients, or count them."""
    spool, wanted = spool_of(given), filter_of(given)
    by = given.text("--by")
    if by is not None and by not in GROUPS:
        raise usage(f"--by takes {', '.join(GROUPS)}, not {by!r}", "bounces")
    limit = given.number("--limit", SHOWN) or None
    with view_of(spool) as view:
        ask = partial(view.undelivered, wanted)
        if by:
            _print(given, groups(every(ask), by, limit), pages.groups)
        else:
            _print(given, every(ask, limit), partial(pages.undelivered, now=time.time()))
        notes = view.notes
    show.note(*notes)
    return OK


def _print(given: Given, found: Iterable[T], page: Callable[[list[T]], show.Block]) -> None:
    if given.flag("--json"):
        for item in found:
            show.json_line(item.as_json())
        beside(sandbox_of(given))
        return
    items = list(found)
    if not given.flag("--quiet"):
        none = "No mail failed that is like that." if chosen(given) else "No mail failed."
        show.show([*banner(sandbox_of(given), listed=True), page(items) if items else show.Line([none])])


plain = Subcommand(
    "bounces",
    run,
    summary="recipients that failed or bounced, and why",
    about=(
        "Shows each recipient whose mail was refused for good, expired, or came back later, newest first, with what the other side "
        "said. With --by it counts them instead."
    ),
    options=(
        TO,
        FROM,
        DOMAIN,
        Option("--since", metavar="WHEN", help="only what failed since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z"),
        Option("--by", metavar="WHAT", words=[*GROUPS], help="count by reason, domain, code or class of the reason, most frequent first"),
        LIMIT,
        JSON,
    ),
    epilog="""\
what a report of another host may change, by what it shows (trust, in mailer explain):
  token   it has the signed token that its message left with: status, journal, suppression list
  ours    it has the Message-ID or the ENVID that we gave: status and journal; the list only with
          suppress.trust = "message-id"
  none    neither: nothing; it is kept as unmatched, see mailer bounces reports
It says nothing of recipients who are not in the envelope of that message, and each bounces or
complains once. An automatic answer changes nothing.""",
    examples=(
        "mailer bounces --since 1d",
        "mailer bounces --by reason --domain example.net",
        "mailer bounces --by class --since 7d",
        "mailer bounces --json --limit 0 | jq -r .address | sort -u",
    ),
)

COMMANDS = {"": plain, **bounces_ingest.COMMANDS, **bounces_reports.COMMANDS, **bounces_aggregates.COMMANDS, **bounces_key.COMMANDS}
