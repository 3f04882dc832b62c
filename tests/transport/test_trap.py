"""The couriers of a sandbox: what is trapped is kept, what is redirected reaches one, and each recipient's outcome says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from mailer.mail.outcome import Cause, Outcome
from mailer.sink import Moods, Sink
from mailer.transport.courier import Load
from mailer.transport.pool import Pool
from mailer.transport.route import Route
from mailer.transport.trap import TrapCourier
from tests.fakes.mail import BODY, NOW, FakeClock, envelope
from tests.transport.called import TIMEOUTS, Deliver, Parcel, load, with_sinks, words


def trapped(place: str, *recipients: str, content: bytes = BODY) -> list[Outcome]:
    """The outcomes of a message that goes into the trap."""
    job = Parcel(Route("sandbox", (), relay=True, transport="trap", place=place), range(len(recipients)))
    courier = TrapCourier(Pool(TIMEOUTS), FakeClock(), lambda *_: None)
    return asyncio.run(courier.session(lambda: None).deliver(Load(job, envelope(*recipients), content), lambda: None))


def test_what_is_trapped_is_delivered_in_our_words() -> None:
    """Each recipient has an outcome of ours, and nobody was called."""
    outcomes = trapped("", "a@example.net", "b@example.org")
    assert [(each.to, each.verdict, each.reply, each.cause, each.ours, each.at) for each in outcomes] == [
        (to, "delivered", "250 2.0.0 trapped", Cause.TRAPPED, True, NOW) for to in (0, 1)
    ]


def test_it_is_kept_as_it_would_have_left(tmp_path: Path) -> None:
    """One file a message below what its envelope said, with the ends of lines of a Maildir; no field of the message's own pretends that."""
    place = tmp_path / "kept"
    trapped(str(place), "a@example.net", "bücher@example.org", content=b"X-Sandbox-Recipients: nobody@example.com\r\n" + BODY)
    [kept] = (place / "new").iterdir()
    head = b"Return-Path: <me@example.com>\nX-Sandbox-Recipients: a@example.net,\n =?utf-8?q?b=C3=BCcher=40example=2Eorg?=\n"
    assert kept.read_bytes() == head + BODY.replace(b"\r\n", b"\n")


def test_where_it_cannot_be_kept_it_waits(tmp_path: Path) -> None:
    """As a trouble of ours, which says what and where; nothing is lost, and nothing is sent."""
    (tmp_path / "kept").write_bytes(b"a file")
    [outcome] = trapped(str(tmp_path / "kept"), "a@example.net")
    assert (outcome.verdict, outcome.scope, outcome.cause) == ("defer", "us", Cause.SETTING)
    assert str(tmp_path / "kept") in outcome.text
    assert "sandbox.keep" in outcome.text


def test_redirected_mail_has_one_recipient_and_says_so_of_each() -> None:
    """Whom it names is not asked about; what the host said stands behind."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        given = load([sinks[0].port], "a@example.net", "b@example.org", "c@example.org")
        given = given._replace(job=replace(given.job, route=replace(given.job.route, instead="dev@here.example")))
        outcomes = await deliver(given)
        assert [message.recipients for message in sinks[0].messages] == [("dev@here.example",)]
        assert [each.to for each in outcomes] == [0, 1, 2]
        assert {each.cause for each in outcomes} == {Cause.REDIRECTED}
        assert {each.text for each in outcomes} == {"redirected to dev@here.example, whose host said: as you wish"}

    with_sinks(scenario, Moods(replies={"body": "250 2.0.0 as you wish"}))


def test_a_refusal_of_redirected_mail_is_the_hosts() -> None:
    """It concerns all, and is no success."""

    async def scenario(deliver: Deliver, sinks: list[Sink]) -> None:
        given = load([sinks[0].port], "a@example.net", "b@example.org")
        given = given._replace(job=replace(given.job, route=replace(given.job.route, instead="dev@here.example")))
        outcomes = await deliver(given)
        assert words(outcomes) == [("fail", "recipient", 550)] * 2
        assert [each.ours for each in outcomes] == [False, False]

    with_sinks(scenario, Moods(refuse={"dev@here.example": "550 5.1.1 no such developer"}))
