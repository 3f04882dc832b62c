"""The doorbell: heard at once, and never in the way."""

from __future__ import annotations

import asyncio
import itertools
import os
import select
import socket
import stat
from pathlib import Path

import pytest

from mailer.spool.files import hearing
from mailer.spool.files.doorbell import EVERYTHING, capacity, hang, listen, ring
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.users import public_directory

ID = "01M7XZE2ZPFN5M9C7PXGDNNSF8"


def test_a_ring_is_heard(spool: SpoolDirectory) -> None:
    """The daemon wakes up and gets the ID."""
    with hang(spool.root) as bell:
        assert ring(spool.root, ID)
        assert select.select([bell], [], [], 5.0)[0]
        assert listen(bell) == [ID]
        assert listen(bell) == []


def test_nobody_hears_when_nobody_is_there(spool: SpoolDirectory) -> None:
    """No bell, a bell whose daemon died, a file in its place, no spool at all: False, never an error."""
    assert not ring(spool.root, ID)
    hang(spool.root).close()
    assert os.path.exists(f"{spool.root}/doorbell")
    assert not ring(spool.root, ID)
    os.unlink(f"{spool.root}/doorbell")
    Path(spool.root, "doorbell").touch()
    assert not ring(spool.root, ID)
    assert not ring(spool.root + "/none", ID)
    assert not ring("/" + "x" * 300, ID)


def test_ids_come_in_order_and_once(spool: SpoolDirectory) -> None:
    """Doubles within one look are one; a forged datagram is only text."""
    with hang(spool.root) as bell:
        for text in ("A", "B", "A", "C"):
            ring(spool.root, text)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as forger:
            forger.sendto(b"\xff\x00" * 50, f"{spool.root}/doorbell")
        heard = listen(bell)
    assert heard[:3] == ["A", "B", "C"]
    assert len(heard) == 4
    assert len(heard[3]) == 64


def test_a_full_queue_counts_as_heard_and_makes_nobody_wait(spool: SpoolDirectory) -> None:
    """The daemon is there and will look anyway."""
    with hang(spool.root) as bell:
        assert all(ring(spool.root, str(nth)) for nth in range(2000))
        heard = listen(bell)
        assert heard == [str(nth) for nth in range(len(heard))]


def test_as_many_as_the_queue_holds_stand_for_everything(spool: SpoolDirectory) -> None:
    """A queue that was full has as many, and one fewer says that nobody found it so; finding out how many leaves nothing in it."""
    with hang(spool.root) as bell:
        most = capacity(bell, spool.root)
        assert listen(bell) == []
        for count in (most - 1, most, 3 * most):
            assert all(ring(spool.root, ID) for _ in range(count))
            assert listen(bell, most) == [ID, EVERYTHING][: 1 + (count >= most)]


def test_a_daemon_that_stood_still_looks_at_everything(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """More ring than the queue holds: all is looked at, at once and then once in a while, however many rings there are meanwhile."""
    monkeypatch.setattr(hearing, "LOOKS", 0.1)

    async def scenario() -> None:
        looks: list[float] = []
        files = FileSpool(spool)
        loop = asyncio.get_running_loop()
        await files.listen()
        assert files._hearing is not None
        rings = 3 * files._hearing._capacity
        async with asyncio.timeout(60):
            while len(looks) < 3:
                assert all(ring(spool.root, ID) for _ in range(rings))  # the loop stands still for that
                if (await files.changes()).everything:
                    looks.append(loop.time())
        assert min(after - before for before, after in itertools.pairwise(looks)) >= 0.09
        await files.close()
        assert not ring(spool.root, ID)

    asyncio.run(scenario())


@pytest.mark.parametrize("length", [99, 100, 101, 107, 108, 109, 500])
def test_the_path_of_a_spool_may_be_longer_than_that_of_a_socket(length: int) -> None:
    """unix(7) allows 108 bytes for the doorbell's path; a longer one is reached through the directory's descriptor."""
    with public_directory() as directory:
        path = directory
        while len(str(path)) < length - 100:
            path /= "d" * 50
        path /= "x" * (length - len(f"{path}//doorbell"))
        path.mkdir(parents=True)
        assert len(f"{path}/doorbell") == length
        with hang(str(path)) as bell:
            assert ring(str(path), ID)
            assert listen(bell) == [ID]


def test_an_old_bell_is_replaced(spool: SpoolDirectory) -> None:
    """A socket that a crashed daemon left, or a link that somebody put there, is unlinked and not followed."""
    hang(spool.root).close()
    with hang(spool.root) as bell:
        assert ring(spool.root, ID)
        assert listen(bell) == [ID]
    os.unlink(f"{spool.root}/doorbell")
    os.symlink(f"{spool.root}/elsewhere", f"{spool.root}/doorbell")
    with hang(spool.root):
        assert stat.S_ISSOCK(os.lstat(f"{spool.root}/doorbell").st_mode)
    assert not os.path.lexists(f"{spool.root}/elsewhere")


@pytest.mark.parametrize(("shared", "mode"), [(False, 0o600), (True, 0o622)])
def test_who_may_ring(spool: SpoolDirectory, shared: bool, mode: int) -> None:
    """The owner; on a system-wide spool, everybody, since everybody may put mail there."""
    if shared:
        Path(spool.root, "drop").mkdir()
    with hang(spool.root):
        assert stat.S_IMODE(os.stat(f"{spool.root}/doorbell").st_mode) == mode


def test_a_bell_that_cannot_be_hung_is_an_error_without_litter(spool: SpoolDirectory) -> None:
    """The daemon has to know; no descriptor is left open."""
    os.mkdir(f"{spool.root}/doorbell")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"directory|permitted"):
        hang(spool.root)
    assert len(os.listdir("/proc/self/fd")) == before
