"""The SMTP courier, with real servers on the loopback interface: an outcome for each recipient."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mailer.mail.delivery_options import Request
from mailer.mail.outcome import NOWHERE, Cause, Outcome
from mailer.mail.problem import Problem
from mailer.sink import Moods, Sink
from mailer.transport.courier import SmtpCourier
from mailer.transport.pool import Pool
from mailer.transport.route import Login
from tests.fakes.mail import BODY, NOW, FakeClock
from tests.fakes.script import Hang, Script
from tests.fakes.sockets import closed_port
from tests.transport.called import TIMEOUTS, Deliver, load, play, with_sinks, words

if TYPE_CHECKING:
    from mailer.mail.problem import Kind


def test_a_delivery_says_where_and_under_which_name() -> None:
    """Host, address, port, the reply, and what the next hop calls the message."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        port = sinks[0].port
        (outcome,) = await deliver(load([port], "a@example.net"))
        assert (outcome.verdict, outcome.phase, outcome.code) == ("delivered", "body", 250)
        assert (outcome.hop.host, outcome.hop.ip, outcome.hop.port) == ("mx0.example.net", "127.0.0.1", port)
        assert outcome.queue_id == "4XyZ1abcD"
        assert sinks[0].messages[0].content == BODY
        assert (sinks[0].messages[0].sender, sinks[0].messages[0].recipients) == ("me@example.com", ("a@example.net",))

    with_sinks(scenario, Moods(replies={"body": "250 2.0.0 Ok: queued as 4XyZ1abcD"}))


def test_it_says_when_a_host_takes_mail() -> None:
    """At the moment when the session stands: not before the greeting, and before anything is said about a message."""

    async def run() -> None:
        courier, stood = SmtpCourier(Pool(TIMEOUTS), FakeClock()), []
        async with Sink(Moods(replies={"mail": "451 4.3.0 not now"})) as sink:
            session = courier.session(lambda: stood.append(len(sink.messages)))
            await session.deliver(load([closed_port()], "a@example.net"), lambda: None)
            assert stood == []
            await session.deliver(load([sink.port], "a@example.net"), lambda: None)
            assert stood == [0]
            session.end()
            await courier.close()

    play(run())


def test_each_recipient_has_an_outcome_in_their_order() -> None:
    """Refused, taken, put off: each by its own reply, and the message goes to who was taken."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        outcomes = await deliver(load([sinks[0].port], "550@example.net", "a@example.net", "451@example.net", "b@example.net"))
        assert [outcome.to for outcome in outcomes] == [0, 1, 2, 3]
        assert words(outcomes) == [
            ("fail", "recipient", 550), ("delivered", "recipient", 250), ("defer", "recipient", 451), ("delivered", "recipient", 250),
        ]  # fmt: skip
        assert [message.recipients for message in sinks[0].messages] == [("a@example.net", "b@example.net")]

    with_sinks(scenario, Moods())


def test_more_recipients_than_a_host_takes_go_in_several_transactions() -> None:
    """At once, to the same host, and nobody twice."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        outcomes = await deliver(load([sinks[0].port], *(f"{nth}@example.net" for nth in range(10))))
        assert {outcome.verdict for outcome in outcomes} == {"delivered"}
        taken = [recipient for message in sinks[0].messages for recipient in message.recipients]
        assert sorted(taken) == [f"{nth}@example.net" for nth in range(10)]
        assert len(sinks[0].messages) == 4

    with_sinks(scenario, Moods(max_recipients=3))


@pytest.mark.parametrize("kind", ["try-again", "no-permission", "bad-config"])
def test_a_credential_that_cannot_be_had_waits_for_somebody(kind: Kind) -> None:
    """Whatever is wrong with it, and for however short a time: it is ours, and never the host's."""

    def secret() -> str:
        raise Problem("the refresh token is not accepted any more", kind)

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        given = load([sinks[0].port], "a@example.net", relay=True)
        (hop,) = given.job.route.hops
        given.job.route = replace(given.job.route, hops=(hop._replace(endpoint=replace(hop.endpoint, login=Login("me", secret))),))
        (outcome,) = await deliver(given)
        assert (outcome.verdict, outcome.scope, outcome.cause) == ("defer", "us", Cause.CREDENTIAL)
        assert outcome.told.startswith("mailer: 454")

    with_sinks(scenario, Moods())


def test_a_connection_that_died_while_it_was_idle_is_no_failure() -> None:
    """The host closed it behind its last answer: the next message goes over a new one."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        for _ in range(3):
            assert words(await deliver(load([sinks[0].port], "a@example.net"))) == [("delivered", "recipient", 250)]
        assert sinks[0].count == 3

    with_sinks(scenario, Moods(drops=["after-body"]))


def test_what_we_refuse_ourselves_came_from_nowhere() -> None:
    """A message that is larger than the host takes: final, and no host is blamed."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        (outcome,) = await deliver(load([sinks[0].port], "a@example.net"))
        assert (outcome.verdict, outcome.scope, outcome.enhanced, outcome.hop) == ("fail", "message", "5.3.4", NOWHERE)
        assert sinks[0].count == 0

    with_sinks(scenario, Moods(max_size=10))


def test_a_relay_that_wants_a_password_bounces_nothing() -> None:
    """530 from a host of ours is our mistake; from a stranger it is a refusal."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        assert words(await deliver(load([sinks[0].port], "a@example.net", relay=True))) == [("defer", "us", 530)]
        assert words(await deliver(load([sinks[0].port], "a@example.net"))) == [("fail", "message", 530)]

    with_sinks(scenario, Moods(replies={"mail": "530 5.7.0 authentication required"}))


@pytest.mark.parametrize("offered", [True, False])
def test_what_the_sender_asks_for_is_passed_on_where_it_can_be(offered: bool) -> None:
    """The envelope's options become parameters of MAIL for a host that offers DSN, and are left out elsewhere."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        given = load([sinks[0].port], "ann@example.net", options={"ret": "HDRS", "envid": "Q+1"})
        assert words(await deliver(given)) == [("delivered", "recipient", 250)]
        ((kept,),) = [sinks[0].messages]
        asked = {name.upper(): value for name, value in kept.parameters.items()}
        assert (asked.get("RET"), asked.get("ENVID") is not None) == (("HDRS", True) if offered else (None, False))

    with_sinks(scenario, Moods(offer=("DSN",) if offered else ()))


def spoken(outcome: Outcome) -> list[str]:
    """The dialog of the attempt, each line behind who said it."""
    assert outcome.trace is not None
    return [f"{who}: {text}" for _, who, text in json.loads(outcome.trace.dialog())]


# What was said


def test_an_outcome_knows_what_was_said_at_every_host_that_was_asked() -> None:
    """The first one is down, the second refuses: both are in the dialog of the one outcome, in that order."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        (outcome,) = await deliver(load([closed_port(), sinks[0].port], "451@example.net"))
        told = spoken(outcome)
        assert "calling mx0.example.net" in told[0]
        assert "no connection" in told[1]
        assert "connected to mx1.example.net" in told[2]
        assert "host: 451 4.3.0 try again later" in told

    with_sinks(scenario, Moods())


def test_recipients_of_one_transaction_share_its_moment_and_what_was_said() -> None:
    """So it is kept once for all of them."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        outcomes = await deliver(load([sinks[0].port], "a@example.net", "451@example.net", "550@example.net"))
        assert len({outcome.at for outcome in outcomes}) == 1
        assert len({id(outcome.trace) for outcome in outcomes}) == 1

    with_sinks(scenario, Moods())


def test_what_we_refuse_ourselves_was_said_to_nobody() -> None:
    """No host, and no dialog."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        (outcome,) = await deliver(load([sinks[0].port], "a@example.net", content=BODY * 100))
        assert (outcome.hop, outcome.trace) == (NOWHERE, None)

    with_sinks(scenario, Moods(max_size=1000))


@pytest.mark.parametrize(
    ("protocol", "offer", "owed"), [("smtp", [], ((0, "relayed"),)), ("smtp", ["DSN"], ()), ("lmtp", [], ((0, "delivered"),))]
)
def test_a_host_that_confirms_nothing_leaves_that_to_us(protocol: str, offer: list[str], owed: tuple[tuple[int, str], ...]) -> None:
    """Where the sender asked for it, and only there: RFC 3461 wants a report that says "relayed", or "delivered" behind LMTP."""
    offers = "".join(f"S: 250-{keyword}\n" for keyword in offer)
    asked = " NOTIFY=SUCCESS" if offer else ""
    hello, taken = ("EHLO", "S: 250 ok\n") if protocol == "smtp" else ("LHLO", "S: 250 ok\nS: 250 ok\n")
    script = (
        f"S: 220 mx.example.com\nC: {hello} *\nS: 250-mx.example.com\n{offers}S: 250 8BITMIME\nC: MAIL *\nS: 250 ok\n"
        f"C: RCPT TO:<a@example.net>{asked}\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\nC: DATA\nS: 354 ok\nMESSAGE\n{taken}"
    )

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with Script(script) as peer:
            asked = {"recipients": {"a@example.net": {"notify": "SUCCESS"}}}
            given = load([peer.port], "a@example.net", "b@example.net", options=asked)
            (hop,) = given.job.route.hops
            given.job.route = replace(given.job.route, hops=(hop._replace(endpoint=replace(hop.endpoint, protocol=protocol)),))
            session = courier.session()
            assert [verdict for verdict, _, _ in words(await session.deliver(given, lambda: None))] == ["delivered"] * 2
            session.end()
            await courier.close()
        assert (peer.wrong, session.unconfirmed) == ("", owed)

    play(run())


def test_what_is_asked_for_the_next_message_is_what_went_out_with_this_one() -> None:
    """Its envelope, with the seconds that were left then, is out before its turn comes: time that passes makes it no other message."""
    offers = "S: 220 mx.example.com\nC: EHLO *\nS: 250-mx.example.com\nS: 250-PIPELINING\nS: 250 DELIVERBY 5\n"
    first = "C: MAIL *\nC: RCPT *\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go on\nMESSAGE\n"
    second = "C: MAIL FROM:<me@example.com> BY=120;R\nC: RCPT *\nC: DATA\nS: 250 taken\nS: 250 ok\nS: 250 ok\nS: 354 go on\n"

    async def run() -> None:
        clock = FakeClock()
        courier = SmtpCourier(Pool(TIMEOUTS), clock)
        async with Script(offers + first + second + "MESSAGE\nS: 250 taken\n") as peer:
            one, other = load([peer.port], "a@example.net"), load([peer.port], "b@example.net")
            other = other._replace(asked=lambda: Request(by=int(120 - clock.time + NOW)))
            other.job.route = one.job.route
            session = courier.session()
            assert words(await session.deliver(one, lambda: other)) == [("delivered", "recipient", 250)]
            clock.time += 2
            assert words(await session.deliver(other, lambda: None)) == [("delivered", "recipient", 250)]
            session.end()
            await courier.close()
        assert not peer.wrong

    play(run())


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ([], "greeting"),
        ([b"220 a\r\n"], "ehlo"),
        ([b"220 a\r\n", b"250 a\r\n"], "mail"),
        ([b"220 a\r\n", b"250 a\r\n", b"250 ok\r\n"], "rcpt"),
        ([b"220 a\r\n", b"250 a\r\n", b"250 ok\r\n", b"250 ok\r\n"], "data"),
    ],
)
def test_a_session_knows_the_step_at_which_its_host_is_silent(said: list[bytes], phase: str) -> None:
    """The watchdog asks: in the opening, too, before there is a session that takes mail."""

    async def scenario() -> None:
        session = SmtpCourier(Pool(TIMEOUTS), FakeClock()).session()
        assert session.phase == "connect"
        async with Hang(said[0] if said else b"", said[1:]) as host:
            delivery = asyncio.create_task(session.deliver(load([host.port], "a@example.net"), lambda: None))
            for _ in range(5000):
                if session.phase == phase:
                    break
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.02)
            assert session.phase == phase
            delivery.cancel()
            await asyncio.wait([delivery])

    play(scenario())
