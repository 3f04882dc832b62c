"""A domain of ours as those see it who send mail to it."""

from __future__ import annotations

import asyncio
import ssl
import time
from asyncio import run
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from mailer.accounts.users.api import User
from mailer.accounts.users.sqlite import SqliteUsers
from mailer.check.examine import domains_of
from mailer.check.finding import Finding
from mailer.check.rules.inbound import SHAPES, DoorSeen, door_findings
from mailer.config import load
from mailer.operate.inbound import inbound
from mailer.sink import SinkThread
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import free_port

NOW = time.time()
ZONE = """
example.com. 60 IN MX 10 mx.example.com.
example.com. 60 IN MX 20 backup.elsewhere.example.
mx.example.com. 60 IN A 127.0.0.1
backup.elsewhere.example. 60 IN A 192.0.2.9
gone.example. 60 IN MX 10 mx.elsewhere.example.
mx.elsewhere.example. 60 IN A 192.0.2.10
behind.example. 60 IN MX 10 backup.elsewhere.example.
behind.example. 60 IN MX 20 mx.example.com.
"""
DOOR = '[[listen]]\nkind = "mx"\naddress = "127.0.0.1:2525"\n'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def names() -> Iterator[Nameserver]:
    with Nameserver(ZONE) as server:
        yield server


def context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    return made


class House:
    """A machine whose domains are looked at."""

    def __init__(self, home: Path, names: Nameserver, authority: trustme.CA) -> None:
        self.home = home
        self.names = names
        self.aliases = home / "aliases"
        self.aliases.write_text("")
        authority.cert_pem.write_to_path(str(home / "ca.pem"))
        (home / "spool").mkdir()
        self.configure()

    def configure(self, more: str = DOOR, *, domain: str = "example.com", users: str = "") -> None:
        (self.home / "config.toml").write_text(
            f'[mailer]\nhostname = "mx.example.com"\nspool = "{self.home}/spool"\n[tls]\nca_file = "{self.home}/ca.pem"\n'
            f'[dns]\nnameservers = ["{self.names.address}"]\n[[domain]]\nname = "{domain}"\naliases_file = "{self.aliases}"\n{users}{more}'
        )

    def look(self, port: int = 1, domain: str = "example.com") -> dict[str, Finding]:
        """The findings by their check."""
        found = run(inbound(load(str(self.home / "config.toml"), None), domain, NOW, port))
        assert {each.domain for each in found} == {domain}
        assert len({each.check for each in found}) == len(found)
        return {each.check: each for each in found}


@pytest.fixture
def house(tmp_path: Path, names: Nameserver, authority: trustme.CA) -> House:
    return House(tmp_path, names, authority)


def test_a_domain_that_is_well_passes(house: House, authority: trustme.CA) -> None:
    """Its MX is this machine, which answers with TLS and a certificate for the name; postmaster is somebody, and nobody relays."""
    house.aliases.write_text("postmaster: ann@elsewhere.example\n")
    with SinkThread(tls=context(authority, "mx.example.com"), name="mx.example.com") as door:
        found = house.look(door.port)
    assert {check: each.result for check, each in found.items()} == dict.fromkeys(
        ("MX here", "port 25 in", "TLS in", "postmaster", "relay"), "pass"
    )
    assert "127.0.0.1 answers: mx.example.com" in found["port 25 in"].evidence
    assert found["relay"].evidence.startswith(f"none of {len(SHAPES)} shapes")


def test_a_certificate_for_another_name_is_a_warning(house: House, authority: trustme.CA) -> None:
    """And so is none at all: most send all the same."""
    with SinkThread(tls=context(authority, "other.example")) as door:
        found = house.look(door.port)["TLS in"]
    assert (found.result, "would not be accepted" in found.evidence) == ("warn", True)
    with SinkThread() as door:
        found = house.look(door.port)["TLS in"]
    assert (found.result, found.evidence[:18]) == ("warn", "offers no STARTTLS")


def test_a_door_that_is_closed_or_missing_is_said(house: House) -> None:
    """One that does not answer from here may from elsewhere; one that is not configured does not."""
    closed = house.look(free_port())["port 25 in"]
    assert (closed.result, "does not answer" in closed.evidence) == ("warn", True)
    house.configure("")
    missing = house.look()["port 25 in"]
    assert (missing.result, "no door of the kind mx" in missing.evidence) == ("fail", True)


@pytest.mark.parametrize(
    ("domain", "result", "evidence"),
    [
        ("gone.example", "warn", "its mail goes to mx.elsewhere.example; none of that is this machine"),
        ("behind.example", "pass", "leads here by mx.example.com, behind backup.elsewhere.example"),
        ("absent.example", "warn", "its mail goes to nowhere"),
    ],
)
def test_where_its_mail_goes_is_said(house: House, domain: str, result: str, evidence: str) -> None:
    """With the record that would lead it here."""
    house.configure(domain=domain)
    found = house.look(free_port(), domain)["MX here"]
    assert (found.result, evidence in found.evidence) == (result, True)
    if result == "warn":
        assert found.record is not None
        assert found.record.zone == f"{domain}. IN MX 10 mx.example.com."


def test_name_servers_that_do_not_answer_are_no_judgement(house: House) -> None:
    """What the DNS says of the domain is said elsewhere; what our rules say is known all the same."""
    house.names.misbehave("example.com", "servfail", type="MX")
    try:
        assert sorted(house.look()) == ["postmaster", "relay"]
    finally:
        house.names.behave()


def test_a_user_called_postmaster_is_enough(house: House) -> None:
    """Or somebody who gets the mail of all postmasters."""
    assert house.look()["postmaster"].result == "fail"
    users = SqliteUsers(str(house.home / "spool/accounts.sqlite3"))

    async def add() -> None:
        await users.put([User("postmaster@example.com")])
        await users.close()

    asyncio.run(add())
    house.configure(users='via = "maildir:/nowhere/{user}"\n')
    assert house.look()["postmaster"].result == "pass"


def test_an_alias_that_carries_for_strangers_is_found(house: House) -> None:
    """As somebody might write it who has read of the old ways."""
    house.aliases.write_text("user%relay-check.example: user@relay-check.example\n")
    found = house.look()["relay"]
    assert (found.result, "user%relay-check.example@example.com" in found.evidence) == ("fail", True)


def test_domains_whose_mail_comes_here_are_looked_at_without_being_named(house: House) -> None:
    assert "example.com" in domains_of(load(str(house.home / "config.toml"), None))


@pytest.mark.parametrize(
    ("seen", "check", "result"),
    [
        (DoorSeen("mx", "192.0.2.1", "mx", starttls=True, ends=NOW - 1), "TLS in", "fail"),
        (DoorSeen("mx", "192.0.2.1", "mx", starttls=True, ends=NOW + 86400), "TLS in", "warn"),
        (DoorSeen("mx", "192.0.2.1", "mx", starttls=True, ends=NOW + 90 * 86400), "TLS in", "pass"),
        (DoorSeen("mx", trouble="it has no address"), "port 25 in", "warn"),
    ],
)
def test_what_is_seen_of_a_door_is_judged(seen: DoorSeen, check: str, result: str) -> None:
    """A certificate that has ended fails; one that ends soon is a warning."""
    assert {each.check: each.result for each in door_findings(seen, NOW)}[check] == result


FOR_USERS = (
    '[[listen]]\nkind = "imap"\naddress = ["0.0.0.0:993"]\ntls = "implicit"\ncertificate_file = "/x.pem"\n'
    '[[listen]]\nkind = "submission"\naddress = ["0.0.0.0:465"]\ntls = "implicit"\ncertificate_file = "/x.pem"\n'
)
FOUND = """
_imaps._tcp.well.example. 60 IN SRV 0 1 993 mx.example.com.
_imap._tcp.well.example. 60 IN SRV 0 0 0 .
_submissions._tcp.well.example. 60 IN SRV 0 1 465 MX.example.com.
_imaps._tcp.wrong.example. 60 IN SRV 0 1 993 imap.elsewhere.example.
_submissions._tcp.wrong.example. 60 IN SRV 0 0 0 .
_pop3s._tcp.wrong.example. 60 IN SRV 10 1 995 mx.example.com.
autoconfig.well.example. 60 IN A 127.0.0.1
autodiscover.well.example. 60 IN A 127.0.0.1
autoconfig.wrong.example. 60 IN A 127.0.0.1
"""
WEB = '[[listen]]\nkind = "web"\naddress = "0.0.0.0:443"\ntls = "implicit"\ncertificate_file = "/x.pem"\n'


@pytest.mark.parametrize(
    ("domain", "more", "told"),
    [
        ("well.example", FOR_USERS, [("SRV", "well.example", "pass", "")]),
        ("well.example", FOR_USERS + WEB, [("SRV", "well.example", "pass", ""), ("autoconfig", "well.example", "pass", "")]),
        (
            "wrong.example",
            FOR_USERS + WEB,
            [
                ("SRV", "_imaps._tcp.wrong.example", "warn", "0 1 993 mx.example.com."),
                ("SRV", "_pop3s._tcp.wrong.example", "warn", "0 0 0 ."),
                ("SRV", "_submissions._tcp.wrong.example", "fail", "0 1 465 mx.example.com."),
                ("autoconfig", "autodiscover.wrong.example", "warn", "mx.example.com."),
            ],
        ),
        (
            "none.example",
            FOR_USERS,
            [
                ("SRV", "_imaps._tcp.none.example", "warn", "0 1 993 mx.example.com."),
                ("SRV", "_submissions._tcp.none.example", "warn", "0 1 465 mx.example.com."),
            ],
        ),
        ("well.example", "", []),
    ],
)
def test_whether_programs_find_the_doors(
    tmp_path: Path, authority: trustme.CA, domain: str, more: str, told: list[tuple[str, ...]]
) -> None:
    """Each record that is missing, or leads elsewhere, is told with the one to publish. RFC 6186 §3, RFC 8314 §5.1"""
    with Nameserver(FOUND) as names:
        house = House(tmp_path, names, authority)
        house.configure(DOOR + more, domain=domain)
        found = run(inbound(load(str(tmp_path / "config.toml"), None), domain, NOW, 1))
    seen = [(each.check, each.subject, each.result, each.record.value if each.record else "") for each in found]
    assert [each for each in seen if each[0] in ("SRV", "autoconfig")] == told


def test_a_name_server_that_does_not_answer_is_no_missing_record(tmp_path: Path, authority: trustme.CA) -> None:
    """What could not be looked up is said as that, and nothing is to be published."""
    with Nameserver(FOUND) as names:
        names.misbehave("_imaps._tcp.well.example", "servfail")
        house = House(tmp_path, names, authority)
        house.configure(DOOR + FOR_USERS, domain="well.example")
        found = run(inbound(load(str(tmp_path / "config.toml"), None), "well.example", NOW, 1))
    [trouble] = [each for each in found if each.check == "SRV" and each.result == "warn"]
    assert (trouble.subject, trouble.record) == ("_imaps._tcp.well.example", None)
