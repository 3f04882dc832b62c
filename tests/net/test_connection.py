"""One session: what the network does to it, and that nothing it does is lost or raised at the wrong place."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.mail.cause import Cause
from mailer.mail.failure import Failure
from mailer.net.connection import Answer, Connection, Endpoint, Login, SessionError, Timeouts
from mailer.smtp import command
from mailer.trust.requirement import MX, Requirement
from tests.fakes import waiting
from tests.fakes.friendly import Friendly
from tests.fakes.script import Hang, Server
from tests.smtp.test_dot import SMUGGLED, VECTORS

NONE = Requirement("none")
QUICK = Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1)
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
HELLO = b"250-mx.example.com\r\n250 PIPELINING\r\n"


def endpoint(server: Server) -> Endpoint:
    """Where `server` is, without TLS."""
    return Endpoint("mx.example.com", server.port, NONE)


async def opened(server: Server, timeouts: Timeouts = QUICK) -> Connection:
    """A session with `server`."""
    return await Connection.open(endpoint(server), "127.0.0.1", timeouts)


def deliver(
    server: Server, content: bytes = CONTENT, recipients: tuple[str, ...] = ("bob@example.com",), timeouts: Timeouts = QUICK
) -> list[Answer]:
    """The answers of a session with one message."""

    async def run() -> list[Answer]:
        async with server:
            connection = await opened(server, timeouts)
            answers = await connection.deliver("alice@example.org", recipients, content)
            await connection.close()
            return answers

    return waiting.run(run())


def test_the_hop() -> None:
    """A session knows where it led."""

    async def run() -> None:
        async with Friendly() as server:
            connection = await opened(server)
            assert connection.hop == ("mx.example.com", "127.0.0.1", server.port, "none", "")
            assert connection.extensions.pipelining
            assert connection.usable
            await connection.close()
            assert not connection.usable
            assert server.said[-1] == b"QUIT"

    waiting.run(run())


def test_nobody_listens() -> None:
    """A refused connection is told as such, with a code for reports."""

    async def run() -> SessionError:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            with pytest.raises(SessionError) as caught:
                await Connection.open(Endpoint("mx.example.com", probe.getsockname()[1], NONE), "127.0.0.1", QUICK)
        return caught.value

    error = waiting.run(run())
    assert (error.kind, error.phase, str(error.reply)) == ("refused", "connect", "451 4.4.1 no connection: Connection refused")
    assert error.hop.ip == "127.0.0.1"


def test_nobody_answers_the_call() -> None:
    """A host that does not answer the call is given up at the deadline."""

    async def run() -> SessionError:
        with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            for caller in (first, second):  # the queue of the socket is full after these
                caller.setblocking(False)
                caller.connect_ex(deaf.getsockname())
            with pytest.raises(SessionError) as caught:
                await Connection.open(Endpoint("mx.example.com", deaf.getsockname()[1], NONE), "127.0.0.1", replace(QUICK, connect=0.2))
        return caught.value

    error = waiting.run(run())
    assert (error.kind, error.phase, error.reply.enhanced) == ("timeout", "connect", "4.4.1")


def test_our_own_address() -> None:
    """The address to call from is the one that the endpoint names; one that is not ours is an error like any other."""

    async def run() -> None:
        async with Friendly() as server:
            connection = await Connection.open(replace(endpoint(server), source="127.0.0.9"), "127.0.0.1", QUICK)
            assert server.writers[0].get_extra_info("peername")[0] == "127.0.0.9"
            await connection.close()
            with pytest.raises(SessionError, match="connect"):
                await Connection.open(replace(endpoint(server), source="192.0.2.1"), "127.0.0.1", QUICK)

    waiting.run(run())


@pytest.mark.parametrize(
    ("phase", "server", "timeouts"),
    [
        ("greeting", Hang(), replace(QUICK, greeting=0.1)),
        ("greeting", Hang(b"220-half"), replace(QUICK, greeting=0.1)),
        ("ehlo", Hang(b"220 x\r\n"), replace(QUICK, ehlo=0.1)),
    ],
)
def test_silence_before_mail(phase: str, server: Server, timeouts: Timeouts) -> None:
    """A server that stops talking before there is a session is given up at the deadline of its phase."""

    async def run() -> SessionError:
        async with server:
            with pytest.raises(SessionError) as caught:
                await opened(server, timeouts)
            return caught.value

    error = waiting.run(run())
    assert (error.kind, error.phase, error.reply.enhanced) == ("timeout", phase, "4.4.2")
    assert error.reply.text.startswith("waited 0.1 s for the ")


def test_silence_after_starttls() -> None:
    """A server that agrees to TLS and is silent then counts as one whose TLS fails."""

    async def run() -> SessionError:
        async with Hang(b"220 x\r\n", [b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"]) as server:
            with pytest.raises(SessionError) as caught:
                await Connection.open(
                    Endpoint("x", server.port, Requirement("starttls", verify=False)), "127.0.0.1", replace(QUICK, connect=0.2)
                )
            return caught.value

    error = waiting.run(run())
    assert (error.kind, str(error.reply)) == ("tls", "454 4.7.5 TLS with x: no answer in time")


@pytest.mark.parametrize(
    ("phase", "replies", "timeouts"),
    [
        ("mail", [], replace(QUICK, mail=0.1)),
        ("rcpt", [b"250 ok\r\n"], replace(QUICK, rcpt=0.1)),
        ("data", [b"250 ok\r\n", b"250 ok\r\n"], replace(QUICK, data=0.1)),
        ("body", [b"250 ok\r\n", b"250 ok\r\n", b"354 ok\r\n"], replace(QUICK, body=0.1)),
    ],
)
def test_silence_within_mail(phase: str, replies: list[bytes], timeouts: Timeouts) -> None:
    """A server that stops talking in a transaction is given up at the deadline of what it does not answer."""
    for hello in (b"250 x\r\n", HELLO):
        (answer,) = deliver(Hang(b"220 x\r\n", [hello, *replies]), timeouts=timeouts)
        assert (answer.phase, answer.kind, answer.reply.code, answer.reply.enhanced) == (phase, "timeout", 451, "4.4.2")


class Drip(Server):
    """Answers `replies`, then says the next reply octet by octet, for ever."""

    def __init__(self, replies: list[bytes]) -> None:
        super().__init__()
        self._replies = replies

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in self._replies:
            writer.write(reply)
            await reader.readline()
        writer.write(b"250-")
        while not reader.at_eof() and not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)


def test_dripping_does_not_move_the_deadline() -> None:
    """An answer has to be complete at the deadline; one octet now and then does not hold us."""

    async def greeting() -> float:
        async with Drip([]) as server:
            with pytest.raises(SessionError, match=r"waited 0\.2 s for the greeting"):
                await opened(server, replace(QUICK, greeting=0.2))
        return asyncio.get_running_loop().time()

    assert waiting.run(greeting()) < 1
    (answer,) = deliver(Drip([b"220 x\r\n", b"250 x\r\n"]), timeouts=replace(QUICK, mail=0.2))
    assert (answer.kind, answer.phase) == ("timeout", "mail")


@pytest.mark.parametrize(
    ("last", "code", "usable"),
    [
        (b"250-2.0.0 taken\r\n" * 20_000 + b"250 2.0.0 taken\r\n", 250, True),
        (b"250 2.0.0 taken" + b"x" * 100_000 + b"\r\n", 250, True),
        (b"250-2.0.0 taken\r\n" * 100_000, 250, False),
        (b"550-5.7.1 no\r\n" * 100_000, 550, False),
        (b"250-2.0.0 taken\r\n", 250, False),
    ],
)
def test_the_code_of_a_long_answer_counts(last: bytes, code: int, usable: bool) -> None:
    """The host took the message, at whatever length it says so, and even if it never comes to an end: it must not get it again."""

    async def run() -> None:
        async with Friendly({b".": last}) as server:
            connection = await opened(server, replace(QUICK, body=2 if len(last) > 100 else 0.1))
            (answer,) = await connection.deliver("alice@example.org", ("bob@example.com",), CONTENT)
            assert (answer.phase, answer.kind, answer.reply.code, connection.usable) == ("body", "reply", code, usable)
            await connection.close()

    waiting.run(run())


class Deaf(Server):
    """Takes the envelope, asks for the message, and does not read it; then says `last`, if anything."""

    def __init__(self, last: bytes = b"", *, stay: bool = True) -> None:
        super().__init__()
        self._last = last
        self._stay = stay

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        for reply in (HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 ok\r\n"):
            await reader.readline()
            writer.write(reply)
        reader._transport.pause_reading()
        await asyncio.sleep(0.05)
        writer.write(self._last)
        await writer.drain()
        if self._stay:
            await asyncio.sleep(0.5)


LARGE = b"Subject: x\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20_000


def test_a_server_that_takes_no_more() -> None:
    """A server that stops reading in the middle of a message is given up at the deadline for a block."""
    (answer,) = deliver(Deaf(), LARGE, timeouts=replace(QUICK, block=0.2))
    assert (answer.phase, answer.kind, answer.reply.text) == ("body", "timeout", "waited 0.2 s for the host to take more of the message")


def test_refused_in_the_middle() -> None:
    """A refusal in the middle of a message is heard before the rest is sent, and is the answer."""
    for stay in (True, False):
        (answer,) = deliver(Deaf(b"552 5.3.4 too much\r\n", stay=stay), LARGE)
        assert (answer.phase, answer.kind, str(answer.reply)) == ("body", "reply", "552 5.3.4 too much")


def test_accepted_in_the_middle() -> None:
    """A message that is accepted in the middle was not delivered."""
    (answer,) = deliver(Deaf(b"250 2.0.0 thanks\r\n"), LARGE)
    assert (answer.phase, answer.kind) == ("body", "protocol")


def test_a_large_message() -> None:
    """A message of 20 MB arrives as it was."""
    server = Friendly()
    (answer,) = deliver(server, LARGE)
    assert answer.reply.code == 250
    assert server.messages == [LARGE]


@pytest.mark.parametrize("vector", VECTORS)
def test_smuggling(vector: bytes) -> None:
    """Whatever stands in a body, the server sees one message and one transaction."""
    server = Friendly()
    (answer,) = deliver(server, b"Subject: x\r\n\r\nhello" + vector + SMUGGLED)
    assert answer.reply.code == 250
    assert len(server.messages) == 1
    assert server.said == [b"EHLO", b"MAIL", b"RCPT", b"DATA", b"QUIT"]


def test_many_recipients() -> None:
    """A thousand recipients are one flight, and each has its answer."""
    recipients = tuple(f"user{n}@example.com" for n in range(1000))
    answers = deliver(Friendly(), recipients=recipients)
    assert [answer.to for answer in answers] == list(range(1000))
    assert {(answer.phase, answer.reply.code) for answer in answers} == {("body", 250)}


@pytest.mark.parametrize("word", [b"MAIL", b"RCPT", b"DATA", b"."])
def test_cancelled(word: bytes) -> None:
    """A delivery that is cancelled, wherever it waits, leaves a connection that nobody uses again."""

    async def run() -> None:
        async with Friendly({word: b"", b"EHLO": b"250 x\r\n"}) as server:
            connection = await opened(server)
            task = asyncio.create_task(connection.deliver("alice@example.org", ["bob@example.com"], CONTENT))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not connection.usable
            (answer,) = await connection.deliver("alice@example.org", ["bob@example.com"], CONTENT)
            assert (answer.phase, answer.kind) == ("mail", "lost")
            assert server.messages == ([CONTENT] if word == b"." else [])

    waiting.run(run())


def test_cancelled_while_it_opens() -> None:
    """Opening a session can be cancelled, and leaves nothing open."""

    async def run() -> None:
        async with Hang() as server:
            task = asyncio.create_task(opened(server))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    waiting.run(run())


@pytest.mark.parametrize("last", [b"421 4.4.2 idle too long\r\n", b"x", b""])
def test_a_session_that_went_bad_while_it_waited(last: bytes) -> None:
    """A goodbye, a stray octet or a hang-up between two messages ends the use of a session; the message is not lost."""

    async def run() -> None:
        async with Friendly() as server:
            connection = await opened(server)
            await connection.deliver("alice@example.org", ["bob@example.com"], CONTENT)
            server.writers[0].write(last)
            if not last:
                server.writers[0].close()
            await asyncio.sleep(0.05)
            assert not connection.usable
            (answer,) = await connection.deliver("alice@example.org", ["bob@example.com"], CONTENT)
            assert (answer.phase, answer.kind, answer.reply.code) == ("mail", "lost", 451)
            assert connection.deliveries == 1

    waiting.run(run())


def test_leaving_takes_no_time() -> None:
    """A server that does not answer QUIT is left after a moment."""

    async def run() -> float:
        async with Hang(b"220 x\r\n", [b"250 x\r\n"]) as server:
            connection = await opened(server, replace(QUICK, quit=0.1))
            start = asyncio.get_running_loop().time()
            await connection.close()
            return asyncio.get_running_loop().time() - start

    assert waiting.run(run()) == pytest.approx(0.1)


def test_a_password_that_cannot_be_had() -> None:
    """Where the password cannot be had, nobody is called, and the cause is told."""

    def secret() -> str:
        raise Failure("config.toml:7: password_command: exit status 1", 78)

    async def run() -> tuple[SessionError, int]:
        async with Friendly() as server:
            with pytest.raises(SessionError) as caught:
                await Connection.open(replace(endpoint(server), login=Login("me", secret)), "127.0.0.1", QUICK)
            return caught.value, server.sessions

    error, sessions = waiting.run(run())
    assert (error.kind, error.phase, error.reply.cause, sessions) == ("ours", "auth", Cause.CREDENTIAL, 0)
    assert "password_command" in error.reply.text


def test_a_name_that_no_command_can_carry() -> None:
    """Our own name, when it cannot be said, is an error of the session, and no EHLO."""

    async def run() -> tuple[SessionError, list[bytes]]:
        async with Friendly() as server:
            with pytest.raises(SessionError) as caught:
                await Connection.open(replace(endpoint(server), hello="x\r\nMAIL FROM:<>"), "127.0.0.1", QUICK)
            return caught.value, server.said

    error, said_to_server = waiting.run(run())
    assert (error.kind, error.phase, error.reply.enhanced, error.reply.cause) == ("ours", "ehlo", "4.3.5", Cause.SETTING)
    assert said_to_server in ([], [b"QUIT"])


def test_secrets_stay_out_of_sight() -> None:
    """An endpoint can be shown; logins are equal when name and source of the secret are."""
    login = Login("me", "hunter2".strip)
    assert "hunter2" not in repr(Endpoint("x", 25, MX, login))
    source = "hunter2".strip
    assert Login("me", source) == Login("me", source)
    assert Login("me", source) != Login("you", source)
    assert Login("me", source) != Login("me", lambda: "hunter2")


class Noise(Server):
    """Says `pieces`, one after each thing that it hears."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in self._pieces:
            writer.write(piece)
            await asyncio.wait_for(reader.read(65536), 0.02)


said = st.sampled_from(
    [
        b"220 x\r\n",
        b"250 x\r\n",
        b"250-x\r\n250 PIPELINING\r\n",
        b"354 x\r\n",
        b"250 a\r\n250 b\r\n354 c\r\n",
        b"421 x\r\n",
        b"550 x\r\n",
        b"25",
        b"\r\n",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(said | st.binary(max_size=10), max_size=6))
def test_any_peer(pieces: list[bytes]) -> None:
    """Whatever a peer says: a `SessionError`, or one answer for each recipient; nothing else comes out."""

    async def run() -> None:
        async with Noise([b"220 x\r\n", b"250-x\r\n250 PIPELINING\r\n", *pieces]) as server:
            try:
                connection = await opened(server)
            except SessionError:
                return
            answers = await connection.deliver("alice@example.org", ["bob@example.com", "carol@example.com"], CONTENT)
            assert [answer.to for answer in answers] == [0, 1]
            connection.abandon()

    waiting.run(run())


def test_a_check_asks_and_tells() -> None:
    """A session that answers NOOP stays usable; one that is silent is abandoned, and nothing raises."""

    async def run() -> None:
        async with Friendly() as server:
            connection = await opened(server)
            assert await connection.check()
            assert connection.usable
            await connection.close()
            assert not await connection.check()
        async with Hang(b"220 mx\r\n", [b"250 mx\r\n"]) as hanging:
            connection = await opened(hanging, replace(QUICK, quit=0.05))
            assert not await connection.check()
            assert not connection.usable

    waiting.run(run())


def test_the_steps_of_an_opening_can_be_watched() -> None:
    """Whoever wants to know is told each step when it is done, with the session as it is then."""

    async def run() -> None:
        steps: list[tuple[str, int, bool]] = []
        async with Friendly() as server:
            connection = await Connection.open(
                endpoint(server), "127.0.0.1", watch=lambda it, said, reply: steps.append((said.verb, reply.code, it.usable))
            )
            assert connection.greeting.code == 220
            await connection.close()
        assert steps == [("REACHED", 220, True), ("CONNECT", 220, True), ("EHLO", 250, True)]

    waiting.run(run())


def test_questions() -> None:
    """A session can be asked about addresses and for help between two messages, and is good for more afterwards."""

    async def run() -> list[str]:
        replies = {b"VRFY": b"252 2.5.0 perhaps\r\n", b"EXPN": b"502 5.5.1 no\r\n", b"HELP": b"214-try\r\n214 harder\r\n"}
        async with Friendly(dict(replies)) as server:
            connection = await opened(server)
            said = [command.vrfy("bob"), command.expn("staff"), command.help_(), command.NOOP, command.RSET]
            heard = [str(await connection.ask(one)) for one in said]
            (answer,) = await connection.deliver("alice@example.org", ["bob@example.com"], CONTENT)
            assert answer.reply.code == 250
            with pytest.raises(ValueError, match="nothing to ask"):
                await connection.ask(command.DATA)
            await connection.close()
            return heard

    assert waiting.run(run()) == ["252 2.5.0 perhaps", "502 5.5.1 no", "214 try harder", "250 ok", "250 ok"]


def test_a_question_without_an_answer() -> None:
    """A session that is lost over a question says so; another question is not even said."""

    async def run() -> None:
        async with Friendly({b"VRFY": None}) as server:
            connection = await opened(server)
            for _ in range(2):
                with pytest.raises(SessionError) as caught:
                    await connection.ask(command.vrfy("bob"))
                assert caught.value.kind == "lost"
            assert not connection.usable
            assert server.said.count(b"VRFY") == 1

    waiting.run(run())
