"""What is no mail in drop/ is set aside or deleted, unread."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.spool.files.enqueue import head
from mailer.spool.files.pickup import adopt
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, id_at, spool_file
from tests.fakes.sockets import make_socket
from tests.fakes.users import as_somebody_else, public_directory
from tests.spool.others import ID, LATER, MAX, TERMS, envelope, leave

SECRET = b"root:secret\n"


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


def check_set_aside(spool: SpoolDirectory, drop: Path, name: str) -> None:
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
def test_what_is_no_mail_is_set_aside_unread(spool: SpoolDirectory, drop: Path, strange: Callable[[Path], object]) -> None:
    """Links are not followed, a FIFO is not waited for, and what comes after it is taken."""
    strange(drop / ID)
    check_set_aside(spool, drop, ID)
    assert os.listdir(f"{spool.root}/tmp") == []


@pytest.mark.parametrize("strange", WORTHLESS.values(), ids=WORTHLESS)
def test_what_has_no_content_is_deleted(spool: SpoolDirectory, drop: Path, strange: Callable[[Path], object]) -> None:
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


def test_what_is_larger_than_all_that_is_kept_stays_there(spool: SpoolDirectory, drop: Path) -> None:
    """It is not read, and what comes after it is taken."""
    huge(drop / ID)
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.deleted, done.left) == ([later], [], {}, {os.geteuid(): 1})
    assert os.listdir(drop) == [ID]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_whose_name_is_no_id_is_set_aside(spool: SpoolDirectory, drop: Path, name: str) -> None:
    """Line ends, dots, options, escapes, other alphabets, 255 bytes; also when it comes twice."""
    for _ in range(2):
        (drop / name).write_bytes(spool_file(envelope(id=ID)))
        check_set_aside(spool, drop, name)
        os.unlink(spool.path("queued", LATER))
    assert len(os.listdir(f"{spool.root}/corrupt")) == 2


def test_a_file_that_we_may_not_read_is_set_aside() -> None:
    """Its owner took his own rights away."""
    with public_directory() as directory:
        directory.chmod(0o777)

        def is_set_aside() -> bool:
            spool, drop = SpoolDirectory(str(directory / "spool")), directory / "spool/drop"
            spool.prepare()
            drop.mkdir()
            leave(drop, envelope(id=ID))
            (drop / ID).chmod(0)
            check_set_aside(spool, drop, ID)
            return True

        assert as_somebody_else(is_set_aside)


def test_a_file_replaced_at_the_last_moment_is_not_followed(spool: SpoolDirectory, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_file_taken_back_is_no_trouble(spool: SpoolDirectory, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_cannot_be_set_aside_stops_nothing(spool: SpoolDirectory, drop: Path) -> None:
    """It stays where it is and is told; the mail behind it is taken."""
    (drop / ID / "x").mkdir(parents=True)
    (drop / id_at(time.time() - 50)).write_bytes(b"no mail")
    Path(spool.root, "corrupt").rmdir()
    later = leave(drop, envelope(id=LATER))
    done = adopt(spool, TERMS)
    assert (done.ids, done.refused, done.left) == ([later], [], {os.geteuid(): 2})
    assert len(os.listdir(drop)) == 2


@pytest.mark.parametrize("more", [{}, {"priority": "urgent"}])
def test_what_a_later_version_left_waits_for_it(spool: SpoolDirectory, drop: Path, more: dict[str, str]) -> None:
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
