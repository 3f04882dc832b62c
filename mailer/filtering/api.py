"""What passes between a door and those who judge what comes in by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.arrival import Arrival
    from mailer.smtp.reply import Reply

Verdict = Literal["accept", "mark", "hold", "refuse", "tempfail"]
"""What becomes of a message: it is taken; taken and marked as unwanted; taken and held for an operator; refused for good; for now."""


AGAINST = frozenset({"mark", "hold", "refuse", "tempfail", "failed", "unchecked", "fail", "permerror", "temperror"})
"""What a step may find that speaks against a message, besides a score."""


class FilterStep(NamedTuple):
    """One step of judging: which (``spf``, ``dmarc``, ``blocklist zen.example``, ``rspamd``), what it found, and why, for a person.

    `score` is what it adds to the sum of all scores.
    """

    step: str
    result: str
    reason: str = ""
    score: float = 0.0

    @property
    def words(self) -> str:
        """The step on one line: ``spamd: mark 7.5, BAYES_99``."""
        score = f" {self.score:g}" if self.score else ""
        return f"{self.step}: {self.result}{score}{f', {self.reason}' if self.reason else ''}"


@dataclass(frozen=True, slots=True)
class Amendment:
    """What filters of the operator want changed in a message that is taken.

    `content` takes the place of what came, and `sender` that of the reverse-path; None where it stays. `added` and `removed` are
    recipients. A filter is trusted with that: whom it adds gets the message as one does who was named by a user of ours.
    """

    content: bytes | None = None
    sender: str | None = None
    added: Sequence[str] = ()
    removed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a message, and how that was found.

    `reply` is what the client hears where the verdict is refuse or tempfail, None otherwise. `fields` are lines of a header, each with its
    CRLF, that belong on top of the message below Received: Authentication-Results, X-Spam-*. `reason` is one of the words of
    `mailer.mail.refusal_reason`, empty where nothing is against the message. `proven`: SPF or DMARC proved the reverse-path, so a report
    may go there. `amendment` is what filters want changed, None where they want nothing.
    """

    verdict: Verdict
    reply: Reply | None
    fields: bytes
    steps: Sequence[FilterStep]
    score: float = 0.0
    reason: str = ""
    proven: bool = False
    amendment: Amendment | None = None

    @property
    def against(self) -> str:
        """What speaks against the message, for a person: who said so, and why; empty where nothing does."""
        if self.verdict == "accept" and self.score <= 0:
            return ""
        return "; ".join(each.words for each in self.steps if each.score > 0 or each.result in AGAINST)


class Case(Protocol):
    """What is known of one session; a door has one for each, asks it step by step, and says when it is over.

    None as a reply is: nothing against it. Each method may be awaited for as long as the DNS and filters may take, and no longer.
    """

    async def greeted(self) -> Reply | None:
        """The client has called: look up who it is. A refusal is said instead of the greeting."""

    def talked_early(self) -> None:
        """The client has talked before its turn; whoever drives the session has seen it, and does not say so of a proxy."""

    async def sender(self, arrival: Arrival, sender: str) -> Reply | None:
        """The client names `sender` as the reverse-path; `arrival` says its EHLO name."""

    async def recipient(self, arrival: Arrival, sender: str, recipient: str) -> Reply | None:
        """The client names a `recipient`, whom we know: greylisting."""

    async def judge(self, arrival: Arrival, sender: str, recipients: Sequence[str], content: bytes) -> Ruling:
        """The message is here, as it came: strangers' octets, with whatever line ends they have."""

    async def ended(self) -> None:
        """The session is over."""


class Panel(Protocol):
    """All who judge, as the configuration has them."""

    def case(self, ip: str) -> Case:
        """A session of the client at this address begins; empty over a unix socket."""
