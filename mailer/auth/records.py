"""What rules ask of the DNS, and what it answers: so they are pure, and whoever runs them does the asking.

A `Rule` is a generator: it yields the questions that it has to ask next, all of which can be asked at once, is sent the answers in their
order, and returns what it has found.

    def mine(domain: str) -> Rule[bool]:
        (answer,) = yield [DnsQuestion(domain, "TXT")]
        return "mine" in answer.records

`mailer.net.records` asks the name servers; a test says what they answer.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")


class DnsQuestion(NamedTuple):
    """What is asked: the records of `type` for `name`."""

    name: str
    type: str


class DnsRecords(NamedTuple):
    """The records of `name`; else `missing` is nxdomain or nodata, or `trouble` says why nobody knows.

    An address is written as such, an MX record as ``10 mx.example.com``, a PTR or CNAME record as a name without the dot at
    its end, a TXT record as its strings put together.
    """

    name: str
    records: tuple[str, ...] = ()
    missing: str = ""
    trouble: str = ""

    @property
    def known(self) -> bool:
        """Whether the DNS said anything, be it that there is nothing."""
        return not self.trouble


Rule: TypeAlias = Generator[Sequence[DnsQuestion], Sequence[DnsRecords], T]
"""Something that is found out by asking the DNS, and is a T."""


def tagged(answer: DnsRecords, version: str) -> list[str]:
    """The records that begin with a version tag such as ``v=DMARC1``, whatever else has a TXT record there."""
    found = []
    for text in answer.records:
        head = text.partition(";")[0].replace(" ", "").replace("\t", "")
        if head.lower() == version.lower():
            found.append(text)
    return found
