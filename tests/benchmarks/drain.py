#!/usr/bin/env python3
"""How fast a full queue empties: `mailer run` beside Postfix, each draining the same number of messages to smtp-sink.

    python tests/benchmarks/drain.py [-n 2000] [--size 1024 --size 10240] [--rounds 5]

The clock runs from the release of the queue to the last message in the sink. For ``mailer run --once`` the release is
the start of the process, so that the start of Python counts; for the daemon, and for Postfix, it is SIGCONT to a
process that was up and stood still while the queue was filled. One destination, no TLS, no latency, loopback:
what is measured is the cost of the queue. Postfix is measured in several configurations, of which the best
counts. It needs root, because Postfix does.

The processor's time is that of all processes of the one that drains, without the sink's. Memory is the peak of
our one process (VmHWM); for Postfix, the proportional share of all its processes at the end of the drain.

With ``--tokens`` a second daemon drains in the same turns whose mail leaves with return tokens (``bounce.address``).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.house import House
from tests.benchmarks.measure import RECIPIENT, SENDER, figure, median, ratio
from tests.fakes.processes import Program, Usage, wait_until
from tests.peers.postfix import Postfix, scratch
from tests.peers.smtpsink import SmtpSink

TUNED = {
    "maillog_file": "",  # no log at all
    "smtp_tls_security_level": "none",
    "disable_dns_lookups": "yes",
    "smtp_host_lookup": "native",
}
POSTFIX = {
    "postfix, as it comes": {},
    "postfix, no log, TLS or DNS, 50 connections": {
        **TUNED,
        "default_destination_concurrency_limit": 50,
        "initial_destination_concurrency": 50,
    },
    "postfix, no log, TLS or DNS, 5 connections": {
        **TUNED,
        "default_destination_concurrency_limit": 5,
        "initial_destination_concurrency": 5,
    },
}


class Drained(NamedTuple):
    """One drain: messages a second, milliseconds of processor a message, memory in MiB."""

    rate: float
    cpu: float
    memory: float


class Contender(Protocol):
    """Somebody who can hold a queue, and let it go."""

    def drain(self, sink: SmtpSink, count: int, size: int) -> Drained:
        """Fill the queue with `count` messages of `size` bytes, release it, and measure until it is empty."""


def main() -> None:
    """Measure in turns, and print."""
    given = arguments()
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(SmtpSink())
        home = stack.enter_context(scratch("bench"))
        contenders: dict[str, Contender] = {
            "mailer run --once": Once(home, {"sink": sink.port}),
            "mailer run": Daemon(home, {"sink": sink.port}),
        }
        if given.tokens:
            apart = home / "tokens"
            apart.mkdir()
            contenders["mailer run, with return tokens"] = Daemon(apart, {"sink": sink.port}, '[bounce]\naddress = "bounces@bench.example"')
        if not given.without_postfix:
            contenders |= {name: stack.enter_context(peer(sink.port, settings)) for name, settings in POSTFIX.items()}
        for size in given.size or (1024, 10240):
            compare(contenders, sink, given.count, size, given.rounds)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=2000, help="messages of one drain (default %(default)s)")
    parser.add_argument("--size", type=int, action="append", help="bytes of a message; may be repeated (default 1024 and 10240)")
    parser.add_argument("--rounds", type=int, default=5, help="drains of each, in turns (default %(default)s)")
    parser.add_argument("--without-postfix", action="store_true", help="measure only ourselves")
    parser.add_argument("--tokens", action="store_true", help="measure also a daemon that gives each message a return token")
    return parser.parse_args()


def compare(contenders: dict[str, Contender], sink: SmtpSink, count: int, size: int, rounds: int) -> None:
    """Each contender once a round, so that a busy moment of the machine strikes them all; then the figures."""
    found: dict[str, list[Drained]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            drained = contender.drain(sink, count, size)
            print(f"  {name}, {size} bytes: {drained.rate:.0f}/s, {drained.cpu:.3f} ms a message, {drained.memory:.1f} MiB", flush=True)
            found[name].append(drained)
    rates = {
        name: figure(
            f"drain {count} of {size} bytes, {name}",
            [one.rate for one in results],
            "messages/s",
            0,
            cpu_ms_a_message=f"{median([one.cpu for one in results]):.3f}",
            memory_MiB=f"{max(one.memory for one in results):.1f}",
        )
        for name, results in found.items()
    }
    best = max((rate for name, rate in rates.items() if name in POSTFIX), default=None)
    for name in ("mailer run --once", "mailer run"):
        if best:
            ratio(f"drain of {size} bytes, {name} / best postfix", rates[name], best, "must be at least 2.5")
    if marked := found.get("mailer run, with return tokens"):
        with_tokens, without = (median([one.cpu for one in each]) for each in (marked, found["mailer run"]))
        ratio(f"drain of {size} bytes, processor a message, with return tokens / without", with_tokens, without, "about 1")


class Once(House):
    """``mailer run --once``, from the start of its process."""

    def drain(self, sink: SmtpSink, count: int, size: int) -> Drained:
        """See `Contender`."""
        self.fill(count, size)
        goal = sink.count + count
        begin = time.perf_counter()
        daemon = self.start("--once")
        seconds = arrived(sink, goal, daemon) - begin
        _, status, used = os.wait4(daemon.pid, 0)
        if status or self.spool.ids("queued"):
            sys.exit(f"the drain failed: {daemon.said}")
        return Drained(count / seconds, 1000 * (used.ru_utime + used.ru_stime) / count, used.ru_maxrss / 1024)


class Daemon(House):
    """``mailer run``, up and stopped while the queue is filled."""

    def drain(self, sink: SmtpSink, count: int, size: int) -> Drained:
        """See `Contender`."""
        with self.held() as daemon:
            self.fill(count, size)
            before, goal = Usage(daemon.pid), sink.count + count
            begin = time.perf_counter()
            self.release(daemon)
            seconds = arrived(sink, goal, daemon) - begin
            wait_until("the queue is empty", lambda: not self.spool.ids("queued"))
            after = Usage(daemon.pid)
        return Drained(count / seconds, 1000 * (after.cpu - before.cpu) / count, after.peak_kib / 1024)


@contextlib.contextmanager
def peer(port: int, settings: dict[str, object]) -> Iterator[Held]:
    """A Postfix that relays everything to the sink."""
    with scratch("postfix") as home, Postfix(home, {"relayhost": f"[127.0.0.1]:{port}", "in_flow_delay": 0, **settings}) as postfix:
        yield Held(postfix)


class Held:
    """Postfix, whose queue manager stands still while the queue is filled, so that the messages are new to it."""

    def __init__(self, postfix: Postfix) -> None:
        self.postfix = postfix

    def drain(self, sink: SmtpSink, count: int, size: int) -> Drained:
        """See `Contender`."""
        (manager,) = wait_until("the queue manager is up", lambda: self.postfix.pids("qmgr"))
        os.kill(manager, signal.SIGSTOP)
        source = ["smtp-source", "-s", "10", "-m", str(count), "-l", str(size), "-f", SENDER, "-t", RECIPIENT]
        subprocess.run([*source, f"127.0.0.1:{self.postfix.port}"], check=True)
        os.sync()
        before, goal = self.cpu(), sink.count + count
        begin = time.perf_counter()
        os.kill(manager, signal.SIGCONT)
        seconds = arrived(sink, goal) - begin
        wait_until("the queue is empty", lambda: not any(self.postfix.queued()))
        return Drained(count / seconds, 1000 * (self.cpu() - before) / count, self.memory())

    def cpu(self) -> float:
        """Seconds of processor time of all its processes, those that have ended included."""
        return sum(Usage(pid).cpu for pid in self.postfix.pids())

    def memory(self) -> float:
        """The proportional share of its processes in MiB."""
        total = 0
        for pid in self.postfix.pids():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024


def arrived(sink: SmtpSink, goal: int, daemon: Program | None = None) -> float:
    """Wait until the sink has counted to `goal`; returns the moment."""
    deadline = time.perf_counter() + 120
    while sink.count < goal:
        if time.perf_counter() > deadline or (daemon and ended(daemon) and sink.count < goal):
            sys.exit(f"the sink has {sink.count} of {goal}: {daemon.said[-2000:] if daemon else ''}")
        time.sleep(0.002)
    return time.perf_counter()


def ended(daemon: Program) -> bool:
    """Whether it is over; what it has used stays to be asked for."""
    return os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


if __name__ == "__main__":
    main()
