"""One attempt at one message: which recipients, in which jobs, and what was learned so far.

An attempt begins when the message is read and ends when it is settled. Each `Job` is the part of it that
goes to one destination in one transaction; they run side by side, and the last to finish settles the
message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

from mailer.io import durable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.dsn.fields import Kind
    from mailer.mail.outcome import Outcome
    from mailer.spool.files.store import Claim, FileEntry

    from ..transport.route import Route
    from .signing import Signing

STALE = 1.0  # seconds; whatever goes to a quick destination has left by then


@dataclass(slots=True, eq=False, weakref_slot=True)
class Attempt:
    """The message `entry`, being tried since `began`; `content` is kept while it fits into memory."""

    entry: FileEntry
    began: float
    content: bytes | None = None
    descriptor: int = -1
    """The message's file, open and not locked, for whoever claims it; -1 if it is not kept open."""

    age: tuple[float, float] | None = None
    """When that was asked first, and for how many seconds the message had been waited for by then (`mailer.queue.age`)."""

    claim: Claim | None = None
    parts: int = 0
    """Those that are not through; counted by `split` and `part_done` alone."""

    unwritten: list[Outcome] = field(default_factory=list)
    """Outcomes that no file has yet."""

    reports: tuple[str, ...] = ()
    """The IDs of the reports that were put for it."""

    owed: tuple[tuple[int, Kind], ...] = ()
    """Whom the sender wants confirmed, and how: the host that took the message confirms nothing."""

    signing: Signing | None = None
    """The signatures that the content gets when it leaves, where it gets some."""

    urged: bool = False
    """An operator has said that it shall be tried now."""

    gone: bool = False
    """An operator took the message away while it waited; what is left of the attempt is dropped."""

    def split(self, more: int) -> None:
        """Count `more` parts: at first all there are, later those that one of them has become beside itself."""
        self.parts += more

    def part_done(self) -> bool:
        """Count one part as through; whether it was the last one."""
        self.parts -= 1
        return not self.parts


@dataclass(slots=True, eq=False)
class Job:
    """Recipients (numbers in the envelope) of `attempt` that go by one `route` in one transaction."""

    attempt: Attempt
    route: Route
    recipients: Sequence[int]
    source: str = ""
    """The name of the source that it leaves from, where there are some."""

    turned_away: int = 0
    """How often its session was one too many for the other side."""

    @property
    def priority(self) -> str:
        """The priority of the message: high, normal or low."""
        return self.attempt.entry.envelope.priority


class ContentCache:
    """The contents that wait in memory between being read and being sent, in bytes, and open files; beyond, messages are read again.

    What has waited for longer than `STALE` makes room for what is new: a destination that does not answer must not make the mail
    of the others be read twice.
    """

    def __init__(self, limit: int, files: int = 0) -> None:
        self.limit = limit
        self.files = files
        self.used = 0
        self.attempts: WeakSet[Attempt] = WeakSet()
        """All that there are of messages that were read."""
        self._contents: dict[Attempt, None] = {}  # that nobody works on yet, the oldest first
        self._files: dict[Attempt, None] = {}

    @property
    def open(self) -> int:
        """How many files are kept open."""
        return len(self._files)

    def wants_file(self, now: float) -> bool:
        """Whether the file of a message that is going to be read may stay open."""
        while self.files and len(self._files) >= self.files and (stale := _stale(self._files, now)):
            del self._files[stale]
            durable.let_go(stale.descriptor)
            stale.descriptor = -1  # its content stays until there is no room for that either
        return len(self._files) < self.files

    def keep(self, attempt: Attempt, content: bytes, descriptor: int = -1) -> None:
        """Keep `content` with its attempt if there is room, and its file if it is open."""
        self.attempts.add(attempt)
        while self.used + len(content) > self.limit and (stale := _stale(self._contents, attempt.began)):
            self.let_go(stale)
        if self.used + len(content) <= self.limit or not self.used:
            attempt.content = content
            self.used += len(content)
            self._contents[attempt] = None
        if descriptor >= 0:
            attempt.descriptor = descriptor
            self._files[attempt] = None

    def claimed(self, attempt: Attempt) -> int:
        """The descriptor of a message that is being claimed now, which is the claim's from here on; -1 if it is not open."""
        descriptor, attempt.descriptor = attempt.descriptor, -1
        self._contents.pop(attempt, None)
        self._files.pop(attempt, None)
        return descriptor

    def shrink(self) -> None:
        """Let go of what is not worked on yet, as memory is short: it is read again when its turn comes."""
        while self._contents:
            self.let_go(next(iter(self._contents)))

    def let_go(self, attempt: Attempt) -> None:
        """Let go of the content of an attempt that is over, or does not need it yet."""
        self._contents.pop(attempt, None)
        if attempt.content is not None:
            self.used -= len(attempt.content)
            attempt.content = None


def _stale(attempts: dict[Attempt, None], now: float) -> Attempt | None:
    oldest = next(iter(attempts), None)
    return oldest if oldest is not None and now - oldest.began > STALE else None
