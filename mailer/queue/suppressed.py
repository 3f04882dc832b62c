"""Suppression as mail meets it: before a job is made of a message, it is asked who of those that wait is not to be mailed.

So it holds for what is queued, too: a message that is put off is asked about whenever its time has come, and what waits in memory when
somebody is put on the list is looked through at once (`heard`, `rest`). Who is on it is given up with a reply of ours, ``554 5.7.1
suppressed since …``; the others get their mail. Where there is no list, or an empty one, that costs a look at a file for each batch.

Where the list cannot be read, nobody knows whether a message may go, and none does: all mail waits, does not expire, and an alarm says so.
Mail about alarms does not wait here, and what was sent with ``--ignore-suppression`` asks nobody; nor does mail of strangers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem
from mailer.suppression.api import ALL, Reason, precedence
from mailer.transport import verdict

from .attempt import Job

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry
    from mailer.suppression.api import SuppressionChange, SuppressionEntry, SuppressionList

    from .attempt import Attempt
    from .context import Current
    from .settle import Settler

AGAIN = 60.0  # seconds, up to twice as many, before a message is looked at again of which nobody knew whether it may go
IGNORED = "ignore_suppression"
"""The option of a message that asks nobody."""

WORDS = {
    Reason.HARD: "it bounced",
    Reason.COMPLAINT: "it called our mail spam",
    Reason.UNSUBSCRIBE: "it has unsubscribed",
    Reason.MANUAL: "by hand",
    Reason.IMPORT: "imported",
}
"""What is said of each reason in a reply."""


class SuppressedMail:
    """The mail whose recipients are on a list, `entries`; None where there is none."""

    def __init__(self, current: Current, settler: Settler, entries: SuppressionList | None = None) -> None:
        self.current = current
        self.settler = settler
        self.entries = entries
        self.counts: Counter[Reason] = Counter()
        """How many recipients were not mailed, by why."""
        self._fine = False
        self.trouble = ""
        """Why the list cannot be read; empty while it can."""

    async def look(self, messages: Sequence[Entry], now: float) -> Mapping[str, Mapping[int, SuppressionEntry]] | None:
        """By the ID of a message, its recipients that are not to be mailed. None: the list cannot be read, and `trouble` says why."""
        if self.entries is None:
            return {}
        asking = [entry for entry in messages if _asks(entry)]
        if not asking:
            return {}
        try:
            found = {} if await self.entries.is_empty() else await self._found(self.entries, asking, now)
        except Problem as problem:
            self.trouble = str(problem)
            self.current.context.tell(Alarm(now, "suppression", f"no mail leaves, for nobody knows who is not to be mailed: {problem}"))
            return None
        if self.trouble or not self._fine:  # the daemon before may have met the trouble
            self.trouble, self._fine = "", True
            self.current.context.tell(Mended(now, "suppression", detail="the suppression list can be read"))
        return found

    @staticmethod
    async def _found(entries: SuppressionList, messages: Sequence[Entry], now: float) -> dict[str, dict[int, SuppressionEntry]]:
        who: list[tuple[str, int]] = []
        wanted: list[tuple[str, str]] = []
        for entry in messages:
            envelope, stream = entry.envelope, entry.envelope.stream
            for to in entry.history.pending():
                if envelope.recipients[to].outcome is None:
                    who.append((entry.id, to))
                    wanted.append((envelope.recipients[to].address, stream))
        found: dict[str, dict[int, SuppressionEntry]] = {}
        for (id, to), suppressing in zip(who, await entries.look(wanted, now), strict=True):
            if suppressing is not None:
                found.setdefault(id, {})[to] = suppressing
        return found

    def waits(self, entry: Entry, now: float, chance: float) -> list[Outcome]:
        """Outcomes of a message of which nobody knows whether it may go; none for one that asks nobody."""
        if not _asks(entry):
            return []
        return verdict.unasked(entry.history.pending(), self.trouble, now, now + AGAIN * (1 + chance))

    def outcome(self, attempt: Attempt, to: int, now: float) -> Outcome:
        """What becomes of a recipient of `attempt` who is not to be mailed."""
        entry = attempt.suppressed[to]
        self.counts[entry.reason] += 1
        scope = "" if entry.scope == ALL else f", {entry.scope}"
        address = attempt.entry.envelope.recipients[to].address
        return verdict.suppressed(to, entry.at, f"{WORDS[entry.reason]}{scope}", address, now)

    # What waits in memory

    async def heard(self, changes: Iterable[SuppressionChange], attempts: Iterable[Attempt]) -> None:
        """Some were put on the list: look whether any of the `attempts` under way is for them."""
        added = {(change.address, change.scope) for change in changes if change.act == "add"}
        concerned = [attempt for attempt in attempts if _is_for(attempt, added)] if added else []
        if concerned and (found := await self.look([attempt.entry for attempt in concerned], self.current.context.clock.now())):
            for attempt in concerned:
                attempt.suppressed = found.get(attempt.entry.id, attempt.suppressed)

    def rest(self, job: Job) -> Job | None:
        """What is left of `job`, which a session has its turn for, without those who are not to be mailed by now; None if nobody is."""
        attempt, context = job.attempt, self.current.context
        stopped = [to for to in job.recipients if to in attempt.suppressed]
        if not stopped:
            return job
        left = [to for to in job.recipients if to not in attempt.suppressed]
        if left:
            attempt.split(1)
        else:
            context.scheduler.destination(job.route).give_back(job, context.clock.now())
        self.settler.finish(attempt, [self.outcome(attempt, to, context.clock.now()) for to in stopped])
        return Job(attempt, job.route, left, job.source, job.turned_away) if left else None


def _asks(entry: Entry) -> bool:
    """Whether the list is asked about a message: it is about whom we mail, and not about what others write to people here."""
    return not (entry.envelope.foreign or entry.envelope.options.get(IGNORED))


def _is_for(attempt: Attempt, added: Collection[tuple[str, str]]) -> bool:
    envelope = attempt.entry.envelope
    if not _asks(attempt.entry):
        return False
    people, stream = envelope.recipients, envelope.stream
    return any(each in added for person in people for each in precedence(key_of(person.address), stream))
