"""How many connections one network has to us, and how fast it opens them; and the neighbourhood that it is in, likewise.

Asked by an accept loop for each caller. A network is an address of IPv4, or a /64 of IPv6; its neighbourhood a /24, or a /48
(`mailer.mail.ip_network`). What is kept of those who are gone is bounded: the oldest are forgotten.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from mailer.mail.ip_network import neighbourhood, network

from .rate import TokenBucket

MOST = 20_000  # networks whose rates are known, and as many neighbourhoods


Rate = tuple[int, float]
"""So many in so many seconds."""


class Callers:
    """The callers of one server: how many `each` network and neighbourhood (`wide`) may have, and at what rate; zero is no limit."""

    def __init__(self, each: int = 30, wide: int = 90, rate: Rate = (300, 60.0), wide_rate: Rate = (900, 60.0)) -> None:
        self._near = _Share(each, rate)
        self._wide = _Share(wide, wide_rate)

    def change(self, each: int, wide: int, rate: Rate, wide_rate: Rate) -> None:
        """Let other numbers hold for those who call from now on."""
        self._near.change(each, rate)
        self._wide.change(wide, wide_rate)

    def enter(self, ip: str, now: float) -> bool:
        """Whether one more from `ip` is let in; he counts then, until `leave`. `now` is in seconds of a clock that never steps."""
        near, wide = network(ip), neighbourhood(ip)
        if not (self._near.has_room(near, now) and self._wide.has_room(wide, now)):
            return False
        self._near.enter(near, now)
        self._wide.enter(wide, now)
        return True

    def leave(self, ip: str) -> None:
        """One from `ip` is gone."""
        self._near.leave(network(ip))
        self._wide.leave(neighbourhood(ip))


class _Share:
    """What each of many may have, by its name."""

    def __init__(self, most: int, rate: Rate) -> None:
        self._most = most
        self._rate = rate
        self._open: Counter[str] = Counter()
        self._rates: OrderedDict[str, TokenBucket] = OrderedDict()

    def change(self, most: int, rate: Rate) -> None:
        if rate != self._rate:
            self._rates.clear()
        self._most, self._rate = most, rate

    def has_room(self, name: str, now: float) -> bool:
        if 0 < self._most <= self._open.get(name, 0):
            return False
        bucket = self._rates.get(name)
        return bucket is None or bucket.wait(now) <= 0

    def enter(self, name: str, now: float) -> None:
        self._open[name] += 1
        if not self._rate[0]:
            return
        bucket = self._rates.pop(name, None)
        if bucket is None:
            bucket = TokenBucket(*self._rate)
            if len(self._rates) >= MOST:
                self._rates.popitem(last=False)
        self._rates[name] = bucket
        bucket.reserve(now)

    def leave(self, name: str) -> None:
        self._open[name] -= 1
        if self._open[name] <= 0:
            del self._open[name]
