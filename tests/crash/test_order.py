"""The order of the steps: what would survive a power failure, which killing a process cannot show.

Data is safe after `fsync` of its file, a name after `fsync` of its directory. So the calls are put in a row and
the row is compared with the promise: nothing is said, moved or reported before what it rests on is on the disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.mail.principal import unix
from mailer.spool.files.admit import Stranger, named

from . import victim, wreck
from .injected import Victim

pytestmark = pytest.mark.peer("strace")
VictimAt = Callable[..., Victim]
CHANGING = ("write", "fsync", "fdatasync", "rename", "link", "unlink", "utimensat", "sendto")


def steps(victim_at: VictimAt, operation: str, root: Path) -> list[str]:
    """The calls that change something, in order, as ``name directory``; one that repeats stands once."""
    inside = re.compile(re.escape(f"{root}/") + r"(\w+)")
    row: list[str] = []
    for call in victim_at(operation, root).calls():
        found = inside.search(call.text)
        if call.name in CHANGING and found:
            step = f"{call.name} {found[1]}"
            row += [step] if step not in row[-1:] else []
    return row


def test_put_says_ok_after_both_syncs(tmp_path: Path, victim_at: VictimAt) -> None:
    """The file is on disk before it has its name, and the name before the doorbell rings or the caller hears."""
    row = steps(victim_at, "put", wreck.prepared(tmp_path))
    assert row == ["write tmp", "fsync tmp", "rename tmp", "fsync queued", "sendto doorbell"]


def test_a_request_id_is_claimed_after_the_message_is_on_disk(tmp_path: Path, victim_at: VictimAt) -> None:
    """A key on disk names a message on disk."""
    row = steps(victim_at, "put_once", wreck.prepared(tmp_path))
    assert row == [
        *("write tmp", "fsync tmp"),  # the message
        *("write tmp", "fsync tmp", "link tmp", "unlink tmp", "fsync keys"),  # the key
        *("rename tmp", "fsync queued", "sendto doorbell"),
    ]


@pytest.mark.parametrize(
    ("operation", "row"),
    [
        ("record", ["write queued", "fdatasync queued"]),
        ("defer", ["write queued", "fdatasync queued", "utimensat queued", "rename queued"]),
        ("fail", ["write queued", "fdatasync queued", "rename queued"]),
        ("drop", ["unlink queued"]),
    ],
)
def test_what_was_learned_is_on_disk_before_the_message_moves(tmp_path: Path, victim_at: VictimAt, operation: str, row: list[str]) -> None:
    """Records first, then the move: a message that moved has its reasons with it."""
    assert steps(victim_at, operation, wreck.prepared(tmp_path, "queued")) == row


def test_adopt_takes_the_file_away_after_its_copy_is_on_disk(tmp_path: Path, victim_at: VictimAt) -> None:
    """What another user handed over stays in drop/ until the queue has it for good."""
    row = steps(victim_at, "adopt", wreck.prepared(tmp_path, "drop"))
    assert row == ["write tmp", "fsync tmp", "rename tmp", "fsync queued", "unlink drop", "fsync drop"]


def test_adopt_syncs_a_copy_that_a_crash_left_before_it_takes_the_file_away(tmp_path: Path, victim_at: VictimAt) -> None:
    """A copy found in queued/ may have been renamed a moment before the crash: its name is synced, then drop/ emptied."""
    root = wreck.prepared(tmp_path, "drop")
    left = root.joinpath("drop", victim.ID).stat()
    line = victim.envelope(named(victim.ID, Stranger(unix(left.st_uid), left.st_ctime)))
    line.submitter, line.subject = unix(left.st_uid).as_submitter(), "a test"  # as it is admitted: who, and what the header says
    root.joinpath("queued", line.id).write_bytes(victim.spool_file(line))
    assert steps(victim_at, "adopt", root) == ["fsync queued", "unlink drop", "fsync drop"]
