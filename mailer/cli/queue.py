"""``mailer queue``: what an operator sees of messages that wait, and does with them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from mailer.config.quick import submission
from mailer.intake.view import view_of
from mailer.mail import address
from mailer.mail.address import AddressError
from mailer.mail.text import human_size
from mailer.operate.queue import (
    CANCEL,
    GIVEN_UP,
    HOLD,
    IN_SPOOL,
    RELEASE,
    RETRY,
    WAITING,
    perform,
    releasing,
    replaying,
    targets,
)
from mailer.operate.selection import HEAPS, heaps
from mailer.spool.api import Reserve
from mailer.status import sqlite
from mailer.status.api import every

from . import EXIT_CODES, NO_SUCH, OK, TRY_AGAIN, pages, queue_pause, show
from .options import JSON, Given, Option, Subcommand, usage
from .queue_show import show_message
from .selectors import SELECTION, TO, banner, beside, chosen, expanded, filter_of, messages, sandbox_of, spool_of, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.mail.history import Word
    from mailer.operate.queue import Operation, Performed
    from mailer.operate.selection import Heap
    from mailer.status.api import Filter, MailView
    from mailer.status.record import Record


def listing(given: Given) -> int:
    """``queue list``: the messages that wait, oldest first."""
    wanted, by = filter_of(given, IN_SPOOL, usual=WAITING), given.text("--by")
    if by is not None and by not in HEAPS:
        raise usage(f"--by takes {', '.join(HEAPS)}, not {by!r}", given.command.name)
    most = given.number("--limit", 0) or None
    with view_of(spool_of(given)) as view:
        found = every(partial(view.queue, wanted), None if by else most)
        if by:
            _print_heaps(given, heaps(found, by, most))
        elif given.flag("--json"):
            for record in found:
                show.json_line(record.as_json())
            beside(sandbox_of(given))
        else:
            _print_list(given, list(found))
        notes = view.notes
    show.note(*notes)
    return OK


def _print_list(given: Given, records: list[Record]) -> None:
    if given.flag("--quiet"):
        return
    if not records:
        show.show([*banner(sandbox_of(given)), show.Line(["No message is like that." if chosen(given) else "The queue is empty."])])
        return
    blocks: list[show.Block] = [*banner(sandbox_of(given), listed=True), pages.queue(records, time.time())]
    if show.terminal():
        count = "1 message" if len(records) == 1 else f"{len(records)} messages"
        total = human_size(sum(record.size for record in records))
        blocks += [show.BLANK, show.Line([show.Cell(f"{count}, {total}", "quiet")])]
    show.show(blocks)


def _print_heaps(given: Given, found: list[Heap]) -> None:
    if given.flag("--json"):
        for heap in found:
            show.json_line(heap.as_json())
    elif not given.flag("--quiet"):
        none = [show.Line(["No message is like that." if chosen(given) else "The queue is empty."])]
        show.show([*banner(sandbox_of(given), listed=True), *([pages.heaps(found, time.time())] if found else none)])


# Operations


def operate(asked: Given, operation: Operation) -> int:
    """Do `operation` to the messages that are named or selected. 75 if one was busy, 67 if one is unknown, 65 if one is done with."""
    given = expanded(asked)
    if given is None:
        return OK
    ways = [bool(given.operands), chosen(given), given.flag("--all")]
    if not any(ways):
        problem = f"say which messages: IDs, a selection such as --domain, or --all to {operation.verb} everything"
        raise usage(problem, given.command.name)
    if ways[0] and any(ways[1:]):
        raise usage("name messages, or select them with options, not both", given.command.name)
    wanted = None if given.operands else _selected(given, operation, IN_SPOOL)
    return _operate(given, view_of(spool_of(given)), operation, wanted)


def release(given: Given) -> int:
    """Release what is named or selected; what was submitted in a sandbox leaves only with ``--yes``, or is another sandbox's matter."""
    return operate(given, releasing(boxed=sandbox_of(given).holds, yes=given.flag("--yes")))


def replay(asked: Given) -> int:
    """Replay what is named or selected; ``--to`` selects nothing here. 75 if one was busy, 67 if one is unknown, 65 if it cannot be."""
    given = expanded(asked)
    if given is None:
        return OK
    if bool(given.operands) == (any(given.flag(option.key) for option in SELECTION if option is not TO) or given.flag("--all")):
        raise usage("say which messages: IDs, a selection such as --domain, or --all", given.command.name)
    view = sqlite.view(spool_of(given))
    settings = submission(given.text("--config"), given.text("--spool"))
    try:
        people = [str(address.parse(text, settings.default_domain)) for text in given.texts("--to")]
    except AddressError as error:
        raise usage(f"--to: {error}", given.command.name) from None
    operation = replaying(view.spool, Reserve(settings.min_free_space, settings.min_free_inodes), people, again=given.flag("--again"))
    others = Given(given.command, {name: value for name, value in given.values.items() if name != "--to"}, [])
    wanted = None if given.operands else _selected(others, operation, GIVEN_UP)
    return _operate(given, view, operation, wanted, ",".join(people))


def _selected(given: Given, operation: Operation, states: tuple[Word, ...]) -> Filter:
    try:
        return operation.selected(filter_of(given, states))
    except ValueError as error:
        raise usage(str(error), given.command.name) from None


def _operate(given: Given, view: MailView, operation: Operation, wanted: Filter | None, to: str = "") -> int:
    """Do it to what is `wanted`, or named; `to` is whom a replay goes to instead."""
    chatty = not given.flag("--json") and not given.flag("--quiet")
    told: list[Performed] = []
    with view:
        records, others = targets(view, given.operands, operation) if wanted is None else (list(every(partial(view.queue, wanted))), [])
        spool, notes = view.spool, view.notes
    for other in others:
        _tell(given, other, to)
        told.append(other)
    show.note(*notes)
    for each in perform(spool, records, operation, named=wanted is None, dry_run=given.flag("--dry-run")):
        _tell(given, each, to)
        told.append(each)
    if not records and wanted is not None and chatty:
        show.show([show.Line([f"There is nothing to {operation.verb}."])])
    if chatty and len(told) > (1 if wanted is not None else FEW):
        _sum(told, operation, dry=given.flag("--dry-run"))
    codes = [EXIT_CODES[each.problem.kind] for each in told if each.problem]
    return next((code for code in (TRY_AGAIN, NO_SUCH, *codes) if code in codes), OK)  # what may work the next time is said first


def _sum(told: list[Performed], operation: Operation, *, dry: bool) -> None:
    """How many there were, below the last; on standard error where a program reads the list."""
    idle, trouble = sum(each.nothing_to_do for each in told), sum(each.problem is not None for each in told)
    many = len(told) - idle - trouble
    text = f"would {operation.verb} {many} messages" if dry else f"{many} messages {operation.done}"
    parts = [text.replace(" 1 messages", " 1 message") if dry else text.replace("1 messages", "1 message", 1) if many == 1 else text]
    parts += [f"{idle} were so already"] if idle else []
    parts += [f"{trouble} could not be"] if trouble else []
    line = "; ".join(parts)
    if show.terminal():
        show.show([show.BLANK, show.Line([show.Cell(line, "quiet")])])
    else:
        show.note(line)


def _tell(given: Given, what: Performed, to: str) -> None:
    """What came of it, on a line."""
    record, operation = what.record, what.operation
    if given.flag("--json"):
        if not what.nothing_to_do:
            show.json_line(what.as_json())
    elif what.problem:
        show.note(str(what.problem))
    elif record and not given.flag("--quiet"):
        if what.nothing_to_do:
            show.show([show.Line([f"{record.id} is {record.word} already"])])
            return
        said = operation.done if what.done else f"would {operation.verb}"
        said += f" as {what.made}" if what.made else ""
        show.show([show.Line([said, "  ", record.id, f"  {pages.sender(record.sender)} → {to or pages.recipients(record)}"])])


FEW = 5  # messages that somebody names and sees at a glance
OLDEST = Option("--limit", "-n", metavar="COUNT", help="show at most so many, the oldest; 0 for all, as without it")
BY = Option("--by", metavar="WHAT", words=tuple(HEAPS), help="heaps of messages by sender, subject or submitter, the largest first")
ACTING = (
    *SELECTION,
    Option("--all", help="every message; nothing else selects everything"),
    Option("--dry-run", help="show what would be touched, and touch nothing"),
    JSON,
)
CODES = "exit codes: 0 · 64 usage · 65 a message is done with · 67 a message is not known · 75 a message is being\ndelivered this moment"


RECIPE = (
    "mailer queue hold --submitter www-data --younger 1h",
    "mailer queue list --state held --by subject",
    "mailer queue cancel --state held --subject 'Cron*failed'",
    "mailer queue release --submitter www-data",
)
"""How a flood is stopped, found, and cancelled, and the rest let go."""
FLOOD = {"hold": RECIPE[:1], "cancel": RECIPE[2:3], "release": RECIPE[3:]}


def _command(operation: Operation, summary: str, about: str, run: Callable[[Given], int] | None = None, *more: Option) -> Subcommand:
    return Subcommand(
        f"queue {operation.verb}",
        run or partial(operate, operation=operation),
        summary=summary,
        about=about,
        operands="[ID… | -]",
        words=waiting,
        options=(*more, *ACTING),
        examples=(
            f"mailer queue {operation.verb} 01KAHGWV7J5ZQ0C9XK3M2T8B4R",
            f"mailer queue {operation.verb} --domain example.net --dry-run",
            *FLOOD.get(operation.verb, ()),
        ),
        epilog=CODES,
    )


COMMANDS = {
    "list": Subcommand(
        "queue list",
        listing,
        summary="the messages that wait, oldest first",
        about=(
            "Shows what is queued, scheduled, deferred or held: age, size, sender, recipients, why it waits and when it is tried next. "
            "With --by it shows heaps: how many messages there are of each sender, subject (numbers and times left out) or submitter, "
            "their size, since when, and one of them.\n\n"
            "The flood of a program that has gone wild is over after three commands, and other mail is not touched; the examples below are "
            "these: it is held, found by its subject, and cancelled; what else was held is released.\n\n"
            "Where a command on messages takes an ID, - stands for those that standard input names: one on each line, alone, in a list as "
            "this command prints it, or in its JSON."
        ),
        options=(*SELECTION, OLDEST, BY, JSON),
        examples=(
            "mailer queue list",
            "mailer queue list --domain example.net --older 1h",
            *RECIPE,
        ),
    ),
    "show": show_message,
    "hold": _command(
        HOLD,
        "take messages out of delivery",
        "Held messages stay in the spool until they are released or cancelled: while they are held they do not expire, for somebody wanted "
        "them to wait. Their time goes on, and one that is released too late is tried once more.",
    ),
    "release": _command(
        RELEASE,
        "give held messages back to delivery",
        "They are due at once. What was submitted while a sandbox held ([sandbox] in mailer-config(5)), and is held because none does any "
        "more, leaves only with --yes: it goes to the people whom it names.",
        release,
        Option("--yes", help="also what was submitted in a sandbox"),
    ),
    "retry": _command(
        RETRY,
        "try deferred messages now",
        "They are due at once, instead of at their next time. What is scheduled leaves before its time only where it is named, or "
        "--state scheduled is said. Where a destination is left alone because it did not answer, one session "
        "finds out whether it does. What was tried before still counts.",
    ),
    "cancel": _command(
        CANCEL,
        "give messages up",
        "Recipients that have not got the message yet will not get it, and no report is sent. The file is kept in failed/ for a while.",
    ),
    "replay": Subcommand(
        "queue replay",
        replay,
        summary="send messages again that were given up",
        about=(
            "Each is put again as a new message, with an ID and a time to expire of its own, for the recipients that have not got it; its "
            "envelope names the old one as its parent. The old message stays until its retention (bounce.retention) is over, and is "
            "replayed once, unless --again says otherwise. What was delivered to all is not kept and cannot be replayed."
        ),
        operands="[ID… | -]",
        words=messages,
        options=(
            Option("--to", metavar="ADDRESS", repeat=True, help="to this address instead; may be repeated"),
            *(option for option in SELECTION if option is not TO),
            Option("--all", help="every message that was given up"),
            Option("--again", help="also those that were replayed before"),
            Option("--dry-run", help="show what would be replayed, and replay nothing"),
            JSON,
        ),
        examples=(
            "mailer queue replay 01KAHGWV7J5ZQ0C9XK3M2T8B4R --to you@example.com",
            "mailer queue replay --domain example.net --dry-run",
        ),
        epilog="exit codes: 0 · 64 usage · 65 it cannot be replayed · 67 a message is not known · 75 it is in use, or the disk is full",
    ),
    **queue_pause.COMMANDS,
}
