"""Our SMTP session against real servers: what arrives is byte for byte what was meant, and each answer is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from mailer.smtp.transaction import RecipientAnswer
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Timeouts

from .conftest import Peer
from .letters import LETTERS, letter
from .matrix import marks
from .smtpsink import SmtpSink

smtp_sink = pytest.mark.peer("smtp-sink")
PLAIN = Requirement("none", verify=False)


def postfix(test: Callable[..., None]) -> Callable[..., None]:
    """It needs Postfix, and shares it with the tests of the matrix."""
    for mark in marks("postfix"):
        test = mark(test)
    return test


def deliver(endpoint: Endpoint, recipients: Sequence[str], *contents: bytes) -> list[list[RecipientAnswer]]:
    """One session, one transaction for each content."""

    async def session() -> list[list[RecipientAnswer]]:
        connection = await Connection.open(endpoint, "127.0.0.1", Timeouts())
        try:
            return [await connection.deliver(Parcel("me@here.example", recipients, content)) for content in contents]
        finally:
            await connection.close()

    return asyncio.run(session())


def codes(answers: Sequence[RecipientAnswer]) -> list[int]:
    """The reply codes, by recipient."""
    return [answer.reply.code for answer in answers]


@postfix
@pytest.mark.parametrize("name", LETTERS)
def test_postfix_gets_what_was_meant(peer: Peer, name: str) -> None:
    """Whatever is in the message, Postfix stores those bytes."""
    mark, content = letter(name)
    (answers,) = deliver(Endpoint("localhost", peer.postfix.port, PLAIN), ["ann@peer.example"], content)
    assert codes(answers) == [250]
    assert peer.postfix.received("ann", mark) == [content]


@postfix
@pytest.mark.parametrize("name", ["plain", "dots", "a megabyte"])
def test_postfix_gets_it_over_tls_too(peer: Peer, name: str) -> None:
    """STARTTLS with a certificate that is verified against our own authority; Postfix writes it down."""
    mark, content = letter(name)
    requirement = Requirement("starttls", verify=True, ca_file=peer.ca_file)
    (answers,) = deliver(Endpoint("localhost", peer.postfix.port, requirement), ["ann@peer.example"], content)
    assert codes(answers) == [250]
    assert peer.postfix.received("ann", mark) == [content]
    stored = next(data for path in (peer.postfix.mail / "ann" / "new").iterdir() if mark.encode() in (data := path.read_bytes()))
    assert b"(using TLSv1." in stored.partition(b"X-Test:")[0]


@postfix
def test_a_certificate_that_nobody_vouches_for_gets_no_mail(peer: Peer) -> None:
    """A relay whose certificate is not verified is refused before MAIL; opportunistic TLS takes it as it is."""
    verified = Endpoint("localhost", peer.postfix.port, Requirement("starttls", verify=True))
    with pytest.raises(SessionError) as caught:
        deliver(verified, ["ann@peer.example"], letter("plain")[1])
    assert caught.value.kind == "tls"
    mark, content = letter("plain")
    opportunistic = Endpoint("localhost", peer.postfix.port, Requirement("opportunistic", verify=False))
    assert codes(deliver(opportunistic, ["ann@peer.example"], content)[0]) == [250]
    assert peer.postfix.received("ann", mark) == [content]


@postfix
def test_each_recipient_gets_the_answer_that_postfix_gave_for_it(peer: Peer) -> None:
    """Some taken, one unknown, one greylisted, in one transaction: the message goes to those that were taken."""
    mark, content = letter("plain")
    recipients = [f"{who}@peer.example" for who in ("ann", "nobody", "mallory", "bob")]
    (answers,) = deliver(Endpoint("localhost", peer.postfix.port, PLAIN), recipients, content)
    assert codes(answers) == [250, 550, 451, 250]
    assert [answer.phase for answer in answers][1:3] == ["rcpt", "rcpt"]
    assert (answers[1].reply.enhanced, answers[2].reply.enhanced) == ("5.1.1", "4.7.1")
    assert peer.postfix.received("ann", mark) == peer.postfix.received("bob", mark) == [content]
    assert not (peer.postfix.mail / "nobody").exists()


@postfix
def test_a_session_serves_many_messages(peer: Peer) -> None:
    """Twenty messages on one connection, a refused one among them, and each arrives once."""
    letters = [letter("dots") for _ in range(20)]
    endpoint = Endpoint("localhost", peer.postfix.port, PLAIN)
    answers = deliver(endpoint, ["ann@peer.example", "nobody@peer.example"], *(content for _, content in letters))
    assert [codes(one) for one in answers] == [[250, 550]] * 20
    for mark, content in letters:
        assert peer.postfix.received("ann", mark) == [content]


@postfix
def test_a_transaction_without_any_taken_recipient_sends_nothing(peer: Peer) -> None:
    """All refused: no message goes out, and the session is good for the next one."""
    endpoint = Endpoint("localhost", peer.postfix.port, PLAIN)

    async def session() -> tuple[list[RecipientAnswer], list[RecipientAnswer]]:
        connection = await Connection.open(endpoint, "127.0.0.1", Timeouts())
        refused = await connection.deliver(Parcel("me@here.example", ["nobody@peer.example"], letter("plain")[1]))
        taken = await connection.deliver(Parcel("me@here.example", ["bob@peer.example"], letter("plain")[1]))
        await connection.close()
        return refused, taken

    refused, taken = asyncio.run(session())
    assert (codes(refused), codes(taken)) == ([550], [250])


@smtp_sink
@pytest.mark.parametrize("name", LETTERS)
def test_smtp_sink_gets_what_was_meant(smtpsink: SmtpSink, name: str) -> None:
    """smtp-sink, which looks at nothing, has the same bytes and the same envelope."""
    mark, content = letter(name)
    (answers,) = deliver(Endpoint("localhost", smtpsink.port, PLAIN), ["ann@peer.example", "bob@peer.example"], content)
    assert codes(answers) == [250, 250]
    recipients, received = smtpsink.received(mark)
    assert received == content
    assert ["ann" in recipients[0], "bob" in recipients[1]] == [True, True]


@smtp_sink
@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(("option", "expected"), [("-r", 450), ("-f", 500)])
def test_a_refusal_at_any_command_is_an_answer(command: str, option: str, expected: int) -> None:
    """smtp-sink refuses one command, softly or hard: each recipient has that answer, and nothing raises but the opening."""
    with SmtpSink(option, command) as sink:
        endpoint = Endpoint("localhost", sink.port, PLAIN)
        if command == "EHLO" and option == "-r":
            with pytest.raises(SessionError) as caught:
                deliver(endpoint, ["ann@peer.example"], letter("plain")[1])
            assert caught.value.reply.code == expected
            return
        (answers,) = deliver(endpoint, ["ann@peer.example", "bob@peer.example"], letter("plain")[1])
        wanted = 250 if command == "EHLO" else expected  # after a hard EHLO we say HELO
        assert codes(answers) == [wanted] * 2


@smtp_sink
@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_hangs_up_anywhere_is_an_answer(command: str) -> None:
    """smtp-sink drops the connection after one command: that is told, as lost, and nothing hangs."""
    with SmtpSink("-q", command) as sink:
        endpoint = Endpoint("localhost", sink.port, PLAIN)
        if command in ("CONNECT", "EHLO"):
            with pytest.raises(SessionError) as caught:
                deliver(endpoint, ["ann@peer.example"], letter("plain")[1])
            assert caught.value.kind == "lost"
            return
        (answers,) = deliver(endpoint, ["ann@peer.example"], letter("plain")[1])
        assert [(answer.kind, answer.reply.code // 100) for answer in answers] == [("lost", 4)]
