#!/usr/bin/env python3
"""How fast a client sends: ours, smtplib, aiosmtplib and a raw pipelined socket, in one run against smtp-sink.

    python tests/benchmarks/client.py [-n 2000] [--rounds 5]

1 KB messages on 1 and 5 connections, reused and fresh for each message; then with 20 ms of round trip added, where
the number of round trips is all that counts; then one message of 25 MB, for its memory; then the rows of a
specification's latency table. ``mailer`` is `mailer.transport.connection` with the next message named ahead, as the daemon uses
it; ``mailer.SmtpClient`` is the library face with everything that it adds. Nothing is encrypted. The raw socket sends
what was made beforehand and looks at no reply but to count it: it is no client, it is the ceiling.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer import SmtpClient
from mailer.client.settings import PoolSettings
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.route import Endpoint, Login
from tests.benchmarks.measure import RECIPIENT, SENDER, figure, message, ratio
from tests.fakes.processes import wait_until
from tests.peers.smtpsink import SmtpSink

HOST = "127.0.0.1"
CONTENT = message(1024)
ROUND_TRIP = 0.020


def in_loop(work: Callable[[int, int, int, bool], Awaitable[None]]) -> Callable[[int, int, int, bool], None]:
    """A coroutine function as a plain one, on the loop that the daemon would use."""

    def run(port: int, count: int, connections: int, fresh: bool) -> None:
        try:
            import uvloop

            runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        except ImportError:
            runner = asyncio.Runner()
        with runner:
            runner.run(work(port, count, connections, fresh))

    return run


@in_loop
async def ours(port: int, count: int, connections: int, fresh: bool) -> None:
    """`Connection`, the next message named ahead."""
    endpoint = Endpoint(HOST, port, Requirement("none"), hello="bench.example")
    mail = Parcel(SENDER, [RECIPIENT], CONTENT, False)

    async def work(count: int) -> None:
        left = count
        connection = None
        while left:
            connection = connection or await Connection.open(endpoint, HOST)
            left -= 1
            following = mail if left and not fresh else None
            (answer,) = await connection.deliver(mail, lambda following=following: following)
            assert answer.reply.code == 250, answer
            if fresh or not left:
                await connection.close()
                connection = None

    await asyncio.gather(*(work(count // connections) for _ in range(connections)))


@in_loop
async def library(port: int, count: int, connections: int, fresh: bool) -> None:
    """`SmtpClient`: pool, breaker, retries, results."""
    pool = PoolSettings(max_connections=connections, min_idle=0)
    if not fresh:
        async with SmtpClient(HOST, port, tls="none", hello="bench.example", pool=pool) as client:
            await _batch(client, count, connections)
        return
    for _ in range(count):
        async with SmtpClient(HOST, port, tls="none", hello="bench.example", pool=pool) as client:
            await client.send(CONTENT, sender=SENDER, recipients=[RECIPIENT])


async def _batch(client: SmtpClient, count: int, workers: int) -> None:
    share = iter(range(count))

    async def work() -> None:
        for _ in share:
            result = await client.send(CONTENT, sender=SENDER, recipients=[RECIPIENT])
            assert result.accepted

    await asyncio.gather(*(work() for _ in range(workers)))


@in_loop
async def aiosmtplib_(port: int, count: int, connections: int, fresh: bool) -> None:
    """aiosmtplib as its manual shows it."""
    import aiosmtplib

    async def work(count: int) -> None:
        client = None
        for _ in range(count):
            if client is None:
                client = aiosmtplib.SMTP(hostname=HOST, port=port, start_tls=False, local_hostname="bench.example")
                await client.connect()
            await client.sendmail(SENDER, [RECIPIENT], CONTENT)
            if fresh:
                await client.quit()
                client = None
        if client is not None:
            await client.quit()

    await asyncio.gather(*(work(count // connections) for _ in range(connections)))


def threaded(work: Callable[[int, int, bool], None]) -> Callable[[int, int, int, bool], None]:
    """A blocking client in as many threads as it has connections."""

    def run(port: int, count: int, connections: int, fresh: bool) -> None:
        threads = [threading.Thread(target=work, args=(port, count // connections, fresh)) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


@threaded
def smtplib_(port: int, count: int, fresh: bool) -> None:
    """smtplib as its manual shows it."""
    client = None
    for _ in range(count):
        client = client or smtplib.SMTP(HOST, port, local_hostname="bench.example")
        client.sendmail(SENDER, [RECIPIENT], CONTENT)
        if fresh:
            client.quit()
            client = None
    if client is not None:
        client.quit()


@threaded
def raw(port: int, count: int, fresh: bool) -> None:
    """Bytes made beforehand, MAIL to DATA in one piece, replies only counted."""
    envelope = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
    content = CONTENT + b".\r\n"
    wire = None
    for _ in range(count):
        if wire is None:
            wire = socket.create_connection((HOST, port))
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _lines(wire, 1)
            wire.sendall(b"EHLO bench.example\r\n")
            _until(wire, b"250 ")
        wire.sendall(envelope)
        _lines(wire, 3)
        wire.sendall(content)
        _lines(wire, 1)
        if fresh:
            wire.sendall(b"QUIT\r\n")
            _lines(wire, 1)
            wire.close()
            wire = None
    if wire is not None:
        wire.close()


def _lines(wire: socket.socket, count: int) -> None:
    while count > 0:
        count -= wire.recv(4096).count(b"\n")


def _until(wire: socket.socket, mark: bytes) -> None:
    data = b""
    while mark not in data:
        data += wire.recv(4096)


CLIENTS: dict[str, Callable[[int, int, int, bool], None]] = {
    "mailer": ours,
    "mailer.SmtpClient": library,
    "smtplib": smtplib_,
    "aiosmtplib": aiosmtplib_,
    "raw socket": raw,
}
LIBRARIES = ("smtplib", "aiosmtplib")


def compare(
    sink: SmtpSink, port: int, count: int, connections: int, fresh: bool, rounds: int, names: list[str], where: str = ""
) -> dict[str, float]:
    """Messages a second of each client, in turns; prints a figure each. What they sent has to be in the sink."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names:
            before = sink.count
            begin = time.perf_counter()
            CLIENTS[name](port, count, connections, fresh)
            wait_until(f"the sink has what {name} sent", lambda: sink.count >= before + count - count % connections)  # noqa: B023
            if turn:  # the first is to warm up
                rates[name].append(count / (time.perf_counter() - begin))
    label = f"{connections} connection{'s' if connections > 1 else ''}, {'fresh' if fresh else 'reused'}{where}"
    return {name: figure(f"{label}, {name}", found, "messages/s", 0) for name, found in rates.items()}


@contextlib.contextmanager
def longer_wire(port: int) -> Iterator[int]:
    """The port of a wire to `port` with `ROUND_TRIP`."""
    script = Path(__file__).parent / "delay.py"
    process = subprocess.Popen([sys.executable, script, str(port), str(ROUND_TRIP / 2)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()


def memory(port: int, size: int) -> None:
    """The peak of a process of its own that sends one large message, beyond what it had before."""
    script = f"""
import asyncio, resource, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from mailer.transport.connection import Connection, Parcel
from mailer.transport.route import Endpoint
from mailer.tlspolicy import Requirement
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
async def main():
    connection = await Connection.open(Endpoint({HOST!r}, {port}, Requirement("none")), {HOST!r})
    before = peak()
    line = b"x" * 76 + b"\\r\\n"
    content = b"Subject: large\\r\\n\\r\\n" + line * ({size} // len(line))
    (answer,) = await connection.deliver(Parcel({SENDER!r}, [{RECIPIENT!r}], content))
    assert answer.reply.code == 250, answer
    print((peak() - before) / len(content))
    await connection.close()
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    print(f"FIGURE a message of {size / 1e6:.0f} MB, peak memory / its size: {float(done.stdout):.2f} (must be at most 2)", flush=True)


def latencies(port: int) -> None:
    """The rows of the specification, each with its bound in milliseconds."""
    from mailer.sink import Moods, SinkThread

    megabyte = message(1 << 20)

    async def row(
        label: str, bound: float, port: int, repeats: int, content: bytes = CONTENT, *, warm: bool = True, **given: object
    ) -> None:
        taken = []
        client = None
        for _ in range(repeats):
            client = client or SmtpClient(HOST, port, tls="none", hello="bench.example", **given)  # type: ignore[arg-type]
            if warm:
                await client.test_connection()
            begin = time.perf_counter()
            if content:
                await client.send(content, sender=SENDER, recipients=[RECIPIENT])
            else:
                await client.test_connection()
            taken.append(1000 * (time.perf_counter() - begin))
            if not warm:
                await client.shutdown()
                client = None
        if client is not None:
            await client.shutdown()
        figure(label, taken, f"ms (must be below {bound:.0f})", 2)

    async def many(label: str, bound: float, connections: int) -> None:
        pool = PoolSettings(max_connections=connections)
        async with SmtpClient(HOST, port, tls="none", hello="bench.example", pool=pool) as client:
            begin = time.perf_counter()
            await _batch(client, 100, connections)
            figure(label, [1000 * (time.perf_counter() - begin)], f"ms (must be below {bound:.0f})", 1)

    async def main(login_port: int) -> None:
        login = Login("me", lambda: "secret", allow_plain=True)
        await row("cold connection", 500, port, 20, b"", warm=False)
        await row("warm connection", 50, port, 20, b"")
        await row("AUTH PLAIN", 100, login_port, 20, b"", warm=False, credentials=login)
        await row("send 1 KB", 200, port, 20)
        await row("send 1 MB", 1000, port, 5, megabyte)
        await many("100 messages, one connection", 15_000, 1)
        await many("100 messages, 5 connections", 5_000, 5)

    with SinkThread(Moods(), users={"me": "secret"}) as sink:
        asyncio.run(main(sink.port))


def main() -> None:
    """Run everything that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=2000, help="messages in one measurement (default 2000)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each kind (default 5)")
    given = parser.parse_args()
    names = list(CLIENTS)
    try:
        import aiosmtplib  # noqa: F401
    except ImportError:
        print("aiosmtplib is not installed (pip install '.[dev]'): compared with smtplib alone")
        names.remove("aiosmtplib")
    libraries = [name for name in LIBRARIES if name in names]
    with SmtpSink() as sink:
        for connections in (1, 5):
            for fresh in (False, True):
                rates = compare(sink, sink.port, given.n if not fresh else given.n // 4, connections, fresh, given.rounds, names)
                if not fresh:
                    best = max(rates[name] for name in libraries)
                    ratio(f"{connections} reused, mailer / the faster library", rates["mailer"], best, "must be at least 1.5")
                    ratio(f"{connections} reused, mailer / the raw socket", rates["mailer"], rates["raw socket"], "must be at least 0.35")
        with longer_wire(sink.port) as port:
            rates = compare(sink, port, min(given.n, 60), 1, False, min(given.rounds, 3), names, ", 20 ms away")
            best = max(rates[name] for name in libraries)
            ratio("20 ms away, mailer / the faster library", rates["mailer"], best, "must be at least 3")
        memory(sink.port, 25_000_000)
        latencies(sink.port)


if __name__ == "__main__":
    main()
