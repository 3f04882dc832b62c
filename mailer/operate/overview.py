"""The spool at a glance: what is in it, whether a daemon runs, which alarms are open, and why mail waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339

VERDICTS = ("accept", "mark", "hold", "refuse")
LATELY = 86400.0  # seconds in which what came is counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.config.sections import Sandbox
    from mailer.mail.alarm import OpenAlarm
    from mailer.status.api import Summary

    from .subscribers import JournalSubscriber
    from .waits import WaitingFor


class Overview(NamedTuple):
    """The spool at a glance; `elsewhere` are spools with a daemon, where none runs on this one; the `sandbox` of the configuration.

    `alarms` are open, `waits` say why mail does, `lack` is what the disk lacks to take more, and `subscribers` hear of each event.
    `incoming` is how much came by the doors within a day, by verdict.
    """

    summary: Summary
    elsewhere: Sequence[str] = ()
    sandbox: Sandbox | None = None
    alarms: Sequence[OpenAlarm] = ()
    waits: Sequence[WaitingFor] = ()
    lack: str = ""
    subscribers: Sequence[JournalSubscriber] = ()
    incoming: Mapping[str, int] = {}

    def as_json(self) -> dict[str, object]:
        """As ``mailer status --json`` has it."""
        what = self.summary
        return {
            "spool": what.spool,
            "daemon": {"running": what.daemon.running, "pid": what.daemon.pid or None, "elsewhere": [*self.elsewhere]},
            "counts": what.counts,
            "oldest": {state: rfc3339(at) for state, at in what.oldest.items()},
            "next_attempt_at": None if what.next_attempt_at is None else rfc3339(what.next_attempt_at),
            "leaves_at": None if what.leaves_at is None else rfc3339(what.leaves_at),
            "handed_in": what.handed_in,
            "corrupt": what.corrupt,
            "incoming": {word: self.incoming.get(word, 0) for word in VERDICTS} if self.incoming else None,
            "failures": [failure.as_json() for failure in what.failures],
            "alarms": [alarm.as_json() for alarm in self.alarms],
            "waits": [wait.as_json() for wait in self.waits],
            "no_room": self.lack or None,
            "subscribers": [each.as_json() for each in self.subscribers],
            "sandbox": self.sandbox and self.sandbox.as_json(),
        }
