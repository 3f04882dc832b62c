"""Pauses: how long one piece of work keeps everything else of the process from running."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Awaitable, Callable

NOMINAL = 0.02  # seconds of the processor for `_yardstick` on a machine of today


def longest_pause(work: Callable[[], object]) -> float:
    """The longest time, in seconds, in which no other thread could run while `work` was done in one.

    Measured in time of the processor that this process used while the other thread waited for the interpreter and not for a core, so that
    it is the same however busy the machine is, and taken in proportion to how fast that processor is at the moment.
    """
    done = threading.Event()

    def worker() -> None:
        try:
            work()
        finally:
            done.set()

    gc.collect()
    gc.freeze()  # what is there already is not the work's, as the daemon sees to it too
    thread = threading.Thread(target=worker)
    with open("/proc/thread-self/schedstat", "rb", buffering=0) as delays:

        def clock() -> float:
            """The time of the processor, without that for which this thread could have run and had no core."""
            return time.process_time() - int(os.pread(delays.fileno(), 100, 0).split()[1]) / 1e9

        longest, before = 0.0, clock()
        thread.start()
        while not done.is_set():
            now = clock()
            longest, before = max(longest, now - before), now
        thread.join()
    gc.unfreeze()
    return longest / max(1.0, _yardstick() / NOMINAL)


def _yardstick() -> float:
    begun = time.thread_time()
    sum(range(1_000_000))
    return time.thread_time() - begun


def longest_turn(work: Callable[[], Awaitable[object]]) -> float:
    """The longest time, in seconds, for which `work` kept its loop's other tasks from their turn.

    Measured likewise, in time of the thread.
    """

    async def run() -> float:
        await work()  # what is imported or made once is no work
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

    try:
        return asyncio.run(run()) / max(1.0, _yardstick() / NOMINAL)
    finally:
        gc.unfreeze()
