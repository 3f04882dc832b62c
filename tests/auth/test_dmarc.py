"""DMARC: the record that holds, the organisation, and whether what was proved is about the author."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from mailer.auth.dmarc import DmarcPolicy, DmarcResult, Identifier, binding, found, judge, path, walk
from mailer.auth.records import DnsRecords
from tests.auth.answers import World, policy_of
from tests.auth.answers import found as answered

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    ("domain", "walk"),
    [
        ("com", ["com"]),
        ("example.com", ["example.com", "com"]),
        ("a.b.example.com", ["a.b.example.com", "b.example.com", "example.com", "com"]),
        ("1.2.3.4.5.6.7.8", ["1.2.3.4.5.6.7.8", "2.3.4.5.6.7.8", "3.4.5.6.7.8", "4.5.6.7.8", "5.6.7.8", "6.7.8", "7.8", "8"]),
        ("a.b.c.d.e.f.g.h.i", ["a.b.c.d.e.f.g.h.i", "c.d.e.f.g.h.i", "d.e.f.g.h.i", "e.f.g.h.i", "f.g.h.i", "g.h.i", "h.i", "i"]),
    ],
)  # fmt: skip
def test_the_walk_up_the_tree(domain: str, walk: list[str]) -> None:
    """Label by label, and never more than eight questions however long the name is. RFC 9989 §4.10"""
    assert path(domain) == walk


ORGANISATIONS = [
    ("a.example.com", {}, "", "a.example.com"),
    ("a.example.com", {"example.com": "v=DMARC1; p=none"}, "example.com", "example.com"),
    ("a.example.com", {"a.example.com": "v=DMARC1; p=none"}, "a.example.com", "a.example.com"),
    ("a.example.com", {"a.example.com": "v=DMARC1", "example.com": "v=DMARC1; p=none"}, "a.example.com", "example.com"),
    ("b.a.example.com", {"a.example.com": "v=DMARC1; psd=n", "example.com": "v=DMARC1"}, "a.example.com", "a.example.com"),
    ("b.a.example.com", {"com": "v=DMARC1; psd=y", "example.com": "v=DMARC1"}, "example.com", "example.com"),
    ("b.a.example.com", {"com": "v=DMARC1; psd=y"}, "com", "example.com"),
    ("b.example.co.uk", {"co.uk": "v=DMARC1; psd=y; p=none"}, "co.uk", "example.co.uk"),
    ("co.uk", {"co.uk": "v=DMARC1; psd=y; p=none"}, "co.uk", "co.uk"),
    ("[192.0.2.1]", {}, "", "[192.0.2.1]"),
]


@pytest.mark.parametrize(("domain", "records", "holds", "organisation"), ORGANISATIONS)
def test_the_organisational_domain(domain: str, records: dict[str, str], holds: str, organisation: str) -> None:
    """Who says so himself, the one below a public suffix that says so, else the highest that has a record."""
    policy = policy_of(domain, records)
    assert (policy.domain, policy.organisation) == (holds, organisation)


def test_an_address_literal_is_not_asked_for() -> None:
    """The DNS knows nothing of it."""
    world = World({})
    answered(walk("[192.0.2.1]"), world)
    assert world.asked == []


def test_trouble_on_the_way_is_trouble() -> None:
    """A walk with a gap leads nowhere."""
    answers = [("a.example.com", DnsRecords("x", missing="nxdomain")), ("example.com", DnsRecords("x", trouble="SERVFAIL"))]
    assert found("a.example.com", answers).trouble == "SERVFAIL"


@pytest.mark.parametrize(
    ("domain", "record", "word"),
    [
        ("example.com", "p=reject", "reject"),
        ("example.com", "p=Quarantine; sp=reject", "quarantine"),
        ("a.example.com", "p=quarantine; sp=reject", "reject"),
        ("a.example.com", "p=reject", "reject"),
        ("example.com", "p=reject; t=y", "none"),
        ("example.com", "p=reject; pct=0", "reject"),
        ("example.com", "p=refuse", "none"),
        ("example.com", "p=reject; sp=whatever", "none"),
        ("example.com", "rua=mailto:a@example.com", "none"),
    ],
)
def test_what_a_record_wants_done(domain: str, record: str, word: str) -> None:
    """Domains below may have another policy; a test, or a word that is none, wants nothing. RFC 9989 §4.7, §4.10.1"""
    assert binding(policy_of(domain, {"example.com": f"v=DMARC1; {record}"}), domain) == word


def spf(domain: str, word: str = "pass") -> Identifier:
    """What SPF says of a domain."""
    return Identifier(domain, "spf", word)


def dkim(domain: str, word: str = "pass") -> Identifier:
    """What a signature says of a domain."""
    return Identifier(domain, "dkim", word)


def judged(
    domain: str, identifiers: Sequence[Identifier], records: dict[str, str], trouble: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> DmarcResult:
    """What becomes of a message by an author of `domain`; `names` have an address."""
    known = {(f"_dmarc.{name}", "TXT"): [f"v=DMARC1; {text}"] for name, text in records.items()}
    world = World(known | {(name, "A"): ["192.0.2.1"] for name in names}, tuple(f"_dmarc.{name}" for name in trouble))
    policy: DmarcPolicy = answered(walk(domain), world)
    return answered(judge(domain, policy, identifiers), world)


REJECT = {"example.com": "p=reject"}


@pytest.mark.parametrize(
    ("domain", "identifiers", "records", "word", "by"),
    [
        ("example.com", [spf("example.com")], REJECT, "pass", "spf"),
        ("example.com", [dkim("example.com")], REJECT, "pass", "dkim"),
        ("example.com", [spf("bounces.example.com")], REJECT, "pass", "spf"),
        ("news.example.com", [dkim("example.com")], REJECT, "pass", "dkim"),
        ("a.example.com", [dkim("b.example.com")], REJECT, "pass", "dkim"),
        ("example.com", [spf("other.example"), dkim("attack.com")], REJECT, "fail", ""),
        ("example.com", [dkim("badexample.com")], REJECT, "fail", ""),
        ("example.com", [dkim("com")], REJECT, "fail", ""),
        ("example.com", [], REJECT, "fail", ""),
        ("example.com", [spf("b.example.com")], {"example.com": "p=reject; aspf=s"}, "fail", ""),
        ("example.com", [dkim("b.example.com")], {"example.com": "p=reject; aspf=s"}, "pass", "dkim"),
        ("example.com", [dkim("b.example.com")], {"example.com": "p=reject; adkim=s"}, "fail", ""),
        ("example.com", [dkim("example.com")], {"example.com": "p=reject; adkim=s; aspf=s"}, "pass", "dkim"),
        ("example.com", [dkim("own.example.com")], {"example.com": "p=reject", "own.example.com": "psd=n"}, "fail", ""),
        ("example.com", [dkim("a.own.example.com")], {"example.com": "p=reject", "own.example.com": "psd=y"}, "fail", ""),
        ("a.co.uk", [dkim("b.co.uk")], {"co.uk": "p=reject; psd=y"}, "fail", ""),
        ("example.com", [dkim("example.com")], {}, "none", "dkim"),
        ("example.com", [dkim("attack.com")], {}, "none", ""),
    ],
)
def test_what_proves_the_author(
    domain: str, identifiers: list[Identifier], records: dict[str, str], word: str, by: Literal["spf", "dkim", ""]
) -> None:
    """A domain that answers for the message is the author's, or of his organisation, unless he wants it strict. RFC 9989 §4.4"""
    result = judged(domain, identifiers, records)
    assert (result.word, result.by.method if result.by else "") == (word, by)


def test_the_policy_comes_with_the_result() -> None:
    """What the domain wants done is said of a message that fails, and why."""
    assert judged("example.com", [], REJECT) == DmarcResult("fail", "example.com", "reject", "p=reject")


def test_a_name_that_does_not_exist_may_have_a_policy_of_its_own() -> None:
    """np= is for names that have neither an address nor an MX, and is asked for only where it is there. RFC 9989 §4.7"""
    records = {"example.com": "p=none; sp=quarantine; np=reject"}
    assert judged("no.example.com", [], records).policy == "reject"
    assert judged("there.example.com", [], records, names=("there.example.com",)).policy == "quarantine"
    assert judged("example.com", [], records).policy == "none"


@pytest.mark.parametrize(
    ("identifiers", "trouble", "word", "policy"),
    [
        ([dkim("example.com", "temperror")], (), "temperror", "reject"),
        ([dkim("attack.com", "temperror")], (), "fail", "reject"),
        ([dkim("example.com", "temperror"), spf("example.com")], (), "pass", "reject"),
        ([], ("com",), "temperror", "reject"),
        ([dkim("example.com")], ("com",), "pass", "reject"),
        ([], ("example.com",), "temperror", "none"),
        ([dkim("b.example.com")], ("b.example.com",), "temperror", "reject"),
    ],
)
def test_what_nobody_can_look_up(identifiers: list[Identifier], trouble: tuple[str, ...], word: str, policy: str) -> None:
    """It is for another time only if it could have proved the author."""
    result = judged("example.com", identifiers, REJECT, trouble)
    assert (result.word, result.policy) == (word, policy)


def test_trouble_above_leaves_what_is_known_below() -> None:
    """A policy further down holds while nobody answers for the top: the message is put off, not let in."""
    result = judged("news.example.com", [], {"example.com": "p=none; sp=reject"}, ("com",))
    assert (result.word, result.policy) == ("temperror", "reject")
