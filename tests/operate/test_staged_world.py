"""What can be wrong with name servers, relays, certificates, and this host as others see it: each is staged, and the doctor names it."""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import Callable

import pytest
import trustme

from mailer.cli import main
from mailer.dkim.key import private_key
from mailer.sink import Moods, SinkThread
from tests.check.test_outside import TimeServer
from tests.dkim.keys import pem
from tests.fakes.sockets import closed_port
from tests.operate.clinic import DIRECT, HOME, RELAY, ZONE, Clinic, Stage, clinic, finds, people

pytestmark = pytest.mark.slow

__all__ = ["clinic", "people"]

LOGIN = 'username = "anna"\npassword_file = "{secret}"\n'
POINTER = "10.100.51.198.in-addr.arpa. 600 IN PTR host.example.\n"


def mute(mood: str) -> Callable[[Clinic], object]:
    """The name server is in that mood; nobody waits long for one that is silent."""

    def spoil(one: Clinic) -> None:
        one.names.misbehave("other.example", mood)
        one.change('timeout = "5s"\nlifetime = "10s"', 'timeout = "0.3s"\nlifetime = "0.5s"')

    return spoil


def direct(zone: str = ZONE, *, name: str = "host.example", lists: str = "") -> Callable[[Clinic], object]:
    """Mail goes to MX hosts from here, and the DNS has `zone`."""

    def spoil(one: Clinic) -> None:
        one.configure(DIRECT.replace("{closed}", str(closed_port())), relay="")
        one.change('hostname = "host.example"', f'hostname = "{name}"')
        one.change("blocklists = []", f"blocklists = [{lists}]")
        one.names.serve(zone)

    return spoil


def port_25(one: Clinic) -> None:
    """An MX host is known and does not answer; it is called from wherever."""
    direct()(one)
    one.change('source4 = "198.51.100.10"\n', "")


def signed(record: str) -> Callable[[Clinic], object]:
    """A key signs, and the DNS has `record` for it."""

    def spoil(one: Clinic) -> None:
        path = one.home / "key.pem"
        path.write_bytes(pem("ed25519"))
        path.chmod(0o600)
        one.configure(f'[[dkim]]\ndomain = "other.example"\nselector = "s"\nkey_file = "{path}"\n')
        one.names.serve(ZONE + record)

    return spoil


STAGED = {
    "silent": Stage(mute("silent"), "DNS", "fail", "did not answer in time", "name servers that answer, in dns.nameservers"),
    "servfail": Stage(mute("servfail"), "DNS", "fail", "answered SERVFAIL", "name servers that answer"),
    "refusing": Stage(mute("refused"), "DNS", "fail", "answered REFUSED", "name servers that answer"),
    "lame": Stage(mute("referral"), "DNS", "fail", "only says whom else to ask", "name servers that answer"),
    "offline": Stage(
        lambda one: one.change(f'"{one.names.address}"', f'"127.0.0.1:{closed_port()}"'), "DNS", "fail", "can be reached", "ip route"
    ),
    "lying": Stage(lambda one: one.names.misbehave("*", "invent"), "DNS trust", "fail", "for names that do not exist", "do not invent"),
    "no name": Stage(direct(ZONE.replace(POINTER, "")), "PTR", "fail", "it has no name", "host.example."),
    "name elsewhere": Stage(
        direct(ZONE.replace("PTR host.example.", "PTR mx.other.example.")), "PTR", "fail", "at 127.0.0.1", "the name of this host"
    ),
    "short name": Stage(direct(name="web1"), "EHLO", "fail", "calls itself web1", "set mailer.hostname to a full name"),
    "name of another": Stage(direct(name="mx.other.example"), "EHLO", "fail", "mail comes from 198.51.100.10", "let the name lead to"),
    "listed": Stage(
        direct(ZONE + "10.100.51.198.bl.example. 60 IN A 127.0.0.9\n", lists='"bl.example"'), "blocklist", "fail", "listed (127", "find out"
    ),
    "port 25": Stage(port_25, "port 25", "fail", "Connection refused", "send through a relay"),
    "no record": Stage(signed(""), "DKIM", "fail", "is not published yet", "s._domainkey.other.example. IN TXT"),
    "another key": Stage(
        signed(f's._domainkey.other.example. 60 IN TXT "{private_key(pem("rsa", 1024)).record}"\n'), "DKIM", "fail", "another", "publish"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAGED)
def test_doctor_names_cause_and_remedy(clinic: Clinic, name: str) -> None:
    """And how bad it is, in its exit code as well."""
    finds(clinic, STAGED[name])


@pytest.mark.parametrize(("ahead", "result", "words"), [(-3600.0, "fail", "3600.0 s ahead"), (20.0, "warn", "20.0 s behind")])
def test_a_clock_that_is_wrong(clinic: Clinic, ahead: float, result: str, words: str) -> None:
    """A time server says so."""
    with TimeServer(ahead) as server:
        clinic.change('time_server = ""', f'time_server = "127.0.0.1:{server.port}"')
        finds(clinic, Stage(lambda _: None, "clock", result, words, "NTP"))


def test_name_servers_that_prove_what_they_say(clinic: Clinic) -> None:
    """It is told, and so is that they do not."""
    assert [each["evidence"][:14] for each in clinic.doctor().of("DNS trust")] == ["does not prove"]
    clinic.names.misbehave("*", "prove")
    assert [each["evidence"] for each in clinic.doctor().of("DNS trust")] == ["proves what it says (DNSSEC)"]


# Relays


def context(one: Clinic, name: str = "relay.example", *, authority: trustme.CA | None = None, days: int = 90) -> ssl.SSLContext:
    """What a relay shows: a certificate for `name` that is good for so many days from now."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    since = until - datetime.timedelta(days=300)
    (authority or one.authority).issue_cert(name, not_before=since, not_after=until).configure_cert(made)
    return made


REPLIES = {
    "mail": (
        "553 5.7.1 Sender address rejected: not owned by user anna",
        "would take no mail from robot@other.example",
        "from_address of [submission]",
    ),
    "rcpt": ("554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", "blocked using zen", "mailer check shows which list"),
    "greeting": ("421 4.3.2 too busy", "too busy", "mailer probe out shows how far it comes"),
}


@pytest.mark.parametrize("phase", REPLIES)
def test_a_relay_that_refuses(clinic: Clinic, phase: str) -> None:
    """The setting that mends it is named, where the words are known."""
    reply, cause, remedy = REPLIES[phase]
    with SinkThread(Moods(replies={phase: reply}), tls=context(clinic)) as relay:
        clinic.configure(relay=RELAY.replace("{port}", str(relay.port)))
        finds(clinic, Stage(lambda _: None, "relay", "fail", cause, remedy))


CERTIFICATES = {
    "stranger": ({"authority": True}, "relay", "fail", "unable to get local issuer", "mailer probe out --trust"),
    "other name": ({"name": "elsewhere.example"}, "relay", "fail", "relay.example", "server_name of [relay.out]"),
    "over": ({"days": -1}, "certificate", "fail", "ended at", "has to renew it"),
    "soon": ({"days": 5}, "certificate", "warn", "in 4 days", "has to renew it"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_of_a_relay(clinic: Clinic, name: str) -> None:
    """Of whom it is, and until when."""
    how, check, result, cause, remedy = CERTIFICATES[name]
    made = context(clinic, **({"authority": trustme.CA()} if "authority" in how else how))
    with SinkThread(tls=made) as relay:
        clinic.configure(relay=RELAY.replace("{port}", str(relay.port)))
        finds(clinic, Stage(lambda _: None, check, result, cause, remedy))


def test_a_certificate_of_ours(clinic: Clinic) -> None:
    """Which we show to the relay, and which is over."""
    until = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    made = clinic.authority.issue_cert("host.example", not_before=until - datetime.timedelta(days=9), not_after=until)
    made.private_key_and_cert_chain_pem.write_to_path(str(clinic.home / "ours.pem"))
    (clinic.home / "ours.pem").chmod(0o600)
    clinic.configure(f'client_certificate = "{clinic.home}/ours.pem"\nclient_key = "{clinic.home}/ours.pem"\n')
    finds(clinic, Stage(lambda _: None, "certificate", "fail", "ours for relay out: ended at", "client_certificate of [relay.out]"))


def test_a_login_that_is_refused(clinic: Clinic) -> None:
    """As the relay says it; the password is in nothing that is printed."""
    with SinkThread(tls=context(clinic), users={"anna": "another"}) as relay:
        clinic.configure(LOGIN.format(secret=clinic.secret("canary-5ecret")), relay=RELAY.replace("{port}", str(relay.port)))
        finds(clinic, Stage(lambda _: None, "relay", "fail", "wrong user name or password", "username and password of [relay.out]"))
        assert "canary" not in str(clinic.doctor())


def test_a_machine_without_authorities(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """As small images are: what they do not have is named, and not only that a relay is not believed."""
    clinic.change(f'[tls]\nca_file = "{clinic.home}/ca.pem"\n', "")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", str(clinic.home / "spool" / "held"))
    finds(clinic, Stage(lambda _: None, "authorities", "fail", "there are none", "apt install ca-certificates"))


def test_a_login_that_cannot_be_had(clinic: Clinic) -> None:
    """The relay is none the worse for it, and is not said to be."""
    clinic.configure(LOGIN.format(secret=clinic.secret(mode=0o644)))
    finds(clinic, Stage(lambda _: None, "relay", "fail", "was not asked: others can read the password file", "run: chmod 600"))


def test_a_relay_that_is_not_there(clinic: Clinic) -> None:
    """Nobody listens; nobody is called so."""
    clinic.configure(relay=RELAY.replace("{port}", str(closed_port())))
    finds(clinic, Stage(lambda _: None, "relay", "fail", "Connection refused", "host, port and tls of [relay.out]"))
    clinic.configure(relay='[relay.out]\nhost = "gone.example"\n')
    finds(clinic, Stage(lambda _: None, "relay", "fail", "gone.example", "host of [relay.out], or the DNS"))


# What the world thinks of our domain is for ``check``

DOMAIN = {
    "no MX": ("other.example. 600 IN MX 10 mx.other.example.\n", "", "MX", "neither MX nor address records"),
    "null MX": ("IN MX 10 mx.other.example.", "IN MX 0 .", "MX", "null MX"),
    "no SPF": ("other.example. 600 IN TXT", "elsewhere.example. 600 IN TXT", "SPF", "no record"),
    "SPF without us": (f"ip4:{HOME}", "ip4:203.0.113.1", "SPF", "fail by -all"),
    "no DMARC": ("_dmarc.other.example.", "_dmarc.elsewhere.example.", "DMARC", "no record"),
}
GOOD = ZONE + f'other.example. 600 IN TXT "v=spf1 ip4:{HOME} -all"\n_dmarc.other.example. 600 IN TXT "v=DMARC1; p=none"\n'


@pytest.mark.parametrize("name", DOMAIN)
def test_check_names_cause_and_remedy(clinic: Clinic, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """With the record to publish, where there is one."""
    before, after, check, cause = DOMAIN[name]
    assert before in GOOD
    direct(GOOD.replace(before, after))(clinic)
    assert main(["mailer", "check", "--json", "--config", str(clinic.file), "other.example"]) == 2
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found, *_) = [each for each in told if each["check"] == check and each["result"] == "fail"]
    assert cause in found["evidence"]
    assert found["advice"]
