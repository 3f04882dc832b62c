#!/usr/bin/env python3
"""What the scheduler itself costs: time for each job, time for a plan while very much waits, memory for each message that waits.

python tests/simulation/cost.py
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.mail.history import History
from mailer.queue.attempt import Attempt, Job
from mailer.queue.scheduler import QueueLimits, Scheduler
from mailer.spool.api import Entry
from mailer.transport.route import Route
from tests.fakes.mail import NOW, envelope

MANY = 1_000_000
SOME = 10_000


def main() -> None:
    """Measure, and print."""
    print(f"one destination with {SOME} jobs:            {best(one_relay) / SOME * 1e9:8.0f} ns for each, queued, planned and taken")
    print(f"{SOME} destinations with a job each:         {best(many_destinations) / SOME * 1e9:8.0f} ns for each")
    memory, plan = waiting(MANY)
    print(f"{MANY} messages waiting, none due:         {plan * 1e9:8.0f} ns for a plan, {memory:.0f} bytes a message, its name included")


def job(route: Route, id: str, sender: str) -> Job:
    """A message of its own."""
    letter = envelope(id=id, sender=sender)
    return Job(Attempt(Entry(letter.id, "queued", letter, 0, History(1), 0.0, NOW), NOW, parts=1), route, [0])


def best(measure: Callable[[], float]) -> float:
    """The least of five."""
    return min(measure() for _ in range(5))


def one_relay() -> float:
    """A queue as the manager works it off: five sessions, each taking the next job as it has done one."""
    jobs = [job(Route("relay:out", (), relay=True), str(nth), "me@example.com") for nth in range(SOME)]
    scheduler = Scheduler(QueueLimits())
    begin = time.perf_counter()
    for one in jobs:
        destination = scheduler.queue(one)
    taken = len(scheduler.plan(NOW).open)
    while destination.take():
        taken += 1
    seconds = time.perf_counter() - begin
    assert taken == SOME
    return seconds


def many_destinations() -> float:
    """Each message goes somewhere else."""
    jobs = [job(Route(f"mx:{nth}.example", (), relay=False), str(nth), f"{nth}@example.com") for nth in range(SOME)]
    scheduler = Scheduler(QueueLimits())
    begin = time.perf_counter()
    for one in jobs:
        scheduler.queue(one)
    done = 0
    while done < SOME:
        for destination, _ in scheduler.plan(NOW).open:
            scheduler.session_ended(destination)
            done += 1
    return time.perf_counter() - begin


def waiting(many: int) -> tuple[float, float]:
    """Bytes for each message that is due some day of the next week, and seconds for a plan."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    scheduler = Scheduler(QueueLimits())
    scheduler.plan(NOW)
    for nth in range(many):
        scheduler.expect(f"01JZ{nth:022}", NOW + 600 + nth * 6e5 / many)
    memory = (tracemalloc.get_traced_memory()[0] - before) / many
    tracemalloc.stop()
    begin = time.perf_counter()
    for _ in range(1000):
        scheduler.plan(NOW + 1)
    return memory, (time.perf_counter() - begin) / 1000


if __name__ == "__main__":
    main()
