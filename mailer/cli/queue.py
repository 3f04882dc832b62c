"""``mailer queue``: what an operator sees of messages that wait, and does with them.

Each act is one call of the spool, which takes the message's lock; so all of this is safe while the daemon runs. It is
told of each, and acts on it at once. A message that it is delivering this moment is left alone and reported.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.failure import BAD_MESSAGE, NO_SUCH, OK, TRY_AGAIN, Failure, from_os
from mailer.spool import Busy, NoSuchMessage
from mailer.spool.file import CorruptFile
from mailer.status.filter import Filter
from mailer.status.schema import FINAL, PENDING, SCHEDULED

from . import pages, queue_pause, show
from .options import JSON, Command, Option, usage
from .queue_replay import replay_messages
from .queue_show import show_message
from .selectors import DOMAIN, FROM, OLDER, STATE, TO, chosen, filter_of, spool_of, view_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.status.api import MailView, QueueActs
    from mailer.status.record import Record

    from .options import Given

WAITING = (*PENDING, SCHEDULED)
IN_SPOOL = (*WAITING, "failed", "expired", "cancelled")
"""The states that a message in the spool can have: ``--state`` of these commands."""


class Act(NamedTuple):
    """Something to be done with messages: on those in `states`; on those in `idle` there is nothing to do.

    Those in `asked` are touched only where they are named, or that state is: no selection of others means them.
    """

    verb: str
    done: str
    states: tuple[str, ...]
    idle: tuple[str, ...]
    do: Callable[[QueueActs, str], object]
    otherwise: str = ""
    asked: tuple[str, ...] = ()


def _cancel(spool: QueueActs, id: str) -> object:
    return spool.cancel(id, time.time())


HOLD = Act("hold", "held", ("queued", "sending", "deferred", SCHEDULED), ("held",), lambda spool, name: spool.hold(name))
RELEASE = Act("release", "released", ("held",), (), lambda spool, name: spool.release(name), "it is not held")
RETRY = Act(
    "retry",
    "due now",
    ("deferred",),
    ("queued", "sending", "sent"),  # who wants it tried has what he wants
    lambda spool, name: spool.retry(name),
    "release it with `mailer queue release`",
    (SCHEDULED,),  # its sender has said when
)
CANCEL = Act("cancel", "cancelled", WAITING, ("cancelled",), _cancel)


def listing(given: Given) -> int:
    """``queue list``: the messages that wait, oldest first."""
    if given.operands:
        raise usage("queue list takes options only; `mailer queue show ID` shows one message", given.command.name)
    wanted = filter_of(given, IN_SPOOL)
    wanted = replace(wanted, states=wanted.states or frozenset(WAITING))
    with view_of(spool_of(given)) as view:
        found = islice(view.queue(wanted), given.number("--limit", 0) or None)
        if given.flag("--json"):
            for record in found:
                show.json_line(record.as_json())
        else:
            _print_list(given, list(found))
        notes = view.notes
    for text in notes:
        show.note(text)
    return OK


def _print_list(given: Given, records: list[Record]) -> None:
    if given.flag("--quiet"):
        return
    if not records:
        show.show([show.Line(["No message is like that." if chosen(given) else "The queue is empty."])])
        return
    blocks: list[show.Block] = [pages.queue(records, time.time())]
    if show.terminal():
        count = "1 message" if len(records) == 1 else f"{len(records)} messages"
        total = show.size(sum(record.size for record in records))
        blocks += [show.BLANK, show.Line([show.Cell(f"{count}, {total}", "quiet")])]
    show.show(blocks)


# Acts


class Tally:
    """How it went: what was done, and what the exit code has to say."""

    def __init__(self, given: Given, act: Act) -> None:
        self.given = given
        self.act = act
        self.codes: set[int] = set()
        self.json = given.flag("--json")
        self.chatty = not self.json and not given.flag("--quiet")

    def did(self, record: Record) -> None:
        """It was done, or with ``--dry-run`` would be."""
        dry = self.given.flag("--dry-run")
        if self.json:
            show.json_line({"id": record.id, "action": self.act.verb, "done": not dry, "was": record.word, "error": None})
        elif self.chatty:
            said = f"would {self.act.verb}" if dry else self.act.done
            show.show([show.Line([said, "  ", record.id, f"  {pages.sender(record.sender)} → {pages.recipients(record)}"])])

    def failed(self, id: str, failure: Failure) -> None:
        """It was not, and one line says why."""
        self.codes.add(failure.code)
        if self.json:
            show.json_line({"id": id, "action": self.act.verb, "done": False, "was": None, "error": str(failure)})
        else:
            show.note(str(failure))

    @property
    def code(self) -> int:
        """Busy before unknown before done with: what may work the next time is said first."""
        return next((code for code in (TRY_AGAIN, NO_SUCH, *self.codes) if code in self.codes), OK)


def perform(given: Given, act: Act) -> int:
    """Do `act` to the messages that are named or selected. 75 if one was busy, 67 if one is unknown, 65 if one is done with."""
    _check(given, act)
    spool, tally = spool_of(given), Tally(given, act)
    with view_of(spool) as view:
        may = view.spool
        targets = _named(given, view, tally) if given.operands else list(view.queue(_selected(given, act)))
        for text in view.notes:
            show.note(text)
    for record in targets:
        _one(may, record, tally)
    if not targets and not given.operands and tally.chatty:
        show.show([show.Line([f"There is nothing to {act.verb}."])])
    return tally.code


def _check(given: Given, act: Act) -> None:
    ways = [bool(given.operands), chosen(given), given.flag("--all")]
    if not any(ways):
        raise usage(f"say which messages: IDs, a selection such as --domain, or --all to {act.verb} everything", given.command.name)
    if ways[0] and any(ways[1:]):
        raise usage("name messages, or select them with options, not both", given.command.name)


def _selected(given: Given, act: Act) -> Filter:
    """What the options select of the messages that the act is for."""
    wanted = filter_of(given, IN_SPOOL)
    states = wanted.states.intersection((*act.states, *act.asked)) if wanted.states else frozenset(act.states)
    if not states:
        raise usage(f"{act.verb} is for messages that are {' or '.join((*act.states, *act.asked))}", given.command.name)
    return replace(wanted, states=states)


def _named(given: Given, view: MailView, tally: Tally) -> list[Record]:
    targets: dict[str, Record] = {}
    for name in given.operands:
        found = view.find(name)
        if not found:
            tally.failed(name, Failure(f"no message {name!r} is known here", NO_SUCH))
        for record in found:
            if _fits(record, tally):
                targets[record.id] = record
    return list(targets.values())


def _fits(record: Record, tally: Tally) -> bool:
    """Whether the act makes sense for a message that was named."""
    act = tally.act
    if record.word in (*act.states, *act.asked):
        return True
    if record.word not in act.idle:
        problem = "is done with" if record.status in FINAL else f"cannot be {act.done}: {act.otherwise}"
        tally.failed(record.id, Failure(f"message {record.id} {problem} (it is {record.word})", BAD_MESSAGE))
    elif tally.chatty:
        show.show([show.Line([f"{record.id} is {record.word} already"])])
    return False


def _one(spool: QueueActs, record: Record, tally: Tally) -> None:
    try:
        if not tally.given.flag("--dry-run"):
            tally.act.do(spool, record.id)
            spool.ring(record.id)
        tally.did(record)
    except NoSuchMessage:
        if tally.given.operands:  # one that was selected has simply left meanwhile
            text = f"message {record.id} has left the spool this moment; `mailer status {record.id}` says what became of it"
            tally.failed(record.id, Failure(text, TRY_AGAIN))
    except (Busy, Failure) as failure:
        tally.failed(record.id, failure)
    except CorruptFile as error:
        tally.failed(record.id, Failure(f"the file of message {record.id} is damaged: {error}", BAD_MESSAGE))
    except OSError as error:
        raise from_os(f"cannot {tally.act.verb} message {record.id}", error.filename or spool.root, error) from None


OLDEST = Option("--limit", "-n", metavar="COUNT", help="show at most so many, the oldest; 0 for all, as without it")
SELECTION = (TO, FROM, DOMAIN, STATE, OLDER)
ACTING = (
    *SELECTION,
    Option("--all", help="every message; nothing else selects everything"),
    Option("--dry-run", help="show what would be touched, and touch nothing"),
    JSON,
)
CODES = "exit codes: 0 · 64 usage · 65 a message is done with · 67 a message is not known · 75 a message is being\ndelivered this moment"


def _command(act: Act, summary: str, about: str) -> Command:
    return Command(
        f"queue {act.verb}", partial(perform, act=act), summary=summary, about=about, operands="[ID…]", options=ACTING, epilog=CODES
    )


COMMANDS = {
    "list": Command(
        "queue list",
        listing,
        summary="the messages that wait, oldest first",
        about="Shows what is queued, scheduled, deferred or held: age, size, sender, recipients, why it waits and when it is tried next.",
        options=(*SELECTION, OLDEST, JSON),
    ),
    "show": show_message,
    "hold": _command(
        HOLD,
        "take messages out of delivery",
        "Held messages stay in the spool until they are released or cancelled: while they are held they do not expire, for somebody wanted "
        "them to wait. Their time goes on, and one that is released too late is tried once more.",
    ),
    "release": _command(RELEASE, "give held messages back to delivery", "They are due at once."),
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
    "replay": replay_messages,
    **queue_pause.COMMANDS,
}
