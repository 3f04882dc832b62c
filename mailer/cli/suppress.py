"""``mailer suppress``: the addresses that are not to be mailed. Here is what changes the list; `suppress_look` shows it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.operate import suppression as operate
from mailer.suppression.api import ALL, SuppressionDone, SuppressionEntry
from mailer.suppression.table import as_json

from . import BAD_MESSAGE, OK, show, suppress_look
from .options import JSON, Option, Subcommand, usage
from .selectors import since
from .suppress_asked import CLASS, DRY_RUN, NOTE, REASON, SCOPE, SINCE, SOURCE, addresses_of, ask, scope_of, who

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.suppression.api import SuppressionList

    from .options import Given


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
    new = [standard._replace(address=address) for address in addresses_of(given)]
    for each in new:
        if each.address.startswith("*@"):  # what a pattern looks like elsewhere
            show.note(f"{each.address} is one address; `mailer suppress add {each.address[1:]}` is for all of a domain")
    if given.flag("--dry-run"):
        return _tell(given, new, "would be added")

    async def added(entries: SuppressionList) -> SuppressionDone:
        return await entries.add(new)

    done = ask(given, added, make=True)
    code = _tell(given, [each for each in done.entries if each is not None], "is on the list")
    for is_, asked in zip(done.entries, new, strict=True):
        if is_ is not None and is_.lasts > asked.lasts:
            show.note(f"{asked.address} was there already, and for longer; `mailer suppress remove {asked.address}` takes it off first")
    _undo_note(given, done.change)
    return code


def remove(given: Given) -> int:
    """Take addresses off the list."""
    now, addresses, scope = time.time(), addresses_of(given), scope_of(given, "")

    async def removed(entries: SuppressionList) -> SuppressionDone | Sequence[SuppressionEntry]:
        return await operate.remove(
            entries, addresses, scope, by=who(), at=now, note=given.text("--note") or "", try_only=given.flag("--dry-run")
        )

    done = ask(given, removed)
    if not isinstance(done, SuppressionDone):
        return _tell(given, done, "would be taken off", lasting=False)
    code = _tell(given, [each for each in done.entries if each is not None], "is off the list", lasting=False)
    _undo_note(given, done.change)
    return code


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
        return numbers, await entries.undo(numbers, by=who(), at=now)

    numbers, done = ask(given, undone)
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

    done = ask(given, added, make=not given.flag("--dry-run"))
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


def _standard(given: Given, now: float, source: str, reason: str) -> SuppressionEntry:
    why = operate.reason(given.text("--reason") or reason)
    return SuppressionEntry("", scope_of(given, ALL), why, source=source, at=now, by=who(), note=given.text("--note") or "")


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


def _scope_words(scope: str) -> str:
    return "all mail" if scope == ALL else f"mail of {scope}"


SCOPES = (
    "An entry holds for all mail, or for one stream: the kind of mail that an API key or a queue of a broker sends, or the mailing list "
    "that a message names in List-Id. @example.org stands for all addresses of that domain, and not for those of domains below it."
)

CHANGING = {
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

ORDER = ("add", "remove", "list", "why", "import", "export", "log", "undo")
COMMANDS = {name: (CHANGING | suppress_look.COMMANDS)[name] for name in ORDER}
