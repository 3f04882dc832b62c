"""Reports on a disk, in the spool: `take` and its kin are plain functions, for the command line; `FileReports` is for the daemon.

==========================  ====================================================================================================
``reports/new/ID``          taken, and not acted upon yet
``reports/done/ID``         settled
``reports/unmatched/ID``    settled: nothing of ours was found that it is about
``reports/NAME.state``      what is remembered of the mailbox NAME, one JSON object; replaced as a whole
==========================  ====================================================================================================

`report_file` has what is in a file, `bookmarks` what is remembered of mailboxes.

==============================  ==============================================================================================
step of `take_all`              what a crash right after it leaves
==============================  ==============================================================================================
write and fsync all in ``tmp/``  garbage there, which the sweep of the spool removes; nobody was told anything
rename all to ``new/``           some of the reports, perhaps; whoever brought them brings them again, to the same names
fsync ``new/``                   all of them; now it is said
==============================  ==============================================================================================

`settle` appends and renames; a crash between the two leaves the report in ``new/``, and it is acted upon again. Two processes may take
the same report at the same moment, and a third settle it between: then it is in ``new/`` once more, and is settled once more.
A file in ``new/`` whose sum does not hold goes to ``corrupt/`` of the spool.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from mailer.io import durable
from mailer.mail.problem import Problem
from mailer.spool import is_id
from mailer.spool.api import Reserve
from mailer.spool.files import layout

from . import bookmarks, report_file
from .api import STATES, Facts, LoadedReport, ReportRow, report_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .api import ReportState, SettledReport

DIRECTORY = "reports"
THREADS = 8  # that wait for the disk at a time: more share no more commits
NO_RESERVE = Reserve(0, 0)

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_count = count(1)


def take(root: str, content: bytes, facts: Facts, keep: Reserve = NO_RESERVE, *, owner: bool = False) -> str:
    """Keep a report in the spool at `root`, durably; returns its ID.

    With `owner`, we act as the spool's. Raises `OSError`, `Problem`: try-again without room, and `ForeignSpool`.
    """
    return take_all(root, [(content, facts)], keep, owner=owner)[0]


def take_all(
    root: str,
    came: Sequence[tuple[bytes, Facts]],
    keep: Reserve = NO_RESERVE,
    pool: ThreadPoolExecutor | None = None,
    *,
    owner: bool = False,
) -> list[str]:
    """As `take`, of several, whose files are synced beside each other where there is a `pool`. Raises as that does."""
    prepare(root, owner=owner)
    if lack := layout.shortage(root, *keep, sum(len(content) for content, _ in came)):
        raise Problem(f"the disk of the spool {root} has {lack}; the report was not taken, try again later", "try-again")
    ids = [report_id(content) for content, _ in came]
    begun: dict[str, tuple[str, int]] = {}
    touched = set()
    try:
        for id, (content, facts) in zip(ids, came, strict=True):
            if id in begun:
                continue
            if (state := find(root, id)) is not None:
                touched.add(state)  # whoever took it may not have synced the name yet
                continue
            path = f"{root}/tmp/{id}.report.{os.getpid()}.{next(_count)}"
            begun[id] = path, durable.begin_new(path, report_file.parts(content, facts))
    except BaseException:
        for path, fd in begun.values():
            durable.let_go(fd)
            durable.forget(path)
        raise
    try:
        _finish([*begun.values()], pool)
        for id, (path, _) in begun.items():
            os.rename(path, f"{root}/{DIRECTORY}/new/{id}")
            touched.add("new")
    except BaseException:
        for path, _ in begun.values():
            durable.forget(path)
        raise
    for state in sorted(touched):
        durable.sync_directory(f"{root}/{DIRECTORY}/{state}")
    return ids


def _finish(begun: Sequence[tuple[str, int]], pool: ThreadPoolExecutor | None) -> None:
    """Sync and close all. Raises `OSError`: an error of one is that of all."""
    if pool is None or len(begun) < 2:
        errors = [_error(each) for each in begun]
    else:
        errors = [*pool.map(_error, begun)]
    if error := next(filter(None, errors), None):
        raise error


def _error(begun: tuple[str, int]) -> OSError | None:
    try:
        durable.finish_new(*begun)
    except OSError as error:
        return error
    return None


def prepare(root: str, *, owner: bool = False) -> None:
    """Make the directories that are missing; with `owner`, we act as the spool's. Raises `OSError`, `Problem`."""
    if os.path.isdir(f"{root}/{DIRECTORY}/{STATES[-1]}"):
        if not owner:
            layout.check_owner(root)
        return
    (layout.make if owner else layout.prepare)(root)
    for path in (f"{root}/{DIRECTORY}", *(f"{root}/{DIRECTORY}/{state}" for state in STATES)):
        if not os.path.isdir(path):
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            durable.sync_directory(os.path.dirname(path))


def find(root: str, id: str) -> ReportState | None:
    """The state that the report is in. In the order in which it moves, so that one that is moving is not missed."""
    return next((state for state in STATES if os.path.lexists(f"{root}/{DIRECTORY}/{state}/{id}")), None)


def waiting(root: str, limit: int, after: str = "") -> list[str]:
    """At most `limit` IDs in ``new/`` behind `after`, in their order. Raises `OSError`."""
    return heapq.nsmallest(limit, (id for id in _names(root, "new") if id > after))


def load(root: str, id: str) -> LoadedReport | None:
    """The report with this ID, in any state; None if it is gone, or damaged. Raises `OSError`."""
    for _ in range(4):  # it may be renamed between the look and the open, twice at most
        if not is_id(id) or (state := find(root, id)) is None:
            return None
        try:
            return report_file.load(f"{root}/{DIRECTORY}/{state}/{id}", id)
        except FileNotFoundError:
            continue
        except report_file.DamagedReport:
            if state == "new":
                durable.publish(f"{root}/{DIRECTORY}/new/{id}", f"{root}/corrupt/{id}")
            return None
    return None


def settle(root: str, settled: Sequence[SettledReport]) -> None:
    """Append the notes, and move the files. One that is gone is passed over. Raises `OSError`."""
    touched = set()
    for each in settled:
        if (found := find(root, each.id)) is None:
            continue
        path = f"{root}/{DIRECTORY}/{found}/{each.id}"
        try:
            fd = os.open(path, _APPEND)
        except FileNotFoundError:
            continue
        try:
            durable.write_all(fd, b"\n" + report_file.note_line(each.note))
            os.fdatasync(fd)
        finally:
            durable.let_go(fd)
        if found != each.state:
            os.rename(path, f"{root}/{DIRECTORY}/{each.state}/{each.id}")
            touched.add(each.state)
    for state in sorted(touched):
        durable.sync_directory(f"{root}/{DIRECTORY}/{state}")


def latest(root: str, states: Sequence[ReportState] = STATES, since: float = 0.0, limit: int | None = None) -> Iterator[ReportRow]:
    """Reports in these states that came or were settled since then, the last one first. Raises `OSError`."""
    touched = ((at, id, state) for state in states for id in _names(root, state) if (at := _touched(root, state, id)) >= since)
    for _, id, state in sorted(touched, reverse=True) if limit is None else heapq.nlargest(limit, touched):
        if (row := _row(root, state, id)) is not None:
            yield row


def beginning(root: str, symbols: str, limit: int = 100) -> list[ReportRow]:
    """At most `limit` reports whose ID begins with `symbols`. Raises `OSError`."""
    found = ((state, id) for state in STATES for id in _names(root, state) if id.startswith(symbols))
    return [row for state, id in islice(found, limit) if (row := _row(root, state, id)) is not None]


def _row(root: str, state: ReportState, id: str) -> ReportRow | None:
    return report_file.row(f"{root}/{DIRECTORY}/{state}/{id}", state, id)


def _touched(root: str, state: ReportState, id: str) -> float:
    """When the report came, or was settled; 0 if it is gone."""
    try:
        return os.stat(f"{root}/{DIRECTORY}/{state}/{id}", follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return 0.0


def sweep(root: str, now: float, retention: float) -> int:
    """Delete what was settled more than `retention` seconds before `now`, and say how many. A crash leaves the rest. Raises `OSError`."""
    gone = 0
    for state in STATES[1:]:
        for id in list(_names(root, state)):
            path = f"{root}/{DIRECTORY}/{state}/{id}"
            try:
                if now - os.stat(path, follow_symlinks=False).st_mtime > retention:
                    os.unlink(path)
                    gone += 1
            except FileNotFoundError:
                continue
    return gone


def _names(root: str, state: str) -> Iterator[str]:
    try:
        with os.scandir(f"{root}/{DIRECTORY}/{state}") as entries:
            yield from (entry.name for entry in entries if is_id(entry.name))
    except FileNotFoundError:
        return


class FileReports:
    """See `mailer.reports.api.Reports`. `root` is the spool, `keep` what is to stay free on its disk; without so much nothing is taken."""

    def __init__(self, root: str, keep: Reserve = NO_RESERVE) -> None:
        self.root = root
        self._directory = f"{root}/{DIRECTORY}"
        self.keep = keep
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    async def take(self, content: bytes, facts: Facts) -> str:
        """See `take`."""
        return await asyncio.to_thread(take, self.root, content, facts, self.keep)

    async def take_all(self, came: Sequence[tuple[bytes, Facts]]) -> Sequence[str]:
        """See `take_all`."""
        return await asyncio.to_thread(self.take_now, came)

    def take_now(self, came: Sequence[tuple[bytes, Facts]]) -> list[str]:
        """As `take_all`, in a thread that may wait."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, "reports")
        return take_all(self.root, came, self.keep, self._pool)

    async def waiting(self, limit: int, after: str = "") -> Sequence[str]:
        """See `waiting`."""
        return await asyncio.to_thread(waiting, self.root, limit, after)

    async def load(self, ids: Sequence[str]) -> Sequence[LoadedReport]:
        """See `load`."""
        return await asyncio.to_thread(lambda: [found for id in ids if (found := load(self.root, id)) is not None])

    async def settle(self, settled: Sequence[SettledReport]) -> None:
        """See `settle`."""
        await asyncio.to_thread(settle, self.root, settled)

    async def bookmark(self, source: str) -> Mapping[str, Any]:
        """See `bookmarks.bookmark`."""
        return await asyncio.to_thread(bookmarks.bookmark, self._directory, source)

    async def remember(self, source: str, mark: Mapping[str, Any]) -> None:
        """See `bookmarks.remember`."""

        def remember() -> None:
            prepare(self.root)
            bookmarks.remember(self._directory, source, mark)

        await asyncio.to_thread(remember)

    async def sweep(self, now: float, retention: float) -> int:
        """See `sweep`."""
        return await asyncio.to_thread(sweep, self.root, now, retention)

    def close(self) -> None:
        """Let go of the threads."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
