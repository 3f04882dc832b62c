"""Reports on a disk, in the spool: `take` and its kin are plain functions, for the command line; `FileReports` is for the daemon.

==========================  ====================================================================================================
``reports/new/ID``          taken, and not acted upon yet
``reports/done/ID``         settled
``reports/unmatched/ID``    settled: nothing of ours was found that it is about
``reports/NAME.state``      what is remembered of the mailbox NAME, one JSON object; replaced as a whole
==========================  ====================================================================================================

The ID is of the octets (`report_id`). A file is written once, then only appended to, then only renamed::

    mailer-report/1 FACTSLEN CONTENTLEN CRC32\\n     ASCII; lengths in octets; the sum is zlib's crc32 over facts and content
    {"source":"stdin","at":…}\\n                     how it came, one JSON object; FACTSLEN counts its newline
    …CONTENTLEN octets, as they came…
    \\n{…}\\n                                         what became of it, one JSON object; the last that is whole counts

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
import errno
import heapq
import json
import os
import stat
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.io import durable
from mailer.mail.problem import Problem
from mailer.spool import is_id
from mailer.spool.api import Reserve
from mailer.spool.files import layout

from .api import MARK_SYMBOLS, STATES, Facts, LoadedReport, ReportPage, ReportRow, report_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .api import ReportState, SettledReport

DIRECTORY = "reports"
LARGEST = 64 << 20  # octets of a report that is loaded
LONGEST_NOTE = 65536  # octets
LONGEST_MARK = 4 << 20  # octets of a bookmark
THREADS = 8  # that wait for the disk at a time: more share no more commits
NO_RESERVE = Reserve(0, 0)

_MAGIC = b"mailer-report/1"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_count = count(1)


class DamagedReport(ValueError):
    """A file of a report that does not say what it has to."""


class _Head(NamedTuple):
    """What the head of a file says: the sum, the line of facts, and where the content is."""

    crc: int
    line: bytes
    start: int
    end: int


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
            begun[id] = path, durable.begin_new(path, _parts(content, facts))
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


def _parts(content: bytes, facts: Facts) -> tuple[bytes, bytes, bytes]:
    line = facts.as_line()
    crc = zlib.crc32(content, zlib.crc32(line))
    return b"%s %d %d %08x\n" % (_MAGIC, len(line), len(content), crc), line, content


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
            return _load(f"{root}/{DIRECTORY}/{state}/{id}", id)
        except FileNotFoundError:
            continue
        except DamagedReport:
            if state == "new":
                durable.publish(f"{root}/{DIRECTORY}/new/{id}", f"{root}/corrupt/{id}")
            return None
    return None


def _load(path: str, id: str) -> LoadedReport:
    fd, size = _open(path)
    with open(fd, "rb") as file:
        head = _head(file.read(LONGEST_NOTE), size)
        if head.end - head.start > LARGEST:
            raise DamagedReport("it is too large")
        file.seek(head.start)
        content = file.read(head.end - head.start)
    if zlib.crc32(content, zlib.crc32(head.line)) != head.crc:
        raise DamagedReport("its sum does not hold")
    return LoadedReport(id, _facts(head), content)


def _open(path: str) -> tuple[int, int]:
    """A descriptor of the file, and its size. Raises `DamagedReport` where it is none."""
    try:
        fd = os.open(path, _READ)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise DamagedReport("it is no regular file") from None
        raise
    known = os.fstat(fd)
    if not stat.S_ISREG(known.st_mode):
        durable.let_go(fd)
        raise DamagedReport("it is no regular file")
    return fd, known.st_size


def _head(data: bytes, size: int) -> _Head:
    """The head of a file of `size` octets that begins with `data`. Raises `DamagedReport`."""
    first, newline, _ = data.partition(b"\n")
    words = first.split(b" ")
    try:
        if not newline or len(words) != 4 or words[0] != _MAGIC:
            raise ValueError
        facts, content, crc = int(words[1]), int(words[2]), int(words[3], 16)
        start = len(first) + 1 + facts
        if facts < 2 or content < 0 or start + content > size or start > len(data):
            raise ValueError
    except ValueError:
        raise DamagedReport("it does not begin as a report does") from None
    return _Head(crc, data[len(first) + 1 : start], start, start + content)


def _facts(head: _Head) -> Facts:
    try:
        return Facts.read(head.line)
    except ValueError:
        raise DamagedReport("it does not say how it came") from None


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
            durable.write_all(fd, b"\n" + _note_line(each.note))
            os.fdatasync(fd)
        finally:
            durable.let_go(fd)
        if found != each.state:
            os.rename(path, f"{root}/{DIRECTORY}/{each.state}/{each.id}")
            touched.add(each.state)
    for state in sorted(touched):
        durable.sync_directory(f"{root}/{DIRECTORY}/{state}")


def _note_line(note: Mapping[str, object]) -> bytes:
    """The note as a line; of one that is longer than `LONGEST_NOTE` only its plain members, as far as they go."""
    line = json.dumps(dict(note), separators=(",", ":")).encode() + b"\n"
    if len(line) <= LONGEST_NOTE:
        return line
    plain = {name: value[:1000] if isinstance(value, str) else value for name, value in note.items() if not isinstance(value, list | dict)}
    return json.dumps(dict(list(plain.items())[:20]), separators=(",", ":")).encode() + b"\n"


def listing(root: str, states: Sequence[ReportState] = STATES, after: str = "", limit: int = 100) -> ReportPage:
    """Reports in these states, in the order of IDs, from behind `after` on. Raises `OSError`."""
    found = heapq.nsmallest(limit + 1, ((id, state) for state in states for id in _names(root, state) if id > after))
    rows = [row for id, state in found[:limit] if (row := _row(root, state, id)) is not None]
    return ReportPage(rows, found[limit - 1][0] if len(found) > limit else "")


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


def _touched(root: str, state: ReportState, id: str) -> float:
    """When the report came, or was settled; 0 if it is gone."""
    try:
        return os.stat(f"{root}/{DIRECTORY}/{state}/{id}", follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return 0.0


def _row(root: str, state: ReportState, id: str) -> ReportRow | None:
    try:
        fd, size = _open(f"{root}/{DIRECTORY}/{state}/{id}")
        with open(fd, "rb") as file:
            head = _head(file.read(LONGEST_NOTE), size)
            file.seek(max(head.end, size - LONGEST_NOTE - 2))
            return ReportRow(id, state, _facts(head), head.end - head.start, _note(file.read(LONGEST_NOTE + 2)))
    except (FileNotFoundError, DamagedReport):
        return None


def _note(tail: bytes) -> dict[str, object]:
    """The last whole note."""
    for line in reversed(tail.split(b"\n")[:-1]):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return {}


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


def bookmark(root: str, source: str) -> dict[str, Any]:
    """What was remembered for `source`; nothing where that cannot be read."""
    try:
        with open(_mark_path(root, source), "rb", opener=durable.prompt) as file:
            found = json.loads(file.read(LONGEST_MARK))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(root: str, source: str, mark: Mapping[str, Any]) -> None:
    """Replace the bookmark as a whole: a crash leaves the old one or the new one. Raises `OSError`."""
    prepare(root)
    path = _mark_path(root, source)
    beside = f"{path}.{os.getpid()}.{next(_count)}"
    durable.write_new(beside, [json.dumps(dict(mark), separators=(",", ":")).encode(), b"\n"])
    os.rename(beside, path)


def _mark_path(root: str, source: str) -> str:
    if not source or source.startswith(".") or not MARK_SYMBOLS.issuperset(source):
        raise ValueError(f"{source!r} is no name of a source")
    return f"{root}/{DIRECTORY}/{source}.state"


def _names(root: str, state: str) -> Iterator[str]:
    try:
        with os.scandir(f"{root}/{DIRECTORY}/{state}") as entries:
            yield from (entry.name for entry in entries if is_id(entry.name))
    except FileNotFoundError:
        return


class FileReports:
    """See `mailer.reports.api.Reports`. `root` is the spool, `keep` what is to stay free on its disk; without so much nothing is taken."""

    def __init__(self, root: str, keep: Reserve = NO_RESERVE) -> None:
        self._root = root
        self.keep = keep
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    async def take(self, content: bytes, facts: Facts) -> str:
        """See `take`."""
        return await asyncio.to_thread(take, self._root, content, facts, self.keep)

    async def take_all(self, came: Sequence[tuple[bytes, Facts]]) -> Sequence[str]:
        """See `take_all`."""
        return await asyncio.to_thread(self.take_now, came)

    def take_now(self, came: Sequence[tuple[bytes, Facts]]) -> list[str]:
        """As `take_all`, in a thread that may wait."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, "reports")
        return take_all(self._root, came, self.keep, self._pool)

    async def waiting(self, limit: int, after: str = "") -> Sequence[str]:
        """See `waiting`."""
        return await asyncio.to_thread(waiting, self._root, limit, after)

    async def load(self, ids: Sequence[str]) -> Sequence[LoadedReport]:
        """See `load`."""
        return await asyncio.to_thread(lambda: [found for id in ids if (found := load(self._root, id)) is not None])

    async def settle(self, settled: Sequence[SettledReport]) -> None:
        """See `settle`."""
        await asyncio.to_thread(settle, self._root, settled)

    async def listing(self, states: Sequence[ReportState] = STATES, after: str = "", limit: int = 100) -> ReportPage:
        """See `listing`."""
        return await asyncio.to_thread(listing, self._root, states, after, limit)

    async def bookmark(self, source: str) -> Mapping[str, Any]:
        """See `bookmark`."""
        return await asyncio.to_thread(bookmark, self._root, source)

    async def remember(self, source: str, mark: Mapping[str, Any]) -> None:
        """See `remember`."""
        await asyncio.to_thread(remember, self._root, source, mark)

    async def sweep(self, now: float, retention: float) -> int:
        """See `sweep`."""
        return await asyncio.to_thread(sweep, self._root, now, retention)

    def close(self) -> None:
        """Let go of the threads."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
