"""Sweeping: what is left over goes after its time, and mail that is still to be delivered never does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailer.spool.files.enqueue import put as spool_put
from mailer.spool.files.idempotency import path_of
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.sweep import ABANDONED, sweep
from tests.fakes.mail import BODY, NOW, envelope, outcome, put

HOUR = 3600.0
RETENTION = 100 * HOUR
KEY_TTL = 200 * HOUR


def aged(path: str | Path, seconds: float) -> Path:
    """A file last touched `seconds` before NOW."""
    path = Path(path)
    path.touch()
    os.utime(path, (NOW - seconds, NOW - seconds))
    return path


def swept(spool: SpoolDirectory, now: float = NOW) -> int:
    return sweep(spool, now, RETENTION, KEY_TTL)


def failed(spool: SpoolDirectory, *verdicts: str, age: float) -> Path:
    """A message in failed/ with these last verdicts, moved there `age` seconds before NOW."""
    id = put(spool, *(f"{nth}@example.com" for nth in range(len(verdicts))))
    with spool.claim(id) as claim:
        spool.fail(claim, [outcome(to, verdict) for to, verdict in enumerate(verdicts) if verdict])  # type: ignore[arg-type]
    return aged(spool.path("failed", id), age)


def test_what_a_dead_writer_left_goes_after_36_hours(spool: SpoolDirectory) -> None:
    """Not before: no writer lives longer than 24 hours, so nobody loses what he is writing."""
    old, new = aged(f"{spool.root}/tmp/old", ABANDONED + 1), aged(f"{spool.root}/tmp/new", ABANDONED - 1)
    assert ABANDONED == 36 * HOUR
    assert swept(spool) == 1
    assert not old.exists()
    assert new.exists()


def test_what_a_dead_sender_left_in_drop_goes_too(spool: SpoolDirectory) -> None:
    """Files that never became whole, however young they say they are; a whole one waits for its adoption, a directory stops nothing."""
    os.mkdir(f"{spool.root}/drop")
    whole, begun = aged(f"{spool.root}/drop/{'7' * 26}", 1000 * HOUR), aged(f"{spool.root}/drop/.begun", -1000 * HOUR)
    os.mkdir(f"{spool.root}/drop/.directory")
    since = os.stat(begun).st_ctime
    assert swept(spool, since + ABANDONED - 1) == 0
    assert begun.exists()
    assert swept(spool, since + ABANDONED + 1) == 1
    assert (whole.exists(), begun.exists()) == (True, False)


def test_a_failed_message_is_kept_for_its_retention(spool: SpoolDirectory) -> None:
    """It can be looked at until then, counted from when it failed."""
    old, new = failed(spool, "fail", "delivered", age=RETENTION + 1), failed(spool, "expire", age=RETENTION - 1)
    assert swept(spool) == 1
    assert not old.exists()
    assert new.exists()


def test_only_a_final_outcome_releases_bytes(spool: SpoolDirectory) -> None:
    """Invariant (e): retention applies, but a message of which a recipient is not done with stays, whatever its directory says."""
    paths = [failed(spool, *verdicts, age=1000 * HOUR) for verdicts in (("fail", "defer"), ("fail", ""), ("",))]
    assert swept(spool) == 0
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("state", ["queued", "deferred", "held", "corrupt"])
def test_no_age_makes_waiting_mail_go(spool: SpoolDirectory, state: str) -> None:
    """What waits, what is held and what could not be read is never swept."""
    id = put(spool)
    os.rename(spool.path("queued", id), spool.path(state, id))
    path = aged(spool.path(state, id), 100_000 * HOUR)
    assert swept(spool) == 0
    assert path.exists()


def test_what_is_no_failed_message_stays(spool: SpoolDirectory) -> None:
    """A damaged file, a stranger's, a link: nothing is deleted that we cannot read."""
    damaged = failed(spool, "fail", age=0)
    damaged.write_bytes(damaged.read_bytes()[:-200])
    aged(damaged, 1000 * HOUR)
    stranger = aged(f"{spool.root}/failed/README", 1000 * HOUR)
    os.symlink("/etc/passwd", f"{spool.root}/failed/{'7' * 26}")
    os.utime(f"{spool.root}/failed/{'7' * 26}", (0, 0), follow_symlinks=False)
    assert swept(spool) == 0
    assert damaged.exists()
    assert stranger.exists()


def test_a_failed_message_that_somebody_acts_on_stays(spool: SpoolDirectory) -> None:
    """The next sweep will find it."""
    path = failed(spool, "fail", age=1000 * HOUR)
    with spool.claim(path.name):
        assert swept(spool) == 0
    assert path.exists()
    assert swept(spool) == 1


def test_a_key_is_forgotten_after_its_time(spool: SpoolDirectory) -> None:
    """Then the same request counts as a new one."""
    old, new = aged(f"{spool.root}/keys/old", KEY_TTL + 1), aged(f"{spool.root}/keys/new", KEY_TTL - 1)
    assert swept(spool) == 1
    assert not old.exists()
    assert new.exists()


def claimed(spool: SpoolDirectory) -> str:
    """A request that a crash cut short between its key and its rename, long ago; its ID."""
    letter = envelope(request_id="r")
    id = spool_put(spool.root, letter.id, letter.to_line(), BODY, ("r", "d"))
    os.rename(spool.path("queued", id), spool.path("tmp", id))
    aged(spool.path("tmp", id), ABANDONED + 1)
    return id


def again(spool: SpoolDirectory) -> str:
    letter = envelope(request_id="r")
    return spool_put(spool.root, letter.id, letter.to_line(), BODY, ("r", "d"))


def test_a_claim_goes_with_its_key(spool: SpoolDirectory) -> None:
    """Else the request would count as made, and its message would be nowhere."""
    id = claimed(spool)
    assert swept(spool) == 1
    assert os.listdir(f"{spool.root}/tmp") == os.listdir(f"{spool.root}/keys") == []
    assert again(spool) != id
    assert len(spool.ids("queued")) == 1


def test_a_key_that_names_another_message_stays(spool: SpoolDirectory) -> None:
    """It was made after this file was left behind."""
    id = claimed(spool)
    os.unlink(path_of(spool.root, "r"))
    other = again(spool)
    aged(path_of(spool.root, "r"), 0)
    assert swept(spool) == 1
    assert not os.path.exists(spool.path("tmp", id))
    assert again(spool) == other


@pytest.mark.parametrize("key", [None, "", "garbage"])
def test_a_key_that_is_missing_or_damaged_does_not_stop_the_sweep(spool: SpoolDirectory, key: str | None) -> None:
    """What is left over goes all the same."""
    claimed(spool)
    path = Path(path_of(spool.root, "r"))
    if key is None:
        path.unlink()
    else:
        path.write_text(key)
        aged(path, 0)
    assert swept(spool) == 1
    assert os.listdir(f"{spool.root}/tmp") == []


def test_an_empty_or_missing_spool_is_clean(tmp_path: Path) -> None:
    """There is nothing to do."""
    assert swept(SpoolDirectory(str(tmp_path / "none"))) == 0
