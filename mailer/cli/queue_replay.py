"""``mailer queue replay``: messages that were given up go out once more, as new ones."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.config.quick import submission
from mailer.mail import address
from mailer.mail.address import AddressError
from mailer.mail.failure import BAD_MESSAGE, NO_SUCH, OK, TRY_AGAIN, Failure
from mailer.spool import Busy, NoSuchMessage, Spool, layout
from mailer.spool.file import CorruptFile
from mailer.spool.replay import replay
from mailer.status.view import View

from . import pages, show
from .options import JSON, Command, Option, usage
from .selectors import DOMAIN, FROM, OLDER, STATE, filter_of, spool_of

if TYPE_CHECKING:
    from mailer.status.filter import Filter
    from mailer.status.record import Record

    from .options import Given

GIVEN_UP = ("failed", "expired", "cancelled")


def run(given: Given) -> int:
    """Replay what is named or selected. 75 if one was busy, 67 if one is unknown, 65 if one cannot be replayed."""
    if bool(given.operands) == (chosen_here(given) or given.flag("--all")):
        raise usage("say which messages: IDs, a selection such as --domain, or --all", given.command.name)
    spool, people = spool_of(given), _people(given)
    settings = submission(given.text("--config"), given.text("--spool"))
    layout.check_space(spool.root, settings.min_free_space, settings.min_free_inodes, 0)
    codes: set[int] = set()
    with View(spool) as view:
        targets = _named(given, view, codes) if given.operands else list(view.queue(_selected(given)))
        for text in view.notes:
            show.note(text)
    for record in targets:
        _one(given, spool, record, people, codes)
    if not targets and not given.operands and not given.flag("--json") and not given.flag("--quiet"):
        show.show([show.Line(["There is nothing to replay."])])
    return next((code for code in (TRY_AGAIN, NO_SUCH, *codes) if code in codes), OK)


def chosen_here(given: Given) -> bool:
    """Whether the messages are selected; ``--to`` selects nothing here."""
    return any(given.flag(option.key) for option in (FROM, DOMAIN, STATE, OLDER))


def _people(given: Given) -> list[str]:
    domain = submission(given.text("--config"), given.text("--spool")).default_domain
    try:
        return [str(address.parse(text, domain)) for text in given.texts("--to")]
    except AddressError as error:
        raise usage(f"--to: {error}", given.command.name) from None


def _selected(given: Given) -> Filter:
    values = {name: value for name, value in given.values.items() if name != "--to"}
    wanted = filter_of(type(given)(given.command, values, []), GIVEN_UP)
    return replace(wanted, states=wanted.states or frozenset(GIVEN_UP))


def _named(given: Given, view: View, codes: set[int]) -> list[Record]:
    targets: dict[str, Record] = {}
    for name in given.operands:
        found = view.find(name)
        if not found:
            _failed(given, name, Failure(f"no message {name!r} is known here", NO_SUCH), codes)
        for record in found:
            if record.status in GIVEN_UP:
                targets[record.id] = record
            else:
                kept = "it was not given up" if record.status != "sent" else "what was delivered is not kept"
                refusal = Failure(f"message {record.id} cannot be replayed (it is {record.status}): {kept}", BAD_MESSAGE)
                _failed(given, record.id, refusal, codes)
    return list(targets.values())


def _one(given: Given, spool: Spool, record: Record, people: list[str], codes: set[int]) -> None:
    new = ""
    try:
        if not given.flag("--dry-run"):
            new = replay(spool, record.id, people, time.time(), again=given.flag("--again")).id
            spool.ring(new)
    except NoSuchMessage:
        _failed(given, record.id, Failure(f"message {record.id} is not kept any more (bounce.retention)", NO_SUCH), codes)
        return
    except (Busy, Failure) as failure:
        _failed(given, record.id, failure, codes)
        return
    except CorruptFile as error:
        _failed(given, record.id, Failure(f"the file of message {record.id} is damaged: {error}", BAD_MESSAGE), codes)
        return
    if given.flag("--json"):
        show.json_line({"id": record.id, "action": "replay", "done": bool(new), "was": record.status, "as": new or None, "error": None})
    elif not given.flag("--quiet"):
        to = ",".join(people) or pages.recipients(record)
        show.show(
            [show.Line([f"replayed as {new}" if new else "would replay", "  ", record.id, f"  {pages.sender(record.sender)} → {to}"])]
        )


def _failed(given: Given, id: str, failure: Failure, codes: set[int]) -> None:
    codes.add(failure.code)
    if given.flag("--json"):
        show.json_line({"id": id, "action": "replay", "done": False, "was": None, "as": None, "error": str(failure)})
    else:
        show.note(str(failure))


replay_messages = Command(
    "queue replay",
    run,
    summary="send messages again that were given up",
    about=(
        "Each is put again as a new message, with an ID and a time to expire of its own, for the recipients that have not got it; its "
        "envelope names the old one as its parent. The old message stays until its retention (bounce.retention) is over, and is replayed "
        "once, unless --again says otherwise. What was delivered to all is not kept and cannot be replayed."
    ),
    operands="[ID…]",
    options=(
        Option("--to", metavar="ADDRESS", repeat=True, help="to this address instead; may be repeated"),
        FROM,
        DOMAIN,
        STATE,
        OLDER,
        Option("--all", help="every message that was given up"),
        Option("--again", help="also those that were replayed before"),
        Option("--dry-run", help="show what would be replayed, and replay nothing"),
        JSON,
    ),
    epilog="exit codes: 0 · 64 usage · 65 it cannot be replayed · 67 a message is not known · 75 it is in use, or the disk is full",
)
