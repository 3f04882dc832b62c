#!/usr/bin/env python3
"""What webhooks take: events a second to one endpoint, eight at a time, and the memory of a sender that is far behind.

    python tests/benchmarks/webhooks.py [-n 5000] [--behind 100000]

The endpoint is a process of its own, which speaks TLS and checks each signature with the library standardwebhooks. The floor is the same
client without a journal, cursors and order: so many posts of a body of the same size, eight at a time. Both take turns in one run. Then
the endpoint is down, with so many events behind: how much more memory has the sender than one that is idle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import trustme

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.config.sections.webhook import Webhook
from mailer.hooks.payload import payload
from mailer.hooks.post import Poster
from mailer.hooks.signing import written
from mailer.journal.api import JournalEvent
from mailer.journal.files import FileJournal
from mailer.mail.web_url import WebUrl
from mailer.net.https import HttpsClient
from mailer.tlspolicy import Requirement
from tests.benchmarks.measure import figure, ratio

ROOT = Path(__file__).parents[2]
LEAST = 500  # events a second
MOST_MEMORY = 50.0  # MB more than an idle one
AT_ONCE = 8


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=5000, help="events of one round (default %(default)s)")
    parser.add_argument("--behind", type=int, default=100_000, help="events that wait (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default %(default)s)")
    parser.add_argument("--still", type=float, default=8.0, help="seconds after which a sender has what it reads (default %(default)g)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place))
        ours, floor = [], []
        for number in range(given.rounds):
            floor.append(asyncio.run(bench.posts(given.count)))
            ours.append(bench.sends(f"round{number}", given.count))
        sent = figure("webhooks, one endpoint, 8 at a time", ours, "events/s", at_least=str(LEAST))
        bare = figure("the same posts without a journal", floor, "posts/s")
        ratio("webhooks / bare posts", sent, bare)
        grown = bench.grows(given.behind, given.still)
        figure(f"memory of a sender with {given.behind:,} events behind, more than idle", [grown], "MB", 1, at_most=f"{MOST_MEMORY:g}")


class Bench:
    """A secret, a certificate, and places for journals."""

    def __init__(self, place: Path) -> None:
        self.place = place
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(place / "ca.pem"))
        ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(place / "cert.pem"))
        self.secret = written(secrets.token_bytes(32))
        (place / "secret").write_text(self.secret)
        (place / "secret").chmod(0o600)

    def hook(self, port: int) -> Webhook:
        return Webhook(
            name="shop", url=WebUrl.read(f"https://localhost:{port}/"), secret_file=str(self.place / "secret"), private=True, timeout=10.0
        )

    async def posts(self, count: int) -> float:
        """Posts a second by the client alone."""
        with self.receiver() as (port, _):
            client = HttpsClient(nowhere, Requirement("implicit", ca_file=str(self.place / "ca.pem")))
            poster, hook, numbers = Poster(client, time.time), self.hook(port), iter(range(count))
            body = payload(event(0), "standard") or b""

            async def some() -> None:
                for number in numbers:
                    posted = await poster.post(hook, f"01JDZ3N4T00000000000{number:06d}", body)
                    assert posted.status == 204, posted

            began = time.perf_counter()
            await asyncio.gather(*(some() for _ in range(AT_ONCE)))
            taken = time.perf_counter() - began
            await client.close()
        return count / taken

    def sends(self, name: str, count: int) -> float:
        """Events a second by `mailer hooks run`, from the first that arrives to the last."""
        spool = self.place / name
        self.fill(spool, count)
        with self.receiver() as (port, had), self.sender(spool, port):
            while not (first := had()):
                time.sleep(0.005)
            began = time.perf_counter()
            while (now := had()) < count:
                time.sleep(0.02)
            return (now - first) / (time.perf_counter() - began)

    def grows(self, count: int, still: float) -> float:
        """Megabytes that a sender has more with `count` events behind, whose endpoint is down, than one with none."""
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            port = nobody.getsockname()[1]
            found = []
            for name, events in (("idle", 0), ("behind", count)):
                self.fill(self.place / name, events)
                with self.sender(self.place / name, port) as process:
                    time.sleep(still)
                    found.append(memory(process.pid))
        return found[1] - found[0]

    def fill(self, spool: Path, count: int) -> None:
        spool.mkdir(mode=0o700)
        journal = FileJournal(f"{spool}/journal")

        async def write() -> None:
            for at in range(0, count, 1000):
                await journal.append([event(number) for number in range(at, min(at + 1000, count))])
            await journal.close()

        asyncio.run(write())

    @contextlib.contextmanager
    def receiver(self) -> Iterator[tuple[int, Callable[[], int]]]:
        """An endpoint: its port, and how many different events it has had."""
        argv = [sys.executable, "-m", "tests.hooks.receiver", self.secret, str(self.place / "cert.pem")]
        with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            port = int(process.stdout.readline())

            def had() -> int:
                assert process.stdin
                assert process.stdout
                process.stdin.write("\n")
                process.stdin.flush()
                _, number, flaw = process.stdout.readline().rstrip("\n").split(" ", 2)
                assert not flaw, flaw
                return int(number)

            try:
                yield port, had
            finally:
                process.stdin.close()
                process.wait(10)

    @contextlib.contextmanager
    def sender(self, spool: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
        config = spool.with_suffix(".toml")
        config.write_text(
            f'[mailer]\nspool = "{spool}"\nhostname = "mail.example.com"\n[tls]\nca_file = "{self.place}/ca.pem"\n'
            f'[[webhook]]\nname = "shop"\nurl = "https://localhost:{port}/"\nsecret_file = "{self.place}/secret"\nprivate = true\n'
        )
        argv = [sys.executable, str(ROOT / "bin" / "mailer"), "hooks", "run", "--config", str(config)]
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def event(number: int) -> JournalEvent:
    reply = "250 2.0.0 Ok: queued as 4XyZ1234"
    return JournalEvent(
        "",
        time.time(),
        "delivered",
        f"01JDZ3N4T00000000000{number:06d}",
        to=f"user{number}@example.net",
        code=250,
        reply=reply,
        host="mx.example.net",
    )


async def nowhere(host: str) -> list[str]:
    raise OSError(host)


def memory(pid: int) -> float:
    """Resident megabytes of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
