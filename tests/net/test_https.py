"""The client of HTTPS: what is called, what is not, and what a host can do to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Self

import pytest

from mailer.mail.web_url import WebUrl
from mailer.net.https import HEAD, HttpsAnswer, HttpsClient, HttpsTrouble
from mailer.tlspolicy import Requirement
from tests.fakes import waiting
from tests.fakes.resolver import FakeResolver
from tests.net.conftest import NAME, Certificates

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DEADLINE = 10.0


class Host:
    """A host that does what the test says, with TLS where there is a `context`; `requests` are what it was sent, head and body."""

    def __init__(self, *answers: bytes | Talk, context: ssl.SSLContext | None = None) -> None:
        self.answers = [*answers]
        self.context = context
        self.requests: list[bytes] = []
        self.calls = 0
        self.sessions: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.session, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in self.sessions:
            task.cancel()
        await asyncio.gather(*self.sessions, return_exceptions=True)

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.sessions.add(task)
        self.calls += 1
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.answers:
            self.requests.append(await request(reader))
            answer = self.answers.pop(0)
            if callable(answer):
                await answer(reader, writer)
            else:
                writer.write(answer)
            await writer.drain()
        await reader.read()


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
    return head + await reader.readexactly(length)


def asked(host: Host, path: str = "/hook", *, times: int = 1, most: int = 4096, **more: Any) -> list[HttpsAnswer | HttpsTrouble]:
    """What came of so many posts to `host`, over plain TCP, in a loop where waiting costs nothing."""

    async def run() -> list[HttpsAnswer | HttpsTrouble]:
        async with host:
            client = HttpsClient(FakeResolver().addresses, Requirement("implicit"))
            found = []
            for _ in range(times):
                url = WebUrl.read(f"http://127.0.0.1:{host.port}{path}")
                try:
                    found.append(await client.ask("POST", url, (), b"{}", seconds=DEADLINE, most=most, private=True, **more))
                except HttpsTrouble as trouble:
                    found.append(trouble)
            await client.close()
            return found

    return waiting.run(run())


def test_a_request_has_what_it_needs_and_no_more() -> None:
    """RFC 9112 §3.2: Host; no compression is asked for."""
    host = Host(OK)
    (answer,) = asked(host, "/a?b=c")
    assert isinstance(answer, HttpsAnswer)
    assert (answer.status, answer.body, answer.cut, answer.address) == (200, b"ok", False, "127.0.0.1")
    head, _, body = host.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Accept-Encoding: identity" in head
    assert body == b"{}"


def test_a_connection_is_used_again() -> None:
    """And a new one is made where the host has closed it meanwhile, or says that it will."""
    host = Host(OK, OK, OK)
    assert all(isinstance(each, HttpsAnswer) for each in asked(host, times=3))
    assert host.calls == 1
    host = Host(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK)
    assert all(isinstance(each, HttpsAnswer) for each in asked(host, times=2))
    assert host.calls == 2


def test_a_connection_that_the_host_closes_under_a_request_is_replaced() -> None:
    """RFC 9112 §9.5: it may do that at any time; nothing of an answer had come, so the request is made anew."""

    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    host = Host(OK, leave, OK)
    first, second = asked(host, times=2)
    assert isinstance(first, HttpsAnswer)
    assert isinstance(second, HttpsAnswer)
    assert (host.calls, len(host.requests)) == (2, 3)


def test_a_new_connection_that_breaks_is_trouble() -> None:
    """Nobody is asked twice for nothing."""

    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    host = Host(leave, OK)
    (trouble,) = asked(host)
    assert isinstance(trouble, HttpsTrouble)
    assert trouble.kind == "broken"
    assert len(host.requests) == 1


def test_a_redirect_is_an_answer() -> None:
    """Nobody follows it."""
    host = Host(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", OK)
    (answer,) = asked(host)
    assert isinstance(answer, HttpsAnswer)
    assert answer.status == 302
    assert answer.header("location") == "http://127.0.0.1/"
    assert len(host.requests) == 1


@pytest.mark.parametrize(
    "lengths",
    [b"Content-Length: 9000\r\n\r\n" + b"x" * 9000, b"\r\n" + b"x" * 9000, b"Transfer-Encoding: chunked\r\n\r\n2328\r\n" + b"x" * 9000],
)
def test_no_more_of_a_body_is_read_than_is_wanted(lengths: bytes) -> None:
    """However its length is said; the connection is not used again."""
    host = Host(b"HTTP/1.1 200 OK\r\n" + lengths, OK)
    answer, _ = asked(host, times=2, most=100)
    assert isinstance(answer, HttpsAnswer)
    assert (answer.body, answer.cut) == (b"x" * 100, True)
    assert host.calls == 2


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """RFC 9112 §6.3."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        writer.close()

    (answer,) = asked(Host(talk))
    assert isinstance(answer, HttpsAnswer)
    assert (answer.body, answer.cut) == (b"all of it", False)


def test_a_body_that_is_cut_short_is_no_answer() -> None:
    """It may have been anything."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        writer.close()

    (trouble,) = asked(Host(talk))
    assert isinstance(trouble, HttpsTrouble)
    assert trouble.kind == "broken"


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for octet in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
        writer.write(bytes((octet,)))
        await asyncio.sleep(1)


async def hang(_: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def drip_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    await drip(_, writer)


@pytest.mark.parametrize("talk", [drip, hang, drip_body])
def test_one_deadline_holds_over_all(talk: Talk) -> None:
    """An octet a second does not move it."""

    async def run() -> float:
        async with Host(talk) as host:
            client = HttpsClient(FakeResolver().addresses, Requirement("implicit"))
            began = asyncio.get_running_loop().time()
            with pytest.raises(HttpsTrouble) as caught:
                await client.ask("POST", WebUrl.read(f"http://127.0.0.1:{host.port}/"), seconds=DEADLINE, most=4096, private=True)
            assert caught.value.kind == "timeout"
            return asyncio.get_running_loop().time() - began

    assert waiting.run(run()) == pytest.approx(DEADLINE, abs=0.5)


@pytest.mark.parametrize(
    "octets",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail.example.com ESMTP\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * (2 * HEAD), b"\x16\x03\x01\0\0" * 9,
     b"HTTP/1.1 100 Continue\r\n\r\n" * 50, b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_trouble(octets: bytes) -> None:
    """And a header without an end is none."""
    (trouble,) = asked(Host(octets + b"\r\n\r\n"))
    assert isinstance(trouble, HttpsTrouble)
    assert trouble.kind == "broken"


def test_nobody_listens() -> None:
    """Which is said with the address."""

    async def run() -> HttpsTrouble:
        async with Host() as host:
            port = host.port
        client = HttpsClient(FakeResolver().addresses, Requirement("implicit"))
        with pytest.raises(HttpsTrouble) as caught:
            await client.ask("GET", WebUrl.read(f"http://127.0.0.1:{port}/"), seconds=5, most=10, private=True)
        return caught.value

    trouble = waiting.run(run())
    assert trouble.kind == "connect"
    assert "127.0.0.1" in str(trouble)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://127.0.0.1/", "127.0.0.1"), ("https://[::1]/", "::1"), ("https://169.254.169.254/latest", "169.254.169.254"),
        ("https://10.1.2.3/", "10.1.2.3"), ("https://[::ffff:127.0.0.1]/", "::ffff:"), ("https://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1"),
        ("https://[fe80::1%25eth0]/", "zone"), ("https://app.example.com:25/", "port 25"), ("http://app.example.com/", "encrypted"),
        ("https://localhost/", "this machine"), ("https://app.localhost/", "this machine"), ("https://app.example.com:22/", "port 22"),
        ("https://inside.example.com/", "192.168.7.1"), ("https://metadata.example.com/", "169.254.169.254"),
    ],
)  # fmt: skip
def test_where_nobody_outside_can_get_nobody_is_called(url: str, why: str) -> None:
    """Nor another service than the web's; by name or by number."""
    resolver = FakeResolver(addresses={"inside.example.com": ["192.168.7.1"], "metadata.example.com": ["169.254.169.254"]})

    async def run() -> HttpsTrouble:
        with pytest.raises(HttpsTrouble) as caught:
            await HttpsClient(resolver.addresses, Requirement("implicit")).ask("GET", WebUrl.read(url), seconds=5, most=10)
        return caught.value

    trouble = waiting.run(run())
    assert trouble.kind == "refused"
    assert why in str(trouble)


class Rebinding:
    """A resolver that changes its mind: an address of ours at each second look."""

    def __init__(self, public: str, private: str) -> None:
        self.answers = [public, private]
        self.asked = 0

    async def addresses(self, _host: str) -> list[str]:
        self.asked += 1
        return [self.answers[(self.asked - 1) % 2]]


def test_rebinding_gets_nobody_inside(certificates: Certificates) -> None:
    """The address that was screened is the one that is called; the next look-up is screened as the first was."""

    async def run() -> None:
        async with Host(OK, OK, context=certificates.good) as public, Host(OK, OK) as inside:
            resolver = Rebinding("127.0.0.1", "127.0.0.2")
            client = HttpsClient(resolver.addresses, Requirement("implicit", ca_file=certificates.ca_file), screen="127.0.0.1".__eq__)
            url = WebUrl.read(f"https://{NAME}:{public.port}/")
            answer = await client.ask("GET", url, seconds=5, most=10)
            assert (answer.address, resolver.asked) == ("127.0.0.1", 1)
            with pytest.raises(HttpsTrouble) as caught:  # though a connection to the first address is idle
                await client.ask("GET", url, seconds=5, most=10)
            assert caught.value.kind == "refused"
            assert (public.calls, inside.calls) == (1, 0)
            await client.close()

    waiting.run(run())


def test_a_connection_is_used_again_only_where_the_name_still_leads() -> None:
    """Another address that may be called, too, is another host: what is idle at the first one is let go."""

    async def run() -> None:
        async with Host(OK, OK) as host:
            client = HttpsClient(Rebinding("127.0.0.1", "127.0.0.2").addresses, Requirement("implicit"))
            url = WebUrl.read(f"http://two.example.com:{host.port}/")
            assert (await client.ask("GET", url, seconds=5, most=10, private=True)).address == "127.0.0.1"
            with pytest.raises(HttpsTrouble) as caught:
                await client.ask("GET", url, seconds=5, most=10, private=True)
            assert (caught.value.kind, len(host.requests)) == ("connect", 1)

    waiting.run(run())


def test_a_certificate_has_to_bear_the_name(certificates: Certificates) -> None:
    """Though an address is called; and somebody known has to have signed it."""

    async def run(context: Any) -> str:
        async with Host(OK, context=context) as host:
            resolver = FakeResolver(addresses={NAME: ["127.0.0.1"]})
            client = HttpsClient(resolver.addresses, Requirement("implicit", ca_file=certificates.ca_file), screen=lambda _: True)
            try:
                answer = await client.ask("GET", WebUrl.read(f"https://{NAME}:{host.port}/"), seconds=5, most=10)
                return str(answer.status)
            except HttpsTrouble as trouble:
                assert not host.requests
                return trouble.kind
            finally:
                await client.close()

    assert waiting.run(run(certificates.good)) == "200"
    assert waiting.run(run(certificates.other_name)) == "tls"
    assert waiting.run(run(certificates.unknown)) == "tls"


def test_a_host_of_the_operators_may_be_anywhere() -> None:
    """With `private`, localhost is this machine, and names of hosts(5) are theirs."""

    async def run() -> int:
        async with Host(OK) as host:
            client = HttpsClient(FakeResolver().addresses, Requirement("implicit"))
            answer = await client.ask("GET", WebUrl.read(f"http://localhost:{host.port}/"), seconds=5, most=10, private=True)
            await client.close()
            return answer.status

    assert waiting.run(run()) == 200


@pytest.mark.parametrize("reason", ["the DNS has no address", "it hangs"])
def test_a_name_that_cannot_be_looked_up(reason: str) -> None:
    """Is trouble with the DNS; a look-up without an end ends at the deadline."""
    resolver = FakeResolver(slow=["slow.example.com"])

    async def run() -> HttpsTrouble:
        name = "none.example.com" if reason == "the DNS has no address" else "slow.example.com"
        with pytest.raises(HttpsTrouble) as caught:
            await HttpsClient(resolver.addresses, Requirement("implicit")).ask("GET", WebUrl.read(f"https://{name}/"), seconds=5, most=10)
        return caught.value

    assert waiting.run(run()).kind == ("dns" if reason == "the DNS has no address" else "timeout")
