#!/usr/bin/env python3
"""Flags and appended messages: a mailbox of ours beside the IMAP of Dovecot over a Maildir, with the same mail.

    python tests/benchmarks/mailbox_dovecot.py [-n 1000] [--appended 200] [--size 7168] [--rounds 3]

Both have a folder of so many messages, warm. All are flagged and unflagged in one command, and then messages are appended one at a time,
each synced before the next, as both do by default. Ours is asked as doors ask it, without a protocol before it; Dovecot over a pipe,
with its process logged in. Counted is the processor's time of the one process and of the other, by the nanosecond (schedstat of
proc(5)); they take turns.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.mail.flags import Flag
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.owners.api import Owner
from tests.benchmarks.measure import figure, message, ratio
from tests.peers.dovecot_imap import DovecotImap

OWNER = Owner("01KAHC00000000000000000001", 1, "ann@example.com", 1_796_000_000.0)


class Cost(NamedTuple):
    """Of one thing done: milliseconds of the processor, and on the clock."""

    cpu: float
    wall: float


class Costs(NamedTuple):
    """Of flagging all messages, and of appending one."""

    flags: Cost
    append: Cost


def cost(act: Callable[[], object], processor: Callable[[], float], times: int = 1) -> Cost:
    """What it costs to do that, one of so many."""
    act_cpu, act_wall = processor(), time.perf_counter()
    act()
    return Cost(1e3 * (processor() - act_cpu) / times, 1e3 * (time.perf_counter() - act_wall) / times)


def ours(home: Path, mail: list[bytes], more: list[bytes]) -> Costs:
    """Of our mailbox."""
    layout = Layout(str(home))
    layout.have(layout.home(OWNER.id))
    box = OwnMailbox(OWNER, SqliteEngine(layout.index(OWNER.id)), FileBodies(layout))
    for start in range(0, len(mail), 100):
        box.put([NewMail("INBOX", content) for content in mail[start : start + 100]])

    def flag() -> None:
        box.flag(1, [(1, len(mail))], "add", Flag.FLAGGED)
        box.flag(1, [(1, len(mail))], "remove", Flag.FLAGGED)

    def append() -> None:
        for content in more:
            box.put([NewMail("INBOX", content)])

    flag()
    done = Costs(cost(flag, time.process_time, 2), cost(append, time.process_time, len(more)))
    box.close()
    return done


def theirs(home: Path, mail: list[bytes], more: list[bytes]) -> Costs:
    """Of Dovecot's."""
    with DovecotImap(home, mail) as imap:
        schedstat = Path(f"/proc/{imap.program.pid}/schedstat")

        def processor() -> float:
            return int(schedstat.read_text().split()[0]) / 1e9

        def flag() -> None:
            imap.ask(rb"STORE 1:%d +FLAGS.SILENT (\Flagged)" % len(mail))
            imap.ask(rb"STORE 1:%d -FLAGS.SILENT (\Flagged)" % len(mail))

        def append() -> None:
            for content in more:
                imap.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(content), content))

        imap.ask(b"SELECT INBOX")
        flag()
        return Costs(cost(flag, processor, 2), cost(append, processor, len(more)))


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=1000, help="messages in the folder (default %(default)s)")
    parser.add_argument("--appended", type=int, default=200, help="messages appended (default %(default)s)")
    parser.add_argument("--size", type=int, default=7168, help="octets of a message (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default %(default)s)")
    given = parser.parse_args()
    found: dict[str, list[Costs]] = {"ours": [], "dovecot": []}
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        for nth in range(given.rounds):
            mail = [message(given.size) for _ in range(given.count)]
            more = [message(given.size) for _ in range(given.appended)]
            found["ours"].append(ours(Path(place, f"ours-{nth}"), mail, more))
            found["dovecot"].append(theirs(Path(place, f"dovecot-{nth}"), mail, more))
    flags = {
        who: figure(f"flags of {given.count}, {who}, processor", [each.flags.cpu for each in of], "ms", 2) for who, of in found.items()
    }
    for who, of in found.items():
        figure(f"flags of {given.count}, {who}, clock", [each.flags.wall for each in of], "ms", 2)
    put = {who: figure(f"append, {who}, processor", [each.append.cpu for each in of], "ms", 2) for who, of in found.items()}
    for who, of in found.items():
        figure(f"append, {who}", [1e3 / each.append.wall for each in of], "a second", 0, **({"at_least": 150} if who == "ours" else {}))
    ratio(f"flags of {given.count}, processor, dovecot / ours", flags["dovecot"], flags["ours"], "at least 1")
    ratio("append, processor, dovecot / ours", put["dovecot"], put["ours"])


if __name__ == "__main__":
    main()
