"""The SMTP courier, with real servers on the loopback interface: hosts in their order, and an outcome for each recipient."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from mailer.delivery.attempt import Attempt, Job
from mailer.delivery.courier import MAX_HOSTS, Load, SmtpCourier
from mailer.delivery.router import Stop, Way
from mailer.mail.cause import Cause
from mailer.mail.failure import Failure
from mailer.mail.history import History
from mailer.mail.outcome import NOWHERE, Outcome
from mailer.net.endpoint import Endpoint, Login, Timeouts
from mailer.net.pool import Pool
from mailer.sink import Moods, Sink
from mailer.spool import Entry
from mailer.trust.requirement import Requirement
from tests.fakes.mail import BODY, NOW, FakeClock, Machine, envelope
from tests.fakes.script import Script

from .post import play

TIMEOUTS = Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1)


def dead_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def load(
    ports: Sequence[int], *recipients: str, content: bytes = BODY, relay: bool = False, addresses: Sequence[str] = ("127.0.0.1",)
) -> Load:
    """A job for `recipients` whose way leads to these ports, in order, each at all `addresses`."""
    letter = envelope(*recipients)
    stops = [Stop(Endpoint(f"mx{nth}.example.net", port, Requirement("none")), addresses, relay) for nth, port in enumerate(ports)]
    entry = Entry(letter.id, "queued", letter, len(content), History(len(recipients)), 0.0, NOW)
    return Load(Job(Attempt(entry, NOW), Way("destination", tuple(stops), relay), range(len(recipients))), content)


Deliver = Callable[[Load], Coroutine[Any, Any, list[Outcome]]]
Scenario = Callable[[Deliver, list[Sink]], Coroutine[Any, Any, None]]


def with_sinks(scenario: Scenario, *moods: Moods) -> None:
    """Run it with a sink for each of `moods`, and with one session of a courier."""

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with AsyncExitStack() as stack:
            sinks = [await stack.enter_async_context(Sink(mood)) for mood in moods]
            session = courier.session()
            try:
                await scenario(lambda given: session.deliver(given, lambda: None), sinks)
            finally:
                session.end()
                await courier.close()

    play(run())


def words(outcomes: Sequence[Outcome]) -> list[tuple[str, str, int]]:
    return [(outcome.verdict, outcome.scope, outcome.code) for outcome in outcomes]


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
            await session.deliver(load([dead_port()], "a@example.net"), lambda: None)
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


@pytest.mark.parametrize(
    ("phase", "reply"),
    [
        ("greeting", "421 4.3.2 not now"), ("greeting", "554 5.7.1 go away"), ("greeting", "521 no"), ("greeting", ""),
        ("ehlo", "421 4.3.2 not now"), ("mail", "421 4.3.2 not now"), ("mail", ""), ("content", ""),
    ],
)  # fmt: skip
def test_another_host_is_tried_while_the_trouble_is_the_hosts(phase: str, reply: str) -> None:
    """It refuses to talk, or breaks off."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        (outcome,) = await deliver(load([dead_port(), sinks[0].port, sinks[1].port], "a@example.net"))
        assert words([outcome]) == [("delivered", "recipient", 250)]
        assert outcome.hop.host == "mx2.example.net"
        assert [sink.count for sink in sinks] == [0, 1]

    with_sinks(scenario, Moods(replies={phase: reply}) if reply else Moods(drops=[phase]), Moods())


@pytest.mark.parametrize(("phase", "reply"), [("mail", "550"), ("data", "451"), ("body", "554"), ("rcpt", "450")])
def test_no_other_host_is_asked_for_a_better_answer(phase: str, reply: str) -> None:
    """A refusal of the message or of a recipient is an answer."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        (outcome,) = await deliver(load([sinks[0].port, sinks[1].port], "a@example.net"))
        assert outcome.verdict in ("fail", "defer")
        assert outcome.hop.host == "mx0.example.net"
        assert [sink.count for sink in sinks] == [0, 0]

    with_sinks(scenario, Moods(replies={phase: reply}), Moods())


def test_mail_is_given_up_only_if_no_host_could_ever_take_it() -> None:
    """RFC 7504: 521 is about one host. One that is only down may take the mail tomorrow, in whatever order they were asked."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        never, down = sinks[0].port, dead_port()
        assert words(await deliver(load([never], "a@example.net"))) == [("fail", "host", 521)]
        for ports in ([never, down], [down, never]):
            (outcome,) = await deliver(load(ports, "a@example.net"))
            assert (outcome.verdict, outcome.scope) == ("defer", "host")

    with_sinks(scenario, Moods(replies={"greeting": "521 5.3.2 no mail here"}))


def test_the_number_of_hosts_in_one_attempt_is_bounded() -> None:
    """A long list of dead hosts must not hold a session for hours."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        dead = [dead_port() for _ in range(MAX_HOSTS)]
        (outcome,) = await deliver(load([*dead, sinks[0].port], "a@example.net"))
        assert (outcome.verdict, outcome.scope, outcome.phase) == ("defer", "host", "connect")
        assert (await deliver(load([*dead[1:], sinks[0].port], "a@example.net")))[0].verdict == "delivered"

    with_sinks(scenario, Moods())


def test_an_address_that_does_not_answer_is_not_waited_for() -> None:
    """RFC 8305: the next address of the host is called a moment later, long before the first has run into its time-out."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.2", sinks[0].port))
            silent.listen(0)
            fillers = [socket.socket() for _ in range(3)]  # whoever comes to a full queue hears nothing
            try:
                for filler in fillers:
                    filler.setblocking(False)
                    filler.connect_ex(("127.0.0.2", sinks[0].port))
                began = asyncio.get_running_loop().time()
                (outcome,) = await deliver(load([sinks[0].port], "a@example.net", addresses=("127.0.0.2", "127.0.0.1")))
                assert asyncio.get_running_loop().time() - began < TIMEOUTS.connect / 2
                assert (outcome.verdict, outcome.hop.ip) == ("delivered", "127.0.0.1")
            finally:
                for filler in fillers:
                    filler.close()

    with_sinks(scenario, Moods())


@pytest.mark.parametrize("code", [75, 77, 78])
def test_a_credential_that_cannot_be_had_waits_for_somebody(code: int) -> None:
    """Whatever is wrong with it, and for however short a time: it is ours, and never the host's."""

    def secret() -> str:
        raise Failure("the refresh token is not accepted any more", code)

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        given = load([sinks[0].port], "a@example.net", relay=True)
        (stop,) = given.job.way.stops
        given.job.way = replace(given.job.way, stops=(stop._replace(endpoint=replace(stop.endpoint, login=Login("me", secret))),))
        (outcome,) = await deliver(given)
        assert (outcome.verdict, outcome.scope, outcome.cause) == ("defer", "us", Cause.CREDENTIAL)
        assert outcome.told.startswith("mailer: 454")

    with_sinks(scenario, Moods())


def test_each_address_of_a_host_is_tried_once() -> None:
    """One machine of a host that breaks off in the middle of a message says nothing about the next.

    What is told is what happened at the one that got furthest, with the other beside it.
    """

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        (outcome,) = await deliver(load([sinks[0].port], "a@example.net", addresses=("127.0.0.1", "127.0.0.2")))
        assert (outcome.verdict, outcome.scope, outcome.phase, outcome.hop.ip) == ("defer", "host", "body", "127.0.0.1")
        assert outcome.besides == "127.0.0.2: no connection: Connection refused"
        assert outcome.trace is not None
        assert {"connect", "greeting", "ehlo", "mail"} <= set(json.loads(outcome.trace.steps()))
        assert [text for text in ("[127.0.0.1]", "[127.0.0.2]") if text not in outcome.trace.dialog()] == []

    with_sinks(scenario, Moods(drops=["content"]))


def test_the_addresses_of_one_attempt_are_bounded() -> None:
    """Whichever hosts they belong to."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        nobody = tuple(f"127.0.0.{last}" for last in range(2, 2 + MAX_HOSTS))
        (outcome,) = await deliver(load([sinks[0].port], "a@example.net", addresses=(*nobody, "127.0.0.1")))
        assert (outcome.verdict, outcome.phase) == ("defer", "connect")
        assert (await deliver(load([sinks[0].port], "a@example.net", addresses=(*nobody[1:], "127.0.0.1"))))[0].verdict == "delivered"

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
        given = load([sinks[0].port], "ann@example.net")
        given.envelope.options = {"ret": "HDRS", "envid": "Q+1"}
        assert words(await deliver(given)) == [("delivered", "recipient", 250)]
        ((kept,),) = [sinks[0].messages]
        asked = {name.upper(): value for name, value in kept.parameters.items()}
        assert (asked.get("RET"), asked.get("ENVID") is not None) == (("HDRS", True) if offered else (None, False))

    with_sinks(scenario, Moods(offer=("DSN",) if offered else ()))


def test_options_that_nobody_could_ask_for_stop_no_mail() -> None:
    """A file that somebody else wrote may hold anything there."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        given = load([sinks[0].port], "ann@example.net")
        given.envelope.options = {"ret": ["x"], "priority": "high"}
        assert words(await deliver(given)) == [("delivered", "recipient", 250)]

    with_sinks(scenario, Moods())


def test_a_host_that_greets_us_by_our_own_name_is_a_loop() -> None:
    """It hears nothing of the message, and the next host is asked; a relay may call itself whatever it likes."""

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with Sink(Moods(), name="here.example.com") as mirror, Sink(Moods()) as other:
            for ports, relay, told in (
                ([mirror.port], False, ("fail", "host", 554)),
                ([mirror.port, other.port], False, ("delivered", "recipient", 250)),
                ([mirror.port], True, ("delivered", "recipient", 250)),
            ):
                given = load(ports, "a@example.net", relay=relay)
                way = given.job.way
                stops = tuple(stop._replace(endpoint=replace(stop.endpoint, hello="Here.Example.com")) for stop in way.stops)
                given.job.way = replace(way, stops=stops)
                session = courier.session()
                outcomes = await session.deliver(given, lambda: None)
                session.end()
                assert words(outcomes) == [told]
            assert outcomes[0].hop.host == "mx0.example.net"
        await courier.close()

    play(run())


@pytest.mark.parametrize("hello", ["localhost", "localhost.localdomain", "debian"])
def test_a_name_that_many_have_is_no_loop(hello: str) -> None:
    """Two machines that nobody named deliver to each other."""

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with Sink(Moods(), name=hello) as sink:
            given = load([sink.port], "a@example.net")
            given.job.way = replace(
                given.job.way, stops=tuple(stop._replace(endpoint=replace(stop.endpoint, hello=hello)) for stop in given.job.way.stops)
            )
            session = courier.session()
            assert words(await session.deliver(given, lambda: None)) == [("delivered", "recipient", 250)]
            session.end()
        await courier.close()

    play(run())


@pytest.mark.parametrize(("options", "said"), [({"by": 120}, b"BY=70;R"), ({"by": 30, "by_return": False}, b"BY=-20;N")])
def test_the_next_host_gets_what_is_left_of_the_time(options: dict[str, object], said: bytes) -> None:
    """RFC 2852: the seconds that the message has waited here are not the next host's to use."""
    script = "S: 220 mx.example.com\nC: EHLO *\nS: 250-mx.example.com\nS: 250 DELIVERBY 5\nC: MAIL *\nS: 451 4.7.1 later\n"

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with Script(script) as peer:
            given = load([peer.port], "a@example.net")
            given.job.attempt.entry.envelope.options = options
            given.job.attempt.entry.arrived = NOW - 50
            session = courier.session()
            assert words(await session.deliver(given, lambda: None)) == [("defer", "message", 451)]
            session.end()
            await courier.close()
        assert said in peer.received

    play(run())


def test_the_time_that_is_left_is_no_matter_of_the_wall_clock() -> None:
    """RFC 2852: who wanted it there within two minutes gave us two minutes, though the clock is set by an hour meanwhile."""
    script = "S: 220 mx.example.com\nC: EHLO *\nS: 250-mx.example.com\nS: 250 DELIVERBY 5\nC: MAIL *\nS: 451 4.7.1 later\n"

    async def run() -> None:
        machine = Machine()
        courier = SmtpCourier(Pool(TIMEOUTS), machine.clock)
        machine.passes(20.0)
        machine.set(3600.0)
        machine.clock.check()
        machine.passes(30.0)
        async with Script(script) as peer:
            given = load([peer.port], "a@example.net")
            given.job.attempt.entry.envelope.options = {"by": 120}
            session = courier.session()
            await session.deliver(given, lambda: None)
            session.end()
            await courier.close()
        assert b"BY=70;R" in peer.received

    play(run())


@pytest.mark.parametrize("phase", ["greeting", "mail"])
def test_a_host_that_failed_is_tried_last_for_a_while(phase: str) -> None:
    """The first message finds it out; those after it, on whatever connection, go to the next host although this one would take them."""

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with Sink(Moods(replies={phase: "421 4.3.2 not now"}, first=1)) as bad, Sink() as good:
            for nth in range(3):
                session = courier.session()
                outcomes = await session.deliver(load([bad.port, good.port], f"{nth}@example.net"), lambda: None)
                assert words(outcomes) == [("delivered", "recipient", 250)]
                session.end()
                assert session.dialled == (0 if nth else 2)  # the good one waited in the pool
            assert (len(bad.messages), len(good.messages)) == (0, 3)
            session = courier.session()
            assert words(await session.deliver(load([bad.port], "x@example.net"), lambda: None)) == [("delivered", "recipient", 250)]
            session.end()
            assert len(bad.messages) == 1  # where there is no other host, it is tried as ever
            await courier.close()

    play(run())


# What was said


def spoken(outcome: Outcome) -> list[str]:
    """The dialog of the attempt, each line behind who said it."""
    assert outcome.trace is not None
    return [f"{who}: {text}" for _, who, text in json.loads(outcome.trace.dialog())]


def test_an_outcome_knows_what_was_said_at_every_host_that_was_asked() -> None:
    """The first one is down, the second refuses: both are in the dialog of the one outcome, in that order."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        (outcome,) = await deliver(load([dead_port(), sinks[0].port], "451@example.net"))
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


@pytest.mark.parametrize(("offer", "owed"), [([], ((0, "relayed"),)), (["DSN"], ())])
def test_a_host_that_confirms_nothing_leaves_that_to_us(offer: list[str], owed: tuple[tuple[int, str], ...]) -> None:
    """Where the sender asked for it, and only there: RFC 3461 wants a report that says "relayed"."""
    offers = "".join(f"S: 250-{keyword}\n" for keyword in offer)
    asked = " NOTIFY=SUCCESS" if offer else ""
    script = (
        f"S: 220 mx.example.com\nC: EHLO *\nS: 250-mx.example.com\n{offers}S: 250 8BITMIME\nC: MAIL *\nS: 250 ok\n"
        f"C: RCPT TO:<a@example.net>{asked}\nS: 250 ok\nC: RCPT TO:<b@example.net>\nS: 250 ok\nC: DATA\nS: 354 ok\nMESSAGE\nS: 250 ok\n"
    )

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with Script(script) as peer:
            given = load([peer.port], "a@example.net", "b@example.net")
            given.job.attempt.entry.envelope.options = {"recipients": {"a@example.net": {"notify": "SUCCESS"}}}
            session = courier.session()
            assert [verdict for verdict, _, _ in words(await session.deliver(given, lambda: None))] == ["delivered"] * 2
            session.end()
            await courier.close()
        assert (peer.wrong, given.job.attempt.owed) == ("", owed)

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
            other.job.attempt.entry.envelope.options = {"by": 120}
            other.job.way = one.job.way
            session = courier.session()
            assert words(await session.deliver(one, lambda: other)) == [("delivered", "recipient", 250)]
            clock.time += 2
            assert words(await session.deliver(other, lambda: None)) == [("delivered", "recipient", 250)]
            session.end()
            await courier.close()
        assert not peer.wrong

    play(run())
