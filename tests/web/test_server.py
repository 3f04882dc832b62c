"""The doors: who has a place, whose name is called, what is shown of certificates, and what a reload changes."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from pathlib import Path

import pytest
import trustme

from mailer.config import Config
from mailer.config.file import config_of
from mailer.mail.problem import Problem
from tests.fakes.processes import free_port

from .oddities import GET
from .served import PLACE, Caller, Served, config_with, with_server

END = b"\r\n"


def certificate(path: Path, authority: trustme.CA, name: str = "localhost") -> tuple[Path, Path]:
    """The files of a certificate and its key."""
    made = authority.issue_cert(name)
    files = path / "web.pem", path / "web.key"
    made.cert_chain_pems[0].write_to_path(files[0])
    made.private_key_pem.write_to_path(files[1])
    return files


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


def asking(host: str, path: str = "/echo", more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode("latin-1")


# -- places


def test_a_quarter_of_the_places_is_for_one_address(tmp_path: Path) -> None:
    """Who comes beyond that is told to come again; others are served."""

    async def test(served: Served) -> None:
        open_now = [await served.call() for _ in range(64)]
        await asyncio.sleep(0.1)
        answer = await (await served.call()).answer()
        assert (answer.status, answer.error["code"]) == (503, "too_many_connections")
        other = await served.call(GET + END, host="127.0.0.2")
        assert (await other.answer()).status == 200
        open_now[0].close()
        await asyncio.sleep(0.1)
        assert (await (await served.call(GET + END)).answer()).status == 200

    with_server(test, config_with(tmp_path))


def test_there_are_so_many_places_in_all(tmp_path: Path) -> None:
    """However many addresses they come from; 257 is one too many."""

    async def test(served: Served) -> None:
        for number in range(256):
            await served.call(host=f"127.0.0.{number // 64 + 1}")
        await asyncio.sleep(0.1)
        assert (await (await served.call(host="127.0.0.9")).answer()).status == 503

    with_server(test, config_with(tmp_path))


def test_a_proxy_has_no_share(tmp_path: Path) -> None:
    """It stands for many clients."""

    async def test(served: Served) -> None:
        for _ in range(8):
            await served.call()
        await asyncio.sleep(0.1)
        assert (await (await served.call(host="127.0.0.9")).answer()).status == 503
        served.callers[0].close()
        await asyncio.sleep(0.1)
        assert (await (await served.call(GET + END)).answer()).status == 200

    with_server(test, config_with(tmp_path, "max_connections = 8", 'proxies = ["127.0.0.1"]'))


# -- whose name is called


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("localhost:8025", True),
        ("api.localhost", True),
        ("127.0.0.1:8025", True),
        ("mail.example.com", True),
        ("MAIL.example.com.", True),
        ("127.0.0.2", False),
        ("[::1]", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("mail.example.com.evil.example", False),
        ("0", False),
        ("", False),
        (":8025", False),
    ],
)
def test_only_names_of_this_machine_are_answered(host: str, known: bool, tmp_path: Path) -> None:
    """A page whose name leads here is refused (DNS rebinding)."""

    async def test(served: Served) -> None:
        answer = await (await served.call(asking(host))).answer()
        assert answer.status == (200 if known else 421)
        assert not [name for name in answer.fields if name.startswith("access-control")]

    with_server(test, config_with(tmp_path))


def test_names_can_be_given(tmp_path: Path) -> None:
    """They take the place of the hostname."""

    async def test(served: Served) -> None:
        for host, status in (("api.example.com", 200), ("[2001:db8::1]:80", 200), ("mail.example.com", 421)):
            assert (await (await served.call(asking(host))).answer()).status == status

    with_server(test, config_with(tmp_path, 'hosts = ["api.example.com", "2001:db8::1"]'))


def test_a_page_of_another_origin_may_read_nothing(tmp_path: Path) -> None:
    """Neither what it asks, nor what it would be allowed to."""

    async def test(served: Served) -> None:
        caller = await served.call(asking("localhost", more="Origin: http://evil.example\r\n"))
        plain = await caller.answer()
        caller.say(
            b"OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        )
        asked = await caller.answer()
        assert (plain.status, asked.status) == (200, 405)
        assert not [name for answer in (plain, asked) for name in answer.fields if name.startswith("access-control")]
        assert plain.fields["x-content-type-options"] == "nosniff"
        assert plain.fields["cache-control"] == "no-store"

    with_server(test, config_with(tmp_path))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity", "GZIP"])
def test_packed_bodies_are_refused(coding: str, tmp_path: Path) -> None:
    """What is not unpacked cannot burst."""

    async def test(served: Served) -> None:
        data = f"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: {coding}\r\nContent-Length: 2\r\n\r\n{{}}"
        answer = await (await served.call(data.encode())).answer()
        assert (answer.status, answer.error["code"]) == (415, "unsupported_encoding")

    with_server(test, config_with(tmp_path))


# -- who asks


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("", "127.0.0.1"),
        ("X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"),
        ("X-Forwarded-For: 198.51.100.1, 192.0.2.1\r\n", "192.0.2.1"),
        ("X-Forwarded-For: 198.51.100.1, 192.0.2.1, 10.1.2.3\r\n", "192.0.2.1"),
        ("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"),
        ("X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1"),
        ("X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"),
        ("X-Forwarded-For: 192.0.2.1, unknown\r\n", "127.0.0.1"),
        ("X-Forwarded-For: 192.0.2.1, unknown, 10.1.2.3\r\n", "10.1.2.3"),
        ("X-Forwarded-For: 10.1.2.3\r\n", "10.1.2.3"),
        ("X-Forwarded-For: " + "192.0.2.1," * 1000 + "192.0.2.2\r\n", "192.0.2.2"),
    ],
)
def test_a_proxy_says_who_asks(forwarded: str, client: str, tmp_path: Path) -> None:
    """The last address that is none of a proxy; what the client said before it does not count."""

    async def test(served: Served) -> None:
        answer = await (await served.call(asking("localhost", "/client", forwarded))).answer()
        assert answer.body.decode() == client
        assert served.asked[0].client == client

    with_server(test, config_with(tmp_path, listen='proxies = ["127.0.0.0/8", "10.0.0.0/8"]'))


def test_nobody_else_does(tmp_path: Path) -> None:
    """A client that calls itself something else is called what it is."""

    async def test(served: Served) -> None:
        answer = await (await served.call(asking("localhost", "/client", "X-Forwarded-For: 192.0.2.1\r\n"))).answer()
        assert answer.body == b"127.0.0.1"

    with_server(test, config_with(tmp_path, listen='proxies = ["10.0.0.0/8"]'))


# -- what is told


def test_a_bug_has_a_number(tmp_path: Path) -> None:
    """The client is told that, and nothing of what was wrong."""

    async def test(served: Served) -> None:
        caller = await served.call(asking("localhost", "/broken"))
        answer = await caller.answer()
        asked = served.asked[0]
        assert answer.status == asked.status == 500
        assert asked.ref
        assert asked.ref in answer.error["message"]
        assert b"order" not in answer.body
        assert isinstance(asked.bug, RuntimeError)
        caller.say(GET + END)
        assert (await caller.answer()).status == 200

    with_server(test, config_with(tmp_path))


def test_requests_are_counted_by_endpoint_and_status(tmp_path: Path) -> None:
    """What there is not is one series, whatever it is called."""

    async def test(served: Served) -> None:
        for path in ("/echo", "/echo?x=y", "/nope", "/nope/2", "/health"):
            await (await served.call(asking("localhost", path))).answer()
        await (await served.call(asking("evil.example"))).answer()
        assert served.desk.requests.counts == {("/echo", 200): 2, ("other", 404): 2, ("/health", 200): 1, ("other", 421): 1}
        assert served.asked[1].path == "/echo"

    with_server(test, config_with(tmp_path))


def test_ready_says_what_is_missing(tmp_path: Path) -> None:
    """A spool that cannot be written, a disk without room, a process that ends: each is 503."""

    async def test(served: Served) -> None:
        async def ready() -> tuple[int, str]:
            answer = await (await served.call(asking("localhost", "/ready"))).answer()
            assert answer.status == 200 or answer.fields["retry-after"]
            return answer.status, answer.body.decode()

        status, body = await ready()
        assert status == 503
        assert "spool" in body
        assert str(tmp_path) not in body
        for name in ("tmp", "queued"):
            (tmp_path / name).mkdir()
        assert (await ready())[0] == 200
        full = served.config.submission.but(min_free_space=1 << 60)
        served.desk.config = served.config.but(submission=full)
        status, body = await ready()
        assert status == 503
        assert "submission.min_free_space" in body
        served.desk.config = served.config
        served.desk.ending.set()
        assert (await ready())[0] == 503
        assert (await (await served.call(asking("localhost", "/health"))).answer()).status == 200

    with_server(test, config_with(tmp_path))


# -- TLS, sockets, and reloads


def test_tls_from_the_first_octet(tmp_path: Path) -> None:
    """With the certificate as it is in the file after a reload; who speaks in the clear is hung up on, and who says nothing, too."""
    authority = trustme.CA()
    files = certificate(tmp_path, authority)
    config = config_with(tmp_path, listen=f'tls = "implicit"\ncertificate_file = "{files[0]}"\nkey_file = "{files[1]}"')

    async def test(served: Served) -> None:
        loop = asyncio.get_running_loop()
        caller = await served.call(GET + END, tls=trusting(authority))
        assert (await caller.answer()).status == 200
        before = _serial(caller)
        certificate(tmp_path, authority)
        (await served.server.listen(config, {}))()
        caller.say(GET + END)
        assert (await caller.answer()).status == 200
        after = await served.call(GET + END, tls=trusting(authority))
        assert (await after.answer()).status == 200
        assert _serial(after) != before
        assert await (await served.call(GET + END)).ends()
        began = loop.time()
        assert await (await served.call()).ends()
        assert 9 < loop.time() - began < 12

    with_server(test, config)


def test_a_body_that_is_too_large_is_seen_over_tls_as_well(tmp_path: Path) -> None:
    """Where a connection cannot be closed one way only."""
    authority = trustme.CA()
    files = certificate(tmp_path, authority)

    async def test(served: Served) -> None:
        caller = await served.call(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n", tls=trusting(authority))
        caller.say(b" " * 100_000)
        assert (await caller.answer()).status == 413

    with_server(test, config_with(tmp_path, listen=f'tls = "implicit"\ncertificate_file = "{files[0]}"\nkey_file = "{files[1]}"'))


def _serial(caller: Caller) -> object:
    return caller.writer.get_extra_info("peercert")["serialNumber"]


@pytest.mark.parametrize("content", ["", "nonsense"])
def test_a_certificate_that_cannot_be_used_is_refused(content: str, tmp_path: Path) -> None:
    """With the file and the setting, and what was there goes on."""
    path = tmp_path / "web.pem"
    if content:
        path.write_text(content)
    wrong = config_with(tmp_path, listen=f'tls = "implicit"\ncertificate_file = "{path}"')

    async def test(served: Served) -> None:
        with pytest.raises(Problem, match=r"web\.pem.*listen\.certificate_file"):
            await served.server.listen(wrong, {})
        assert (await (await served.call(GET + END)).answer()).status == 200

    with_server(test, config_with(tmp_path))


def test_a_reload_opens_and_closes_doors(tmp_path: Path) -> None:
    """The one that stays goes on with its socket; who came by one that is closed is served on."""
    port, other = free_port(), free_port()

    def config(*places: str, **api: int) -> Config:
        made = config_with(tmp_path)
        listens = tuple(
            config_of("", f'[[listen]]\nkind = "web"\naddress = "{place}"\nmode = "0600"\n'.encode(), "/").listens[0] for place in places
        )
        return made.but(listens=listens, api=made.api.but(**api))

    async def test(served: Served) -> None:
        socket = tmp_path / "web.sock"
        before = await served.call(GET + END)
        assert (await before.answer()).status == 200
        (await served.server.listen(config(PLACE, f"127.0.0.1:{port}", str(socket)), {}))()
        assert [place for place, _ in served.server.places][1:] == [f"127.0.0.1:{port}", str(socket)]
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        unix = Caller(*await asyncio.open_unix_connection(str(socket)))
        served.callers.append(unix)
        unix.say(asking("localhost", "/client"))
        assert (await unix.answer()).body == b"None"
        (await served.server.listen(config(f"127.0.0.1:{port}", max_body=10), {}))()
        before.say(GET + END)
        assert (await before.answer()).status == 200
        assert served.port == port
        assert (await (await served.call(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n")).answer()).status == 413
        with pytest.raises(ConnectionError):
            await asyncio.open_unix_connection(str(socket))
        taken = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", other)
        with pytest.raises(Problem, match=f"cannot listen at 127.0.0.1:{other}.*listen.address"):
            await served.server.listen(config(f"127.0.0.1:{port}", f"127.0.0.1:{other}"), {})
        taken.close()
        assert (await (await served.call(GET + END)).answer()).status == 200

    with_server(test, config_with(tmp_path))


def test_a_unix_socket_goes_with_the_process(tmp_path: Path) -> None:
    """Whoever calls then sees that nobody is there."""

    async def test(served: Served) -> None:
        path = tmp_path / "web.sock"
        listen = config_of("", f'[[listen]]\nkind = "web"\naddress = "{path}"\n'.encode(), "/").listens
        (await served.server.listen(served.config.but(listens=listen), {}))()
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        await served.server.close(0)
        assert not os.path.lexists(path)

    with_server(test, config_with(tmp_path))


# -- threads


def test_what_waits_for_the_disk_has_a_bound(tmp_path: Path) -> None:
    """Sixteen are at work, some wait, and the next is told to come again; it is no matter who leaves meanwhile."""
    import threading

    from mailer.web.desk import THREADS, Desk, TooBusy

    async def run() -> None:
        config = config_with(tmp_path, "waiting = 4")
        desk = Desk(config, Served(config).desk.clock)
        go, most = threading.Event(), [0, 0]
        lock = threading.Lock()

        def work() -> int:
            with lock:
                most[0] += 1
                most[1] = max(most)
            go.wait(20)
            with lock:
                most[0] -= 1
            return 7

        begun = [asyncio.ensure_future(desk.work(work)) for _ in range(THREADS + 4)]
        await asyncio.sleep(0.05)
        with pytest.raises(TooBusy):
            await desk.work(work)
        begun[0].cancel()
        go.set()
        assert set(await asyncio.gather(*begun[1:])) == {7}
        assert most[1] == THREADS
        assert await desk.work(work) == 7
        desk.close()

    asyncio.run(run())
