"""The spool as a place: whose it is, who may enter, what lies about in it, and whether its disk has room. Used by `visit`."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.config.advice import closed
from mailer.config.secret import check_ancestors
from mailer.io.machine import called
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.spool.files import layout, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.spool.files.condition import Flaw, FlawKind

REPAIR = "mailer doctor --repair"
SCARCE = 3  # times what has to stay free: below that, somebody should know
AHEAD = 60.0  # seconds
READ_ONLY = "`dmesg` says whether an error of the disk made it so; under systemd, ReadWritePaths= says where a service may write"
ABOVE = "only root and the owner of a spool may write above it (`ls -ld`)"


def spool(place: str, flaws: Callable[[], Sequence[Flaw]]) -> Iterator[Finding]:
    """Whether the user of this process can work in the spool, and nobody else can."""
    try:
        check_ancestors(place)
    except Problem as problem:
        text, what, rest = str(problem).partition(": chmod ")
        yield Finding("spool", place, FAIL, text, f"chmod {rest}" if what else ABOVE)
    if os.path.isdir(place) and os.statvfs(place).f_flag & os.ST_RDONLY:
        text = "its file system can be read only, so that nothing can be queued, and nothing noted of what was delivered"
        yield Finding("spool", place, FAIL, text, READ_ONLY)
        return
    if trouble := closed(place):
        text, _, remedy = trouble.partition("; ")
        yield Finding("spool", place, FAIL, text, remedy or "move what is there away, or set mailer.spool to another directory")
        return
    found = [each for each in flaws() if each.kind in ("absent", "mode", "owner")]
    for kind in ("absent", "mode", "owner"):
        if some := sorted((each for each in found if each.kind == kind), key=_is_grave, reverse=True):
            more = f", and {len(some) - 1} more like that" if some[1:] else ""
            where = f"{os.path.relpath(some[0].path, place)}: " if some[0].path != place else ""
            remedy = _as_root(place) if kind == "owner" else f"{REPAIR} puts it right"
            yield Finding("spool", place, FAIL if any(map(_is_grave, some)) else WARN, f"{where}{some[0].detail}{more}", remedy)
    if not found:
        about = os.stat(place)
        yield Finding("spool", place, PASS, f"of {called(about.st_uid)}, mode {about.st_mode & 0o7777:04o}, as it was made")


def _is_grave(flaw: Flaw) -> bool:
    """Whether mail can be read or moved by others, or not by the daemon."""
    return flaw.kind in ("mode", "owner") and not flaw.slight


def _as_root(place: str) -> str:
    return f"as root: {REPAIR}, or chown -R --no-dereference {os.stat(place).st_uid} {place} while no daemon runs"


def lying_about(place: str, flaws: Callable[[], Sequence[Flaw]]) -> Iterator[Finding]:
    """What is in the spool and leads to nothing: left-overs, strangers, what could not be read."""
    found = flaws()
    kinds = Counter(each.kind for each in found)
    told: tuple[tuple[FlawKind, str, str], ...] = (
        ("corrupt", "could not be read and was set aside", "look at it (`less`), save what is of use, and remove it"),
        ("stray", "stands among the messages and is none", "find out who put it there, and remove it"),
        ("abandoned", "was begun more than 36 hours ago and never ended", f"{REPAIR} sweeps it, as the daemon does each hour"),
    )
    for kind, text, remedy in told:
        if kinds[kind]:
            more = f", and so with {kinds[kind] - 1} more" if kinds[kind] > 1 else ""
            yield Finding("orphans", _first(found, kind), WARN, text + more, remedy)
    if not kinds.keys() & {"corrupt", "stray", "abandoned"}:
        yield Finding("orphans", place, PASS, "nothing lies about in it")


def _first(found: Sequence[Flaw], kind: FlawKind) -> str:
    return next(each.path for each in found if each.kind == kind)


def room(place: str, config: Config) -> Iterator[Finding]:
    """Space and inodes on the disk of the spool."""
    submission = config.submission
    free_bytes, free_inodes = submission.min_free_space, submission.min_free_inodes
    disk = os.statvfs(place)
    free, remedy = disk.f_bavail * disk.f_frsize, f"make room on the disk of {place} (`df {place}`, `du -xh / | sort -h | tail`)"
    bytes_text = f"{free / 1e6:.0f} MB of {disk.f_blocks * disk.f_frsize / 1e6:.0f} MB are free, {free_bytes / 1e6:.0f} MB have to stay so"
    if layout.shortage(place, free_bytes, 0):
        yield Finding("space", place, FAIL, f"takes no mail: {bytes_text} (submission.min_free_space)", remedy)
    else:
        yield Finding(
            "space", place, WARN if free < SCARCE * free_bytes else PASS, bytes_text, remedy if free < SCARCE * free_bytes else ""
        )
    if not disk.f_files:
        yield Finding("inodes", place, PASS, "the file system makes them as it needs them")
        return
    files_text = f"room for {disk.f_favail} files, {free_inodes} have to stay free"
    few, remedy = "remove what is many and small on that disk (`df -i`)", ""
    worth = FAIL if disk.f_favail < free_inodes else WARN if disk.f_favail < SCARCE * free_inodes else PASS
    remedy = "" if worth == PASS else few
    text = f"takes no mail: {files_text} (submission.min_free_inodes)" if worth == FAIL else files_text
    yield Finding("inodes", place, worth, text, remedy)


def clock(place: str, now: float) -> Iterator[Finding]:
    """Whether this machine's clock shows a time that the spool has not seen yet; what the time is, only others know."""
    seen = sweep.seen(place)
    if seen > now + AHEAD:
        text = f"it shows {rfc3339(int(now))}, and the daemon has seen {rfc3339(int(seen))} already: it was put back, or was wrong then"
        yield Finding("clock", "of this machine", FAIL, text, "let NTP set it (`timedatectl set-ntp true`); nothing is deleted meanwhile")
