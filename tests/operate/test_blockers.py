"""What stands between a recipient and his mail: each case by itself, which goes before which, and what takes it away."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mailer.config import Config
from mailer.config.kinds import Via
from mailer.config.sections.relay import Relay
from mailer.mail.outcome import Cause
from mailer.operate.blockers import Blocker, BlockerFacts, blockers
from mailer.routing.mx import MailHost, MailHosts
from mailer.routing.resolve import Resolution, WayOut
from mailer.routing.table import DEFAULT
from mailer.spool.suspensions import Suspension, Suspensions
from mailer.status.standing import Standing
from mailer.status.story import Attempted
from mailer.tlspolicy import Requirement
from mailer.transport.route import Unroutable
from tests.fakes.mail import NOW

ID = "01KAHGWV7J5ZQ0C9XK3M2T8B4R"
KEY = "mx:mx1.example.net,mx2.example.net"
CALM = Standing(KEY, 0, 0, 5.0, 20, "closed", 0, 0.0, "", 0.0, "", 0.0, "", 0.0, "", "", 0.0)
OPEN = CALM._replace(breaker="open", failures=4, open_until=NOW + 90, breaker_reason="451 4.4.1 no answer")


def way(leads: MailHosts | Unroutable | None = None) -> Resolution:
    """Where mail for the domain goes."""
    hop = leads or MailHosts(KEY, [MailHost("mx1.example.net", 25, ["192.0.2.1"])])
    return Resolution(DEFAULT, -1, (WayOut(Via("mx"), Requirement("none"), hop),), hop.key if isinstance(hop, MailHosts) else "")


def tried(verdict: str = "defer", **more: Any) -> Attempted:
    """What the last attempt said."""
    given: dict[str, Any] = {
        "position": 0, "at": NOW - 60, "recipient": "you@example.net", "verdict": verdict, "scope": "recipient", "host": "mx1.example.net",
        "ip": "192.0.2.1", "port": 25, "tls_wanted": "opportunistic", "tls": "", "phase": "rcpt", "code": 451, "enhanced_code": "4.7.1",
        "text": "greylisted", "seconds": 1.0, "queue_id": "",
    }  # fmt: skip
    return Attempted(**given | more)


def found(status: str = "deferred", *, due: float = NOW + 300, last: Attempted | None = None, **facts: Any) -> list[Blocker]:
    """What stands before the recipient; by default, a daemon runs and nothing does."""
    given: dict[str, Any] = {"running": True, "ways": {"example.net": way()}, "standings": {KEY: CALM}} | facts
    return blockers(BlockerFacts(ID, status, NOW, **given), "example.net", due, last)


def kinds(blockers: list[Blocker]) -> list[str]:
    return [blocker.kind for blocker in blockers]


def test_what_was_put_off_waits_for_its_next_try() -> None:
    """Until then; an operator can have it tried at once."""
    (blocker,) = found(last=tried())
    assert blocker == Blocker("retry", "it was put off: 451 4.7.1 greylisted", NOW + 300, f"mailer queue retry {ID} tries at once")


@pytest.mark.parametrize(
    ("phase", "words"), [("connect", "mailer probe mx1.example.net"), ("starttls", "tls.mx says what is required"), ("rcpt", "at once")]
)
def test_how_far_the_attempt_got_says_what_else_to_look_at(phase: str, words: str) -> None:
    """Whether it answers, or what TLS it has."""
    (blocker,) = found(last=tried(phase=phase))
    assert words in blocker.remedy


@pytest.mark.parametrize("phase", ["connect", "starttls"])
def test_a_relay_is_probed_by_its_name(phase: str) -> None:
    """Its host alone would be asked on port 25, with another requirement on TLS."""
    config = Config(relays={"out": Relay(name="out", host="smtp.example.net", port=587, tls="starttls")})
    (blocker,) = found(last=tried(phase=phase, host="smtp.example.net", port=587, tls_wanted="starttls"), config=config)
    assert "mailer probe out shows" in blocker.remedy


def test_a_certificate_that_is_not_accepted_names_what_decides_that() -> None:
    """The file of authorities first: it is what is missing where a relay of one's own has a certificate of one's own."""
    config = Config(relays={"out": Relay(name="out", host="mx1.example.net", port=25, tls="opportunistic")})
    last = tried(
        phase="starttls", text="TLS with mx1.example.net: the certificate is not accepted: self-signed certificate", cause=Cause.TLS
    )
    assert "ca_file of [relay.out] (else of [tls])" in found(last=last, config=config)[0].remedy
    assert "ca_file of [tls]" in found(last=last)[0].remedy


def test_held_mail_waits_for_an_operator_and_for_nothing_else() -> None:
    """Not for its next try, which does not come."""
    (blocker,) = found("held", last=tried())
    assert (blocker.kind, blocker.remedy) == ("hold", f"mailer queue release {ID}")


def test_what_is_being_delivered_waits_for_nothing() -> None:
    """Whatever else holds."""
    assert kinds(found("sending", running=False, shortage="no space")) == ["sending"]


def test_without_a_daemon_nothing_moves() -> None:
    """That goes first, and what else there is comes behind it; what the last daemon knew counts no more."""
    assert kinds(found(last=tried(), running=False, standings={KEY: OPEN})) == ["daemon", "retry"]
    assert kinds(found("queued", due=0.0, running=False)) == ["daemon"]


def test_a_full_disk_is_told() -> None:
    """In the words of who looked."""
    blocker = found(last=tried(), shortage="3 MB of space left")[0]
    assert (blocker.kind, blocker.detail) == ("disk", "the disk of the spool has only 3 MB of space left")


def test_mail_for_later_waits_for_its_time() -> None:
    """And for nothing that it has not met yet."""
    (blocker,) = found(due=NOW + 999, leaves=NOW + 999)
    assert (blocker.kind, blocker.until) == ("schedule", NOW + 999)


@pytest.mark.parametrize("target", ["example.net", KEY, "mx:mx2.example.net"])
def test_a_pause_is_found_however_it_was_named(target: str) -> None:
    """By the domain, the destination, or one of its hosts; and how to end it is said with that name."""
    paused = Suspensions([Suspension(target, NOW + 50, "moving", NOW)])
    blocker = found("queued", due=0.0, pauses=paused)[0]
    assert blocker == Blocker("pause", f"{target} is paused: moving", NOW + 50, f"mailer queue resume {target}")


def test_a_pause_without_an_end_has_none() -> None:
    """No time is made up."""
    blocker = found("queued", due=0.0, pauses=Suspensions([Suspension("example.net", math.inf, "", NOW)]))[0]
    assert blocker.as_json()["until"] is None


def test_an_open_breaker_says_what_it_saw_and_until_when() -> None:
    """And what finds out sooner."""
    blocker = found(last=tried(host="", ip="", phase="connect", counts=False, text="not tried"), standings={KEY: OPEN})[0]
    assert (blocker.kind, blocker.until) == ("breaker", NOW + 90)
    assert "4 times in a row (451 4.4.1 no answer)" in blocker.detail
    assert "mailer probe mx1.example.net" in blocker.remedy


def test_a_breaker_that_we_opened_leads_to_what_has_to_be_mended() -> None:
    """Whose message met the trouble reads of that alone; who waits behind it does not read that a host fails to answer."""
    ours = OPEN._replace(failures=1, breaker_reason="504 5.5.2 need fully-qualified hostname")
    met = tried(scope="us", counts=False, code=504, enhanced_code="5.5.2", text="need a name", cause=Cause.NAME_REFUSED)
    assert kinds(found(last=met, standings={KEY: ours})) == ["refused"]
    behind = tried(scope="us", counts=False, host="", phase="connect", text="not tried", cause=Cause.BREAKER)
    (blocker,) = found(last=behind, standings={KEY: ours})
    assert blocker.detail.startswith(f"for {KEY} something of ours has to be mended first (504 5.5.2 need")
    assert "in a row" not in found(due=0.0, standings={KEY: ours})[0].detail


def test_a_breaker_is_found_by_the_host_that_was_tried_where_the_dns_was_not_asked() -> None:
    """The destination is the one that this host is of."""
    assert kinds(found(last=tried(), standings={KEY: OPEN}, ways={})) == ["breaker", "retry"]


def test_no_way_is_told_once() -> None:
    """By what the DNS says now, not by what it said then."""
    gone = Unroutable(451, "4.4.3", "no answer from the name servers", "defer", Cause.DNS)
    assert kinds(found(last=tried(host="", phase="dns", cause=Cause.DNS), ways={"example.net": way(gone)})) == ["route"]
    offline = Unroutable(451, "4.4.3", "no network", "defer", Cause.OFFLINE)
    assert kinds(found(last=tried(host="", phase="dns", counts=False, cause=Cause.OFFLINE), ways={"example.net": way(offline)})) == [
        "offline"
    ]
    assert kinds(found(last=tried(host="", phase="dns", counts=False, cause=Cause.OFFLINE), ways={})) == ["offline"]


def test_a_refused_login_names_the_setting() -> None:
    """With its line, where the file is known."""
    relay = Relay(name="out", host="smtp.example.com", port=587, tls="starttls", username="me", password_env="X")
    config = Config(relays={"out": relay}, path="config.toml", lines={"relay.out.username": 12})
    last = tried(
        scope="us", phase="auth", host="smtp.example.com", port=587, tls_wanted="starttls", counts=False, cause=Cause.LOGIN_REFUSED
    )
    (blocker,) = found(last=last, config=config)
    assert blocker.kind == "login"
    assert "[relay.out] (config.toml:12)" in blocker.remedy


@pytest.mark.parametrize(
    ("wait", "setting"),
    [("window", "max_connections is 20 (built-in default)"), ("connections", ": 100 (built-in default)"), ("rate", "goes on by itself")],
)
def test_mail_that_is_due_waits_for_its_turn_at_the_destination(wait: str, setting: str) -> None:
    """In the words of the daemon, with the setting that limits it."""
    busy = CALM._replace(waiting=8, wait=wait, wait_detail="5 at work")
    (blocker,) = found("queued", due=0.0, standings={KEY: busy}, config=Config())
    assert (blocker.kind, blocker.detail) == (wait, f"8 wait for {KEY}: 5 at work")
    assert setting in blocker.remedy
    assert found("queued", due=0.0, standings={KEY: busy})[0].remedy


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Cause.BREAKER, "breaker"),
        (Cause.PAUSED, "pause"),
        (Cause.SUSPENDED, "pause"),
        (Cause.CONGESTED, "limit"),
        (Cause.SOURCE_EXHAUSTED, "limit"),
        (Cause.SHORT, "limit"),
        (Cause.OFFLINE, "offline"),
    ],
)
def test_what_was_not_tried_says_why(cause: Cause, kind: str) -> None:
    """By the cause that was written down with it, and never by its code: a full destination is no pause of an operator's."""
    last = tried(host="", phase="connect", counts=False, scope="destination", enhanced_code="4.4.5", text="why", cause=cause)
    assert [(blocker.kind, blocker.detail) for blocker in found(last=last)] == [(kind, "why")]


def test_a_destination_that_is_one_for_a_domain_only_has_the_same_hosts() -> None:
    """The pattern in its key is no host."""
    special = OPEN._replace(key=f"{KEY} for:example.net")
    assert kinds(found(last=tried(host="mx2.example.net"), standings={special.key: special}, ways={})) == ["breaker", "retry"]


def test_mail_that_is_due_and_free_to_go_is_about_to() -> None:
    """There is always something to say."""
    assert kinds(found("queued", due=0.0)) == ["queue"]
    assert kinds(found("queued", due=0.0, ways={}, standings={})) == ["queue"]
