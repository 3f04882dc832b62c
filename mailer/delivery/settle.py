"""Settling: an attempt is over, and its message leaves the spool, is put off, or is given up.

The last step of an attempt, and the one where a promise could be broken. The order on disk is that of
`mailer-spool(5)`: a report first, then the records, then the move; for a message that all have, its status, then
its file. What the disk will not take now is kept in memory and tried again, so that nothing is delivered twice
because a disk was full.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.events import Alarm, Settled, Tried
from mailer.mail.failure import BAD_MESSAGE, Failure
from mailer.spool import Busy, NoSuchMessage
from mailer.spool.file import CorruptFile
from mailer.submit import Request, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.clock import Clock
    from mailer.events import Event
    from mailer.mail.history import History
    from mailer.mail.outcome import Outcome
    from mailer.spool import Entry, Spool

    from .attempt import Attempt, Budget
    from .ledger import Ledger
    from .policy import Policy
    from .scheduler import Scheduler

PAUSE = 5.0  # seconds before a message that the disk would not take is settled again


class Settler:
    """Writes down what attempts have taught. `look` is told of messages that have changed by it."""

    def __init__(
        self,
        spool: Spool,
        scheduler: Scheduler,
        policy: Policy,
        ledger: Ledger,
        clock: Clock,
        tell: Callable[[Event], None],
        random: Callable[[], float],
        look: Callable[[Iterable[str]], None],
        budget: Budget,
    ) -> None:
        self.spool = spool
        self.scheduler = scheduler
        self.policy = policy
        self.ledger = ledger
        self.clock = clock
        self.tell = tell
        self.random = random
        self.look = look
        self.budget = budget
        self.stopping = False

    def take(self, attempt: Attempt) -> bytes | None:
        """Lock the message of `attempt` and give its content; None if an operator has taken it meanwhile."""
        if attempt.gone:
            return None
        try:
            if attempt.claim is None:
                attempt.claim = self.spool.claim_again(attempt.entry, attempt.content, self.budget.claimed(attempt))
            return attempt.claim.content
        except (Busy, NoSuchMessage, CorruptFile, OSError):
            attempt.gone = True
            return None

    async def finished(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """One part of a message is through; the last one settles the message.

        A part counts as open until its record is on disk: who settles must know what all have learned.
        """
        if outcomes:
            attempt.unwritten += self._timed(attempt, outcomes)
        if attempt.open_jobs > 1 and attempt.claim is not None and any(outcome.verdict == "delivered" for outcome in attempt.unwritten):
            await self._record(attempt)
        attempt.open_jobs -= 1
        if attempt.open_jobs == 0:
            await self.settle(attempt)

    def _timed(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes with the time of the next try, or expired, where they are not final."""
        return [outcome if outcome.final else self._next(attempt, outcome) for outcome in outcomes]

    def _next(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        entry, schedule = attempt.entry, self.policy.schedule
        now = self.clock.now()
        if outcome.scope == "us":
            outcome = outcome._replace(counts=False)
        elif schedule.expired(entry.arrived, now):
            return outcome._replace(verdict="expire")
        if outcome.due:
            return outcome
        tries = entry.history.tries.get(outcome.to, 0) + outcome.counts
        return outcome._replace(due=schedule.next_due(max(tries, 1), now, self.random))

    async def _record(self, attempt: Attempt) -> None:
        """Some have it and others are not through: that is on disk before anything else happens.

        Failures wait for the end of the attempt, since a report has to be put before they are written.
        """
        assert attempt.claim is not None
        outcomes = [outcome for outcome in attempt.unwritten if outcome.verdict == "delivered"]
        attempt.unwritten = [outcome for outcome in attempt.unwritten if outcome.verdict != "delivered"]
        try:
            await asyncio.to_thread(self.spool.record, attempt.claim, outcomes)
        except OSError as error:
            attempt.unwritten += outcomes
            self._spool_alarm(f"cannot record what became of {attempt.entry.id}", error)
            return
        attempt.entry.history.add(outcomes)
        self.tell(Tried(self.clock.now(), attempt.entry, outcomes))

    async def settle(self, attempt: Attempt) -> None:
        """All parts are through: the message leaves the spool, is put off, or is given up."""
        if not attempt.gone and attempt.claim is None:
            self.take(attempt)
        if attempt.gone:
            self._give_back(attempt)
            return
        entry = attempt.entry
        outcomes = [outcome for outcome in attempt.unwritten if not _is_old_news(entry.history, outcome)]
        entry.history.add(attempt.unwritten)
        if entry.history.status() == "sent":
            self._tell_settled(attempt, outcomes)
            assert attempt.claim is not None
            self.ledger.release(attempt.claim)  # `left` is called when it is gone
            return
        while not await self._written(attempt, outcomes):
            if self.stopping:
                return  # still where it was; that part of the attempt is made again
            await asyncio.sleep(PAUSE)
        self._tell_settled(attempt, outcomes)
        self._close(attempt)

    async def _written(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> bool:
        """Whether the disk took it: the report first, then the records and the move."""
        reported = attempt.report
        try:
            if any(outcome.final for outcome in outcomes) or not attempt.entry.history.pending():
                await asyncio.to_thread(self._write, attempt, outcomes)
            else:  # nothing to sync, so nothing to wait for
                self._write(attempt, outcomes)
        except OSError as error:
            self._spool_alarm(f"cannot settle message {attempt.entry.id}, which is tried again", error)
            return False
        except Failure as failure:
            self.tell(Alarm(self.clock.now(), "spool", f"cannot report on message {attempt.entry.id}, which is tried again: {failure}"))
            return False
        finally:
            if attempt.report != reported:
                self.look([attempt.report])
        return True

    def _write(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """The steps on disk, in the order that `mailer-spool(5)` gives.

        A report that was put is not put again when a later step fails: by then it may be delivered and gone.
        """
        claim, history = attempt.claim, attempt.entry.history
        assert claim is not None
        if not attempt.report:
            attempt.report = self._report(attempt.entry, outcomes, claim.content) or ""
        if history.pending():
            self.spool.defer(claim, outcomes, history.due)
        else:
            self.spool.fail(claim, outcomes)

    def _report(self, entry: Entry, outcomes: Sequence[Outcome], content: bytes) -> str | None:
        """Put the report that is due, unless it was put before a crash. Raises `Failure` if it has to be tried again."""
        report = self.policy.reports.report_for(entry, outcomes, content)
        if report is None or self.spool.find(report.id):
            return None
        request = Request(report.message, sender="", recipients=[entry.envelope.sender])
        try:
            submit(request, self.policy.submission, self.clock.now(), id=report.id)
        except Failure as failure:
            if failure.code != BAD_MESSAGE:
                raise
            self.tell(Alarm(self.clock.now(), "report", f"cannot report on message {entry.id}: {failure}"))  # nor ever will
            return None
        return report.id

    def _tell_settled(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        entry, now = attempt.entry, self.clock.now()
        if outcomes:
            self.tell(Tried(now, entry, outcomes))
        self.tell(Settled(now, entry, entry.history.status(), entry.history.due))

    def _close(self, attempt: Attempt) -> None:
        """The message is put off or given up, and its lock is free."""
        assert attempt.claim is not None
        attempt.claim.close()
        entry = attempt.entry
        self.scheduler.forget(entry.id)
        if entry.state == "deferred":
            self.scheduler.expect(entry.id, entry.history.due)

    def _give_back(self, attempt: Attempt) -> None:
        """An operator has the message; what he did to it is found out in a moment."""
        id = attempt.entry.id
        self.scheduler.forget(id)
        asyncio.get_running_loop().call_later(1.0, self.look, [id])

    def _spool_alarm(self, what: str, error: OSError) -> None:
        self.tell(Alarm(self.clock.now(), "spool", f"{what}: {error.strerror or error}"))


def _is_old_news(history: History, outcome: Outcome) -> bool:
    """Whether a try that was none says only what the one before said: a night offline must not fill the file."""
    last = history.last.get(outcome.to)
    return not outcome.counts and last is not None and last.counts == outcome.counts and last.reply == outcome.reply
