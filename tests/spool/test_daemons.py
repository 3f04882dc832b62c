"""Seeing whether a daemon runs, and what it has in hand, without disturbing it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from mailer.spool.files import daemons, doorbell
from mailer.spool.files.store import SpoolDirectory
from tests.status.office import Office


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A spool with messages that things happen to."""
    monkeypatch.setattr("mailer.spool._last", 0)
    office = Office(tmp_path)
    yield office
    office.close()


def test_nobody_runs_where_nothing_is(tmp_path: Path) -> None:
    """Looking at a spool that is not there makes nothing."""
    assert daemons.look(str(tmp_path / "none")) == (False, 0, frozenset())
    assert list(tmp_path.iterdir()) == []


def test_the_lock_tells_the_process_and_the_messages_in_hand(office: Office) -> None:
    """A message that is claimed is being sent; one that lies beside it is not."""
    mine, other, later = office.put(), office.put(), office.deferred()
    with FileLock(f"{office.spool.root}/daemon.lock"), office.spool.claim(mine), office.spool.claim(later):
        running, pid, sending = daemons.look(office.spool.root)
        assert (running, pid) == (True, os.getpid())
        assert sending == {mine, later}
        assert other not in sending
    assert daemons.look(office.spool.root) == (False, 0, frozenset())


def test_a_message_that_an_operator_holds_this_moment_is_not_being_sent(office: Office) -> None:
    """Only the daemon sends; locks of other processes are theirs."""
    id = office.put()
    code = (
        "import sys; from mailer.spool.files.store import SpoolDirectory; claim = SpoolDirectory(sys.argv[1]).claim(sys.argv[2]); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with FileLock(f"{office.spool.root}/daemon.lock"):
        other = subprocess.Popen([sys.executable, "-c", code, office.spool.root, id], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"held\n"
            assert daemons.look(office.spool.root)[2] == frozenset()
        finally:
            other.communicate()


def test_the_doorbell_tells_where_locks_cannot_be_seen(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container ``/proc/locks`` does not show the processes outside; and the bell is not rung by looking."""
    monkeypatch.setattr(daemons, "locks", lambda: iter(()))
    bell = doorbell.hang(office.spool.root)
    assert daemons.look(office.spool.root) == (True, 0, frozenset())
    assert doorbell.listen(bell) == []
    bell.close()
    assert not daemons.look(office.spool.root)[0], "the socket is still there, but nobody has it"


def test_a_deep_spool_is_no_obstacle(tmp_path: Path) -> None:
    """A socket's path has 108 bytes, a directory's may have more."""
    spool = SpoolDirectory(str(tmp_path / ("d" * 100) / ("e" * 100)))
    spool.prepare()
    bell = doorbell.hang(spool.root)
    assert daemons.look(spool.root)[0]
    bell.close()


def test_nobody_who_sends_waits_for_a_note_that_is_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever the daemon runs as may put one there, and every program of the machine looks."""
    os.mkfifo(tmp_path / "note")
    monkeypatch.setattr(daemons, "NOTE", str(tmp_path / "note"))
    monkeypatch.setattr(daemons, "locks", lambda: iter(()))
    assert daemons.note_elsewhere(str(tmp_path)) == ""
