"""``mailer suppress list``, ``why``, ``log`` and ``export``: who is on the suppression list, since when, why, and by whose word."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.operate import suppression as operate
from mailer.suppression.api import ALL
from mailer.suppression.table import as_json, write_csv

from . import NO_SUCH, OK, pages, show
from .options import JSON, Option, Subcommand, usage
from .selectors import LIMIT, since
from .suppress_asked import CLASS, REASON, SCOPE, SINCE, SOURCE, addresses_of, ask, scope_of, wanted_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.suppression.api import SuppressionChange, SuppressionEntry, SuppressionList

    from .options import Given

SHOWN = 100
NOBODY = "Nobody is on the suppression list who is like that."


def listing(given: Given) -> int:
    """Show who is on the list."""
    now = time.time()
    wanted = wanted_of(given, now)

    if by := given.text("--by"):
        return _counted(given, by, now)

    async def found(entries: SuppressionList) -> list[SuppressionEntry]:
        limit = given.number("--limit", 0 if given.flag("--json") else SHOWN)
        return [each async for each in operate.listed(entries, wanted, limit)]

    entries = ask(given, found)
    if given.flag("--json"):
        for each in entries:
            show.json_line(as_json(each))
    elif not given.flag("--quiet"):
        show.show([_table(entries, now)] if entries else [show.Line([NOBODY])])
        if len(entries) == given.number("--limit", SHOWN):
            show.note("there may be more: --limit 0 shows all")
    return OK


def _counted(given: Given, by: str, now: float) -> int:
    if by not in operate.GROUPS:
        raise usage(f"--by takes {', '.join(operate.GROUPS)}, not {by!r}", given.command.name)
    wanted, limit = wanted_of(given, now), given.number("--limit", SHOWN) or None
    found = ask(given, lambda entries: operate.groups(entries, wanted, by, limit))
    if given.flag("--json"):
        for each in found:
            show.json_line(each.as_json())
    elif not given.flag("--quiet"):
        show.show([pages.groups(found) if found else show.Line([NOBODY])])
    return OK


def why(given: Given) -> int:
    """Say whether an address is mailed, and why not."""
    now, [address] = time.time(), addresses_of(given, one=True)
    scope = scope_of(given, "")
    found = ask(given, lambda entries: operate.why(entries, address, scope, now))
    code = OK if found.holds else NO_SUCH
    if given.flag("--json"):
        show.json_line(found.as_json())
        return code
    if given.flag("--quiet"):
        return code
    blocks: list[show.Block] = [show.Line([_sentence(found.address, found.holds, scope)])]
    if found.entries:
        blocks += [show.Line([""]), _table(found.entries, now)]
    if found.log:
        blocks += [show.Line([""]), _history(found.log, now)]
    show.show(blocks)
    if found.holds:
        show.note(f"`mailer suppress remove {found.holds.address}` takes it off the list")
    return code


def history(given: Given) -> int:
    """Show what was changed."""
    now = time.time()
    about = addresses_of(given, one=True)[0] if given.operands else ""
    limit = given.number("--limit", 50) or 1_000_000
    found = ask(given, lambda entries: entries.log(about, since=since(given, now), limit=limit))
    if given.flag("--json"):
        for each in found:
            show.json_line(operate.change_as_json(each))
    elif not given.flag("--quiet"):
        show.show([_history(found, now)] if found else [show.Line(["Nothing was changed."])])
    return OK


def export(given: Given) -> int:
    """Print the list as CSV, or as JSON."""
    now = time.time()

    async def printed(entries: SuppressionList) -> None:
        head = next(iter(write_csv(())))
        if not given.flag("--json"):
            sys.stdout.write(head)
        async for each in operate.listed(entries, wanted_of(given, now), 0):
            if given.flag("--json"):
                show.json_line(as_json(each))
            else:
                sys.stdout.write("".join([*write_csv([each])][1:]))

    ask(given, printed)
    return OK


def _sentence(address: str, entry: SuppressionEntry | None, scope: str) -> str:
    if entry is None:
        return f"{address} is mailed" + (f" with mail of {scope}." if scope else ".")
    until = "" if entry.until is None else f" until {show.local(entry.until)}"
    domain = f", as all of {entry.address}" if entry.address != address else ""
    what = "" if entry.scope == ALL else f" with mail of {entry.scope}"
    return f"{address} is not mailed{what}{domain}: {_reason_words(entry)}, since {show.local(entry.at)}{until}."


def _reason_words(entry: SuppressionEntry) -> str:
    words = {"hard": "it bounced", "complaint": "it called mail spam", "unsubscribe": "it has unsubscribed", "manual": "by hand"}
    class_ = f" ({entry.class_})" if entry.class_ else ""
    note = f", {entry.note}" if entry.note else ""
    return f"{words.get(entry.reason, str(entry.reason))}{class_}{note}"


def _table(entries: Sequence[SuppressionEntry], now: float) -> show.Block:
    columns = [show.Column(name, cut=name == "NOTE") for name in ("ADDRESS", "SCOPE", "REASON", "SINCE", "UNTIL", "SOURCE", "NOTE")]
    rows = [
        [
            each.address, each.scope, f"{each.reason}{f' ({each.class_})' if each.class_ else ''}", show.moment(each.at, now),
            "for ever" if each.until is None else show.moment(each.until, now), each.source or "-", each.note or "-",
        ]
        for each in entries
    ]  # fmt: skip
    return show.Table(columns, rows)


def _history(lines: Sequence[SuppressionChange], now: float) -> show.Block:
    columns = [show.Column("CHANGE", right=True), *(show.Column(name) for name in ("WHEN", "WHAT", "ADDRESS", "SCOPE", "WHY", "BY"))]
    rows = [
        [str(line.change), show.moment(line.at, now), line.act, line.address, line.scope,
         " ".join(filter(None, (line.reason, line.evidence, line.note))) or "-", line.by or "-"]
        for line in lines
    ]  # fmt: skip
    return show.Table(columns, rows)


LIST_OPTIONS = (SCOPE, REASON, CLASS, SOURCE, SINCE, Option("--all", help="also those whose time is over"))

COMMANDS = {
    "list": Subcommand(
        "suppress list",
        listing,
        summary="who is on the list",
        about="By address; in ADDRESS, * stands for any text. With --by it counts them instead.",
        operands="[ADDRESS]",
        options=(
            *LIST_OPTIONS,
            Option("--by", metavar="WHAT", words=[*operate.GROUPS], help=f"count by {', '.join(operate.GROUPS)}, most frequent first"),
            LIMIT,
            JSON,
        ),
        examples=("mailer suppress list", "mailer suppress list --by class", "mailer suppress list '*@example.org' --reason hard --json"),
    ),
    "why": Subcommand(
        "suppress why",
        why,
        summary="whether an address is mailed, and why not",
        about="Shows what keeps it from being mailed, all other entries about it and its domain, and what was done with them.",
        operands="ADDRESS",
        options=(SCOPE, JSON),
        examples=("mailer suppress why ann@example.org", "mailer suppress why ann@example.org --scope news -q || echo 'it is mailed'"),
        epilog="exit codes: 0 it is not mailed · 67 it is · 77 no permission",
    ),
    "export": Subcommand(
        "suppress export",
        export,
        summary="print the list as CSV, or as JSON",
        about="RFC 4180, with a header. `mailer suppress import` reads it back.",
        operands="[ADDRESS]",
        options=(*LIST_OPTIONS, JSON),
        examples=("mailer suppress export > suppressed.csv", "mailer suppress export --scope news --json"),
    ),
    "log": Subcommand(
        "suppress log",
        history,
        summary="what was changed, when, and by whom",
        about="The newest first. What was done at once has one number, by which `mailer suppress undo` puts back what was before.",
        operands="[ADDRESS]",
        options=(SINCE, LIMIT, JSON),
        examples=("mailer suppress log --since 1d", "mailer suppress log ann@example.org"),
    ),
}
