"""``mailer suppress``: the addresses that are not to be mailed; who is one of them, since when, why, and by whose word."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, TypeVar

from mailer.mail.problem import Problem
from mailer.operate import suppression as operate
from mailer.suppression.api import ALL, REASONS, SuppressionDone, SuppressionEntry, SuppressionFilter
from mailer.suppression.table import as_json, write_csv

from . import BAD_MESSAGE, NO_SUCH, OK, show
from .options import JSON, Option, Subcommand, usage
from .selectors import LIMIT, since

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.suppression.api import SuppressionChange, SuppressionList

    from .options import Given

T = TypeVar("T")
SHOWN = 100
SCOPE = Option("--scope", metavar="STREAM", help="for mail of this stream; * is all mail")
REASON = Option("--reason", metavar="WHY", words=[*REASONS], help=f"one of {', '.join(REASONS)}")
NOTE = Option("--note", metavar="TEXT", help="a word for whoever wonders why")
DRY_RUN = Option("--dry-run", "-n", help="say what would be done, and do nothing")
CLASS = Option("--class", metavar="CLASS", help="those of refusals of this class, as unknown-user")
SOURCE = Option("--source", metavar="SOURCE", help="those that came from there: report, refusal, page, command, api, or a file")


def add(given: Given) -> int:
    """Put addresses on the list."""
    from mailer.config.values import duration

    now = time.time()
    until = None
    if (text := given.text("--for")) is not None:
        try:
            until = now + duration(text)
        except ValueError as error:
            raise usage(f"--for: {error}", given.command.name) from None
    standard = _standard(given, now, "command", "manual")._replace(until=until)
    new = [standard._replace(address=address) for address in _addresses(given)]
    for each in new:
        if each.address.startswith("*@"):  # what a pattern looks like elsewhere
            show.note(f"{each.address} is one address; `mailer suppress add {each.address[1:]}` is for all of a domain")
    if given.flag("--dry-run"):
        return _tell(given, new, "would be added")

    async def added(entries: SuppressionList) -> SuppressionDone:
        return await entries.add(new)

    done = _ask(given, added, make=True)
    code = _tell(given, [each for each in done.entries if each is not None], "is on the list")
    for is_, asked in zip(done.entries, new, strict=True):
        if is_ is not None and is_.lasts > asked.lasts:
            show.note(f"{asked.address} was there already, and for longer; `mailer suppress remove {asked.address}` takes it off first")
    _undo_note(given, done.change)
    return code


def remove(given: Given) -> int:
    """Take addresses off the list."""
    now, addresses, scope = time.time(), _addresses(given), _scope(given, "")

    async def removed(entries: SuppressionList) -> SuppressionDone | Sequence[SuppressionEntry]:
        return await operate.remove(
            entries, addresses, scope, by=_who(), at=now, note=given.text("--note") or "", try_only=given.flag("--dry-run")
        )

    done = _ask(given, removed)
    if not isinstance(done, SuppressionDone):
        return _tell(given, done, "would be taken off", lasting=False)
    code = _tell(given, [each for each in done.entries if each is not None], "is off the list", lasting=False)
    _undo_note(given, done.change)
    return code


def listing(given: Given) -> int:
    """Show who is on the list."""
    now = time.time()
    wanted = _filter(given, now)

    async def found(entries: SuppressionList) -> list[SuppressionEntry]:
        limit = given.number("--limit", 0 if given.flag("--json") else SHOWN)
        return [each async for each in operate.listed(entries, wanted, limit)]

    entries = _ask(given, found)
    if given.flag("--json"):
        for each in entries:
            show.json_line(as_json(each))
    elif not given.flag("--quiet"):
        show.show([_table(entries, now)] if entries else [show.Line(["Nobody is on the suppression list who is like that."])])
        if len(entries) == given.number("--limit", SHOWN):
            show.note("there may be more: --limit 0 shows all")
    return OK


def why(given: Given) -> int:
    """Say whether an address is mailed, and why not."""
    now, [address] = time.time(), _addresses(given, one=True)
    scope = _scope(given, "")
    found = _ask(given, lambda entries: operate.why(entries, address, scope, now))
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
    about = _addresses(given, one=True)[0] if given.operands else ""
    limit = given.number("--limit", 50) or 1_000_000
    found = _ask(given, lambda entries: entries.log(about, since=since(given, now), limit=limit))
    if given.flag("--json"):
        for each in found:
            show.json_line(operate.change_as_json(each))
    elif not given.flag("--quiet"):
        show.show([_history(found, now)] if found else [show.Line(["Nothing was changed."])])
    return OK


def undo(given: Given) -> int:
    """Put back what was before some changes."""
    now, by_number = time.time(), [*given.operands]
    if bool(by_number) == given.flag("--since"):
        raise usage("say what is to be undone: numbers of changes (`mailer suppress log` shows them), or --since WHEN", given.command.name)
    if wrong := [text for text in by_number if not (text.isascii() and text.isdigit() and len(text) < 16)]:
        raise usage(f"{wrong[0][:40]!r} is no number of a change; `mailer suppress log` shows them", given.command.name)
    members = {"reason": given.text("--reason") or "", "class_": given.text("--class") or "", "source": given.text("--source") or ""}

    async def undone(entries: SuppressionList) -> tuple[Sequence[int], SuppressionDone]:
        numbers = [*map(int, by_number)] or await operate.changes_of(entries, since=since(given, now), **members)
        if given.flag("--dry-run") or not numbers:
            return numbers, SuppressionDone(0, [])
        return numbers, await entries.undo(numbers, by=_who(), at=now)

    numbers, done = _ask(given, undone)
    if not numbers or not (done.change or given.flag("--dry-run")):
        raise Problem("there is nothing to undo: no such change, or all was changed again since", "no-such")
    if given.flag("--dry-run"):
        show.say(f"would undo {_many(len(numbers), 'change')}: {' '.join(map(str, numbers[:20]))}{' …' if len(numbers) > 20 else ''}")
        return OK
    left = sum(each is None for each in done.entries)
    if given.flag("--json"):
        show.json_line({"change": done.change, "undone": [*numbers], "entries": len(done.entries) - left, "left": left})
    elif not given.flag("--quiet"):
        rest = f"; {left} changed again since, and left alone" if left else ""
        show.say(f"{_many(len(done.entries) - left, 'entry', 'entries')} put back as before{rest}")
    _undo_note(given, done.change)
    return OK


def take_over(given: Given) -> int:
    """Add what a file has."""
    if len(given.operands) != 1:
        raise usage("it takes one file, or - for standard input", given.command.name)
    now, name = time.time(), given.operands[0]
    standard = _standard(given, now, os.path.basename(name) if name != "-" else "import", "import")

    async def added(entries: SuppressionList) -> operate.Imported:
        return await operate.take_over(entries, _lines(name), standard, try_only=given.flag("--dry-run"))

    done = _ask(given, added, make=not given.flag("--dry-run"))
    if given.flag("--json"):
        wrong = [{"line": row.line, "problem": row.problem} for row in done.wrong]
        counts = {"added": done.added, "already": done.already, "soft": done.soft, "wrong": done.wrong_count}
        show.json_line({**counts, "change": done.change or None, "problems": wrong})
    else:
        what = "would be added" if given.flag("--dry-run") else "added"
        soft = f", {done.soft} left out that bounced for the moment only" if done.soft else ""
        if not given.flag("--quiet"):
            show.say(f"{done.added} {what}, {done.already} there already{soft}")
        for row in done.wrong:
            show.note(f"{name}:{row.line}: {row.problem}")
        if done.wrong_count > len(done.wrong):
            show.note(f"{done.wrong_count - len(done.wrong)} more rows have no address that can be used")
    _undo_note(given, done.change)
    return BAD_MESSAGE if done.wrong_count else OK


def export(given: Given) -> int:
    """Print the list as CSV, or as JSON."""
    now = time.time()

    async def printed(entries: SuppressionList) -> None:
        head = next(iter(write_csv(())))
        if not given.flag("--json"):
            sys.stdout.write(head)
        async for each in operate.listed(entries, _filter(given, now), 0):
            if given.flag("--json"):
                show.json_line(as_json(each))
            else:
                sys.stdout.write("".join([*write_csv([each])][1:]))

    _ask(given, printed)
    return OK


# What was given


def _ask(given: Given, act: Callable[[SuppressionList], Awaitable[T]], *, make: bool = False) -> T:
    async def asked() -> T:
        entries = operate.entries_of(_config(given), make=make)
        try:
            return await act(entries)
        finally:
            await entries.close()

    return asyncio.run(asked())


def _config(given: Given) -> Config:
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


def _addresses(given: Given, *, one: bool = False) -> list[str]:
    if not given.operands or (one and len(given.operands) > 1):
        raise usage("it takes one address, or @domain" if one else "it takes addresses, or @domain", given.command.name)
    return [*dict.fromkeys(map(operate.key, given.operands))]


def _scope(given: Given, otherwise: str) -> str:
    text = given.text("--scope")
    return otherwise if text is None else operate.scope(text)


def _standard(given: Given, now: float, source: str, reason: str) -> SuppressionEntry:
    why = operate.reason(given.text("--reason") or reason)
    return SuppressionEntry("", _scope(given, ALL), why, source=source, at=now, by=_who(), note=given.text("--note") or "")


def _filter(given: Given, now: float) -> SuppressionFilter:
    if len(given.operands) > 1:
        raise usage("it takes one address, in which * stands for any text", given.command.name)
    to = given.operands[0] if given.operands else ""
    to = to if "*" in to or not to else operate.key(to)
    why = given.text("--reason") or ""
    return SuppressionFilter(
        None if given.flag("--all") else now, to, _scope(given, ""), why and operate.reason(why).value, given.text("--class") or "",
        given.text("--source") or "", since(given, now),
    )  # fmt: skip


def _lines(name: str) -> Iterator[str]:
    """The lines of a file, or of standard input. Raises `Problem` (no-such) where it cannot be read."""
    if name == "-":
        yield from (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
        return
    try:
        with open(name, encoding="utf-8", errors="replace", newline="") as file:
            while line := file.readline(1 << 21):
                yield line
    except OSError as error:
        raise Problem(f"cannot read {name}: {error.strerror}; nothing was changed", "no-such") from None


def _who() -> str:
    return f"unix:{os.getuid()}"


# What is shown


def _tell(given: Given, entries: Sequence[SuppressionEntry], what: str, *, lasting: bool = True) -> int:
    for each in entries:
        if given.flag("--json"):
            show.json_line(as_json(each))
        elif not given.flag("--quiet"):
            until = f", until {show.local(each.until)}" if lasting and each.until is not None else ""
            show.say(f"{each.address} {what} for {_scope_words(each.scope)} ({each.reason}){until}")
    return OK


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or f'{one}s'}"


def _undo_note(given: Given, change: int) -> None:
    if change and not (given.flag("--quiet") or given.flag("--json")):
        show.note(f"`mailer suppress undo {change}` puts back what was before")


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


def _scope_words(scope: str) -> str:
    return "all mail" if scope == ALL else f"mail of {scope}"


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


SINCE = Option("--since", metavar="WHEN", help="only what was done since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z")
LIST_OPTIONS = (SCOPE, REASON, CLASS, SOURCE, SINCE, Option("--all", help="also those whose time is over"))
SCOPES = (
    "An entry holds for all mail, or for one stream: the kind of mail that an API key or a queue of a broker sends, or the mailing list "
    "that a message names in List-Id. @example.org stands for all addresses of that domain, and not for those of domains below it."
)

COMMANDS = {
    "add": Subcommand(
        "suppress add",
        add,
        summary="put addresses on the list",
        about=(
            "Nobody who is on the list is mailed: what is queued for him is given up with a reply that says so, and so is what comes "
            f"later. {SCOPES}\n\nWhere an address is there already, what lasts longer stays."
        ),
        operands="ADDRESS...",
        options=(SCOPE, REASON, Option("--for", metavar="TIME", help="for so long: 30d; without it, for ever"), NOTE, DRY_RUN, JSON),
        examples=("mailer suppress add ann@example.org", "mailer suppress add @example.org --scope news --for 30d --note 'asked by phone'"),
        epilog="exit codes: 0 done · 64 usage · 74 the list cannot be used · 75 try again · 77 no permission",
    ),
    "remove": Subcommand(
        "suppress remove",
        remove,
        summary="take addresses off the list",
        about="They are mailed again, with all mail, or with that of the stream of --scope. A report that acted once does not act again.",
        operands="ADDRESS...",
        options=(SCOPE, NOTE, DRY_RUN, JSON),
        examples=("mailer suppress remove ann@example.org", "mailer suppress remove ann@example.org --scope news"),
        epilog="exit codes: 0 done · 67 one of them is not on the list, and nothing was changed · 77 no permission",
    ),
    "list": Subcommand(
        "suppress list",
        listing,
        summary="who is on the list",
        about="By address; in ADDRESS, * stands for any text.",
        operands="[ADDRESS]",
        options=(*LIST_OPTIONS, LIMIT, JSON),
        examples=("mailer suppress list", "mailer suppress list '*@example.org' --reason hard --json"),
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
    "import": Subcommand(
        "suppress import",
        take_over,
        summary="add what a file has, also one of another provider",
        about=(
            "Reads CSV with or without a header, an object of JSON a line, or a document of JSON: what `mailer suppress export` prints, "
            "and the lists that Amazon SES, Mailchimp, Mailgun, Mandrill, Postmark, SendGrid, SparkPost and others hand out. Columns are "
            "known by their names, reasons by their words. What bounced for the moment only is left out. What a row does not say is as the "
            "options have it. A row without an address is told, and all others are added."
        ),
        operands="FILE",
        options=(SCOPE, REASON, NOTE, DRY_RUN, JSON),
        examples=("mailer suppress import bounces.csv --reason hard --dry-run", "mailer suppress import - < suppressions.json"),
        epilog="exit codes: 0 done · 65 it is no list, or rows of it have no address, which are told · 67 no such file · 77 no permission",
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
    "undo": Subcommand(
        "suppress undo",
        undo,
        summary="put back what was before some changes",
        about=(
            "By their numbers, or all that put somebody on the list since a time, for a reason, class and source: such as bounces that "
            "came of a mistake of ours. What was changed again since stays as it is. That can be undone, too."
        ),
        operands="[CHANGE...]",
        options=(SINCE, REASON, CLASS, SOURCE, DRY_RUN, JSON),
        examples=("mailer suppress undo 17", "mailer suppress undo --since 2h --reason hard --class blocked --dry-run"),
        epilog="exit codes: 0 done · 67 there is nothing to undo · 77 no permission",
    ),
}
