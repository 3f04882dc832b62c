#!/usr/bin/env python3
"""What a batch costs: `mailer send --batch` against Postfix's sendmail in a shell loop, and against our own.

    python tests/benchmarks/batch.py [--messages 5000] [--size 1024] [--rounds 5] [--loop 200]

Measured is an mbox of 5,000 messages of 1 KB, queued durably, no daemon running; the whole time of the command on the clock, its
start included. Postfix's sendmail takes `--loop` messages one after the other in each round, with its own daemons up and delivery
held, as in `send.py`. Both run in turns, so that a busy moment of the machine strikes both; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.measure import SENDER, figure, message, program, ratio
from tests.benchmarks.send import ours, postfix
from tests.peers.postfix import DAEMONS

POSTFIX, LOOP, BATCH = "postfix sendmail -t in a loop", "mailer sendmail -t in a loop", "mailer send --batch"


def main() -> None:
    """Measure and print."""
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as home, contextlib.ExitStack() as stack:
        spool, mbox, one = Path(home) / "spool", Path(home) / "mbox", Path(home) / "message"
        one.write_bytes(message(given.size, end="\n"))
        write_mbox(mbox, given.messages, given.size)
        loops = {LOOP: ours(spool, Path(home) / "usr")["mailer sendmail -t"]}
        if os.geteuid() == 0 and (DAEMONS / "master").exists() and not given.without_postfix:
            loops[POSTFIX] = stack.enter_context(postfix())
        rates: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            rates.setdefault(BATCH, []).append(given.messages / batch(mbox, spool, given))
            for name, argv in loops.items():
                rates.setdefault(name, []).append(given.loop / loop(argv, one, given.loop))
        report(rates)


def report(rates: dict[str, list[float]]) -> None:
    """Print the figures, and how they compare."""
    middle = {name: figure(name, values, "/s") for name, values in rates.items()}
    ratio(f"{BATCH} / {LOOP}", middle[BATCH], middle[LOOP])
    if POSTFIX in middle:
        ratio(f"{BATCH} / {POSTFIX}", middle[BATCH], middle[POSTFIX], "must be at least 10, aim 20")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000, help="messages of a batch (default %(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a message (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default %(default)s)")
    parser.add_argument("--loop", type=int, default=200, help="messages of one shell loop (default %(default)s)")
    parser.add_argument("--without-postfix", action="store_true", help="leave Postfix out")
    return parser.parse_args()


def write_mbox(path: Path, count: int, size: int) -> None:
    """Messages that differ in their Message-ID."""
    with path.open("wb") as file:
        for _ in range(count):
            file.write(b"From sender@bench.example Sat Nov 21 00:00:00 2026\n" + message(size, end="\n") + b"\n")


def batch(mbox: Path, spool: Path, given: argparse.Namespace) -> float:
    """The seconds of one batch; each of its messages is said to be queued, and is."""
    shutil.rmtree(spool, ignore_errors=True)
    begin = time.perf_counter()
    done = subprocess.run([*program(), "send", "-f", SENDER, "--batch", str(mbox)], stdout=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - begin
    told = set(done.stdout.decode().split())
    if len(told) != given.messages or told != set(os.listdir(spool / "queued")):
        sys.exit("some were not queued: the figures are worth nothing")
    return seconds


def loop(argv: list[str], text: Path, count: int) -> float:
    """The seconds of a shell loop that submits one message after the other."""
    line = f"{shlex.join(argv)} < {shlex.quote(str(text))} > /dev/null"
    begin = time.perf_counter()
    subprocess.run(["bash", "-c", f"for i in $(seq {count}); do {line} || exit 1; done"], check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
