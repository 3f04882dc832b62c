#!/usr/bin/env python3
"""What it costs to take in mail, so that a 250 says "on disk": our doors beside the smtpd of Postfix, in one run.

    python tests/benchmarks/accept.py [-n 2000] [--sizes 1024,10240] [--rounds 3] [--sessions 20] [--idle 0] [--proof]

A process has a door of kind mx and a spool behind it, and nothing that delivers; of Postfix the queue manager stands still. smtp-source
brings mail by so many sessions at a time, once with a connection for each message and once with connections that go on. What decides is
the processor's time of the receiver for a message, processes that have ended included; a rate says more of the machine. With ``--proof``
each message is signed, and is judged by SPF, DKIM, ARC and DMARC before it is taken, all answers of the DNS but the first being remembered;
Postfix judges nothing. With ``--idle`` so many clients that say nothing stand by at our door, and it is measured with and without them. At
the end: how long an answer to RCPT takes, and what a client waits at most for one while another brings a message of 25 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.accounts.residents import Residents
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.filtering.component import FilterComponent
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.io.loop import run_loop
from mailer.reports.memory import MemoryReports
from mailer.service import quieten_collector
from mailer.serving.component import ServedDoors
from mailer.smtpd.mx import StrangerDoorKind
from mailer.smtpd.reception import Reception
from mailer.smtpd.reports import ReportDoorKind
from mailer.spool.files.store import SpoolDirectory
from tests.benchmarks.measure import SENDER, figure, message, ratio
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import Program, free_port, wait_until, which
from tests.peers.postfix import Postfix, scratch

PERSON = "ann@example.com"
LIMITS = "\n".join(f'rate_per_{name} = "1000000/min"' for name in ("network", "neighbourhood"))
PLACES = "\n".join(f"{name} = 20000" for name in ("max_connections", "connections_per_network", "connections_per_neighbourhood"))
TICKS = os.sysconf("SC_CLK_TCK")
HOSTS = 250  # addresses of loopback that idle clients call from


class Run(NamedTuple):
    """Of one run: seconds on the clock and of the receiver's processor, for a message."""

    wall: float
    cpu: float


class Receiver(NamedTuple):
    """Where mail is brought, whose processor's time counts, how many messages have been taken, and what memory is held, in KB."""

    port: int
    cpu: Callable[[], float]
    taken: Callable[[], int]
    memory: Callable[[], int] = lambda: 0


def main() -> None:
    """Measure in turns, and print."""
    given = arguments()
    if given.serve:
        run_loop(serve(Path(given.serve[0]), int(given.serve[1]), int(given.serve[2])))
        return
    _allow_descriptors()
    with contextlib.ExitStack() as stack:
        receivers = {"mailer": stack.enter_context(ours(given.proof))}
        if not given.without_postfix:
            receivers["postfix"] = stack.enter_context(postfix())
        for size in map(int, given.sizes.split(",")):
            compare(receivers, given, size)
        if given.idle:
            beside_idle(receivers["mailer"], given)
        answers(receivers["mailer"].port, given.rounds)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=2000, help="messages of one run (default %(default)s)")
    parser.add_argument("--sizes", default="1024,10240", help="bytes of a message (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, in turns (default %(default)s)")
    parser.add_argument("--sessions", type=int, default=20, help="of smtp-source (default %(default)s)")
    parser.add_argument("--idle", type=int, default=0, help="clients that stand by (default %(default)s)")
    parser.add_argument("--proof", action="store_true", help="judge what each message proves of its sender")
    parser.add_argument("--without-postfix", action="store_true", help="measure only ourselves")
    parser.add_argument("--serve", nargs=3, metavar=("HOME", "PORT", "NAMESERVER"), help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(receivers: dict[str, Receiver], given: argparse.Namespace, size: int) -> None:
    """One size, both ways of connecting."""
    for way, options in (("a connection each", ()), ("connections that go on", ("-d",))):
        runs: dict[str, list[Run]] = {name: [] for name in receivers}
        for _ in range(given.rounds):
            for name, receiver in receivers.items():
                runs[name].append(brought(receiver, given, size, options))
        cpu = {}
        for name, found in runs.items():
            rate = f"{1 / sorted(run.wall for run in found)[len(found) // 2]:.0f}/s"
            cpu[name] = figure(f"{size} bytes, {way}, {name}", [1000 * run.cpu for run in found], "ms of CPU a message", 3, at=rate)
        if len(cpu) == 2:
            bound = "must be at least 0.6, aim 1.0" if given.proof else "must be at least 1.0, aim 1.5"
            ratio(f"{size} bytes, {way}, postfix / mailer", cpu["postfix"], cpu["mailer"], bound)


def beside_idle(receiver: Receiver, given: argparse.Namespace) -> None:
    """The same with clients that say nothing, and without."""
    size = int(given.sizes.split(",")[0])
    runs: dict[str, list[Run]] = {"without": [], "beside": []}
    memory = []
    for _ in range(given.rounds):
        runs["without"].append(brought(receiver, given, size, ()))
        before = receiver.memory()
        with idle(receiver.port, given.idle):
            memory.append((receiver.memory() - before) / given.idle)
            runs["beside"].append(brought(receiver, given, size, ()))
    print(f"FIGURE an idle connection, with all that the door keeps of it: {memory[0]:.1f} KB (must be at most 12)", flush=True)
    label = f"{size} bytes, a connection each, mailer"
    cpu = {
        name: figure(f"{label}, {name} {given.idle} idle", [1000 * run.cpu for run in found], "ms of CPU a message", 3)
        for name, found in runs.items()
    }
    ratio(f"{label}, without / beside {given.idle} idle", cpu["without"], cpu["beside"], "must be at least 0.8, aim 0.95")


def brought(receiver: Receiver, given: argparse.Namespace, size: int, options: tuple[str, ...]) -> Run:
    """Let smtp-source bring so many messages."""
    with tempfile.NamedTemporaryFile() as file:
        words = [which("smtp-source"), "-s", str(given.sessions), "-m", str(given.count), "-f", SENDER, "-t", PERSON, *options]
        if given.proof:
            file.write(signed(size))
            file.flush()
            words += ["-F", file.name]
        else:
            words += ["-l", str(size)]
        goal, cpu, began = receiver.taken() + given.count, receiver.cpu(), time.perf_counter()
        subprocess.run([*words, f"127.0.0.1:{receiver.port}"], check=True)
        wall = time.perf_counter() - began
        wait_until("all are taken", lambda: receiver.taken() >= goal)
        time.sleep(0.1)  # what ends its sessions has ended
        return Run(wall / given.count, (receiver.cpu() - cpu) / given.count)


def answers(port: int, rounds: int) -> None:
    """How long clients wait for answers: to RCPT, and while a large message comes."""
    with session(port) as ask:
        times: list[float] = []
        for _ in range(rounds):
            ask(f"MAIL FROM:<{SENDER}>")
            times += [ask(f"RCPT TO:<{PERSON}>") for _ in range(1000)]
            ask("RSET")
    times.sort()
    figure("RCPT, 95th percentile", [1000 * times[len(times) * 95 // 100]], "ms", 3, bound="must be at most 2")
    longest = []
    for _ in range(rounds):
        words = [which("smtp-source"), "-m", "1", "-l", "25000000", "-f", SENDER, "-t", PERSON, f"127.0.0.1:{port}"]
        with session(port) as ask, subprocess.Popen(words) as bringing:
            waits: list[float] = []
            while bringing.poll() is None:
                if not len(waits) % 1000:
                    ask("RSET")
                    ask(f"MAIL FROM:<{SENDER}>")
                waits.append(ask(f"RCPT TO:<{PERSON}>"))
            longest.append(1000 * max(waits))
    figure("the longest wait for an answer beside a message of 25 MB", longest, "ms", bound="must be at most 50")


@contextlib.contextmanager
def session(port: int) -> Iterator[Callable[[str], float]]:
    """A client that has said EHLO: what it says next, and the seconds until it is answered."""
    with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rb") as replies:

        def ask(line: str) -> float:
            began = time.perf_counter()
            client.sendall(f"{line}\r\n".encode())
            while replies.readline()[3:4] == b"-":
                pass
            return time.perf_counter() - began

        replies.readline()
        ask("EHLO me")
        yield ask


# -- ours


@contextlib.contextmanager
def ours(proof: bool) -> Iterator[Receiver]:
    """A process with a door."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailer-bench-")))
        dns = stack.enter_context(Nameserver("\n".join(_records()))).address.port if proof else 0
        port, spool = free_port(), SpoolDirectory(f"{home}/spool")
        spool.prepare()
        words = [sys.executable, str(Path(__file__).resolve()), "--serve", str(home), str(port), str(dns)]
        serving = stack.enter_context(Program(words, home / "log"))
        serving.accepts(port)
        queued = f"{home}/spool/queued"
        yield Receiver(port, lambda: _spent(serving.pid), lambda: len(os.listdir(queued)), lambda: _resident(serving.pid))


async def serve(home: Path, port: int, dns: int) -> None:
    """The doors, until somebody ends this process."""
    config = config_of("", (
        f'[mailer]\nhostname = "mx.example.com"\nspool = "{home}/spool"\n'
        f'[[domain]]\nname = "example.com"\nvia = "maildir:{home}/{{user}}"\n'
        f'[[listen]]\nkind = "mx"\naddress = "127.0.0.1:{port}"\n[receiving]\nmessages_per_session = 1000000\n{LIMITS}\n{PLACES}\n'
        + (f'[dns]\nnameservers = ["127.0.0.1:{dns}"]\n' if dns else "")
    ).encode())  # fmt: skip
    clock, chores = SystemClock(), Chores(print, print)
    panel = FilterComponent(config, config.spool, print, clock, chores).panel if dns else None
    residents = Residents(config, MemoryUsers([User(PERSON)]), lambda _: None, clock)
    counter = ReportDoorKind(config, MemoryReports(), print, clock, lambda: None).counter
    records = panel.resolver.records if panel is not None else None
    reception = Reception(config, residents, counter, lambda _: None, clock, panel, records)
    doors = ServedDoors(config, [StrangerDoorKind("mx", reception)], lambda _: None, clock, chores)
    await residents.refresh()
    await doors.start()
    quieten_collector()  # as a daemon does
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await doors.stop(0.0)


def _records() -> list[str]:
    """What the DNS says of the sender and of the client."""
    from tests.dkim.keys import key

    record, domain = key().record, SENDER.rpartition("@")[2]
    quoted = " ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))
    return [
        f'{domain}. 3600 IN TXT "v=spf1 ip4:127.0.0.1 -all"',
        f'_dmarc.{domain}. 3600 IN TXT "v=DMARC1; p=reject"',
        f"s1._domainkey.{domain}. 3600 IN TXT {quoted}",
        f"1.0.0.127.in-addr.arpa. 3600 IN PTR mail.{domain}.",
        f"mail.{domain}. 3600 IN A 127.0.0.1",
    ]


def signed(size: int) -> bytes:
    """A message with a signature of its domain, as smtp-source wants a file."""
    from mailer.dkim.sign import Seal, sign
    from tests.dkim.keys import key

    content = sign(message(size), [Seal(SENDER.rpartition("@")[2], "s1", key(), 1e9)], time.time())
    return content.replace(b"\r\n", b"\n")


@contextlib.contextmanager
def idle(port: int, count: int) -> Iterator[None]:
    """So many clients that have said EHLO, and say nothing more."""
    with contextlib.ExitStack() as stack:
        clients = []
        for nth in range(count):
            client = stack.enter_context(socket.socket())
            client.bind((f"127.0.1.{nth % HOSTS + 1}", 0))
            client.connect(("127.0.0.1", port))
            clients.append(client)
        for client in clients:
            assert client.recv(1000).startswith(b"220")
            client.sendall(b"EHLO me\r\n")
        for client in clients:
            assert client.recv(1000).startswith(b"250")
        yield


# -- Postfix


@contextlib.contextmanager
def postfix() -> Iterator[Receiver]:
    """A Postfix that takes mail for anybody at the domain, and whose queue manager stands still."""
    with scratch("postfix") as home:
        settings = {
            "mydestination": "example.com",
            "local_recipient_maps": "",
            "in_flow_delay": 0,
            "smtpd_client_connection_count_limit": 500,
        }
        with Postfix(home, settings) as peer:
            wait_until("its queue manager runs", lambda: peer.pids("qmgr"))
            for pid in peer.pids("qmgr"):
                os.kill(pid, signal.SIGSTOP)

            def cpu() -> float:
                """Of all that run, and of those that the master has seen end."""
                return sum(map(_spent, peer.pids())) + _spent(peer.master.pid, children=True) - _spent(peer.master.pid)

            yield Receiver(peer.port, cpu, lambda: sum(1 for path in (peer.queue / "incoming").rglob("*") if path.is_file()))


def _spent(pid: int, *, children: bool = False) -> float:
    """Seconds of the processor that a process has had; with those of its children that have ended. proc(5)"""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended, and its parent has the sum
        return 0.0
    return sum(map(int, fields[11 : 15 if children else 13])) / TICKS


def _resident(pid: int) -> int:
    """The memory of a process, in KB. proc(5)"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _allow_descriptors() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
