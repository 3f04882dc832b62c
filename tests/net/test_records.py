"""What the DNS has as rules want it: remembered, bounded, and never an exception."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.auth.records import DnsQuestion, DnsRecords, Rule
from mailer.net import dns
from mailer.net.dns import Resolver
from mailer.net.records import answered, askable
from tests.fakes.nameserver import Nameserver
from tests.net.questions import Clock, run

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = """
example.com. 60 IN TXT "v=spf1 " "-all"
example.com. 60 IN TXT "caf\\195\\169"
example.com. 60 IN MX 10 MX.Example.com.
example.com. 60 IN MX 0 .
mx.example.com. 60 IN A 192.0.2.1
mx.example.com. 60 IN AAAA 2001:db8::1
alias.example.com. 60 IN CNAME example.com.
1.2.0.192.in-addr.arpa. 60 IN PTR MX.example.com.
odd+name\\;x.example.com. 60 IN A 127.0.0.2
"""


@pytest.fixture
def zone() -> Iterator[Nameserver]:
    """A name server that has these records."""
    with Nameserver(ZONE) as server:
        yield server


@pytest.fixture
def asker(zone: Nameserver) -> Resolver:
    """A resolver that asks it."""
    return Resolver([zone.address], clock=Clock())


@pytest.mark.parametrize(
    ("name", "type", "records"),
    [
        ("Example.com.", "TXT", ("v=spf1 -all", "café")),
        ("alias.example.com", "MX", ("0 .", "10 mx.example.com")),
        ("mx.example.com", "A", ("192.0.2.1",)),
        ("mx.example.com", "AAAA", ("2001:db8::1",)),
        ("1.2.0.192.in-addr.arpa", "PTR", ("mx.example.com",)),
        ("odd+name;x.example.com", "A", ("127.0.0.2",)),
    ],
)
def test_records_as_text(asker: Resolver, name: str, type: str, records: tuple[str, ...]) -> None:
    """Strings of a TXT record in one, names in lower case without a dot at the end, CNAMEs followed."""
    found = run(asker.records(name, type))
    assert (tuple(sorted(found.records)), found.missing, found.trouble) == (tuple(sorted(records)), "", "")


def test_what_is_not_there(asker: Resolver, zone: Nameserver) -> None:
    """That there is nothing is an answer, and is believed when it is said once."""
    assert run(asker.records("nowhere.example.com", "TXT")).missing == "nxdomain"
    assert run(asker.records("mx.example.com", "TXT")).missing == "nodata"
    assert len(zone.asked) == 2


def test_trouble_is_no_exception(asker: Resolver, zone: Nameserver) -> None:
    """Nobody knows, and why, is said in the answer."""
    zone.misbehave("example.com", "servfail")
    found = run(asker.records("example.com", "TXT"))
    assert not found.known
    assert "SERVFAIL" in found.trouble


def test_remembered_apart_from_what_routes_are_made_of(asker: Resolver, zone: Nameserver) -> None:
    """Asked once for many, also at the same time; the hosts that mail goes to are another matter."""

    async def many() -> list[DnsRecords]:
        return await asyncio.gather(*(asker.records("example.com", "MX") for _ in range(5)))

    assert len({found.records for found in run(many())}) == 1
    run(asker.records("example.com", "MX"))
    assert zone.count("example.com", "MX") == 1
    assert run(asker.mx("example.com")) == [(10, "mx.example.com")]


def test_memory_has_an_end_in_characters(asker: Resolver, zone: Nameserver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long records of strangers push one another out, the oldest first."""
    monkeypatch.setattr(dns, "MOST_TEXT", 1000)
    zone.serve("".join(f'd{number}.test. 60 IN TXT "{"x" * 250}"\n' for number in range(5)))
    for _ in range(2):
        for number in range(5):
            assert run(asker.records(f"d{number}.test", "TXT")).records == ("x" * 250,)
    for number in range(1, 5):
        run(asker.records(f"d{number}.test", "TXT"))
    assert [zone.count(f"d{number}.test") for number in range(5)] == [2] * 5


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".test", "\\097.test", "ä.test", "a\nb.test", ".".join(["abc"] * 70)])
def test_what_cannot_be_asked_does_not_exist(asker: Resolver, zone: Nameserver, name: str) -> None:
    """A name that cannot be in the DNS is not looked up."""
    assert run(asker.records(name, "A")) == DnsRecords(name, missing="nxdomain")
    assert zone.asked == []


@given(st.text(max_size=80))
def test_what_is_asked_fits(name: str) -> None:
    """Whatever the text, what comes of it is a name, or nothing."""
    asked = askable(name)
    assert not asked or all(0 < len(label) < 64 for label in asked.split("."))
    assert askable(asked) == asked


def both(one: str, other: str) -> Rule[list[int]]:
    """A rule that asks for two names at once, and then for one more."""
    first, second = yield [DnsQuestion(one, "A"), DnsQuestion(other, "A")]
    (third,) = yield [DnsQuestion("third.test", "A")]
    return [len(answer.records) for answer in (first, second, third)]


def test_questions_of_a_rule_are_asked_at_once() -> None:
    """Those that it has at the same time are under way at the same time, and their answers come in order."""
    asked: list[str] = []
    all_there = asyncio.Event()

    async def ask(name: str, type: str) -> DnsRecords:
        asked.append(name)
        if len(asked) == 2:
            all_there.set()
        await all_there.wait()
        return DnsRecords(name, ("192.0.2.1",) * len(name.partition(".")[0]))

    assert run(answered(both("a.test", "bbb.test"), ask)) == [1, 3, 5]
