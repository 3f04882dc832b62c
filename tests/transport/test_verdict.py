"""The judge, row by row of its table: what becomes of a recipient, and how far the cause reaches."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.outcome import Scope, Verdict
from mailer.smtp.reply import Reply
from mailer.transport.verdict import judge

BEFORE = ["connect", "greeting", "ehlo", "starttls", "auth"]
PHASES = ["dns", *BEFORE, "mail", "rcpt", "data", "body"]
KINDS = ["refused", "lost", "timeout", "tls", "no_tls", "stalled", "unasked", "auth", "protocol", "local", "reply"]


def judged(phase: str, kind: str, code: int, *, relay: bool = False) -> tuple[str, str]:
    return judge(phase, kind, Reply.own(code, "", "text"), relay=relay)


@pytest.mark.parametrize("code", [200, 250, 251, 252, 299])
def test_the_final_2xx_is_a_delivery(code: int) -> None:
    """RFC 5321 §4.2.5: the next hop took responsibility."""
    assert judged("body", "reply", code) == ("delivered", "recipient")


@pytest.mark.parametrize("phase", [*BEFORE, "mail", "rcpt", "data"])
def test_no_2xx_before_the_end_is_a_delivery(phase: str) -> None:
    """That RCPT was accepted says nothing about the message."""
    assert judged(phase, "reply", 250)[0] == "defer"


@pytest.mark.parametrize("code", [300, 334, 354, 399, 100, 199])
def test_nothing_but_2xx_is_a_delivery(code: int) -> None:
    """A server that asks for the message once more has not taken it."""
    assert judged("body", "reply", code) == ("defer", "message")


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("phase", ["auth", "mail", "rcpt"])
def test_a_relay_that_refuses_our_login_is_our_fault(phase: str, code: int) -> None:
    """RFC 4954 §6: a wrong password bounces nobody's mail, wherever the relay says so."""
    assert judged(phase, "reply", code, relay=True) == ("defer", "us")
    assert judged("auth", "auth", code, relay=True) == ("defer", "us")


@pytest.mark.parametrize("relay", [True, False])
def test_what_this_machine_has_run_out_of_is_our_own_fault(relay: bool) -> None:
    """No descriptor and no memory for a socket say nothing about the host that was to be called."""
    assert judged("connect", "short", 451, relay=relay) == ("defer", "us")


def test_an_exchange_that_fails_for_now_is_the_hosts() -> None:
    """454 to AUTH: another host may do."""
    assert judged("auth", "auth", 454, relay=True) == ("defer", "host")
    assert judged("auth", "auth", 504, relay=True) == ("defer", "us")


@pytest.mark.parametrize(("phase", "scope"), [("mail", "message"), ("rcpt", "recipient"), ("data", "message"), ("body", "message")])
def test_a_stranger_that_wants_a_login_refuses_the_mail(phase: str, scope: str) -> None:
    """We have none to give to an MX host: 530 there is a refusal like any 5xx, and the sender learns of it."""
    assert judged(phase, "reply", 530) == ("fail", scope)


@pytest.mark.parametrize("kind", ["refused", "lost", "timeout", "stalled", "tls", "no_tls", "protocol", "unasked"])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("relay", [True, False])
def test_a_session_that_broke_is_the_hosts_fault(phase: str, kind: str, relay: bool) -> None:
    """RFC 5321 §3.8: mail waits, the next host is tried; TLS that is not good enough is never made less."""
    assert judged(phase, kind, 451, relay=relay) == ("defer", "host")


@pytest.mark.parametrize("phase", PHASES)
def test_421_is_a_session_that_broke(phase: str) -> None:
    """Whatever it answers."""
    assert judged(phase, "reply", 421) == ("defer", "host")


@pytest.mark.parametrize("code", [521, 556])
def test_a_host_that_takes_no_mail_at_all_says_so_in_its_greeting(code: int) -> None:
    """RFC 7504 §3: final, but not where the configuration names the host."""
    assert judged("greeting", "reply", code) == ("fail", "host")
    assert judged("greeting", "reply", code, relay=True) == ("defer", "host")


@pytest.mark.parametrize("phase", BEFORE)
@pytest.mark.parametrize("code", [400, 450, 500, 502, 550, 554])
@pytest.mark.parametrize("relay", [True, False])
def test_a_refusal_before_mail_says_nothing_about_the_message(phase: str, code: int, relay: bool) -> None:
    """554 in the greeting may be a blocklist or an overload: another host, another time."""
    assert judged(phase, "reply", code, relay=relay) == ("defer", "host")


@pytest.mark.parametrize(
    ("phase", "code", "verdict", "scope"),
    [
        ("mail", 450, "defer", "message"),
        ("mail", 550, "fail", "message"),
        ("data", 451, "defer", "message"),
        ("data", 554, "fail", "message"),
        ("body", 452, "defer", "message"),
        ("body", 552, "fail", "message"),
        ("rcpt", 450, "defer", "recipient"),
        ("rcpt", 452, "defer", "recipient"),
        ("rcpt", 550, "fail", "recipient"),
        ("rcpt", 599, "fail", "recipient"),
    ],
)
@pytest.mark.parametrize("relay", [True, False])
def test_a_refusal_in_the_transaction(phase: str, code: int, verdict: str, scope: str, relay: bool) -> None:
    """4xx waits, 5xx ends; RCPT is about one recipient, everything else about the message."""
    assert judged(phase, "reply", code, relay=relay) == (verdict, scope)


@pytest.mark.parametrize(("code", "verdict"), [(552, "fail"), (554, "fail"), (553, "fail"), (451, "defer")])
def test_what_we_refuse_ourselves(code: int, verdict: str) -> None:
    """Too large, 8-bit or UTF-8 where the host does not take it: no fault of the host."""
    assert judged("mail", "local", code) == (verdict, "message")


@given(st.sampled_from(PHASES), st.sampled_from(KINDS), st.integers(200, 599), st.booleans())
def test_every_answer_has_a_verdict(phase: str, kind: str, code: int, relay: bool) -> None:
    """Delivered only by 2xx to the content; final only by 5xx; our fault is never final."""
    verdict, scope = judged(phase, kind, code, relay=relay)
    assert verdict in get_args(Verdict)
    assert scope in get_args(Scope)
    assert (verdict == "delivered") == (phase == "body" and kind == "reply" and code // 100 == 2)
    assert verdict in ("delivered", "defer") or code >= 500
    assert scope != "us" or (verdict == "defer" and (relay or kind == "auth"))
