"""One attempt at one message: which recipients, in which jobs, and what was learned so far.

An attempt begins when the message is read and ends when it is settled. Each `Job` is the part of it that
goes to one destination in one transaction; they run side by side, and the last to finish settles the
message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.accounts.residence import Residence
    from mailer.dsn.fields import Kind
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry, Lease
    from mailer.suppression.api import SuppressionEntry
    from mailer.transport.route import Route

    from .signing import Signing


@dataclass(slots=True, eq=False, weakref_slot=True)
class Attempt:
    """The message `entry`, being tried since `began`."""

    entry: Entry
    began: float
    age: tuple[float, float] | None = None
    """When that was asked first, and for how many seconds the message had been waited for by then (`mailer.queue.age`)."""

    lease: Lease | None = None
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

    suppressed: Mapping[int, SuppressionEntry] = field(default_factory=dict)
    """Which recipients are not to be mailed, by what."""

    elsewhere: Mapping[int, Residence] = field(default_factory=dict)
    """Which recipients at a domain of ours have no mailbox of that name, and what becomes of mail for them."""

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
    def entry(self) -> Entry:
        """The message."""
        return self.attempt.entry

    @property
    def priority(self) -> str:
        """The priority of the message: high, normal or low."""
        return self.attempt.entry.envelope.priority
