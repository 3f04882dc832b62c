"""``mailer events``: what becomes of mail, line by line, from the journal."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from mailer.config import load
from mailer.journal.api import TYPES
from mailer.journal.files import journal_of
from mailer.mail.outcome import reply_line
from mailer.mail.problem import Problem, from_os
from mailer.operate import events
from mailer.spool import first_id, is_id

from . import OK, show
from .options import JSON, Option, Subcommand, usage
from .selectors import since, spool_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.journal.api import Journal, JournalEvent

    from .options import Given

SHOWN = 20
STYLE_OF = {"accepted": "", "delivered": "good", "deferred": "wait", "cancelled": "quiet"}
"""The style of a type; the others are bad news."""


def run(given: Given) -> int:
    """Print events, and go on with those that come."""
    spool, wanted, id = spool_of(given), wanted_of(given), _after(given)
    limit = given.number("--limit", 0 if id else SHOWN)
    spool.check_readable()
    journal = journal_of(spool)
    try:
        found = asyncio.run(_print(given, journal, wanted, id, limit))
    except OSError as error:
        raise from_os("cannot read the journal", error.filename or spool.place, error) from error
    except KeyboardInterrupt:
        return OK
    if not found and wanted.message:
        raise Problem(f"the journal has no event of message {wanted.message}", "no-such")
    return OK


async def _print(given: Given, journal: Journal, wanted: events.EventFilter, id: str, limit: int) -> int:
    """How many events were printed, without those that came meanwhile."""
    count, last = 0, await journal.last()
    if not last:
        events.check_written(load(given.text("--config"), given.text("--spool")))
    last = id or last
    if id or not limit:
        async for event in events.after(journal, wanted, id, limit):
            count, last = count + 1, event.id
            _say(given, event)
    else:
        for event in await events.newest(journal, wanted, limit):
            count += 1
            last = max(last, event.id)
            _say(given, event)
    if given.flag("--follow"):
        sys.stdout.flush()
        async for event in events.follow(journal, wanted, last):
            _say(given, event)
            sys.stdout.flush()
    return count


def wanted_of(given: Given) -> events.EventFilter:
    """What the options choose. Raises `Problem` (usage)."""
    types = frozenset(given.texts("--type"))
    if unknown := types.difference(TYPES):
        raise usage(f"--type takes {', '.join(TYPES)}, not {min(unknown)!r}", "events")
    message = given.text("--message") or ""
    if message and not is_id(message):
        raise usage(f"--message takes the ID of a message, not {message[:40]!r}", "events")
    return events.EventFilter(types, given.text("--to") or "", message, given.text("--key") or "", given.text("--stream") or "")


def _after(given: Given) -> str:
    """The ID after which events are wanted; empty where the newest are."""
    id = given.text("--after")
    if id is not None and given.flag("--since"):
        raise usage("--after and --since both say where to begin; give one of them", "events")
    if id is not None and not is_id(id):
        raise usage(f"--after takes the ID of an event, not {id[:40]!r}", "events")
    at = since(given, time.time())
    return id or (first_id(at) if at else "")


def _say(given: Given, event: JournalEvent) -> None:
    if given.flag("--json"):
        show.json_line(event.as_json())
    elif not given.flag("--quiet"):
        show.show([show.Line([*_pieces(event, time.time())])], pages=False)


def _pieces(event: JournalEvent, now: float) -> Iterator[show.Piece]:
    """Time, type, recipient, what was said and where, which message."""
    yield show.Cell(f"{_time(event.at, now)}  ", "quiet")
    yield show.Cell(f"{event.type:<10}", STYLE_OF.get(event.type, "bad"))
    if event.type == "alarm":
        yield f"  {event.class_}{f' {event.host}' if event.host else ''} {event.to}: {event.reply}"
        return
    yield f"  {event.to}"
    if said := reply_line(event.code, event.enhanced, event.reply):
        yield f"  {said}"
    if event.host:
        yield show.Cell(f"  {event.host}", "quiet")
    if event.next:
        yield f"  next {_time(event.next, now)}"
    yield show.Cell(f"  {event.message}", "quiet")


def _time(at: float, now: float) -> str:
    return show.clock(at, now) if show.terminal() else show.exact(at, now)


COMMAND = Subcommand(
    "events",
    run,
    summary="what becomes of mail, as it happens: the journal, line by line",
    about=(
        "Prints events of the journal, oldest first: that a message was accepted, and what came of each try at each of its recipients. "
        "Without --after and --since these are the newest. The journal is written where somebody subscribes: with a webhook, with events "
        "of the message queue or the HTTP API, and where the configuration says keep = true below [journal]. Each event has an ID; they "
        "ascend, so a program that was away goes on with --after and the last one that it had."
    ),
    options=(
        Option("--follow", "-f", help="go on with what comes, until Ctrl-C"),
        Option("--after", metavar="ID", help="only events after this one"),
        Option("--since", metavar="WHEN", help="only what was written since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z"),
        Option("--type", metavar="TYPE", repeat=True, words=TYPES, help="only events of this type, such as failed; may be repeated"),
        Option("--to", metavar="ADDRESS", help="only events of this recipient; * stands for any text: '*@example.com'"),
        Option("--message", metavar="ID", help="only events of this message"),
        Option("--key", metavar="NAME", help="only events of mail that was submitted with this API key"),
        Option("--stream", metavar="NAME", help="only events of mail of this stream"),
        Option("--limit", "-n", metavar="COUNT", help="print at most so many: the first from there on, else the newest; 0 for all"),
        JSON,
    ),
    examples=(
        "mailer events --follow",
        "mailer events --type failed --type expired --since 1d",
        "mailer events --json --after 01KAHC00000000000000000001 --limit 500",
    ),
)
