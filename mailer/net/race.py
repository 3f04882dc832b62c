"""Several ways to the same thing, tried with a small delay between them; the first that leads there counts (RFC 8305 §5).

A host may have addresses that do not answer, often all those of one family. To wait for a time-out at each costs every message
half a minute; to call all at once costs the host. So the next one is tried when the one before has failed, or has not
answered for `STAGGER` seconds, and whoever is too late is called off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")

STAGGER = 0.25  # seconds, RFC 8305 §8


async def race(
    ways: Sequence[K],
    attempt: Callable[[K], Awaitable[T]],
    lost: Callable[[K, Exception], object],
    discard: Callable[[T], object],
    stagger: float = STAGGER,
) -> tuple[K, T]:
    """The first of `ways` with which `attempt` succeeds, and what it gave.

    `lost` is told of each that failed; `discard` gets what came too late. Raises what the last one raised, if all fail. Nothing is
    left running, whatever happens.
    """
    if len(ways) == 1:
        return await _alone(ways[0], attempt, lost)
    running: dict[asyncio.Task[T], K] = {}
    left = list(ways)
    failure: Exception | None = None
    try:
        while left or running:
            if left:
                way = left.pop(0)
                running[asyncio.ensure_future(attempt(way))] = way
            done, _ = await asyncio.wait(running, timeout=stagger if left else None, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=list(running).index):
                way = running[task]
                if (error := task.exception()) is None:
                    del running[task]
                    return way, task.result()
                del running[task]
                if not isinstance(error, Exception):
                    raise error
                failure = error
                lost(way, error)
        assert failure is not None
        raise failure
    finally:
        await _call_off(running, discard)


async def _alone(way: K, attempt: Callable[[K], Awaitable[T]], lost: Callable[[K, Exception], object]) -> tuple[K, T]:
    """The usual case, which needs no task."""
    try:
        return way, await attempt(way)
    except Exception as error:
        lost(way, error)
        raise


async def _call_off(running: dict[asyncio.Task[T], K], discard: Callable[[T], object]) -> None:
    """Cancel who is too late, and wait for it; what it has already is discarded."""
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
    for task in running:
        if not task.cancelled() and task.exception() is None:
            discard(task.result())
