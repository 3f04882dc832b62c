"""The client against servers that do what servers do."""

from __future__ import annotations

import asyncio
import socket
import traceback
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from mailer import (
    BreakerSettings,
    Email,
    ErrorKind,
    Interceptor,
    Login,
    PoolSettings,
    RateLimitSettings,
    Requirement,
    RetrySettings,
    SendResult,
    SmtpAuthenticationError,
    SmtpCircuitOpenError,
    SmtpClient,
    SmtpConnectionError,
    SmtpError,
    SmtpMessageError,
    SmtpProtocolError,
    SmtpRateLimitError,
    SmtpTimeoutError,
    SmtpTlsError,
)
from mailer.net.endpoint import Timeouts
from mailer.sink import Moods, Sink
from mailer.smtp import command
from mailer.smtp.errors import CommandError
from mailer.testing import Script
from tests.fakes import waiting
from tests.fakes.friendly import Friendly
from tests.fakes.script import Hang
from tests.net.conftest import NAME, Certificates
from tests.smtp.test_dot import SMUGGLED, VECTORS

from .letters import ONCE, SHORT, client, mail


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def outcome(sending: SmtpClient, message: Any) -> SmtpError:
    """The error of a send that has to fail."""
    with pytest.raises(SmtpError) as caught:
        await sending.send(message)
    return caught.value


# What a send returns


def test_a_message_is_sent() -> None:
    """The result says who has it, what the server said, and how it went there; the message is what was meant."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            result = await sending.send(mail("bob@example.net, carol@example.net"))
            [received] = sink.messages
            assert received.sender == "anna@example.org"
            assert received.recipients == result.accepted == ("bob@example.net", "carol@example.net")
            assert received.content.endswith(b"\r\n\r\nIt works.\r\n")
            assert f"Message-ID: {result.message_id}\r\n".encode() in received.content
            assert received.hello == "me.example.org"
            assert result.rejected == ()
            assert result.response.startswith("250 2.0.0")
            assert result.host == f"127.0.0.1[127.0.0.1]:{sink.port}"
            assert (result.tls_wanted, result.tls, result.attempts) == ("none", "", 1)
            assert result.duration > 0

    asyncio.run(run())


@pytest.mark.parametrize(("said", "name"), [("250 2.0.0 Ok: queued as 4XyZ1abcD", "4XyZ1abcD"), ("250 thanks", "")])
def test_the_server_s_own_name_for_a_message(said: str, name: str) -> None:
    """Whoever asks the server's postmaster about the message finds it in the result, where the server has told it."""
    text = f"""
        S: 220 mx.example.com
        C: EHLO me.example.org
        S: 250 mx.example.com
        C: MAIL FROM:<anna@example.org>
        S: 250 ok
        C: RCPT TO:<bob@example.net>
        S: 250 ok
        C: DATA
        S: 354 go
        MESSAGE
        S: {said}
    """

    async def run() -> None:
        async with Script(text) as script, client(script.port) as sending:
            result = await sending.send(mail())
            assert (result.response, result.server_id) == (said, name)

    waiting.run(run())


def test_some_recipients_are_refused() -> None:
    """The others have it, and each refusal is told with its codes."""

    async def run() -> None:
        moods = Moods(refuse={"no@example.net": "550 5.1.1 no such user", "full@example.net": "552 5.2.2 full"})
        async with Sink(moods) as sink, client(sink.port) as sending:
            result = await sending.send(mail("no@example.net, bob@example.net, full@example.net"))
            assert result.accepted == ("bob@example.net",)
            assert result.rejected == (("no@example.net", 550, "5.1.1", "no such user"), ("full@example.net", 552, "5.2.2", "full"))
            assert result.attempts == 1

    waiting.run(run())


def test_all_recipients_are_refused() -> None:
    """Then it is an error, of the first one's kind, and it lists them all; nothing is tried again."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            error = await outcome(sending, mail("550@example.net, 553@example.net"))
            assert isinstance(error, SmtpMessageError)
            assert error.kind is ErrorKind.INVALID_RECIPIENT_ADDRESS
            assert (error.code, error.enhanced_code, error.phase, error.retryable) == (550, "5.1.1", "rcpt", False)
            assert [rejected.code for rejected in error.rejected] == [550, 553]
            assert sink.count == 0

    waiting.run(run())


def test_content_that_is_refused() -> None:
    """A refusal of the message is one of the server, about no address."""

    async def run() -> None:
        async with Sink(Moods(replies={"body": "550 5.7.1 this is spam"})) as sink, client(sink.port) as sending:
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpProtocolError)
            assert (error.kind, error.phase, error.text) == (ErrorKind.PROTOCOL, "body", "this is spam")

    waiting.run(run())


def test_what_the_server_cannot_take_is_not_sent() -> None:
    """A message above the server's limit is refused here, with the kind for it."""

    async def run() -> None:
        async with Sink(Moods(max_size=2000)) as sink, client(sink.port) as sending:
            error = await outcome(sending, mail(text="x" * 3000))
            assert error.kind is ErrorKind.MESSAGE_TOO_LARGE

    waiting.run(run())


# Attempts


def test_a_greylisted_recipient_is_asked_about_again() -> None:
    """And only that one: who has the message gets no second."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            result = await sending.send(mail("bob@example.net, greylist@example.net"))
            assert (result.accepted, result.rejected) == (("bob@example.net", "greylist@example.net"), ())
            assert result.attempts == 2
            assert [received.recipients for received in sink.messages] == [("bob@example.net",), ("greylist@example.net",)]
            assert len({received.content for received in sink.messages}) == 1, "the same message, with the same Message-ID"

    waiting.run(run())


def test_a_recipient_who_is_always_refused_for_now() -> None:
    """After the last attempt it is a rejected recipient, or the error."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            result = await sending.send(mail("bob@example.net, 451@example.net"))
            assert result.attempts == 3
            assert [rejected.code for rejected in result.rejected] == [451]
            error = await outcome(sending, mail("451@example.net"))
            assert error.retryable
            assert error.temporary

    waiting.run(run())


def test_more_recipients_than_fit_into_one_transaction() -> None:
    """They go in several, within one attempt."""

    async def run() -> None:
        people = [f"user{number}@example.net" for number in range(7)]
        async with Sink(Moods(max_recipients=3)) as sink, client(sink.port) as sending:
            result = await sending.send(Email(from_="a@example.org", to=people))
            assert result.accepted == tuple(people)
            assert result.attempts == 1
            assert sorted(len(received.recipients) for received in sink.messages) == [1, 3, 3]

    waiting.run(run())


@pytest.mark.parametrize("place", ["mail", "rcpt", "data", "content", "body"])
def test_a_connection_that_is_lost(place: str) -> None:
    """The message is sent again on another one."""

    async def run() -> None:
        async with Sink(Moods(drops=[place], first=1)) as sink, client(sink.port) as sending:
            result = await sending.send(mail(text="x" * 200_000))
            assert (result.attempts, sink.count) == (2, 1)

    waiting.run(run())


def test_a_used_connection_that_is_lost_with_the_message() -> None:
    """The server may have it: that is an attempt, and the next one another."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            await sending.send(mail())
            sink.moods = Moods(drops=["body"], first=1)
            assert (await sending.send(mail())).attempts == 2

    waiting.run(run())


def test_a_used_connection_that_is_lost_with_a_message_in_chunks() -> None:
    """There the message went with its envelope, so that the server may have it before it has answered anything: it is not sent again."""
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        while line := await reader.readline():
            if line.startswith(b"EHLO"):
                writer.write(b"250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
            if line.startswith(b"BDAT"):
                taken.append(await reader.readexactly(int(line.split()[1])))
                if len(taken) == 2:
                    break
                writer.write(b"250 ok\r\n" * 3)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, client(server.sockets[0].getsockname()[1], retry=ONCE) as sending:
            await sending.send(mail())
            error = await outcome(sending, mail())
            assert (error.kind, error.phase, error.retryable) == (ErrorKind.CONNECTION_RESET, "body", True)
            assert len(taken) == 2

    waiting.run(run())


def test_a_server_that_says_goodbye() -> None:
    """421 ends the connection, and the next attempt has another one."""

    async def run() -> None:
        async with Sink(Moods(replies={"mail": "421 4.3.2 shutting down"}, first=1)) as sink, client(sink.port) as sending:
            assert (await sending.send(mail())).attempts == 2
        async with Sink(Moods(replies={"mail": "421 4.3.2 shutting down"})) as sink, client(sink.port) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.retryable) == (ErrorKind.SERVER_SHUTDOWN, True)

    waiting.run(run())


def test_an_idle_connection_that_the_server_has_closed() -> None:
    """That is no failure of anybody: the message goes out in its first attempt."""

    async def run() -> None:
        async with Friendly({b"EHLO": b"250 mx.example.com\r\n"}) as server, client(server.port, retry=ONCE) as sending:
            await sending.send(mail())
            server.writers[0].transport.abort()
            result = await sending.send(mail())
            assert result.attempts == 1
            assert len(server.messages) == 2

    waiting.run(run())


def test_retries_can_be_switched_off() -> None:
    """One attempt is one attempt."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, retry=ONCE) as sending:
            assert (await outcome(sending, mail("greylist@example.net"))).code == 451

    waiting.run(run())


# Servers that cannot be reached, or break off


def test_nobody_listens() -> None:
    """A refused connection has its kind, its phase, and is worth another try."""

    async def run() -> None:
        async with client(closed_port()) as sending:
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpConnectionError)
            assert (error.kind, error.phase, error.retryable) == (ErrorKind.CONNECTION_REFUSED, "connect", True)

    waiting.run(run())


def test_a_name_without_an_address() -> None:
    """The error names the host."""

    async def run() -> None:
        async with SmtpClient("no-such-host.invalid", 25, tls="none", retry=ONCE) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.phase) == (ErrorKind.DNS_RESOLUTION_FAILED, "dns")
            assert "no-such-host.invalid" in str(error)

    waiting.run(run())


@pytest.mark.parametrize(
    ("server", "timeouts", "kind"),
    [
        (Hang(), {"greeting": 0.05}, ErrorKind.READ_TIMEOUT),
        (Hang(b"220 x\r\n"), {"ehlo": 0.05}, ErrorKind.COMMAND_TIMEOUT),
        (Hang(b"220 x\r\n", [b"250 x\r\n"]), {"mail": 0.05}, ErrorKind.COMMAND_TIMEOUT),
        (Hang(b"HTTP/1.1 400 Bad Request\r\n"), {}, ErrorKind.INVALID_RESPONSE),
        (Hang(b"554 5.3.2 no\r\n"), {}, ErrorKind.PROTOCOL),
    ],
)
def test_servers_that_do_not_talk(server: Hang, timeouts: dict[str, float], kind: ErrorKind) -> None:
    """Silence and nonsense have kinds of their own."""

    async def run() -> None:
        limits = Timeouts(**{"connect": 5, "greeting": 5, "ehlo": 5, "mail": 5, "quit": 0.05, **timeouts})
        async with server, client(server.port, retry=ONCE, timeouts=limits) as sending:
            error = await outcome(sending, mail())
            assert error.kind is kind
            assert isinstance(error, SmtpTimeoutError) is ("timeout" in kind)

    waiting.run(run())


class Glutton(Friendly):
    """Never reads the message."""

    async def _message(self, reader: asyncio.StreamReader) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(2)


def test_a_server_that_does_not_take_the_message() -> None:
    """The octets have a limit of their own, which is no answer that fails to come."""

    async def run() -> None:
        async with Glutton() as server, client(server.port, retry=ONCE, timeouts=Timeouts(block=0.1, quit=0.05)) as sending:
            error = await outcome(sending, mail(text="x\n" * 8_000_000))
            assert error.kind is ErrorKind.WRITE_TIMEOUT
            for writer in server.writers:
                writer.transport.abort()

    waiting.run(run())


@pytest.mark.parametrize(("number", "retryable"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)])
def test_a_name_that_nobody_knows_and_one_that_nobody_can_say(number: int, retryable: bool) -> None:
    """A name without an address stays without one; a resolver that does not answer may answer later."""

    async def run() -> None:
        async def fails(*_: object, **__: object) -> None:
            raise socket.gaierror(number, "said the resolver")

        asyncio.get_running_loop().getaddrinfo = fails  # type: ignore[assignment,method-assign]
        async with SmtpClient("mx.example.com", tls="none", retry=ONCE) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.retryable) == (ErrorKind.DNS_RESOLUTION_FAILED, retryable)
            assert "said the resolver" in str(error)

    waiting.run(run())


def test_a_name_is_looked_up_now_and_then() -> None:
    """Once for many messages; again when nobody answers there."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        asked: list[str] = []
        real = loop.getaddrinfo

        def counted(host: str, *arguments: Any, **settings: Any) -> Any:
            asked.append(host)
            return real(host, *arguments, **settings)

        loop.getaddrinfo = counted  # type: ignore[assignment]
        async with Sink() as sink, SmtpClient("localhost", sink.port, tls="none", retry=ONCE) as sending:
            for _ in range(3):
                await sending.send(mail())
            assert asked.count("localhost") == 1
            await sink.close()
            for _ in range(2):
                assert isinstance(await outcome(sending, mail()), SmtpConnectionError)
            assert asked.count("localhost") == 2

    waiting.run(run())


def test_which_addresses_are_called() -> None:
    """One family first, or one alone, from the address of ours that belongs to it; where none is left, the error says why."""

    async def run() -> None:
        async def both(*_: object, **__: object) -> list[Any]:
            return [(0, 0, 0, "", (address, 25)) for address in addresses]

        asyncio.get_running_loop().getaddrinfo = both  # type: ignore[assignment,method-assign]
        async with Sink() as sink:
            for family in ("prefer4", "only4"):
                addresses = ["2001:db8::1", "127.0.0.1"]
                settings: Any = {"tls": "none", "retry": ONCE, "family": family, "source": "127.0.0.9", "source6": "2001:db8::9"}
                async with SmtpClient("mx.example.com", sink.port, **settings) as sending:
                    assert (await sending.send(mail())).host == f"mx.example.com[127.0.0.1]:{sink.port}"
            assert {message.peer for message in sink.messages} == {"127.0.0.9"}
            addresses = ["127.0.0.1"]
            async with SmtpClient("mx.example.com", sink.port, tls="none", retry=ONCE, family="only6") as sending:
                error = await outcome(sending, mail())
                assert (error.kind, error.retryable) == (ErrorKind.DNS_RESOLUTION_FAILED, False)
                assert "no IPv6 address" in str(error)
            assert sink.count == 2
        with pytest.raises(ValueError, match="'only5'"):
            SmtpClient("mx.example.com", family="only5")

    waiting.run(run())


# Who we are, and over which wire


def test_logging_in() -> None:
    """With the right password the message goes out under our name."""

    async def run() -> None:
        async with Sink(users={"anna": "s3cret pass"}) as sink:
            login = Login("anna", lambda: "s3cret pass", allow_plain=True)
            async with client(sink.port, credentials=login) as sending:
                await sending.send(mail())
                assert sink.messages[0].user == "anna"
                assert (await sending.test_connection()).authenticated_as == "anna"

    waiting.run(run())


def test_a_wrong_password() -> None:
    """Its own kind, critical, never tried again, and in no text."""

    async def run() -> None:
        async with Sink(users={"anna": "another"}) as sink:
            login = Login("anna", lambda: "s3cret pass", allow_plain=True)
            async with client(sink.port, credentials=login) as sending:
                error = await outcome(sending, mail())
                assert isinstance(error, SmtpAuthenticationError)
                assert (error.kind, error.severity, error.retryable) == (ErrorKind.CREDENTIALS_INVALID, "critical", False)
                shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)) + repr(sending) + repr(login)
                assert "s3cret" not in shown

    waiting.run(run())


def test_a_server_that_repeats_the_password() -> None:
    """Whatever it says back, no secret gets into an error."""

    async def run() -> None:
        encoded = b64encode(b"\0anna\0s3cret pass")
        replies = {b"EHLO": b"250-x\r\n250 AUTH PLAIN\r\n", b"AUTH": b"501 5.5.4 what is " + encoded + b" or s3cret pass\r\n"}
        async with Friendly(replies) as server, client(server.port, credentials=Login("anna", lambda: "s3cret pass", True)) as sending:
            error = await outcome(sending, mail())
            shown = "".join(traceback.format_exception(error)) + repr(vars(error))
            assert isinstance(error, SmtpAuthenticationError)
            assert "s3cret" not in shown
            assert encoded.decode() not in shown

    waiting.run(run())


def test_a_password_stays_here_without_tls() -> None:
    """A pair of name and password goes over verified TLS only."""

    async def run() -> None:
        async with Sink(users={"anna": "x"}) as sink, client(sink.port, credentials=("anna", "x")) as sending:
            assert (await outcome(sending, mail())).kind is ErrorKind.AUTH_METHOD_NOT_SUPPORTED

    waiting.run(run())


def test_a_server_that_wants_a_login() -> None:
    """Without credentials, what is missing is said."""

    async def run() -> None:
        async with Sink(users={"anna": "x"}) as sink, client(sink.port) as sending:
            assert (await outcome(sending, mail())).kind is ErrorKind.AUTHENTICATION_REQUIRED

    waiting.run(run())


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_over_tls(mode: str, certificates: Certificates) -> None:
    """With a good certificate the message goes, and the password too; the result says what was achieved."""

    async def run() -> None:
        tls = Requirement(mode, ca_file=certificates.ca_file, server_name=NAME)
        users = {"anna": "x"}
        async with (
            Sink(tls=certificates.good, implicit_tls=mode == "implicit", users=users) as sink,
            client(sink.port, tls=tls, credentials=("anna", "x")) as sending,
        ):
            result = await sending.send(mail())
            assert (result.tls_wanted, result.tls) == (mode, f"{sink.messages[0].tls} verified")
            info = await sending.test_connection()
            assert (info.tls, info.authenticated_as) == (result.tls, "anna")
            assert info.extensions.pipelining

    waiting.run(run())


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        ("unknown", ErrorKind.CERTIFICATE_UNTRUSTED),
        ("other_name", ErrorKind.CERTIFICATE_INVALID),
        ("none", ErrorKind.STARTTLS_NOT_SUPPORTED),
    ],
)
def test_tls_that_is_not_good_enough(server: str, kind: ErrorKind, certificates: Certificates) -> None:
    """There is no mail then, no second try, and the kind says what is wrong."""

    async def run() -> None:
        tls = Requirement("starttls", ca_file=certificates.ca_file, server_name=NAME)
        async with Sink(tls=getattr(certificates, server, None)) as sink, client(sink.port, tls=tls) as sending:
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpTlsError)
            assert (error.kind, error.retryable) == (kind, False)
            assert sink.count == 0

    waiting.run(run())


def test_tls_that_the_server_refuses_for_now() -> None:
    """Its 454 to STARTTLS is worth another try; a handshake that is no TLS is not."""

    async def run() -> None:
        offer = b"250-x\r\n250 STARTTLS\r\n"
        async with Friendly({b"EHLO": offer, b"STARTTLS": b"454 4.3.0 busy\r\n"}) as server, client(server.port, tls="starttls") as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.retryable, server.sessions) == (ErrorKind.TLS, True, 3)
        async with Friendly() as server, client(server.port, tls="implicit") as sending:
            error = await outcome(sending, mail())
            assert error.kind in (ErrorKind.TLS_HANDSHAKE_FAILED, ErrorKind.TLS_VERSION_MISMATCH)
            assert not error.retryable

    waiting.run(run())


def test_an_error_that_our_caller_is_busy_with_is_not_the_cause() -> None:
    """A send from within an except block is judged by what happened to it."""

    async def run() -> None:
        replies = {b"EHLO": b"250-x\r\n250 STARTTLS\r\n", b"STARTTLS": b"454 no\r\n"}
        async with Friendly(replies) as server, client(server.port, tls="starttls", retry=ONCE) as sending:
            try:
                raise ConnectionRefusedError(111, "something else")
            except ConnectionRefusedError:
                assert (await outcome(sending, mail())).kind is ErrorKind.TLS

    waiting.run(run())


# Batches


def test_a_batch_keeps_its_order() -> None:
    """Each message has its result in its place, and a bad one stops no other."""

    async def run() -> None:
        mails: list[Any] = [mail(f"user{number}@example.net") for number in range(20)]
        mails[3], mails[7] = mail("550@example.net"), mail("not an address")
        async with Sink() as sink, client(sink.port) as sending:
            batch = await sending.send_batch(iter(mails))
            assert (len(batch), batch.succeeded, batch.failed) == (20, 18, 2)
            for number, result in enumerate(batch):
                if number in (3, 7):
                    assert isinstance(result, SmtpMessageError)
                else:
                    assert isinstance(result, SendResult)
                    assert result.accepted == (f"user{number}@example.net",)
            assert sink.count == 18
            assert sending.pool_status().total <= 5
            assert (await sending.send_batch([])).results == ()

    waiting.run(run())


def test_a_batch_with_something_that_is_no_message() -> None:
    """It stops no other, and nobody forgets who has the rest: it has its error in its place."""

    class Guard(Interceptor):
        async def before_send(self, mail: Any) -> Any:
            if isinstance(mail, Email) and mail.subject == "guarded":
                raise LookupError("no such customer")
            return mail

    async def run(settings: dict[str, Any], bad: list[Any]) -> None:
        async with Sink() as sink, client(sink.port, **settings) as sending:
            for wrong in bad:
                before = sink.count
                batch = await sending.send_batch([mail(), wrong, *[mail()] * 20])
                assert (batch.succeeded, batch.failed, sink.count - before) == (21, 1, 21)
                error = batch.results[1]
                assert isinstance(error, SmtpMessageError)
                assert error.kind is ErrorKind.MESSAGE
                assert not error.retryable
                assert isinstance(error.__cause__, (TypeError, AttributeError, LookupError))
                assert str(error.__cause__) in str(error)
            assert len(asyncio.all_tasks()) <= 2, "this one and the keeper of idle connections"

    wrong: Any = None
    waiting.run(run({}, [1, mail(wrong), mail(text=wrong, html=b"x"), mail(text=b"x")]))
    waiting.run(run({"interceptors": [Guard()]}, [1, mail(subject="guarded")]))


def test_a_list_of_messages_that_breaks_off() -> None:
    """What the list itself raises is its own mistake, and raised; what came before it is sent, and no task is left behind."""

    def mails() -> Iterator[Email]:
        yield from [mail(), mail(), mail()]
        raise RuntimeError("the database is away")

    async def run(connections: int) -> None:
        pool = PoolSettings(max_connections=connections)
        async with Sink() as sink, client(sink.port, pool=pool) as sending:
            with pytest.raises(RuntimeError, match="the database is away"):
                await sending.send_batch(mails())
            assert sink.count == 3
            assert len(asyncio.all_tasks()) <= 2, "this one and the keeper of idle connections"

    for connections in (1, 2, 5):
        waiting.run(run(connections))


# The breaker and the limits


def test_the_breaker_leaves_a_dead_server_alone() -> None:
    """After five failures nothing is tried any more, and the error says for how long; then one success after the other closes it."""

    async def run() -> None:
        port = closed_port()
        breaker = BreakerSettings(recovery_timeout=0.2, success_threshold=2)
        async with client(port, retry=ONCE, breaker=breaker) as sending:
            kinds = Counter([(await outcome(sending, mail())).kind for _ in range(8)])
            assert kinds == {ErrorKind.CONNECTION_REFUSED: 5, ErrorKind.CIRCUIT_OPEN: 3}
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpCircuitOpenError)
            assert error.retry_after is not None
            assert 0 < error.retry_after <= 0.2
            await asyncio.sleep(0.25)
            async with Sink(port=port):
                await sending.send(mail())
                await sending.send(mail())
                assert (await sending.send_batch([mail()] * 5)).succeeded == 5, "it is closed: all may go at once"

    waiting.run(run())


def test_half_open_one_send_decides() -> None:
    """Of many that come at once, one may try; a cancelled one makes room for the next."""

    async def run() -> None:
        port = closed_port()
        async with client(port, retry=ONCE, breaker=BreakerSettings(recovery_timeout=0.05)) as sending:
            for _ in range(5):
                await outcome(sending, mail())
            await asyncio.sleep(0.1)
            async with Sink(Moods(delays={"body": 0.1}), port=port):
                probe = asyncio.create_task(sending.send(mail()))
                await asyncio.sleep(0.05)
                assert (await outcome(sending, mail())).kind is ErrorKind.CIRCUIT_OPEN
                probe.cancel()
                await asyncio.gather(probe, return_exceptions=True)
                await sending.send(mail())

    waiting.run(run())


@pytest.mark.parametrize("to", ["550@example.net", "451@example.net", "body-554@example.net"])
def test_refused_mail_opens_no_breaker(to: str) -> None:
    """What is wrong with a message or a recipient says nothing about the server."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, retry=ONCE) as sending:
            for _ in range(10):
                assert (await outcome(sending, mail(to))).kind is not ErrorKind.CIRCUIT_OPEN

    waiting.run(run())


def test_a_wrong_password_is_not_tried_for_ever() -> None:
    """It opens the breaker, before the server locks the account."""

    async def run() -> None:
        async with Sink(users={"anna": "x"}) as sink, client(sink.port, credentials=Login("anna", lambda: "y", True)) as sending:
            kinds = Counter([(await outcome(sending, mail())).kind for _ in range(7)])
            assert kinds == {ErrorKind.CREDENTIALS_INVALID: 5, ErrorKind.CIRCUIT_OPEN: 2}

    waiting.run(run())


@pytest.mark.parametrize("connections", [1, 5])
def test_a_rate_limit_that_rejects(connections: int) -> None:
    """What is too much is refused at once, with the time after which it is not."""

    async def run() -> None:
        limit, pool = RateLimitSettings(max_emails=3, window=60), PoolSettings(max_connections=connections)
        async with Sink() as sink, client(sink.port, rate_limit=limit, pool=pool) as sending:
            batch = await sending.send_batch([mail() for _ in range(5)])
            assert (batch.succeeded, sink.count) == (3, 3)
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpRateLimitError)
            assert (error.kind, error.retryable) == (ErrorKind.LOCAL_RATE_LIMIT_EXCEEDED, True)
            assert error.retry_after is not None
            assert 15 < error.retry_after <= 20

    waiting.run(run())


def test_a_rate_limit_that_waits() -> None:
    """All go, as fast as the limit allows and no faster."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=2, window=0.2, on_limit="wait")
        async with Sink() as sink, client(sink.port, rate_limit=limit) as sending:
            batch = await sending.send_batch([mail() for _ in range(5)])
            assert batch.succeeded == 5
            assert batch.duration > 0.29
            assert sink.count == 5

    waiting.run(run())


def test_a_rate_limit_that_waits_for_a_while() -> None:
    """Who would have to wait longer than that is refused, and takes nobody's turn."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=1, window=0.2, on_limit="wait_with_timeout", timeout=0.25)
        async with Sink() as sink, client(sink.port, rate_limit=limit) as sending:
            batch = await sending.send_batch([mail() for _ in range(4)])
            assert (batch.succeeded, batch.failed, sink.count) == (2, 2, 2)

    waiting.run(run())


def test_a_cancelled_wait_gives_its_turn_back() -> None:
    """The next one need not wait for a send that is none."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=1, window=0.3, on_limit="wait")
        async with Sink() as sink, client(sink.port, rate_limit=limit) as sending:
            await sending.send(mail())
            waiting = [asyncio.create_task(sending.send(mail())) for _ in range(50)]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert (await sending.send(mail())).duration < 1

    waiting.run(run())


def test_a_limit_on_new_connections() -> None:
    """Messages that share a connection pass, a second connection does not."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=100, max_connections=1)
        async with Sink(Moods(delays={"body": 0.05})) as sink, client(sink.port, rate_limit=limit) as sending:
            await sending.send(mail())
            await sending.send(mail())
            results = await asyncio.gather(sending.send(mail()), sending.send(mail()), return_exceptions=True)
            assert sorted(type(result).__name__ for result in results) == ["SendResult", "SmtpRateLimitError"]

    waiting.run(run())


# Odds and ends


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", ErrorKind.INVALID_RESPONSE),
        (b"220 x\r\n250 and this\r\n", ErrorKind.UNEXPECTED_RESPONSE),
        (b"354 go ahead\r\n", ErrorKind.UNEXPECTED_RESPONSE),
    ],
)
def test_a_server_that_talks_nonsense(greeting: bytes, kind: ErrorKind) -> None:
    """What is no reply is told from a reply that nobody asked for; neither is worth trying again."""

    async def run() -> None:
        async with Hang(greeting) as server, client(server.port) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.phase, error.retryable) == (kind, "greeting", False)
            assert isinstance(error, SmtpProtocolError)

    waiting.run(run())


@pytest.mark.parametrize(
    "settings", [{"host": ""}, {"host": None}, {"host": "mx.example.com\r\nx"}, {"host": "a b"}, {"hello": "me\r\nBcc: x"}, {"port": -1}]
)
def test_settings_that_cannot_be_meant(settings: dict[str, Any]) -> None:
    """They are refused when the client is made: a line end in a name gets into no command, no header and no error."""
    with pytest.raises(ValueError, match=r"no host|EHLO name|not -1"):
        SmtpClient(**{"host": "mx.example.com", **settings})


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: PoolSettings(max_connections="5"), "max_connections is a whole number, not '5'"),  # type: ignore[arg-type]
        (lambda: PoolSettings(idle_timeout=float("nan")), "idle_timeout is a number, not nan"),
        (lambda: RetrySettings(max_attempts=2.5), "max_attempts is a whole number, not 2.5"),  # type: ignore[arg-type]
        (lambda: BreakerSettings(failure_window=None), "failure_window is a number, not None"),  # type: ignore[arg-type]
        (lambda: RateLimitSettings(max_emails=True), "max_emails is a whole number, not True"),
        (lambda: SmtpClient("mx.example.com", timeouts=Timeouts(connect="5")), "connect is a number, not '5'"),  # type: ignore[arg-type]
        (lambda: Moods(max_recipients="9"), "max_recipients is a whole number, not '9'"),  # type: ignore[arg-type]
        (lambda: Sink(port=99999), "port is a whole number from 0 to 65535, not 99999"),
    ],
)
def test_a_number_that_is_none_is_named(make: Callable[[], object], problem: str) -> None:
    """Settings come out of environments and files as texts: one line says which, when they are made."""
    with pytest.raises(ValueError, match=problem):
        make()


def test_a_host_with_a_dot_at_its_end_is_that_host() -> None:
    """No certificate has the dot."""
    assert "mx.example.com:25 " in repr(SmtpClient("mx.example.com.", 25))


def test_a_connection_can_be_tested() -> None:
    """Without mail, as far as mail could be sent; it stays for the first message."""

    async def run() -> None:
        async with Sink(Moods(max_size=12345)) as sink, client(sink.port) as sending:
            info = await sending.test_connection()
            assert (info.host, info.port, info.address, info.tls) == ("127.0.0.1", sink.port, "127.0.0.1", "")
            assert info.banner == "sink.localhost ESMTP"
            assert info.extensions.size == 12345
            assert sending.pool_status().idle == 1
            await sending.send(mail())
            assert len(sink.sessions) == 1
            await sink.close()
            with pytest.raises(SmtpConnectionError):
                await sending.test_connection()

    waiting.run(run())


def test_a_server_can_be_asked() -> None:
    """About an address, or for help: the reply is a value, the connection goes on; nothing that is no question is said."""

    async def run() -> None:
        async with Friendly({b"VRFY": b"252 2.1.5 we shall see\r\n", b"HELP": None}) as server, client(server.port) as sending:
            reply = await sending.ask(command.vrfy("bob"))
            assert (reply.code, reply.enhanced, reply.text) == (252, "2.1.5", "we shall see")
            await sending.send(mail())
            with pytest.raises(CommandError):
                command.vrfy("bob\r\nRSET")
            with pytest.raises(ValueError, match="MAIL is nothing to ask"):
                await sending.ask(command.mail("bob@example.net"))
            assert server.said == [b"EHLO", b"VRFY", b"MAIL", b"RCPT", b"DATA"]
            assert server.sessions == 1
            with pytest.raises(SmtpConnectionError):
                await sending.ask(command.help_())
            assert sending.pool_status().in_use == 0
            await sending.send(mail())

    waiting.run(run())


def test_ports_go_with_the_kind_of_tls() -> None:
    """587, 465 and 25, unless one is named."""
    assert repr(SmtpClient("mx.example.com")) == "<SmtpClient mx.example.com:587 starttls>"
    assert repr(SmtpClient("mx.example.com", tls="implicit")) == "<SmtpClient mx.example.com:465 implicit>"
    assert repr(SmtpClient("mx.example.com", tls=Requirement("none"))) == "<SmtpClient mx.example.com:25 none>"
    with pytest.raises(ValueError, match="TLS mode"):
        SmtpClient("mx.example.com", tls="maybe")
    for port in (70000, "2525", 25.0, None, True):
        with pytest.raises(ValueError, match=f"port is a whole number from 0 to 65535, not {port!r}"):
            SmtpClient("mx.example.com", port)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r'write host = "mx\.example\.com" and port = 25'):
        SmtpClient("mx.example.com:25")
    with pytest.raises(ValueError, match="'http'"):
        SmtpClient("mx.example.com", protocol="http")


def test_smuggling() -> None:
    """Whatever stands in a body, and however it was handed in, the server sees one message and one transaction."""

    def made(body: bytes) -> list[Any]:
        standard = EmailMessage()
        standard["From"], standard["To"] = "anna@example.org", "bob@example.net"
        standard.set_payload(body.decode("latin-1"))
        return [b"From: anna@example.org\r\nTo: bob@example.net\r\n\r\n" + body, mail(text=body.decode()), standard]

    async def run() -> None:
        async with Friendly() as server, client(server.port) as sending:
            for vector in VECTORS:
                for message in made(b"hello" + vector + SMUGGLED + vector):
                    server.messages.clear()
                    server.said.clear()
                    await sending.send(message)
                    assert len(server.messages) == 1
                    assert server.said[-3:] == [b"MAIL", b"RCPT", b"DATA"]
                    assert len(server.said) <= 4, "EHLO or nothing came before"

    waiting.run(run())


def test_a_large_message() -> None:
    """Ten megabytes with an attachment arrive octet by octet."""

    async def run() -> None:
        data = bytes(range(256)) * 30_000
        async with Sink() as sink, client(sink.port, timeouts=SHORT) as sending:
            email = mail().attach(data, "all.bin")
            await sending.send(email)
            assert sink.messages[0].content.endswith(email.encode().partition(b"\r\n\r\n")[2])

    waiting.run(run())
