#!/usr/bin/env python3
"""What it costs to start the commands that a person or a script asks with: no daemon runs, and a few messages wait.

    python tests/benchmarks/starts.py [--rounds 40] [--beside DIR]

Measured is the processor's time of one run, user and system, all commands in turns; the yardstick is ``python3 -c pass`` of the same
interpreter. ``--beside`` names another checkout with a `.venv` of its own, whose commands are run in the same turns on the same spool.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.measure import RECIPIENT, SENDER, Cost, cost, figure, in_turns, message, program, ratio

MESSAGES = 5
BARE, HERE, THERE = "python3 -c pass", "", " beside"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="runs of each command (default %(default)s)")
    parser.add_argument("--beside", type=Path, help="another checkout, with its .venv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as home:
        spool = f"{home}/spool"
        send = [*program(), "send", "--spool", spool, "-f", SENDER, RECIPIENT]
        ids = [
            subprocess.run(send, input=message(1024), check=True, stdout=subprocess.PIPE).stdout.decode().strip() for _ in range(MESSAGES)
        ]
        measured = in_turns(cases(program(), spool, ids[0], given.beside), given.rounds)
    bare = figure(BARE, [1000 * each.cpu for each in measured.pop(BARE)], "ms")
    middles = {name: figure(name, [1000 * each.cpu for each in costs], "ms") for name, costs in measured.items()}
    for name, middle in middles.items():
        ratio(f"{name} / {BARE}", middle, bare)
    for name, middle in middles.items():
        if name + THERE in middles:
            print(f"FIGURE {name}: {middle - middles[name + THERE]:+.1f} ms of what it takes beside", flush=True)


def cases(here: list[str], spool: str, id: str, beside: Path | None) -> dict[str, Callable[[], Cost]]:
    """Each command once for each checkout, and the bare interpreter."""
    asked = ("status", f"status {id}", "queue list", f"explain {id}")
    found = {BARE: run([sys.executable, "-c", "pass"])}
    for suffix, front in ((HERE, here), (THERE, [str(beside / ".venv/bin/mailer")] if beside else [])):
        for words in asked if front else ():
            found[f"mailer {words.replace(id, 'ID')}{suffix}"] = run([*front, *words.split(), "--spool", spool])
    return found


def run(argv: list[str]) -> Callable[[], Cost]:
    """What one run of `argv` costs, with its modules compiled."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return partial(cost, argv, Path(os.devnull), env)


if __name__ == "__main__":
    main()
