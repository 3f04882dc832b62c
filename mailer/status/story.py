"""The whole story of one message: each attempt at a recipient, what was said in it, and which reports were made about the message.

The spool keeps what was decided, the status database also how it went: how long each step took, and the dialog of the last attempts
that failed. Either may be missing: then there is less to tell, and `missing` says what. Nothing here judges; why a message waits is
`mailer.operate.explain`'s to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.mail.dates import rfc3339
from mailer.mail.outcome import is_ours, reply_line, told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.mail.outcome import Cause, Outcome, Phase, Scope, Verdict
    from mailer.mail.principal import Principal
    from mailer.spool.api import Entry

    from .record import Record

Speaker = Literal["us", "host", "note"]

DIALOGS_EACH = 3
"""How many dialogs are kept of one recipient: the last ones."""

DIALOGS_OF_MESSAGE = 20
"""How many dialogs are kept of one message."""


class DialogLine(NamedTuple):
    """One line of a dialog: `ms` since its beginning (None with what we said), who said it, and what."""

    ms: float | None
    who: Speaker
    text: str


class Attempted(NamedTuple):
    """What came of trying recipient number `position`. `steps` are milliseconds by phase.

    `reused`: the connection served other messages before, and its own steps were spent on the first of them. `counts`: the attempt
    counts as one of the message's tries, which only the spool says.
    """

    position: int
    at: float
    recipient: str
    verdict: Verdict
    scope: Scope
    host: str
    ip: str
    port: int
    tls_wanted: str
    tls: str
    phase: Phase
    code: int
    enhanced_code: str
    text: str
    seconds: float
    queue_id: str
    steps: Mapping[str, float] = {}
    reused: bool = False
    counts: bool = True
    cause: Cause | None = None
    besides: str = ""

    @property
    def key(self) -> int:
        """What the dialog of this attempt is found by: its time in whole microseconds."""
        return round(self.at * 1e6)

    @property
    def reply(self) -> str:
        """The reply as one line."""
        return reply_line(self.code, self.enhanced_code, self.text)

    @property
    def ours(self) -> bool:
        """Whether the reply is in our words."""
        return is_ours(self.cause)

    @property
    def told(self) -> str:
        """The reply for a person, who has to see whose words it is."""
        return told(self.reply, self.cause)

    @property
    def untried(self) -> bool:
        """Whether no host was called: then the words are ours and say it all, and what their code means in general is something else."""
        return not self.host and not self.counts and self.phase == "connect"

    def as_json(self) -> dict[str, object]:
        """As ``mailer explain --json`` has it."""
        return {
            "at": rfc3339(self.at),
            "verdict": self.verdict,
            "scope": self.scope,
            "host": self.host or None,
            "ip": self.ip or None,
            "port": self.port or None,
            "tls": {"wanted": self.tls_wanted or None, "achieved": self.tls or None},
            "phase": self.phase or None,
            "code": self.code or None,
            "enhanced_code": self.enhanced_code or None,
            "reply": self.text or None,
            "ours": self.ours,
            "cause": self.cause,
            "besides": self.besides or None,
            "seconds": round(self.seconds, 4),
            "remote_queue_id": self.queue_id or None,
            "steps_ms": dict(self.steps) or None,
            "connection_reused": self.reused if self.steps else None,
        }


def of_outcome(outcome: Outcome, recipient: str) -> Attempted:
    """What the spool says of an attempt at the address `recipient`: neither its steps nor its dialog."""
    hop = outcome.hop
    return Attempted(
        outcome.to,
        outcome.at,
        recipient,
        outcome.verdict,
        outcome.scope,
        *hop,
        outcome.phase,
        outcome.code,
        outcome.enhanced,
        outcome.text,
        outcome.seconds,
        outcome.queue_id,
        counts=outcome.counts,
        cause=outcome.cause,
        besides=outcome.besides,
    )


class Story(NamedTuple):
    """The story of a message. `entry` is its file, if it is still in the spool, `who` handed it over, if that is known.

    `attempts` are in the order of time, `dialogs` by `Attempted.key`. `missing` says for a person what is not known.
    """

    record: Record
    entry: Entry | None
    who: Principal | None
    attempts: Sequence[Attempted]
    dialogs: Mapping[int, Sequence[DialogLine]]
    reports: Sequence[Record]
    missing: list[str]

    @property
    def told(self) -> dict[str, object]:
        """What was asked for, as its file says, and what else that says of who handed the message over."""
        if self.entry is None:
            return {}
        said = {**self.entry.envelope.submitter, **self.entry.envelope.options}
        return {name: value for name, value in said.items() if name not in ("uid", "principal")}

    def last(self, position: int) -> Attempted | None:
        """The last attempt at one recipient."""
        return next((each for each in reversed(self.attempts) if each.position == position), None)
