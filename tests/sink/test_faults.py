"""The sink's moods: how it misbehaves when it is told to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailer.sink import Moods, Sink
from mailer.sink.faults import reply
from tests.sink.peer import Peer
from tests.sink.served import GOOD, with_peer, with_sink


@pytest.mark.parametrize(
    ("phase", "line", "before"),
    [
        ("ehlo", "EHLO x", []),
        ("helo", "HELO x", []),
        ("mail", "MAIL FROM:<>", []),
        ("rcpt", "RCPT TO:<c@d.example>", ["MAIL FROM:<>"]),
        ("data", "DATA", ["MAIL FROM:<>", "RCPT TO:<c@d.example>"]),
        ("body", ".", ["MAIL FROM:<>", "RCPT TO:<c@d.example>", "DATA"]),
        ("rset", "RSET", []),
        ("noop", "NOOP", []),
        ("vrfy", "VRFY x", []),
        ("help", "HELP", []),
        ("quit", "QUIT", []),
    ],
)
def test_any_code_at_any_phase(phase: str, line: str, before: list[str]) -> None:
    """`replies` answers a phase with what was ordered, and a refused message is not kept."""

    async def test(sink: Sink, peer: Peer) -> None:
        for earlier in before:
            await peer.say(earlier)
        (answer,) = await peer.say(line)
        assert (answer.code, answer.text) == (471, "on order")
        assert sink.count == 0

    with_peer(test, Moods(replies={phase: "471 4.7.9 on order"}))


def test_greetings_on_order() -> None:
    """The greeting can be a refusal, with or without closing the connection."""

    async def test(sink: Sink) -> None:
        async with Peer(sink.port) as peer:
            assert peer.greeting.code == 554
            assert await peer.code("EHLO x") == 503
        sink.moods = Moods(replies={"greeting": "421 come back later"})
        async with Peer(sink.port) as peer:
            assert peer.greeting.code == 421
            assert await peer.gone()

    with_sink(test, Moods(replies={"greeting": "554"}))


def test_recipients_on_order() -> None:
    """An address, or a whole domain, is refused; letters have no case."""

    async def test(sink: Sink, peer: Peer) -> None:
        await peer.say("MAIL FROM:<>")
        answers = await peer.say("RCPT TO:<NoBody@d.example>", "RCPT TO:<x@No.example>", "RCPT TO:<c@d.example>")
        assert answers == [reply("550 5.1.1 nobody"), reply("451 4.2.0 later"), reply("250 2.1.5 recipient ok")]
        await peer.say("DATA")
        await peer.say(".")
        assert sink.messages[0].recipients == ("c@d.example",)

    with_peer(test, Moods(refuse={"nobody@D.example": "550 5.1.1 nobody", "@no.example": "451 4.2.0 later"}))


def test_greylisting() -> None:
    """A pair of sender and recipient waits from its first try on; another pair has its own clock."""

    async def test(_: Sink, peer: Peer) -> None:
        assert await peer.send() == [250, 451]
        assert await peer.send() == [250, 451]
        await asyncio.sleep(0.11)
        assert await peer.send(sender="other@b.example") == [250, 451]
        assert await peer.send() == GOOD

    with_peer(test, Moods(greylist=0.1))


def test_only_every_so_often() -> None:
    """`every` 3 misbehaves each third time, `first` 1 only once."""

    async def third(_: Sink, peer: Peer) -> None:
        assert [await peer.code("NOOP") for _ in range(6)] == [250, 250, 450, 250, 250, 450]

    async def once(_: Sink, peer: Peer) -> None:
        assert [await peer.code("NOOP") for _ in range(3)] == [450, 250, 250]

    async def third_once(_: Sink, peer: Peer) -> None:
        assert [await peer.code("NOOP") for _ in range(6)] == [250, 250, 450, 250, 250, 250]

    with_peer(third, Moods(replies={"noop": "450"}, every=3))
    with_peer(once, Moods(replies={"noop": "450"}, first=1))
    with_peer(third_once, Moods(replies={"noop": "450"}, every=3, first=1))


def test_slow_answers_hold_up_what_follows_and_nothing_else() -> None:
    """A delayed answer comes after its time and in its place; other connections are served meanwhile."""

    async def in_its_place(_: Sink, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        peer.writer.write(b"RSET\r\nNOOP\r\nVRFY x\r\n")
        assert [(await peer.reply()).code for _ in range(3)] == [250, 250, 252]
        assert loop.time() - start >= 0.05

    async def meanwhile(sink: Sink, peer: Peer) -> None:
        peer.writer.write(b"RSET\r\nNOOP\r\n")
        assert (await peer.reply()).code == 250
        delayed = asyncio.create_task(peer.reply())
        async with Peer(sink.port) as other:
            assert await other.code("VRFY x") == 252
        assert not delayed.done()
        delayed.cancel()

    with_peer(in_its_place, Moods(delays={"noop": 0.05}))
    with_peer(meanwhile, Moods(delays={"noop": 3600}))


def test_a_slow_refusal_is_both() -> None:
    """A delay changes when a recipient is answered, not what the answer is."""

    async def test(_: Sink, peer: Peer) -> None:
        assert await peer.send("550@d.example") == [250, 550]
        assert await peer.send("no@d.example") == [250, 551]

    with_peer(test, Moods(delays={"rcpt": 0.01}, refuse={"no@d.example": "551"}))


@pytest.mark.slow
def test_a_client_that_pipelines_into_a_delay_is_held_back() -> None:
    """What piles up behind a delayed answer is bounded, and all of it is answered in the end."""

    async def test(sink: Sink, peer: Peer) -> None:
        peer.writer.write(b"VRFY x\r\n" + b"NOOP\r\n" * 100_000)
        await asyncio.sleep(0.1)
        (session,) = sink.sessions
        assert session.machine.waiting < 200_000
        replies = [await peer.reply() for _ in range(100_001)]
        assert replies[0].code == 252
        assert {answer.code for answer in replies[1:]} == {250}

    with_peer(test, Moods(delays={"vrfy": 0.3}, first=1))


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "body", "content"])
def test_the_connection_is_dropped_instead_of_an_answer(phase: str) -> None:
    """The answers before it have come, that one does not, and no message is kept."""

    async def test(sink: Sink, peer: Peer) -> None:
        with pytest.raises((EOFError, ConnectionError)):
            await peer.send()
        assert sink.count == 0

    with_peer(test, Moods(drops=[phase]))


def test_dropped_with_the_message_kept() -> None:
    """`kept` is the window in which mail is delivered twice: the message is here, and the client was not told."""

    async def test(sink: Sink, peer: Peer) -> None:
        with pytest.raises((EOFError, ConnectionError)):
            await peer.send()
        assert sink.count == 1

    with_peer(test, Moods(drops=["kept"]))


def test_dropped_behind_the_answer() -> None:
    """`after-body` says 250 and closes."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert await peer.send() == GOOD
        assert await peer.gone()
        assert sink.count == 1

    with_peer(test, Moods(drops=["after-body"]))


def test_too_many_connections() -> None:
    """One more than allowed is greeted with 421."""

    async def test(sink: Sink) -> None:
        async with Peer(sink.port) as first, Peer(sink.port) as second:
            assert (first.greeting.code, second.greeting.code) == (220, 421)
            assert await second.gone()
        while sink.sessions:
            await asyncio.sleep(0.01)
        async with Peer(sink.port) as third:
            assert third.greeting.code == 220

    with_sink(test, Moods(max_connections=1))


def test_limits_and_extensions_on_order() -> None:
    """Size, recipients, hidden and offered extensions are those of the moods."""

    async def test(_: Sink, peer: Peer) -> None:
        (ehlo,) = await peer.say("EHLO x")
        assert ehlo.lines == ("sink.localhost", "SIZE 50", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "XFOO bar")
        assert await peer.code("MAIL FROM:<> SIZE=51") == 552
        assert [r.code for r in await peer.say("MAIL FROM:<>", "RCPT TO:<a@b.example>", "RCPT TO:<c@d.example>")] == [250, 250, 452]
        assert await peer.code("DATA") == 354
        assert (await peer.say("x" * 60, ".", count=1))[0].code == 552

    with_peer(test, Moods(hide=["pipelining"], offer=["XFOO bar"], max_size=50, max_recipients=1))


def test_a_client_that_says_nothing_is_sent_away() -> None:
    """After `idle` seconds of silence, 421."""

    async def test(_: Sink, peer: Peer) -> None:
        assert (await peer.reply()).code == 421
        assert await peer.gone()

    with_peer(test, idle=0.1)


@pytest.mark.parametrize(
    ("recipient", "codes"),
    [
        ("550", [250, 550]),
        ("451+7", [250, 451]),
        ("data-452", [250, 250, 452]),
        ("body-554", [250, 250, 354, 554]),
        ("Body-451", [250, 250, 354, 451]),
        ("slow-0", GOOD),
        ("551x", GOOD),
        ("250", GOOD),
    ],
)
def test_magic_recipients_that_answer(recipient: str, codes: list[int]) -> None:
    """The local part says what happens; what only looks like it is an address like others."""

    async def test(_: Sink, peer: Peer) -> None:
        assert await peer.send(f"{recipient}@d.example") == codes

    with_peer(test)


def test_the_magic_of_greylisting() -> None:
    """``greylist@`` is refused once for each sender and tag."""

    async def test(_: Sink, peer: Peer) -> None:
        assert [await peer.send(f"greylist{tag}@d.example") for tag in ("", "+1", "", "+1")] == [[250, 451], [250, 451], GOOD, GOOD]

    with_peer(test)


@pytest.mark.parametrize(("recipient", "kept"), [("drop", 0), ("drop-body", 0), ("drop-kept", 1)])
def test_magic_recipients_that_drop(recipient: str, kept: int) -> None:
    """``drop@`` and its kin close the connection, and only ``drop-kept@`` keeps the message."""

    async def test(sink: Sink, peer: Peer) -> None:
        with pytest.raises((EOFError, ConnectionError)):
            await peer.send(f"{recipient}@d.example")
        assert sink.count == kept

    with_peer(test)


def test_the_magic_of_silence() -> None:
    """``timeout@`` is never answered, and the connection stays."""

    async def test(_: Sink, peer: Peer) -> None:
        await peer.say("MAIL FROM:<>")
        peer.writer.write(b"RCPT TO:<timeout@d.example>\r\nNOOP\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.reply(), 0.1)

    with_peer(test)


def test_without_magic_they_are_recipients() -> None:
    """`magic` False takes mail for ``550@``."""

    async def test(_: Sink, peer: Peer) -> None:
        assert await peer.send("550@d.example") == GOOD
        assert await peer.send("drop-body@d.example") == GOOD

    with_peer(test, Moods(magic=False))


@pytest.mark.parametrize(
    "wrong",
    [
        {"replies": {"mial": "450"}},
        {"replies": {"mail": "150 no"}},
        {"replies": {"mail": "450 4.7.1 two\r\nlines"}},
        {"delays": {"mail": -1}},
        {"drops": ["nowhere"]},
        {"refuse": {"a@b.example": "no"}},
        {"every": 0},
        {"first": -1},
    ],
)
def test_moods_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    """A mistake in moods is a `ValueError` when they are made."""
    with pytest.raises(ValueError, match=r"."):
        Moods(**wrong)
