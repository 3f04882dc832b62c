"""``mailer mailbox rules`` and ``vacation``: what is done with the mail of a mailbox, without a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mailer.mail.problem import Problem

from . import OK, show
from .mailbox_opening import addresses, config_of, mailbox_for
from .mailbox_script import taken_in
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.filing.rules import OwnRule
    from mailer.mailbox.api import Mailbox

    from .options import Given

VALUED = ("file", "copy", "flag", "forward")
BARE = ("seen", "keep", "discard")


def rules(given: Given) -> int:
    """Show or change the rules of a mailbox."""
    address, verb, number = [*given.operands, *("", "list", "")[len(given.operands) :]][:3]
    if not address or verb not in RULES or len(given.operands) > 3:
        raise usage("it needs an ADDRESS, and takes list, add, remove NUMBER, set or sieve", given.command.name)
    with mailbox_for(given, address, new=verb in ("add", "set")) as mailbox:
        return RULES[verb](given, mailbox, number)


def _list(given: Given, mailbox: Mailbox, _: str) -> int:
    from mailer.operate import mailbox_rules as operate

    return _show(given, operate.rules(mailbox))


def _show(given: Given, found: Sequence[OwnRule]) -> int:
    from mailer.filing.rules import as_json, from_json

    if given.flag("--json"):
        for rule in found:
            show.json_line(from_json(as_json(rule)))
    elif not found:
        show.note("there are no rules; `mailer mailbox rules ADDRESS add --where 'subject contains invoice' --file Invoices` makes one")
    elif not given.flag("--quiet"):
        columns = [
            show.Column("NO", right=True),
            show.Column("NAME", cut=True),
            show.Column("WHERE", cut=True),
            show.Column("DOES", cut=True),
        ]
        show.show([show.Table(columns, [[str(nth), rule.name, _where(rule), _does(rule)] for nth, rule in enumerate(found, 1)])])
    return OK


def _where(rule: OwnRule) -> str:
    words = [
        " ".join(filter(None, ("not" if each.negated else "", each.field if each.what == "header" else each.what, each.how, each.value)))
        for each in rule.conditions
    ]
    return (" and " if rule.every else " or ").join(words) or "always"


def _does(rule: OwnRule) -> str:
    does = ", ".join(f"{action.do} {action.value}".strip() for action in rule.actions)
    return f"{does}{'' if rule.last else ', goes on'}{'' if rule.active else ' (off)'}"


def _add(given: Given, mailbox: Mailbox, _: str) -> int:
    from mailer.operate import mailbox_rules as operate

    conditions = [_condition(given, text) for text in given.texts("--where")]
    actions: list[dict[str, str]] = [{"do": do, "value": value} for do in VALUED for value in given.texts(f"--{do}")]
    actions += [{"do": do} for do in BARE if given.flag(f"--{do}")]
    name = given.text("--name") or " and ".join(given.texts("--where"))[:100] or "always"
    document: dict[str, Any] = {"name": name, "conditions": conditions, "actions": actions}
    rule = operate.add_rule(mailbox, {**document, "every": not given.flag("--any"), "last": not given.flag("--go-on")})
    address = mailbox.owner.address
    for target in operate.unconfirmed(mailbox, config_of(given), rule):
        ask = f"mailer mailbox forward {address} add {target} --for-rules"
        show.note(f"nothing is passed on to {target} before that address was confirmed: `{ask}` sends a code there")
    return _show(given, [rule]) if given.flag("--json") else _said(given, f"{address}: where {_where(rule)}: {_does(rule)}")


def _condition(given: Given, text: str) -> dict[str, Any]:
    """``not header:X-Spam is yes`` as a condition."""
    from mailer.filing.rules import HOWS

    words = text.split(maxsplit=1)
    negated = bool(words) and words[0] == "not"
    what, _, rest = (words[1] if negated and len(words) > 1 else text).strip().partition(" ")
    how, _, value = rest.strip().partition(" ")
    if how not in HOWS:
        raise usage(f"--where takes WHAT HOW VALUE, as in 'subject contains invoice', and not {text[:60]!r}", given.command.name)
    what, _, field = what.partition(":")
    value = _octets(value.strip()) if what == "size" else value.strip()
    return {"what": what, "how": how, "value": value, "field": field, "negated": negated}


def _octets(value: str) -> str:
    """``1MB`` as a rule has it. Raises `Problem` (usage)."""
    from mailer.config.values import size

    try:
        return str(size(int(value) if value.isascii() and value.isdigit() and len(value) < 13 else value))
    except ValueError as error:
        raise Problem(str(error), "usage") from None


def _remove(given: Given, mailbox: Mailbox, number: str) -> int:
    from mailer.operate import mailbox_rules as operate

    if not (number.isascii() and number.isdigit() and len(number) < 4):
        raise usage("remove needs the NUMBER of a rule, as list shows it", given.command.name)
    rule = operate.remove_rule(mailbox, int(number))
    return _said(given, f"{mailbox.owner.address}: the rule {rule.name} is gone")


def _set(given: Given, mailbox: Mailbox, _: str) -> int:
    from mailer.filing.rules import from_json
    from mailer.operate import mailbox_rules as operate

    lines = taken_in(given, "rules, an object of JSON a line").decode("utf-8", "replace").splitlines()
    found = operate.set_rules(mailbox, [from_json(line) for line in lines if line.strip()])
    return _said(given, f"{mailbox.owner.address} has {len(found)} rules")


def _sieve(_: Given, mailbox: Mailbox, __: str) -> int:
    from mailer.operate import mailbox_rules as operate

    sys.stdout.write(operate.rules_script(mailbox))
    return OK


RULES = {"list": _list, "add": _add, "remove": _remove, "set": _set, "sieve": _sieve}


def vacation(given: Given) -> int:
    """Show or change the answer of somebody who is away."""
    from mailer.operate import mailbox_rules as operate

    address, verb = [*given.operands, *("", "show")[len(given.operands) :]][:2]
    if not address or len(given.operands) > 2 or verb not in ("show", "on", "off"):
        raise usage("it needs an ADDRESS, and takes show, on or off", given.command.name)
    with mailbox_for(given, address, new=verb == "on") as mailbox:
        if verb == "off":
            operate.set_vacation(mailbox, None)
            return _said(given, f"{mailbox.owner.address} answers nobody")
        away = operate.set_vacation(mailbox, _answer(given)) if verb == "on" else operate.vacation(mailbox)
    if given.flag("--json"):
        show.json_line({"address": address, "answers": away is not None, **(away._asdict() if away else {})})
    elif away is None:
        show.note(f"{address} answers nobody; `mailer mailbox vacation {address} on < text` has that changed")
    elif not given.flag("--quiet"):
        days = f"{away.since or 'now'} to {away.until or 'any day'}"
        show.say(
            f"{address} answers from {days}, each sender once in {away.days} days: {away.subject or away.text.strip().splitlines()[0]}"
        )
    return OK


def _answer(given: Given) -> dict[str, Any]:
    text = taken_in(given, "the text of the answer")
    try:
        said = text.decode()
    except UnicodeDecodeError:
        raise Problem("the text of the answer is no UTF-8", "bad-message") from None
    found = {"text": said.replace("\r\n", "\n"), "subject": given.text("--subject") or "", "days": given.number("--days", 7, 1, 30)}
    return {**found, "since": given.text("--since") or "", "until": given.text("--until") or "", "addresses": given.texts("--also")}


def _said(given: Given, line: str) -> int:
    if not given.flag("--quiet"):
        show.say(line)
    return OK


CODES = (
    "exit codes: 0 · 64 usage · 65 the script or the text is wrong · 67 there is no such mailbox, script, rule or forward · 77 wrong code"
)

COMMANDS = {
    "rules": Subcommand(
        "mailbox rules",
        rules,
        summary="rules for the mail of a mailbox, without a script",
        about="A rule has conditions and does something where they are true; then no other rule is asked, unless it says --go-on. WHAT is "
        "from, to, subject, list, body, detail (the tag of an address), size, or header:NAME; HOW is contains, is, matches (* and ?), "
        "exists, over or under; not before it turns it round. Rules are asked in their order, and before a script. sieve prints the script "
        "that they come to, list --json and set one rule a line.",
        operands="ADDRESS [list|add|remove NUMBER|set|sieve]",
        words=addresses,
        options=(
            Option("--where", metavar="'WHAT HOW VALUE'", help="a condition; several must all be true", repeat=True),
            Option("--any", help="one condition that is true is enough"),
            Option("--file", metavar="FOLDER", help="put it there, and not into the inbox", repeat=True),
            Option("--copy", metavar="FOLDER", help="put it there as well", repeat=True),
            Option("--flag", metavar="FLAG", help="with this flag or keyword", repeat=True),
            Option("--seen", help="as read already"),
            Option("--forward", metavar="ADDRESS", help="pass it on; the address is one of ours or was confirmed", repeat=True),
            Option("--keep", help="leave it in the inbox"),
            Option("--discard", help="put it into the trash"),
            Option("--go-on", help="ask further rules as well"),
            Option("--name", metavar="NAME", help="what the rule is called"),
            JSON,
        ),
        examples=(
            "mailer mailbox rules ann@example.com add --where 'list contains announce' --file Lists --seen",
            "mailer mailbox rules ann@example.com",
        ),
        epilog=CODES,
    ),
    "vacation": Subcommand(
        "mailbox vacation",
        vacation,
        summary="an answer while somebody is away",
        about="The text comes from standard input. Each sender gets it once in so many days, and only who wrote to the owner by name: no "
        "list, no machine, nobody without an address. See mailer-mailboxes(7).",
        operands="ADDRESS [show|on|off]",
        words=addresses,
        options=(
            Option("--subject", metavar="TEXT", help="of the answer; else it is that of the mail, behind Auto:"),
            Option("--since", metavar="DAY", help="the first day, as 2026-12-24"),
            Option("--until", metavar="DAY", help="the last day"),
            Option("--days", metavar="N", help="how often one sender gets it: once in 7 days by default, from 1 to 30"),
            Option("--also", metavar="ADDRESS", help="another address of the owner", repeat=True),
            JSON,
        ),
        examples=("echo 'Back on 7 January.' | mailer mailbox vacation ann@example.com on --until 2027-01-06",),
        epilog=CODES,
    ),
}
