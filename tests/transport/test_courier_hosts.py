"""The SMTP courier and the hosts of a destination: in which order, how many, and which of them is left alone."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace

import pytest

from mailer.sink import Moods, Sink
from mailer.transport.courier import MAX_HOSTS, SmtpCourier
from mailer.transport.pool import Pool
from tests.fakes.mail import FakeClock
from tests.fakes.sockets import closed_port
from tests.transport.called import TIMEOUTS, Deliver, load, play, with_sinks, words


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
        (outcome,) = await deliver(load([closed_port(), sinks[0].port, sinks[1].port], "a@example.net"))
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
        never, down = sinks[0].port, closed_port()
        assert words(await deliver(load([never], "a@example.net"))) == [("fail", "host", 521)]
        for ports in ([never, down], [down, never]):
            (outcome,) = await deliver(load(ports, "a@example.net"))
            assert (outcome.verdict, outcome.scope) == ("defer", "host")

    with_sinks(scenario, Moods(replies={"greeting": "521 5.3.2 no mail here"}))


def test_the_number_of_hosts_in_one_attempt_is_bounded() -> None:
    """A long list of dead hosts must not hold a session for hours."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        dead = [closed_port() for _ in range(MAX_HOSTS)]
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
                route = given.job.route
                hops = tuple(hop._replace(endpoint=replace(hop.endpoint, hello="Here.Example.com")) for hop in route.hops)
                given.job.route = replace(route, hops=hops)
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
            given.job.route = replace(
                given.job.route, hops=tuple(hop._replace(endpoint=replace(hop.endpoint, hello=hello)) for hop in given.job.route.hops)
            )
            session = courier.session()
            assert words(await session.deliver(given, lambda: None)) == [("delivered", "recipient", 250)]
            session.end()
        await courier.close()

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
