#!/usr/bin/env python3
"""What a large queue costs: memory and start with many deferred messages, the daemon's time while few of them are due, and one
message with very many recipients.

    python tests/benchmarks/scale.py [-n 100000] [-n 1000000] [--recipients 10000] [--domains 1000]

For each number of messages on a spool that no daemon has seen, all deferred: how long ``mailer run`` takes until it is ready, and its
memory then; the same once more, when the status database knows them all; and then the processor's time in a second while ten
messages come due in each, with all looks through the queue that fall into it. Last, how late the last one of these was delivered.

The message with many recipients goes to as many destinations as there are domains, all of them relays at one sink.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.house import House, resident
from tests.benchmarks.measure import figure
from tests.fakes.processes import Usage, wait_until
from tests.peers.smtpsink import SmtpSink

LONG = 7 * 86400.0  # seconds until most of the mail is due
RATE = 10  # messages that come due in a second
SECONDS = 30


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="counts", type=int, action="append", help="deferred messages; may be repeated (default 100000)")
    parser.add_argument("--recipients", type=int, default=10_000, help="of the one message (default %(default)s)")
    parser.add_argument("--domains", type=int, default=1000, help="that they are in (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="that the daemon is watched (default %(default)s)")
    given = parser.parse_args()
    for count in given.counts or [100_000]:
        deferred(count, given.seconds)
    many(given.recipients, given.domains)


def deferred(count: int, seconds: int) -> None:
    """A spool full of deferred mail."""
    with tempfile.TemporaryDirectory() as home, SmtpSink() as sink:
        house = House(Path(home), {"sink": sink.port}, "[delivery]\nrescan = '20s'")
        house.fill(count, 1024, due=time.time() + LONG)
        begin = time.perf_counter()
        with house.running(600) as daemon:
            figure(f"{count} deferred, ready after", [time.perf_counter() - begin], "s")
            figure(f"{count} deferred, resident", [resident(daemon.pid)], "MiB")
        house.start("--once").wait(1800)  # which writes the status of all, and finds nothing to do
        begin = time.perf_counter()
        with house.running(600):
            figure(f"{count} deferred, ready once more after", [time.perf_counter() - begin], "s")
        start = time.time() + 10 + count / 20_000  # when the daemon will be ready
        house.fill(RATE * seconds, 1024, due=start, apart=1 / RATE)
        with house.running(600) as daemon:
            time.sleep(max(0.0, start - time.time()))
            before = Usage(daemon.pid).cpu
            time.sleep(seconds)
            used = Usage(daemon.pid).cpu - before
            wait_until("what was due is delivered", lambda: sink.count >= RATE * seconds, 30)
            late = time.time() - (start + seconds)
            figure(f"{count} deferred, {RATE} due in a second, processor's time", [1000 * used / seconds], "ms a second")
            figure(f"{count} deferred, the last one of them late by", [max(late, 0.0)], "s", 2)


def many(recipients: int, domains: int) -> None:
    """One message to very many."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sink = stack.enter_context(SmtpSink())
        relays = {f"d{nth}": sink.port for nth in range(domains)}
        house = House(home, relays, more="[submission]\nmax_recipients = 1000000\n")
        house.fill(1, 1024, [f"r{nth}@d{nth % domains}.example" for nth in range(recipients)])
        begin = time.perf_counter()
        with house.running() as daemon:
            wait_until("all have it", lambda: not house.spool.ids("queued"), 300)
            seconds = time.perf_counter() - begin
            peak = Usage(daemon.pid).peak_kib / 1024
        label = f"one message, {recipients} recipients in {domains} domains"
        figure(f"{label}, delivered after", [seconds], "s", 1, transactions=sink.count)
        figure(f"{label}, peak memory", [peak], "MiB", 1)


if __name__ == "__main__":
    main()
