"""One attempt at one recipient, as the database or the spool tells of it, and what was said in it.

The spool keeps what was decided, the database also how it went: how long each step took, and the dialog of the last attempts
that failed. So an attempt from the spool alone (`of_outcome`) has no steps and no dialog.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, get_args

from mailer.mail.dates import rfc3339
from mailer.mail.outcome import CAUSES, PHASE_OF, PHASES, Cause, Scope, Verdict, reply_line, told

from .record import BadRow, moment, one_of
from .sqlite.rows import micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.mail.outcome import Outcome, Phase

SPEAKERS = ("us", "host", "note")
MAX_LINES = 1000  # of a dialog that is read back; none that was written has as many


class DialogLine(NamedTuple):
    """One line of a dialog: `ms` since its beginning (None with what we said), who (us, host, note), and what."""

    ms: float | None
    who: str
    text: str


@dataclass(slots=True)
class Attempted:
    """An attempt at recipient number `position`, and what came of it. `steps` are milliseconds by phase.

    `reused`: the connection served other messages before, and its own steps were spent on the first of them.
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
    steps: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False
    counts: bool = True
    cause: Cause | None = None
    besides: str = ""

    @property
    def key(self) -> int:
        """The number by which the dialog of this attempt is found."""
        return micros(self.at)

    @property
    def reply(self) -> str:
        """The reply as one line."""
        return reply_line(self.code, self.enhanced_code, self.text)

    @property
    def ours(self) -> bool:
        """Whether the reply is in our words."""
        return self.cause is not None and self.cause.ours

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
    """The attempt that `outcome`, of the spool, tells of."""
    hop = outcome.hop
    return Attempted(
        outcome.to,
        outcome.at,
        recipient,
        outcome.verdict,
        outcome.scope,
        hop.host,
        hop.ip,
        hop.port,
        hop.tls_wanted,
        hop.tls,
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


def of_row(row: Sequence[object]) -> Attempted:
    """The attempt that a row tells of, the columns of the reader's statement. Raises `BadRow`."""
    position, at, recipient, verdict, scope, host, ip, port, wanted, tls, phase, code, enhanced, text, *more = row
    seconds, queue_id, steps, reused, cause, besides = more
    return Attempted(
        _number(position),
        moment(at),
        _text(recipient),
        one_of(verdict, get_args(Verdict)),
        one_of(scope, get_args(Scope)),
        _text(host),
        _text(ip),
        _number(port),
        _text(wanted),
        _text(tls),
        PHASE_OF.get(_text(phase), ""),
        _number(code),
        _text(enhanced),
        _text(text),
        float(seconds) if isinstance(seconds, int | float) else 0.0,
        _text(queue_id),
        _steps(steps),
        bool(reused),
        cause=CAUSES.get(_text(cause)),
        besides=_text(besides),
    )


def dialog(text: object) -> list[DialogLine]:
    """The lines of a dialog. Raises `BadRow` for what this program did not write."""
    try:
        lines = json.loads(text) if isinstance(text, str) else None
        if not isinstance(lines, list) or len(lines) > MAX_LINES:
            raise BadRow("a dialog is no list")
        return [_line(*line) for line in lines]
    except (ValueError, TypeError, RecursionError) as error:
        raise BadRow(f"a dialog is none: {error}") from None


def _line(ms: object, who: object, text: object) -> DialogLine:
    if not isinstance(ms, int | float | None):
        raise BadRow("a time in a dialog is none")
    return DialogLine(ms, one_of(who, SPEAKERS), _text(text))


def _steps(text: object) -> dict[str, float]:
    """Milliseconds by phase, in the order of the session."""
    if text is None:
        return {}
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadRow("the steps of an attempt are none")
    return {phase: float(found[phase]) for phase in PHASES if isinstance(found.get(phase), int | float)}


def _text(value: object) -> str:
    if not isinstance(value, str | None):
        raise BadRow("what should be text is none")
    return value or ""


def _number(value: object) -> int:
    if value is not None and (type(value) is not int or value < 0):
        raise BadRow("a number is negative, or none")
    return value or 0
