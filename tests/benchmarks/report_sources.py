#!/usr/bin/env python3
"""How fast reports are taken from a mailbox, end to end: found, fetched, read, written and synced, and moved or deleted there.

    python tests/benchmarks/report_sources.py [-n 2000] [--rounds 3]

The mailbox is that of a real Dovecot on this machine, by TLS; each report is a bounce of some three kilobytes with the header of what came
back. Besides it is measured what the disk alone allows: the same reports taken without a mailbox, in batches and one by one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.reports import files
from mailer.reports.api import Facts
from mailer.reports.files import FileReports
from mailer.reports.imap import ImapSource
from mailer.reports.pop3 import Pop3Source
from mailer.reports.sources import BATCH, MailboxSource, ReportTaker
from tests.benchmarks.measure import figure
from tests.peers.postfix import scratch
from tests.peers.servers import Servers
from tests.peers.test_report_sources import MOST, Box
from tests.reports.servers import ndr

RETURNED = b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <%d@example.com>\r\n" + b"X-Filler: " + b"x" * 60 + b"\r\n"


def report(number: int) -> bytes:
    """A bounce of about three kilobytes."""
    return ndr(number).replace(
        b"--b--\r\n", RETURNED % number + b"X-More: 0123456789012345678901234567890123456789\r\n" * 48 + b"\r\n--b--\r\n"
    )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=2000, help="reports in the mailbox (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (default %(default)s)")
    chosen = parser.parse_args()
    contents = [report(number) for number in range(chosen.count)]
    print(f"{chosen.count} reports of {len(contents[0])} octets, {chosen.rounds} rounds, medians")
    with scratch("reports") as home, contextlib.ExitStack() as stack:
        servers = Servers(home, stack)
        box = Box(servers, "reports9")
        imap = ImapSource(box.server("imaps"), "INBOX", move="Handled", most=MOST)
        pop3 = Pop3Source(box.server("pop3s"), delete=True, most=MOST)
        for name, source in (("IMAP, moved", imap), ("POP3, deleted", pop3)):
            figure(name, [_looked(box, source, contents, home) for _ in range(chosen.rounds)], "reports/s", 0)
        for name, size in ((f"the disk, {BATCH} at a time", BATCH), ("the disk, one by one", 1)):
            part = contents if size > 1 else contents[: max(len(contents) // 10, 1)]
            figure(name, [_taken(part, size, home) for _ in range(chosen.rounds)], "reports/s", 0)


def _looked(box: Box, source: MailboxSource, contents: list[bytes], home: Path) -> float:
    """Reports a second, from the mailbox to the disk, until there is nothing more."""
    box.put(*contents)
    spool = home / "spool"

    async def looking() -> int:
        reports = FileReports(str(spool))
        taker = ReportTaker(reports, "box", "bounces@example.com", time.time)
        taken = 0
        while (looked := await source.look(taker)).taken or looked.more:
            taken += looked.taken
        reports.close()
        return taken

    began = time.monotonic()
    taken = asyncio.run(looking())
    seconds = time.monotonic() - began
    assert taken == len(contents)
    shutil.rmtree(spool)
    shutil.rmtree(box.peer.root.path / f"mail/{box.owner}")
    return taken / seconds


def _taken(contents: list[bytes], size: int, home: Path) -> float:
    spool = home / "spool"
    reports = FileReports(str(spool))
    files.prepare(str(spool))
    began = time.monotonic()
    for at in range(0, len(contents), size):
        reports.take_now([(content, Facts("bench")) for content in contents[at : at + size]])
    seconds = time.monotonic() - began
    reports.close()
    shutil.rmtree(spool)
    return len(contents) / seconds


if __name__ == "__main__":
    main()
