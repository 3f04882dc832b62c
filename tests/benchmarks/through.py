#!/usr/bin/env python3
"""From the first submission to the last delivery: one process hands mail to a running daemon, which hands it to smtp-sink.

    python tests/benchmarks/through.py [-n 5000] [--size 1024] [--rounds 5] [--sessions 20]

Ours is one ``mailer send --batch`` of an mbox, and beside it one process that calls `mailer.submit.submit` for one message after
the other, each durable before the next begins. Postfix gets its mail from one smtp-source with `--sessions` sessions, as fast as
it takes it. Everybody syncs each message to the disk before saying that it is accepted. The clock runs from the start of the process
that submits, its own start included, until the sink has counted the last message.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.batch import write_mbox
from tests.benchmarks.house import House
from tests.benchmarks.measure import RECIPIENT, SENDER, figure, message, program, ratio
from tests.fakes.processes import wait_until
from tests.peers.postfix import Postfix, scratch
from tests.peers.smtpsink import SmtpSink

ONE_BY_ONE = """
import sys, time
from mailer.config.quick import submission
from mailer.submit import Submission, submit
spool, count, file, sender, recipient = sys.argv[1:]
settings = submission(None, spool)
data = open(file, "rb").read()
for _ in range(int(count)):
    submit(Submission(data, sender=sender, recipients=[recipient]), settings, time.time())
"""


def main() -> None:
    """Measure in turns, and print."""
    given = arguments()
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailer-bench-")))
        sink = stack.enter_context(SmtpSink())
        house = House(home, {"sink": sink.port})
        stack.enter_context(house.running())
        contenders = ours(home, house, given)
        if not given.without_postfix:
            contenders |= postfix(stack, sink.port, given)
        rates: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            for name, submit in contenders.items():
                rates.setdefault(name, []).append(given.count / seconds(sink, submit, given.count))
    middle = {name: figure(f"{given.count} of {given.size} bytes, {name}", values, "messages/s", 0) for name, values in rates.items()}
    *us, them = middle
    for name in us if not given.without_postfix else ():
        ratio(f"{name} / {them}", middle[name], middle[them], "must be at least 1.5")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=5000, help="messages of one run (default %(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a message (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, in turns (default %(default)s)")
    parser.add_argument("--sessions", type=int, default=20, help="of smtp-source (default %(default)s)")
    parser.add_argument("--without-postfix", action="store_true", help="measure only ourselves")
    return parser.parse_args()


def seconds(sink: SmtpSink, submit: Callable[[], object], count: int) -> float:
    """Until all that `submit` hands over has arrived."""
    goal = sink.count + count
    begin = time.perf_counter()
    submit()
    wait_until("the last one is delivered", lambda: sink.count >= goal, 120, 0.002)
    return time.perf_counter() - begin


def ours(home: Path, house: House, given: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """Both ways in."""
    mbox, one = home / "mbox", home / "message"
    write_mbox(mbox, given.count, given.size)
    one.write_bytes(message(given.size, end="\n"))
    batch = [*program(), "send", "--spool", house.spool.root, "-f", SENDER, "--batch", str(mbox)]
    single = [sys.executable, "-c", ONE_BY_ONE, house.spool.root, str(given.count), str(one), SENDER, RECIPIENT]
    return {
        "mailer send --batch": lambda: subprocess.run(batch, stdout=subprocess.DEVNULL, check=True),
        "submit, one by one": lambda: subprocess.run(single, check=True),
    }


def postfix(stack: contextlib.ExitStack, port: int, given: argparse.Namespace) -> dict[str, Callable[[], object]]:
    """A Postfix that relays everything to the sink."""
    home = stack.enter_context(scratch("postfix"))
    peer = stack.enter_context(Postfix(home, {"relayhost": f"[127.0.0.1]:{port}", "in_flow_delay": 0}))
    source = ["smtp-source", "-s", str(given.sessions), "-m", str(given.count), "-l", str(given.size), "-f", SENDER, "-t", RECIPIENT]
    return {"smtp-source and postfix": lambda: subprocess.run([*source, f"127.0.0.1:{peer.port}"], check=True)}


if __name__ == "__main__":
    main()
