"""An alarm: trouble that a person has to know of, as a value that log, status and people are given."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .dates import rfc3339

AlarmKind = Literal[
    "aliases", "blocklist", "bounces", "broker", "bug", "certificate", "clock", "config", "damaged", "descriptors", "destination",
    "disk", "dkim", "dns", "door", "doorbell", "drop", "expiry", "filter", "intake", "invariant", "journal", "later", "login",
    "mailbox", "mailboxes", "memory", "metrics", "offline", "old", "pauses", "record", "refused", "rejected", "replay", "report", "reports",
    "sandbox", "sender", "spool", "status", "stuck", "suppression", "traces", "unanswered", "unheard", "warmup", "webhook",
]  # fmt: skip
"""What an alarm is about, in a word that does not change: what a monitoring system goes by."""

Severity = Literal["notice", "warning", "critical"]
"""How bad it is: good to know; a person should look at it today; mail does not go, or soon will not, until somebody does something."""


class OpenAlarm(NamedTuple):
    """An alarm that has begun: `kind` and `key` say which it is, a key being empty where there is only one of the kind.

    `since` is when it began and `last` when it was met last, in seconds since the epoch; `times` how often that was. `text` says what is
    wrong as it was met last, `remedy` what mends it. `told` is whether a person was told of it by mail or by a command.
    """

    kind: AlarmKind
    key: str
    since: float
    last: float
    times: int
    severity: Severity
    text: str
    remedy: str = ""
    told: bool = False

    def as_json(self) -> dict[str, object]:
        """As ``mailer status --json`` has it."""
        return {
            "kind": self.kind,
            "key": self.key or None,
            "severity": self.severity,
            "since": rfc3339(self.since),
            "last_at": rfc3339(self.last),
            "count": self.times,
            "text": self.text,
            "remedy": self.remedy or None,
        }
