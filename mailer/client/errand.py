"""One message under way: who has it, who was refused, and who is asked about again.

Pure. Each attempt takes the recipients that still `waiting` have no final answer, and tells what it heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mailer.mail.outcome import NOWHERE

from .results import Rejected, SendResult
from .translate import from_answer, where

if TYPE_CHECKING:
    from mailer.mail.outcome import Hop
    from mailer.transport.connection import Answer

    from .errors import SmtpError
    from .letter import Letter


class Errand:
    """`again` says of an error whether it is worth another attempt."""

    __slots__ = ("_again", "_errors", "attempts", "hop", "letter", "response", "taken", "waiting")

    def __init__(self, letter: Letter, again: Callable[[SmtpError], bool]) -> None:
        self.letter = letter
        self.waiting = list(range(len(letter.recipients)))
        self.taken: set[int] = set()
        self.attempts = 0
        self.response = ""
        self.hop: Hop | None = None
        self._again = again
        self._errors: dict[int, SmtpError] = {}  # of all that are not taken, the last one

    def hear(self, asked: Sequence[int], answers: Sequence[Answer], hop: Hop) -> list[int]:
        """What a transaction with the recipients `asked` said; returns those who were too many for it and go at once."""
        crowded = [asked[answer.to] for answer in answers if answer.kind == "again"]
        for answer in answers:
            to = asked[answer.to]
            if answer.phase == "body" and answer.kind == "reply" and answer.reply.positive:
                self._take(to, str(answer.reply), hop)
            elif to not in crowded:
                self.fail(to, from_answer(answer, hop, self.letter.recipients[to]))
        return crowded

    def fail(self, to: int, error: SmtpError) -> None:
        """Recipient `to` has it not; who is not worth another attempt waits no longer."""
        self._errors[to] = error
        if not self._again(error) and to in self.waiting:
            self.waiting.remove(to)

    def _take(self, to: int, response: str, hop: Hop) -> None:
        self.taken.add(to)
        self._errors.pop(to, None)
        self.waiting.remove(to)
        self.response = response
        self.hop = hop

    @property
    def error(self) -> SmtpError | None:
        """Why not everybody has it: of the first recipient in order."""
        return self._errors[min(self._errors)] if self._errors else None

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The recipients that were refused, in the order of the envelope."""
        return tuple(
            Rejected(self.letter.recipients[to], error.code, error.enhanced_code, error.text)
            for to, error in sorted(self._errors.items(), key=lambda item: item[0])
        )

    def result(self, duration: float) -> SendResult:
        """What its sender is told, after so many seconds."""
        hop = self.hop or NOWHERE
        accepted = tuple(self.letter.recipients[to] for to in sorted(self.taken))
        way = where(hop), hop.tls_wanted, hop.tls
        return SendResult(self.letter.message_id, accepted, self.rejected, self.response, *way, self.attempts, duration)
