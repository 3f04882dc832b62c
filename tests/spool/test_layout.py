"""Where things are in a spool, whether it has room, and what an ID is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.problem import Problem
from mailer.spool import ALPHABET, encode, is_id, new_id
from mailer.spool.files import layout
from mailer.spool.files.layout import prepare, share
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.users import NOBODY, SEND, as_nobody, public_directory

MADE = {"tmp", "queued", "deferred", "held", "failed", "corrupt", "keys"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def python(code: str, umask: int = -1) -> list[str]:
    """The lines that `code` prints in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, umask=umask)
    return done.stdout.splitlines()


def test_an_id_begins_with_its_time() -> None:
    """26 symbols, the first ten of which are the milliseconds, so that `ls` sorts by age."""
    code = "from mailer.spool import new_id\nfor at in (0.0, 1.5, 1800000000.123, 281474976710.655): print(new_id(at))"
    ids = python(code)
    assert [id[:10] for id in ids] == [encode(ms, 10) for ms in (0, 1500, 1_800_000_000_123, (1 << 48) - 1)]
    assert all(is_id(id) for id in ids)
    assert ids == sorted(ids)


@given(st.lists(st.floats(0, 1.7e9), min_size=2, max_size=50))
def test_ids_of_one_process_ascend_whatever_the_clock_does(times: list[float]) -> None:
    """A clock that stands still or is set back makes no two equal and none out of order."""
    ids = [new_id(now) for now in times]
    assert ids == sorted(set(ids))
    assert all(map(is_id, ids))


def test_processes_that_were_forked_make_different_ids() -> None:
    """What a parent and its children have in common, the last ID, does not make them say the same next one."""
    code = """
import os
from mailer.spool import new_id
new_id(2000.0)
for _ in range(3):
    if not os.fork():
        print(new_id(1000.0), flush=True)
        os._exit(0)
    os.wait()
print(new_id(1000.0))
"""
    assert len(set(python(code))) == 4


@pytest.mark.parametrize(
    "name",
    ["", "0" * 25, "0" * 27, "0" * 25 + "o", "0" * 25 + "U", "0" * 25 + "I", "0" * 25 + "a", "../queued/" + "0" * 16, "0" * 25 + "\n"],
)
def test_what_is_no_id(name: str) -> None:
    """Wrong lengths, letters that are read as others, small letters, slashes and line ends."""
    assert not is_id(name)


def test_the_alphabet_can_be_read_over_the_telephone() -> None:
    """No I, L, O or U; ascending, so that IDs sort as numbers do."""
    assert list(ALPHABET) == sorted(set(ALPHABET))
    assert len(ALPHABET) == 32
    assert not set("ILOU") & set(ALPHABET)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_a_spool_is_its_owners_whatever_the_umask_says(tmp_path: Path, umask: int) -> None:
    """All directories are 0700, also those above it that had to be made."""
    root = tmp_path / "state" / "more" / "spool"
    python(f"from mailer.spool.files.layout import prepare; prepare({str(root)!r})", umask)
    assert {path.name for path in root.iterdir()} == MADE
    assert {mode(path) for path in (*root.iterdir(), root, *root.parents[:2])} == {0o700}


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    """What is there stays, with its mode; what is missing is made."""
    prepare(str(tmp_path / "spool"))
    (tmp_path / "spool" / "queued" / "x").touch()
    (tmp_path / "spool" / "held").rmdir()
    (tmp_path / "spool" / "tmp").chmod(0o750)
    prepare(str(tmp_path / "spool"))
    assert (tmp_path / "spool" / "queued" / "x").exists()
    assert {path.name for path in (tmp_path / "spool").iterdir()} == MADE
    assert mode(tmp_path / "spool" / "tmp") == 0o750


def test_many_can_prepare_at_once(tmp_path: Path) -> None:
    """The first two senders after installation may start in the same moment."""
    for nth in range(10):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(prepare, [str(tmp_path / str(nth) / "a" / "spool")] * 8))
        assert {path.name for path in (tmp_path / str(nth) / "a" / "spool").iterdir()} == MADE


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """The error says what could not be made and why."""
    (tmp_path / "spool").write_text("")
    with pytest.raises(Problem, match=r"cannot make the spool: .*/spool: File exists") as caught:
        prepare(str(tmp_path / "spool"))
    assert caught.value.kind == "cannot-create"


def test_a_directory_that_we_may_not_write_is_77() -> None:
    """No permission is told from what passes with time."""
    with public_directory() as directory:
        done = as_nobody(SEND, "--spool", directory / "spool", "a@example.com", input=b"x\n")
    assert done.returncode == 77
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can own nothing of it")
def test_root_does_not_act_in_another_users_spool(tmp_path: Path) -> None:
    """Files that root put there would not be that user's to move."""
    prepare(str(tmp_path / "spool"))
    os.chown(tmp_path / "spool", NOBODY, NOBODY)
    with pytest.raises(Problem, match=rf"belongs to .*user {NOBODY}") as caught:
        prepare(str(tmp_path / "spool"))
    assert caught.value.kind == "no-permission"


def test_a_shared_spool_lets_others_pass_and_drop_and_nothing_else(tmp_path: Path) -> None:
    """Whatever the umask says; and what is so already is not touched, for some services may not set the setgid bit."""
    root = tmp_path / "spool"
    before = os.umask(0o777)
    try:
        prepare(str(root))
        share(str(root))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.iterdir())}
    assert (modes.pop("spool"), modes.pop("drop")) == (0o711, 0o3733)
    assert set(modes.values()) == {0o700}
    changed = (root / "drop").stat().st_ctime_ns
    share(str(root))
    assert (root / "drop").stat().st_ctime_ns == changed


def disk(monkeypatch: pytest.MonkeyPatch, **facts: int) -> None:
    """A disk of 1 GB in blocks of 1000 bytes, with a million inodes."""
    known = {"f_frsize": 1000, "f_blocks": 10**6, "f_bavail": 10**6, "f_files": 10**6, "f_favail": 10**6} | facts
    monkeypatch.setattr(os, "statvfs", lambda _: type("Disk", (), known))


def test_a_disk_with_room_lacks_nothing(spool: SpoolDirectory) -> None:
    """Nor does one that is not there yet."""
    assert layout.shortage(spool.root, 1, 1) == ""
    assert layout.shortage(f"{spool.root}/none", 10**15, 10**15) == ""
    layout.check_space(spool.root, 1, 1, 1000)


def test_what_must_stay_free(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message itself counts: it must not take the last of it."""
    disk(monkeypatch, f_bavail=60_000)
    assert layout.shortage(spool.root, 50_000_000, 1000, 10_000_000) == ""
    assert layout.shortage(spool.root, 50_000_000, 1000, 10_000_001).startswith("60 MB of space left, and 50 MB are to stay free")
    disk(monkeypatch, f_favail=999)
    assert layout.shortage(spool.root, 1, 1000) == "room for 999 files left, and 1000 are to stay free (submission.min_free_inodes)"


@pytest.mark.parametrize("facts", [{"f_files": 0, "f_favail": 0}, {"f_blocks": 0, "f_bavail": 0}])
def test_a_file_system_that_does_not_say(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any]) -> None:
    """One that makes inodes as it goes, or counts no blocks, is not full."""
    disk(monkeypatch, **facts)
    assert layout.shortage(spool.root, 50_000_000, 1000) == ""


def test_who_hands_mail_in_is_told_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 75, one line that says what is short, how much, and where that is set."""
    disk(monkeypatch, f_bavail=5)
    with pytest.raises(Problem, match="5 KB of space left") as caught:
        layout.check_space(str(tmp_path), 50_000_000, 1000, 10)
    assert caught.value.kind == "try-again"
    assert "submission.min_free_space" in str(caught.value)


def test_where_nothing_can_be_made() -> None:
    """A file system of the kernel's: the directory above is there, and so it is said that there is none."""
    with pytest.raises(Problem, match="/proc/none"):
        prepare("/proc/none/spool")
