"""What mailboxes do to their files dies and fails at every call: an index is the old one or the new one, and a body is whole.

Of the calls that write pages one after the other the first and the last are struck here, and all of them by `tests/long`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from tests.fakes import warm
from tests.mailbox.encrypted_house import is_plain

from . import sealer
from .injected import Call, Victim, different, side_by_side

pytestmark = [pytest.mark.peer("strace"), pytest.mark.slow]

SCRIPT = str(Path(sealer.__file__))
warm.SCRIPTS.add(SCRIPT)
STRUCK = frozenset(("mkdir", "openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "link", "unlink"))
"""The calls that change anything, or make ready for it."""
ACTS = ("on", "renew", "put", "replace")


def victim(act: str, root: Path) -> Victim:
    """The act below `root`, where all is as before it."""
    root.mkdir()
    sealer.before(act, str(root))
    return Victim([sys.executable, SCRIPT, act, root], root.with_suffix(".trace"))


def struck(act: str, root: Path) -> list[Call]:
    """Its calls that are worth it."""
    return [call for call in victim(act, root).calls() if call.name in STRUCK and "/dev/fd" not in call.text]


def whole(act: str, root: Path) -> bool:
    """Whether it was done; what is there is whole either way."""
    if act in ("put", "replace"):
        bodies = [_body(str(root), id) for id in sealer.IDS]
        olds: tuple[bytes | None, ...] = sealer.OLD if act == "replace" else (None, None)
        assert all(body in (old, new) for body, old, new in zip(bodies, olds, sealer.NEW, strict=True))
        return tuple(bodies) == sealer.NEW
    path = f"{root}/index"
    plain = is_plain(path)
    rows = sealer.engine(path, *([] if plain else [sealer.SECOND, sealer.FIRST]))
    try:
        assert [*rows.read(lambda rows: rows.run(sealer.ALL))] == sealer.WORDS
        assert rows.set_aside(1.0) == ""
    finally:
        rows.close()
    return plain is (act == "off") if act != "renew" else _opens(path, sealer.SECOND)


def _body(root: str, id: str) -> bytes | None:
    try:
        return sealer.kept(root).read(sealer.OWNER, id)
    except Problem as problem:
        if problem.kind != "no-such":
            raise
        return None


def _opens(path: str, key: bytes) -> bool:
    rows = sealer.engine(path, key)
    try:
        return [*rows.read(lambda rows: rows.run(sealer.ALL))] == sealer.WORDS
    except Problem:
        return False
    finally:
        rows.close()


def finished(act: str, root: Path) -> None:
    """The next one does what is left, and leaves nothing beside it."""
    if not whole(act, root):
        sealer.act(act, str(root))
    assert whole(act, root)
    assert not list(root.glob("*.new"))
    sealer.kept(str(root)).sweep(sealer.OWNER, 4e9)
    assert not list(root.rglob("tmp/*"))


def dying_at(calls: list[Call], tmp_path: Path, act: str) -> None:
    """Let it be killed before each of `calls`."""

    def dies(call: Call) -> None:
        root = tmp_path / f"{call.name}-{call.nth}"
        victim(act, root).die_at(call)
        finished(act, root)

    side_by_side(dies, calls)


def failing_at(calls: list[Call], tmp_path: Path, act: str) -> None:
    """Let each of `calls` be told an error."""

    def fails(call: Call) -> None:
        root = tmp_path / f"{call.name}-{call.nth}"
        done = victim(act, root).fail_at(call, "EIO" if call.nth % 2 else "ENOSPC")
        assert whole(act, root) or "ok" not in done.out, (call, done)
        finished(act, root)

    side_by_side(fails, calls)


@pytest.mark.parametrize("act", ACTS)
def test_dying_anywhere_loses_nothing(tmp_path: Path, act: str) -> None:
    """Killed before any of these calls, it can be done again."""
    dying_at(different(struck(act, tmp_path / "watched")), tmp_path, act)


@pytest.mark.parametrize("act", ACTS)
def test_an_error_anywhere_is_told(tmp_path: Path, act: str) -> None:
    """Whoever is told that it is done has it; an error leaves what was there."""
    failing_at(different(struck(act, tmp_path / "watched")), tmp_path, act)


@pytest.mark.parametrize("act", ["put", "replace"])
def test_what_a_power_failure_takes_was_never_told(tmp_path: Path, act: str) -> None:
    """A body is on the disk before it has its name, and its name before anybody is told; so is each directory that was made for it."""
    calls = [call for call in victim(act, tmp_path / "watched").calls() if call.name in ("fsync", "link", "rename", "mkdir")]
    named = [at for at, call in enumerate(calls) if call.name in ("link", "rename")]
    drafts = [at for at, call in enumerate(calls) if call.name == "fsync" and "/tmp/0" in call.text]
    assert len(named) == len(drafts) == len(sealer.IDS)
    assert max(drafts) < min(named)
    assert any(call.name == "fsync" and "/mail/" in call.text for call in calls[max(named) :])
    for at, call in enumerate(calls):
        assert call.name != "mkdir" or calls[at + 1].name == "fsync"


@pytest.mark.parametrize("act", ["on", "off"])
def test_an_index_is_on_the_disk_before_it_takes_the_place(tmp_path: Path, act: str) -> None:
    """And its name is, before whoever waits goes on."""
    calls = [call for call in victim(act, tmp_path / "watched").calls() if call.name in ("fsync", "fdatasync", "rename")]
    [named] = [at for at, call in enumerate(calls) if call.name == "rename"]
    assert any(".new>" in call.text for call in calls[:named])
    assert not any(".new>" in call.text for call in calls[named + 1 :])
    assert calls[named + 1].name == "fsync"
