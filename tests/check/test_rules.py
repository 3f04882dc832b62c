"""The rules by themselves: what they make of answers, without any name server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import dns.rdata
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.auth.dmarc import DmarcPolicy
from mailer.auth.records import DnsRecords
from mailer.check.examine import domains_of, situation_of
from mailer.check.finding import Finding, ZoneRecord, worst
from mailer.check.lookups import evaluate
from mailer.check.rules import address, dmarc, mta_sts, spf
from mailer.config import load
from mailer.config.model import Config
from mailer.mail.problem import Problem
from tests.auth.answers import policy_of
from tests.fakes.chance import examples

# SPF


@pytest.mark.parametrize(
    ("record", "terms", "expected"),
    [
        ("v=spf1 ~all", ["ip4:192.0.2.1"], "v=spf1 ip4:192.0.2.1 ~all"),
        ("v=spf1 mx -all", ["mx", "a", "a"], "v=spf1 mx a -all"),
        ("v=spf1 a redirect=x.example", ["mx"], "v=spf1 a mx redirect=x.example"),
        ("v=spf1", ["mx"], "v=spf1 mx"),
        ("v=spf1 include:all.example ?all", ["mx"], "v=spf1 include:all.example mx ?all"),
        ("v=spf1 MX -ALL", ["mx"], "v=spf1 MX -ALL"),
        ("v=spf1 -all exp=why.example", ["mx"], "v=spf1 mx -all exp=why.example"),
    ],
)
def test_terms_are_added_where_they_count(record: str, terms: list[str], expected: str) -> None:
    """Before the term that decides about all others, and only those that are missing."""
    assert spf.with_terms(record, terms) == expected


@given(st.lists(st.sampled_from(["mx", "a", "ip4:192.0.2.1", "include:x.example"])), st.lists(st.sampled_from(["mx", "ip4:192.0.2.2"])))
def test_adding_terms_loses_none(have: list[str], new: list[str]) -> None:
    """What was there stays in its order, what is new is there once, and a second time changes nothing."""
    record = " ".join(["v=spf1", *have, "~all"])
    made = spf.with_terms(record, new)
    words = made.split()
    assert words[0] == "v=spf1"
    assert words[-1] == "~all"
    assert [word for word in words if word in have][: len(have)] == have or not have
    assert set(new) <= set(words)
    assert spf.with_terms(made, new) == made


@pytest.mark.parametrize(
    ("text", "counts"),
    [("v=spf1", True), ("v=spf1 -all", True), ("V=SPF1 a", True), ("v=spf10 a", False), (" v=spf1 a", False), ("spf2.0/pra a", False)],
)
def test_which_record_is_spf(text: str, counts: bool) -> None:
    """RFC 7208 §4.5: it begins so, and the version ends there."""
    assert spf.records(DnsRecords("example.com", (text,))) == ([text] if counts else [])


class Echo:
    """A DNS in which each name has the same records."""

    def __init__(self, record: str) -> None:
        self.record = record

    async def ask(self, name: str, type: str) -> DnsRecords:
        known = {"TXT": self.record, "A": "192.0.2.1", "AAAA": "2001:db8::1", "MX": "10 mx.example", "PTR": "mx.example"}
        return DnsRecords(name, (known[type],)) if type in known else DnsRecords(name, missing="nodata")


TERMS = st.sampled_from(
    ["mx", "a", "ptr", "all", "-all", "?a/24//64", "include:x.example", "redirect=y.example", "exists:%{i}.x.example", "exp=z.example",
     "ip4:192.0.2.0/33", "ip6:::1", "a:%{h", "mx:%", "=", "/", "include:", "ip4:", "%{d99r}.x", "\u00fc", "a:" + "x" * 300]
)  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(TERMS | st.text(st.characters(codec="ascii", exclude_characters=" "), max_size=12), max_size=14))
def test_no_record_is_too_strange_to_be_evaluated(terms: list[str]) -> None:
    """Whatever a stranger publishes, there is one of the words of RFC 7208 for it, and an end."""
    record = " ".join(["v=spf1", *terms])
    (found,) = asyncio.run(evaluate(Echo(record), "example.com", "mx.example", ["198.51.100.1"])).values()  # type: ignore[arg-type]
    assert found.result in {"pass", "fail", "softfail", "neutral", "none", "permerror", "temperror"}


# DMARC


def policy(domain: str, **records: str) -> DmarcPolicy:
    """What is found where the domains with these records are, whose dots are written as underscores."""
    return policy_of(domain, {name.replace("_", "."): text for name, text in records.items()})


def test_the_policy_for_domains_below() -> None:
    """sp= is for them, and p= where there is none."""
    for given_tags, word in (("p=reject; sp=none", "p=none"), ("p=reject", "p=reject")):
        found = policy("a.example.com", example_com=f"v=DMARC1; {given_tags}; rua=mailto:x@example.com")
        assert word in next(dmarc.findings("a.example.com", found, ["example.com"], spf=True)).evidence


def test_strictness_is_for_the_very_domain() -> None:
    """With adkim=s a key of the domain above proves nothing; by itself SPF does."""
    found = policy("a.example.com", example_com="v=DMARC1; p=reject; adkim=s; rua=mailto:x@example.com")
    *_, aligned = dmarc.findings("a.example.com", found, ["example.com"], spf=False)
    assert aligned.result == "fail"
    *_, aligned = dmarc.findings("a.example.com", found, ["a.example.com"], spf=False)
    assert aligned.result == "pass"
    *_, aligned = dmarc.findings("a.example.com", found, ["example.com"], spf=True)
    assert (aligned.result, "forwarded" in aligned.evidence) == ("warn", True)


# Names, lists, policies, records


@pytest.mark.parametrize(
    ("name", "full"), [("mail.example.com", True), ("mail", False), ("mail.local", False), ("localhost.localdomain", False)]
)
def test_full_names(name: str, full: bool) -> None:
    """A name that can be in the DNS of the world."""
    assert address.is_full(name) == full


@pytest.mark.parametrize(
    ("host", "pattern", "fits"),
    [
        ("mx.example.com", "mx.example.com", True),
        ("MX.example.com.", "*.example.com", True),
        ("a.mx.example.com", "*.example.com", False),
        ("example.com", "*.example.com", False),
        ("mxexample.com", "*.example.com", False),
    ],
)
def test_hosts_of_a_policy(host: str, pattern: str, fits: bool) -> None:
    """RFC 8461 §4.1: the star is one label."""
    assert mta_sts.matches(host, pattern) == fits


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=900))
def test_records_can_be_published(value: str) -> None:
    """Who reads the zone form of a TXT record has strings of at most 255 octets that together are the value."""
    zone = ZoneRecord("x.example", "TXT", value or "x").zone
    read = dns.rdata.from_text("IN", "TXT", zone.removeprefix("x.example. IN TXT "))
    assert b"".join(read.strings).decode() == (value or "x")  # type: ignore[attr-defined]


def test_the_worst_counts() -> None:
    """And nothing found is nothing wrong."""
    made = {word: Finding("x", "y", word, "z") for word in ("pass", "warn", "fail")}
    assert worst([]) == worst([made["pass"]]) == "pass"
    assert worst([made["warn"], made["pass"]]) == "warn"
    assert worst(made.values()) == "fail"


# What the configuration says


def config(directory: Path, text: str) -> Config:
    directory.joinpath("config.toml").write_text(f'mailer.hostname = "mail.example.org"\n{text}')
    return load(str(directory / "config.toml"), None)


KEY = '[[dkim]]\ndomain = "b.example"\nselector = "s"\nkey_file = "/k"\n'


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("", ["mail.example.org"]),
        ('[submission]\ndefault_domain = "Example.COM"\nfrom_address = "you@example.com"', ["example.com"]),
        ('[submission]\nfrom_address = "you@b\u00fccher.example"', ["xn--bcher-kva.example"]),
        ('[submission]\ndefault_domain = "mail.example.org"', ["mail.example.org"]),
        ('mailer.postmaster = "pm@example.net"\n[submission]\ndefault_domain = "example.com"', ["example.com", "example.net"]),
        (
            '[submission]\nauthors = { www = "Our shop <shop@shop.example>", "*" = "all@example.com" }\nmasquerade = ["inner.example"]',
            ["inner.example", "shop.example", "example.com"],
        ),
        (KEY + '[submission]\ndefault_domain = "a.example"', ["a.example", "b.example"]),
    ],
)  # fmt: skip
def test_sending_domains(tmp_path: Path, text: str, domains: list[str]) -> None:
    """Those of the addresses and keys that are configured; the name of the host if there are none."""
    assert domains_of(config(tmp_path, text)) == domains


RELAYS = '[relay.out]\nhost = "smtp.example.net"\n[relay.box]\nhost = "127.0.0.1"\nprotocol = "lmtp"\ntls = "none"\n'


@pytest.mark.parametrize(
    ("routes", "direct", "relays"),
    [
        ('[[route]]\nmatch = "*"\nvia = ["relay:out"]\n', False, ["out"]),
        ('[[route]]\nmatch = "*"\nvia = ["relay:out", "mx"]\n', True, ["out"]),
        ('[[route]]\nmatch = "x.example"\nvia = ["relay:out"]\n', True, []),
        ('[[route]]\nmatch = "x.example"\nvia = ["mx"]\n[[route]]\nmatch = "*"\nvia = ["relay:out"]\n', True, ["out"]),
        ('[[route]]\nmatch = "*"\nvia = ["relay:box"]\n', False, []),
    ],
)
def test_the_way_out(tmp_path: Path, routes: str, direct: bool, relays: list[str]) -> None:
    """Our own address counts where any mail goes to MX hosts; relays count where mail for the world goes through them."""
    found = situation_of(config(tmp_path, RELAYS + routes), [])
    assert (found.direct, [relay.name for relay in found.relays]) == (direct, relays)


@pytest.mark.parametrize("server", ["", "time.example", "time.example:1123", "192.0.2.1", "192.0.2.1:123", "2001:db8::1"])
def test_time_servers(tmp_path: Path, server: str) -> None:
    """A name or an address, with a port or without; or none."""
    found = config(tmp_path, f'[check]\ntime_server = "{server}"').check.time_server
    assert str(found or "") == server


@pytest.mark.parametrize("server", ["time.example:", "time.example:ntp", "time.example:0", "time.example:99999", "no name", ":123"])
def test_no_time_servers(tmp_path: Path, server: str) -> None:
    """What is neither is a mistake in the configuration, with its line."""
    with pytest.raises(Problem, match=r"config\.toml:3"):
        config(tmp_path, f'[check]\ntime_server = "{server}"')


def test_reports_of_tls_are_asked_for_where_they_are_read() -> None:
    for reader, meant in (("", "postmaster@x.example"), ("bounces+tls@y.example", "bounces+tls@y.example")):
        (found,) = mta_sts.reports_findings("x.example", DnsRecords("_smtp._tls.x.example", missing="nxdomain"), wanted=True, reader=reader)
        assert found.record
        assert found.record.value == f"v=TLSRPTv1; rua=mailto:{meant}"
