#!/usr/bin/env python3
"""Mail that is fetched by POP3: from our door beside Dovecot over a Maildir, with the same mail.

    python tests/benchmarks/pop3.py [-n 1000] [--size 22000] [--rounds 5]

Each message is asked for when the one before has come, as most clients do, and then all at once (PIPELINING). Ours is a process with a door
at the loopback; Dovecot's is the one that its login process has handed the connection to. Neither speaks TLS. Counted is the processor's
time of each of the two, by the nanosecond (schedstat of proc(5)); they take turns. Needs root, and the peers (`tests.peers.install`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import trustme

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.io.loop import run_loop
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.owners.api import Owner
from tests.benchmarks.measure import figure, message, ratio
from tests.fakes.processes import free_port
from tests.mailbox.premises import ANN, Premises
from tests.peers.dovecot import Dovecot
from tests.peers.letters import PASSWORD, READERS
from tests.popd.house import PHONE, PopHouse


class Fetched(NamedTuple):
    """What it costs a server that all is fetched: milliseconds of the processor."""

    steps: float
    pipelined: float


class Served(NamedTuple):
    """A session that is logged in: what it is told, what it says, and the process that serves it."""

    write: Callable[[bytes], object]
    read: BinaryIO
    pid: int


def fetched(served: Served, count: int) -> Fetched:
    """Fetch all twice."""

    def take() -> int:
        octets = 0
        while (line := served.read.readline()) != b".\r\n":
            assert line
            octets += len(line)
        return octets

    before, octets = spent(served.pid), 0
    for number in range(1, count + 1):
        served.write(b"RETR %d\r\n" % number)
        octets += take()
    middle = spent(served.pid)
    everything = b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1))
    sending = threading.Thread(target=served.write, args=(everything,))
    sending.start()
    again = sum(take() for _ in range(count))
    sending.join()
    assert abs(again - octets) < 10 * count  # the octets of the first lines
    return Fetched((middle - before) / 1e6, (spent(served.pid) - middle) / 1e6)


def spent(pid: int) -> int:
    """Nanoseconds of the processor that all threads of a process have had."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


@contextmanager
def ours(home: Path, mail: list[bytes]) -> Iterator[Served]:
    """A session at our door, which is a process of its own."""
    layout = Layout(str(home))

    def engine(owner: Owner) -> SqliteEngine:
        layout.have(layout.home(owner.id))
        return SqliteEngine(layout.index(owner.id))

    here, there = socket.socketpair()
    pid = os.fork()
    if not pid:
        here.close()
        premises = Premises(engine, FileBodies(layout))
        with premises.boxes.of(ANN, make=True) as box:
            for start in range(0, len(mail), 100):
                box.put([NewMail("INBOX", content) for content in mail[start : start + 100]])

        async def serve() -> None:
            async with PopHouse(premises).open() as house:
                there.sendall(b"%d\n" % house.port)
                await asyncio.to_thread(there.recv, 1)

        run_loop(serve())
        os._exit(0)
    there.close()
    port = int(here.makefile().readline())
    with socket.create_connection(("127.0.0.1", port)) as connection:
        logged_in(connection, ANN, PHONE)
        yield Served(connection.sendall, connection.makefile("rb"), pid)
    here.sendall(b"x")
    os.waitpid(pid, 0)


@contextmanager
def theirs(home: Path, mail: list[bytes]) -> Iterator[Served]:
    """A session with Dovecot, whose login process has handed it on to one that is its own."""
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(home / "chain.pem"))
    dovecot = Dovecot(home, home / "chain.pem", free_port(), free_port())
    user = READERS[0]
    for name in ("new", "cur", "tmp"):
        dovecot.root.directory(f"mail/{user}/{name}", "mail")
    dovecot.root.directory(f"mail/{user}", "mail")
    for number, content in enumerate(mail):
        text = content.decode().replace("\r\n", "\n")
        dovecot.root.write(f"mail/{user}/cur/{1_700_000_000 + number}.{number:06}.host:2,", text, "mail")
    with dovecot, socket.create_connection(("127.0.0.1", dovecot.ports["pop3"])) as connection:
        logged_in(connection, user, PASSWORD)
        [pid] = [pid for pid in dovecot.root.pids() if Path(f"/proc/{pid}/comm").read_text().strip() == "pop3"]
        yield Served(connection.sendall, connection.makefile("rb"), pid)


def logged_in(connection: socket.socket, user: str, password: str) -> None:
    """Log in."""
    connection.sendall(f"USER {user}\r\nPASS {password}\r\n".encode())
    said = b""
    while said.count(b"\r\n") < 3:
        said += connection.recv(4096)
    assert said.count(b"+OK") == 3, said


def main() -> int:
    """Measure, and print the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-n", type=int, default=1000, help="messages")
    options.add_argument("--size", type=int, default=22_000, help="octets of one")
    options.add_argument("--rounds", type=int, default=5)
    said = options.parse_args()
    mail = [message(said.size) for _ in range(said.n)]
    found: dict[str, list[Fetched]] = {"mailer": [], "Dovecot": []}
    with tempfile.TemporaryDirectory(prefix="mailer-pop3-") as scratch:
        home = Path(scratch)
        home.chmod(0o755)
        (home / "theirs").mkdir()
        with ours(home / "ours", mail) as us, theirs(home / "theirs", mail) as them:
            for round in range(said.rounds + 1):
                for name, served in (("mailer", us), ("Dovecot", them)):
                    one = fetched(served, said.n)
                    if round:
                        found[name].append(one)
                    time.sleep(0.05)
    for what, at in (("one after the other", 0), ("pipelined", 1)):
        mine, yours = (
            figure(f"{name}: {said.n} messages of {said.size} octets, {what}, processor", [one[at] for one in each], "ms")
            for name, each in found.items()
        )
        ratio(f"mailer / Dovecot: {what}, processor", mine, yours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
