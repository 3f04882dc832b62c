#!/usr/bin/env python3
"""What it costs to keep thousands of clients of IMAP that wait: memory, the time of a command beside them, and how soon they hear of news.

    python tests/benchmarks/imap_idle.py [-n 1000] [--messages 10000] [--processes 1] [--rounds 200] [--loop uvloop|asyncio|both]

`mailer access` serves at a door with TLS from the first octet. So many clients log in with an app password, open a folder of so many
messages, and wait in IDLE; how many do that in a second is the first figure. Then: PSS of the processes for each connection (by
smaps_rollup, beside what they had before the first, which is told as well), what a command of one more client takes meanwhile, and the time
from the answer to a change in another session until a waiting client has heard of it, in its own process; and the same for a change that
another process makes. Where Dovecot's IMAP is installed, some clients of it wait in the same folder, each over a pipe to a process of its
own that knows its user, without TLS and login. One client of many is measured: all the others hear of each change as well, the worst that
one mailbox can do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import trustme

from mailer.config import load
from mailer.io.loop import run_loop
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
from tests.benchmarks.measure import REPOSITORY, figure, message
from tests.fakes.processes import free_port
from tests.peers.dovecot_imap import PROGRAM, DovecotImap

ASYNCIO = "import sys; sys.modules['uvloop'] = None; from mailer.cli import main; sys.exit(main(sys.argv))"
UVLOOP = "import sys; from mailer.cli import main; sys.exit(main(sys.argv))"
ANN = "ann@example.com"
AT_ONCE = 50  # clients that come side by side
COMPARED = 20  # processes of Dovecot that wait
CHANGER = """
import sys, time
from mailer.config import load
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
boxes = mailboxes_of(load(sys.argv[1]))
with boxes.of(sys.argv[2]) as box:
    for line in sys.stdin:
        box.put([NewMail("INBOX", b"Subject: news\\r\\n\\r\\nnews\\r\\n")])
        print(time.monotonic_ns(), flush=True)
boxes.close()
"""


class Client:
    """One client, which has logged in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def come(cls, port: int, context: ssl.SSLContext, user: str, password: str) -> Client:
        """Log in."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost", limit=4096)
        made = cls(reader, writer)
        await made.until(b"* OK")
        await made(f'LOGIN {user} "{password}"')
        return made

    async def __call__(self, command: str) -> list[bytes]:
        """Say a command, and hear its answer."""
        self.writer.write(f"a {command}\r\n".encode())
        return await self.until(b"a ")

    async def until(self, begin: bytes) -> list[bytes]:
        """The lines up to the one that begins so."""
        lines = []
        while True:
            lines.append(line := await self.reader.readline())
            if not line or line.startswith((b"a NO", b"a BAD")):
                raise RuntimeError(line)
            if line.startswith(begin):
                return lines

    async def idle(self) -> None:
        """Wait from now on."""
        self.writer.write(b"a IDLE\r\n")
        await self.until(b"+")


class House:
    """A home with a configuration, a mailbox of Ann's with messages, and the processes."""

    def __init__(self, home: Path, given: argparse.Namespace) -> None:
        self.home = home
        self.port = free_port()
        authority = trustme.CA()
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(home / "chain.pem"))
        self.context = ssl.create_default_context()
        authority.configure_trust(self.context)
        self.config = home / "config.toml"
        self.config.write_text(f"""
[mailer]
hostname = "mx.example.com"
spool = "{home}/spool"
[mailboxes]
path = "{home}/mailboxes"
[receiving]
connections_per_network = 100000
connections_per_neighbourhood = 100000
rate_per_network = "10000000/min"
rate_per_neighbourhood = "10000000/min"
[access]
processes = {given.processes}
max_connections = 20000
connections_per_user = 100000
[[domain]]
name = "example.com"
via = "local"
[[listen]]
kind = "imap"
address = "127.0.0.1:{self.port}"
tls = "implicit"
certificate_file = "{home}/chain.pem"
""")
        self.mailer("user", "add", ANN, "--password-stdin", said="correct-horse-battery\n")
        self.password = self.mailer("user", "app-password", ANN, "bench", "--for", "imap").split()[-1] if not given.own else ""
        self.password = self.password or "correct-horse-battery"
        self.fill(given.messages)

    def mailer(self, *words: str, said: str = "") -> str:
        """What a command prints."""
        argv = [sys.executable, "-m", "mailer", *words, "--config", str(self.config), "-q"]
        done = subprocess.run(argv, input=said, capture_output=True, text=True, check=True, cwd=REPOSITORY)
        return done.stdout

    def fill(self, many: int) -> None:
        """So many messages in her inbox."""
        boxes = mailboxes_of(load(str(self.config)))
        with boxes.of(ANN, make=True) as box:
            for _ in range(many // 100):
                box.put([NewMail("INBOX", message(1024)) for _ in range(100)])
        boxes.close()

    @contextmanager
    def served(self, code: str, processes: int) -> Iterator[list[int]]:
        """The numbers of the processes, which serve."""
        argv = [sys.executable, "-c", code, "access", "--config", str(self.config)]
        begun = []
        try:
            for number in range(1, processes + 1):
                begun.append(
                    subprocess.Popen([*argv, "--number", str(number)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=REPOSITORY)
                )
                assert begun[-1].stdout is not None
                begun[-1].stdout.readline()
            yield [each.pid for each in begun]
        finally:
            for each in begun:
                each.send_signal(signal.SIGTERM)
                each.communicate()


def pss(pids: Sequence[int]) -> float:
    """Memory of processes, in KB, what they share counted once."""
    found = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        found += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return found


def cpu(pids: Sequence[int]) -> float:
    """Seconds of the processor, of all threads."""
    tasks = [each for pid in pids for each in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((each / "schedstat").read_text(encoding="ascii").split()[0]) for each in tasks) / 1e9


async def measure(house: House, pids: Sequence[int], label: str, given: argparse.Namespace) -> None:
    """All figures of one state."""
    figure(f"{label}: memory at rest, before anybody comes", [pss(pids) / 1024], "MB")
    warm = await Client.come(house.port, house.context, ANN, house.password)
    await warm("SELECT INBOX")
    await warm.idle()
    before, began, spent = pss(pids), time.monotonic(), cpu(pids)
    clients: list[Client] = []
    queue = iter(range(given.n))

    async def come() -> None:
        for _ in queue:
            client = await Client.come(house.port, house.context, ANN, house.password)
            await client("SELECT INBOX")
            await client.idle()
            clients.append(client)

    await asyncio.gather(*(come() for _ in range(AT_ONCE)))
    took, used = time.monotonic() - began, cpu(pids) - spent
    figure(f"{label}: login, SELECT and IDLE", [given.n / took], "a second", ms_cpu_each=round(used / given.n * 1000, 2))
    await asyncio.sleep(1)
    figure(f"{label}: memory of a connection that waits, {given.messages} messages open", [(pss(pids) - before) / given.n], "KB")
    began, spent = time.monotonic(), cpu(pids)
    await asyncio.sleep(3)
    figure(f"{label}: processor while nothing happens", [(cpu(pids) - spent) / (time.monotonic() - began) * 100], "%", digits=2)
    active = await Client.come(house.port, house.context, ANN, house.password)
    await active("SELECT INBOX")
    for command in ("NOOP", "UID FETCH 1:100 (FLAGS)"):
        waits = [await timed(active(command)) for _ in range(given.rounds)]
        ordered = sorted(waits)
        at = ordered[int(len(ordered) * 0.99)]
        figure(f"{label}: {command} beside {given.n} that wait", waits, "ms", worst_of_100=round(at, 2))
    if given.news:
        await heard(house, label, warm, clients, active, given)
    for each in (*clients, warm, active):
        each.writer.transport.abort()


async def heard(house: House, label: str, warm: Client, clients: Sequence[Client], active: Client, given: argparse.Namespace) -> None:
    """How soon news are heard: by one who waits, and by the last of all."""
    waits, lasts = [], []
    for turn in range(given.news):
        await active(f"UID STORE {turn + 1} +FLAGS.SILENT (\\Flagged)")
        since = time.monotonic()
        told = [asyncio.ensure_future(each.reader.readline()) for each in (warm, *clients)]
        await told[0]
        waits.append((time.monotonic() - since) * 1000)
        await asyncio.wait(told)
        lasts.append((time.monotonic() - since) * 1000)
    figure(f"{label}: news of another session", waits, "ms", largest=round(max(waits), 1))
    figure(f"{label}: the last of {given.n} to hear of it", lasts, "ms")
    argv = [sys.executable, "-c", CHANGER, str(house.config), ANN]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        waits = []
        for _ in range(given.news):
            other.stdin.write("\n")
            other.stdin.flush()
            told = [asyncio.ensure_future(each.reader.readline()) for each in (warm, *clients)]
            done = int(await asyncio.to_thread(other.stdout.readline))
            await told[0]
            waits.append(max(0.0, (time.monotonic_ns() - done) / 1e6))
            await asyncio.wait(told)
        other.stdin.close()
    figure(f"{label}: news of another process", waits, "ms", largest=round(max(waits), 1))


def dovecot(home: Path, given: argparse.Namespace) -> None:
    """Memory of Dovecot's processes that wait, and how soon they tell of news."""
    home.mkdir()
    os.chmod(home.parent, 0o755)
    mail = [message(1024) for _ in range(given.messages)]
    with DovecotImap(home, mail) as first, ExitStack() as stack:
        first.ask(b"SELECT INBOX")
        others = [stack.enter_context(DovecotImap(home, ())) for _ in range(COMPARED)]
        for each in others:
            each.ask(b"SELECT INBOX")
            assert each.program.stdin is not None
            assert each.program.stdout is not None
            each.program.stdin.write(b"i IDLE\r\n")
            each.program.stdin.flush()
            each.program.stdout.readline()
        time.sleep(1)
        figure(
            f"dovecot: memory of a process that waits, {given.messages} messages open", [pss([each.program.pid]) for each in others], "KB"
        )
        waits = []
        for turn in range(given.news):
            first.ask(b"UID STORE %d +FLAGS.SILENT (\\Flagged)" % (turn + 1))
            since = time.monotonic()
            assert others[0].program.stdout is not None
            others[0].program.stdout.readline()
            waits.append((time.monotonic() - since) * 1000)
        figure("dovecot: news of another session", waits, "ms", largest=round(max(waits), 1))


async def timed(doing: object) -> float:
    """Milliseconds that it takes."""
    since = time.monotonic()
    await doing  # type: ignore[misc]
    return (time.monotonic() - since) * 1000


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=1000, help="clients that wait (default 1000)")
    parser.add_argument("--messages", type=int, default=10_000, help="messages of the folder (default 10000)")
    parser.add_argument("--processes", type=int, default=1, help="of mailer access (default 1)")
    parser.add_argument("--rounds", type=int, default=300, help="commands of each kind (default 300)")
    parser.add_argument("--news", type=int, default=20, help="changes (default 20)")
    parser.add_argument("--own", action="store_true", help="log in with the user's own password")
    parser.add_argument("--loop", choices=("uvloop", "asyncio", "both"), default="both", help="what the processes run on")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    loops = {"uvloop": UVLOOP, "asyncio": ASYNCIO}
    with tempfile.TemporaryDirectory() as home:
        if os.path.exists(PROGRAM) and given.news:
            dovecot(Path(home, "dovecot"), given)
        house = House(Path(home), given)
        for name in loops if given.loop == "both" else [given.loop]:
            with house.served(loops[name], given.processes) as pids:
                run_loop(measure(house, pids, name, given))


if __name__ == "__main__":
    main()
