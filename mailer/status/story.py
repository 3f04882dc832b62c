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
    from collections.abc import Iterable, Mapping, Sequence

    from mailer.mail.outcome import Cause, Outcome, Phase, Scope, Verdict
    from mailer.mail.principal import Principal
    from mailer.spool.api import Entry

    from .received import ReceivedRecord
    from .record import Record

_OF_ARRIVAL = ("uid", "principal", "via", "ip", "hello", "name", "tls", "user", "proxy", "why")
"""What a submitter has of how a message came by a door, which `Story.arrival` says."""

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


class HeardReport(NamedTuple):
    """What a report that came back said of one recipient: number `nth` of those in the report `id`, which `source` brought `at` that time.

    `kind` is that of the report (`mailer.dsn.reported`), `trust` how sure it is what message it is about (`mailer.bounces.matching`).
    `message` is our ID of that and `position` the number of the recipient in its envelope; "" and -1 where nothing was found. `recipient`,
    `action`, `status` and `diagnostic` are the report's words, `class_` what they mean, and `effect` what became of it, for a person.
    """

    id: str
    nth: int
    at: float
    source: str
    kind: str
    trust: str
    message: str = ""
    position: int = -1
    recipient: str = ""
    action: str = ""
    status: str = ""
    diagnostic: str = ""
    class_: str = ""
    effect: str = ""

    @property
    def makes(self) -> Literal["bounced", "complained"] | None:
        """What its recipient is from then on; None where it says nothing of what became of the message."""
        if not self.message or self.position < 0:
            return None
        if self.kind == "complaint":  # feedback of a failed check, of fraud, or that it is no spam after all, blames nobody
            return "complained" if self.class_ == "complaint" else None
        return "bounced" if self.kind == "bounce" and self.action == "failed" else None

    @property
    def reply(self) -> tuple[int, str]:
        """The code of SMTP in its words, 0 if they do not begin with one, and what stands behind it and the enhanced code."""
        words = self.diagnostic
        code = int(words[:3]) if words[:3].isdecimal() and words[:3].isascii() and words[3:4] in ("", " ", "-") else 0
        text = words[4:] if code else words
        return code, text.removeprefix(self.status).lstrip() if self.status else text

    def as_json(self) -> dict[str, object]:
        """As ``mailer explain --json`` has it."""
        return {
            "id": self.id,
            "at": rfc3339(self.at),
            "source": self.source,
            "kind": self.kind,
            "trust": self.trust,
            "message": self.message or None,
            "recipient": self.recipient or None,
            "action": self.action or None,
            "status": self.status or None,
            "diagnostic": self.diagnostic or None,
            "class": self.class_ or None,
            "effect": self.effect or None,
        }


def classes_of(heard: Iterable[HeardReport]) -> dict[int, str]:
    """The class of what came back for each recipient, by his number: of the report that made him `bounced`, which is the first."""
    found: dict[int, str] = {}
    for each in heard:
        if each.makes == "bounced":
            found.setdefault(each.position, each.class_)
    return found


class Story(NamedTuple):
    """The story of a message. `entry` is its file, if it is still in the spool, `who` handed it over, if that is known.

    `attempts` are in the order of time, `dialogs` by `Attempted.key`. `reports` are those that were written here, `heard` is what those of
    others said. `arrival` is how it came by a door, if it did. `missing` says for a person what is not known.
    """

    record: Record
    entry: Entry | None
    who: Principal | None
    attempts: Sequence[Attempted]
    dialogs: Mapping[int, Sequence[DialogLine]]
    reports: Sequence[Record]
    missing: list[str]
    heard: Sequence[HeardReport] = ()
    arrival: ReceivedRecord | None = None

    @property
    def told(self) -> dict[str, object]:
        """What was asked for, as its file says, and what else that says of who handed the message over."""
        if self.entry is None:
            return {}
        said = {**self.entry.envelope.submitter, **self.entry.envelope.options}
        own = _OF_ARRIVAL if self.arrival is not None else ("uid", "principal")
        return {name: value for name, value in said.items() if name not in own}

    @property
    def behalf(self) -> dict[int, str]:
        """By the number of a recipient, the address of ours that passes the message on to him, as far as its file is there to say."""
        people = self.entry.envelope.recipients if self.entry else ()
        return {to: person.behalf for to, person in enumerate(people) if person.behalf}

    def last(self, position: int) -> Attempted | None:
        """The last attempt at one recipient."""
        return next((each for each in reversed(self.attempts) if each.position == position), None)
