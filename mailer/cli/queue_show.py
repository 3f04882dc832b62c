"""``mailer queue show``: one message of the spool as it lies there: envelope, outcomes, header, and if wanted the body."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.intake.view import view_of
from mailer.mail.history import RECIPIENT_STATUS
from mailer.mail.problem import Problem
from mailer.mail.text import safe
from mailer.operate.queue import SpooledMessage, stored
from mailer.status.record import of_entry

from . import OK, pages, show
from .options import JSON, Option, Subcommand, usage
from .selectors import messages, spool_of
from .show import BLANK, Cell, Column, Line, Table, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry

    from .options import Given
    from .show import Block, Value


def run(given: Given) -> int:
    """Show the message. 67 if it is not in the spool."""
    if len(given.operands) != 1:
        raise usage("queue show takes one ID", given.command.name)
    with view_of(spool_of(given)) as view:
        found = stored(view, given.operands[0])
    if given.flag("--raw"):
        _raw(found.content)
    elif given.flag("--json"):
        show.json_line(found.as_json(body=given.flag("--body")))
    elif not given.flag("--quiet"):
        show.show(_page(found, time.time()))
        if given.flag("--body"):
            _print_body(found.body())
    return OK


def _raw(content: bytes) -> None:
    if sys.stdout.isatty():
        raise Problem("--raw prints the bytes as they are, and could make this terminal do things: send it to a file or a pipe", "usage")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _page(found: SpooledMessage, now: float) -> Iterator[Block]:
    entry = found.entry
    yield from pages.message(of_entry(entry), now)
    if entry.history.outcomes:
        yield BLANK
        yield _outcomes(entry, now)
    if origin := _origin(entry):
        yield BLANK
        yield Line([Cell(f"Submitted with {origin}", "quiet")])
    yield BLANK
    for name, value in found.header():
        yield Line([Cell(name + ":", "quiet"), " " + value])


def _origin(entry: Entry) -> str:
    told = {**entry.envelope.submitter, **entry.envelope.options}
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _outcomes(entry: Entry, now: float) -> Table:
    columns = [
        Column("WHEN", right=True),
        Column("TRIED"),
        Column("STATUS", cut=True),
        Column("PHASE", cut=True),
        Column("REPLY"),
        Column("HOST"),
    ]
    rows: list[Sequence[Value]] = []
    for outcome in entry.history.outcomes:
        status = RECIPIENT_STATUS[outcome.verdict]
        address = entry.envelope.recipients[outcome.to].address
        reply = Cell(outcome.reply or "-", show.MOODS[status])
        rows.append([Cell(moment(outcome.at, now), "quiet"), address, show.status(status), outcome.phase or "-", reply, _host(outcome)])
    return Table(columns, rows)


def _host(outcome: Outcome) -> str:
    hop = outcome.hop
    where = f"{hop.host or hop.ip}:{hop.port}" if hop.port else hop.host
    return " ".join(part for part in (where, hop.tls) if part) or "-"


def _print_body(text: str) -> None:
    show.say("")
    for line in text.removesuffix("\r\n").split("\r\n"):
        show.say(safe(line.expandtabs(), len(line) * 8 + 1))


show_message = Subcommand(
    "queue show",
    run,
    summary="one message of the spool: envelope, outcomes, header",
    about="Shows a message as it lies in the spool. What came from outside is made safe for a terminal, except with --raw.",
    operands="ID",
    words=messages,
    examples=("mailer queue show 01KAHGWV7J5ZQ0C9XK3M2T8B4R --body", "mailer queue show 01KAHGWV7J5ZQ0C9XK3M2T8B4R --raw > message.eml"),
    options=(
        Option("--body", help="the body too, as text"),
        Option("--raw", help="the message and nothing else, byte for byte; not to a terminal"),
        JSON,
    ),
)
