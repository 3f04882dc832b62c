"""The spool on a disk, as `mailer.spool.api.Spool` is asked: a `SpoolDirectory`, and what a daemon keeps in memory of its files.

What takes a moment is done at once; what waits for the disk, or is large, in a thread. Two things make a delivery cheap, and nobody
outside knows of them. A file that was read stays open until it is leased, and its content in memory, as far as there is room (`Kept`). And
files that have no name any more are closed together, in a thread of their own: whoever closes the last descriptor of one makes the file
system free its blocks, which is the dearest step of a delivery on disk, and nobody needs to wait for it.
"""

from __future__ import annotations

import os
import sys
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mailer.io import durable
from mailer.mail.problem import Problem, from_os
from mailer.spool import is_id
from mailer.spool.api import (
    Acted,
    ActedOn,
    Busy,
    Changes,
    CorruptMessage,
    Defer,
    Done,
    Drop,
    Due,
    Fail,
    GiveBack,
    How,
    NoSuchMessage,
    Put,
    State,
    Swept,
    Trouble,
    trouble_of,
)

from . import enqueue, layout, suspensions
from .claim import AT_ONCE, Large
from .kept import CONTENTS, Closer, Kept, together
from .message_file import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Act, End, Entry, Lease, New, Reserve, Retention
    from mailer.spool.suspensions import Suspension, Suspensions

    from .claim import Claim, FileEntry
    from .hearing import Hearing
    from .store import SpoolDirectory

T = TypeVar("T")

MANY = 200  # recipients of a message whose records are made while others wait
STEP = 200  # names of a directory in one portion
ACTS = 1000  # messages in one call
MANY_ACTS = 20  # messages, from which on several are acted on at a time
AT_A_TIME = 16
WAITING: tuple[State, ...] = ("queued", "deferred")
DONE = Done()
GONE = (NoSuchMessage, Busy, CorruptMessage, OSError, MemoryError)
"""What comes of reading or locking a file that is no bug."""


class FileSpool:
    """The spool in `directory`; `files` of its messages may be kept open."""

    def __init__(self, directory: SpoolDirectory, files: int = 0) -> None:
        self.directory = directory
        self.kept = Kept(CONTENTS, files)
        self._hearing: Hearing | None = None
        self._closer = Closer()

    def keep_files(self, most: int) -> None:
        """Keep so many files open from now on."""
        self.kept.files = most

    @property
    def place(self) -> str:
        """The path of the directory."""
        return self.directory.place

    # In

    async def put(self, batch: Sequence[New]) -> Sequence[Put | Problem]:
        """Make messages durable; several share the waits for the disk."""
        return await _in_thread(self._put, batch)

    def _put(self, batch: Sequence[New]) -> list[Put | Problem]:
        from .batch import Post, Sack

        known = {new.id for new in batch if self.directory.find(new.id)}
        fresh = [new for new in batch if new.id not in known]
        done: dict[str, Put | Problem] = {id: Put(id, known=True) for id in known}
        try:
            with Post(self.directory.root) as post:
                sack = Sack(post)
                for new in fresh:
                    sack.add(new)
                sack.begin()
                outcomes = sack.close()
        except Problem as problem:
            outcomes = [problem]
        for nth, new in enumerate(fresh):  # what met one letter and would meet all ends the list
            outcome = outcomes[min(nth, len(outcomes) - 1)]
            done[new.id] = outcome if isinstance(outcome, Problem) else Put(outcome, outcome != new.id)
        return [done[new.id] for new in batch]

    async def room(self, keep: Reserve, size: int = 0) -> str:
        """What the disk lacks if `size` more bytes are to leave `keep` free; empty if nothing."""
        return layout.shortage(self.directory.root, keep.space, keep.files, size)

    # What is there

    async def listen(self) -> None:
        """Hang the doorbell. Raises `OSError`."""
        from .hearing import Hearing

        self._hearing = Hearing(self.directory.root)

    async def changes(self) -> Changes:
        """Wait for the doorbell."""
        assert self._hearing is not None
        return await self._hearing.changes()

    async def due(self, known: Callable[[str], bool], *, dated: bool = False) -> AsyncIterator[Sequence[Due | Trouble]]:
        """All that lies in ``queued/`` and ``deferred/``. Of what is known, nothing but the name is looked at."""
        directory = self.directory
        for state in WAITING:
            portion: list[Due | Trouble] = []
            for nth, name in enumerate(directory.names(state), 1):
                if known(name):
                    pass
                elif not is_id(name):
                    if state == "queued":
                        portion.append(Trouble(name, "corrupt", "its name is no ID", place=directory.set_aside(state, name)))
                elif state == "queued" and not dated:
                    portion.append(Due(name, "queued"))
                elif (found := directory.dated(state, name)) is not None:
                    portion.append(found)
                if not nth % STEP:
                    yield portion
                    portion = []
            yield portion

    async def find(self, ids: Sequence[str]) -> Sequence[Due | None]:
        """State and time of each message, by the name of its file."""
        return [self._find(id) for id in ids]

    def _find(self, id: str) -> Due | None:
        state = self.directory.find(id)
        if state is None:
            return None
        return Due(id, state, self.directory.due(id) if state == "deferred" else 0.0)

    async def load(self, ids: Sequence[str], most: float = inf) -> Sequence[Entry | Trouble]:
        """Read messages that wait. Their content is kept with them, and their files open, as far as there is room."""
        found = []
        for id in ids:
            entry = self._loaded(id, min(most, AT_ONCE), keep=self.kept.wants_file())
            if most > AT_ONCE and isinstance(entry, Trouble) and entry.kind == "large":
                entry = await _in_thread(self._loaded, id, most)
            if not isinstance(entry, Trouble):
                self.kept.keep(entry)
            found.append(entry)
        return found

    def _loaded(self, id: str, most: float, *, keep: bool = False) -> FileEntry | Trouble:
        try:
            try:
                return self.directory.load(id, "queued", keep=keep, most=most)
            except NoSuchMessage:
                return self.directory.load(id, "deferred", keep=keep, most=most)
        except Large:
            return Trouble(id, "large")
        except GONE as error:
            return trouble_of(id, error)

    async def content(self, entry: Entry) -> bytes:
        """The content that was kept, or the file read once more."""
        entry = cast("FileEntry", entry)
        content = entry.content
        if content is None:
            small = entry.total <= AT_ONCE
            content = self.directory.body(entry) if small else await _in_thread(self.directory.body, entry, fresh=True)
            if entry.leased:
                entry.content = content
        elif not (entry.counted or entry.leased):
            entry.content = None
        return content

    def forget(self, entries: Sequence[Entry]) -> None:
        """Close the files of `entries`, and let go of their contents. Leases stay."""
        for entry in entries:
            self.kept.forget(cast("FileEntry", entry))

    def shrink(self) -> None:
        """Let go of all contents of what is not leased."""
        self.kept.shrink()

    # Ours to change

    async def lease(self, entries: Sequence[Entry]) -> Sequence[Claim | Trouble]:
        """Lock the files of `entries`."""
        found: list[Claim | Trouble] = []
        for entry in cast("Sequence[FileEntry]", entries):
            self.kept.taken(entry)
            try:
                found.append(self.directory.claim_again(entry))
            except GONE as error:
                found.append(trouble_of(entry.id, error))
        return found

    async def record(self, news: Sequence[tuple[Lease, Sequence[Outcome]]]) -> Sequence[Done | Trouble]:
        """Append the outcomes to the files and sync them, in a thread."""
        return await _in_thread(lambda: [self._record(cast("Claim", lease), outcomes) for lease, outcomes in news])

    def _record(self, claim: Claim, outcomes: Sequence[Outcome]) -> Done | Trouble:
        try:
            self.directory.record(claim, outcomes)
        except (OSError, MemoryError) as error:
            return trouble_of(claim.entry.id, error)
        return Done()

    async def settle(self, ends: Sequence[End]) -> Sequence[Done | Trouble]:
        """Remove, defer, fail or give back messages. What has to be synced, or is much, is done in a thread."""
        results: list[Done | Trouble] = []
        gone: list[int] = []
        for end in ends:
            claim = cast("Claim", end.lease)
            if isinstance(end.then, Drop) and claim.entry.leased:
                try:
                    self.directory.drop(claim)
                except FileNotFoundError:  # somebody else has removed it
                    pass
                except OSError as error:
                    results.append(await _in_thread(self._stuck, claim, error))
                    continue
                gone.append(claim.surrender())
                results.append(DONE)
            elif isinstance(end.then, Drop):
                results.append(await _in_thread(self._dropped_again, claim))
            elif isinstance(end.then, GiveBack):
                claim.close()
                results.append(DONE)
            elif end.reports or end.notes or isinstance(end.then, Fail) or settled(end.outcomes) or claim.entry.history.count > MANY:
                results.append(await _in_thread(self._ended, claim, end))
            else:
                results.append(self._ended(claim, end))
        if gone:
            self._closer.close(together(gone))
        return results

    def _ended(self, claim: Claim, end: End) -> Done | Trouble:
        """Reports, notes, outcomes, move. A report that is there was put by a run that could not write that down."""
        directory, id, put = self.directory, claim.entry.id, []
        try:
            if claim.troubled:
                self._renew(claim)
            for report in end.reports:
                if directory.find(report.id) is None:
                    enqueue.put(directory.root, *report)
                    put.append(report.id)
            if end.notes:
                directory.note(claim, end.notes)
            if isinstance(end.then, Defer):
                directory.defer(claim, end.outcomes, end.then.due)
            else:
                directory.fail(claim, end.outcomes)
        except NoSuchMessage as error:
            claim.close()
            return Trouble(id, "gone", str(error), tuple(put))
        except Exception as error:
            claim.troubled = True
            return trouble_of(id, error)._replace(reports=tuple(put))
        claim.close()
        return Done(tuple(put))

    def _renew(self, claim: Claim) -> None:
        try:
            self.directory.renew(claim)
        except NoSuchMessage:
            raise
        except (Problem, OSError):  # the next step says what is wrong
            pass

    # A message that every recipient has must not be delivered again, whoever starts next. If its file cannot be removed, that is written
    # into it: whoever finds it only removes it. Then neither the descriptor nor the lock is needed: a directory that lets nothing go must
    # not use up the descriptors of those that come after.

    def _stuck(self, claim: Claim, error: OSError) -> Trouble:
        entry = claim.entry
        why = f"message {entry.id} is delivered but cannot be removed: {error.strerror or error}"
        with claim:
            try:
                self.directory.record(claim, _known(entry))
            except OSError as worse:
                return Trouble(entry.id, "later", f"{why}; nor can that be written down: {worse.strerror or worse}")
            return Trouble(entry.id, "later", f"{why}; that it is delivered is written down")

    def _dropped_again(self, before: Claim) -> Done | Trouble:
        entry = before.entry
        try:
            with self.directory.claim(entry.id, entry.state) as claim:
                if not claim.entry.history.done:
                    self.directory.record(claim, _known(entry))
                self.directory.drop(claim)
        except NoSuchMessage:
            return Done()
        except (Problem, CorruptMessage, OSError) as error:
            return Trouble(entry.id, "later", str(error))
        return Done()

    # Operators

    async def act(self, what: Act, ids: Sequence[str], at: float, how: How | None = None, cursor: str = "", *, dry: bool = False) -> Acted:
        """Rename the file of each message, under its lock; the daemon is told of each. Raises `Problem` where the disk has trouble."""
        start = ids.index(cursor) + 1 if cursor in ids else 0
        portion = ids[start : start + ACTS]
        if what == "cancel" and len(portion) > MANY_ACTS and not dry:  # each waits for the disk, which has time for many at once
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(AT_A_TIME) as pool:
                done = [*pool.map(lambda each: self._act(what, each, at, how or How()), portion)]
        else:
            done = [self._act(what, id, at, how or How(), dry=dry) for id in portion]
        if what == "hold" and not dry:
            self._sync_held()
        return Acted(done, portion[-1] if start + ACTS < len(ids) else "")

    def _act(self, what: Act, id: str, at: float, how: How, *, dry: bool = False) -> ActedOn:
        directory, made = self.directory, ""
        was = directory.find(id) or ""
        try:
            if dry:
                directory.check_act(directory.read(id), what, how)
            elif what == "replay":
                from .replay import replay

                made = replay(directory, id, how.recipients, at, again=how.again).id
            elif what == "cancel":
                directory.cancel(id, at, how.why)
            elif what == "release":
                directory.release(id, how)
            elif what == "hold":
                directory.hold(id, synced=False)
            else:
                directory.retry(id)
        except (Problem, CorruptMessage) as refused:
            return ActedOn(id, was, refused)
        except OSError as error:
            raise from_os(f"cannot {what} message {id}", error.filename or directory.root, error) from None
        if not dry:
            directory.ring(made or id)
        return ActedOn(id, was, None, made)

    def _sync_held(self) -> None:
        """After a power failure no message must go out that somebody was told is held; and a thousand are no more to wait for than one."""
        try:
            durable.sync_directory(f"{self.directory.root}/held")
        except FileNotFoundError:
            pass  # no message was there
        except OSError as error:
            raise from_os("cannot hold messages", error.filename or self.directory.root, error) from None

    async def suspend(self, suspension: Suspension) -> bool:
        """Write the file of suspensions. A spool is made if there is none: it may be said before the first message."""
        return suspensions.suspend(self._made(), suspension)

    async def resume(self, target: str, now: float) -> bool:
        """Write the file of suspensions without that of `target`."""
        return suspensions.resume(self._existing(), target, now)

    async def suspensions(self) -> Suspensions:
        """Read the file of suspensions."""
        return suspensions.read(self._existing())

    async def postpone(self, before: Sequence[Suspension], seconds: float, now: float) -> None:
        """Write the file of suspensions with other times."""
        suspensions.postpone(self.directory.root, before, seconds, now)

    def _made(self) -> str:
        if not os.path.isdir(f"{self.directory.root}/tmp"):  # what is there may be another user's, and root acts on it
            self.directory.prepare()
        return self.directory.root

    def _existing(self) -> str:
        if not os.path.isdir(self.directory.root):
            raise Problem(f"there is no spool at {self.directory.root}", "no-such")
        return self.directory.root

    async def read(self, id: str) -> Entry:
        """Read the envelope and records of message `id`, in whatever state."""
        return self.directory.read(id)

    async def raw(self, id: str, start: int, end: int) -> bytes:
        """Read the bytes `start` to `end` of the file of message `id`."""
        return self.directory.raw(id, start, end)

    async def counts(self) -> Mapping[str, int]:
        """Count the names in each directory."""
        return {state: sum(map(is_id, self.directory.names(state))) for state in (*layout.STATES, "corrupt")}

    # What else is kept

    async def remember(self, values: Mapping[str, bytes]) -> None:
        """Write each value to a small file in the directory, whole, and rename it into place."""
        for name, value in values.items():
            self.directory.remember(name, value)

    async def recall(self, name: str) -> bytes | None:
        """Read the small file called `name`."""
        return self.directory.recall(name)

    async def sweep(self, now: float, keep: Retention) -> Swept:
        """Delete the files that are past their time, in a thread."""
        return await _in_thread(self._sweep, now, keep)

    def _sweep(self, now: float, keep: Retention) -> Swept:
        from .sweep import believed, sweep

        if not believed(self.directory.root, now):
            return Swept(believed=False)
        return Swept(believed=True, removed=sweep(self.directory, now, keep.failed, keep.requests))

    async def set_aside(self, id: str) -> str:
        """Rename the file of message `id` into ``corrupt/``."""
        return self.directory.set_aside(self.directory.find(id) or "queued", id)

    async def close(self) -> None:
        """Take the doorbell down, and close what is to be closed."""
        if self._hearing is not None:
            self._hearing.close()
            self._hearing = None
        self._closer.end()


def _known(entry: Entry) -> list[Outcome]:
    """What became of each recipient last, in their order."""
    return [outcome for _, outcome in sorted(entry.history.last.items())]


async def _in_thread(function: Callable[..., T], *given: Any, **named: Any) -> T:
    """In a thread, while the loop goes on; where none runs, nobody else waits, and asyncio is not imported for it."""
    if (asyncio := sys.modules.get("asyncio")) is not None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            result: T = await asyncio.to_thread(function, *given, **named)
            return result
    return function(*given, **named)
