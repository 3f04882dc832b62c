"""Settling: an attempt is over, and its message leaves the spool, is put off, or is given up.

The last step of an attempt, and the one where a promise could be broken. The order on disk is that of
`mailer-spool(5)`: a report first, then the records, then the move; for a message that all have, its status, then
its file. What the disk will not take now is kept in memory and tried again, so that nothing is delivered twice
because a disk was full. While the disk is short of room (`short`), nothing is given up that a report would be due for: it waits.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.bounces import REPORTED, ReportQuota
from mailer.bounces.reports import EVERYBODY, worth_telling
from mailer.events import Alarm, Settled, Tried
from mailer.mail.problem import Problem
from mailer.net.aside import LARGE, MANY, portions
from mailer.spool.api import (
    CorruptMessage,
    Defer,
    End,
    Fail,
    GiveBack,
    New,
    NoSuchMessage,
    Note,
    Put,
    Reserve,
    Trouble,
    no_room,
    trouble_of,
)
from mailer.submit import Submission, prepare
from mailer.transport.verdict import kept_back

from . import age
from .tasks import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.bounces import OwnReport
    from mailer.events import Event
    from mailer.mail.history import History, Status
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry, Spool

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
        self.quota = ReportQuota()
        self.known: Callable[[str], bool] = lambda _: False
        """Whether a message of that ID was in the spool once, as far as anybody remembers."""
        self.apart = asyncio.Lock()
        """Held by whoever reads a large message."""
        self.away: set[str] = set()
        """Messages that an operator has this moment."""
        self.short = ""
        """What the disk of the spool lacks; empty while it has room. See `files.layout`."""
        self._news: list[Event] = []  # of the thread that writes: listeners live in the loop

    def knows(self, id: str) -> bool:
        """Whether a message of that ID was in the spool once, as far as anybody remembers now."""
        return self.known(id)

    async def take(self, attempt: Attempt) -> bytes | None:
        """Lease the message of `attempt` and give its content; None if an operator has taken it meanwhile."""
        spool = self.current.context.spool
        if attempt.gone or (attempt.lease is None and not await _leased(spool, attempt)):
            return None
        try:
            return await spool.content(attempt.entry)
        except (NoSuchMessage, CorruptMessage, OSError, MemoryError):
            attempt.gone = True
            return None

    async def take_apart(self, attempt: Attempt) -> bytes | None:
        """`take` for a large message, one of them at a time: they share the memory that there is for such."""
        async with self.apart:
            return await self.take(attempt)

    def finish(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """Note that one part of a message is through before a session had it; see `finished`."""
        progress = Progress("settle", f"message {attempt.entry.id}")
        self.current.context.tasks.spawn(self.finished(attempt, outcomes), progress)

    async def finished(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """Note that one part of a message is through; the last one settles the message.

        A part counts as open until its record is on disk: who settles must know what all have learned.
        """
        context = self.current.context
        for outcome in outcomes:
            if outcome.verdict == "defer":
                outcomes = self._timed(context, attempt, outcomes)
                break
        attempt.unwritten += outcomes
        if attempt.parts > 1 and attempt.lease is not None and any(outcome.verdict == "delivered" for outcome in attempt.unwritten):
            await self._record(context, attempt)
        if attempt.part_done():
            try:
                await self._settle(context, attempt)
            finally:
                context.spool.forget([attempt.entry])

    def _timed(self, context: Context, attempt: Attempt, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes with the time of the next try, or expired, where they are not final."""
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
        assert attempt.lease is not None
        outcomes = [outcome for outcome in attempt.unwritten if outcome.verdict == "delivered"]
        attempt.unwritten = [outcome for outcome in attempt.unwritten if outcome.verdict != "delivered"]
        [done] = await context.spool.record([(attempt.lease, outcomes)])
        if isinstance(done, Trouble):
            attempt.unwritten += outcomes
            context.alarms.met("spool", f"cannot record what became of {attempt.entry.id}: {done.why}")
            return
        attempt.entry.history.add(outcomes)
        context.tell(Tried(context.clock.now(), attempt.entry, outcomes))

    async def _settle(self, context: Context, attempt: Attempt) -> None:
        """All parts are through: the message leaves the spool, is put off, or is given up."""
        if attempt.gone or (attempt.lease is None and not await _leased(context.spool, attempt)):
            await self._give_back(attempt)
            return
        entry = attempt.entry
        assert attempt.lease is not None
        if self.short:
            attempt.unwritten = self._postponed(context, entry, attempt.unwritten)
        outcomes = await self._learned(context, attempt)
        if attempt.owed and not self.short:
            await self._confirm(context, attempt)
        status = entry.history.status()
        if status == "sent":
            await self._tell_settled(context, attempt, outcomes, status)
            context.recorder.release(attempt.lease)  # `left` is called when it is gone
            return
        while not await self._written(context, attempt, outcomes):
            if context.tasks.stopping or self.once:
                self.undone += 1
                await self._give_back(attempt, look=False)
                return  # still where it was; that part of the attempt is made again
            await asyncio.sleep(PAUSE)
            context = self.current.context
        if attempt.gone:
            await self._give_back(attempt)
            return
        await self._tell_settled(context, attempt, outcomes, status)
        context.scheduler.forget(entry.id)
        if entry.state == "deferred":
            context.scheduler.expect(entry.id, entry.history.due)

    async def _learned(self, context: Context, attempt: Attempt) -> list[Outcome]:
        """Take what was learned into the history; what of it is news."""
        history, unwritten, expire = attempt.entry.history, attempt.unwritten, context.policy.schedule.expire
        if len(unwritten) <= MANY:
            news = [*unwritten]
            for outcome in unwritten:
                if outcome.verdict != "delivered":
                    news = [outcome for outcome in unwritten if not _is_old_news(history, outcome, expire)]
                    break
            history.add(unwritten)
            return news
        news = []
        async for portion in portions(unwritten):  # of each recipient there is one
            news += [outcome for outcome in portion if not _is_old_news(history, outcome, expire)]
            history.add(portion)
        return news

    def _postponed(self, context: Context, entry: Entry, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """No room for a report: who would be in one waits, and that is our fault, for which nobody's mail is given up."""
        if not context.policy.reports.due(entry.envelope, outcomes):
            return [*outcomes]
        due = context.clock.now() + SHORT_PAUSE
        return [kept_back(outcome, due) if outcome.verdict in REPORTED else outcome for outcome in outcomes]

    async def _written(self, context: Context, attempt: Attempt, outcomes: Sequence[Outcome]) -> bool:
        """Whether the spool took it, or has nothing left to take it for: the reports first, then the records and the move."""
        entry, history = attempt.entry, attempt.entry.history
        assert attempt.lease is not None
        try:
            reports, notes = await self._due_reports(context, attempt, outcomes)
        except Exception as error:  # what was learned must not be lost with it: then it would be delivered again
            self._unsettled(context, trouble_of(entry.id, error))
            return False
        then = Defer(history.due) if history.pending() else Fail()
        [done] = await context.spool.settle([End(attempt.lease, outcomes, then, reports, notes)])
        self._reported(attempt, reports, done.reports)
        if isinstance(done, Trouble) and done.kind != "gone":
            self._unsettled(context, done)
            return False
        attempt.gone = isinstance(done, Trouble)
        attempt.lease = None
        return True

    @staticmethod
    def _unsettled(context: Context, trouble: Trouble) -> None:
        what = f"cannot {'report on' if trouble.kind == 'report' else 'settle'} message {trouble.id}, which is tried again"
        if trouble.kind == "bug":
            context.alarms.met("bug", f"{what}: {type(trouble.error).__name__}: {trouble.why}", type(trouble.error).__name__)
        else:
            context.alarms.met("spool", f"{what}: {trouble.why}")

    def _late(self, context: Context, attempt: Attempt) -> list[Outcome]:
        """Of whom the sender is to hear that they are late."""
        if self.short:
            return []
        expire = context.policy.schedule.expire
        return context.policy.reports.late(attempt.entry, age.waited_in(attempt, context.clock, expire), expire)

    # Reports

    async def _due_reports(self, context: Context, attempt: Attempt, outcomes: Sequence[Outcome]) -> tuple[list[New], list[Note]]:
        """The reports that are due now, ready to be put, and what is to be noted of them. Raises `Problem` if they cannot be put now.

        One that was put is not made again, also if that was in a run that could not write it down: by now it may be delivered and gone.
        """
        entry, reports = attempt.entry, context.policy.reports
        late = self._late(context, attempt) if entry.history.pending() else []
        if any(note.what == "warned" for note in entry.notes):
            late = []
        failed = reports.due(entry.envelope, outcomes)
        _tell_of_strangers(context, entry, outcomes)
        if not (failed or late):
            return [], []
        content = await context.spool.content(entry)

        def write() -> list[New]:
            written = [reports.report_for(entry, outcomes, content)] if failed else []
            if late:
                ours, expire = all(outcome.scope == "us" for outcome in late), context.policy.schedule.expire
                until = 0.0 if ours else age.deadline_of(attempt, context.clock, expire)
                written.append(reports.warning_for(entry, late, content, until))
            return [new for report in written if report is not None and (new := self._new(context, attempt, report))]

        large = entry.history.count > MANY or entry.total > LARGE
        try:
            news = await asyncio.to_thread(write) if large else write()
        finally:
            self._tell_news(context)
        await self._check_room(context, news)
        return news, [Note("warned", context.clock.now())] if late else []

    async def _confirm(self, context: Context, attempt: Attempt) -> None:
        """Put the reports of success that are owed. One that cannot be put holds up nothing: the mail is delivered."""
        try:
            content = await context.spool.content(attempt.entry)
            reports = await asyncio.to_thread(context.policy.reports.confirmations, attempt.entry, attempt.owed, content)
            news = [new for report in reports if (new := self._new(context, attempt, report))]
            await self._check_room(context, news)
            done = await context.spool.put(news)
            self._reported(attempt, news, [each.id for each in done if isinstance(each, Put) and not each.known])
            for problem in done:
                if isinstance(problem, Problem):
                    raise problem
        except (CorruptMessage, OSError, MemoryError, Problem) as error:
            context.alarms.met("report", f"cannot confirm message {attempt.entry.id}: {error}")
        self._tell_news(context)

    def _new(self, context: Context, attempt: Attempt, report: OwnReport) -> New | None:
        """A report as it is put; None if it was put before, can never be, or there were enough. Raises `Problem` to try it again."""
        entry, now = attempt.entry, context.clock.now()
        if report.id in attempt.reports or self.known(report.id):
            return None
        sender = entry.envelope.sender
        if self._over_quota(context, sender, now):
            return None
        try:
            ready = prepare(Submission(report.message, sender="", recipients=[sender]), context.policy.submission, now, id=report.id)
        except Problem as problem:
            self._not_reported(sender)
            if problem.kind != "bad-message":
                raise
            self._news.append(Alarm(now, "report", f"cannot report on message {entry.id}: {problem}"))  # nor ever will
            return None
        return New(report.id, ready.envelope.to_line(), ready.content)

    async def _check_room(self, context: Context, news: Sequence[New]) -> None:
        """Refuse reports for which the spool has no room. Raises `Problem` (try-again)."""
        settings = context.policy.submission
        size = sum(len(new.content) for new in news)
        if news and (lack := await context.spool.room(Reserve(settings.min_free_space, settings.min_free_inodes), size)):
            raise no_room(context.spool, lack)

    def _reported(self, attempt: Attempt, news: Sequence[New], put: Sequence[str]) -> None:
        """Those of `news` that were `put` are looked at; the others count as none."""
        for new in news:
            if new.id not in put:
                self._not_reported(attempt.entry.envelope.sender)
        if put:
            attempt.reports += tuple(put)
            self.look(put)

    def _not_reported(self, sender: str) -> None:
        self.quota.give_back(sender)
        self.quota.give_back(EVERYBODY)

    def _tell_news(self, context: Context) -> None:
        while self._news:
            context.tell(self._news.pop(0))

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

    async def _give_back(self, attempt: Attempt, *, look: bool = True) -> None:
        """An operator has the message; what he did to it is found out in a moment. Or, not to `look`, the next run has it."""
        context, id = self.current.context, attempt.entry.id
        if attempt.lease is not None:
            await context.spool.settle([End(attempt.lease, (), GiveBack())])
            attempt.lease = None
        context.scheduler.forget(id)
        if look:
            self.away.add(id)
            asyncio.get_running_loop().call_later(1.0, self._look_again, id)

    def _look_again(self, id: str) -> None:
        self.away.discard(id)
        self.look([id])

    def unremovable(self, error: Exception) -> None:
        """Tell that a delivered message would not leave the spool; with `once`, the next run goes on."""
        self.current.context.alarms.met("spool", str(error))
        self.undone += self.once

    def status_alarm(self, error: Exception) -> None:
        """Tell that the status database takes nothing."""
        self.current.context.alarms.met("status", f"cannot write the status database: {error}", "write")


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


def _tell_of_strangers(context: Context, entry: Entry, outcomes: Sequence[Outcome]) -> None:
    """Mail of strangers is given up, and nobody hears of it, since its sender is not proven: that is for the operator to know."""
    envelope = entry.envelope
    if envelope.sender and not envelope.answerable and (given_up := next((each for each in outcomes if each.verdict in REPORTED), None)):
        text = f"message {entry.id} of a stranger was given up, and its sender was not told, for nobody has proven him: {given_up.told}"
        context.alarms.met("unanswered", text)


async def _leased(spool: Spool, attempt: Attempt) -> bool:
    """Lease the message, and whether that is done: an operator may have taken it meanwhile."""
    [lease] = await spool.lease([attempt.entry])
    if isinstance(lease, Trouble):
        attempt.gone = True
        return False
    attempt.lease = lease
    return True


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
