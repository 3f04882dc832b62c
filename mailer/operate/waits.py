"""Why mail waits: for each destination how much does, since when, the reason, and when it is looked at again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.status.api import every
from mailer.status.standing import FOREVER

from .status import Backlog, general

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config
    from mailer.mail.alarm import OpenAlarm
    from mailer.status.api import MailView
    from mailer.status.standing import Standing

MOST = 50_000  # messages that are counted at a glance: more take seconds


class WaitingFor(NamedTuple):
    """What waits for a destination: so `many` recipients `since` then, for a reason, to be looked at again `until` then.

    Times are seconds since the epoch; 0.0 is not known, and so is a number of 0.
    """

    destination: str
    many: int
    since: float
    reason: str
    until: float

    def as_json(self) -> dict[str, object]:
        """One of ``waits`` of ``mailer status --json``."""
        return {
            "destination": self.destination,
            "count": self.many or None,
            "since": rfc3339(self.since) if self.since else None,
            "reason": self.reason,
            "next_look_at": rfc3339(self.until) if 0 < self.until < FOREVER else None,
        }


def waits(view: MailView, config: Callable[[], Config | None], now: float, pending: int, alarms: Sequence[OpenAlarm]) -> list[WaitingFor]:
    """What waits and why, the most first; `pending` messages are on their way in all. What is new and goes out as it comes is left out.

    Of more than `MOST` nothing is counted, and what the daemon knows of its destinations has to do. `config` reads the configuration,
    which takes longer than all else: it is called only where something waits for a reason. Raises `Problem`.
    """
    if not pending:
        return []
    since = {alarm.key: alarm.since for alarm in alarms if alarm.kind in ("destination", "certificate", "login", "refused")}
    standings = {standing.key: standing for standing in Backlog(view, None, now).states()[0]}
    if pending > MOST:
        found = [_of(key, 0, 0.0, "", standing, since) for key, standing in standings.items() if standing.breaker != "closed"]
        return [each for each in found if each.reason]
    waiting = [*every(view.backlog)]
    if not any(each.why for each in waiting) and not any(each.wait or each.breaker != "closed" for each in standings.values()):
        return []
    name = Backlog(view, config(), now).namer()
    whys: dict[str, Counter[str]] = {}
    oldest: dict[str, float] = {}
    for each in waiting:
        key = name(each)
        whys.setdefault(key, Counter())[general(each.why) if each.why else ""] += 1
        oldest[key] = min(oldest.get(key, each.queued_at), each.queued_at)
    told = []
    for key, counter in whys.items():
        why = next((text for text, _ in counter.most_common() if text), "")
        told.append(_of(key, counter.total(), oldest[key], why, standings.get(key), since))
    return sorted((each for each in told if each.reason), key=lambda each: -each.many)


def _of(key: str, many: int, oldest: float, why: str, standing: Standing | None, since: dict[str, float]) -> WaitingFor:
    reason, until = why, 0.0
    if standing is not None:
        if standing.wait == "pause":
            reason, until = standing.wait_detail or standing.pause_reason or "paused", standing.paused_until
        elif standing.breaker != "closed":
            reason, until = standing.breaker_reason or why, standing.open_until
        elif standing.wait:
            reason, until = standing.wait_detail or why, standing.wait_until
    return WaitingFor(key, many, since.get(key, oldest), reason, until)
