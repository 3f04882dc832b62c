"""How it stands with a destination: a value, and its JSON.

The daemon writes down what is in its memory, about once a second and only where something changed, so that commands can say why
mail waits. What was written is out of date as soon as no daemon runs; whoever shows it says so.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.mail.outcome import BreakerState, WaitKind

FOREVER = 253402300799.0
"""A time without an end, in seconds since the epoch: the last second of the year 9999."""


def hosts_of(key: str) -> list[str]:
    """The MX hosts that the key of a destination names."""
    return [host for leg in key.split(" ") if leg.startswith("mx:") for host in leg[3:].split(",")]


class Standing(NamedTuple):
    """One destination. Times are seconds since the epoch, 0.0 is none; an absent text is empty.

    `waiting` counts the messages, or parts of them, that are due and wait for it. `wait` says in one word why they do,
    `wait_detail` in many, `wait_until` how long; `FOREVER` is until somebody changes it.
    """

    key: str
    waiting: int
    sessions: int
    window: float
    window_cap: int
    breaker: BreakerState
    failures: int
    open_until: float
    breaker_reason: str
    paused_until: float
    pause_reason: str
    rate_until: float
    last_reply: str
    last_at: float
    wait: WaitKind
    wait_detail: str
    wait_until: float
    updated_at: float = 0.0

    @property
    def kind(self) -> Literal["relay", "mx"]:
        """Whether the destination is a relay or the MX hosts of some domains."""
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


def _when(at: float) -> str | None:
    return rfc3339(at) if 0 < at < FOREVER else None
