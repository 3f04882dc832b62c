"""The addresses of a host: in which order they are called, from which address of ours, and what is done about those that fail.

Mail from an IPv6 address without a PTR record is refused by many, so an operator may want one family only, or one first (`arranged`).

A host may have addresses that do not answer, often all those of one family. To wait for a time-out at each costs every message
half a minute; to call all at once costs the host. So the next one is tried when the one before has failed, or has not
answered for `STAGGER` seconds; the first that answers counts, and the others are called off (`race`, RFC 8305 §5). The package
aiohappyeyeballs does the same for plain sockets, and was tried: it forgets the addresses that failed before one answered, which the
negative cache, the transcript and the outcome have to know, joins the errors of several into one text, and knows no time-out for each.

An address that failed a moment ago is called last, so that one message finds it out and not each (`NegativeCache`). One fails that
cannot be reached, greets us with a refusal, or breaks off; the hosts beside it take the mail meanwhile. The time grows with each
failure that comes after it is over. Nothing is given up on because of it: where all addresses are dead, or there is only one, it is
called as ever.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")

STAGGER = 0.25  # seconds, RFC 8305 §8
MEMORY = 60.0  # seconds: long enough for a burst of mail, short enough for a host that was restarted
LONGEST = 900.0  # it is twice as long each time, up to this; and who did not fail for as long begins anew
MOST = 1000  # addresses; the oldest are forgotten first

FAMILIES = ("any", "prefer4", "prefer6", "only4", "only6")
"""`any` keeps the order that there is."""

ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that nobody has, RFC 5737 §3 and RFC 3849 §2."""


def arranged(addresses: Sequence[str], family: str) -> list[str]:
    """The `addresses` that may be called, the preferred family first."""
    if family == "any":
        return [*addresses]
    four = [address for address in addresses if not is_six(address)]
    six = [address for address in addresses if is_six(address)]
    return {"prefer4": four + six, "prefer6": six + four, "only4": four, "only6": six}[family]


def is_six(address: str) -> bool:
    """Whether this is an IPv6 address."""
    return ":" in address


def source(sources: Sequence[str], address: str) -> str:
    """The one of `sources` which can call `address`; empty: the system chooses."""
    return next((own for own in sources if own and is_six(own) == is_six(address)), "")


def routed(family: socket.AddressFamily) -> str:
    """Our address on the way to the world; empty if there is no way. Only the kernel is asked; nothing is sent."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((ELSEWHERE[family], 53))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def has_route() -> bool:
    """Whether this machine knows a way to anywhere."""
    return any(map(routed, ELSEWHERE))


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
    first: asyncio.Task[T] | None = None
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
                    first = task
                    return way, task.result()
                del running[task]
                if not isinstance(error, Exception):
                    raise error
                failure = error
                lost(way, error)
        assert failure is not None
        raise failure
    finally:
        try:
            await _call_off(running, discard)
        except BaseException:  # called off meanwhile: nobody gets what came first
            if first:
                discard(first.result())
            raise


async def _alone(way: K, attempt: Callable[[K], Awaitable[T]], lost: Callable[[K, Exception], object]) -> tuple[K, T]:
    """The usual case, which needs no task."""
    try:
        return way, await attempt(way)
    except Exception as error:
        lost(way, error)
        raise


async def _call_off(running: dict[asyncio.Task[T], K], discard: Callable[[T], object]) -> None:
    """Cancel the attempts that are too late, and wait for them, whoever calls us off meanwhile; what one has already is discarded."""
    for task in running:
        task.cancel()
    called_off: asyncio.CancelledError | None = None
    while left := [task for task in running if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            called_off = error
    for task in running:
        if not task.cancelled() and task.exception() is None:
            discard(task.result())
    if called_off:
        raise called_off


class NegativeCache:
    """The addresses that failed a moment ago, as one pool found out. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, float]] = {}  # until when, and how long that was

    def __bool__(self) -> bool:
        """Whether any address is dead."""
        return bool(self._known)

    def add(self, address: str, port: int) -> None:
        """Note that `address` failed now. What was under way when it did so first says nothing new."""
        now = self._clock()
        until, wait = self._known.get((address, port), (0.0, 0.0))
        if now < until:
            return
        self.discard(address, port)
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        wait = min(2 * wait, LONGEST) if wait and now < until + LONGEST else MEMORY
        self._known[address, port] = (now + wait, wait)

    def discard(self, address: str, port: int) -> None:
        """Forget that `address` failed: it takes mail."""
        self._known.pop((address, port), None)

    def last(self, addresses: Sequence[str], port: int) -> list[str]:
        """`addresses` with those that are dead behind the others."""
        if not self._known:
            return [*addresses]
        now = self._clock()
        return sorted(addresses, key=lambda address: self._until(address, port) > now)

    def all(self, addresses: Sequence[str], port: int) -> bool:
        """Whether all of `addresses` failed a moment ago, so that none is any better."""
        now = self._clock()
        return all(self._until(address, port) > now for address in addresses)

    def _until(self, address: str, port: int) -> float:
        return self._known.get((address, port), (0.0, 0.0))[0]
