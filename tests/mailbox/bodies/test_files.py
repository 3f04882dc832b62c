"""Messages as files: what is on the disk, what a disk can do to it, and what others put there."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from mailer.io import durable
from mailer.mail.problem import Problem
from mailer.mailbox.bodies import files
from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.layout import Layout
from mailer.spool import new_id

ANN = new_id(1.0)
IDS = [new_id(3.0 + number / 1000) for number in range(5)]

ID = "01KBD7ZQ5E8M4N9P2R6S3T7V1W"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Where nothing is yet."""
    return Layout(str(tmp_path / "mailboxes"))


@pytest.fixture
def bodies(layout: Layout) -> FileBodies:
    """Messages there."""
    return FileBodies(layout)


def on_disk(layout: Layout) -> list[str]:
    """The files below the home, without the path to it."""
    home = layout.home(ANN)
    return sorted(f"{path.removeprefix(home)}/{name}" for path, _, names in os.walk(home) for name in names)


def test_directories_and_files_are_for_their_owner_alone(layout: Layout, bodies: FileBodies) -> None:
    """Whatever the umask says; the place of a message is made of IDs and of nothing else."""
    before = os.umask(0)
    try:
        bodies.put([NewBody(ANN, IDS[0], (b"x",))])
    finally:
        os.umask(before)
    path = layout.body(ANN, IDS[0])
    assert path == f"{layout.root}/u/{ANN[-2:]}/{ANN}/mail/{IDS[0][5:7]}/{IDS[0]}"
    assert os.stat(path).st_mode & 0o777 == 0o600
    while path != layout.root:
        path = os.path.dirname(path)
        assert os.stat(path).st_mode & 0o777 == 0o700
    assert on_disk(layout) == [f"/mail/{IDS[0][5:7]}/{IDS[0]}"]


@pytest.mark.parametrize(
    "id", ["", "..", "../../../etc/passwd/aaaaaaaa", f"{ID}/", ID.lower(), f"{ID[:-1]}\n"],
    ids=["nothing", "above", "far above", "a directory", "small letters", "a line end"],
)  # fmt: skip
def test_what_is_no_id_never_becomes_a_path(layout: Layout, bodies: FileBodies, id: str) -> None:
    """Neither as a message nor as an owner; nothing is made."""
    for body in (NewBody(ANN, id, (b"x",)), NewBody(id, IDS[0], (b"x",))):
        with pytest.raises(ValueError, match="not an ID"):
            bodies.put([body])
        with pytest.raises(ValueError, match="not an ID"):
            bodies.read(body.owner, body.id)
    assert not os.path.exists(layout.root)


def test_a_batch_costs_one_sync_of_each_and_one_of_their_directory(bodies: FileBodies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is synced before any has its name, and the names are synced last."""
    bodies.put([NewBody(ANN, IDS[0], (b"x",))])  # the directories are there
    did: list[str] = []
    for name in ("finish_new", "sync_directory"):

        def noted(*given: Any, name: str = name) -> None:
            did.append(name)
            getattr(durable, name)(*given)

        monkeypatch.setattr(files, name, noted)
    bodies.put([NewBody(ANN, id, (b"x",)) for id in IDS[1:]])
    assert did == ["finish_new"] * 4 + ["sync_directory"]


@pytest.mark.parametrize("step", ["begin_new", "finish_new", "sync_directory", "os.link"])
@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, "try-again"), (errno.EIO, "io-error"), (errno.EACCES, "no-permission")])
def test_a_disk_that_fails_leaves_nothing_of_the_batch(
    layout: Layout, bodies: FileBodies, monkeypatch: pytest.MonkeyPatch, step: str, number: int, kind: str
) -> None:
    """At any step, for the second of them too: what was there before stays, and the trouble is of the kind that tells what to do."""
    bodies.put([NewBody(ANN, IDS[0], (b"old",))])
    name = step.removeprefix("os.")
    where: Any = os if name != step else files
    real, calls = getattr(where, name), []

    def fails(*given: Any, **more: Any) -> Any:
        calls.append(given)
        if len(calls) == (1 if name == "sync_directory" else 2):
            raise OSError(number, os.strerror(number), str(given[0]))
        return real(*given, **more)

    monkeypatch.setattr(where, name, fails)
    with pytest.raises(Problem) as caught:
        bodies.put([NewBody(ANN, id, (b"new",)) for id in IDS])
    monkeypatch.undo()
    assert caught.value.kind == kind
    assert on_disk(layout) == [f"/mail/{IDS[0][5:7]}/{IDS[0]}"]
    assert bodies.read(ANN, IDS[0]) == b"old"


def test_more_than_may_be_open_at_once_are_put_in_turns(bodies: FileBodies, monkeypatch: pytest.MonkeyPatch) -> None:
    """And are taken back together, where a later one fails."""
    monkeypatch.setattr(files, "MOST_OPEN", 2)
    bodies.put([NewBody(ANN, id, (b"x",)) for id in IDS])
    assert len(list(bodies.listing(ANN))) == 5
    bodies.remove(ANN, IDS)

    def unreadable() -> Any:
        yield b"x"
        raise OSError(errno.EIO, "no")

    with pytest.raises(Problem):
        bodies.put([*(NewBody(ANN, id, (b"x",)) for id in IDS[:4]), NewBody(ANN, IDS[4], unreadable())])
    assert list(bodies.listing(ANN)) == []


def test_a_draft_that_was_left_is_swept_when_it_is_old(layout: Layout, bodies: FileBodies) -> None:
    """One that is being written stays, and none is ever taken for a message."""
    bodies.put([NewBody(ANN, IDS[0], (b"x",))])
    old, new = (f"{layout.drafts(ANN)}/{id}.0" for id in IDS[1:3])
    for path, at in ((old, 1000.0), (new, 3000.0)):
        Path(path).write_bytes(b"half")
        os.utime(path, (at, at))
    assert [kept.id for kept in bodies.listing(ANN)] == [IDS[0]]
    assert bodies.sweep(ANN, 2000.0) == 1
    assert (os.path.exists(old), os.path.exists(new)) == (False, True)


def test_what_is_no_regular_file_is_not_read(layout: Layout, bodies: FileBodies, tmp_path: Path) -> None:
    """A link, a pipe, a directory in the place of a message: each is trouble of that message, and none is waited for or followed."""
    (tmp_path / "secret").write_text("secret")
    layout.have(os.path.dirname(layout.body(ANN, IDS[0])))
    os.symlink(tmp_path / "secret", layout.body(ANN, IDS[0]))
    os.mkfifo(layout.body(ANN, IDS[1]))
    os.mkdir(layout.body(ANN, IDS[2]))
    for id in IDS[:3]:
        with pytest.raises(Problem, match=id):
            bodies.read(ANN, id)
    assert list(bodies.listing(ANN)) == []


def test_other_files_are_no_messages(layout: Layout, bodies: FileBodies) -> None:
    """What somebody left in the directories of messages is neither listed nor in the way."""
    bodies.put([NewBody(ANN, IDS[0], (b"x",))])
    Path(f"{layout.mail(ANN)}/README").write_text("x")
    Path(f"{os.path.dirname(layout.body(ANN, IDS[0]))}/{IDS[0]}~").write_text("x")
    assert [kept.id for kept in bodies.listing(ANN)] == [IDS[0]]


def test_two_who_put_the_same_at_once_both_have_it(bodies: FileBodies) -> None:
    """One of them gave it its name; it is whole."""
    barrier, failed = threading.Barrier(4), []

    def put(number: int) -> None:
        barrier.wait()
        try:
            bodies.put([NewBody(ANN, id, (b"%d" % number * 1000,)) for id in IDS])
        except Problem as problem:
            failed.append(problem)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {bodies.read(ANN, id) for id in IDS} <= {b"%d" % number * 1000 for number in range(4)}


def test_messages_of_a_home_that_cannot_be_made_are_no_trouble_of_others(layout: Layout, bodies: FileBodies) -> None:
    """A file where a directory should be says so."""
    os.makedirs(os.path.dirname(layout.home(ANN)))
    Path(layout.home(ANN)).write_text("x")
    with pytest.raises(Problem, match=ANN) as caught:
        bodies.put([NewBody(ANN, IDS[0], (b"x",))])
    assert caught.value.kind == "cannot-create"
