"""Acts upon what other hosts report: a part of the daemon, to which every source of reports leads by the same directory.

A report waits in the place of reports (`mailer.reports`) until all that follows from it is done, in the order of `mailer.bounces.effects`.
Whatever happens in between, it is still there, and all is done again with nobody seeing it. Reading and matching run in a thread, for a
stranger wrote what is read. What concerns all of them (a list that cannot be opened, a full disk) lets all wait, which is an alarm. What
concerns one (a file that cannot be read or moved, a sender whose aliases are damaged) lets that one wait, and those behind it have their
turn. One over which the program itself stumbles is set aside as unmatched, and told.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mailer.dsn.reading import read
from mailer.events import Alarm, Mended, ReportsHeard, Seen, Tried
from mailer.io.component import Component
from mailer.mail.history import LATER
from mailer.mail.problem import Problem
from mailer.net.aside import aside
from mailer.reports.api import SettledReport
from mailer.reports.selecting import addressed
from mailer.spool import first_id, put_at
from mailer.status.api import StatusError
from mailer.suppression.api import SuppressionTerms

from . import aggregates, keys
from .effects import SUMS, Consequences, FeedbackRules, plan
from .marking import is_marked, marked
from .matching import match
from .reports import EVERYBODY, ReportQuota, report_id, worth_telling
from .world import SpoolWorld

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config import Config
    from mailer.config.sections import SubmissionSettings
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.journal.api import Journal
    from mailer.journal.chronicle import Chronicle
    from mailer.reports.api import Facts, LoadedReport, Reports, ReportState
    from mailer.spool.api import Changes, Entry
    from mailer.spool.files.store import SpoolDirectory
    from mailer.status.api import StatusReader, StatusRecorder
    from mailer.suppression.api import SuppressionList

Put = Callable[[bytes, str, "SubmissionSettings", float, str], object]
"""Puts a message for an address, as it is, under an ID; `Problem` where that cannot be. Called in a thread."""

POLL = 1.0  # seconds between two looks whether something has come, which cost one stat(2) each
AGAIN = 30.0  # seconds until what could not be done is tried again
BATCH = 50  # reports that are acted upon together, and share the waits for the disk
SILENT = 86400.0  # seconds without a report after which it is told that none comes
SILENT_EVERY = 3600.0
FEW = 20  # recipients who were refused within that time, of which some would have been heard of later
TAIL = 600.0  # seconds at the end of the journal in which events may be that a crash has kept from the status
MOST_TAIL = 200_000  # events of it that are read
TOGETHER = 16 << 20  # octets of reports that are in memory at a time, and one more report


class _Read(NamedTuple):
    """A report that was read and matched: what follows from it, or the `bug` over which the program stumbled."""

    id: str
    facts: Facts
    plan: Consequences | None
    bug: BaseException | None = None


class ReportHearing(Component):
    """What acts upon the reports in `kept`.

    `suppression` is the list, `status` writes what became of mail and `reader` opens what reads it; `chronicle` gives what writes the
    journal, None where nobody subscribes. `put` puts into the spool what a sender gets.
    """

    def __init__(
        self,
        config: Config,
        kept: Reports,
        suppression: SuppressionList,
        status: StatusRecorder,
        reader: Callable[[], StatusReader],
        spool: SpoolDirectory,
        chronicle: Callable[[], Chronicle | None],
        put: Put,
        tell: Callable[[Event], None],
        clock: Clock,
        chores: Chores,
        *,
        once: bool = False,
    ) -> None:
        self.soon = asyncio.Event()
        """Set by whoever has taken a report."""
        self._config = config
        self._kept = kept
        self._suppression = suppression
        self._status = status
        self._reader = reader
        self._spool = spool
        self._chronicle = chronicle
        self._put = put
        self._tell = tell
        self._clock = clock
        self._chores = chores
        self._once = once
        self._quota = ReportQuota()
        self._known: set[tuple[str, str, str]] | None = None  # what the journal has from a daemon before
        self._seen: tuple[int, int] | None = None
        self._again_at = 0.0
        self._later: dict[str, str] = {}  # reports of this look that wait alone, and why
        self._silent_since = clock.now()
        self._heard_at = 0.0
        self._refused = 0

    async def start(self) -> None:
        """Begin to look for reports; with `once`, act upon those that are there."""
        if self._once:
            await self._look()
            return
        self._chores.every(POLL, self._poll, soon=self.soon, what="reports of other hosts could not be acted upon")
        self._chores.every(SILENT_EVERY, self._listen)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Let other rules hold for the reports that come next."""
        yield
        self._config = config
        self._again_at = 0.0

    async def heard(self, changes: Changes) -> None:
        """Look soon, where another process has taken a report. Without the bell, the next poll finds it."""
        if changes.reports or changes.everything:
            self.soon.set()

    async def end_pass(self) -> None:
        """Act upon what has come since the start of the one pass."""
        await self._look()

    async def _poll(self) -> None:
        """Look, if something has come, or something is left that could not be done."""
        now = self._clock.now()
        came = self._change()
        if (came != self._seen or self._again_at) and now >= self._again_at:
            self._again_at = 0.0
            self._seen = came
            await self._look()

    def _change(self) -> tuple[int, int]:
        """What changes when a report comes."""
        try:
            found = os.stat(self._spool.beside("reports/new"))
        except OSError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns

    async def _look(self) -> None:
        """Act upon all that waits. What cannot be done now is told, and tried again."""
        self._later, after = {}, ""
        try:
            while ids := await self._kept.waiting(BATCH, after):
                await self._act(ids)
                after = ids[-1]
        except (OSError, StatusError, Problem) as error:
            self._trouble(str(error))
            return
        if self._later:
            [(id, why), *more] = self._later.items()
            self._trouble(f"{id}: {why}" + (f"; and {len(more)} others" if more else ""))
        else:
            self._tell(Mended(self._clock.now(), "bounces", "act", "reports are acted upon again"))

    def _trouble(self, why: str) -> None:
        now = self._clock.now()
        self._again_at = now + AGAIN
        self._tell(Alarm(now, "bounces", f"reports of other hosts wait: {why}", "act", "mailer bounces reports lists them"))

    # One batch

    async def _act(self, ids: Sequence[str]) -> None:
        """All that follows from these reports, in its order; each step is durable before the next. Raises what a step raises."""
        found, unrecorded = await self._read_all(ids)
        plans = _once_each([each.plan for each in found if each.plan is not None])
        await self._suppress(plans)
        await self._write_journal(plans)
        await self._write_status(plans, unrecorded)
        settled = {id: SettledReport(id, "unmatched", {"why": "its file cannot be read"}) for id in ids if id not in self._later}
        for stumbled in found:
            if stumbled.bug is not None:
                settled[stumbled.id] = self._stumbled(stumbled.id, stumbled.bug)
        for each in plans:
            try:
                passed = await self._forward(each) if each.forward else ""
            except Problem as problem:
                if problem.kind in ("try-again", "io-error"):
                    raise
                self._later[each.id] = str(problem)
                del settled[each.id]
                continue
            settled[each.id] = SettledReport(each.id, each.state, each.note(passed))
        settled.update(await self._count_sums(found))
        await self._settle([*settled.values()])
        self._heard_at = self._clock.now()
        for each in plans:
            if each.id not in self._later:
                self._tell(ReportsHeard(self._heard_at, each.heard))

    def _stumbled(self, id: str, bug: BaseException) -> SettledReport:
        """Tell that the program stumbled over a report, and set it aside."""
        self._tell(Alarm.of(self._clock.now(), bug))
        return SettledReport(id, "unmatched", {"why": f"the program stumbled over it: {type(bug).__name__}"})

    async def _settle(self, settled: Sequence[SettledReport]) -> None:
        """Settle all; where that fails, each by itself, for one may be the reason."""
        try:
            await self._kept.settle(settled)
        except OSError:
            for each in settled:
                try:
                    await self._kept.settle([each])
                except OSError as error:
                    self._later[each.id] = str(error)

    async def _read_all(self, ids: Sequence[str]) -> tuple[list[_Read], list[Entry]]:
        """Read and match reports; no more than some are in memory at a time."""
        found: list[_Read] = []
        unrecorded: list[Entry] = []
        waiting: list[LoadedReport] = []
        for at, id in enumerate(ids, 1):
            try:
                waiting += await self._kept.load([id])
            except OSError as error:
                self._later[id] = str(error)
            if waiting and (at == len(ids) or sum(len(each.content) for each in waiting) > TOGETHER):
                some, entries = await aside(partial(self._read_some, waiting))
                found += some
                unrecorded += entries
                waiting = []
        return found, unrecorded

    def _read_some(self, loaded: Sequence[LoadedReport]) -> tuple[list[_Read], list[Entry]]:
        bounce = self._config.bounce
        secrets = keys.secrets_of(keys.read(keys.place(self._config))) if bounce.address else ()
        kept = self._reader()
        try:
            world = SpoolWorld(self._spool, kept)
            return [self._read(each, world, secrets) for each in loaded], [*world.unrecorded.values()]
        finally:
            kept.close()

    def _read(self, loaded: LoadedReport, world: SpoolWorld, secrets: Sequence[bytes]) -> _Read:
        """Raises nothing: what a stranger wrote may stop neither the reports behind it nor the daemon."""
        id, facts, content = loaded
        bounce = self._config.bounce
        try:
            report = read(content)
            matched = match(report, facts, world, bounce.address, secrets, came_to=[addressed(content, bounce.address).recipient])
            forward = bounce.forward == "sender" and not is_marked(content)
            return _Read(id, facts, plan(id, report, facts, matched, FeedbackRules(bounce.address, forward, self._config.suppress)))
        except (Exception, RecursionError) as error:
            return _Read(id, facts, None, error)

    async def _suppress(self, plans: Sequence[Consequences]) -> None:
        """Put addresses on the list. Raises `Problem`."""
        entries = [entry for each in plans for entry in each.suppress]
        if entries:
            await self._suppression.add(entries, terms=SuppressionTerms(*self._config.suppress.terms))

    async def _write_journal(self, plans: Sequence[Consequences]) -> None:
        """Write what follows, but what a daemon that was killed has written already. Raises `OSError`."""
        events = [event for each in plans for event in each.events]
        chronicle = self._chronicle()
        if chronicle is None or not events:
            return
        if self._known is None:
            self._known = await _tail(chronicle.journal)
        new = [event for event in events if (event.type, event.message, event.to) not in self._known]
        if new:
            await chronicle.journal.append(new)

    async def _write_status(self, plans: Sequence[Consequences], unrecorded: Sequence[Entry]) -> None:
        """Raises `StatusError`."""
        now = self._clock.now()
        seen: list[Event] = [Seen(entry.arrived, entry) for entry in unrecorded]
        await self._status.write([*seen, *(ReportsHeard(now, each.heard) for each in plans)])

    async def _count_sums(self, found: Sequence[_Read]) -> dict[str, SettledReport]:
        """Add up what aggregate reports say; how they are settled. Raises `StatusError`."""
        settled = {}
        for each in found:
            if each.plan is None or each.plan.kind not in SUMS:
                continue
            for loaded in await self._kept.load([each.id]):
                try:
                    note = await aggregates.count(loaded.content, each.facts.at, self._status, aggregates.ours(self._config))
                except (OSError, StatusError):
                    raise
                except Exception as bug:
                    settled[each.id] = self._stumbled(each.id, bug)
                    continue
                state: ReportState = "done" if note["counted"] or note["known"] else "unmatched"
                settled[each.id] = SettledReport(each.id, state, {"kind": str(each.plan.kind), **note})
        return settled

    async def _forward(self, each: Consequences) -> str:
        """Let the sender have the report: who got it, or empty, with the reason told. Raises `Problem`, `OSError`."""
        assert each.sent is not None
        now, settings = self._clock.now(), self._config.bounce
        id = report_id(each.sent.id, f"forwarded {each.id}", ())
        if self._status.knows(id) or self._spool.find(id) is not None:
            return each.forward
        if over := self._quota.take(each.forward, settings.max_per_hour, now):
            problem = f"{each.forward} has got {settings.max_per_hour} reports of other hosts within an hour (bounce.max_per_hour)"
        elif over := self._quota.take(EVERYBODY, settings.max_per_hour_in_all, now):
            problem = f"{settings.max_per_hour_in_all} reports of other hosts were passed on within an hour (bounce.max_per_hour_in_all)"
        if over:
            if worth_telling(over):
                self._tell(Alarm(now, "reports", f"{problem}: {over} more were kept and not passed on"))
            return ""
        for loaded in await self._kept.load([each.id]):
            content = marked(loaded, self._config.hostname, now)
            try:
                await aside(partial(self._put, content, each.forward, self._config.submitting, now, id))
            except Problem as problem:
                if problem.kind != "bad-message":
                    self._quota.give_back(each.forward)
                    self._quota.give_back(EVERYBODY)
                    raise
                self._tell(Alarm(now, "report", f"cannot pass on report {each.id}: {problem}"))  # nor ever will
                return ""
            return each.forward
        return ""

    # That none comes

    def told(self, event: Event) -> None:
        """Count who was refused, for `_listen`."""
        if isinstance(event, Tried):
            self._refused += sum(outcome.verdict == "fail" for outcome in event.outcomes)

    def _listen(self) -> None:
        """Tell where mail fails and no report comes: its way is broken, or nobody reads the mailbox."""
        now = self._clock.now()
        since = max(self._heard_at, self._silent_since)
        if not self._config.bounce.address or now - since < SILENT:
            if self._heard_at > self._silent_since:
                self._tell(Mended(now, "bounces", "silent", "a report has come"))
            return
        if self._refused >= FEW:
            text = f"no report of another host has come for a day, and {self._refused} recipients were refused at once meanwhile"
            remedy = f"write to {self._config.bounce.address} from elsewhere: mailer bounces reports shows whether it comes"
            self._tell(Alarm(now, "bounces", text, "silent", remedy))
        self._refused, self._silent_since = 0, now


def _once_each(plans: Sequence[Consequences]) -> list[Consequences]:
    """The plans of a batch, in which a recipient bounces or complains once, however many reports say so."""
    done: set[tuple[str, str, str]] = set()
    found = []
    for each in plans:
        events = [event for event in each.events if (event.type, event.message, event.to) not in done]
        done.update((event.type, event.message, event.to) for event in events)
        found.append(each._replace(events=events))
    return found


async def _tail(journal: Journal) -> set[tuple[str, str, str]]:
    """Who has bounced or complained of what at the end of `journal`: of a daemon before, its last batch may be there. Raises `OSError`."""
    found: set[tuple[str, str, str]] = set()
    if not (last := await journal.last()):
        return found
    after, left = first_id(put_at(last) - TAIL), MOST_TAIL
    while left > 0 and (page := await journal.read(after)):
        found.update((event.type, event.message, event.to) for event in page if event.type in LATER)
        after, left = page[-1].id, left - len(page)
    return found
