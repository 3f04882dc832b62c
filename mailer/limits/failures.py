"""Logins that fail, counted by the network that they come from: a guesser has few guesses, and can lock out nobody but himself. Pure.

A network is what one customer has, and its neighbourhood (`mailer.mail.ip_network`) may have three times as many. Once either has had
enough, nothing more is counted for it until its time is over, so that a million addresses of one neighbourhood make a few rows. Users are
not counted at all: who guesses at somebody's password from everywhere must not keep him from his mail.
"""

from __future__ import annotations

from typing import Final

from mailer.mail.ip_network import neighbourhood, network

from .table import LimitTable

MINUTE: Final = 60.0
DAY: Final = 86400.0
NEIGHBOURS: Final = 3  # times as many for a neighbourhood

_NONE = (0.0, 0.0, 0.0, 0.0, 0.0)  # last, minute begun, in it, day begun, in it


class LoginFailures:
    """Failures of which each network may have `per_minute` and `per_day`. Times are in seconds since the epoch."""

    def __init__(self, per_minute: int = 10, per_day: int = 50) -> None:
        self.table = LimitTable("failure")
        self.change(per_minute, per_day)

    def change(self, per_minute: int, per_day: int) -> None:
        """Let other limits hold from now on; what was counted is not forgotten."""
        self._limits = per_minute, per_day

    def wait(self, ip: str, now: float) -> float:
        """Seconds until a login from `ip` may fail again; 0.0 if that is at once."""
        return max(self._waits(network(ip), 1, now), self._waits(neighbourhood(ip), NEIGHBOURS, now))

    def failed(self, ip: str, now: float) -> None:
        """Note that a login from `ip` has failed."""
        if self.wait(ip, now):
            return
        for key in dict.fromkeys((network(ip), neighbourhood(ip))):
            _, minute, in_minute, day, in_day = self._row(key, now)
            self.table.put(key, now, minute, in_minute + 1, day, in_day + 1)

    def _waits(self, key: str, times: int, now: float) -> float:
        _, minute, in_minute, day, in_day = self._row(key, now)
        of_minute, of_day = self._limits
        return max(
            minute + MINUTE - now if in_minute >= of_minute * times else 0.0,
            day + DAY - now if in_day >= of_day * times else 0.0,
        )

    def _row(self, key: str, now: float) -> tuple[float, ...]:
        """The row of a network, where a time that is over, or was measured by a clock that was set back since, begins anew."""
        last, minute, in_minute, day, in_day = self.table.get(key) or _NONE
        if not minute <= now < minute + MINUTE:
            minute, in_minute = now, 0.0
        if not day <= now < day + DAY:
            day, in_day = now, 0.0
        return last, minute, in_minute, day, in_day
