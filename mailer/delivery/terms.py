"""On what terms a destination gets mail: how many sessions, how fast, how often it is called when it does not answer.

`TermsTable` works them out from the configuration, for a way that the router found; `Terms` is what it comes to. The
scheduler and the engine ask nothing else. `Throttle` is the part of it that has a memory: it outlives the terms, so that a
reload does not give a destination its whole minute again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config

    from .rate import Bucket
    from .router import Way


class Throttle:
    """How fast: when the next message may begin, and when the next connection. Limits that are shared are in several of them."""

    __slots__ = ("connections", "messages")

    def __init__(self, messages: Sequence[Bucket] = (), connections: Sequence[Bucket] = ()) -> None:
        self.messages = messages
        self.connections = connections

    def ready(self, now: float, count: int) -> float:
        """The earliest time at which a message for `count` recipients may begin; `now` if at once.

        A report counts 0 and waits for nothing: no limit on mail may keep back the news that mail did not arrive.
        """
        if not count or not self.messages:
            return now
        return max(bucket.ready(now) for bucket in self.messages)

    def took(self, now: float, count: int) -> None:
        """A message for `count` recipients begins."""
        if count:
            for bucket in self.messages:
                bucket.took(now, count)

    def ready_connection(self, now: float) -> float:
        """The earliest time at which another connection may be opened; `now` if at once."""
        return max((bucket.ready(now) for bucket in self.connections), default=now)

    def opened(self, now: float) -> None:
        """Another connection is opened."""
        for bucket in self.connections:
            bucket.took(now)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one destination; times in seconds."""

    window_start: int
    window_max: int
    breaker_threshold: int
    breaker_first: float
    breaker_longest: float
    messages_per_connection: int
    """0: no limit."""

    throttle: Throttle
    recipients_per_message: int = 100


class TermsTable:
    """The terms of all destinations, as `config` has them."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, way: Way) -> Terms:
        """What holds for where `way` leads."""
        delivery = self.config.delivery
        start = delivery.initial_connections_relay if way.relay else delivery.initial_connections_mx
        most = delivery.max_connections_per_destination
        return Terms(min(start, most), most, 3, 60.0, 900.0, 0, Throttle())
