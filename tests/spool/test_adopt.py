"""Adopting what others put into drop/: mail is taken, everything else is set aside or deleted, and nothing stops the rest."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.failure import TRY_AGAIN, Failure
from mailer.mail.when import rfc3339
from mailer.spool import Spool
from mailer.spool.admit import Terms
from mailer.spool.adopt import Stuck, adopt
from mailer.spool.aside import KEPT, KEPT_BYTES
from mailer.spool.file import render_records
from mailer.spool.layout import put_at
from mailer.spool.put import head
from tests.fakes.mail import BODY, id_at, outcome, put, spool_file
from tests.fakes.mail import envelope as envelope_at
from tests.fakes.sockets import make_socket
from tests.fakes.users import NOBODY

ID, LATER = id_at(time.time() - 100), id_at(time.time())
MAX = 10_000
TERMS = Terms(MAX, 10, max_header=5000)
SECRET = b"root:secret\n"


def envelope(*recipients: str, **more: Any) -> Envelope:
    """An envelope that was made a minute ago."""
    return envelope_at(*recipients, **{"at": time.time() - 60} | more)


@pytest.fixture
def drop(spool: Spool) -> Path:
    """The drop directory of a system-wide spool."""
    path = Path(spool.root, "drop")
    path.mkdir()
    path.chmod(0o1733)
    return path


def leave(drop: Path, letter: Envelope | None = None, body: bytes = BODY, tail: bytes = b"") -> str:
    """A user's message; its ID."""
    letter = letter or envelope()
    (drop / letter.id).write_bytes(spool_file(letter, body) + tail)
    return letter.id


def test_mail_is_taken_in_order_and_once(spool: Spool, drop: Path) -> None:
    """Each file becomes a message of the queue and leaves drop/."""
    ids = [leave(drop, envelope(at=time.time() - age)) for age in (10, 30, 20)]
    assert adopt(spool, TERMS).ids == sorted(ids) == spool.ids("queued")
    assert os.listdir(drop) == []
    assert all(spool.content(id) == BODY for id in ids)
    again = adopt(spool, TERMS)
    assert (again.ids, again.refused) == ([], [])


def test_the_daemon_gets_a_copy_of_its_own(spool: Spool, drop: Path) -> None:
    """Whoever still holds the file open changes nothing any more; the copy is the daemon's, and private."""
    id = leave(drop)
    (drop / id).chmod(0o644)
    with (drop / id).open("r+b") as his:
        adopt(spool, TERMS)
        his.write(b"mailer/1 0 0 00000000\n")
    assert spool.content(id) == BODY
    known = os.stat(spool.path("queued", id))
    assert (known.st_uid, known.st_mode & 0o777) == (os.geteuid(), 0o600)


def test_a_file_names_no_other_submitter_than_its_owner(spool: Spool, drop: Path) -> None:
    """Who sent it is what the file system says."""
    id = leave(drop, envelope(submitter={"uid": 0, "ip": "192.0.2.1"}))
    owner = NOBODY if os.geteuid() == 0 else os.geteuid()
    os.chown(drop / id, owner, -1)
    adopt(spool, TERMS)
    assert spool.read(id).envelope.submitter == {"uid": owner, "ip": "192.0.2.1"}


def test_records_of_others_are_left_out(spool: Spool, drop: Path) -> None:
    """What was delivered is known by the daemon and by nobody else."""
    id = leave(drop, tail=render_records([outcome(0)]))
    adopt(spool, TERMS)
    assert spool.read(id).history.outcomes == []


def test_mail_from_the_future_is_as_old_as_its_file(spool: Spool, drop: Path) -> None:
    """Else it would never expire."""
    letter = envelope()
    letter.created = "9999-12-31T23:59:59Z"
    id = leave(drop, letter)
    os.utime(drop / id, (2e9, 2e9))
    adopt(spool, TERMS)
    assert spool.read(id).arrived <= time.time()


def test_what_is_still_being_written_is_left_alone(spool: Spool, drop: Path) -> None:
    """A name with a dot in front is not whole yet."""
    (drop / f".{ID}").write_bytes(b"mailer/1")
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused) == ([], [])
    assert os.listdir(drop) == [f".{ID}"]


def test_a_round_has_an_end(spool: Spool, drop: Path) -> None:
    """No more than `limit` at a time; the rest waits in drop/."""
    ids = sorted(leave(drop) for _ in range(5))
    assert adopt(spool, TERMS, limit=3).ids == ids[:3]
    assert adopt(spool, TERMS, limit=3).ids == ids[3:]


# What is no mail


def symlink(path: Path) -> None:
    path.parent.parent.joinpath("secret").write_bytes(SECRET)
    path.symlink_to("../secret")


def hard_link(path: Path) -> None:
    secret = path.parent.parent / "secret"
    secret.write_bytes(spool_file(envelope(id=path.name)))
    os.link(secret, path)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, 5))  # /dev/zero
        path.open("rb").close()
    except OSError:
        pytest.skip("no devices can be made here")


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def damaged(path: Path) -> None:
    path.write_bytes(spool_file(envelope(id=path.name)).replace(b"body", b"BODY"))


def open_to_others(path: Path, mode: int) -> None:
    path.write_bytes(spool_file(envelope(id=path.name)))
    path.chmod(mode)


def with_options(path: Path, **options: object) -> None:
    path.write_bytes(spool_file(envelope(id=path.name, options=options)))


def with_subject(path: Path, subject: object) -> None:
    letter = envelope(id=path.name)
    line = letter.to_line().replace(b"{", b'{"subject":' + json.dumps(subject).encode() + b",", 1)
    path.write_bytes(head(line, BODY) + line + BODY)


def without_time(path: Path) -> None:
    letter = envelope(id=path.name)
    letter.created = "yesterday"
    path.write_bytes(spool_file(letter))


WORTHLESS: dict[str, Callable[[Path], object]] = {
    "symlink": symlink,
    "dangling symlink": lambda path: path.symlink_to("nowhere"),
    "symlink to itself": lambda path: path.symlink_to(path.name),
    "hard link": hard_link,
    "FIFO": os.mkfifo,
    "socket": make_socket,
    "device": device,
    "directory": os.mkdir,
    "0 bytes": lambda path: path.touch(),
}
STRANGE: dict[str, Callable[[Path], object]] = {
    "a large envelope": lambda path: with_subject(path, "x" * (1 << 20)),
    "many members": lambda path: with_subject(path, [[]] * 10_000),
    "a large header": lambda path: path.write_bytes(spool_file(envelope(id=path.name), b"A: b\r\n" * 1200 + b"\r\n")),
    "no mail": lambda path: path.write_bytes(b"#!/bin/sh\n"),
    "damaged": damaged,
    "another ID": lambda path: path.write_bytes(spool_file(envelope())),
    "no time": without_time,
    "group-writable": lambda path: open_to_others(path, 0o620),
    "other-writable": lambda path: open_to_others(path, 0o602),
    "bare line feeds": lambda path: path.write_bytes(spool_file(envelope(id=path.name), b"A: b\r\n\r\nx\n.\n\r\n")),
    "a NUL": lambda path: path.write_bytes(spool_file(envelope(id=path.name), b"A: b\r\n\r\n\0\r\n")),
    "no sender": lambda path: path.write_bytes(spool_file(envelope(id=path.name, sender="no address"))),
    "no recipient": lambda path: path.write_bytes(spool_file(envelope("you", id=path.name))),
    "too many recipients": lambda path: path.write_bytes(spool_file(envelope(*[f"a{at}@b.example" for at in range(11)], id=path.name))),
    "no request id": lambda path: path.write_bytes(spool_file(envelope(id=path.name, request_id="a\nb"))),
    "a long request id": lambda path: path.write_bytes(spool_file(envelope(id=path.name, request_id="a" * 256))),
    "no such option": lambda path: with_options(path, ret="ALL"),
    "no moment": lambda path: with_options(path, at="soon"),
    "in a hundred years": lambda path: with_options(path, at="2126-11-21T00:00:00Z"),
    "one byte too many": lambda path: path.write_bytes(spool_file(envelope(id=path.name), b"x" * (MAX - 1) + b"\r\n")),
}
NAMES = ["README", "a\nb", "-rf", "名" * 85, "x" * 255, os.fsdecode(b"\xff" * 255), "01m7xze2zpfn5m9c7pxgdnnsf8", "\x1b]0;x\x07"]


def check_set_aside(spool: Spool, drop: Path, name: str) -> None:
    """`name` was refused, lies in corrupt/, and the mail behind it was taken."""
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS)
    assert done.ids == [later]
    ((refused, uid, reason, path),) = done.refused
    assert (refused, uid, bool(reason), os.path.dirname(path)) == (name, os.geteuid(), True, f"{spool.root}/corrupt")
    assert os.path.lexists(path)
    assert os.listdir(drop) == []
    assert spool.ids("queued") == [later]


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_is_no_mail_is_set_aside_unread(spool: Spool, drop: Path, strange: Callable[[Path], object]) -> None:
    """Links are not followed, a FIFO is not waited for, and what comes after it is taken."""
    strange(drop / ID)
    check_set_aside(spool, drop, ID)
    assert os.listdir(f"{spool.root}/tmp") == []


@pytest.mark.parametrize("strange", WORTHLESS.values(), ids=WORTHLESS)
def test_what_has_no_content_is_deleted(spool: Spool, drop: Path, strange: Callable[[Path], object]) -> None:
    """Nobody wants to see it; it is counted, with whose it was and why, and what comes after it is taken."""
    strange(drop / ID)
    uid = os.lstat(drop / ID).st_uid
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.deleted) == ([later], [], {uid: 1})
    assert done.why[uid].startswith(f"{ID}: ")
    assert [os.listdir(f"{spool.root}/{place}") for place in ("drop", "corrupt", "tmp")] == [[], [], []]
    if strange is hard_link:
        assert Path(spool.root, "secret").exists()


def test_what_is_larger_than_all_that_is_kept_stays_there(spool: Spool, drop: Path) -> None:
    """It is not read, and what comes after it is taken."""
    huge(drop / ID)
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.deleted, done.left) == ([later], [], {}, {os.geteuid(): 1})
    assert os.listdir(drop) == [ID]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_whose_name_is_no_id_is_set_aside(spool: Spool, drop: Path, name: str) -> None:
    """Line ends, dots, options, escapes, other alphabets, 255 bytes; also when it comes twice."""
    for _ in range(2):
        (drop / name).write_bytes(spool_file(envelope(id=ID)))
        check_set_aside(spool, drop, name)
        os.unlink(spool.path("queued", LATER))
    assert len(os.listdir(f"{spool.root}/corrupt")) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_we_may_not_read_is_set_aside(spool: Spool, drop: Path) -> None:
    """Its owner took his own rights away."""
    leave(drop, envelope(id=ID))
    (drop / ID).chmod(0)
    check_set_aside(spool, drop, ID)


def test_a_file_replaced_at_the_last_moment_is_not_followed(spool: Spool, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened is looked at, not what was listed."""
    leave(drop, envelope(id=ID))
    real_open = os.open

    def replaced(path: str, flags: int, mode: int = 0o777) -> int:
        if path.endswith(f"drop/{ID}"):
            os.unlink(path)
            symlink(Path(path))
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "open", replaced)
    done = adopt(spool, TERMS)
    assert done.deleted.total() == 1
    assert Path(spool.root, "secret").read_bytes() == SECRET
    assert spool.find(ID) is None


def test_a_file_taken_back_is_no_trouble(spool: Spool, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner unlinks it between the listing and the opening."""
    leave(drop, envelope(id=ID))
    real_open = os.open

    def taken_back(path: str, flags: int, mode: int = 0o777) -> int:
        if path.endswith(f"drop/{ID}"):
            os.unlink(path)
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "open", taken_back)
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.deleted, done.left) == ([], [], {}, {})


def test_what_cannot_be_set_aside_stops_nothing(spool: Spool, drop: Path) -> None:
    """It stays where it is and is told; the mail behind it is taken."""
    (drop / ID / "x").mkdir(parents=True)
    (drop / id_at(time.time() - 50)).write_bytes(b"no mail")
    Path(spool.root, "corrupt").rmdir()
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.left) == ([later], [], {os.geteuid(): 2})
    assert len(os.listdir(drop)) == 2


@pytest.mark.parametrize("more", [{}, {"priority": "urgent"}])
def test_what_a_later_version_left_waits_for_it(spool: Spool, drop: Path, more: dict[str, str]) -> None:
    """After a step back to an older version: it is no damaged file, but its maker's mail; the mail behind it is taken."""
    path = drop / leave(drop, envelope(id=ID, **more))
    if not more:
        path.write_bytes(path.read_bytes().replace(b"mailer/1", b"mailer/2", 1))
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.left) == ([later], [], {os.geteuid(): 1})
    assert "a later version of mailer wrote it" in done.why[os.geteuid()]
    assert os.listdir(drop) == [ID]
    assert os.listdir(f"{spool.root}/corrupt") == []


# One file, and the rest


def test_a_file_that_its_owner_leases_comes_later(spool: Spool, drop: Path) -> None:
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
def test_an_error_of_one_file_is_that_files(spool: Spool, drop: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
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


def test_a_file_that_grows_comes_when_it_is_whole(spool: Spool, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_an_error_of_ours_stops_nothing(spool: Spool, drop: Path) -> None:
    """A message that we cannot digest waits, and is told of; the next one is taken."""

    def judge(letter: Envelope, _content: bytes, _uid: int) -> None:
        if letter.id == ID:
            raise ZeroDivisionError("ours")

    leave(drop, envelope(id=ID))
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS._replace(judge=judge))
    assert (done.ids, [str(error) for error in done.bugs]) == ([later], ["ours"])
    assert os.listdir(drop) == [ID]


def test_what_the_disk_has_no_room_for_waits_and_what_is_smaller_is_taken(spool: Spool, drop: Path) -> None:
    """And nothing as large is read in vain."""
    asked = []

    def judge(letter: Envelope, content: bytes, _uid: int) -> None:
        asked.append(letter.id)
        if len(content) > 5000:
            raise Failure("no room", TRY_AGAIN)

    large = [leave(drop, body=b"From: me@example.com\r\n\r\n" + b"x\r\n" * 2000) for _ in range(3)]
    small = leave(drop)
    done = adopt(spool, TERMS._replace(judge=judge))
    assert (done.ids, done.trouble, asked) == ([small], "no room", [large[0], small])
    assert sorted(os.listdir(drop)) == large


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_every_user_gets_his_turn(spool: Spool, drop: Path) -> None:
    """Many files of one, with the oldest names, do not keep another's waiting."""
    flood = [leave(drop, envelope(at=time.time() - 1000)) for _ in range(50)]
    mine = leave(drop)
    os.chown(drop / mine, NOBODY, -1)
    done = adopt(spool, TERMS, limit=4)
    assert (mine in done.ids, len(done.ids), done.more) == (True, 4, True)
    assert sorted({*done.ids} - {mine}) == flood[:3]


def test_what_is_kept_of_one_user_has_a_bound(spool: Spool, drop: Path) -> None:
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


def test_what_is_left_is_read_once(spool: Spool, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


# Whose it is


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_was_not_made_in_drop_is_nobodys(spool: Spool, drop: Path) -> None:
    """Another user's file that somebody moved here: what is made here has the directory's group."""
    os.chown(drop, -1, 4242)
    drop.chmod(0o3733)
    made, moved = leave(drop, envelope(id=LATER)), Path(spool.root, ID)
    moved.write_bytes(spool_file(envelope(id=ID)))
    for path in (drop / made, moved):
        os.chown(path, NOBODY, -1)
    moved.rename(drop / ID)
    done = adopt(spool, TERMS)
    assert done.ids == [made]
    assert [(uid, reason) for _, uid, reason, _ in done.refused] == [(NOBODY, "it was not made in drop/, so nobody knows who put it there")]


def test_a_file_of_one_who_writes_the_spool_himself_was_put_there_by_somebody_else(spool: Spool, drop: Path) -> None:
    """Root's, say, which a user moved: it does not count as root's mail, and is kept for inspection."""
    leave(drop, envelope(id=ID))
    done = adopt(spool, TERMS._replace(writers={os.geteuid()}))
    assert [(name, "somebody else put it here" in reason) for name, _, reason, _ in done.refused] == [(ID, True)]
    assert spool.find(ID) is None


@pytest.mark.parametrize(
    "chosen",
    ["0" * 25 + "1", "7" + "Z" * 25, id_at(time.time() + 86400), id_at(time.time() - 86400)],
    ids=["the first", "the last", "tomorrow", "yesterday"],
)
def test_an_id_that_says_another_time_is_replaced(spool: Spool, drop: Path, chosen: str) -> None:
    """Nobody goes before the mail of others, or stays when theirs is forgotten; the mail is taken, once."""
    leave(drop, envelope(id=chosen))
    since = os.stat(drop / chosen).st_ctime
    unlink, os.unlink = os.unlink, crash
    try:
        with pytest.raises(KeyboardInterrupt):
            adopt(spool, TERMS)
    finally:
        os.unlink = unlink
    (id,) = adopt(spool, TERMS).ids
    assert abs(put_at(id) - since) < 0.002
    assert (spool.ids("queued"), os.listdir(drop)) == ([id], [])


def crash(_path: str) -> None:
    raise KeyboardInterrupt


def test_what_nobody_reads_is_not_kept(spool: Spool, drop: Path) -> None:
    """Members that no program of ours knows, and a subject beyond what is shown: they would be held for as long as the mail waits."""
    body = b"From: me@example.com\r\nSubject: " + b"s" * 900 + b"\r\n " + b"s" * 900 + b"\r\nMessage-ID: <" + b"m" * 980 + b">\r\n\r\n"
    letter = envelope(
        submitter={"uid": 1, "ip": "192.0.2.1", "x": "y"},
        options={"ret": "HDRS", "x": "y", "recipients": {"you@example.net": {"notify": "NEVER", "x": "y"}, "x@example.net": {}}},
    )
    letter.parent = "x" * 500
    leave(drop, letter, body)
    (id,) = adopt(spool, TERMS).ids
    kept = spool.read(id).envelope
    assert (len(kept.subject), len(kept.message_id), kept.parent) == (500, 982, "")
    assert kept.submitter == {"ip": "192.0.2.1", "uid": os.geteuid()}
    assert kept.options == {"ret": "HDRS", "recipients": {"you@example.net": {"notify": "NEVER"}}}


def test_subject_and_message_id_are_those_of_the_header(spool: Spool, drop: Path) -> None:
    """Whoever writes the file himself shows an operator nothing that the message does not have."""
    body = b"From: me@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n"
    for letter, content, shown in (
        (envelope(subject="Your bill", message_id="<of@somebody.else>"), body, ("Grüße", "<1@example.com>")),
        (envelope(subject="Your bill", message_id="<of@somebody.else>"), b"From: me@example.com\r\n\r\nhello\r\n", ("", "")),
    ):
        leave(drop, letter, content)
        (id,) = adopt(spool, TERMS).ids
        kept = spool.read(id).envelope
        assert (kept.subject, kept.message_id) == shown


def test_a_user_says_no_more_of_who_gets_nothing_than_submission_does(spool: Spool, drop: Path) -> None:
    """The causes that submission has; one that would blame a host, or raise an alarm, makes it no message."""
    outcome = {"verdict": "fail", "code": 550, "enhanced": "5.3.5", "text": "nobody", "cause": "alias"}
    for cause, taken in (("alias", 1), ("login_refused", 0)):
        letter = envelope()
        letter.recipients.append(Recipient("root", "to", {**outcome, "cause": cause}))
        leave(drop, letter)
        assert len(adopt(spool, TERMS).ids) == taken


# An ID that is taken


def test_an_id_that_another_message_has_is_refused(spool: Spool, drop: Path) -> None:
    """Nobody replaces, and nobody withdraws, somebody else's mail."""
    id = put(spool, "a@example.com", at=time.time())
    leave(drop, envelope("b@example.com", id=id))
    done = adopt(spool, TERMS)
    assert [reason for _, _, reason, _ in done.refused] == ["its ID belongs to another message"]
    assert spool.read(id).envelope.recipients[0].address == "a@example.com"


def test_what_a_crash_left_in_both_places_is_one_message(spool: Spool, drop: Path) -> None:
    """Adopted, but not yet taken out of drop/: the next round finds the same message and only tidies up."""
    letter = envelope(id=ID, submitter={"uid": os.geteuid()}, subject="a test")
    leave(drop, letter)
    Path(spool.path("queued", ID)).write_bytes(spool_file(letter))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused) == ([ID], [])
    assert spool.ids("queued") == [ID]
    assert os.listdir(drop) == []


def test_a_copy_that_a_crash_left_in_tmp_is_made_anew(spool: Spool, drop: Path) -> None:
    """What was being written is garbage."""
    Path(spool.root, "tmp", ID).write_bytes(b"half a mess")
    leave(drop, envelope(id=ID))
    assert adopt(spool, TERMS).ids == [ID]
    assert spool.content(ID) == BODY
    assert os.listdir(f"{spool.root}/tmp") == []


def test_a_message_that_leaves_while_its_double_is_looked_at_is_not_taken_twice(
    spool: Spool, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found, and delivered before it could be compared: whoever remembers what was delivered is asked."""
    leave(drop, envelope(id=ID))
    later = leave(drop, envelope(id=LATER))
    monkeypatch.setattr(spool, "find", lambda message: "queued" if message == ID else None)
    assert adopt(spool, TERMS._replace(used=lambda message, _uid: "mine" if message == ID else "")).ids == [ID, later]
    assert spool.ids("queued") == [later]
    assert os.listdir(drop) == []


def test_an_id_of_somebody_elses_message_that_was_delivered_is_refused(spool: Spool, drop: Path) -> None:
    """Nobody rewrites what is known of it."""
    leave(drop, envelope(id=ID))
    done = adopt(spool, TERMS._replace(used=lambda _id, _uid: "taken"))
    assert [reason for _, _, reason, _ in done.refused] == ["its ID belongs to another message"]


def test_a_request_that_was_made_before_is_taken_out_of_drop(spool: Spool, drop: Path) -> None:
    """The second is the first one's double, whatever its own ID; a claim that a crash left is finished."""
    ids = [leave(drop, envelope(request_id="k", at=time.time() - age), tail=b'\n{"digest":"%s"}' % (b"a" * 64)) for age in (20, 10)]
    assert adopt(spool, TERMS).ids == [ids[0]] * 2
    assert (spool.ids("queued"), os.listdir(drop), os.listdir(f"{spool.root}/tmp")) == ([ids[0]], [], [])
    os.rename(spool.path("queued", ids[0]), spool.path("tmp", ids[0]))
    leave(drop, envelope(request_id="k", id=ids[0], at=time.time() - 20), tail=b'\n{"digest":"%s"}' % (b"a" * 64))
    assert adopt(spool, TERMS).ids == [ids[0]]
    assert (spool.ids("queued"), os.listdir(f"{spool.root}/tmp")) == ([ids[0]], [])


def test_a_request_id_that_was_another_request_is_set_aside(spool: Spool, drop: Path) -> None:
    """Its sender has gone; whoever reads the log is told."""
    leave(drop, envelope("a@example.com", request_id="k", at=time.time() - 20))
    second = leave(drop, envelope("b@example.com", request_id="k", at=time.time() - 10))
    done = adopt(spool, TERMS)
    assert [(name, "used for another message" in reason) for name, _, reason, _ in done.refused] == [(second, True)]
    assert len(spool.ids("queued")) == 1
    assert os.listdir(f"{spool.root}/tmp") == []


def test_what_is_to_leave_later_is_put_among_the_deferred(spool: Spool, drop: Path) -> None:
    """Its file's time is when it is due."""
    at = time.time() + 3600
    id = leave(drop, envelope(options={"at": rfc3339(at)}))
    adopt(spool, TERMS)
    assert spool.find(id) == "deferred"
    assert abs(spool.due(id) - at) < 0.001


def test_what_cannot_be_moved_does_not_stand_in_the_way(spool: Spool, drop: Path) -> None:
    """However many there are, and however early their names sort."""
    for at in range(5):
        (drop / f"0000000000000000000000000{at}" / "x").mkdir(parents=True)
    id = leave(drop)
    done = adopt(spool, TERMS, limit=1)
    assert (done.ids, done.more) == ([id], True)
    done = adopt(spool, TERMS, limit=1)
    assert (done.ids, done.more, done.left) == ([], False, {os.geteuid(): 5})


def test_a_disk_that_takes_nothing_leaves_everything_in_drop(spool: Spool, drop: Path) -> None:
    """An error of the spool is raised; the mail waits where it is."""
    id = leave(drop)
    Path(spool.root, "queued").rmdir()
    with pytest.raises(OSError, match="No such file"):
        adopt(spool, TERMS)
    assert os.listdir(drop) == [id]
    assert os.listdir(f"{spool.root}/tmp") == []
    Path(spool.root, "queued").mkdir()
    assert adopt(spool, TERMS).ids == [id]


def test_the_time_of_arrival_is_the_envelopes(spool: Spool, drop: Path) -> None:
    """Mail that waited in drop/ for a daemon is as old as it is."""
    letter = envelope(at=1_000_000_000.0)
    leave(drop, letter)
    (id,) = adopt(spool, TERMS).ids
    assert spool.read(id).envelope.created == letter.created
