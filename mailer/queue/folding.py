"""Folding: of equal mail of a machine the first goes at once, and what comes within a window after it is folded into one message.

Equal is what has the same submitter, sender, recipients, and shape of the subject (`mailer.mail.shape`), and whose sender is one that
the configuration names; what asks for anything of its own (a report, a time) is equal to nothing. Whoever is folded waits on disk until
the window is over, as its records say. Then one message is put, which says how many there were and has the first and the last few in
it; when that is durable, each of the others is given up, with the reason ``folded into ID``, and kept like all that was given up.

What a crash leaves: messages that wait. They come due by themselves, a while after their window, and are folded together anew. The ID of
the message that stands for them comes from theirs, so the same ones are put once; if some had been given up before the crash, the rest is
told of once more. None is lost. Where nothing is folded any more, whatever waits goes as it is, and so do those of which no message can
be made. What stands for mail that was submitted in a sandbox is of the sandbox, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Settled, Tried
from mailer.mail.outcome import Cause
from mailer.mail.pattern import fits
from mailer.mail.problem import Problem
from mailer.mail.shape import shape
from mailer.net.aside import LARGE
from mailer.spool.api import CorruptMessage, End, Fail, GiveBack, New, NoSuchMessage, Trouble
from mailer.submit import Submission, prepare
from mailer.transport import verdict

from .tasks import Progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from mailer.config.sections.daemon import Fold
    from mailer.mail.outcome import Outcome
    from mailer.mail.principal import Principal
    from mailer.spool.api import Entry
    from mailer.submit import Prepared

    from .context import Context, Current
    from .digest import Folded

GRACE = 60.0  # seconds after its window that a message waits for being folded, before it comes due by itself
GATHER = 2.0  # seconds in which those that came due by themselves find each other
MANY = 10_000  # groups; beyond, mail is not folded
TOGETHER = 50  # messages that are read, or given up, at once

Key = tuple[object, ...]


class Gathering:
    """Equal messages: those that wait, and `until` when."""

    __slots__ = ("ids", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.ids: dict[str, None] = {}


class EqualMail:
    """The groups of equal messages. `hurry` makes messages due, `look` is told what is new in the spool.

    `known` says whether an ID was there once. Without a section that folds, nothing waits.
    """

    def __init__(
        self,
        current: Current,
        hurry: Callable[[Iterable[str]], None],
        look: Callable[[Iterable[str]], None],
        known: Callable[[str], bool],
    ) -> None:
        self.current = current
        self.fold: Fold | None = None
        self.adopted: Callable[[str, Principal], None] = lambda _id, _who: None
        """Told who may ask about a message that stands for his."""
        self._hurry = hurry
        self._look = look
        self._known = known
        self._groups: dict[Key, Gathering] = {}
        self._single: set[str] = set()

    def change(self, fold: Fold | None) -> None:
        """Fold by another section from now on; None does not. What waits then goes as it is, at once."""
        before, self.fold = self.fold, fold if fold is not None and fold.window else None
        if self.fold is None and before is not None:
            waiting = [id for group in self._groups.values() for id in group.ids]
            self._groups.clear()
            self._hurry(waiting)

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more."""
        for group in self._groups.values():
            group.until += seconds

    # What is asked

    def put_off(self, entry: Entry, now: float, *, urged: bool) -> list[Outcome]:
        """Outcomes of a message that waits to be folded; none for one that goes on."""
        if self.fold is None:
            return []
        id = entry.id
        if id in self._single:
            self._single.discard(id)
            return []
        waited = any(last.cause is Cause.FOLDING for last in entry.history.last.values())
        key = None if urged or (entry.history.outcomes and not waited) else self._key(entry, self.fold)
        if key is None:
            return []
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MANY:
                return []
            group = self._groups[key] = Gathering(now + (GATHER if waited else self.fold.window))
            if not waited:
                return []  # the first one
        group.ids[id] = None
        if len(group.ids) >= self.fold.most:
            group.until = min(group.until, now)
        due = max(group.until, now) + GRACE
        return verdict.folding(entry.history.pending(), now, due)

    @staticmethod
    def _key(entry: Entry, fold: Fold) -> Key | None:
        """What equal messages have in common; None for one that is not folded."""
        envelope = entry.envelope
        sender = envelope.sender
        if (
            not sender
            or entry.total > LARGE
            or envelope.options.keys() - {"sandbox"}
            or not any(fits(each, sender) for each in fold.senders)
        ):
            return None
        people = tuple(sorted(recipient.address for recipient in envelope.recipients))
        return envelope.principal, sender, people, shape(envelope.subject), entry.boxed

    # What is done when a window is over

    def look(self, now: float) -> None:
        """Fold those whose window is over."""
        for key, group in [*self._groups.items()]:
            if now < group.until:
                continue
            if not group.ids or self.fold is None:
                del self._groups[key]
                continue
            ids, group.ids = [*group.ids], {}
            group.until = now + self.fold.window
            tasks = self.current.context.tasks
            tasks.spawn(self._folded(ids, self.fold), Progress("settle", f"{len(ids)} equal messages"))

    async def _folded(self, ids: list[str], fold: Fold) -> None:
        """Fold these messages into one. What cannot be read comes due by itself, and so does what is not given up."""
        context = self.current.context
        entries = [entry async for entry in self._waiting(context, sorted(ids))]
        if len(entries) < 2:
            self._single.update(entry.id for entry in entries)
            self._hurry([entry.id for entry in entries])
            return
        try:
            id = await self._put(context, entries, fold)
        except (Problem, NoSuchMessage, CorruptMessage, OSError, MemoryError) as error:
            if isinstance(error, Problem) and error.kind == "bad-message":  # nor will it be right the next time
                self._single.update(ids := [entry.id for entry in entries])
                self._hurry(ids)
                return
            context.alarms.met("spool", f"{len(entries)} equal messages cannot be folded, and are tried again: {error}", "fold")
            return
        self._look([id])
        for at in range(0, len(entries), TOGETHER):
            await self._given_up(context, [entry.id for entry in entries[at : at + TOGETHER]], id)

    async def _waiting(self, context: Context, ids: Sequence[str]) -> AsyncIterator[Entry]:
        """Those of the messages that wait still; nothing of their content is kept."""
        for at in range(0, len(ids), TOGETHER):
            found = [entry for entry in await context.spool.load(ids[at : at + TOGETHER], LARGE) if not isinstance(entry, Trouble)]
            context.spool.forget(found)
            for entry in found:
                if entry.state == "deferred":
                    yield entry

    async def _put(self, context: Context, entries: Sequence[Entry], fold: Fold) -> str:
        """Put the message that stands for `entries`; returns its ID. Raises what keeps it from the disk, or makes it no message."""
        from .digest import digest_id  # which few machines need

        id = digest_id([entry.id for entry in entries])
        if self._known(id):  # a run put it that could not write that down
            return id
        try:
            ready = await self._ready(context, id, entries, fold.enclosed)
        except Problem:  # too large with what is enclosed, perhaps
            ready = await self._ready(context, id, entries, 0)
        first = entries[0].envelope
        ready.envelope.submitter = first.submitter
        [done] = await context.spool.put([New(id, ready.envelope.to_line(), ready.content)])
        if isinstance(done, Problem):
            raise done
        if (who := first.principal) is not None:
            self.adopted(id, who)
        return id

    @staticmethod
    async def _ready(context: Context, id: str, entries: Sequence[Entry], some: int) -> Prepared:
        """The message that stands for `entries`, with so many of the first and of the last in it; of a sandbox, if they are."""
        from .digest import Folded, digest

        now = context.clock.now()
        found: list[Folded] = []
        template = b""
        for nth, entry in enumerate(entries):
            whole = nth < some or nth >= len(entries) - some
            template = await context.spool.content(entry) if whole or nth == len(entries) - 1 else template
            found.append(Folded(entry.id, entry.arrived, entry.envelope.subject, template if whole else b""))
        first = entries[0].envelope
        content = digest(id, found, template, context.policy.submission.hostname, now)
        people = [recipient.address for recipient in first.recipients if recipient.outcome is None]
        options = {"folded": len(entries)} | next(({"sandbox": each.envelope.options["sandbox"]} for each in entries if each.boxed), {})
        asked = Submission(content, sender=first.sender, recipients=people, priority=first.priority, options=options)
        return prepare(asked, context.policy.submission, now, id=id)

    async def _given_up(self, context: Context, ids: Sequence[str], into: str) -> None:
        """The messages are given up, as folded into the one that is durable now; those that nobody else has taken meanwhile."""
        now = context.clock.now()
        entries = [entry async for entry in self._waiting(context, ids)]
        leases = [lease for lease in await context.spool.lease(entries) if not isinstance(lease, Trouble)]
        learned = [verdict.folded(lease.entry.history.pending(), into, now) for lease in leases]
        done = await context.spool.settle([End(lease, outcomes, Fail()) for lease, outcomes in zip(leases, learned, strict=True)])
        for lease, outcomes, result in zip(leases, learned, done, strict=True):
            entry = lease.entry
            if isinstance(result, Trouble):  # it waits still, and is told of once more
                if result.kind != "gone":
                    context.alarms.met("spool", f"cannot settle message {entry.id}, which was folded: {result.why}", "fold")
                    await context.spool.settle([End(lease, (), GiveBack())])
                continue
            entry.history.add(outcomes)
            context.scheduler.forget(entry.id)
            context.tell(Tried(now, entry, outcomes))
            context.tell(Settled(now, entry, entry.history.status()))
