"""The script that forwards, the answer and rules of an owner come to: Sieve, in which each text of a person is one quoted string.

It requires neither variables nor encoded characters, so that nothing in a string means anything but itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.mailbox.scripts import OwnForward

    from .rules import Away, Condition, OwnRule, RuleAction

REQUIRED: Final = ("fileinto", "copy", "mailbox", "imap4flags", "vacation", "body", "date", "relational", "envelope", "subaddress")

_FIELDS: Final = {"from": ("from", "sender"), "to": ("to", "cc"), "subject": ("subject",), "list": ("list-id",)}


def script_of(rules: Sequence[OwnRule], away: Away | None, forwards: Sequence[OwnForward]) -> str:
    """The script; empty where there is nothing to say."""
    lines = [*_forwards(forwards), *(_away(away) if away else ()), *(line for rule in rules if rule.active for line in _rule(rule))]
    return "\n".join([f"require {listed(REQUIRED)};", *lines, ""]) if lines else ""


def quoted(text: str) -> str:
    """`text` as a string of Sieve. RFC 5228 §2.4.2"""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def listed(texts: Sequence[str]) -> str:
    """`texts` as a list of strings."""
    return f"[{', '.join(quoted(text) for text in texts)}]"


def _forwards(forwards: Sequence[OwnForward]) -> Iterator[str]:
    """Only those that were confirmed count."""
    for each in forwards:
        if each.confirmed and each.kind != "rules":
            yield f"redirect{' :copy' if each.kind == 'copy' else ''} {quoted(each.address)};"


def _away(away: Away) -> Iterator[str]:
    subject = f" :subject {quoted(away.subject)}" if away.subject else ""
    addresses = f" :addresses {listed(away.addresses)}" if away.addresses else ""
    answer = f"vacation :days {away.days}{subject}{addresses} {quoted(away.text)};"
    days = [f'currentdate :value "ge" "date" {quoted(away.since)}'] if away.since else []
    days += [f'currentdate :value "le" "date" {quoted(away.until)}'] if away.until else []
    yield f"if allof ({', '.join(days)}) {{ {answer} }}" if days else answer


def _rule(rule: OwnRule) -> Iterator[str]:
    tests = [_test(each) for each in rule.conditions]
    yield f"if {'allof' if rule.every else 'anyof'} ({', '.join(tests)}) {{" if tests else "if true {"
    flags = [action.value if action.do == "flag" else "\\Seen" for action in rule.actions if action.do in ("flag", "seen")]
    if flags:
        yield f"  addflag {listed(flags)};"
    for action in rule.actions:
        yield from _action(action)
    yield "  stop;\n}" if rule.last else "}"


def _action(action: RuleAction) -> Iterator[str]:
    if action.do in ("file", "copy"):
        yield f"  fileinto :create{' :copy' if action.do == 'copy' else ''} {quoted(action.value)};"
    elif action.do == "forward":
        yield f"  redirect :copy {quoted(action.value)};"
    elif action.do in ("keep", "discard"):
        yield f"  {action.do};"


def _test(condition: Condition) -> str:
    return f"not {_positive(condition)}" if condition.negated else _positive(condition)


def _positive(condition: Condition) -> str:
    what, how, value = condition.what, condition.how, condition.value
    fields = listed(_FIELDS.get(what, (condition.field,)))
    if what == "size":
        return f"size :{how} {value}"
    if how == "exists":
        tests = ", ".join(f"exists {quoted(name)}" for name in _FIELDS.get(what, (condition.field,)))
        return f"anyof ({tests})"
    if what == "body":
        return f"body :text :{how} {quoted(value)}"
    if what == "detail":
        return f'envelope :detail :{how} "to" {quoted(value)}'
    if what in ("from", "to") and how == "is":
        return f"address :is {fields} {quoted(value)}"
    return f"header :{how} {fields} {quoted(value)}"
