"""``mailer bounces reports``: the reports that came back and were taken, also those that are about nothing of ours."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from mailer.config.quick import submission
from mailer.mail.dates import rfc3339
from mailer.mail.text import one_line
from mailer.operate.reports import listed, shown
from mailer.reports.api import STATES

from . import OK, show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.reports.api import ReportRow

    from .options import Given

SHOWN = 20
NOTED = 60  # characters of a note in a list


def run(given: Given) -> int:
    """List reports."""
    state = given.text("--state")
    if state is not None and state not in STATES:
        raise usage(f"--state takes {', '.join(STATES)}, not {state!r}", "bounces reports")
    limit = given.number("--limit", SHOWN) or None
    rows = listed(_root(given), [each for each in STATES if state in (None, each)], limit)
    if given.flag("--json"):
        for row in rows:
            show.json_line(as_json(row))
        return OK
    found = [*rows]
    if not given.flag("--quiet"):
        page: list[show.Block] = [table(found, time.time()) if found else show.Line(["No report like that was taken."])]
        if found:
            page += [show.BLANK, show.Line([f"mailer bounces show {found[0].id}"])]
        show.show(page)
    return OK


def run_show(given: Given) -> int:
    """Show one report as it came."""
    if len(given.operands) != 1:
        raise usage("name one report", "bounces show")
    row, loaded = shown(_root(given), given.operands[0])
    if given.flag("--json"):
        show.json_line(as_json(row) | {"content": loaded.content.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()})
    elif given.flag("--raw"):
        sys.stdout.flush()
        sys.stdout.buffer.write(loaded.content)
    else:
        lines = loaded.content.decode("utf-8", "replace").splitlines()
        page: list[show.Block] = [show.Line([f"{name}: {value}"]) for name, value in facts(row)]
        show.show([*page, show.BLANK, *(show.Line([one_line(line)]) for line in lines)])
    return OK


def as_json(row: ReportRow) -> dict[str, Any]:
    """A row as ``--json`` prints it."""
    came = row.facts
    said = {name: getattr(came, name) or None for name in ("recipient", "mail_from", "peer", "tls")}
    return {
        "id": row.id,
        "state": row.state,
        "at": rfc3339(came.at),
        "source": came.source,
        "size": row.size,
        **said,
        "note": dict(row.note),
    }


def facts(row: ReportRow) -> list[tuple[str, str]]:
    """What is known of a report, for a person."""
    came = row.facts
    said = [("report", row.id), ("state", row.state), ("came", rfc3339(came.at)), ("from", came.source), ("to", came.recipient)]
    said += [("envelope sender", came.mail_from), ("brought by", came.peer), ("tls", came.tls)]
    return [(name, one_line(value)) for name, value in said if value] + [(name, one_line(str(value))) for name, value in row.note.items()]


def table(rows: Sequence[ReportRow], now: float) -> show.Block:
    """The rows as a table."""
    columns = [show.Column(name) for name in ("REPORT", "STATE", "CAME", "FROM", "TO", "ABOUT")]
    return show.Table(columns, [_cells(row, now) for row in rows])


def _cells(row: ReportRow, now: float) -> list[show.Value]:
    state = show.Cell(row.state, {"done": "good", "new": "wait"}.get(row.state, ""))
    return [row.id, state, show.moment(row.facts.at, now), one_line(row.facts.source), one_line(row.facts.recipient), _about(row)]


def _about(row: ReportRow) -> str:
    words = [str(value) for value in row.note.values() if isinstance(value, str)]
    return one_line(" ".join(words))[:NOTED]


def _root(given: Given) -> str:
    return submission(given.text("--config"), given.text("--spool")).spool


COMMANDS = {
    "reports": Subcommand(
        "bounces reports",
        run,
        summary="the reports that came back, also those about nothing of ours",
        about=(
            "Lists what was taken: by bounces ingest, from mailboxes, or at a door of the kind reports. New ones wait for the daemon, done "
            "ones have been acted upon, and those that are unmatched are about nothing that was sent from here, as far as can be "
            "told: they change nothing."
        ),
        options=(
            Option("--state", metavar="STATE", help="only those that are new, done or unmatched", words=STATES),
            Option("--limit", metavar="COUNT", help=f"at most so many, {SHOWN} if nothing is said, 0 for all"),
            JSON,
        ),
        examples=("mailer bounces reports --state unmatched", "mailer bounces reports --json --limit 0 | jq -r .recipient"),
    ),
    "show": Subcommand(
        "bounces show",
        run_show,
        summary="one report as it came",
        about="Shows a report, how it came, and what became of it. Of the ID the beginning is enough.",
        operands="REPORT",
        options=(Option("--raw", help="print the octets as they came, and nothing else"), JSON),
        examples=("mailer bounces show 5TP2", "mailer bounces show 5TP2 --raw > report.eml"),
    ),
}
