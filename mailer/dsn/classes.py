"""What a refusal means, in a word: its class, whose fault it is, and whether the address is gone for good.

The classes are data, ``classes.toml`` beside this file. They serve reports that came back, whoever wrote them, and our own refusals
alike. A refusal is known best by its cause, where we judged it ourselves; then by its words, for a code is given for anything; then by
an enhanced code that is not (RFC 3463 §3); then by words that are said of other things, too; then by the SMTP code (RFC 5321 §4.2.3).

The words of a stranger are looked at to `LONGEST` characters.
"""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from .phrases import Phrases, words

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 1000  # characters of a text that are looked at

_ADDRESS = re.compile(r"<[^<>@\s]{0,256}@[^<>@\s]{0,256}>|(?<![^\s<>(\"'=:,;])[^\s<>()\"'=:,;@]{1,256}@[\w.-]{1,256}")
_BARE = {
    421: "network", 450: "other", 451: "other", 452: "full", 454: "tls", 500: "protocol", 501: "protocol", 502: "protocol", 503: "protocol",
    504: "protocol", 521: "bad-domain", 530: "relay", 534: "relay", 535: "relay", 538: "tls", 551: "unknown-user", 552: "full",
    553: "unknown-user", 555: "protocol", 556: "bad-domain",
}  # fmt: skip
"""What an SMTP code means that nobody explains, RFC 5321 §4.2.3, RFC 7504; 550 and 554 are given for anything."""


class WhoseFault(StrEnum):
    """The one at fault for a failure."""

    RECIPIENT = "recipient"  # the address is no good
    TIME = "time"  # another day it may go through
    SENDER = "sender"  # what the other side holds against the sender, or against the message
    US = "us"  # something of this mail system has to be mended


class Class(NamedTuple):
    """A class of refusals by its `name`; `status` is the code of RFC 3463 for a refusal without one, empty if none says it."""

    name: str
    fault: WhoseFault
    hard: bool
    status: str


class _Table(NamedTuple):
    classes: dict[str, Class]
    causes: dict[str, str]
    codes: dict[str, str]
    words: Phrases
    hints: Phrases
    summaries: Sequence[str]


@cache
def _table() -> _Table:
    """``classes.toml``, read once."""
    read = tomllib.loads(files(__package__).joinpath("classes.toml").read_text("utf-8"))
    summaries = read.pop("summaries")
    said, hinted = (Phrases((name, rule.get(of, ())) for name, rule in read.items()) for of in ("words", "hints"))
    table = _Table({}, {}, {}, said, hinted, [words(summary) for summary in summaries])
    for name, rule in read.items():
        table.classes[name] = Class(name, WhoseFault(rule["fault"]), rule.get("hard", False), rule["status"])
        table.causes.update(dict.fromkeys(rule.get("causes", ()), name))
        table.codes.update(dict.fromkeys(rule.get("codes", ()), name))
    return table


def class_of(name: str, *, temporary: bool = False) -> Class:
    """The class of that name, where it is known what it is. A `temporary` refusal is never hard, and its status is of class 4."""
    found = _table().classes[name]
    if temporary:
        return found._replace(hard=False, status="4" + found.status[1:] if found.status else "")
    return found


def named(name: str) -> bool:
    """Whether there is a class of that name."""
    return name in _table().classes


def classify(code: int, enhanced: str, text: str, cause: str = "", *, temporary: bool | None = None, sure: bool = False) -> Class:
    """The class of a refusal with this SMTP `code` (0 for none), `enhanced` code ("" for none), `text` and `cause`.

    `text` is the host's own words, without codes or with them. `cause` is the word of `mailer.mail.outcome.Cause`, where we judged it.
    With `sure`, only a cause, plain words and codes count, as in a text that speaks of other things, too.
    `temporary` says whether it is tried again, or might be: where it is not said, the codes say it, and no code means for good.
    """
    if temporary is None:
        temporary = enhanced.startswith("4.") if enhanced else 400 <= code < 500
    return class_of(_name(code, enhanced, text, cause, sure), temporary=temporary)


@lru_cache(4096)
def _name(code: int, enhanced: str, text: str, cause: str, sure: bool) -> str:
    table = _table()
    if cause in table.causes:
        return table.causes[cause]
    small = plain(text)
    if name := table.words.first(_without(table.summaries, small))[1]:
        return name
    _, _, detail = enhanced.partition(".")
    if name := table.codes.get(detail, ""):
        return name
    if sure:
        return "other"
    return table.hints.first(small)[1] or _BARE.get(code, "other")


def _without(summaries: Sequence[str], small: str) -> str:
    """`small` without what sums up what follows."""
    for summary in summaries:
        small = small.replace(summary, "")
    return small


def plain(text: str) -> str:
    """What is looked at: words in lower case with one space before each, without addresses, whose words mean nothing."""
    small = text[:LONGEST]
    return words(_ADDRESS.sub(" ", small) if "@" in small else small)
