"""How it stands with the destinations: a value, its row in the status database, and its JSON.

The daemon writes down what is in its memory, about once a second and only where something changed, so that commands can say why
mail waits. A row is out of date as soon as no daemon runs; whoever shows one says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339

from .sqlite.rows import LIMIT, clean, micros

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mailer.events import Standings

BREAKERS = ("closed", "open", "half-open")

FOREVER = 253402300799.0
"""A time without an end, in seconds since the epoch: the last second of the year 9999."""


def hosts_of(key: str) -> list[str]:
    """The MX hosts that the key of a destination names."""
    return [host for leg in key.split(" ") if leg.startswith("mx:") for host in leg[3:].split(",")]


class Standing(NamedTuple):
    """The standing of one destination. Times are seconds since the epoch, 0.0 is none; an absent text is empty.

    `waiting` counts the messages, or parts of them, that are due and wait for it. `wait` says in one word why they do (window,
    connections, rate, breaker, pause), `wait_detail` in many, `wait_until` how long; `FOREVER` is until somebody changes it.
    """

    key: str
    waiting: int
    sessions: int
    window: float
    window_cap: int
    breaker: str
    failures: int
    open_until: float
    breaker_reason: str
    paused_until: float
    pause_reason: str
    rate_until: float
    last_reply: str
    last_at: float
    wait: str
    wait_detail: str
    wait_until: float
    updated_at: float = 0.0

    @property
    def kind(self) -> str:
        """The kind of destination: relay or mx."""
        return "relay" if self.key.startswith("relay:") else "mx"

    def as_json(self) -> dict[str, object]:
        """As ``mailer status --destinations --json`` has it."""
        return {
            "destination": self.key,
            "kind": self.kind,
            "waiting": self.waiting,
            "sessions": self.sessions,
            "window": {"size": round(self.window, 2), "cap": self.window_cap},
            "breaker": {
                "state": self.breaker,
                "failures": self.failures,
                "open_until": _when(self.open_until),
                "reason": self.breaker_reason or None,
            },
            "pause": {"until": _when(self.paused_until), "reason": self.pause_reason or None} if self.paused_until else None,
            "rate_until": _when(self.rate_until),
            "last_reply": self.last_reply or None,
            "last_at": _when(self.last_at),
            "wait": {"kind": self.wait or None, "detail": self.wait_detail or None, "until": _when(self.wait_until)},
            "updated_at": _when(self.updated_at),
        }

    def row(self, at: float) -> tuple[object, ...]:
        """The row of this destination in the table `destinations`."""
        values = [_stored(name, value) for name, value in zip(self._fields[1:-1], self[1:-1], strict=True)]
        return (clean(self.key[:LIMIT]), self.kind, *values, micros(at))


_TIMES = frozenset({"open_until", "paused_until", "rate_until", "last_at", "wait_until", "updated_at"})
_TEXTS = frozenset({"key", "breaker", "breaker_reason", "pause_reason", "last_reply", "wait", "wait_detail"})


def _when(at: float) -> str | None:
    return rfc3339(at) if 0 < at < FOREVER else None


def _stored(name: str, value: object) -> object:
    if isinstance(value, str):
        return clean(value[:LIMIT]) or (None if name != "breaker" else "closed")
    if name in _TIMES:
        return (micros(min(float(str(value)), FOREVER)) or None) if value else None
    return value


SELECT = """
SELECT key, waiting, sessions, window, window_cap, breaker, failures, open_until, breaker_reason, paused_until, pause_reason,
    rate_until, last_reply, last_at, wait, wait_detail, wait_until, updated_at FROM destinations ORDER BY key
"""
PUT = "INSERT OR REPLACE INTO destinations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def put_standings(db: sqlite3.Connection, event: Standings) -> None:
    """Write the standings of `event` into the database `db`. Raises `sqlite3.Error`."""
    if event.first:
        db.execute("DELETE FROM destinations")
    db.executemany(PUT, [standing.row(event.at) for standing in event.changed])
    db.executemany("DELETE FROM destinations WHERE key = ?", [(key,) for key in event.gone])


def of_row(row: Sequence[object]) -> Standing | None:
    """The standing in a row of `SELECT`; None if this program did not write it."""
    values: list[object] = []
    for name, value in zip(Standing._fields, row, strict=True):
        if name in _TIMES:
            if value is not None and (type(value) is not int or not 0 <= value <= FOREVER * 1e6):
                return None
            values.append(value / 1e6 if isinstance(value, int) else 0.0)
        elif name in _TEXTS:
            if not isinstance(value, str | None):
                return None
            values.append(value or "")
        elif not isinstance(value, int | float) or not 0 <= value < 1e12:
            return None
        else:
            values.append(value)
    standing = Standing(*values)  # type: ignore[arg-type]
    return standing if standing.breaker in BREAKERS else None
