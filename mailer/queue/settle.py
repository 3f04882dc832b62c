"""Settling: an attempt is over, and its message leaves the spool, is put off, or is given up.

The last step of an attempt, and the one where a promise could be broken. The order on disk is that of
`mailer-spool(5)`: a report first, then the records, then the move; for a message that all have, its status, then
its file. What the disk will not take now is kept in memory and tried again, so that nothing is delivered twice
because a disk was full. While the disk is short of room (`short`), nothing is given up that a report would be due for: it waits.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from mailer.bounces import REPORTED, Quota
from mailer.bounces.reports import EVERYBODY, worth_telling
from mailer.events import Alarm, Settled, Tried
from mailer.mail.problem import Problem
from mailer.net.aside import LARGE, MANY, aside, portions
from mailer.spool.api import Busy, CorruptMessage, NoSuchMessage, Note
from mailer.submit import Submission, submit

from ..transport.verdict import kept_back
from . import age
from .tasks import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.bounces import Report
    from mailer.events import Event
    from mailer.mail.history import History, Status
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry
    from mailer.spool.files.store import Claim

    from .attempt import Attempt
    from .context import Context, Current

PAUSE = 5.0  # seconds before a message that the disk would not take is settled again
SHORT_PAUSE = 300.0  # seconds before it is looked again whether there is room for a report
HEARD = 3600.0  # seconds of waiting that a restart may forget


class Settler:
    """Writes down what attempts have taught. `look` is told of messages that have changed by it; with `once`, what the disk does not take
    now is left to the next run."""

    def __init__(self, current: Current, look: Callable[[Iterable[str]], None], *, once: bool = False) -> None:
        self.current = current
        self.look = look
        self.once = once
        self.undone = 0
        """Of how many messages the disk did not take what became of them, with `once`."""
        self.quota = Quota()
        self.known: Callable[[str], bool] = lambda _: False
        """Whether a message of that ID was in the spool once, as far as anybody remembers."""
        self.apart = asyncio.Lock()
        """Held by whoever reads a large message."""
        self.away: set[str] = set()
        """Messages that an operator has this moment."""
        self.short = ""
        """What the disk of the spool lacks; empty while it has room. See `files.layout`."""
        self._news: list[Event] = []  # of the thread that writes: listeners live in the loop

    def take(self, attempt: Attempt) -> bytes | None:
        """Lock the message of `attempt` and give its content; None if an operator has taken it meanwhile."""
        if attempt.gone:
            return None
        try:
            if attempt.claim is None:
                context = self.current.context
                attempt.entry.fd, attempt.entry.content = context.cache.claimed(attempt), attempt.content
                attempt.claim = context.spool.claim_again(attempt.entry)
            return attempt.claim.content
        except (Busy, NoSuchMessage, CorruptMessage, OSError, MemoryError):
            attempt.gone = True
            return None

    async def take_apart(self, attempt: Attempt) -> bytes | None:
        """`take` for a large message, which may have to be read once more: in a thread."""
        context = self.current.context
        async with self.apart:
            if attempt.gone or attempt.claim is not None:
                return self.take(attempt)
            attempt.entry.fd, attempt.entry.content = context.cache.claimed(attempt), attempt.content
            claiming = asyncio.ensure_future(aside(partial(_claimed, context, attempt)))
            try:
                attempt.claim = await asyncio.shield(claiming)
            except asyncio.CancelledError:
                claiming.add_done_callback(_let_go)
                raise
            except (Busy, NoSuchMessage, CorruptMessage, OSError, MemoryError):
                attempt.gone = True
                return None
            return attempt.claim.content

    def finish(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """Note that one part of a message is through before a session had it; see `finished`."""
        progress = Progress("settle", f"message {attempt.entry.id}")
        self.current.context.tasks.spawn(self.finished(attempt, outcomes), progress)

    async def finished(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """Note that one part of a message is through; the last one settles the message.

        A part counts as open until its record is on disk: who settles must know what all have learned.
        """
        context = self.current.context
        if outcomes:
            attempt.unwritten += self._timed(context, attempt, outcomes)
        if attempt.parts > 1 and attempt.claim is not None and any(outcome.verdict == "delivered" for outcome in attempt.unwritten):
            await self._record(context, attempt)
        if attempt.part_done():
            try:
                await self._settle(context, attempt)
            finally:
                context.cache.let_go(attempt)

    def _timed(self, context: Context, attempt: Attempt, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes with the time of the next try, or expired, where they are not final."""
        if "defer" not in [outcome.verdict for outcome in outcomes]:
            return [*outcomes]
        chance = context.random()  # one for all: what was tried together is tried together again
        expire = context.policy.schedule.expire
        waited, deadline = age.waited_in(attempt, context.clock, expire), age.deadline_of(attempt, context.clock, expire)
        return [
            outcome if outcome.final else _next(context, attempt.entry, outcome._replace(waited=waited), deadline, chance)
            for outcome in outcomes
        ]

    async def _record(self, context: Context, attempt: Attempt) -> None:
        """Some have it and others are not through: that is on disk before anything else happens.

        Failures wait for the end of the attempt, since a report has to be put before they are written.
        """
        assert attempt.claim is not None
        outcomes = [outcome for outcome in attempt.unwritten if outcome.verdict == "delivered"]
        attempt.unwritten = [outcome for outcome in attempt.unwritten if outcome.verdict != "delivered"]
        try:
            await asyncio.to_thread(context.spool.record, attempt.claim, outcomes)
        except (OSError, MemoryError) as error:
            attempt.unwritten += outcomes
            context.alarms.once("spool", f"cannot record what became of {attempt.entry.id}: {_words(error)}")
            return
        attempt.entry.history.add(outcomes)
        context.tell(Tried(context.clock.now(), attempt.entry, outcomes))

    async def _settle(self, context: Context, attempt: Attempt) -> None:
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
            attempt.unwritten = self._postponed(context, entry, attempt.unwritten)
        outcomes = await self._learned(context, attempt)
        if attempt.owed and not self.short:
            await self._confirm(context, attempt)
        status = entry.history.status()
        if status == "sent":
            await self._tell_settled(context, attempt, outcomes, status)
            assert attempt.claim is not None
            context.recorder.release(attempt.claim)  # `left` is called when it is gone
            return
        while not await self._written(context, attempt, outcomes):
            if context.tasks.stopping or self.once:
                self.undone += 1
                if attempt.claim is not None:
                    attempt.claim.close()
                context.scheduler.forget(entry.id)
                return  # still where it was; that part of the attempt is made again
            await asyncio.sleep(PAUSE)
            context = self.current.context
            if not self._renewed(context, attempt):
                self._give_back(attempt)
                return
        await self._tell_settled(context, attempt, outcomes, status)
        self._close(context, attempt)

    async def _learned(self, context: Context, attempt: Attempt) -> list[Outcome]:
        """Take what was learned into the history; what of it is news."""
        history, unwritten, expire = attempt.entry.history, attempt.unwritten, context.policy.schedule.expire
        if len(unwritten) <= MANY:
            news = [outcome for outcome in unwritten if not _is_old_news(history, outcome, expire)]
            history.add(unwritten)
            return news
        news = []
        async for portion in portions(unwritten):  # of each recipient there is one
            news += [outcome for outcome in portion if not _is_old_news(history, outcome, expire)]
            history.add(portion)
        return news

    def _renewed(self, context: Context, attempt: Attempt) -> bool:
        """Whether what could not be settled is still ours to settle: its file is where it was."""
        assert attempt.claim is not None
        try:
            context.spool.renew(attempt.claim)
        except NoSuchMessage:
            attempt.claim.close()
            return False
        except (Problem, OSError):  # the next try to settle it says what is wrong
            pass
        return True

    async def _confirm(self, context: Context, attempt: Attempt) -> None:
        """Put the reports of success that are owed. One that cannot be put holds up nothing: the mail is delivered."""
        claim = attempt.claim
        assert claim is not None
        try:
            await asyncio.to_thread(self._put_confirmations, context, attempt, claim.content)
        except (OSError, MemoryError, Problem) as error:
            context.alarms.once("report", f"cannot confirm message {attempt.entry.id}: {error}")
        self.look(attempt.reports)
        while self._news:
            context.tell(self._news.pop(0))

    def _put_confirmations(self, context: Context, attempt: Attempt, content: bytes) -> None:
        for report in context.policy.reports.confirmations(attempt.entry, attempt.owed, content):
            self._report(context, attempt, report)

    def _postponed(self, context: Context, entry: Entry, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """No room for a report: who would be in one waits, and that is our fault, for which nobody's mail is given up."""
        if not context.policy.reports.due(entry.envelope, outcomes):
            return [*outcomes]
        due = context.clock.now() + SHORT_PAUSE
        return [kept_back(outcome, due) if outcome.verdict in REPORTED else outcome for outcome in outcomes]

    async def _written(self, context: Context, attempt: Attempt, outcomes: Sequence[Outcome]) -> bool:
        """Whether the disk took it: the report first, then the records and the move."""
        reported = attempt.reports
        try:
            history = attempt.entry.history
            if history.count > MANY:
                await asyncio.to_thread(lambda: self._write(context, attempt, outcomes, self._late(context, attempt)))
            elif (late := self._late(context, attempt)) or any(outcome.final for outcome in outcomes) or not history.pending():
                await asyncio.to_thread(self._write, context, attempt, outcomes, late)
            else:  # nothing to sync, so nothing to wait for
                self._write(context, attempt, outcomes, late)
        except OSError as error:
            context.alarms.once("spool", f"cannot settle message {attempt.entry.id}, which is tried again: {_words(error)}")
            return False
        except Problem as failure:
            context.alarms.once("spool", f"cannot report on message {attempt.entry.id}, which is tried again: {failure}")
            return False
        except Exception as error:  # what was learned must not be lost with it: then it would be delivered again
            context.alarms.once("bug", f"cannot settle message {attempt.entry.id}, which is tried again: {type(error).__name__}: {error}")
            return False
        finally:
            if attempt.reports is not reported:
                self.look(attempt.reports)
            while self._news:
                context.tell(self._news.pop(0))
        return True

    def _late(self, context: Context, attempt: Attempt) -> list[Outcome]:
        """Of whom the sender is to hear that they are late."""
        if self.short:
            return []
        expire = context.policy.schedule.expire
        return context.policy.reports.late(attempt.entry, age.waited_in(attempt, context.clock, expire), expire)

    def _write(self, context: Context, attempt: Attempt, outcomes: Sequence[Outcome], late: Sequence[Outcome]) -> None:
        """The steps on disk, in the order that `mailer-spool(5)` gives.

        A report that was put is not put again when a later step fails: by then it may be delivered and gone.
        """
        claim, history = attempt.claim, attempt.entry.history
        assert claim is not None
        if report := context.policy.reports.report_for(attempt.entry, outcomes, claim.content):
            self._report(context, attempt, report)
        if not history.pending():
            context.spool.fail(claim, outcomes)
            return
        if late:
            self._warn(context, attempt, claim, late)
        context.spool.defer(claim, outcomes, history.due)

    def _warn(self, context: Context, attempt: Attempt, claim: Claim, late: Sequence[Outcome]) -> None:
        """Tell the sender that the message is late, unless the file says that he was told. The report goes before the note of it."""
        if any(note.what == "warned" for note in attempt.entry.notes):
            return
        ours, expire = all(outcome.scope == "us" for outcome in late), context.policy.schedule.expire
        until = 0.0 if ours else age.deadline_of(attempt, context.clock, expire)
        self._report(context, attempt, context.policy.reports.warning_for(attempt.entry, late, claim.content, until))
        context.spool.note(claim, [Note("warned", context.clock.now())])

    def _report(self, context: Context, attempt: Attempt, report: Report) -> None:
        """Put a report, unless it was put before, also by a run that could not write that down, or there were enough of them.

        Raises `Problem` if it has to be tried again.
        """
        entry, now = attempt.entry, context.clock.now()
        if report.id in attempt.reports or context.spool.find(report.id) or self.known(report.id):
            return
        sender = entry.envelope.sender
        if self._over_quota(context, sender, now):
            return
        try:
            submit(Submission(report.message, sender="", recipients=[sender]), context.policy.submission, now, id=report.id)
        except Problem as failure:
            self.quota.give_back(sender)
            self.quota.give_back(EVERYBODY)
            if failure.kind != "bad-message":
                raise
            self._news.append(Alarm(now, "report", f"cannot report on message {entry.id}: {failure}"))  # nor ever will
            return
        attempt.reports += (report.id,)

    def _over_quota(self, context: Context, sender: str, now: float) -> bool:
        """Whether `sender`, or all together, have had their reports of this hour; that is told."""
        reports = context.policy.reports
        if over := self.quota.take(sender, reports.max_per_hour, now):
            problem = f"{sender} has got {reports.max_per_hour} reports within an hour (bounce.max_per_hour)"
        elif over := self.quota.take(EVERYBODY, reports.max_per_hour_in_all, now):
            self.quota.give_back(sender)
            problem = f"{reports.max_per_hour_in_all} reports were written within an hour (bounce.max_per_hour_in_all)"
        if over and worth_telling(over):
            self._news.append(Alarm(now, "reports", f"{problem}: {over} more were not written"))
        return over > 0

    async def _tell_settled(self, context: Context, attempt: Attempt, outcomes: Sequence[Outcome], status: Status) -> None:
        entry, now = attempt.entry, context.clock.now()
        if len(outcomes) > MANY:
            async for portion in portions(outcomes):
                context.tell(Tried(now, entry, portion))
        elif outcomes:
            context.tell(Tried(now, entry, outcomes))
        context.tell(Settled(now, entry, status, entry.history.due if status == "deferred" else 0.0))

    def _close(self, context: Context, attempt: Attempt) -> None:
        """The message is put off or given up, and its lock is free."""
        assert attempt.claim is not None
        attempt.claim.close()
        entry = attempt.entry
        context.scheduler.forget(entry.id)
        if entry.state == "deferred":
            context.scheduler.expect(entry.id, entry.history.due)

    def _give_back(self, attempt: Attempt) -> None:
        """An operator has the message; what he did to it is found out in a moment."""
        id = attempt.entry.id
        self.current.context.scheduler.forget(id)
        self.away.add(id)
        asyncio.get_running_loop().call_later(1.0, self._look_again, id)

    def _look_again(self, id: str) -> None:
        self.away.discard(id)
        self.look([id])

    def unremovable(self, error: Exception) -> None:
        """Tell that a delivered message would not leave the spool; with `once`, the next run goes on."""
        self.current.context.alarms.once("spool", str(error))
        self.undone += self.once

    def status_alarm(self, error: Exception) -> None:
        """Tell that the status database takes nothing: not by an event, which would go there, too."""
        self.current.context.alarms.once("status", f"cannot write the status database: {error}")


def _next(context: Context, entry: Entry, outcome: Outcome, deadline: float, chance: float) -> Outcome:
    now = context.clock.now()
    if outcome.scope == "us":
        outcome = outcome._replace(counts=False)
    elif now >= deadline:
        return outcome._replace(verdict="expire")
    else:  # one last try when its time is up: nobody waits for the news until a step of hours is over
        return outcome._replace(due=min(outcome.due or _step(context, entry, outcome, now, chance), deadline))
    return outcome if outcome.due else outcome._replace(due=_step(context, entry, outcome, now, chance))


def _step(context: Context, entry: Entry, outcome: Outcome, now: float, chance: float) -> float:
    tries = entry.history.tries.get(outcome.to, 0) + outcome.counts
    return context.policy.schedule.next_due(max(tries, 1), now, lambda: chance)


def _words(error: OSError | MemoryError) -> str:
    return getattr(error, "strerror", "") or str(error) or "there is not enough memory"


def _claimed(context: Context, attempt: Attempt) -> Claim:
    claim = context.spool.claim_again(attempt.entry)
    assert claim.content is not None  # it is read here, in a thread
    return claim


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
