"""Whether all is well, as a monitoring system asks it: one word, one line, and what is wrong.

What is critical: an alarm that is, mail that waits and no daemon, more waiting or older mail than is critical. What is a warning: an alarm
that is one, more waiting or older mail than is wanted. What is good to know only changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.mail.history import PENDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.sections import Sandbox
    from mailer.mail.alarm import OpenAlarm
    from mailer.status.api import Summary

Health = Literal["ok", "warning", "critical"]
WORDS: tuple[Health, ...] = ("ok", "warning", "critical")
"""From good to bad; the place is the exit code, as Nagios has it."""


class Bounds(NamedTuple):
    """From when on a number is a warning, and from when on critical; None is never."""

    warning: float | None = None
    critical: float | None = None

    def of(self, number: float) -> Health:
        """What `number` is."""
        if self.critical is not None and number > self.critical:
            return "critical"
        return "warning" if self.warning is not None and number > self.warning else "ok"


class Symptom(NamedTuple):
    """One thing that is wrong: how bad it is, a text, and what mends it."""

    health: Health
    text: str
    remedy: str = ""


class CheckedHealth(NamedTuple):
    """The answer: the worst of the symptoms, which stand the worst first; how many are `waiting`, the `oldest` for so many seconds.

    A `sandbox` that holds is said, and is no symptom.
    """

    health: Health
    symptoms: Sequence[Symptom]
    alarms: Sequence[OpenAlarm]
    waiting: int
    oldest: float
    sandbox: Sandbox | None = None

    @property
    def code(self) -> int:
        """The exit code: 0, 1 or 2."""
        return WORDS.index(self.health)

    def as_json(self) -> dict[str, object]:
        """As ``mailer status --check --json`` has it."""
        return {
            "health": self.health,
            "symptoms": [{"health": each.health, "text": each.text, "remedy": each.remedy or None} for each in self.symptoms],
            "alarms": [alarm.as_json() for alarm in self.alarms],
            "waiting": self.waiting,
            "oldest_seconds": round(self.oldest) if self.waiting else None,
            "sandbox": self.sandbox and self.sandbox.as_json(),
        }


def examine(what: Summary, alarms: Sequence[OpenAlarm], lack: str, older: Bounds, depth: Bounds, now: float) -> CheckedHealth:
    """Whether all is well with the spool that `what` sums up; `lack` is what its disk lacks, `now` in seconds since the epoch."""
    waiting = sum(what.counts[word] for word in PENDING if word != "held") + what.handed_in
    since = min((at for word, at in what.oldest.items() if word in ("queued", "deferred", "sending")), default=now)
    age = max(now - since, 0.0)
    found = [_of_alarm(alarm) for alarm in alarms if alarm.severity != "notice"]
    if lack and not any(alarm.kind == "disk" for alarm in alarms):
        found.append(Symptom("critical", f"it takes no mail: the disk of the spool has {lack}"))
    if not what.daemon.running:
        text = f"no daemon runs, and {waiting} {'waits' if waiting == 1 else 'wait'}" if waiting else "no daemon runs"
        found.append(Symptom("critical" if waiting else "warning", text, "mailer run, or the service that runs it"))
    found.append(Symptom(depth.of(waiting), f"{waiting} messages wait", "mailer status shows why"))
    if waiting:
        found.append(Symptom(older.of(age), f"the oldest message waits for {round(age)} s", "mailer status shows why"))
    if not what.whole:
        found.append(Symptom("warning", "the status database cannot be read"))
    found = sorted((each for each in found if each.health != "ok"), key=lambda each: -WORDS.index(each.health))
    return CheckedHealth(found[0].health if found else "ok", found, alarms, waiting, age)


def _of_alarm(alarm: OpenAlarm) -> Symptom:
    return Symptom("critical" if alarm.severity == "critical" else "warning", alarm.text, alarm.remedy)
