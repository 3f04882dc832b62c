"""Every check in all its states, against a real name server."""

from __future__ import annotations

import time

import pytest

from .conftest import CONFIG, Look
from .zones import HOME, HOME6, LISTED

pytestmark = [pytest.mark.peer("nsd"), pytest.mark.xdist_group("check-world")]

RELAY = '[relay.out]\nhost = "{host}"\n'


@pytest.mark.parametrize(
    ("domain", "result", "evidence", "record"),
    [
        ("good.example", "pass", f"at {HOME}, {HOME6}", None),
        ("absent.example", "fail", "no such domain", None),
        ("nomx.example", "warn", f"mail for it goes to {HOME}", "nomx.example. IN MX 10 mail.good.example."),
        ("nothing.example", "fail", "neither MX nor address records", "nothing.example. IN MX 10 mail.good.example."),
        ("nullmx.example", "fail", "null MX", "nullmx.example. IN MX 10 mail.good.example."),
        ("noaddress.example", "fail", "it has no address", None),
        ("hidden.example", "fail", "10.0.0.1, which nobody outside can reach", None),
        ("alias.example", "warn", "an alias of mail.good.example", None),
        ("broken.example", "warn", "SERVFAIL", None),
        ("halfbroken.example", "warn", "SERVFAIL", None),
        ("lame.example", "warn", "whom else to ask", None),
    ],
)
def test_mx(look: Look, domain: str, result: str, evidence: str, record: str | None) -> None:
    """Whether mail can come back to a domain."""
    found = look.one("MX", domain)
    assert (found.result, found.record and found.record.zone) == (result, record)
    assert evidence in found.evidence


@pytest.mark.parametrize(
    ("domain", "result", "evidence", "record"),
    [
        ("good.example", "pass", f"pass by ip4:{HOME} (0 of 10 look-ups, 0 of 2 void)", None),
        ("long.example", "pass", f"pass by ip4:{HOME}", None),
        ("included.example", "pass", "pass by include:good.example (1 of 10", None),
        ("redirected.example", "pass", f"pass by ip4:{HOME} (1 of 10", None),
        ("bymx.example", "pass", "pass by mx (1 of 10", None),
        ("byname.example", "pass", "pass by exists:%{ir}.%{v}.%{d}", None),
        ("spfcname.example", "pass", "pass by include:spf.spfcname.example", None),
        ("nothing.example", "fail", "no record", f"v=spf1 ip4:{HOME} ~all"),
        ("absent.example", "fail", "no record", f"v=spf1 ip4:{HOME} ~all"),
        ("fail.example", "fail", "fail by -all", f"v=spf1 ip4:192.0.2.1 ip4:{HOME} -all"),
        ("softfail.example", "fail", "softfail by ~all", f"v=spf1 ip4:192.0.2.1 ip4:{HOME} ~all"),
        ("neutral.example", "fail", "neutral (0 of 10", f"v=spf1 ip4:192.0.2.1 ip4:{HOME}"),
        ("two.example", "fail", "2 records", f"v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 ip4:{HOME} -all"),
        ("wrong.example", "fail", "permerror: the record of wrong.example: ipv4:192.0.2.1 is no mechanism", None),
        ("ten.example", "warn", "pass by a:mail.good.example (10 of 10", None),
        ("eleven.example", "fail", "permerror: more than 10 look-ups (11 of 10", None),
        ("loop.example", "fail", "permerror: more than 10 look-ups", None),
        ("void.example", "fail", "permerror: more than 2 look-ups find nothing", None),
        ("trouble.example", "warn", "broken.example: ", None),
        ("broken.example", "warn", "SERVFAIL", None),
        ("lame.example", "warn", "whom else to ask", None),
    ],
)
def test_spf(look: Look, domain: str, result: str, evidence: str, record: str | None) -> None:
    """What a receiver makes of the address, which term decides, what it costs, and the record that would do."""
    found = look.one("SPF", domain)
    assert (found.result, found.record and found.record.value) == (result, record)
    assert evidence in found.evidence


def test_spf_that_lets_everybody_send(look: Look) -> None:
    """+all passes and proves nothing: there is a tighter record."""
    loose, passes = look.many("SPF", "open.example")
    assert (loose.result, loose.record and loose.record.value) == ("warn", "v=spf1 ~all")
    assert passes.result == "pass"


def test_spf_for_each_address(look: Look) -> None:
    """Each address is evaluated by itself; what is missing is added to what is there, in its own kind."""
    good, six, other = look.many("SPF", "good.example", from_ips=(HOME, HOME6, "2001:db8::66"))
    assert (good.result, six.result, other.result) == ("pass", "pass", "fail")
    assert other.record
    assert other.record.value == f"v=spf1 ip4:{HOME} ip6:{HOME6} ip6:2001:db8::66 -all"


@pytest.mark.parametrize(
    ("host", "domain", "result", "evidence", "record"),
    [
        ("smtp.gmail.com", "gmailed.example", "fail", "permerror", None),  # what it includes is not in this world
        ("smtp.office365.com", "good.example", "fail", "no include:spf.protection.outlook.com", "include:spf.protection.outlook.com -all"),
        ("smtp.mailgun.org", "good.example", "fail", "no include:mailgun.org", "include:mailgun.org -all"),
        ("smtp.gmail.com", "nothing.example", "fail", "no record", "v=spf1 include:_spf.google.com ~all"),
        ("email-smtp.eu-west-1.amazonaws.com", "good.example", "pass", "a reverse-path of its own", None),
        ("smtp.sendgrid.net", "good.example", "pass", "a reverse-path of its own", None),
        ("smtp.sendgrid.net", "nothing.example", "warn", "no record", "v=spf1 include:sendgrid.net ~all"),
        ("smtp.smart.example", "smart.example", "pass", "198.51.100.25 may send: pass by a:smtp.smart.example", None),
        ("198.51.100.25", "smart.example", "pass", "198.51.100.25 may send", None),
        ("smtp.elsewhere.example", "smart.example", "warn", "cannot be seen from here", None),
        ("smtp.elsewhere.example", "nothing.example", "fail", "no record", "v=spf1 ~all"),
    ],
)
def test_spf_through_a_relay(look: Look, host: str, domain: str, result: str, evidence: str, record: str | None) -> None:
    """Where mail leaves through a relay only, the relay has to be let; our own address matters to nobody."""
    look.configure(RELAY.format(host=host))
    found = look.one("SPF", domain, from_ips=())
    assert found.result == result
    assert evidence in found.evidence
    assert (found.record is None) == (record is None)
    assert found.record is None or (record and found.record.value.endswith(record))
    assert HOME not in (found.record.value.replace(f"ip4:{HOME} ip6", "") if found.record else "")


def test_a_relay_only(look: Look) -> None:
    """Then nothing of this host is looked at but the clock: no PTR, no blocklist, no port 25."""
    look.configure(RELAY.format(host="smtp.smart.example"), CONFIG.replace('time_server = ""', 'time_server = "time.example:9"'))
    found = [finding for finding in look("smart.example", from_ips=()) if not finding.domain]
    assert [(one.check, one.result) for one in found] == [("egress", "pass"), ("clock", "warn")]
    assert "matter to nobody" in found[0].evidence


def test_the_address_of_a_relay(look: Look) -> None:
    """Who knows the address that a relay calls from says so: then it is looked at, but by its own name and not by ours."""
    look.configure(RELAY.format(host="10.0.0.5"), CONFIG.replace("mail.good.example", "app.inside.example"))
    found = look("good.example", from_ips=(HOME,))
    told = {(one.check, one.result) for one in found if not one.domain}
    assert told == {("egress", "pass"), ("PTR", "pass"), ("blocklist", "pass")}
    assert ("pass", f"good.example from {HOME}") in {(one.result, one.subject) for one in found if one.check == "SPF"}


def test_relay_and_mx(look: Look) -> None:
    """Who sends both ways needs both in the record."""
    look.configure(RELAY.format(host="smtp.mailgun.org") + '[[route]]\nmatch = "*"\nvia = ["relay:out", "mx"]\n')
    (found,) = look.many("SPF", "nothing.example")
    assert found.record
    assert found.record.value == f"v=spf1 ip4:{HOME} include:mailgun.org ~all"


def test_reports_are_asked_for_where_they_are_read(look: Look) -> None:
    """By a door or in a mailbox of ours; a bounce address that nothing is read from is no place for them."""
    address = '[bounce]\naddress = "bounces@good.example"\n'
    source = '[[report_source]]\nname = "bounces"\nkind = "maildir"\npath = "/var/mail/bounces"\n'
    for more, reader in ((address, "postmaster@silent.example"), (address + source, "bounces+dmarc@good.example")):
        look.configure(more)
        (record,) = (found.record for found in look.many("DMARC", "silent.example") if found.record)
        assert record.value.endswith(f"rua=mailto:{reader}")


@pytest.mark.parametrize(
    ("domain", "result", "subject", "evidence", "record"),
    [
        ("good.example", "pass", "_dmarc.good.example", "p=reject; reports go to mailto:d@good.example", None),
        ("a.b.good.example", "pass", "_dmarc.good.example", "a.b.good.example is part of good.example", None),
        ("x.sub.example", "pass", "_dmarc.sub.example", "p=none; x.sub.example is part of sub.example", None),
        ("y.suffix.example", "pass", "_dmarc.suffix.example", "p=none; reports", None),
        ("nothing.example", "fail", "_dmarc.nothing.example", "no record", "v=DMARC1; p=none; rua=mailto:postmaster@nothing.example"),
        ("several.example", "fail", "_dmarc.several.example", "several", "v=DMARC1; p=none; rua=mailto:postmaster@several.example"),
        ("word.example", "fail", "_dmarc.word.example", "'monitor', which is no", "v=DMARC1; p=none; rua=mailto:postmaster@word.example"),
        ("silent.example", "warn", "_dmarc.silent.example", "no reports", "v=DMARC1; p=none; rua=mailto:postmaster@silent.example"),
        ("broken.example", "warn", "_dmarc.broken.example", "SERVFAIL", None),
        ("lame.example", "warn", "_dmarc.lame.example", "whom else to ask", None),
    ],
)
def test_dmarc(look: Look, domain: str, result: str, subject: str, evidence: str, record: str | None) -> None:
    """Which record holds, what it says, and which domain is the organisational one."""
    found = next(finding for finding in look.many("DMARC", domain) if finding.subject.startswith("_dmarc"))
    assert (found.result, found.subject, found.record and found.record.value) == (result, subject, record)
    assert evidence in found.evidence


def test_dmarc_reports_to_others(look: Look) -> None:
    """Who is to get the reports of another organisation has to say that he takes them."""
    found = [one for one in look.many("DMARC", "told.example") if one.record]
    (deaf,) = found
    assert (deaf.result, "deaf.example, which does not say" in deaf.evidence) == ("warn", True)
    assert deaf.record
    assert deaf.record.zone == 'told.example._report._dmarc.deaf.example. IN TXT "v=DMARC1"'


@pytest.mark.parametrize(
    ("address", "result", "evidence", "record"),
    [
        (HOME, "pass", f"mail.good.example, and that is at {HOME}", None),
        (HOME6, "pass", "mail.good.example", None),
        ("198.51.100.20", "fail", "no name", "20.100.51.198.in-addr.arpa. IN PTR mail.good.example."),
        ("198.51.100.21", "warn", "its name is mail.other.example, and this host calls itself mail.good.example", "PTR mail.good.example."),
        ("198.51.100.22", "fail", "not there", "mail.good.example. IN A 198.51.100.22"),
        ("198.51.100.23", "fail", "nowhere.example, which is nowhere", "PTR mail.good.example."),
        ("198.51.100.27", "warn", "SERVFAIL", None),
        ("203.0.113.5", "warn", "SERVFAIL", None),
    ],
)
def test_ptr(look: Look, address: str, result: str, evidence: str, record: str | None) -> None:
    """The address has a name, the name leads back, and it is the one that is said in EHLO."""
    found = look.one("PTR", "good.example", from_ips=(address,))
    assert (found.result, found.record is None) == (result, record is None)
    assert evidence in found.evidence
    assert not record or (found.record and found.record.zone.endswith(record))


@pytest.mark.parametrize(
    ("hostname", "result", "evidence", "record"),
    [
        ("mail.good.example", "pass", f"at {HOME}", None),
        ("mail.other.example", "fail", f"is at 198.51.100.21, and mail comes from {HOME}", f"mail.other.example. IN A {HOME}"),
        ("mail.nowhere.example", "fail", "has no address", f"mail.nowhere.example. IN A {HOME}"),
        ("mail.broken.example", "warn", "SERVFAIL", None),
        ("laptop", "fail", "no name in the DNS", None),
        ("laptop.local", "fail", "no name in the DNS", None),
    ],
)
def test_hello(look: Look, hostname: str, result: str, evidence: str, record: str | None) -> None:
    """The name that is said in EHLO is in the DNS, at the address."""
    look.configure(head=CONFIG.replace("mail.good.example", hostname))
    found = look.one("EHLO", "good.example")
    assert (found.result, found.record and found.record.zone) == (result, record)
    assert evidence in found.evidence


def test_sources_with_names_of_their_own(look: Look) -> None:
    """The addresses of all [[source]] are where mail comes from, and each is held against the name that is said there."""
    sections = ((HOME, ""), ("198.51.100.21", 'hello = "mail.other.example"'), ("198.51.100.20", 'hello = "mail.good.example"'))
    look.configure("".join(f'[[source]]\nname = "s{at}"\naddresses = ["{ip}"]\n{hello}\n' for at, (ip, hello) in enumerate(sections)))
    found = look("good.example", from_ips=())
    assert [(one.subject, one.result) for one in found if one.check == "egress"] == [(ip, "pass") for ip, _ in sections]
    assert [one.result for one in found if one.check == "PTR"] == ["pass", "pass", "fail"]
    assert [(one.subject, one.result) for one in found if one.check == "EHLO"] == [
        ("mail.good.example", "warn"),
        ("mail.other.example", "pass"),
    ]
    assert "198.51.100.21" in " ".join(one.evidence + one.subject for one in found if one.check == "SPF")
    assert [one.result for one in look.many("PTR", "good.example", from_ips=("198.51.100.21",))] == ["pass"]


def test_a_name_by_number(look: Look) -> None:
    """A name that a provider gave out by number leads back, and is still doubted."""
    look.configure(head=CONFIG.replace("mail.good.example", "host-198-51-100-24.isp.example"))
    found = look.one("PTR", "good.example", from_ips=("198.51.100.24",))
    assert (found.result, "by number" in found.evidence) == ("warn", True)


@pytest.mark.parametrize(
    ("hostname", "address", "result", "evidence"),
    [
        ("mail.good.example", HOME, "pass", "pass by a (1 of 10"),
        ("mail.good.example", "198.51.100.20", "fail", "fail (1 of 10"),
        ("mail.other.example", "198.51.100.21", "warn", "no record"),
        ("wrong.example", HOME, "fail", "permerror: the record of wrong.example: ipv4:192.0.2.1 is no mechanism"),
        ("trouble.example", HOME, "warn", "SERVFAIL"),
        ("mail.broken.example", HOME, "warn", "SERVFAIL"),
    ],
)
def test_spf_of_hello(look: Look, hostname: str, address: str, result: str, evidence: str) -> None:
    """Reports have no reverse-path: the name of the host answers for them."""
    look.configure(head=CONFIG.replace("mail.good.example", hostname))
    found = look.one("SPF of EHLO", "good.example", from_ips=(address,))
    assert found.result == result
    assert evidence in found.evidence
    assert (found.record is not None) == (result == "fail" or evidence == "no record")


@pytest.mark.parametrize(
    ("blocklist", "address", "result", "evidence"),
    [
        ("bl.example", HOME, "pass", "not listed"),
        ("bl.example", HOME6, "pass", "not listed"),
        ("bl.example", LISTED, "fail", "listed (127.0.0.4): seen sending to a trap"),
        ("refusing.example", HOME, "warn", "refuses to answer (127.255.255.254)"),
        ("sayer.example", HOME, "warn", "says yes to everything"),
        ("parked.example", HOME, "warn", "answers with 192.0.2.80"),
        ("dead.example", HOME, "warn", "not even its own test entry"),
        ("broken.example", HOME, "warn", "SERVFAIL"),
        ("lame.example", HOME, "warn", "whom else to ask"),
    ],
)
def test_blocklist(look: Look, blocklist: str, address: str, result: str, evidence: str) -> None:
    """Only a list that knows its own test entries is believed; a refusal or trouble is no listing."""
    look.configure(head=CONFIG.replace('["bl.example"]', f'["{blocklist}"]'))
    found = look.one("blocklist", "good.example", from_ips=(address,))
    assert found.result == result
    assert evidence in found.evidence


@pytest.mark.parametrize(
    ("domain", "result", "evidence"),
    [
        ("good.example", "pass", "none is needed"),
        ("noid.example", "fail", "no id="),
        ("twice.example", "fail", "several records"),
        ("nopolicy.example", "fail", "mta-sts.nopolicy.example has no address"),
        ("inside.example", "fail", "10.0.0.1, which nobody outside can reach"),
        ("tls.example", "fail", "127.0.0.1, which nobody outside can reach"),
        ("broken.example", "warn", "SERVFAIL"),
    ],
)
def test_mta_sts(look: Look, domain: str, result: str, evidence: str) -> None:
    """None is fine; one that is published has to be right, and its web server where others can reach it."""
    found = look.one("MTA-STS", domain)
    assert found.result == result
    assert evidence in found.evidence


@pytest.mark.parametrize(
    ("domain", "result", "evidence"),
    [
        ("good.example", "pass", "none is needed"),
        ("tls.example", "pass", "mailto:t@tls.example"),
        ("noid.example", "fail", "neither mailto: nor https:"),
        ("twice.example", "fail", "several records"),
        ("nopolicy.example", "warn", "nobody will tell"),
        ("broken.example", "warn", "SERVFAIL"),
    ],
)
def test_tlsrpt(look: Look, domain: str, result: str, evidence: str) -> None:
    """Reports are wanted where there is a policy that could fail."""
    found = look.one("TLSRPT", domain)
    assert found.result == result
    assert evidence in found.evidence


def test_a_private_address_is_nobodys(look: Look) -> None:
    """Behind a translator of addresses it is said that nothing is known, and nothing that hangs on the address is looked at."""
    found = look("good.example", from_ips=("10.0.0.7",))
    assert [(one.result, one.subject) for one in found if one.check == "egress"] == [("warn", "10.0.0.7")]
    assert not [one for one in found if one.check in ("PTR", "blocklist")]
    (spf,) = (one for one in found if one.check == "SPF")
    assert (spf.result, spf.record) == ("warn", None)


@pytest.mark.parametrize("timeout", ["0.5s", "600s"])
def test_a_name_server_that_says_nothing(look: Look, timeout: str) -> None:
    """Then all is unknown, nothing fails that hangs on the DNS, and it ends at the deadline."""
    head = CONFIG.replace('"60s"', '"1s"')
    look.configure(head=head, timeout=timeout)
    look.nsd.freeze()
    try:
        found = look("good.example")
    finally:
        look.nsd.thaw()
    asked = [one for one in found if one.check not in ("egress", "DKIM")]
    assert {one.result for one in asked} == {"warn"}, [one for one in asked if one.result != "warn"]
    assert all("time" in one.evidence or "deadline" in one.evidence or "tried" in one.evidence for one in asked)


def test_healthy_and_quick(look: Look) -> None:
    """With name servers that answer, ten domains cost less than three seconds of the processor."""
    begin = time.process_time()
    look(*(f"{name}.example" for name in ("good", "ten", "included", "loop", "tls", "two", "void", "sub", "strict", "bymx")))
    assert time.process_time() - begin < 3
