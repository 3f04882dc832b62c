"""Signatures that come again and again: a message that somebody got once and has sent since to whom he likes, in its signer's name.

Its signature holds as often as it is sent, and proves an author who never wrote to those people (RFC 6376 §8.6). A list sends one message
to many of our users, too, but from its own few hosts; what comes often and from many networks is another matter, and a person should know.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailer.mail.ip_network import neighbourhood

OFTEN = 100  # times in an hour
MANY = 10  # networks, /24 or /48
HOUR = 3600.0  # seconds
MOST = 10_000  # signatures that are counted; the one that began longest ago goes first


@dataclass(slots=True)
class _Count:
    """Of one signature, in the hour that began at `since`."""

    since: float
    times: int = 0
    networks: set[str] = field(default_factory=set)
    told: bool = False


class ReplayWatch:
    """How often each signature came within an hour, and from how many networks; what is kept is bounded."""

    def __init__(self, often: int = OFTEN, many: int = MANY, most: int = MOST) -> None:
        self._often = often
        self._many = many
        self._most = most
        self._counts: dict[tuple[str, str], _Count] = {}

    def seen(self, domain: str, mark: str, ip: str, now: float) -> bool:
        """The signature of `domain` that `mark` tells from others came from `ip`: whether that makes it too many, for the first time.

        `now` is in seconds since the epoch.
        """
        count = self._count((domain, mark), now)
        count.times += 1
        if len(count.networks) <= self._many:
            count.networks.add(neighbourhood(ip))
        if count.told or count.times <= self._often or len(count.networks) <= self._many:
            return False
        count.told = True
        return True

    def _count(self, key: tuple[str, str], now: float) -> _Count:
        count = self._counts.get(key)
        if count is not None and 0 <= now - count.since < HOUR:
            return count
        self._counts.pop(key, None)
        if len(self._counts) >= self._most:
            del self._counts[next(iter(self._counts))]
        self._counts[key] = _Count(now)
        return self._counts[key]
