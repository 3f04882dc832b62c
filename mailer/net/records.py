"""Rules that ask the DNS are run here: their questions are asked of the name servers, and the answers are put as the rules want them.

Used by ``mailer check``, by the doors that judge mail of strangers, and by whoever else has a rule of `mailer.auth`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mailer.auth.records import DnsRecords

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.auth.records import Rule

    from .query import DnsAnswer

T = TypeVar("T")

MOST = 1000  # records of an answer that are kept; it has room for 4,000


class RecordLookup(Protocol):
    """One who knows what the DNS has: `mailer.net.dns.Resolver`."""

    async def records(self, name: str, type: str) -> DnsRecords:
        """The records of `type` for `name`, or why there are none; nothing raises."""


def as_records(name: str, answer: DnsAnswer) -> DnsRecords:
    """What the name servers said of `name`."""
    return DnsRecords(name, tuple(map(_text, answer.records[:MOST])), answer.missing)


def _text(record: Any) -> str:
    """A record of the DNS library as `DnsRecords` has it."""
    if hasattr(record, "strings"):
        return b"".join(record.strings).decode("utf-8", "replace")
    if hasattr(record, "exchange"):
        return f"{record.preference} {record.exchange.to_text(omit_final_dot=True).lower() or '.'}"
    if hasattr(record, "target"):
        return str(record.target.to_text(omit_final_dot=True)).lower()
    return str(record.address)


async def answered(rule: Rule[T], ask: Callable[[str, str], Awaitable[DnsRecords]]) -> T:
    """What `rule` finds out; `ask` takes a name and a type of records, and does not raise."""
    try:
        questions = next(rule)
        while True:
            if len(questions) == 1:
                questions = rule.send((await ask(*questions[0]),))
            else:
                questions = rule.send(await asyncio.gather(*(ask(*question) for question in questions)))
    except StopIteration as end:
        found: T = end.value
        return found


def askable(name: str) -> str:
    """`name` as it is looked up; empty for what cannot stand in the DNS, or would be read as something else there. RFC 1035 §2.3.4"""
    name = name.lower().removesuffix(".")
    fits = 0 < len(name) <= 253 and name.isascii() and name.isprintable() and "\\" not in name  # that begins an escape, RFC 1035 §5.1
    return name if fits and all(0 < len(label) < 64 for label in name.split(".")) else ""
