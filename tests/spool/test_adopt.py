"""Adopting what others put into drop/: mail is taken, everything else is set aside, and nothing stops the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.envelope import Envelope
from mailer.mail.when import rfc3339
from mailer.spool import Spool
from mailer.spool.admit import Terms
from mailer.spool.adopt import adopt
from mailer.spool.file import render_records
from tests.fakes.mail import BODY, outcome, put, spool_file
from tests.fakes.mail import envelope as envelope_at
from tests.fakes.sockets import make_socket
from tests.fakes.users import NOBODY

ID = "01M7XZE2ZPFN5M9C7PXGDNNSF8"
MAX = 10_000
TERMS = Terms(MAX, 10)
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


def without_time(path: Path) -> None:
    letter = envelope(id=path.name)
    letter.created = "yesterday"
    path.write_bytes(spool_file(letter))


STRANGE: dict[str, Callable[[Path], object]] = {
    "symlink": symlink,
    "dangling symlink": lambda path: path.symlink_to("nowhere"),
    "symlink to itself": lambda path: path.symlink_to(path.name),
    "hard link": hard_link,
    "FIFO": os.mkfifo,
    "socket": make_socket,
    "device": device,
    "directory": lambda path: (path / "x").mkdir(parents=True),
    "0 bytes": lambda path: path.touch(),
    "1 TiB of nothing": huge,
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
NAMES = ["README", "a\nb", "-rf", "名" * 85, "x" * 255, os.fsdecode(b"\xff" * 255), ID.lower(), "\x1b]0;x\x07"]


def check_set_aside(spool: Spool, drop: Path, name: str) -> None:
    """`name` was refused, lies in corrupt/, and the mail behind it was taken."""
    later = leave(drop, envelope(id="7" * 26))
    done = adopt(spool, TERMS)
    assert done.ids == [later]
    ((refused, reason, path),) = done.refused
    assert (refused, bool(reason), os.path.dirname(path)) == (name, True, f"{spool.root}/corrupt")
    assert os.path.lexists(path)
    assert os.listdir(drop) == []
    assert spool.ids("queued") == [later]


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_is_no_mail_is_set_aside_unread(spool: Spool, drop: Path, strange: Callable[[Path], object]) -> None:
    """Links are not followed, a FIFO is not waited for, and what comes after it is taken."""
    strange(drop / ID)
    check_set_aside(spool, drop, ID)
    assert os.listdir(f"{spool.root}/tmp") == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_whose_name_is_no_id_is_set_aside(spool: Spool, drop: Path, name: str) -> None:
    """Line ends, dots, options, escapes, other alphabets, 255 bytes; also when it comes twice."""
    for _ in range(2):
        (drop / name).write_bytes(spool_file(envelope(id=ID)))
        check_set_aside(spool, drop, name)
        os.unlink(spool.path("queued", "7" * 26))
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
    assert [name for name, _, _ in done.refused] == [ID]
    assert Path(spool.root, "secret").read_bytes() == SECRET
    assert spool.find(ID) is None


def test_a_file_taken_back_is_no_trouble(spool: Spool, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner unlinks it between the listing and the opening."""
    leave(drop, envelope(id=ID))
    monkeypatch.setattr(spool, "names", lambda _: iter([ID, "7" * 26]))
    os.unlink(drop / ID)
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused) == ([], [])


def test_what_cannot_be_set_aside_stops_nothing(spool: Spool, drop: Path) -> None:
    """It stays where it is and is told; the mail behind it is taken."""
    (drop / ID).mkdir()
    Path(spool.root, "corrupt").rmdir()
    later = leave(drop, envelope(id="7" * 26))
    done = adopt(spool, TERMS)
    assert done.ids == [later]
    assert [(name, path) for name, _, path in done.refused] == [(ID, "")]
    assert os.listdir(drop) == [ID]


# An ID that is taken


def test_an_id_that_another_message_has_is_refused(spool: Spool, drop: Path) -> None:
    """Nobody replaces, and nobody withdraws, somebody else's mail."""
    id = put(spool, "a@example.com")
    leave(drop, envelope("b@example.com", id=id))
    done = adopt(spool, TERMS)
    assert [reason for _, reason, _ in done.refused] == ["its ID belongs to another message"]
    assert spool.read(id).envelope.recipients[0].address == "a@example.com"


def test_what_a_crash_left_in_both_places_is_one_message(spool: Spool, drop: Path) -> None:
    """Adopted, but not yet taken out of drop/: the next round finds the same message and only tidies up."""
    letter = envelope(id=ID, submitter={"uid": os.geteuid()})
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
    later = leave(drop, envelope(id="7" * 26))
    monkeypatch.setattr(spool, "find", lambda message: "queued" if message == ID else None)
    assert adopt(spool, TERMS._replace(used=lambda message, _uid: "mine" if message == ID else "")).ids == [ID, later]
    assert spool.ids("queued") == [later]
    assert os.listdir(drop) == []


def test_an_id_of_somebody_elses_message_that_was_delivered_is_refused(spool: Spool, drop: Path) -> None:
    """Nobody rewrites what is known of it."""
    leave(drop, envelope(id=ID))
    done = adopt(spool, TERMS._replace(used=lambda _id, _uid: "taken"))
    assert [reason for _, reason, _ in done.refused] == ["its ID belongs to another message"]


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
    assert [(name, "used for another message" in reason) for name, reason, _ in done.refused] == [(second, True)]
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
    Path(spool.root, "corrupt").rmdir()
    for at in range(5):
        (drop / f"0000000000000000000000000{at}").mkdir()
    id = leave(drop)
    done = adopt(spool, TERMS, limit=1)
    assert (done.ids, done.more, len(done.refused)) == ([id], False, 5)


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
    adopt(spool, TERMS)
    assert spool.read(letter.id).envelope.created == letter.created
