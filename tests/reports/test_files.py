"""Reports on a disk: the format, what a crash leaves, damage, and trouble of the disk."""

from __future__ import annotations

import errno
import json
import os
import zlib
from pathlib import Path

import pytest

from mailer.io import durable
from mailer.mail.problem import Problem
from mailer.reports import files
from mailer.reports.api import Facts, SettledReport, report_id
from mailer.spool.api import Reserve

FACTS = Facts("stdin", "bounces@example.com", at=1_700_000_000.0)


@pytest.fixture
def root(tmp_path: Path) -> str:
    return f"{tmp_path}/spool"


def names(root: str, directory: str) -> list[str]:
    return sorted(os.listdir(f"{root}/{directory}"))


def test_the_file_is_as_the_manual_says(root: str) -> None:
    """A head with lengths and sum, the facts as one object, the octets; private."""
    id = files.take(root, b"octets", FACTS)
    path = Path(f"{root}/reports/new/{id}")
    head, line, rest = path.read_bytes().split(b"\n", 2)
    assert head == b"mailer-report/1 %d 6 %08x" % (len(line) + 1, zlib.crc32(line + b"\n" + b"octets"))
    assert json.loads(line) == {"source": "stdin", "recipient": "bounces@example.com", "at": 1_700_000_000.0}
    assert rest == b"octets"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(root, "tmp") == []


def test_members_that_we_do_not_know_are_ignored(root: str) -> None:
    """A later version may write more facts."""
    files.prepare(root)
    line = b'{"source":"x","colour":"red"}\n'
    id = report_id(b"abc")
    head = b"mailer-report/1 %d 3 %08x\n" % (len(line), zlib.crc32(line + b"abc"))
    Path(f"{root}/reports/new/{id}").write_bytes(head + line + b"abc")
    loaded = files.load(root, id)
    assert loaded is not None
    assert loaded.facts == Facts("x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"mailer-report/1 1 1\n",
        b"mailer-report/2 3 0 00000000\n{}\n",
        b"mailer-report/1 99999999 0 00000000\n{}\n",
        b"mailer-report/1 3 -1 00000000\n{}\n",
        b"mailer-report/1 3 1 00000000\n{}\nx",
        b"mailer-report/1 3 0 %08x\n{}\n" % zlib.crc32(b"{}\n"),
        b"mailer-report/1 100001 0 %08x\n%s\n" % (zlib.crc32(b"[" * 100_000 + b"\n"), b"[" * 100_000),
    ],
)
def test_a_damaged_file_is_set_apart(root: str, data: bytes) -> None:
    """It goes to corrupt/, is never deleted, and stops nothing else."""
    good = files.take(root, b"good", FACTS)
    id = "0" * 26
    Path(f"{root}/reports/new/{id}").write_bytes(data)
    assert files.load(root, id) is None
    assert files.waiting(root, 10) == [good]
    assert names(root, "corrupt") == [id]
    assert [row.id for row in files.latest(root)] == [good]


def test_a_note_that_was_torn_reads_as_not_written(root: str) -> None:
    """The next begins on a fresh line."""
    id = files.take(root, b"octets", FACTS)
    files.settle(root, [SettledReport(id, "done", {"n": 1})])
    path = Path(f"{root}/reports/done/{id}")
    path.write_bytes(path.read_bytes() + b'\n{"n": ')
    assert next(files.latest(root)).note == {"n": 1}
    files.settle(root, [SettledReport(id, "done", {"n": 2})])
    assert next(files.latest(root)).note == {"n": 2}
    loaded = files.load(root, id)
    assert loaded is not None
    assert loaded.content == b"octets"


def test_a_note_is_bounded(root: str) -> None:
    """Of one that is too long the plain members are kept."""
    id = files.take(root, b"octets", FACTS)
    files.settle(root, [SettledReport(id, "done", {"kind": "bounce", "to": ["x" * 1000] * 100, "why": "y" * 5000})])
    assert next(files.latest(root)).note == {"kind": "bounce", "why": "y" * 1000}


def test_facts_are_bounded(root: str) -> None:
    """A stranger's address fills no disk."""
    id = files.take(root, b"octets", Facts("listen", "a" * 100_000, "b" * 100_000))
    assert os.stat(f"{root}/reports/new/{id}").st_size < 5000


@pytest.mark.parametrize("failing", ["begin_new", "finish_new", "sync_directory"])
def test_nothing_is_said_to_be_kept_when_the_disk_fails(root: str, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """The error is raised, nothing is left in tmp/, and the same report is taken when the disk is well again."""
    files.prepare(root)
    with monkeypatch.context() as patch:

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        patch.setattr(durable, failing, fail)
        with pytest.raises(OSError, match="Input/output"):
            files.take_all(root, [(b"a", FACTS), (b"b", FACTS)])
    assert names(root, "tmp") == []
    assert files.take_all(root, [(b"a", FACTS), (b"b", FACTS)]) == [report_id(b"a"), report_id(b"b")]
    assert len(files.waiting(root, 10)) == 2


def test_without_room_nothing_is_taken(root: str) -> None:
    """Whoever brings it is to come again."""
    with pytest.raises(Problem, match="min_free_space") as caught:
        files.take(root, b"octets", FACTS, Reserve(1 << 62, 0))
    assert caught.value.kind == "try-again"
    assert files.waiting(root, 10) == []


def test_a_name_that_is_there_is_synced_before_it_is_said(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have renamed it and not synced it yet."""
    files.take(root, b"octets", FACTS)
    synced = []
    monkeypatch.setattr(durable, "sync_directory", synced.append)
    files.take(root, b"octets", FACTS)
    assert synced == [f"{root}/reports/new"]


def test_two_takers_at_once_leave_one_report(root: str) -> None:
    """Also where it is settled between."""
    from threading import Barrier, Thread

    files.prepare(root)
    barrier = Barrier(4)

    def taker() -> None:
        barrier.wait()
        files.take(root, b"octets", FACTS)

    threads = [Thread(target=taker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.waiting(root, 10) == [report_id(b"octets")]
    assert names(root, "tmp") == []


def test_a_link_in_place_of_a_report_is_not_followed(root: str, tmp_path: Path) -> None:
    """Nor is a pipe waited for."""
    files.prepare(root)
    (tmp_path / "secret").write_text("x")
    os.symlink(tmp_path / "secret", f"{root}/reports/done/{'0' * 26}")
    os.mkfifo(f"{root}/reports/done/{'1' * 26}")
    assert [*files.latest(root)] == []
