#!/usr/bin/env python3
"""What bad destinations cost the good ones: how fast mail for good hosts leaves with and without a queue for three bad ones.

    python tests/benchmarks/fair.py [-n 40000] [--bad 400] [--rounds 3]

The bad ones, each with its own queue of `--bad` messages in front of the others: a black hole, which lets nobody in and answers
nothing; a tarpit, which takes 10 seconds for each answer; and a host that says 421 to whoever is its third guest at a time.
The good ones are four smtp-sinks. The clock runs from the release of the queue to the last good message, and what is measured is
the rate of the good mail beside its rate when it is alone. The limits are the defaults, but for the time that a connection may
take: its 30 seconds would need a longer run to hurt.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.house import House
from tests.benchmarks.measure import figure, ratio
from tests.fakes.processes import wait_until
from tests.peers.smtpsink import SmtpSink

GOOD = 4
PATIENCE = 10.0  # seconds that the tarpit takes
GUESTS = 2  # whom the crowded host lets in at a time
SIZE = 1024


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=40_000, help="messages for the good hosts (default %(default)s)")
    parser.add_argument("--bad", type=int, default=400, help="messages for each bad host (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, in turns (default %(default)s)")
    given = parser.parse_args()
    alone, beside = [], []
    for _ in range(given.rounds):
        alone.append(rate(given.count, 0))
        beside.append(rate(given.count, given.bad))
    figure(f"{given.count} messages for good hosts, alone", alone, "messages/s", 0)
    figure(f"{given.count} messages for good hosts, behind {given.bad} for each of three bad ones", beside, "messages/s", 0)
    ratio("good mail beside bad destinations / alone", max(beside), max(alone), "must be at least 0.95")


def rate(count: int, bad: int) -> float:
    """Messages for good hosts in a second."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sinks = [stack.enter_context(SmtpSink()) for _ in range(GOOD)]
        relays = {f"good{nth}": sink.port for nth, sink in enumerate(sinks)}
        relays |= {"hole": stack.enter_context(black_hole()), **stack.enter_context(bad_hosts())}
        house = House(home, relays, more="[timeouts]\nconnect = '5s'\n")
        with house.held() as daemon:
            if bad:
                for name in ("hole", "tarpit", "crowded"):
                    house.fill(bad, SIZE, [f"a@{name}.example"])
            for nth in range(GOOD):
                house.fill(count // GOOD, SIZE, [f"a@good{nth}.example"])
            begin = time.perf_counter()
            house.release(daemon)
            goal = count // GOOD
            wait_until("the good mail is delivered", lambda: all(sink.count >= goal for sink in sinks), 120, 0.002)
            return count / (time.perf_counter() - begin)


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port whose queue of guests is full, and nobody is ever let in."""
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket())
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for _ in range(3):
            guest = stack.enter_context(socket.socket())
            guest.setblocking(False)
            guest.connect_ex(hole.getsockname())
        yield hole.getsockname()[1]


@contextlib.contextmanager
def bad_hosts() -> Iterator[dict[str, int]]:
    """The tarpit and the crowded host, in a thread."""
    loop = asyncio.new_event_loop()
    servers = [loop.run_until_complete(loop.create_server(kind, "127.0.0.1", 0, backlog=1024)) for kind in (Tarpit, Crowded)]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield {name: server.sockets[0].getsockname()[1] for name, server in zip(("tarpit", "crowded"), servers, strict=True)}
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class Host(asyncio.Protocol):
    """Says yes to everything, `delay` seconds later."""

    delay = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.content = False
        self.answer("220 bad.example ESMTP")

    def answer(self, line: str) -> None:
        asyncio.get_running_loop().call_later(self.delay, self.write, f"{line}\r\n".encode())

    def write(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        for line in data.split(b"\r\n")[:-1]:
            if self.content and line != b".":
                continue
            if not self.content and line[:4].upper() == b"DATA":
                self.content = True
                self.answer("354 go on")
            else:
                self.content = False
                self.answer("250 2.0.0 ok")


class Tarpit(Host):
    """Takes its time."""

    delay = PATIENCE


class Crowded(Host):
    """Lets in `GUESTS` at a time, and is as far away as a host on the internet."""

    delay = 0.02
    guests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Crowded.guests += 1
        if Crowded.guests > GUESTS:
            transport.write(b"421 4.7.0 too many connections\r\n")  # type: ignore[attr-defined]
            transport.close()
        else:
            super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        Crowded.guests -= 1


if __name__ == "__main__":
    main()
