"""Settling: an attempt is over, and its message leaves the spool, is put off, or is given up.

The last step of an attempt, and the one where a promise could be broken. The order on disk is that of
`mailer-spool(5)`: a report first, then the records, then the move; for a message that all have, its status, then
its file. What the disk will not take now is kept in memory and tried again, so that nothing is delivered twice
because a disk was full. While the disk is short of room (`short`), nothing is given up that a report would be due for: it waits.
"""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from mailer.bounces import REPORTED, Quota
from mailer.bounces.reports import EVERYBODY, asked_of, worth_telling
from mailer.events import Alarm, Settled, Tried
from mailer.mail.problem import Problem
from mailer.net.aside import LARGE, MANY, aside, portions
from mailer.spool.api import Busy, CorruptMessage, NoSuchMessage, Note
from mailer.submit import Submission, submit

from ..transport.verdict import kept_back
from . import age

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.bounces import Report
    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.mail.history import History, Status
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry
    from mailer.spool.files.store import Claim, SpoolDirectory

    from .attempt import Attempt, ContentCache
    from .policy import Policy
    from .recorder import Recorder
    from .scheduler import Scheduler

PAUSE = 5.0  # seconds before a message that the disk would not take is settled again
SHORT_PAUSE = 300.0  # seconds before it is looked again whether there is room for a report
HEARD = 3600.0  # seconds of waiting that a restart may forget
SPOOL_ALARMS = 60.0  # seconds between two alarms of that kind


class Settler:
    """Writes down what attempts have taught. `look` is told of messages that have changed by it."""

    def __init__(
        self,
        spool: SpoolDirectory,
        scheduler: Scheduler,
        policy: Policy,
        recorder: Recorder,
        clock: SteadyClock,
        tell: Callable[[Event], None],
        random: Callable[[], float],
        look: Callable[[Iterable[str]], None],
        budget: ContentCache,
    ) -> None:
        self.spool = spool
        self.scheduler = scheduler
        self.policy = policy
        self.recorder = recorder
        self.clock = clock
        self.tell = tell
        self.random = random
        self.look = look
        self.budget = budget
        self.quota = Quota()
        self.stopping = False
        self.once = False
        """Whether what the disk does not take now is left to the next run; then `undone` says how much was."""
        self.undone = 0
        self.known: Callable[[str], bool] = lambda _: False
        """Whether a message of that ID was in the spool once, as far as anybody remembers."""
        self.apart = asyncio.Lock()
        """Held by whoever reads a large message."""
        self.away: set[str] = set()
        """Messages that an operator has this moment."""
        self.short = ""
        """What the disk of the spool lacks; empty while it has room. See `spool.layout`."""
        self._told_at: dict[str, float] = {}
        self._news: list[Event] = []  # of the thread that writes: listeners live in the loop

    def take(self, attempt: Attempt) -> bytes | None:
        """Lock the message of `attempt` and give its content; None if an operator has taken it meanwhile."""
        if attempt.gone:
            return None
        try:
            if attempt.claim is None:
                attempt.entry.fd, attempt.entry.content = self.budget.claimed(attempt), attempt.content
                attempt.claim = self.spool.claim_again(attempt.entry)
            return attempt.claim.content
        except (Busy, NoSuchMessage, CorruptMessage, OSError, MemoryError):
            attempt.gone = True
            return None

    async def take_apart(self, attempt: Attempt) -> bytes | None:
        """`take` for a large message, which may have to be read once more: in a thread."""
        async with self.apart:
            if attempt.gone or attempt.claim is not None:
                return self.take(attempt)
            attempt.entry.fd, attempt.entry.content = self.budget.claimed(attempt), attempt.content
            claiming = asyncio.ensure_future(aside(partial(self._claimed, attempt)))
            try:
                attempt.claim = await asyncio.shield(claiming)
            except asyncio.CancelledError:
                claiming.add_done_callback(_let_go)
                raise
            except (Busy, NoSuchMessage, CorruptMessage, OSError, MemoryError):
                attempt.gone = True
                return None
            return attempt.claim.content

    def _claimed(self, attempt: Attempt) -> Claim:
        claim = self.spool.claim_again(attempt.entry)
        assert claim.content is not None  # it is read here, in a thread
        return claim

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
        if "defer" not in [outcome.verdict for outcome in outcomes]:
            return [*outcomes]
        entry, chance = attempt.entry, self.random()  # one for all: what was tried together is tried together again
        waited, deadline = self.waited_in(attempt), self.deadline_of(attempt)
        return [outcome if outcome.final else self._next(entry, outcome._replace(waited=waited), deadline, chance) for outcome in outcomes]

    def _next(self, entry: Entry, outcome: Outcome, deadline: float, chance: float) -> Outcome:
        now = self.clock.now()
        if outcome.scope == "us":
            outcome = outcome._replace(counts=False)
        elif now >= deadline:
            return outcome._replace(verdict="expire")
        else:  # one last try when its time is up: nobody waits for the news until a step of hours is over
            return outcome._replace(due=min(outcome.due or self._step(entry, outcome, now, chance), deadline))
        return outcome if outcome.due else outcome._replace(due=self._step(entry, outcome, now, chance))

    def _step(self, entry: Entry, outcome: Outcome, now: float, chance: float) -> float:
        tries = entry.history.tries.get(outcome.to, 0) + outcome.counts
        return self.policy.schedule.next_due(max(tries, 1), now, lambda: chance)

    def waited(self, entry: Entry) -> float:
        """For how many seconds somebody has really waited for it."""
        return age.waited(entry, self.clock, self.policy.schedule.expire)

    def waited_in(self, attempt: Attempt) -> float:
        """How long its message has waited, in seconds; its records, which may be very many, are read once for all parts of the attempt."""
        if attempt.age is None:
            attempt.age = self.clock.now(), self.waited(attempt.entry)
        then, waited = attempt.age
        return waited + self.clock.waited(then, inf)

    def deadline_of(self, attempt: Attempt) -> float:
        """When the message is given up, in seconds since the epoch."""
        return age.deadline(attempt.entry, self.clock, self.policy.schedule.expire, self.waited_in(attempt))

    def overdue(self, attempt: Attempt, now: float) -> bool:
        """Whether the sender wants it back rather than delivered now."""
        asked = asked_of(attempt.entry.envelope)
        return asked.by is not None and asked.by_return and now >= self.deadline_of(attempt)

    async def _record(self, attempt: Attempt) -> None:
        """Some have it and others are not through: that is on disk before anything else happens.

        Failures wait for the end of the attempt, since a report has to be put before they are written.
        """
        assert attempt.claim is not None
        outcomes = [outcome for outcome in attempt.unwritten if outcome.verdict == "delivered"]
        attempt.unwritten = [outcome for outcome in attempt.unwritten if outcome.verdict != "delivered"]
        try:
            await asyncio.to_thread(self.spool.record, attempt.claim, outcomes)
        except (OSError, MemoryError) as error:
            attempt.unwritten += outcomes
            self._spool_alarm(f"cannot record what became of {attempt.entry.id}", error)
            return
        attempt.entry.history.add(outcomes)
        self.tell(Tried(self.clock.now(), attempt.entry, outcomes))

    async def settle(self, attempt: Attempt) -> None:
        """All parts are through: the message leaves the spool, is put off, or is given up."""
        if not attempt.gone and attempt.claim is None:
            if attempt.entry.total > LARGE:
                await self.take_apart(attempt)
            else:
                self.take(attempt)
        if attempt.gone:
            self._give_back(attempt)
            return
        entry = attempt.entry
        if self.short:
            attempt.unwritten = self._postponed(entry, attempt.unwritten)
        outcomes = await self._learned(attempt)
        if attempt.owed and not self.short:
            await self._confirm(attempt)
        status = entry.history.status()
        if status == "sent":
            await self._tell_settled(attempt, outcomes, status)
            assert attempt.claim is not None
            self.recorder.release(attempt.claim)  # `left` is called when it is gone
            return
        while not await self._written(attempt, outcomes):
            if self.stopping or self.once:
                self.undone += 1
                self._let_go(attempt)
                return  # still where it was; that part of the attempt is made again
            await asyncio.sleep(PAUSE)
            if not self._renewed(attempt):
                self._give_back(attempt)
                return
        await self._tell_settled(attempt, outcomes, status)
        self._close(attempt)

    async def _learned(self, attempt: Attempt) -> list[Outcome]:
        """Take what was learned into the history; what of it is news."""
        history, unwritten, expire = attempt.entry.history, attempt.unwritten, self.policy.schedule.expire
        if len(unwritten) <= MANY:
            news = [outcome for outcome in unwritten if not _is_old_news(history, outcome, expire)]
            history.add(unwritten)
            return news
        news = []
        async for portion in portions(unwritten):  # of each recipient there is one
            news += [outcome for outcome in portion if not _is_old_news(history, outcome, expire)]
            history.add(portion)
        return news

    def _renewed(self, attempt: Attempt) -> bool:
        """Whether what could not be settled is still ours to settle: its file is where it was."""
        assert attempt.claim is not None
        try:
            self.spool.renew(attempt.claim)
        except NoSuchMessage:
            attempt.claim.close()
            return False
        except (Problem, OSError):  # the next try to settle it says what is wrong
            pass
        return True

    async def _confirm(self, attempt: Attempt) -> None:
        """Put the reports of success that are owed. One that cannot be put holds up nothing: the mail is delivered."""
        claim = attempt.claim
        assert claim is not None
        try:
            await asyncio.to_thread(self._put_confirmations, attempt, claim.content)
        except (OSError, MemoryError, Problem) as error:
            self._alarm(f"cannot confirm message {attempt.entry.id}: {error}", "report")
        self.look(attempt.reports)
        while self._news:
            self.tell(self._news.pop(0))

    def _put_confirmations(self, attempt: Attempt, content: bytes) -> None:
        for report in self.policy.reports.confirmations(attempt.entry, attempt.owed, content):
            self._report(attempt, report)

    def _postponed(self, entry: Entry, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """No room for a report: who would be in one waits, and that is our fault, for which nobody's mail is given up."""
        if not self.policy.reports.due(entry.envelope, outcomes):
            return [*outcomes]
        due = self.clock.now() + SHORT_PAUSE
        return [kept_back(outcome, due) if outcome.verdict in REPORTED else outcome for outcome in outcomes]

    async def _written(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> bool:
        """Whether the disk took it: the report first, then the records and the move."""
        reported = attempt.reports
        try:
            if attempt.entry.history.count > MANY:
                await asyncio.to_thread(lambda: self._write(attempt, outcomes, self._late(attempt)))
            elif (late := self._late(attempt)) or any(outcome.final for outcome in outcomes) or not attempt.entry.history.pending():
                await asyncio.to_thread(self._write, attempt, outcomes, late)
            else:  # nothing to sync, so nothing to wait for
                self._write(attempt, outcomes, late)
        except OSError as error:
            self._spool_alarm(f"cannot settle message {attempt.entry.id}, which is tried again", error)
            return False
        except Problem as failure:
            self._alarm(f"cannot report on message {attempt.entry.id}, which is tried again: {failure}")
            return False
        except Exception as error:  # what was learned must not be lost with it: then it would be delivered again
            self._alarm(f"cannot settle message {attempt.entry.id}, which is tried again: {type(error).__name__}: {error}", "bug")
            return False
        finally:
            if attempt.reports is not reported:
                self.look(attempt.reports)
            while self._news:
                self.tell(self._news.pop(0))
        return True

    def _late(self, attempt: Attempt) -> list[Outcome]:
        """Of whom the sender is to hear that they are late."""
        return [] if self.short else self.policy.reports.late(attempt.entry, self.waited_in(attempt), self.policy.schedule.expire)

    def _write(self, attempt: Attempt, outcomes: Sequence[Outcome], late: Sequence[Outcome]) -> None:
        """The steps on disk, in the order that `mailer-spool(5)` gives.

        A report that was put is not put again when a later step fails: by then it may be delivered and gone.
        """
        claim, history = attempt.claim, attempt.entry.history
        assert claim is not None
        if report := self.policy.reports.report_for(attempt.entry, outcomes, claim.content):
            self._report(attempt, report)
        if not history.pending():
            self.spool.fail(claim, outcomes)
            return
        if late:
            self._warn(attempt, claim, late)
        self.spool.defer(claim, outcomes, history.due)

    def _warn(self, attempt: Attempt, claim: Claim, late: Sequence[Outcome]) -> None:
        """Tell the sender that the message is late, unless the file says that he was told. The report goes before the note of it."""
        if any(note.what == "warned" for note in attempt.entry.notes):
            return
        until = 0.0 if all(outcome.scope == "us" for outcome in late) else self.deadline_of(attempt)
        self._report(attempt, self.policy.reports.warning_for(attempt.entry, late, claim.content, until))
        self.spool.note(claim, [Note("warned", self.clock.now())])

    def _report(self, attempt: Attempt, report: Report) -> None:
        """Put a report, unless it was put before, also by a run that could not write that down, or there were enough of them.

        Raises `Problem` if it has to be tried again.
        """
        entry, now = attempt.entry, self.clock.now()
        if report.id in attempt.reports or self.spool.find(report.id) or self.known(report.id):
            return
        sender = entry.envelope.sender
        if self._over_quota(sender, now):
            return
        try:
            submit(Submission(report.message, sender="", recipients=[sender]), self.policy.submission, now, id=report.id)
        except Problem as failure:
            self.quota.give_back(sender)
            self.quota.give_back(EVERYBODY)
            if failure.kind != "bad-message":
                raise
            self._news.append(Alarm(now, "report", f"cannot report on message {entry.id}: {failure}"))  # nor ever will
            return
        attempt.reports += (report.id,)

    def _over_quota(self, sender: str, now: float) -> bool:
        """Whether `sender`, or all together, have had their reports of this hour; that is told."""
        reports = self.policy.reports
        if over := self.quota.take(sender, reports.max_per_hour, now):
            problem = f"{sender} has got {reports.max_per_hour} reports within an hour (bounce.max_per_hour)"
        elif over := self.quota.take(EVERYBODY, reports.max_per_hour_in_all, now):
            self.quota.give_back(sender)
            problem = f"{reports.max_per_hour_in_all} reports were written within an hour (bounce.max_per_hour_in_all)"
        if over and worth_telling(over):
            self._news.append(Alarm(now, "reports", f"{problem}: {over} more were not written"))
        return over > 0

    async def _tell_settled(self, attempt: Attempt, outcomes: Sequence[Outcome], status: Status) -> None:
        entry, now = attempt.entry, self.clock.now()
        if len(outcomes) > MANY:
            async for portion in portions(outcomes):
                self.tell(Tried(now, entry, portion))
        elif outcomes:
            self.tell(Tried(now, entry, outcomes))
        self.tell(Settled(now, entry, status, entry.history.due if status == "deferred" else 0.0))

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
        self.away.add(id)
        asyncio.get_running_loop().call_later(1.0, self._look_again, id)

    def _look_again(self, id: str) -> None:
        self.away.discard(id)
        self.look([id])

    def _let_go(self, attempt: Attempt) -> None:
        if attempt.claim is not None:
            attempt.claim.close()
        self.scheduler.forget(attempt.entry.id)

    def _spool_alarm(self, what: str, error: OSError | MemoryError) -> None:
        self._alarm(f"{what}: {getattr(error, 'strerror', '') or str(error) or 'there is not enough memory'}")

    def unremovable(self, error: Exception) -> None:
        """A message that is delivered would not leave the spool; with `once`, the next run goes on."""
        self._alarm(str(error))
        self.undone += self.once

    def status_alarm(self, error: Exception) -> None:
        """The status database takes nothing. What is told of that would go there, too, and fail again."""
        self._alarm(f"cannot write the status database: {error}", "status")

    def _alarm(self, problem: str, what: str = "spool") -> None:
        """Once in `SPOOL_ALARMS`, however many messages a full disk meets: a log that grows would make it worse."""
        now = self.clock.now()
        if not 0 <= now - self._told_at.get(what, -SPOOL_ALARMS) < SPOOL_ALARMS:
            self._told_at[what] = now
            self.tell(Alarm(now, what, problem))


def _let_go(claiming: asyncio.Future[Claim]) -> None:
    """Nobody waits for it any more."""
    if not claiming.cancelled() and claiming.exception() is None:
        claiming.result().close()


def _is_old_news(history: History, outcome: Outcome, expire: float) -> bool:
    """Whether a try that was none says only what the one before said: a night offline must not fill the file.

    Once in a while it is written all the same, for the file has to know how long was waited: once in `HEARD` where its time to
    `expire` goes on, four times in that time where the sender is only to be warned then.
    """
    last = history.last.get(outcome.to)
    heard = HEARD if outcome.scope != "us" else expire / 4
    if last is not None and (outcome.waited or 0.0) - (last.waited or 0.0) > heard:
        return False
    return not outcome.final and not outcome.counts and last is not None and last.counts == outcome.counts and last.reply == outcome.reply
