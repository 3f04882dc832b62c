#!/usr/bin/env python3
"""How fast reports that came back are read: the samples, on one processor, beside flufl.bounce where that is installed.

    python tests/benchmarks/reports.py [--seconds 2] [--rounds 5]

The other one finds addresses alone; a message is read into memory once for both, and parsed by each. The samples are those of the
tests; where they are not there, the letters of the tests are read.
"""

from __future__ import annotations

import argparse
import email
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.dsn.reading import read
from tests.benchmarks.measure import figure, in_turns, median, ratio
from tests.dsn.letters import LETTERS, written
from tests.dsn.samples import samples

GOAL = 1000.0  # reports/s


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of reading in a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, in turns (default %(default)s)")
    given = parser.parse_args()
    contents = [sample.content for sample in samples()] or [written(letter) for letter in LETTERS]
    cases = {"mailer": lambda: rate(read, contents, given.seconds)}
    try:
        from flufl.bounce import scan_message
    except ImportError:
        print("flufl.bounce is not installed: nothing to compare with")
    else:
        cases["flufl.bounce"] = lambda: rate(lambda content: scan_message(email.message_from_bytes(content)), contents, given.seconds)
    found = in_turns(cases, given.rounds, warm=1)
    for name, rates in found.items():
        figure(f"reports read, {name}", rates, "reports/s of a processor", 0, samples=len(contents))
    ratio("reports read, mailer / the goal of 1,000 a second", median(found["mailer"]), GOAL, "must be at least 1")
    if "flufl.bounce" in found:
        ratio("reports read, mailer / flufl.bounce", median(found["mailer"]), median(found["flufl.bounce"]))


def rate(act: Callable[[bytes], object], contents: Sequence[bytes], seconds: float) -> float:
    """How many are read in a second of this processor's time; what others take from it does not count."""
    done = 0
    began = time.process_time()
    while (took := time.process_time() - began) < seconds:
        for content in contents:
            act(content)
        done += len(contents)
    return done / took


if __name__ == "__main__":
    main()
