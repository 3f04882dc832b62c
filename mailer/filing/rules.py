"""Simple rules and the answer of somebody who is away, as data: what a mailbox keeps as JSON, and a web page or a command fills in.

A rule is a name, conditions and actions. What a person wrote in it is data, whatever it holds: `generated` makes Sieve of it, in which each
text is one string. What is read here is checked, so that what is kept always makes a script.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from mailer.mail.address import AddressError, parse
from mailer.mail.problem import Problem
from mailer.mailbox import names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    What: TypeAlias = Literal["from", "to", "subject", "list", "body", "header", "detail", "size"]
    How: TypeAlias = Literal["contains", "is", "matches", "exists", "over", "under"]
    Do: TypeAlias = Literal["file", "copy", "flag", "seen", "forward", "keep", "discard"]

WHATS: Final = ("from", "to", "subject", "list", "body", "header", "detail", "size")
HOWS: Final = ("contains", "is", "matches", "exists", "over", "under")
DOS: Final = ("file", "copy", "flag", "seen", "forward", "keep", "discard")
BARE: Final = ("seen", "keep", "discard")  # actions that have no value

MOST_CONDITIONS: Final = 50
MOST_ACTIONS: Final = 10
LONGEST: Final = 1000  # characters of a name or a value
LONGEST_TEXT: Final = 20_000  # characters of an answer
_DATE: Final = len("2026-12-01")


class Condition(NamedTuple):
    """What is compared of a message (`field` for any ``header``), how, and with what; a size is in octets. `negated`: it must not be so."""

    what: What
    how: How
    value: str = ""
    field: str = ""
    negated: bool = False


class RuleAction(NamedTuple):
    """What is done: with which folder, flag or address."""

    do: Do
    value: str = ""


class OwnRule(NamedTuple):
    """A rule: where `every` condition is true, or one at least, its actions are done. If it is `last`, no other is asked after it."""

    name: str
    conditions: Sequence[Condition]
    actions: Sequence[RuleAction]
    every: bool = True
    last: bool = True
    active: bool = True


class Away(NamedTuple):
    """The answer of somebody who is away, from the day `since` to the day `until` (``2026-12-01``, empty for no end)."""

    text: str
    subject: str = ""
    since: str = ""
    until: str = ""
    days: int = 7
    addresses: Sequence[str] = ()


def rule_of(document: Mapping[str, Any]) -> OwnRule:
    """The rule that a document of JSON says. Raises `Problem` (usage)."""
    _only(document, OwnRule._fields, "a rule")
    conditions = [_condition(each) for each in _listed(document, "conditions", MOST_CONDITIONS)]
    actions = [_action(each) for each in _listed(document, "actions", MOST_ACTIONS)]
    if not actions:
        raise Problem(f"a rule does something: one of {', '.join(DOS)}", "usage")
    flags = {name: _truth(document, name) for name in ("every", "last", "active") if name in document}
    return OwnRule(_text(document, "name", empty=False), conditions, actions, **flags)


def away_of(document: Mapping[str, Any]) -> Away:
    """The answer that a document of JSON says. Raises `Problem` (usage)."""
    _only(document, Away._fields, "an answer")
    days = document.get("days", 7)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 30:
        raise Problem("days is a number from 1 to 30", "usage")
    text = document.get("text", "")
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT or "\0" in text:
        raise Problem(f"the text of an answer has 1 to {LONGEST_TEXT} characters", "usage")
    _encodable(text)
    addresses = [_address(each) for each in _listed(document, "addresses", MOST_CONDITIONS)]
    since, until = (_date(document, name) for name in ("since", "until"))
    if since and until and until < since:
        raise Problem(f"an answer until {until} cannot begin on {since}", "usage")
    return Away(text, _text(document, "subject"), since, until, days, addresses)


def as_json(of: OwnRule | Away) -> str:
    """The document of JSON that says it."""
    document = of._asdict()
    if isinstance(of, OwnRule):
        document["conditions"] = [each._asdict() for each in of.conditions]
        document["actions"] = [each._asdict() for each in of.actions]
    return json.dumps(document, ensure_ascii=False)


def from_json(text: str) -> Mapping[str, Any]:
    """The document in `text`. Raises `Problem` (usage)."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(f"it is no JSON: {error}", "usage") from None
    if not isinstance(found, dict):
        raise Problem("it is no object of JSON", "usage")
    return found


def _condition(document: object) -> Condition:
    if not isinstance(document, dict):
        raise Problem('a condition is an object, as {"what": "subject", "how": "contains", "value": "news"}', "usage")
    _only(document, Condition._fields, "a condition")
    what, how = _one_of(document, "what", WHATS), _one_of(document, "how", HOWS)
    field, value = _text(document, "field"), _text(document, "value")
    if (what == "size") != (how in ("over", "under")):
        raise Problem("a size is over or under a number of octets, and nothing else is", "usage")
    if what == "size" and not (value.isascii() and value.isdigit() and len(value) < 13):
        raise Problem(f"a size is a number of octets, and {value!r} is none", "usage")
    if what == "header" and not (field and all("!" <= char <= "~" and char != ":" for char in field)):
        raise Problem(f"{field!r} cannot be the name of a header field", "usage")
    if how == "exists" and what in ("body", "detail"):
        raise Problem(f"{what} is compared with something", "usage")
    return Condition(cast("What", what), cast("How", how), value, field, _truth(document, "negated"))


def _action(document: object) -> RuleAction:
    if not isinstance(document, dict):
        raise Problem('an action is an object, as {"do": "file", "value": "Lists"}', "usage")
    _only(document, RuleAction._fields, "an action")
    do = _one_of(document, "do", DOS)
    value = "" if do in BARE else _VALUES[do](_text(document, "value", empty=False))
    return RuleAction(cast("Do", do), value)


def _address(text: object) -> str:
    try:
        return str(parse(str(text)))
    except AddressError as error:
        raise Problem(str(error), "usage") from None


def _flag(text: str) -> str:
    from mailer.sieve.flags import is_flag

    if not is_flag(text):
        raise Problem(f"{text!r} cannot be a flag", "usage")
    return text


_VALUES: Final[dict[str, Callable[[str], str]]] = {"file": names.checked, "copy": names.checked, "flag": _flag, "forward": _address}


def _only(document: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    if unknown := [name for name in document if name not in known]:
        raise Problem(f"{what} has no member {str(unknown[0])[:40]!r}; it has {', '.join(known)}", "usage")


def _one_of(document: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    value = document.get(name)
    if value not in known:
        raise Problem(f"{name} is one of {', '.join(known)}, and not {str(value)[:40]!r}", "usage")
    return str(value)


def _listed(document: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    found = document.get(name, [])
    if not isinstance(found, list) or len(found) > most:
        raise Problem(f"{name} is a list of at most {most}", "usage")
    return found


def _truth(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise Problem(f"{name} is true or false", "usage")
    return value


def _text(document: Mapping[str, Any], name: str, *, empty: bool = True) -> str:
    value = document.get(name, "")
    if not isinstance(value, str) or len(value) > LONGEST or not (value or empty) or any(char in value for char in "\0\r\n"):
        raise Problem(f"{name} is a text of one line, with {0 if empty else 1} to {LONGEST} characters", "usage")
    _encodable(value)
    return value


def _encodable(text: str) -> None:
    if any("\ud800" <= char < "\ue000" for char in text):
        raise Problem("a text holds half of a character", "usage")


def _date(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name, "")
    if value == "":
        return ""
    from mailer.mail.dates import parse_rfc3339

    try:
        if len(value) != _DATE:
            raise ValueError
        parse_rfc3339(f"{value}T00:00:00Z")
    except (ValueError, TypeError):
        raise Problem(f"{name} is a day, as 2026-12-24, and not {str(value)[:40]!r}", "usage") from None
    return str(value)
