"""``mailer queue pause``, ``resume`` and ``pauses``: a destination that gets no mail for now, while the rest flows."""

from __future__ import annotations

import math
import time

from mailer.config import values
from mailer.mail.problem import Problem
from mailer.operate import queue
from mailer.spool.files.spool import FileSpool
from mailer.spool.suspensions import Suspension, target_of

from . import OK, show
from .options import JSON, Given, Option, Subcommand, usage
from .selectors import banner, beside, domains, relays, sandbox_of, spool_of
from .show import Column, Line, Table, exact, moment

WHAT = "DESTINATION is relay:NAME, mx:HOST, a domain, or *.domain for those below it; `mailer route ADDRESS` shows where mail goes."


def _target(given: Given) -> str:
    if len(given.operands) != 1:
        raise usage(f"{given.command.name} takes one destination: relay:NAME, mx:HOST, or a domain", given.command.name)
    try:
        return target_of(given.operands[0])
    except ValueError as error:
        raise usage(str(error), given.command.name) from None


def pause(given: Given) -> int:
    """Pause a destination, and tell the daemon."""
    now = time.time()
    target, until = _target(given), math.inf
    if (length := given.text("--for")) is not None:
        try:
            until = now + values.duration(length)
        except ValueError as error:
            raise usage(f"--for: {error}", given.command.name) from None
    try:
        what = queue.pause(FileSpool(spool_of(given, new=True)), target, until, given.text("--why") or "", now)
    except ValueError as error:
        raise usage(f"--why {error}", given.command.name) from None
    if stranger := _unknown(given, target):
        show.note(stranger)
    _tell(given, what, f"paused {target} {'until it is resumed' if math.isinf(until) else f'until {exact(until, now)}'}")
    return OK


def _unknown(given: Given, target: str) -> str:
    """What is to be said of a relay that the configuration does not name, and that may be a slip; one may come later, so it is paused."""
    from mailer.config import load

    name = target.removeprefix("relay:")
    if name == target:
        return ""
    try:
        config = load(given.text("--config"), given.text("--spool"))
    except Problem:  # a mistake elsewhere is no reason against a pause
        return ""
    known = ", ".join(f"relay:{each}" for each in config.relays) or "no relay"
    return "" if name in config.relays else f"warning: {config.path or 'the configuration'} has no [relay.{name}]; it has {known}"


def resume(given: Given) -> int:
    """Resume a destination, and tell the daemon. 67 if it was not paused."""
    target = _target(given)
    _tell(given, queue.resume(FileSpool(spool_of(given)), target, time.time()), f"resumed {target}")
    return OK


def _tell(given: Given, what: queue.Paused, line: str) -> None:
    if given.flag("--json"):
        show.json_line(what.as_json())
    elif not given.flag("--quiet"):
        show.show([Line([line + ("" if what.heard else "; no daemon runs, the next one will keep to it")])])


def _end(pause: Suspension) -> float | None:
    return None if math.isinf(pause.until) else pause.until


def listing(given: Given) -> int:
    """Print the destinations that are paused."""
    now = time.time()
    on = queue.paused(FileSpool(spool_of(given)), now)
    if given.flag("--json"):
        for each in on:
            show.json_line(queue.shown(each))
        beside(sandbox_of(given))
    elif not given.flag("--quiet"):
        columns = [Column("DESTINATION"), Column("SINCE"), Column("UNTIL"), Column("WHY")]
        rows = [[each.target, moment(each.at, now), moment(_end(each), now), each.why or "-"] for each in on]
        show.show([*banner(sandbox_of(given), listed=True), Table(columns, rows) if on else Line(["Nothing is paused."])])
    return OK


COMMANDS = {
    "pause": Subcommand(
        "queue pause",
        pause,
        summary="let mail for a destination wait",
        about=(
            "Mail for it stays in the queue, without an attempt and without a connection; everything else flows. What is under way is "
            "finished. Waiting counts against retry.expire as ever. A pause for an hour is one of an hour, whoever sets the clock "
            "meanwhile; it outlives the daemon, and can be said while none runs.\n\n" + WHAT
        ),
        operands="DESTINATION",
        words=lambda given: [*(f"relay:{name}" for name in relays(given)), *domains(given)],
        examples=("mailer queue pause relay:out --for 2h --why 'provider down'", "mailer queue pause '*.example.net'"),
        options=(
            Option("--for", metavar="DURATION", help="for so long (30m, 2h, 1d); otherwise until it is resumed"),
            Option("--why", metavar="TEXT", help="the reason, for whoever wonders where the mail is"),
            JSON,
        ),
    ),
    "resume": Subcommand(
        "queue resume",
        resume,
        summary="let mail for a paused destination go on",
        about="What waited because of it is due at once.\n\n" + WHAT,
        operands="DESTINATION",
        words=lambda given: [each.target for each in queue.paused(FileSpool(spool_of(given)), time.time())],
        options=(JSON,),
        examples=("mailer queue resume relay:out",),
        epilog="exit codes: 0 · 64 usage · 67 it is not paused",
    ),
    "pauses": Subcommand(
        "queue pauses",
        listing,
        summary="what is paused, until when and why",
        about="Lists the destinations that get no mail for now.",
        examples=("mailer queue pauses",),
        options=(JSON,),
    ),
}
