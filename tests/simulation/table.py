#!/usr/bin/env python3
"""A table of what the scheduler does in a model internet, against a fixed number of sessions and against 1/N without hysteresis.

    python tests/simulation/table.py [-n 100000] [--destinations 1000] [--connections 5000]

Messages are all there at the start, in random order; seven of ten destinations are fast.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.limits.window import Window
from mailer.queue.scheduler import QueueLimits
from tests.simulation.world import CROWDED, FAST, GREY, HOLE, OUTAGE, SLOW, Fixed, Kind, Plain, Simulation

MIXTURE = [FAST] * 14 + [GREY, SLOW, CROWDED, CROWDED, OUTAGE, HOLE]
POLICIES = {"mailer": (Window, True), "1/N, no hysteresis": (Plain, False), "fixed, 20": (Fixed, False)}
HEAD = f"{'':<20}{'good/s':>8}{'Jain':>6}{'p50 s':>7}{'p99 s':>7}{'421':>8}{'deferred':>9}{'crowded/s':>10}{'p99 s':>7}{'in memory':>10}"


def main() -> None:
    """Simulate, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=100_000, help="messages (default %(default)s)")
    parser.add_argument("--destinations", type=int, default=1000, help="(default %(default)s)")
    parser.add_argument("--connections", type=int, default=5000, help="in all (default %(default)s)")
    given = parser.parse_args()
    print(HEAD)
    for name, (window, lenient) in POLICIES.items():
        print(row(name, simulate(given.count, given.destinations, given.connections, window, lenient=lenient)), flush=True)
    alone = simulate(given.count, given.destinations, given.connections, Window, only=FAST)
    print(row("good ones alone", alone))


def simulate(
    many: int, destinations: int, connections: int, window: type[Window], *, lenient: bool = True, only: Kind | None = None
) -> Simulation:
    """Six hours of it. With `only`, what is not of that kind is left out, and all else is the same."""
    hosts = {f"mx:{nth}.example": MIXTURE[nth % len(MIXTURE)] for nth in range(destinations)}
    simulation = Simulation(hosts, QueueLimits(active=10 * connections, connections=connections), window, lenient=lenient)
    dice, keys = random.Random(1), [*hosts]
    for _ in range(many):
        key = dice.choice(keys)
        if only in (None, hosts[key]):
            simulation.put(key)
    simulation.run(6 * 3600)
    return simulation


def row(name: str, done: Simulation) -> str:
    """One line of the table."""
    tally = done.tally
    fast, crowded = FAST.name, CROWDED.name
    return (
        f"{name:<20}{tally.rate(fast):8.0f}{done.jain(FAST, tally.percentile(fast, 0.5)):6.2f}{tally.percentile(fast, 0.5):7.0f}"
        f"{tally.percentile(fast, 0.99):7.0f}{tally.events['421']:8}{tally.events['deferred by our own concurrency']:9}"
        f"{tally.rate(crowded):10.1f}{tally.percentile(crowded, 0.99):7.0f}{tally.most_active:10}"
    )


if __name__ == "__main__":
    main()
