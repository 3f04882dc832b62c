"""Rules that ask the DNS are run here: their questions are asked of the name servers, and the answers are put as the rules want them.

Used by ``mailer check``, by the doors that judge mail of strangers, and by whoever else has a rule of `mailer.auth`.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mailer.auth.records import DnsRecords

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mailer.auth.records import DnsQuestion, Rule

    from .query import DnsAnswer

T = TypeVar("T")

LONGEST = 254  # characters of a name, with a dot at its end
MOST = 250  # records of an answer that are kept; it has room for 4,000, and no domain needs that


class RecordLookup(Protocol):
    """One who knows what the DNS has: `mailer.net.dns.Resolver`."""

    async def records(self, name: str, type: str) -> DnsRecords:
        """The records of `type` for `name`, or why there are none; nothing raises."""

    def remembered(self, name: str, type: str) -> DnsRecords | None:
        """What `records` would say, if that is known; None if it has to be asked for."""


def as_records(name: str, answer: DnsAnswer) -> DnsRecords:
    """What the name servers said of `name`."""
    return DnsRecords(name, tuple(map(_text, answer.records[:MOST])), answer.missing)


def _text(record: Any) -> str:
    """A record of the DNS library as `DnsRecords` has it."""
    if hasattr(record, "strings"):
        return b"".join(record.strings).decode("utf-8", "replace")
    if hasattr(record, "exchange"):
        return f"{record.preference} {record.exchange.to_text(omit_final_dot=True).lower() or '.'}"
    if hasattr(record, "weight"):  # SRV
        target = record.target.to_text(omit_final_dot=True).lower() or "."
        return f"{record.priority} {record.weight} {record.port} {target}"
    if hasattr(record, "target"):
        return str(record.target.to_text(omit_final_dot=True)).lower()
    return str(record.address)


class Inquiry(Generic[T]):
    """A rule on its way: what is remembered answers it at once, as far as that goes; `finish` asks for the rest."""

    def __init__(self, rule: Rule[T], remembered: Callable[[str, str], DnsRecords | None]) -> None:
        self._rule = rule
        self._remembered = remembered
        self._found: list[T] = []
        self._open: Sequence[DnsQuestion] = ()
        self._advance(None)

    @property
    def is_over(self) -> bool:
        """Whether the rule has found out what it wanted."""
        return bool(self._found)

    @property
    def found(self) -> T:
        """What it has found out; only once it `is_over`."""
        return self._found[0]

    async def finish(self, ask: Callable[[str, str], Awaitable[DnsRecords]]) -> None:
        """Go on to the end; `ask` takes a name and a type of records, and does not raise."""
        while not self.is_over:
            if len(self._open) == 1:
                self._advance((await ask(*self._open[0]),))
            else:
                self._advance(await asyncio.gather(*(ask(*question) for question in self._open)))

    def _advance(self, answers: Sequence[DnsRecords] | None) -> None:
        try:
            questions = next(self._rule) if answers is None else self._rule.send(answers)
            while (known := self._known(questions)) is not None:
                questions = self._rule.send(known)
            self._open = questions
        except StopIteration as end:
            self._found.append(end.value)

    def _known(self, questions: Sequence[DnsQuestion]) -> Sequence[DnsRecords] | None:
        known = []
        for question in questions:
            answer = self._remembered(*question)
            if answer is None:
                return None
            known.append(answer)
        return known


async def answered(rule: Rule[T], ask: Callable[[str, str], Awaitable[DnsRecords]]) -> T:
    """What `rule` finds out; `ask` takes a name and a type of records, and does not raise."""
    inquiry = Inquiry(rule, _nothing)
    await inquiry.finish(ask)
    return inquiry.found


def _nothing(_name: str, _type: str) -> None:
    """What is remembered by one who remembers nothing."""


def askable(name: str) -> str:
    """`name` as it is looked up; empty for what cannot stand in the DNS, or would be read as something else there. RFC 1035 §2.3.4"""
    return _looked_up(name) if len(name) <= LONGEST else ""


@lru_cache(4096)  # the same few names are asked for with each message
def _looked_up(name: str) -> str:
    name = name.lower().removesuffix(".")
    fits = len(name) < LONGEST and name.isascii() and name.isprintable() and "\\" not in name  # that begins an escape, RFC 1035 §5.1
    return name if fits and all(0 < len(label) < 64 for label in name.split(".")) else ""
