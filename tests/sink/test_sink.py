"""The sink over real connections: what it takes, and how it misbehaves when it is told to."""

from __future__ import annotations

import asyncio
import mailbox
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailer.mail.failure import Failure
from mailer.sink import Moods, Received, Sink, SinkThread
from mailer.sink.certificate import context, self_signed
from mailer.sink.moods import reply
from mailer.sink.received import Refusal
from tests.fakes import waiting
from tests.sink.peer import Peer

GOOD = [250, 250, 354, 250]


def with_sink(test: Callable[[Sink], Awaitable[None]], moods: Moods | None = None, **settings: Any) -> None:
    """Run `test` against a sink."""

    async def run() -> None:
        async with Sink(moods, **settings) as sink:
            await asyncio.wait_for(test(sink), 30)

    waiting.run(run())


def with_peer(test: Callable[[Sink, Peer], Awaitable[None]], moods: Moods | None = None, **settings: Any) -> None:
    """Run `test` against a sink to which a client has said EHLO."""

    async def run(sink: Sink) -> None:
        async with Peer(sink.port) as peer:
            await peer.say("EHLO client.example")
            await test(sink, peer)

    with_sink(run, moods, **settings)


# -- taking mail


def test_a_message_is_kept_with_its_envelope() -> None:
    """Sender, recipients, content without the doubled dots, and who sent it."""

    async def test(sink: Sink, peer: Peer) -> None:
        await peer.say("MAIL FROM:<a@b.example> BODY=8BITMIME", "RCPT TO:<c@d.example>", "RCPT TO:<e@f.example>", "DATA")
        await peer.say("Subject: x", "", "..y", ".", count=1)
        (received,) = await sink.received(1)
        assert received == Received(
            "a@b.example", ("c@d.example", "e@f.example"), b"Subject: x\r\n\r\n.y\r\n", "127.0.0.1", "", "", "client.example",
            received.at, {"BODY": "8BITMIME"},
        )  # fmt: skip

    with_peer(test)


def test_answers_to_one_segment_come_in_one() -> None:
    """However many commands arrive together, there is one write."""

    async def test(_: Sink, peer: Peer) -> None:
        peer.writer.write(b"NOOP\r\n" * 200)
        assert await peer.reader.read(65536) == b"250 2.0.0 ok\r\n" * 200

    with_peer(test)


def test_messages_in_a_maildir(tmp_path: Path) -> None:
    """Any program that reads a Maildir finds them, with the envelope above and nothing else changed."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert await peer.send(text="Subject: x\r\n\r\n..y") == GOOD
        assert await peer.send(sender="") == GOOD
        assert sink.messages == []
        assert sink.count == 2

    with_peer(test, maildir=str(tmp_path / "mail"))
    first, second = sorted((tmp_path / "mail" / "new").iterdir())
    assert first.read_bytes() == b"Return-Path: <a@b.example>\r\nDelivered-To: c@d.example\r\nSubject: x\r\n\r\n.y\r\n"
    assert second.read_bytes().startswith(b"Return-Path: <>\r\n")
    assert not list((tmp_path / "mail" / "tmp").iterdir())
    assert [message["Subject"] for message in mailbox.Maildir(tmp_path / "mail")] == ["x", "x"]


def test_a_message_that_cannot_be_kept_is_not_acknowledged(tmp_path: Path) -> None:
    """Where the Maildir fails, the answer is 452 and nothing counts as taken."""

    async def test(sink: Sink, peer: Peer) -> None:
        (tmp_path / "tmp").rename(tmp_path / "gone")
        assert await peer.send() == [250, 250, 354, 452]
        assert sink.count == 0

    with_peer(test, maildir=str(tmp_path))


def test_a_maildir_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file in the way is a `Failure` at once, not at the first message."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure):
        Sink(maildir=str(tmp_path / "file" / "mail"))


def test_counting_keeps_nothing() -> None:
    """With `keep` False there is a count of messages and octets, and no list."""

    async def test(sink: Sink, peer: Peer) -> None:
        await peer.send()
        assert (sink.count, sink.octets, sink.messages) == (1, len("Subject: x\r\n\r\ny\r\n"), [])

    with_peer(test, keep=False)


def test_waiting_for_messages_has_an_end() -> None:
    """`received` raises `TimeoutError` when they do not come."""

    async def test(sink: Sink) -> None:
        with pytest.raises(TimeoutError):
            await sink.received(1, 0.01)

    with_sink(test)


def test_closing_drops_whoever_is_connected() -> None:
    """`close` does not wait for clients that stay, whatever they are doing."""

    async def run() -> None:
        async with Sink(Moods(delays={"noop": 1000})) as sink, Peer(sink.port) as idle, Peer(sink.port) as waiting:
            waiting.writer.write(b"NOOP\r\n")
            await asyncio.sleep(0.01)
            await sink.close()
            assert await idle.gone()
            assert await waiting.gone()
            assert not sink.sessions

    waiting.run(run())


def test_in_a_thread_of_its_own() -> None:
    """`SinkThread` serves code without an event loop, and takes new moods while it runs."""
    with SinkThread(Moods(refuse={"@no.example": "550 5.7.1 go away"})) as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.sendmail("a@b.example", "c@d.example", "Subject: x\n\ny\n")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("a@b.example", "c@no.example", "Subject: x\n\ny\n")
        sink.moods = Moods()
        client.sendmail("a@b.example", "c@no.example", "Subject: x\n\ny\n")
        assert [message.recipients for message in sink.received(2)] == [("c@d.example",), ("c@no.example",)]
        assert (sink.count, len(sink.messages), sink.moods) == (2, 2, Moods())


def test_a_thread_says_why_it_cannot_start() -> None:
    """The error of a port that is taken reaches who asked for it."""
    with SinkThread() as sink, pytest.raises(OSError, match="in use"), SinkThread(port=sink.port):
        pass


# -- moods


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

    async def test(sink: Sink, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        peer.writer.write(b"RSET\r\nNOOP\r\nVRFY x\r\n")
        assert (await peer.reply()).code == 250
        async with Peer(sink.port) as other:
            assert await other.code("VRFY x") == 252
        assert loop.time() - start < 0.2
        assert [(await peer.reply()).code for _ in range(2)] == [250, 252]
        assert loop.time() - start >= 0.2

    with_peer(test, Moods(delays={"noop": 0.2}))


def test_a_slow_refusal_is_both() -> None:
    """A delay changes when a recipient is answered, not what the answer is."""

    async def test(_: Sink, peer: Peer) -> None:
        assert await peer.send("550@d.example") == [250, 550]
        assert await peer.send("no@d.example") == [250, 551]

    with_peer(test, Moods(delays={"rcpt": 0.01}, refuse={"no@d.example": "551"}))


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


def test_what_is_told() -> None:
    """Each message and each refusal is told at once, the machine's own refusals and drops too."""
    told: list[Received | Refusal] = []

    async def test(_: Sink, peer: Peer) -> None:
        await peer.send()
        await peer.send("550@d.example")
        await peer.say("XYZZY")
        with pytest.raises((EOFError, ConnectionError)):
            await peer.send("drop@d.example")

    with_peer(test, told=told.append)
    message, *refusals = told
    assert isinstance(message, Received)
    assert [refusal._replace(at=0) for refusal in refusals if isinstance(refusal, Refusal)] == [
        Refusal("rcpt", 550, "5.1.1", "no such mailbox", "127.0.0.1", "a@b.example", "550@d.example"),
        Refusal("?", 500, "5.5.1", "there is no such command", "127.0.0.1"),
        Refusal("rcpt", 0, "", "connection dropped", "127.0.0.1", "a@b.example"),
    ]


# -- TLS and AUTH


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_side(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


@pytest.fixture
def client_side(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


def test_mail_over_starttls(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> None:
    """After the handshake the session begins anew, and the message knows its TLS version."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS"))[0].code == 220
        await peer.start_tls(client_side)
        assert await peer.code("MAIL FROM:<>") == 503
        assert "STARTTLS" not in (await peer.say("EHLO again.example"))[0].lines
        assert await peer.send() == GOOD
        assert sink.messages[0].tls == "TLSv1.3"

    with_peer(test, tls=server_side)


def test_commands_smuggled_before_the_handshake_are_not_carried_out(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> None:
    """Commands in the same segment as STARTTLS are gone after it."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS", "EHLO evil", "MAIL FROM:<evil@b.example>", count=1))[0].code == 220
        await peer.start_tls(client_side)
        assert (await peer.say("NOOP"))[0].code == 250
        assert await peer.code("RCPT TO:<c@d.example>") == 503
        (session,) = sink.sessions
        assert (session.machine.hello, session.machine.sender, session.machine.discarded) == ("", "", 39)

    with_peer(test, tls=server_side)


def test_mail_over_implicit_tls(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> None:
    """The greeting comes after the handshake, and STARTTLS is not offered."""

    async def test(sink: Sink) -> None:
        async with Peer(sink.port, client_side) as peer:
            assert "STARTTLS" not in (await peer.say("EHLO x"))[0].lines
            assert await peer.send() == GOOD
            assert sink.messages[0].tls == "TLSv1.3"

    with_sink(test, tls=server_side, implicit_tls=True)


def test_tls_that_is_only_offered() -> None:
    """STARTTLS can be offered without being there: it is answered with 454, or on order with a 220 that leads nowhere."""

    async def offered(sink: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS"))[0].code == 454
        assert await peer.send() == GOOD

    async def promised(_: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS"))[0].code == 220
        assert await peer.gone()

    with_peer(offered, Moods(offer=["STARTTLS"]))
    with_peer(promised, Moods(offer=["STARTTLS"], replies={"starttls": "220 go ahead"}))


def test_a_handshake_that_fails_is_told_and_forgotten(server_side: ssl.SSLContext) -> None:
    """A client that does not like the certificate, or speaks no TLS, is gone and told of."""
    told: list[Received | Refusal] = []

    async def test(sink: Sink) -> None:
        with pytest.raises(ssl.SSLError):
            async with Peer(sink.port, ssl.create_default_context()):
                pass
        async with Peer(sink.port, greeted=False) as peer:
            peer.writer.write(b"EHLO x\r\n")
            await peer.reader.read()
        while sink.sessions:
            await asyncio.sleep(0.01)
        assert [news.phase for news in told if isinstance(news, Refusal)] == ["handshake", "handshake"]

    with_sink(test, tls=server_side, implicit_tls=True, told=told.append)


def test_closing_in_the_middle_of_a_handshake(server_side: ssl.SSLContext) -> None:
    """`close` does not wait for a client that never begins its handshake."""

    async def test(sink: Sink) -> None:
        async with Peer(sink.port, greeted=False) as peer:
            while not sink.sessions:
                await asyncio.sleep(0.01)
            await sink.close()
            assert await peer.gone()

    with_sink(test, tls=server_side, implicit_tls=True)


def plain(user: str, password: str) -> str:
    return "AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()).decode()


def test_authentication() -> None:
    """With users, MAIL needs AUTH; a wrong password or user gets 535, the right one is on the message."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert await peer.code("MAIL FROM:<>") == 530
        assert await peer.code(plain("ann", "wrong")) == 535
        assert await peer.code(plain("bob", "secret")) == 535
        await peer.say("AUTH LOGIN", b64encode(b"bob").decode())
        assert await peer.code("") == 535  # nobody's password is not the empty one
        assert await peer.code(plain("ann", "secret")) == 235
        assert await peer.send() == GOOD
        assert sink.messages[0].user == "ann"

    with_peer(test, users={"ann": "secret"})


def test_authentication_needs_tls_where_there_is_tls(server_side: ssl.SSLContext) -> None:
    """A sink with TLS asks for no password in the clear."""

    async def test(_: Sink, peer: Peer) -> None:
        assert "AUTH" not in " ".join((await peer.say("EHLO x"))[0].lines)
        assert await peer.code(plain("ann", "secret")) == 538

    with_peer(test, tls=server_side, users={"ann": "secret"})


def test_a_certificate_of_its_own_can_be_trusted(tmp_path: Path) -> None:
    """`self_signed` makes a certificate that a client verifies by name, with nothing but that file as its authority."""
    certificate, key = self_signed(str(tmp_path), ["localhost", "127.0.0.1"])
    trusting = ssl.create_default_context(cafile=certificate)

    async def test(sink: Sink) -> None:
        async with Peer(sink.port, trusting) as peer:
            assert await peer.code("EHLO x") == 250

    with_sink(test, tls=context(certificate, key), implicit_tls=True)
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file that holds no certificate is a `Failure` that names it."""
    (tmp_path / "cert.pem").write_text("nothing")
    with pytest.raises(Failure, match=r"cert\.pem"):
        context(str(tmp_path / "cert.pem"), "")
