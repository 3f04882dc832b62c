"""On what terms a destination gets mail: how many sessions, how fast, how often it is called when it does not answer.

`TermsTable` works them out from the configuration for a way that the router found; `Terms` is what it comes to. Whoever has
the terms asks nothing else. `Throttle` is the part of them that has a memory, and its memory outlives a reload: nobody gets
his whole minute again because a file was read.

The sections ``[[shape]]`` that match a destination all count, in their order: each setting is that of the first which has it. Two
domains with the same MX hosts are one destination, unless a section names one of them: then it is a destination
of its own, and its key says for which pattern (``mx:a.example.net for:example.com``). Where a section shares its limits, the
destinations stay apart all the same. They share rates and the number of connections, but each has its queue, its window and its
breaker: that a customer of an operator has no host which answers says nothing about the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

from mailer.limits.rate import Bucket, Room
from mailer.mail.domain import compared
from mailer.mail.pattern import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.config import Config
    from mailer.config.kinds import Rate
    from mailer.transport.route import Route

FOR = " for:"
"""Stands in a key before the patterns of the sections that name the domain."""

FULL_PAUSE = 1.0  # seconds after which it is asked again for room; it is found out before, when a session ends
MOST = 10_000  # destinations whose terms are kept worked out

DEFAULT = "built-in default"
_OF_DELIVERY = {"max_connections": "max_connections_per_destination"}
_ELSEWHERE = {
    "breaker_threshold": "breaker.threshold",
    "breaker_first": "breaker.first",
    "breaker_longest": "breaker.longest",
    "retry_schedule": "retry.schedule",
}
"""Settings of ``[[shape]]`` and where they stand otherwise, if not by the same name in ``[delivery]``."""

EXPLAINED = (
    "max_connections", "initial_connections", "message_rate", "connection_rate", "messages_per_connection",
    "recipients_per_message", "breaker_threshold", "breaker_first", "breaker_longest", "retry_schedule", "sources", "warm_up",
)  # fmt: skip


class Said(NamedTuple):
    """A setting that holds for a destination: its value, and where that comes from.

    `section` is the number of the ``[[shape]]``, -1 for none; `shared` says which destinations have it together.
    """

    name: str
    value: Any
    where: str
    section: int = -1
    shared: str = ""


class Throttle:
    """A throttle: when the next message may begin, and when the next connection. A limit that is shared is in several throttles."""

    __slots__ = ("connections", "free", "messages", "rooms", "sessions")

    def __init__(self, messages: Sequence[Bucket] = (), connections: Sequence[Bucket] = (), rooms: Sequence[Room] = ()) -> None:
        self.messages = messages
        self.connections = connections
        self.rooms = rooms
        self.free = not (messages or rooms)
        """Whether a message may begin at any moment, and a session need not end for others."""
        self.sessions = 0  # opened and not closed

    def ready(self, now: float, count: int) -> float:
        """The earliest time at which a message for `count` recipients may begin; `now` if at once.

        A report counts 0 and waits for nothing: no limit on mail may keep back the news that mail did not arrive.
        """
        if not count or not self.messages:
            return now
        return max(bucket.ready(now) for bucket in self.messages)

    def took(self, now: float, count: int) -> None:
        """Count a message for `count` recipients that begins."""
        if count:
            for bucket in self.messages:
                bucket.took(now, count)

    def ready_connection(self, now: float) -> float:
        """The earliest time at which it is worth asking for another connection; `now` if one may be opened at once."""
        if self.rooms and not all(room.admits(self, now, another=self.sessions > 0) for room in self.rooms):
            return now + FULL_PAUSE
        return max((bucket.ready(now) for bucket in self.connections), default=now)

    def opened(self, now: float) -> None:
        """Count a connection that is about to be opened; `closed` has to follow, and `dialled` if it was another number of them."""
        for bucket in self.connections:
            bucket.took(now)
        self.sessions += 1
        for room in self.rooms:
            room.enter(self)

    def closed(self) -> None:
        """Count a connection that was opened and is over."""
        self.sessions -= 1
        for room in self.rooms:
            room.taken -= 1

    def should_yield(self, now: float) -> bool:
        """Whether a session should end after its message, for somebody who shares the limit and has none."""
        return any(room.wanted(now) for room in self.rooms)

    def dialled(self, now: float, count: int) -> None:
        """Correct `opened`, which expected one connection: so many were opened; none, if one was left from before."""
        if count != 1:
            for bucket in self.connections:
                bucket.took(now, count - 1)

    def move_in(self, before: Throttle, sessions: int) -> None:
        """Take over `sessions` that were opened under `before`: they end under this throttle."""
        if before is self:
            return
        self.sessions = sessions
        for room in before.rooms:
            room.taken -= sessions
        for room in self.rooms:
            room.taken += sessions

    def slow(self, until: float) -> None:
        """Allow half as much until then. What is limited for all the world together stays as it is."""
        for bucket in (*self.messages, *self.connections):
            if not bucket.everybody:
                bucket.slow_until = max(bucket.slow_until, until)


class Terms(NamedTuple):
    """The terms that hold for one destination; times are in seconds."""

    window_start: int
    window_max: int
    breaker_threshold: int
    breaker_first: float
    breaker_longest: float
    messages_per_connection: int
    """0: no limit."""

    throttle: Throttle
    recipients_per_message: int = 100
    retry_schedule: tuple[float, ...] = ()
    """The waits between tries; empty: those of everybody."""


class Measured:
    """What has been measured of shared limits; it outlives the tables of the configurations that a daemon has one after the other."""

    def __init__(self) -> None:
        self.buckets: WeakValueDictionary[tuple[str, str], Bucket] = WeakValueDictionary()
        self.rooms: dict[str, Room] = {}
        self.terms: dict[str, Terms] = {}
        """Those of the table in force, which hold its buckets."""


class TermsTable:
    """The terms of all destinations, as `config` has them, within what was `measured` so far."""

    def __init__(self, config: Config, measured: Measured | None = None) -> None:
        self.config = config
        self.measured = measured or Measured()
        self._patterns = [tuple(pattern.form for pattern in shape.match) for shape in config.shapes]
        self._known: dict[str, Terms] = {}
        self._before = self.measured.terms  # what is held there is not forgotten yet

    def __call__(self, route: Route) -> Terms:
        """What holds for where `way` leads."""
        return self._known.get(route.key) or self.of(route.key)

    def of(self, key: str) -> Terms:
        """The terms that hold for the destination `key`."""
        terms = self._known.get(key)
        if terms is None:
            if len(self._known) >= MOST:
                self._known.clear()
                self._before = {}
            self.measured.terms = self._known  # a table that is asked is in force
            terms = self._known[key] = self._terms(key)
        return terms

    def explain(self, route: Route | str) -> list[Said]:
        """Every setting that holds there, a way or its key, with the line of the file that it comes from. What has no limit is None."""
        return [*self._all(route if isinstance(route, str) else route.key).values()]

    # Which sections match

    def key(self, key: str, domain: str) -> str:
        """The key of the destination for mail to `domain` whose hosts make up `key`."""
        name = compared(domain)
        named = []
        for patterns in self._patterns:
            if not any(matches(pattern, key) for pattern in patterns):
                named += [pattern for pattern in patterns if fits(pattern, name)][:1]
        return f"{key}{FOR}{','.join(dict.fromkeys(named))}" if named else key

    def rules(self, key: str) -> list[int]:
        """The numbers of the sections that match, in the order of the file."""
        return [at for at, patterns in enumerate(self._patterns) if any(matches(pattern, key) for pattern in patterns)]

    def said(self, key: str, rules: Iterable[int], name: str) -> Said:
        """The setting `name` as it is for the destination `key`, which `rules` match."""
        for at in rules:
            shape = self.config.shapes[at]
            if (value := getattr(shape, name)) not in (None, "", ()):
                shared = ",".join(map(str, shape.match)) if shape.share else ""
                return Said(name, value, where(self.config, f"shape.{at}.{name}"), at, shared)
        return self._otherwise(key, name)

    def _otherwise(self, key: str, name: str) -> Said:
        """What holds where no section says anything."""
        if name in ("sources", "warm_up"):
            names = () if name == "warm_up" or is_relay(key) else tuple(source.name for source in self.config.sources)
            return Said(name, names or None, where(self.config, "source.0.name") if names else DEFAULT)
        if name.endswith("_rate"):  # that of [delivery] is for all the world together
            return Said(name, None, DEFAULT)
        if name == "initial_connections":
            path = f"delivery.initial_connections_{'relay' if is_relay(key) else 'mx'}"
        else:
            path = _ELSEWHERE.get(name) or f"delivery.{_OF_DELIVERY.get(name, name)}"
        section, _, setting = path.partition(".")
        return Said(name, getattr(getattr(self.config, section), setting), where(self.config, path))

    # What it comes to

    def _all(self, key: str) -> dict[str, Said]:
        """Every setting by its name. Where one makes another impossible, it says both."""
        rules = self.rules(key)
        found = {name: self.said(key, rules, name) for name in EXPLAINED}
        most, first = found["max_connections"], found["breaker_first"]
        if found["initial_connections"].value > most.value or is_local(key):
            found["initial_connections"] = most._replace(name="initial_connections", shared="")
        if found["breaker_longest"].value < first.value:
            found["breaker_longest"] = first._replace(name="breaker_longest")
        return found

    def _terms(self, key: str) -> Terms:
        found = self._all(key)
        most = found["max_connections"]
        return Terms(
            found["initial_connections"].value,
            most.value,
            found["breaker_threshold"].value,
            found["breaker_first"].value,
            found["breaker_longest"].value,
            found["messages_per_connection"].value or 0,
            Throttle(
                self._limits("message_rate", key, found["message_rate"]),
                self._limits("connection_rate", key, found["connection_rate"]),
                [self._room(most)] if most.shared else [],
            ),
            found["recipients_per_message"].value,
            found["retry_schedule"].value if found["retry_schedule"].section >= 0 else (),
        )

    def _limits(self, name: str, key: str, said: Said) -> list[Bucket]:
        """The limit of this destination, or of those that it shares it with, and that of all the world."""
        limits = [(said.shared or key, said.value), ("", getattr(self.config.delivery, name))]
        return [self._bucket((name, whose), rate) for whose, rate in limits if rate]

    def _bucket(self, name: tuple[str, str], rate: Rate) -> Bucket:
        bucket = self.measured.buckets.get(name)
        if bucket is None:
            bucket = self.measured.buckets[name] = Bucket(*rate, everybody=not name[1])
        else:
            bucket.change(*rate)
        return bucket

    def _room(self, most: Said) -> Room:
        room = self.measured.rooms.setdefault(most.shared, Room(most.value))
        room.most = most.value
        return room


def where(config: Config, path: str) -> str:
    """Where the setting with this path stands: a file and the line, or that it stands nowhere."""
    line = config.lines.get(path)
    return DEFAULT if line is None else f"{config.path}:{line}" if line else "command line"


def is_relay(key: str) -> bool:
    """Whether mail for the destination goes to a relay first of all."""
    return key.startswith("relay:")


def is_local(key: str) -> bool:
    """Whether mail for the destination goes into mailboxes of our own, which nobody has to feel his way to."""
    return key.partition(FOR)[0] == "local"


def matches(pattern: str, key: str) -> bool:
    """Whether a destination is one that `pattern` means: by a relay, by an MX host, or because its key says so."""
    legs, _, named = key.partition(FOR)
    if pattern == "*" or pattern in named.split(","):
        return True
    for leg in legs.split(" "):
        kind, _, names = leg.partition(":")
        if leg == pattern or (kind == "mx" and (pattern == kind or any(fits(pattern, name) for name in names.split(",")))):
            return True
    return False
