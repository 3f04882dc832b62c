"""Suspensions: where no mail goes for now, because an operator said so. Values; a spool keeps them.

What can be suspended is what an operator can name:

==================  ==============================================================================================
``relay:NAME``      everything that would go by that relay
``mx:HOST``         everything whose MX hosts include HOST; also the whole key, ``mx:HOST,HOST``
``example.net``     the recipients in that domain, whichever way they go; ``*.example.net`` those in domains below it
==================  ==============================================================================================

Mail that meets a suspension waits; that is no attempt, and its time to expire goes on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Suspension(NamedTuple):
    """Mail for `target` waits until `until` (seconds since the epoch; infinity: until it is resumed). `at` is when that was said."""

    target: str
    until: float
    why: str
    at: float

    def holds(self, now: float) -> bool:
        """Whether it is still on."""
        return now < self.until

    def is_on(self, key: str) -> bool:
        """Whether it is about the destination `key`."""
        return self.target in _names(key)

    def as_json(self) -> dict[str, object]:
        """As the file of suspensions and ``--json`` have it; ``until`` is null for one that has no end."""
        until = None if math.isinf(self.until) else rfc3339(self.until)
        return {"target": self.target, "until": until, "why": self.why, "at": rfc3339(self.at)}

    @property
    def reply(self) -> str:
        """What it says in an outcome."""
        return f"{self.target} is paused" + (f": {self.why}" if self.why else "")


class Suspensions:
    """All suspensions at one moment, by what they are about."""

    def __init__(self, suspensions: Iterable[Suspension] = ()) -> None:
        self.by_target = {each.target: each for each in suspensions}

    def __bool__(self) -> bool:
        return bool(self.by_target)

    def __iter__(self) -> Iterator[Suspension]:
        return iter(self.by_target.values())

    def of_domain(self, domain: str, now: float) -> Suspension | None:
        """The suspension for the recipients in `domain` (lower case)."""
        names = [domain]
        while "." in domain:
            domain = domain.partition(".")[2]
            names.append("*." + domain)
        return self._first(names, now)

    def of_way(self, key: str, now: float) -> Suspension | None:
        """The suspension for the destination `key`; where mail has several ways out, one that is paused is enough."""
        return self._first(_names(key), now)

    def _first(self, names: Iterable[str], now: float) -> Suspension | None:
        found = (self.by_target.get(name) for name in names)
        return next((each for each in found if each is not None and each.holds(now)), None)


def _names(key: str) -> list[str]:
    """What the destination `key` can be paused by."""
    names = [key]
    for part in key.split(" "):
        names.append(part)
        if part.startswith("mx:"):
            names += ["mx:" + host for host in part[3:].split(",")]
    return names


def target_of(text: str) -> str:
    """What an operator names, in its one form. Raises `ValueError` for what can be no destination."""
    kind, colon, name = text.strip().partition(":")
    if kind == "relay" and colon and name and name.isprintable() and " " not in name:
        return text.strip()
    hosts = name.lower().split(",") if kind == "mx" and colon else [text.strip().lower()]
    hosts = sorted(host.removesuffix(".") for host in hosts)
    if not all(map(_is_domain, hosts)):
        raise ValueError(f"{text!r} is no destination: name relay:NAME, mx:HOST, or a domain")
    return "mx:" + ",".join(hosts) if colon and kind == "mx" else hosts[0]


def _is_domain(text: str) -> bool:
    name = text.removeprefix("*.")
    return (
        all(name.split("."))
        and len(name) < 256
        and name.isprintable()
        and not set(name) & set(" @,;/*\"'<>")
        and (":" not in name or name.startswith("["))
    )
