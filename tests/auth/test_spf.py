"""SPF beyond the suite of the standard: what it costs, what it says, and what a stranger's record cannot do."""

from __future__ import annotations

import contextlib
import time
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.auth.spf import Evaluation, evaluate
from mailer.auth.spf_macro import LONGEST, MacroValues, expand
from mailer.auth.spf_record import SpfError, is_spf, read
from tests.auth.answers import World, found

US = "192.0.2.7"


def world(**records: str) -> World:
    """A DNS with SPF records; a dot in a name is written as an underscore."""
    return World({(name.replace("_", "."), "TXT"): [text] for name, text in records.items()})


def evaluated(there: World, sender: str = "ann@example.com", ip: str = US, hello: str = "mx.example.net") -> Evaluation:
    """What is made of a caller."""
    return found(evaluate(ip, sender, hello), there)


def test_what_is_said_of_it() -> None:
    """The word, the term that decided as it is written, what it cost, and whose record it was."""
    there = world(example_com="v=spf1 include:other.test a:gone.test ip4:192.0.2.0/24 -all", other_test="v=spf1 -all")
    assert evaluated(there) == Evaluation("pass", "ip4:192.0.2.0/24", 2, 1, "", "example.com", "mailfrom")
    assert evaluated(there).cost == "2 of 10 look-ups, 1 of 2 void"
    assert evaluated(there, ip="198.51.100.1").term == "-all"


def test_a_report_is_judged_by_what_its_host_is_called() -> None:
    """Without a reverse-path the name in EHLO counts, RFC 7208 §2.4."""
    there = world(mx_example_net="v=spf1 ip4:192.0.2.7 -all")
    assert evaluated(there, "", hello="MX.Example.NET.")[:2] == ("pass", "ip4:192.0.2.7")
    assert evaluated(there, "").identity == "helo"
    literal = world()
    assert evaluated(literal, "", hello="[192.0.2.7]").result == "none"
    assert literal.asked == []


def test_a_caller_without_an_address_proves_nothing() -> None:
    """Nothing is asked, either."""
    there = world(example_com="v=spf1 +all")
    assert (evaluated(there, ip="").result, there.asked) == ("none", [])


def test_a_name_beyond_ascii_is_asked_for_in_its_other_form() -> None:
    """The DNS has A-labels."""
    assert evaluated(World({("xn--exmple-cua.com", "TXT"): ["v=spf1 +all"]}), "a@exämple.com").result == "pass"


def test_an_address_of_ipv4_in_ipv6_is_one_of_ipv4() -> None:
    """As a socket for both may tell it."""
    assert evaluated(world(example_com="v=spf1 ip4:192.0.2.7 -all"), ip="::ffff:192.0.2.7").result == "pass"


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ({"example_com": "v=spf1 include:example.com -all"}, "more than 10 look-ups"),
        ({"example_com": "v=spf1 redirect=example.com"}, "more than 10 look-ups"),
        ({"example_com": "v=spf1 " + " ".join(f"a:h{n}.test" for n in range(4)) + " -all"}, "more than 2 look-ups find nothing"),
        ({"example_com": "v=spf1 include:nothing.test -all"}, "nothing.test, which is included, has no record"),
        ({"example_com": "v=spf1 redirect=nothing.test"}, "sends on to nothing.test, which has no record"),
        ({"example_com": "v=spf1 ip5:1.2.3.4"}, "the record of example.com: ip5:1.2.3.4 is no mechanism"),
        ({"example_com": "v=spf1 ip4:1.2.3"}, "ip4:1.2.3 is malformed"),
        ({"example_com": "v=spf1 ä"}, "not ASCII"),
        ({"example_com": "v=spf1 \x1b[31mred"}, "?[31mred is malformed"),
        ({"example_com": "v=spf1 " + "ip4:192.0.2.7 " * 1000}, "more than 10000 characters"),
    ],
)
def test_a_record_that_asks_for_too_much_or_makes_no_sense(records: dict[str, str], why: str) -> None:
    """It is an error that says what is wrong, after at most a dozen questions."""
    there = world(**records)
    result = evaluated(there)
    assert result.result == "permerror"
    assert why in result.why
    assert len(there.asked) <= 12


def test_ten_hosts_and_no_more() -> None:
    """An MX record of eleven hosts is an error, RFC 7208 §4.6.4; of ten, each is asked for."""
    hosts = [f"10 h{number}.test" for number in range(11)]
    records = {("example.com", "TXT"): ["v=spf1 mx -all"], ("example.com", "MX"): hosts}
    assert evaluated(World(records)).why == "example.com has more than 10 MX hosts"
    records |= {("example.com", "MX"): hosts[1:]} | {(f"h{number}.test", "A"): [US] for number in range(11)}
    assert evaluated(World(records)).result == "pass"


def test_trouble_is_for_another_time() -> None:
    """Which name could not be looked up is said, and why."""
    there = World({("example.com", "TXT"): ["v=spf1 a:trouble.test -all"]}, ("trouble.test",))
    assert evaluated(there)[::4] == ("temperror", "trouble.test: no name server answers")


@pytest.mark.parametrize(("text", "counts"), [("v=spf1", True), ("V=SPF1 a", True), ("v=spf10 a", False), (" v=spf1", False)])
def test_which_record_is_spf(text: str, counts: bool) -> None:
    """RFC 7208 §4.5: it begins so, and the version ends there."""
    assert is_spf(text) is counts


@given(st.text(st.sampled_from("v=spf1 a:%{dirs}./-+?~0123mxipe4xclude redirect_=\t"), max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    """A record is read, or there is one class of error."""
    with contextlib.suppress(SpfError):
        read("v=spf1 " + text)


@pytest.mark.parametrize(
    "term",
    [
        "exists:%{s}.test",
        "exists:" + "%{s}" * 400 + ".test",
        "a:" + "%{l-_,/=+.}" * 100 + ".x",
        "ip4:192.0.2.1",
        "x=" + "%%" * 30_000,
        "a/" + "1" * 60_000,
        "a" * 60_000,
        "a:" + "a." * 30_000,
        "%{" * 20_000,
    ],
    ids=lambda term: term[:12],
)
def test_no_record_takes_long(term: str) -> None:
    """Nothing but macros, terms or delimiters: an error or a result in a moment."""
    text = "v=spf1 " + " ".join([term] * max(9_900 // (len(term) + 1), 1))
    begin = time.process_time()
    evaluated(World({("example.com", "TXT"): [text]}), "-_,/=+." * 30 + "@example.com")
    assert time.process_time() - begin < 1


def test_what_a_macro_becomes_fits_into_a_name() -> None:
    """Of a name that is too long the end is kept, from the beginning of a label, RFC 7208 §7.3."""
    values = MacroValues(IPv4Address(US), "l" * 60, "example.com", "example.com", "mx.test", ["a.example.com"])
    name = expand("%{l}." * 10 + "test.", values)
    assert len(name) <= LONGEST
    assert name == ".".join(["l" * 60] * 4 + ["test"])[-len(name) :]
    assert name.startswith("l" * 60)
    assert expand("%{p}.%{h}.%{ir}.%{L}", values._replace(local="a+b")) == "a.example.com.mx.test.7.2.0.192.a%2bb"
    assert expand("%{p}", values._replace(names=[])) == "unknown"
