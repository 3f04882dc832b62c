"""Delivery into a Maildir dying and failing at every call: the message is there whole and once, whatever happened before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mailer.io.maildir import JUNK
from tests.fakes import warm

from . import mailman
from .injected import Call, Victim, side_by_side

pytestmark = [pytest.mark.peer("strace"), pytest.mark.slow]

SCRIPT = str(Path(mailman.__file__))
warm.SCRIPTS.add(SCRIPT)
STRUCK = frozenset(("mkdir", "openat", "write", "fsync", "rename", "unlink"))
"""The calls that change anything, or make ready for it."""


def victim(base: Path) -> Victim:
    """The delivery into a folder of a mailbox below `base`, of which nothing is there yet."""
    base.mkdir()
    return Victim([sys.executable, SCRIPT, base], base.with_suffix(".trace"))


def found(base: Path) -> list[Path]:
    """What a reader sees of it."""
    return [path for name in ("new", "cur") for path in (base / "example.com" / "ann" / JUNK / name).glob("*")]


def delivered_once(base: Path, *, read: bool) -> None:
    """The next attempt ends as one that was never disturbed; what is there by then, a reader may have seen."""
    for path in found(base):
        assert path.read_bytes() == b"".join(mailman.PARTS)
        if read:
            path.rename(path.parents[1] / "cur" / f"{path.name}:2,S")
    mailman.put(str(base))
    [path] = found(base)
    assert path.read_bytes() == b"".join(mailman.PARTS)
    assert not [*(base / "example.com" / "ann" / JUNK / "tmp").iterdir()]


def test_dying_anywhere_delivers_once(tmp_path: Path) -> None:
    """Killed before any of these calls, also where a reader has moved it meanwhile."""

    def dies(call: Call) -> None:
        base = tmp_path / f"{call.name}-{call.nth}"
        victim(base).die_at(call)
        delivered_once(base, read=call.nth % 2 == 0)

    side_by_side(dies, [call for call in victim(tmp_path / "watched").calls() if call.name in STRUCK])


def test_an_error_anywhere_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    """What is said to be there is, and what is said not to be is not: nothing is delivered twice, and nothing lost."""

    def fails(call: Call) -> None:
        base = tmp_path / f"{call.name}-{call.nth}"
        done = victim(base).fail_at(call, "EIO" if call.nth % 2 else "ENOSPC")
        assert len(found(base)) == done.out.count("ok")
        delivered_once(base, read=False)

    side_by_side(fails, [call for call in victim(tmp_path / "watched").calls() if call.name in STRUCK])
