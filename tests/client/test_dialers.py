"""Ways to a server that are no plain TCP: proxies, a unix socket, memory, and one's own; and a mechanism of one's own."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec

import pytest
import trustme

from mailer import Email, ErrorKind, Login, Mechanism, Proxy, Requirement, RetrySettings, SmtpClient, SmtpError, UnixSocket
from mailer.sink import Sink
from mailer.testing import Hang, MemorySink, Moods, Script
from mailer.transport.route import Endpoint
from tests.fakes.proxy import FakeProxy
from tests.fakes.sockets import closed_port

P = ParamSpec("P")


def running(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test, in an event loop of its own."""

    @functools.wraps(test)
    def run(*given: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*given, **named))

    return run


LETTER = Email(from_="ann@example.org", to="bob@example.net", subject="Hi", text="It works.")
ONCE = RetrySettings(max_attempts=1)
LOGIN = ("me", "hush")


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize("login", [None, LOGIN])
@running
async def test_mail_goes_by_a_proxy_which_looks_the_host_up(kind: str, login: tuple[str, str] | None) -> None:
    """TLS is with the host behind it, under a name that no DNS of ours has; the session is kept for the next message."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.nowhere.invalid").configure_cert(context)
    with authority.cert_pem.tempfile() as ca:
        requirement = Requirement("starttls", True, ca)
        async with Sink(tls=context) as sink, FakeProxy(login, target=sink.port) as proxy:
            dialer = Proxy.at(f"{kind}://127.0.0.1:{proxy.port}", *(login or ()))
            async with SmtpClient("mail.nowhere.invalid", 587, tls=requirement, dialer=dialer) as client:
                result = await client.send(LETTER)
                await client.send(LETTER)
        assert (sink.count, proxy.asked, proxy.sessions) == (2, ["mail.nowhere.invalid:587"], 1)
    assert (result.host, result.tls) == (f"mail.nowhere.invalid[{dialer.name}]:587", "TLSv1.3 verified")


@pytest.mark.parametrize(
    ("kind", "server", "given", "says", "refuse"),
    [
        ("socks5", None, None, "refused: not allowed by its rules (2)", 2),
        ("http", None, None, "refused: 403 Forbidden here", 403),
        ("socks5", LOGIN, None, "refused: it wants a login", 0),
        ("socks5", LOGIN, ("me", "wrong"), "refused: wrong user name or password", 0),
        ("http", LOGIN, ("me", "wrong"), "refused: 407", 0),
    ],
)
@running
async def test_a_proxy_that_refuses_is_named(
    kind: str, server: tuple[str, str] | None, given: tuple[str, str] | None, says: str, refuse: int
) -> None:
    """The error says that it was the proxy, and what it said; no password is in it."""
    async with FakeProxy(server, refuse) as proxy:
        dialer = Proxy.at(f"{kind}://127.0.0.1:{proxy.port}", *(given or ()))
        async with SmtpClient("mail.example.com", tls="none", dialer=dialer, retry=ONCE) as client:
            with pytest.raises(SmtpError) as caught:
                await client.send(LETTER)
    assert f"the proxy {kind}://127.0.0.1:{proxy.port} {says}" in str(caught.value)
    assert "wrong" not in str(caught.value).replace("wrong user", "")


@running
async def test_a_proxy_that_is_not_there_or_no_proxy_is_named() -> None:
    """Nobody listens, it says something else, hangs up, or never ends."""

    async def error(url: str) -> SmtpError:
        async with SmtpClient("mail.example.com", tls="none", dialer=Proxy.at(url), retry=ONCE) as client:
            with pytest.raises(SmtpError) as caught:
                await client.send(LETTER)
            return caught.value

    gone = await error(f"socks5://127.0.0.1:{closed_port()}")
    assert "cannot be reached: Connection refused" in str(gone)
    assert gone.kind == ErrorKind.CONNECTION
    assert "has no address" in str(await error("http://proxy.invalid:1"))
    async with Script("S: 220 mail.example.com ESMTP\nEND") as server:
        assert "does not speak SOCKS5" in str(await error(f"socks5://127.0.0.1:{server.port}"))
    async with Script("END") as server:
        assert "broke off" in str(await error(f"http://127.0.0.1:{server.port}"))
    async with Hang(b"x" * 10_000) as server:
        assert "answers without an end" in str(await error(f"http://127.0.0.1:{server.port}"))


@running
async def test_sessions_are_shared_with_an_equal_proxy_only() -> None:
    """Endpoints with another proxy, or another login there, are others."""
    one, same = Proxy.at("socks5://p:1", "me", str), Proxy.at("socks5h://p:1", "me", str)
    assert one == same
    assert len({one, same, Proxy.at("http://p:1", "me", str), Proxy.at("socks5://p:1"), UnixSocket("/p"), UnixSocket("/p")}) == 4
    assert "hush" not in repr(Proxy.at("socks5://p:1", "me", "hush"))
    ends = [Endpoint("h", 25, Requirement("none"), dialer=dialer) for dialer in (one, same, Proxy.at("socks5://p:2"), None)]
    assert (ends[0] == ends[1], len(set(ends))) == (True, 3)


@running
async def test_a_server_on_a_unix_socket(tmp_path: Path) -> None:
    """It is called by its path; where none listens, the error says so."""
    path = str(tmp_path / "smtp")
    dialer = UnixSocket(path)
    async with SmtpClient("here", tls="none", dialer=dialer, retry=ONCE) as client:
        with pytest.raises(SmtpError, match=f"unix://{path}.*No such file"):
            await client.send(LETTER)
        script = "S: 220 here\nC: EHLO *\nS: 250 here\nC: MAIL *\nS: 250 ok\nC: RCPT *\nS: 250 ok\nC: DATA\nS: 354 go\nMESSAGE\nS: 250 ok"
        served = Script(script)

        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await served.serve(reader, writer)
            writer.close()

        server = await asyncio.start_unix_server(session, path)
        result = await client.send(LETTER)
    server.close()
    assert (result.host, served.wrong, len(served.messages)) == (f"here[unix://{path}]:25", "", 1)


@running
async def test_a_sink_in_memory_takes_mail_and_refuses_it() -> None:
    """No port, no network; moods hold as ever."""
    sink = MemorySink(Moods(refuse={"nobody@example.net": "550 5.1.1 no such user"}), users={"me": "hush"})
    async with SmtpClient("mail.test", tls="none", credentials=Login("me", lambda: "hush", allow_plain=True), dialer=sink) as client:
        await client.send(LETTER)
        with pytest.raises(SmtpError, match="no such user"):
            await client.send(LETTER, recipients="nobody@example.net")
    assert [(one.recipients, one.user) for one in sink.messages] == [(("bob@example.net",), "me")]


def test_what_a_dialer_would_pass_over_is_an_error() -> None:
    """An address to call from, or a family of addresses, means nothing to it."""
    for more in ({"source": "192.0.2.1"}, {"source6": "2001:db8::1"}, {"family": "only4"}):
        with pytest.raises(ValueError, match="a dialer chooses by itself"):
            SmtpClient("mail.example.com", dialer=UnixSocket("/x"), **more)  # type: ignore[arg-type]


class Reversed(Mechanism):
    """Says its secret backwards."""

    name = "X-REVERSED"
    clear = False

    def answer(self, challenge: bytes) -> bytes | None:
        return self._once(challenge + self.secret[::-1])


@running
async def test_a_mechanism_of_ones_own_is_spoken_where_it_is_offered() -> None:
    """Its answer goes in base 64; a server that does not offer it is told of by its name."""
    script = (
        "S: 220 x\nC: EHLO *\nS: 250-x\nS: 250 AUTH X-REVERSED PLAIN\n"
        "C: AUTH X-REVERSED\nS: 334 QUI=\nC: QUJoc3Vo\nS: 235 in\nC: NOOP\nS: 250 ok"
    )
    login = Login("me", lambda: "hush", mechanism=Reversed)
    async with Script(script) as server, SmtpClient("127.0.0.1", server.port, tls="none", credentials=login) as client:
        assert (await client.test_connection()).authenticated_as == "me"
    async with Sink(users={"me": "hush"}) as sink, SmtpClient("127.0.0.1", sink.port, tls="none", credentials=login) as client:
        with pytest.raises(SmtpError, match="we know X-REVERSED"):
            await client.send(LETTER)
