"""``mailer bounces dmarc`` and ``mailer bounces tlsrpt``: what other hosts report in sums, and what it asks for."""

from __future__ import annotations

import csv
import sys
import time
from typing import TYPE_CHECKING

from mailer.aggregate.summary import DAY
from mailer.aggregate.tlsrpt import SUCCESS
from mailer.intake.view import view_of
from mailer.mail.text import FORMULA, no_formula
from mailer.operate import aggregates

from . import OK, show
from .options import JSON, Option, Subcommand, usage
from .selectors import LIMIT, since, spool_of
from .show import Cell, Column, Line, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mailer.operate.aggregates import Sender, TlsOutcome, Told

    from .options import Given
    from .show import Value

USUAL = 7 * 86400  # seconds that are looked back
SHOWN = 20


def dmarc(given: Given) -> int:
    """Show who sends in the name of our domains."""
    ours, begin = _ours(given), _begin(given)
    with view_of(spool_of(given)) as view:
        found = aggregates.senders(view.dmarc_sums(int(begin // DAY)), given.text("--domain") or "", ours)
        told, notes = aggregates.told(view.aggregate_reports(begin), "dmarc", ours), view.notes
    own, foreign = [each for each in found if each.ours], [each for each in found if not each.ours]
    chosen = foreign if given.flag("--foreign") else own
    if not _for_programs(given, chosen, aggregates.Sender._fields) and not given.flag("--quiet"):
        good, every = sum(each.passed for each in chosen), sum(each.messages for each in chosen)
        head = _head(f"{good} of {every} messages passed DMARC", told, good=good == every)
        limit = _limit(given)
        show.show([head, show.BLANK, _senders(chosen[:limit])] if chosen else [_nothing("DMARC", given, "rua= in the DMARC record")])
        _remarks(given, told, len(chosen), {each.domain for each in foreign})
    show.note(*notes)
    return OK


def tlsrpt(given: Given) -> int:
    """Show whether others reach our hosts by TLS."""
    ours, begin = _ours(given), _begin(given)
    with view_of(spool_of(given)) as view:
        found = aggregates.tls_outcomes(view.tls_sums(int(begin // DAY)), given.text("--domain") or "", ours)
        told, notes = aggregates.told(view.aggregate_reports(begin), "tlsrpt", ours), view.notes
    own, foreign = [each for each in found if each.ours], [each for each in found if not each.ours]
    chosen = foreign if given.flag("--foreign") else own
    if not _for_programs(given, chosen, aggregates.TlsOutcome._fields) and not given.flag("--quiet"):
        good, every = sum(each.sessions for each in chosen if each.result == SUCCESS), sum(each.sessions for each in chosen)
        head = _head(f"{good} of {every} sessions had the TLS that was asked for", told, good=good == every)
        limit = _limit(given)
        show.show([head, show.BLANK, _outcomes(chosen[:limit])] if chosen else [_nothing("TLS", given, "rua= in the record of _smtp._tls")])
        _remarks(given, told, len(chosen), {each.domain for each in foreign})
    show.note(*notes)
    return OK


def _ours(given: Given) -> Callable[[str], bool]:
    from mailer.config import load

    return aggregates.ours(load(given.text("--config"), given.text("--spool")))


def _begin(given: Given) -> float:
    now = time.time()
    return since(given, now) if given.flag("--since") else now - USUAL


def _limit(given: Given) -> int | None:
    """How many are shown; programs get all unless they say otherwise."""
    programs = given.flag("--json") or given.flag("--csv")
    return given.number("--limit", 0 if programs else SHOWN) or None


def _for_programs(given: Given, found: Sequence[Sender] | Sequence[TlsOutcome], columns: Sequence[str]) -> bool:
    """Print it as JSON or CSV if that was asked for. Raises `Problem` (usage)."""
    if given.flag("--json") and given.flag("--csv"):
        raise usage("--json and --csv do not go together", given.command.name)
    lines = (each.as_json() for each in found[: _limit(given)])
    if given.flag("--json"):
        for members in lines:
            show.json_line(members)
    elif given.flag("--csv"):
        sheet = csv.writer(sys.stdout)
        sheet.writerow(columns)
        sheet.writerows([_cell(members[name]) for name in columns] for members in lines)
    return given.flag("--json") or given.flag("--csv")


def _cell(value: object) -> object:
    """A value for a spreadsheet; a text that it would take for a formula gets an apostrophe in front."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        value = " ".join(f"{name}:{count}" for name, count in value.items())
    elif isinstance(value, list):
        value = "; ".join(value)
    if isinstance(value, str):
        return no_formula(value, (*FORMULA, "@"))
    return "" if value is None else value


def _senders(found: Sequence[Sender]) -> Table:
    if not show.terminal():
        words = ("MESSAGES", "PASSED", "DKIM", "SPF", "SOURCE", "FROM", "SENT BY", "WHAT TO DO")
        return Table([Column(word, right=at < 4) for at, word in enumerate(words)], [_plain_sender(each) for each in found])
    columns = [Column("MESSAGES", right=True), Column("PASSED", right=True), Column("WHO, AND WHAT TO DO")]
    return Table(columns, [_sender(each) for each in found], apart=True)


def _plain_sender(each: Sender) -> list[Value]:
    counts = (each.messages, each.passed, each.dkim, each.spf)
    return [*map(str, counts), each.source or "several", each.author, each.signer or each.path or "-", each.advice or "-"]


def _sender(each: Sender) -> list[Value]:
    mood = "good" if each.passed == each.messages else "bad"
    by = f"  by {each.signer or each.path}" if each.signer or each.path else ""
    agreed = f"DKIM agrees for {each.dkim}, SPF for {each.spf}; " + ", ".join(
        f"{word} {count}" for word, count in each.dispositions.items()
    )
    lines = [
        Line([Cell(each.source or "several hosts", "strong"), f"  as {each.author}", Cell(by, "quiet")]),
        Line([Cell(f"{agreed}; seen by {_few(each.reporters)}", "quiet")]),
    ]
    if each.advice:
        lines.append(Line([Cell(each.advice, "bad" if each.passed < each.messages else "wait")]))
    return [str(each.messages), Cell(str(each.passed), mood), lines]


def _outcomes(found: Sequence[TlsOutcome]) -> Table:
    if not show.terminal():
        words = ("SESSIONS", "RESULT", "DOMAIN", "HOST", "POLICY", "REASON", "WHAT TO DO")
        return Table([Column(word, right=not at) for at, word in enumerate(words)], [_plain_outcome(each) for each in found])
    columns = [Column("SESSIONS", right=True), Column("RESULT", cut=True), Column("WHERE, AND WHAT TO DO")]
    return Table(columns, [_outcome(each) for each in found], apart=True)


def _plain_outcome(each: TlsOutcome) -> list[Value]:
    return [str(each.sessions), each.result, each.domain, *(text or "-" for text in (each.host, each.policy, each.reason, each.advice))]


def _outcome(each: TlsOutcome) -> list[Value]:
    mood = "good" if each.result == SUCCESS else "bad"
    lines = [
        Line([Cell(each.domain, "strong"), f"  {each.host}"]),
        Line([Cell(f"policy: {each.policy or 'unknown'}; reported by {_few(each.reporters)}", "quiet")]),
    ]
    if why := ". ".join(filter(None, (each.reason, each.advice))):
        lines.append(Line([Cell(why, "bad")]))
    return [str(each.sessions), Cell(each.result, mood), lines]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name or "somebody without a name" for name in names[:3]) + more


def _head(share: str, told: Told, *, good: bool) -> Line:
    whose = f"in {_many(told.reports, 'report')} of {_many(told.reporters, 'reporter')}"
    return Line([Cell(share, "good" if good else "bad"), f", {whose}."])


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _nothing(what: str, given: Given, where: str) -> Line:
    if given.flag("--foreign"):
        return Line([f"No {what} report on domains that are not yours."])
    return Line([f"No {what} report on your domains since then. They go where {where} says; see mailer-feedback(7)."])


def _remarks(given: Given, told: Told, many: int, foreign: Collection[str]) -> None:
    notes = [f"reported by {trouble}" for trouble in told.troubles]
    if told.bad:
        notes.append(f"{_many(told.bad, 'row')} of the reports said nothing usable, and are left out")
    if (limit := _limit(given)) and many > limit:
        notes.append(f"{many - limit} more: --limit 0 shows all")
    if foreign and not given.flag("--foreign"):
        notes.append(f"reports on {_many(len(foreign), 'domain')} not yours are left out: --foreign shows these")
    show.note(*notes)


OPTIONS = (
    Option("--since", metavar="WHEN", help="what was seen since then: 2d, 2026-11-21; without it, of the last 7 days"),
    Option("--domain", metavar="DOMAIN", help="only on this domain; '*.example.com' for those below it"),
    Option("--foreign", help="reports on domains that are not yours, in place of those that are"),
    LIMIT,
    JSON,
    Option("--csv", help="print CSV for a spreadsheet; what it would take for a formula has an apostrophe in front"),
)

WHOSE = (
    "Yours are the domains that the configuration says mail is sent from (submission.default_domain, [[dkim]], from_address, postmaster, "
    "bounce.address …), and all below them. Nothing proves that a report is true, and whoever knows the address may write one: weigh "
    "it by who else says the same. Sums are kept as long as the record of messages (status.retention)."
)

COMMANDS = {
    "dmarc": Subcommand(
        "bounces dmarc",
        dmarc,
        summary="who sends mail in the name of your domains, as others report",
        about=(
            "Shows each IP address that has sent mail with one of your domains in From, as DMARC aggregate reports count it: how many "
            "messages, how many passed, for how many DKIM and SPF passed and agreed with From, and who signed those that did not. Those "
            "with most failures come first, and each says what to do: have a service sign as your domain, mend a key, or leave it, as for "
            "what mailing lists forward.\n\n" + WHOSE
        ),
        options=OPTIONS,
        examples=(
            "mailer bounces dmarc",
            "mailer bounces dmarc --since 30d --domain example.com",
            "mailer bounces dmarc --json | jq -r 'select(.passed < .messages) | .source'",
        ),
    ),
    "tlsrpt": Subcommand(
        "bounces tlsrpt",
        tlsrpt,
        summary="whether others reach your hosts by TLS, as they report",
        about=(
            "Shows how sessions of other hosts with those that take mail for your domains ended, as TLS reports count them: how many had "
            "the TLS that DANE or MTA-STS asks for, and which failed, at which host, and why, with what to do about it.\n\n" + WHOSE
        ),
        options=OPTIONS,
        examples=("mailer bounces tlsrpt", "mailer bounces tlsrpt --since 30d --csv > tls.csv"),
    ),
}
