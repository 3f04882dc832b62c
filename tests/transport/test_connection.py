"""One session: that nothing is lost or raised at the wrong place."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.mail.outcome import Cause
from mailer.mail.problem import Problem
from mailer.smtp import command
from mailer.tlspolicy import MX
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Login
from tests.fakes import waiting
from tests.fakes.chance import examples
from tests.fakes.friendly import Friendly
from tests.fakes.script import Hang, LoopbackServer
from tests.smtp.test_data import SMUGGLED, VECTORS
from tests.transport.sessions import CONTENT, NONE, QUICK, deliver, endpoint, opened


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
            task = asyncio.create_task(connection.deliver(Parcel("alice@example.org", ["bob@example.com"], CONTENT)))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not connection.usable
            (answer,) = await connection.deliver(Parcel("alice@example.org", ["bob@example.com"], CONTENT))
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
            await connection.deliver(Parcel("alice@example.org", ["bob@example.com"], CONTENT))
            server.writers[0].write(last)
            if not last:
                server.writers[0].close()
            await asyncio.sleep(0.05)
            assert not connection.usable
            (answer,) = await connection.deliver(Parcel("alice@example.org", ["bob@example.com"], CONTENT))
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
        raise Problem("config.toml:7: password_command: exit status 1", "bad-config")

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


class Noise(LoopbackServer):
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


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(said | st.binary(max_size=10), max_size=6))
def test_any_peer(pieces: list[bytes]) -> None:
    """Whatever a peer says: a `SessionError`, or one answer for each recipient; nothing else comes out."""

    async def run() -> None:
        async with Noise([b"220 x\r\n", b"250-x\r\n250 PIPELINING\r\n", *pieces]) as server:
            try:
                connection = await opened(server)
            except SessionError:
                return
            answers = await connection.deliver(Parcel("alice@example.org", ["bob@example.com", "carol@example.com"], CONTENT))
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
            (answer,) = await connection.deliver(Parcel("alice@example.org", ["bob@example.com"], CONTENT))
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
