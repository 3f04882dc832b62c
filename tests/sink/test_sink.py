"""The sink over real connections: what it takes, keeps and tells."""

from __future__ import annotations

import asyncio
import mailbox
import smtplib
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.sink import Moods, Received, Sink, SinkThread
from mailer.sink.server import Refusal
from tests.fakes import waiting
from tests.sink.peer import Peer
from tests.sink.served import GOOD, with_peer, with_sink


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
    """A file in the way is a `Problem` at once, not at the first message."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem):
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
