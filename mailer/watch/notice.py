"""A notice: that an alarm has begun, or is over, as a person or a program is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.mail.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.mail.alarm import OpenAlarm

LONGEST = 1000  # characters of a line


class Notice(NamedTuple):
    """The beginning of `alarm`, or its end `at` that time (seconds since the epoch), when `how` says how it ended."""

    alarm: OpenAlarm
    at: float = 0.0
    how: str = ""

    @property
    def over(self) -> bool:
        """Whether it is the end."""
        return bool(self.at)

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        name = f"{self.alarm.kind} {self.alarm.key}".strip()
        return one_line(f"over: {name}" if self.over else f"{self.alarm.severity}: {name}", LONGEST)

    @property
    def lines(self) -> Iterator[str]:
        """All of it for a person."""
        alarm = self.alarm
        yield self.title
        if self.over:
            yield "  " + one_line(f"{self.how}, at {rfc3339(int(self.at))}", LONGEST)
            yield f"  it began at {rfc3339(int(alarm.since))} and was met {alarm.times} times; the last time:"
            yield "  " + one_line(alarm.text, LONGEST)
            return
        yield "  " + one_line(alarm.text, LONGEST)
        yield f"  since {rfc3339(int(alarm.since))}, met {alarm.times} times"
        if alarm.remedy:
            yield "  " + one_line(f"to mend it: {alarm.remedy}", LONGEST)

    def as_json(self, host: str) -> dict[str, object]:
        """What a command reads; `host` is the name of this machine."""
        end = {"ended_at": rfc3339(self.at), "how": self.how} if self.over else {}
        return {"host": host, "state": "end" if self.over else "begin", **self.alarm.as_json(), **end}

    def environment(self, host: str) -> dict[str, str]:
        """What a command finds in its environment, in capitals: the members of `as_json`."""
        found = {name: str(value) for name, value in self.as_json(host).items() if value is not None}
        return {f"MAILER_ALARM_{name.upper()}": one_line(value, LONGEST) for name, value in found.items()}
