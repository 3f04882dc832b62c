"""``mailer bounces reports``: the reports that came back and were taken, also those that are about nothing of ours."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from mailer.config.quick import submission
from mailer.dsn.reported import ReportKind
from mailer.mail.dates import rfc3339
from mailer.mail.text import one_line
from mailer.operate.reports import ReportFilter, listed, people, shown
from mailer.reports.api import STATES

from . import OK, show
from .explain import TRUSTED
from .options import JSON, Option, Subcommand, usage
from .selectors import LIMIT, since, whom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.reports.api import ReportRow

    from .options import Given

SHOWN = 20
KINDS = tuple(str(kind) for kind in ReportKind)
NAMED = frozenset({"kind", "trust", "message", "recipients", "forwarded"})  # members of a note that have a label of their own


def run(given: Given) -> int:
    """List reports."""
    state = given.text("--state")
    if state is not None and state not in STATES:
        raise usage(f"--state takes {', '.join(STATES)}, not {state!r}", "bounces reports")
    kind = given.text("--kind") or ""
    if kind and kind not in KINDS:
        raise usage(f"--kind takes {', '.join(KINDS)}, not {kind!r}", "bounces reports")
    now, limit = time.time(), given.number("--limit", SHOWN) or None
    wanted = ReportFilter([each for each in STATES if state in (None, each)], kind, *whom(given), since(given, now))
    rows = listed(_root(given), wanted, limit)
    if given.flag("--json"):
        for row in rows:
            show.json_line(as_json(row))
        return OK
    found = [*rows]
    if not given.flag("--quiet"):
        blocks: list[show.Block] = [table(found, now) if found else show.Line(["No report like that was taken."])]
        if found:
            blocks += [show.BLANK, show.Line([f"mailer bounces show {found[0].id}"])]
        show.show(blocks)
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
        show.show([*page(row, time.time()), show.BLANK, *(show.Line([one_line(line)]) for line in lines)])
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


def page(row: ReportRow, now: float) -> Iterator[show.Block]:
    """What is known of a report, and what became of it for each recipient, for a person."""
    came, note = row.facts, row.note
    said: list[tuple[str, object]] = [("Report", row.id), ("State", row.state), ("Came", show.exact(came.at, now)), ("From", came.source)]
    said += [("To", came.recipient), ("Envelope sender", came.mail_from), ("Brought by", came.peer), ("TLS", came.tls)]
    said += [("Kind", note.get("kind")), ("Trust", TRUSTED.get(str(note.get("trust")))), ("Message of ours", note.get("message"))]
    said += [("Passed on to", note.get("forwarded"))]
    said += [(name.capitalize().replace("_", " "), value) for name, value in note.items() if name not in NAMED and isinstance(value, int)]
    yield show.Fields([(label, one_line(str(value))) for label, value in said if value])
    if told := _people(row):
        yield show.BLANK
        yield show.Table([show.Column(name) for name in ("RECIPIENT", "CLASS", "WHAT CAME OF IT")], told)
    problems = note.get("problems")
    for problem in problems if isinstance(problems, list) else ():
        yield show.Line([one_line(str(problem))])


def table(rows: Sequence[ReportRow], now: float) -> show.Block:
    """The rows as a table."""
    columns = [show.Column(name) for name in ("REPORT", "STATE", "CAME", "FROM", "KIND", "ABOUT")]
    return show.Table([*columns, show.Column("WHAT CAME OF IT", cut=True)], [_cells(row, now) for row in rows])


def _cells(row: ReportRow, now: float) -> list[show.Value]:
    state = show.Cell(row.state, {"done": "good", "new": "wait"}.get(row.state, ""))
    told = _people(row)
    about, _, effect = told[0] if told else ("-", "", "-")
    if "counted" in row.note:  # of how many reports in the message the sums are: `mailer.bounces.aggregates.count`
        effect = "counted" if row.note["counted"] else "counted before" if row.note.get("known") else "nothing to count"
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    return [
        row.id, state, show.moment(row.facts.at, now), one_line(row.facts.source), one_line(str(row.note.get("kind") or "-")),
        f"{about}{more}", effect,
    ]  # fmt: skip


def _people(row: ReportRow) -> list[list[str]]:
    """The recipients in the note: the address, the class, and what came of it."""
    return [[one_line(str(each.get(name) or "-")) for name in ("recipient", "class", "effect")] for each in people(row)]


def _root(given: Given) -> str:
    return submission(given.text("--config"), given.text("--spool")).spool


COMMANDS = {
    "reports": Subcommand(
        "bounces reports",
        run,
        summary="the reports that came back, also those about nothing of ours",
        about=(
            "Lists what was taken, the newest first: by bounces ingest, from mailboxes, or at a door of the kind reports. New ones wait "
            "for the daemon, done ones have been acted upon, and those that are unmatched are about nothing that was sent from here, as "
            "far as can be told: they change nothing. What kind a report is of, and whom it is about, is known when it was acted upon."
        ),
        options=(
            Option("--state", metavar="STATE", help="only those that are new, done or unmatched", words=STATES),
            Option("--kind", metavar="KIND", help="only those of this kind: " + ", ".join(KINDS), words=KINDS),
            Option("--to", metavar="ADDRESS", help="only those about this address; * stands for any text: '*@example.com'"),
            Option("--domain", metavar="DOMAIN", help="only those about an address in this domain; '*.example.com' for those below it"),
            Option("--since", metavar="WHEN", help="only those that came or were acted upon since then: 2h, 1d, 2026-11-21"),
            LIMIT,
            JSON,
        ),
        examples=(
            "mailer bounces reports --state unmatched",
            "mailer bounces reports --kind complaint --domain example.com",
            "mailer bounces reports --json --since 7d --limit 0 | jq -r .recipient",
        ),
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
