"""How an endpoint does, as a value, and what an answer makes of it. Pure: time is an argument.

==========================================  ==================================================================================
what comes                                  what follows
==========================================  ==================================================================================
2xx                                         `good`: the event is done with
5xx, 408, 429, no answer, TLS, DNS          `wait`: the endpoint is not well. All its events wait: 5 s, 1 m, 5 m, 30 m, 2 h, and
                                            then every 4 h, for days. ``Retry-After`` makes it longer, within bounds
410                                         `gone`: it is switched off until somebody switches it on
every other 3xx and 4xx                     `refused`: this event is not taken. It is tried three times, kept apart, and passed over
==========================================  ==================================================================================

After a wait one event is tried alone; when it is taken, the others follow. Posts that were under way together when the endpoint fell ill
are one failure, not eight.
"""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Literal

    Word = Literal["good", "wait", "refused", "gone"]

WAITS = (5.0, 60.0, 300.0, 1800.0, 7200.0, 14400.0)
"""Seconds that an endpoint waits after its first, second, … failure; the last holds for all that follow."""

LONGEST = WAITS[-1]  # seconds that Retry-After may ask for
TRIES = (5.0, 60.0)
"""Seconds after which an event that was refused is tried again; then it is given up."""

PASSING = frozenset((408, 425, 429))
"""Refusals that are about the moment: time-out, too early, too many (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4)."""


class Verdict(NamedTuple):
    """What became of a post, why in a few words, and the seconds that the endpoint asks to be left alone for."""

    word: Word
    why: str = ""
    after: float = 0.0


def judged(status: int, retry_after: str, now: float) -> Verdict:
    """The verdict of an answer with `status`, whose field Retry-After may be there."""
    if 200 <= status < 300:
        return Verdict("good")
    if status == 410:
        return Verdict("gone", "it answered 410: there is no such endpoint any more")
    if status >= 500 or status in PASSING:
        return Verdict("wait", f"it answered {status}", asked(retry_after, now))
    if 300 <= status < 400:
        return Verdict("refused", f"it answered {status}: a redirect, which is not followed")
    return Verdict("refused", f"it answered {status}")


def asked(retry_after: str, now: float) -> float:
    """The seconds that a field Retry-After asks for (RFC 9110 §10.2.3), within bounds; 0.0 where it makes no sense."""
    text = retry_after.strip()[:40]
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST)
    date = parsedate_tz(text)
    try:
        return min(max(mktime_tz(date) - now, 0.0), LONGEST) if date else 0.0
    except (ValueError, OverflowError):
        return 0.0


class EndpointState(NamedTuple):
    """How an endpoint does; what is kept of it while nobody runs. Times are seconds since the epoch.

    `failures` in a row since `since`, the last one at `struck` because of `why`, and nothing is posted before `until`. `off` is why it is
    switched off, since `off_at`; empty while it is on. Of posts so many were `posted` well, `failed`, `refused`, and events given up are
    `dead`, the last at `dead_at`; the last one that was taken was `good_at`.
    """

    failures: int = 0
    since: float = 0.0
    struck: float = 0.0
    until: float = 0.0
    why: str = ""
    off: str = ""
    off_at: float = 0.0
    posted: int = 0
    failed: int = 0
    refused: int = 0
    dead: int = 0
    dead_at: float = 0.0
    good_at: float = 0.0

    def waits(self, now: float) -> float:
        """Seconds until something may be posted. More than the longest wait is a clock that was set back."""
        left = self.until - now
        return left if 0.0 < left <= LONGEST + 1.0 else 0.0

    def after(self, verdict: Verdict, began: float, now: float) -> EndpointState:
        """The state after a post that `began` and has its `verdict` now."""
        if verdict.word == "good":
            return self._replace(failures=0, since=0.0, until=0.0, why="", posted=self.posted + 1, good_at=now)
        if verdict.word == "refused":
            return self._replace(failures=0, since=0.0, until=0.0, why=verdict.why, refused=self.refused + 1)
        failed = self._replace(failed=self.failed + 1, why=verdict.why)
        if verdict.word == "gone":
            return failed.switched_off(verdict.why, now)
        if self.failures and began <= self.struck:  # it was under way when another one failed
            return failed._replace(until=max(self.until, now + verdict.after if verdict.after else 0.0))
        pause = max(WAITS[min(self.failures, len(WAITS) - 1)], verdict.after)
        return failed._replace(failures=self.failures + 1, since=self.since or now, struck=now, until=now + pause)

    def switched_off(self, why: str, now: float) -> EndpointState:
        """The state of one that gets nothing until it is switched on."""
        return self if self.off else self._replace(off=why, off_at=now, failures=0, since=0.0, until=0.0)

    def switched_on(self) -> EndpointState:
        """The state of one that gets events again, at once."""
        return self._replace(off="", off_at=0.0, failures=0, since=0.0, until=0.0, why="")

    def buried(self, number: int, now: float) -> EndpointState:
        """The state after so many events were given up."""
        return self._replace(dead=self.dead + number, dead_at=now)
