"""Newcomers: sessions with hosts of others that have not answered yet, or that have yet to take a message. Pure.

Whoever publishes sixty domains whose hosts accept a connection and say nothing would have all our sessions, for as long as a greeting may
take. So nobody is given more than this before he has proved himself:

- sessions that do not stand yet (no greeting, no EHLO, no TLS) are half of all, at most;
- of those, and of the sessions with destinations that have not taken anything yet, one network (/24, /48) has as many as a destination may
  have, and one address half of that. A network where mail was taken is trusted, until a host in it does not answer;
- while others wait for one of these places, or all sessions are taken, who has been silent for `PATIENCE` seconds is called off. A fifth of
  the half is kept moving: while others wait for it, and more than four fifths are taken, the oldest is called off after `QUICK` seconds,
  so that who answers at once need not wait until sixty others were given ten seconds. Where as many as that keep coming, each
  has still four or five.

A destination that finds no place waits in a crowd, and takes no session from those that can use one. They leave it in order; those that
were not called yet, or answered when they were, before the others, who have one place in `OTHERS`. Relays are the operator's
own word, and hosts on this machine nobody's attack: they are not counted. Part of the scheduler.
"""

from __future__ import annotations

from collections import Counter, deque
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from .destination import Guest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.transport.route import Route

    from .destination import Destination

PATIENCE = 10.0  # seconds; who makes strangers wait before the greeting, to see whether they talk first, does it for less
QUICK = 1.0  # seconds; who answers at once has done so by then
OTHERS = 4  # places that are given to a crowd, of which those that failed, or have a session, get one where the rest wants all
CALLED = 5  # addresses of a way that count: as many as are called in one attempt
TRUSTED = 10_000  # networks and addresses
HALF = "half"
"""The crowd of those that wait for a place of the sessions that do not stand yet; the others are called by a network or an address."""


class Crowd:
    """Destinations that wait for the same place."""

    def __init__(self) -> None:
        self._new: deque[Destination] = deque()  # without a session, and none has failed since one answered
        self._others: deque[Destination] = deque()
        self._given = 0

    def __bool__(self) -> bool:
        return bool(self._new or self._others)

    def add(self, destination: Destination) -> None:
        """Let `destination` wait behind the others of its kind."""
        (self._others if destination.running or destination.breaker.failures else self._new).append(destination)

    def pop(self) -> Destination:
        """The next one; there has to be one."""
        self._given += 1
        first, second = (self._others, self._new) if self._given % OTHERS == 0 else (self._new, self._others)
        return (first or second).popleft()


class Newcomers:
    """All destinations that are new. `connections` sessions are allowed in all, `per_destination` with one destination."""

    def __init__(self, connections: int, per_destination: int) -> None:
        self.calling = 0
        self._taken: Counter[str] = Counter()
        self._trusted: dict[str, None] = {}
        self._callers: dict[Destination, None] = {}
        self._crowds: dict[str, Crowd] = {}
        self.limit(connections, per_destination)

    def limit(self, connections: int, per_destination: int) -> None:
        """Let other limits hold from now on."""
        self._half = max(connections // 2, 1)
        self._lasting = self._half - self._half // 5
        self._network = max(per_destination, 1)
        self._address = max(per_destination // 2, 1)

    # What happens with sessions

    def opened(self, destination: Destination, now: float) -> None:
        """Note that a session with `destination` is being opened, `now` (seconds)."""
        if destination.route.relay:
            return
        guest = destination.guest
        if guest is None:
            guest = destination.guest = Guest(places(destination.route))
        guest.calls.append(now)
        self.calling += 1
        self._callers[destination] = None
        guest.sessions += 1
        self._taken.update(guest.places)

    def stands(self, destination: Destination) -> None:
        """Note that a session with `destination` has got as far as mail."""
        guest = destination.guest
        if guest is not None and guest.calls:
            self._answered(destination, guest)
            if destination.proven:
                self._release(destination, guest, len(guest.calls))

    def took(self, destination: Destination) -> None:
        """Note that `destination` has answered about a message: it is no newcomer any more, and its networks are trusted."""
        guest = destination.guest
        if guest is None or guest.sessions <= len(guest.calls):
            return
        for place in guest.places:
            self._trusted.pop(place, None)
            self._trusted[place] = None
        while len(self._trusted) > TRUSTED:
            del self._trusted[next(iter(self._trusted))]
        self._release(destination, guest, len(guest.calls))

    def failed(self, destination: Destination) -> None:
        """Note that a host of `destination` did not answer."""
        for place in () if destination.route.relay else places(destination.route):
            self._trusted.pop(place, None)

    def closed(self, destination: Destination) -> None:
        """Note that a session with `destination` is over; `running` says how many are left."""
        guest = destination.guest
        if guest is not None:
            while len(guest.calls) > destination.running:
                self._answered(destination, guest)
            self._release(destination, guest, destination.running)

    def _answered(self, destination: Destination, guest: Guest) -> None:
        guest.calls.popleft()
        self.calling -= 1
        if not guest.calls:
            self._callers.pop(destination, None)

    def _release(self, destination: Destination, guest: Guest, left: int) -> None:
        while guest.sessions > left:
            guest.sessions -= 1
            self._taken.subtract(guest.places)
        for place in guest.places:
            if not self._taken[place]:
                del self._taken[place]
        if not guest.sessions:
            destination.guest = None

    # Who gets one

    def lacks(self, destination: Destination) -> str:
        """The crowd in which `destination` has to wait for a place; empty if there is one."""
        if destination.route.relay:
            return ""
        if self.calling >= self._half:
            return HALF
        if not self._taken:
            return ""
        found = destination.guest.places if destination.guest is not None else places(destination.route)
        return next((place for place in found if self._room(place) <= 0), "")

    def _room(self, crowd: str) -> int:
        if crowd == HALF:
            return self._half - self.calling
        if crowd in self._trusted:
            return self._half
        return (self._network if "/" in crowd else self._address) - self._taken[crowd]

    def wait(self, destination: Destination, crowd: str) -> None:
        """Let `destination` wait in `crowd`."""
        destination.line = "crowd"
        self._crowds.setdefault(crowd, Crowd()).add(destination)

    @property
    def waiting(self) -> bool:
        """Whether any destination waits for a place."""
        return bool(self._crowds)

    def let_out(self) -> list[Destination]:
        """The destinations for which there is a place now, in order. Those without mail have left."""
        found = []
        for crowd, line in [*self._crowds.items()]:
            room = self._room(crowd)
            while line and room > 0:
                destination = line.pop()
                if destination.line == "crowd":
                    destination.line = ""
                    if len(destination):
                        found.append(destination)
                        room -= 1
            if not line:
                del self._crowds[crowd]
        return found

    # Who has been silent for too long

    def silent(self, *, all: bool) -> Iterator[tuple[Destination, float]]:
        """Destinations whose sessions are to be called off if any waits for the places, or (`all`) a session, and when; oldest first."""
        wanted = set(self._crowds)
        calls = sorted((since, nth, each) for nth, each in enumerate(self._callers) if each.guest for since in each.guest.calls)
        moving = len(calls) - self._lasting if HALF in wanted else 0
        for nth, (since, _, destination) in enumerate(calls):
            assert destination.guest is not None
            if all or HALF in wanted or not wanted.isdisjoint(destination.guest.places):
                yield destination, since + (QUICK if nth < moving else PATIENCE)

    def call_off(self, destination: Destination) -> None:
        """Call off the oldest session that does not stand: its place is free when it is over, and it is not named again."""
        if destination.guest is not None and destination.guest.calls:
            self._answered(destination, destination.guest)


def places(route: Route) -> tuple[str, ...]:
    """The addresses that are called for `route`, and their networks."""
    found: dict[str, None] = {}
    addresses = [address for hop in route.hops[:CALLED] for address in hop.addresses]
    for address in addresses[:CALLED]:
        where = ip_address(address)
        if isinstance(where, IPv6Address) and where.ipv4_mapped:
            where = where.ipv4_mapped
        if not where.is_loopback:
            found[str(where)] = None
            found[str(ip_network((where, 24 if where.version == 4 else 48), strict=False))] = None
    return tuple(found)
