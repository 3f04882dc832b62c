"""The sack: many messages put together keep the promise of one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mailer.io import durable
from mailer.mail.problem import Problem
from mailer.spool.api import New
from mailer.spool.files.batch import Post, Sack
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, envelope


@pytest.fixture(autouse=True, params=[Sack.begin, Sack.write], ids=["by the threads", "here"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever fills a sack goes on meanwhile, or writes it himself: it is the same promise."""
    monkeypatch.setattr(Sack, "begin", request.param)


def letters(count: int, **more: object) -> list[New]:
    """So many that wait to be put."""
    made = [envelope(f"{at}@example.com", **more) for at in range(count)]  # type: ignore[arg-type]
    return [New(one.id, one.to_line(), BODY) for one in made]


def close(post: Post, wanted: list[New]) -> list[str | Problem]:
    sack = Sack(post)
    for letter in wanted:
        sack.add(letter)
    sack.begin()
    return sack.close()


def test_all_are_in_the_spool_when_it_is_closed(spool: SpoolDirectory) -> None:
    """In their order, each whole."""
    wanted = letters(100)
    with Post(spool.root) as post:
        assert close(post, wanted) == [letter.id for letter in wanted] == spool.ids("queued")
    assert all(spool.content(letter.id) == BODY for letter in wanted)
    assert os.listdir(f"{spool.root}/tmp") == []


def test_nothing_is_said_before_the_directory_is_synced(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file before its rename, and the names after all renames; once."""
    steps: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (steps.append(name), real(*given))[1])
    with Post(spool.root) as post:
        close(post, letters(20))
    assert steps == ["fsync"] * 20 + ["rename"] * 20 + ["fsync"]


def test_the_disk_has_all_files_before_the_first_is_waited_for(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that one thread syncs: so the waits are one."""
    steps: list[str] = []
    for name in ("posix_fadvise", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (steps.append(name), real(*given))[1])
    with Post(spool.root, threads=1) as post:
        close(post, letters(20))
    assert steps == ["posix_fadvise"] * 20 + ["fsync"] * 21


def test_a_system_that_takes_no_advice_loses_nothing(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is only to hurry."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    wanted = letters(3)
    monkeypatch.setattr(os, "posix_fadvise", refused)
    with Post(spool.root) as post:
        assert close(post, wanted) == [letter.id for letter in wanted] == spool.ids("queued")


def test_an_empty_sack_is_closed_at_once(spool: SpoolDirectory) -> None:
    """Nothing to do is done."""
    with Post(spool.root) as post:
        assert close(post, []) == []


@pytest.mark.parametrize("there", [False, True])
def test_a_spool_that_is_not_there_is_made(tmp_path: Path, there: bool) -> None:
    """As with one message; also in a directory that was made for it and is empty yet."""
    if there:
        (tmp_path / "new").mkdir()
    with Post(str(tmp_path / "new")) as post:
        assert {type(done) for done in close(post, letters(3))} == {str}


def test_what_is_to_leave_later_lies_among_the_deferred(spool: SpoolDirectory) -> None:
    """At its time."""
    (letter,) = letters(1)
    with Post(spool.root) as post:
        close(post, [letter._replace(due=2_000_000_000.0), *letters(1)])
    assert spool.due(letter.id) == 2_000_000_000.0
    assert len(spool.ids("queued")) == 1


def test_requests_that_were_made_before_are_not_put_again(spool: SpoolDirectory) -> None:
    """Each is told the ID of the first; one that is another request is refused, and stops none."""
    first, again, other, last = letters(4)
    with Post(spool.root) as post:
        close(post, [first._replace(request=("k", "d"))])
        done = close(post, [again._replace(request=("k", "d")), other._replace(request=("k", "e")), last])
    assert done[0] == first.id
    assert isinstance(done[1], Problem)
    assert done[1].kind == "bad-message"
    assert done[2] == last.id
    assert spool.ids("queued") == sorted([first.id, last.id])


def test_a_full_disk_ends_the_list_and_nothing_behind_it_is_put(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was put before it stands; the rest leaves no trace."""
    wanted = letters(40)
    real = durable.begin_new

    def full(path: str, *given: object, **more: object) -> int:
        if path.endswith(wanted[17].id):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        return real(path, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(durable, "begin_new", full)
    with Post(spool.root) as post:
        done = close(post, wanted)
    assert done[:17] == [letter.id for letter in wanted[:17]] == spool.ids("queued")
    assert isinstance(done[17], Problem)
    assert (done[17].kind, len(done)) == ("try-again", 18)
    assert os.listdir(f"{spool.root}/tmp") == []


def test_a_directory_that_cannot_be_synced_is_told(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody is told that anything was queued."""

    def broken(_path: str) -> None:
        raise OSError(errno.EIO, "Input/output error", "queued")

    monkeypatch.setattr(durable, "sync_directory", broken)
    with Post(spool.root) as post, pytest.raises(Problem, match="Input/output error"):
        close(post, letters(3))


def test_one_that_is_abandoned_leaves_nothing(spool: SpoolDirectory) -> None:
    """Also while it is being written."""
    with Post(spool.root) as post:
        sack = Sack(post)
        for letter in letters(50):
            sack.add(letter)
        sack.begin()
        sack.abandon()
    assert [os.listdir(f"{spool.root}/{name}") for name in ("tmp", "queued")] == [[], []]
