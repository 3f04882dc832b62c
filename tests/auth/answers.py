"""A DNS in a dictionary, for rules that ask: `found(rule, world)` runs one and gives what it found out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mailer.auth import dmarc
from mailer.auth.records import DnsQuestion, DnsRecords

if TYPE_CHECKING:
    from mailer.auth.records import Rule

T = TypeVar("T")


class World:
    """What the DNS has: ``World({("example.com", "TXT"): ["…"]})``; for a name in `trouble` nobody knows. `asked` lists the questions."""

    def __init__(self, records: dict[tuple[str, str], list[str]], trouble: tuple[str, ...] = ()) -> None:
        self.known = records
        self.trouble = trouble
        self.asked: list[DnsQuestion] = []

    def answer(self, question: DnsQuestion) -> DnsRecords:
        """What the DNS says."""
        name, type = question
        self.asked.append(question)
        if name in self.trouble:
            return DnsRecords(name, trouble="no name server answers")
        if (name, type) in self.known:
            return DnsRecords(name, tuple(self.known[name, type]))
        exists = any(known == name or known.endswith(f".{name}") for known, _ in self.known)
        return DnsRecords(name, missing="nodata" if exists else "nxdomain")

    async def records(self, name: str, type: str) -> DnsRecords:
        """As a resolver has it."""
        return self.answer(DnsQuestion(name, type))

    def remembered(self, name: str, type: str) -> DnsRecords | None:
        """Nothing: all is asked for."""
        return None


def found(rule: Rule[T], world: World) -> T:
    """What `rule` finds out in this world."""
    try:
        questions = next(rule)
        while True:
            questions = rule.send([world.answer(question) for question in questions])
    except StopIteration as end:
        result: T = end.value
        return result


def policy_of(domain: str, records: dict[str, str], trouble: tuple[str, ...] = ()) -> dmarc.DmarcPolicy:
    """The DMARC policy for `domain` where the domains have these records, and nobody answers for those in `trouble`."""
    world = World({(f"_dmarc.{name}", "TXT"): [text] for name, text in records.items()}, tuple(f"_dmarc.{name}" for name in trouble))
    return found(dmarc.walk(domain), world)
