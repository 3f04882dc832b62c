"""Adopting what others put into drop/: mail is taken, and nothing stops the rest."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope
from mailer.mail.principal import Principal, unix
from mailer.mail.problem import Problem
from mailer.spool.files.drop import KEPT, KEPT_BYTES
from mailer.spool.files.message_file import render_records
from mailer.spool.files.pickup import Stuck, adopt
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, outcome, spool_file
from tests.fakes.users import NOBODY
from tests.spool.others import ID, LATER, MAX, TERMS, envelope, leave


def test_mail_is_taken_in_order_and_once(spool: SpoolDirectory, drop: Path) -> None:
    """Each file becomes a message of the queue and leaves drop/."""
    ids = [leave(drop, envelope(at=time.time() - age)) for age in (10, 30, 20)]
    assert adopt(spool, TERMS).ids == sorted(ids) == spool.ids("queued")
    assert os.listdir(drop) == []
    assert all(spool.content(id) == BODY for id in ids)
    again = adopt(spool, TERMS)
    assert (again.ids, again.refused) == ([], [])


def test_the_daemon_gets_a_copy_of_its_own(spool: SpoolDirectory, drop: Path) -> None:
    """Whoever still holds the file open changes nothing any more; the copy is the daemon's, and private."""
    id = leave(drop)
    (drop / id).chmod(0o644)
    with (drop / id).open("r+b") as his:
        adopt(spool, TERMS)
        his.write(b"mailer/1 0 0 00000000\n")
    assert spool.content(id) == BODY
    known = os.stat(spool.path("queued", id))
    assert (known.st_uid, known.st_mode & 0o777) == (os.geteuid(), 0o600)


def test_a_file_names_no_other_submitter_than_its_owner(spool: SpoolDirectory, drop: Path) -> None:
    """Who sent it is what the file system says."""
    id = leave(drop, envelope(submitter={"uid": 0, "principal": "key:somebody", "ip": "192.0.2.1"}))
    owner = NOBODY if os.geteuid() == 0 else os.geteuid()
    os.chown(drop / id, owner, -1)
    adopt(spool, TERMS)
    assert spool.read(id).envelope.submitter == {**unix(owner).as_submitter(), "ip": "192.0.2.1"}


def test_a_user_names_the_stream_of_his_mail_and_no_more(spool: SpoolDirectory, drop: Path) -> None:
    """It may have a link to unsubscribe; that the suppression list is to be ignored is not his to say."""
    asked = {"list_unsubscribe": "auto", "ignore_suppression": True}
    id = leave(drop, envelope(submitter={"stream": "News"}, options=asked))
    without = leave(drop, envelope(submitter={"stream": "x" * 300}, options=asked))
    adopt(spool, TERMS)
    kept = spool.read(id).envelope
    assert (kept.stream, kept.options) == ("news", {"list_unsubscribe": "auto"})
    assert (spool.read(without).envelope.stream, spool.read(without).envelope.options) == ("", {})


def test_records_of_others_are_left_out(spool: SpoolDirectory, drop: Path) -> None:
    """What was delivered is known by the daemon and by nobody else."""
    id = leave(drop, tail=render_records([outcome(0)]))
    adopt(spool, TERMS)
    assert spool.read(id).history.outcomes == []


def test_mail_from_the_future_is_as_old_as_its_file(spool: SpoolDirectory, drop: Path) -> None:
    """Else it would never expire."""
    letter = envelope()
    letter.created = "9999-12-31T23:59:59Z"
    id = leave(drop, letter)
    os.utime(drop / id, (2e9, 2e9))
    adopt(spool, TERMS)
    assert spool.read(id).arrived <= time.time()


def test_what_is_still_being_written_is_left_alone(spool: SpoolDirectory, drop: Path) -> None:
    """A name with a dot in front is not whole yet."""
    (drop / f".{ID}").write_bytes(b"mailer/1")
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused) == ([], [])
    assert os.listdir(drop) == [f".{ID}"]


def test_a_round_has_an_end(spool: SpoolDirectory, drop: Path) -> None:
    """No more than `limit` at a time; the rest waits in drop/."""
    ids = sorted(leave(drop) for _ in range(5))
    assert adopt(spool, TERMS, limit=3).ids == ids[:3]
    assert adopt(spool, TERMS, limit=3).ids == ids[3:]


def test_a_file_that_its_owner_leases_comes_later(spool: SpoolDirectory, drop: Path) -> None:
    """He is asked to let go and not waited for; what else lies there is taken at once."""
    leased = leave(drop, envelope(id=ID))
    fd = os.open(drop / leased, os.O_RDWR)
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, 0)
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        later = leave(drop, envelope(id=LATER))
        done = adopt(spool, TERMS)
        assert (done.ids, done.left) == ([later], {os.geteuid(): 1})
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, signal.SIG_DFL)
    assert adopt(spool, TERMS).ids == [leased]


@pytest.mark.parametrize("call", ["open", "fstat", "read", "unlink"])
@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EIO, errno.EPERM, errno.ESTALE, errno.ENOENT])
def test_an_error_of_one_file_is_that_files(
    spool: SpoolDirectory, drop: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """Whatever comes of opening it, reading it and taking it away, the next one is looked at."""
    bad, good = leave(drop, envelope(id=ID)), leave(drop, envelope(id=LATER))
    real, mine = getattr(os, call), os.stat(drop / bad).st_ino

    def fails(what: Any, *more: Any, **named: Any) -> Any:
        ours = what == f"{drop}/{bad}" if isinstance(what, str) else stat_of(what).st_ino == mine
        if ours:
            raise OSError(code, os.strerror(code), what)
        return real(what, *more, **named)

    stat_of = os.fstat
    monkeypatch.setattr(os, call, fails)
    assert good in adopt(spool, TERMS).ids
    monkeypatch.undo()
    adopt(spool, TERMS)
    assert sorted(spool.ids("queued")) == [bad, good]
    assert os.listdir(drop) == []


def test_a_file_that_grows_comes_when_it_is_whole(spool: SpoolDirectory, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner still writes it."""
    leave(drop, envelope(id=ID))
    real_read = os.read

    def grows(fd: int, count: int) -> bytes:
        with (drop / ID).open("ab") as more:
            more.write(b"x")
        return real_read(fd, count)

    monkeypatch.setattr(os, "read", grows)
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.left) == ([], [], {os.geteuid(): 1})
    assert os.listdir(drop) == [ID]


def test_an_error_of_ours_stops_nothing(spool: SpoolDirectory, drop: Path) -> None:
    """A message that we cannot digest waits, and is told of; the next one is taken."""

    def judge(letter: Envelope, _content: bytes, _who: Principal) -> None:
        if letter.id == ID:
            raise ZeroDivisionError("ours")

    leave(drop, envelope(id=ID))
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS._replace(judge=judge))
    assert (done.ids, [str(error) for error in done.bugs]) == ([later], ["ours"])
    assert os.listdir(drop) == [ID]


def test_what_the_disk_has_no_room_for_waits_and_what_is_smaller_is_taken(spool: SpoolDirectory, drop: Path) -> None:
    """And nothing as large is read in vain."""
    asked = []

    def judge(letter: Envelope, content: bytes, _who: Principal) -> None:
        asked.append(letter.id)
        if len(content) > 5000:
            raise Problem("no room", "try-again")

    large = [leave(drop, body=b"From: me@example.com\r\n\r\n" + b"x\r\n" * 2000) for _ in range(3)]
    small = leave(drop)
    done = adopt(spool, TERMS._replace(judge=judge))
    assert (done.ids, done.trouble, asked) == ([small], "no room", [large[0], small])
    assert sorted(os.listdir(drop)) == large


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_every_user_gets_his_turn(spool: SpoolDirectory, drop: Path) -> None:
    """Many files of one, with the oldest names, do not keep another's waiting."""
    flood = [leave(drop, envelope(at=time.time() - 1000)) for _ in range(50)]
    mine = leave(drop)
    os.chown(drop / mine, NOBODY, -1)
    done = adopt(spool, TERMS, limit=4)
    assert (mine in done.ids, len(done.ids), done.more) == (True, 4, True)
    assert sorted({*done.ids} - {mine}) == flood[:3]


def test_what_is_kept_of_one_user_has_a_bound(spool: SpoolDirectory, drop: Path) -> None:
    """In number and in bytes; beyond it, it stays where its owner left it, and nothing is lost."""
    for at in range(KEPT - 1):
        Path(spool.root, "corrupt", str(at)).touch()
    for at in range(3):
        (drop / f"README{at}").write_bytes(b"x")
    done = adopt(spool, TERMS)
    assert ([refused.name for refused in done.refused], done.deleted, done.left) == (["README0"], {}, {os.geteuid(): 2})
    assert sorted(os.listdir(drop)) == ["README1", "README2"]
    assert "corrupt/ holds as much" in done.why[os.geteuid()]
    os.truncate(f"{spool.root}/corrupt/0", KEPT_BYTES)
    for at in (1, 2, 3):
        os.unlink(f"{spool.root}/corrupt/{at}")
    (drop / "README").write_bytes(b"x")
    assert adopt(spool, TERMS).left == {os.geteuid(): 3}
    os.unlink(f"{spool.root}/corrupt/0")
    assert len(adopt(spool, TERMS).refused) == 3
    assert os.listdir(drop) == []


def test_what_is_left_is_read_once(spool: SpoolDirectory, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it was changed, or others judge."""
    for at in range(KEPT):
        Path(spool.root, "corrupt", str(at)).touch()
    leave(drop, envelope(id=ID), b"no mail")
    (drop / LATER).write_bytes(spool_file(envelope(id=LATER)).replace(b"mailer/1", b"mailer/2", 1))
    read: list[int] = []
    real_read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: read.append(fd) or real_read(fd, size))
    stuck = Stuck()
    assert adopt(spool, TERMS, stuck=stuck).left == {os.geteuid(): 2}
    cost = len(read)
    assert adopt(spool, TERMS, stuck=stuck).left == {os.geteuid(): 2}
    assert len(read) == cost > 0
    assert adopt(spool, TERMS._replace(max_size=MAX + 1), stuck=stuck).left == {os.geteuid(): 2}
    assert len(read) == 2 * cost
    (drop / ID).write_bytes(spool_file(envelope(id=ID)))
    assert adopt(spool, TERMS, stuck=stuck).ids == [ID]


def test_what_is_to_leave_later_is_put_among_the_deferred(spool: SpoolDirectory, drop: Path) -> None:
    """Its file's time is when it is due."""
    at = time.time() + 3600
    id = leave(drop, envelope(options={"at": rfc3339(at)}))
    adopt(spool, TERMS)
    assert spool.find(id) == "deferred"
    assert abs(spool.due(id) - at) < 0.001


def test_what_cannot_be_moved_does_not_stand_in_the_way(spool: SpoolDirectory, drop: Path) -> None:
    """However many there are, and however early their names sort."""
    for at in range(5):
        (drop / f"0000000000000000000000000{at}" / "x").mkdir(parents=True)
    id = leave(drop)
    done = adopt(spool, TERMS, limit=1)
    assert (done.ids, done.more) == ([id], True)
    done = adopt(spool, TERMS, limit=1)
    assert (done.ids, done.more, done.left) == ([], False, {os.geteuid(): 5})


def test_a_disk_that_takes_nothing_leaves_everything_in_drop(spool: SpoolDirectory, drop: Path) -> None:
    """An error of the spool is raised; the mail waits where it is."""
    id = leave(drop)
    Path(spool.root, "queued").rmdir()
    with pytest.raises(OSError, match="No such file"):
        adopt(spool, TERMS)
    assert os.listdir(drop) == [id]
    assert os.listdir(f"{spool.root}/tmp") == []
    Path(spool.root, "queued").mkdir()
    assert adopt(spool, TERMS).ids == [id]


def test_the_time_of_arrival_is_the_envelopes(spool: SpoolDirectory, drop: Path) -> None:
    """Mail that waited in drop/ for a daemon is as old as it is."""
    letter = envelope(at=1_000_000_000.0)
    leave(drop, letter)
    (id,) = adopt(spool, TERMS).ids
    assert spool.read(id).envelope.created == letter.created
