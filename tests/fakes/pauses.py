"""Pauses: how long one piece of work keeps everything else of the process from running.

What is measured is the time of the processor, so that a busy machine does not count. What is left of it (a core that another machine
has too, memory that has to be fetched, caches that somebody else has filled) only ever makes a pause longer. So work that was too long
is done again, a few times, and the shortest counts: work that is done in one piece is too long each time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Awaitable, Callable

LONGEST = 0.05
"""How long nothing of ours may keep others waiting, in seconds."""

TRIES = 5
NOMINAL = 0.02  # seconds of the processor for `_yardstick` on a machine of today

Work = Callable[[], object]
Turns = Callable[[], Awaitable[object]]


def longest_pause(ready: Callable[[], Work]) -> float:
    """The longest time, in seconds, in which no other thread could run while a piece of work was done in one. `ready` makes it ready to be
    done once, and gives it.

    Measured in time of the processor that the work used between two turns of the other thread, and taken in proportion to how fast that
    processor is at the moment.
    """
    return _shortest(lambda: _pause(ready()))


def longest_turn(ready: Callable[[], Turns], first: Callable[[], Turns] | None = None) -> float:
    """The longest time, in seconds, for which a piece of work kept its loop's other tasks from their turn. `ready` makes it ready likewise;
    the work of `first`, without one that of `ready`, is done before: what is imported or made once is no work.

    Measured likewise, in time of the thread.
    """
    return _shortest(lambda: asyncio.run(_turn((first or ready)(), ready())))


def _shortest(measured: Callable[[], float]) -> float:
    """That of some measurements, each in proportion to the speed of the processor; one that is short enough is enough."""
    shortest = float("inf")
    for _ in range(TRIES):
        gc.collect()
        gc.freeze()  # what is there already is not the work's, as the daemon sees to it too
        try:
            shortest = min(shortest, measured() / max(1.0, _yardstick() / NOMINAL))
        finally:
            gc.unfreeze()
        if shortest < LONGEST:
            break
    return shortest


def _yardstick() -> float:
    begun = time.thread_time()
    sum(range(1_000_000))
    return time.thread_time() - begun


def _pause(work: Work) -> float:
    """Both threads have one core: while one has it, the other does not work on."""
    done = threading.Event()
    cores = os.sched_getaffinity(0)

    def worker() -> None:
        try:
            work()
        finally:
            done.set()

    def clock() -> float:
        """The time of the processor that others of this process had."""
        return time.process_time() - time.thread_time()

    os.sched_setaffinity(0, {max(cores)})  # of this thread, and of those that it starts
    try:
        thread = threading.Thread(target=worker)
        longest, before = 0.0, clock()
        thread.start()
        while not done.wait(0.001):
            now = clock()
            longest, before = max(longest, now - before), now
        thread.join()
        return max(longest, clock() - before)
    finally:
        os.sched_setaffinity(0, cores)


async def _turn(first: Turns, work: Turns) -> float:
    await first()
    gc.collect()
    gc.freeze()
    longest, before = 0.0, time.thread_time()

    def turn() -> None:
        nonlocal longest, before, next_turn
        now = time.thread_time()
        longest, before = max(longest, now - before), now
        next_turn = loop.call_soon(turn)

    loop = asyncio.get_running_loop()
    next_turn = loop.call_soon(turn)
    await work()
    turn()  # the last piece of work had no turn behind it
    next_turn.cancel()
    return longest
