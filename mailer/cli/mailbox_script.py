"""``mailer mailbox script`` and ``forward``: scripts in Sieve, and addresses that mail is forwarded to."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

from . import BAD_MESSAGE, OK, show
from .mailbox_opening import addresses, config_of, mailbox_for
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mailbox.api import Mailbox
    from mailer.mailbox.scripts import ForwardKind

    from .options import Given

LARGEST_MAIL = 64 << 20  # octets of a message that is tried


def taken_in(given: Given, what: str, most: int = 1 << 17) -> bytes:
    """All of standard input, which is `what`. Raises `Problem` (usage)."""
    if sys.stdin is None:
        raise usage(f"it reads {what} from standard input, which is closed", given.command.name)
    if sys.stdin.isatty() and not given.flag("--quiet"):
        show.note(f"reading {what} from the terminal; Ctrl-D ends it")
    found = sys.stdin.buffer.read(most + 1)
    if len(found) > most:
        raise Problem(f"{what} has more than {most} octets", "bad-message")
    return found


def script(given: Given) -> int:
    """Show, change or try the scripts of a mailbox."""
    address, verb, name = [*given.operands, *("", "list", "")[len(given.operands) :]][:3]
    if not address or verb not in VERBS or len(given.operands) > 3:
        raise usage(f"it needs an ADDRESS, and takes {', '.join(VERBS)}", given.command.name)
    if verb in ("put", "activate", "delete") and not name:
        raise usage(f"{verb} needs the NAME of a script", given.command.name)
    if verb == "check":
        return _check(given)
    with mailbox_for(given, address, new=verb == "put") as mailbox:
        return VERBS[verb](given, mailbox, name)


def _check(given: Given) -> int:
    from mailer.operate import mailbox_rules as operate

    operate.check(taken_in(given, "the script"))
    return _said(given, "the script is right")


def _put(given: Given, mailbox: Mailbox, name: str) -> int:
    from mailer.operate import mailbox_rules as operate

    operate.put_script(mailbox, name, taken_in(given, "the script"), time.time(), active=given.flag("--activate"))
    asked = "is asked of each message from now on" if operate.script(mailbox, name).active else "is kept; `activate` has it asked"
    return _said(given, f"{mailbox.owner.address}: the script {name} {asked}")


def _get(_: Given, mailbox: Mailbox, name: str) -> int:
    from mailer.operate import mailbox_rules as operate

    sys.stdout.buffer.write(operate.script(mailbox, name).source.encode())
    return OK


def _list(given: Given, mailbox: Mailbox, _: str) -> int:
    from mailer.operate import mailbox_rules as operate

    found = mailbox.scripts.instructions().scripts
    if given.flag("--json"):
        for each in found:
            show.json_line(operate.script_json(each))
    elif not found:
        show.note(f"there are no scripts; `mailer mailbox script {mailbox.owner.address} put NAME < FILE` keeps one")
    elif not given.flag("--quiet"):
        now = time.time()
        columns = [show.Column("NAME", cut=True), show.Column("STATE"), show.Column("OCTETS", right=True), show.Column("CHANGED")]
        state = {True: show.Cell("active", "good"), False: show.Cell("kept", "wait")}
        rows: list[Sequence[show.Value]] = [
            [each.name, state[each.active], str(len(each.source.encode())), show.moment(each.at, now)] for each in found
        ]
        show.show([show.Table(columns, rows)])
    return OK


def _activate(given: Given, mailbox: Mailbox, name: str) -> int:
    mailbox.scripts.activate(name)
    return _said(given, f"{mailbox.owner.address}: the script {name} is asked of each message from now on")


def _deactivate(given: Given, mailbox: Mailbox, _: str) -> int:
    mailbox.scripts.activate("")
    return _said(given, f"{mailbox.owner.address}: no script is asked")


def _delete(given: Given, mailbox: Mailbox, name: str) -> int:
    mailbox.scripts.delete_script(name)
    return _said(given, f"{mailbox.owner.address}: the script {name} is gone")


def _test(given: Given, mailbox: Mailbox, _: str) -> int:
    from mailer.operate import mailbox_rules as operate

    content = taken_in(given, "a message", LARGEST_MAIL)
    sender = given.text("--from")
    tried = operate.TriedMail(content, operate.STRANGER if sender is None else sender, given.text("--to") or "", given.flag("--junk"))
    plan = operate.try_mail(mailbox, config_of(given), tried, time.time())
    if given.flag("--json"):
        show.json_line(operate.plan_json(plan))
    else:
        for place in plan.places:
            flags = f", with {' '.join(place.flags)}" if place.flags else ""
            show.say(f"it goes into {place.folder or place.role.capitalize() or 'INBOX'}{flags}")
        for address in plan.forwards:
            show.say(f"it is passed on to {address}")
        if plan.answer:
            show.say("its sender gets an answer, unless he had it in these days")
        for line in (*plan.withheld, *([plan.failed] if plan.failed else [])):
            show.say(line)
    return BAD_MESSAGE if plan.failed else OK


VERBS = {
    "list": _list,
    "put": _put,
    "get": _get,
    "activate": _activate,
    "deactivate": _deactivate,
    "delete": _delete,
    "check": lambda given, *_: _check(given),
    "test": _test,
}


FORWARDING = {"list": 2, "add": 3, "confirm": 4, "remove": 3}
"""What can be done with forwards, and how many operands that has."""


def forward(given: Given) -> int:
    """Show or change where mail is forwarded to."""
    words = [*given.operands, "list"] if len(given.operands) == 1 else given.operands
    if len(words) != FORWARDING.get(words[1] if len(words) > 1 else ""):
        raise usage("it needs an ADDRESS, and takes list, add TARGET, confirm TARGET CODE, or remove TARGET", given.command.name)
    address, verb, target, code = [*words, "", ""][:4]
    with mailbox_for(given, address, new=verb == "add") as mailbox:
        return _forward(given, mailbox, verb, target, code)


def _forward(given: Given, mailbox: Mailbox, verb: str, target: str, code: str) -> int:
    from mailer.operate import mailbox_rules as operate

    owner = mailbox.owner.address
    if verb == "add":
        kind: ForwardKind = "rules" if given.flag("--for-rules") else "move" if given.flag("--no-copy") else "copy"
        done = operate.add_forward(mailbox, config_of(given), target, kind, time.time(), confirmed=given.flag("--confirmed"))
        if done.confirmed:
            return _said(given, f"mail for {owner} is forwarded to {done.address}")
        return _said(
            given, f"a code went to {done.address}; `mailer mailbox forward {owner} confirm {done.address} CODE` has mail forwarded"
        )
    if verb == "confirm":
        operate.confirm_forward(mailbox, target, code, time.time())
        return _said(given, f"mail for {owner} is forwarded to {target}")
    if verb == "remove":
        mailbox.scripts.delete_forward(target)
        return _said(given, f"mail for {owner} is not forwarded to {target} any more")
    return _forwards(given, mailbox)


def _forwards(given: Given, mailbox: Mailbox) -> int:
    from mailer.operate import mailbox_rules as operate

    found, now = mailbox.scripts.instructions().forwards, time.time()
    if given.flag("--json"):
        for each in found:
            show.json_line(operate.forward_json(each))
    elif not found:
        show.note(f"mail for {mailbox.owner.address} is not forwarded")
    elif not given.flag("--quiet"):
        columns = [show.Column("ADDRESS", cut=True), show.Column("STATE"), show.Column("KIND"), show.Column("SINCE")]
        state = {True: show.Cell("confirmed", "good"), False: show.Cell("waits for its code", "wait")}
        rows: list[Sequence[show.Value]] = [
            [each.address, state[each.confirmed > 0], each.kind, show.moment(each.confirmed or each.asked, now)] for each in found
        ]
        show.show([show.Table(columns, rows)])
    return OK


def _said(given: Given, line: str) -> int:
    if not given.flag("--quiet"):
        show.say(line)
    return OK


CODES = "exit codes: 0 · 64 usage · 65 the script is wrong · 67 there is no such mailbox, script or forward · 77 that is not the code"

COMMANDS = {
    "script": Subcommand(
        "mailbox script",
        script,
        summary="scripts in Sieve for the mail of a mailbox",
        about="A script is checked before it is kept, and one of a mailbox is asked of each message. test reads a message and says what "
        "would be done with it, and why not more; nothing is done. See mailer-mailboxes(7) for what a script can say.",
        operands="ADDRESS [list|put NAME|get [NAME]|activate NAME|deactivate|delete NAME|check|test]",
        words=addresses,
        options=(
            Option("--activate", help="put: have it asked from now on"),
            Option("--from", metavar="ADDRESS", help="test: the sender on the envelope; empty for none"),
            Option("--to", metavar="ADDRESS", help="test: the recipient on the envelope, perhaps with a tag"),
            Option("--junk", help="test: as if filters had marked it as unwanted"),
            JSON,
        ),
        examples=(
            "mailer mailbox script ann@example.com put main --activate < main.sieve",
            "mailer mailbox script ann@example.com test < message.eml",
        ),
        epilog=CODES,
    ),
    "forward": Subcommand(
        "mailbox forward",
        forward,
        summary="where the mail of a mailbox is forwarded to",
        about="ACT is list, add, confirm or remove. An address counts when it was confirmed: a code is sent there, and confirm takes it. "
        "Rules and scripts, too, pass mail on only to addresses that were confirmed, or that are of our own domains.",
        operands="ADDRESS [ACT [TARGET [CODE]]]",
        words=addresses,
        options=(
            Option("--no-copy", help="add: keep no copy here"),
            Option("--for-rules", help="add: only for what a rule or a script passes on"),
            Option("--confirmed", help="add: without a code, for an operator who knows that it is right"),
            JSON,
        ),
        examples=("mailer mailbox forward ann@example.com add ann@example.org", "mailer mailbox forward ann@example.com"),
        epilog=CODES,
    ),
}
