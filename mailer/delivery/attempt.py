"""One attempt at one message: which recipients, in which jobs, and what was learned so far.

An attempt begins when the message is read and ends when it is settled. Each `Job` is the part of it that
goes to one destination in one transaction; they run side by side, and the last to finish settles the
message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.outcome import Outcome
    from mailer.spool import Claim, Entry

    from .router import Way
    from .signer import Signing


@dataclass(slots=True, eq=False)
class Attempt:
    """The message `entry`, being tried since `began`; `content` is kept while it fits into memory."""

    entry: Entry
    began: float
    content: bytes | None = None
    claim: Claim | None = None
    open_jobs: int = 0
    unwritten: list[Outcome] = field(default_factory=list)
    """Outcomes that no file has yet."""

    report: str = ""
    """The ID of the report that was put for it."""

    signing: Signing | None = None
    """The signatures that the content gets when it leaves, where it gets some."""

    gone: bool = False
    """An operator took the message away while it waited; what is left of the attempt is dropped."""


@dataclass(slots=True, eq=False)
class Job:
    """Recipients (numbers in the envelope) of `attempt` that go one `way` in one transaction."""

    attempt: Attempt
    way: Way
    recipients: Sequence[int]

    @property
    def priority(self) -> str:
        """high, normal or low."""
        return self.attempt.entry.envelope.priority


class Budget:
    """How many bytes of messages wait in memory between being read and being sent; the others are read again."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def keep(self, attempt: Attempt, content: bytes) -> None:
        """Keep `content` with its attempt if there is room."""
        if self.used + len(content) <= self.limit or not self.used:
            attempt.content = content
            self.used += len(content)

    def let_go(self, attempt: Attempt) -> None:
        """The attempt is over."""
        if attempt.content is not None:
            self.used -= len(attempt.content)
            attempt.content = None
