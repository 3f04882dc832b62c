"""Request ids of a sack: claimed together, and the promise is that of one."""

from __future__ import annotations

import errno
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailer.io import durable
from mailer.mail.principal import Principal
from mailer.mail.problem import Problem
from mailer.spool.api import New
from mailer.spool.files.batch import Post
from mailer.spool.files.enqueue import put
from mailer.spool.files.idempotency import path_of
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY

from .test_batch import close, letters


def asked(count: int, first: int = 0) -> list[New]:
    """So many, each with a request id of its own."""
    return [letter._replace(request=(f"k{at}", "d")) for at, letter in enumerate(letters(count), first)]


def left(spool: SpoolDirectory, *names: str) -> list[str]:
    return [entry for name in names for entry in os.listdir(f"{spool.root}/{name}")]


def test_all_share_the_waits(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and claim is synced, then the names of all claims, and then those of all messages."""
    steps: list[str] = []
    for name in ("fsync", "rename", "link"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (steps.append(name), real(*given))[1])
    with Post(spool.root) as post:
        wanted = asked(20)
        assert close(post, wanted) == [letter.id for letter in wanted]
    assert steps == ["fsync"] * 40 + ["link"] * 20 + ["fsync"] + ["rename"] * 20 + ["fsync"]
    assert left(spool, "tmp") == []


def test_a_request_twice_in_one_sack_is_one_message(spool: SpoolDirectory) -> None:
    """The second is told the ID of the first; another principal's is another request."""
    first, second, other = letters(3)
    same = ("k", "d")
    with Post(spool.root) as post:
        done = close(
            post, [first._replace(request=same), second._replace(request=same), other._replace(request=same, who=Principal("amqp:q"))]
        )
    assert done == [first.id, first.id, other.id]
    assert left(spool, "tmp") == []


def test_many_sacks_of_the_same_requests_are_one(spool: SpoolDirectory) -> None:
    """At the same time, in different orders: each request has one message, and all are told its ID."""
    with Post(spool.root) as post, ThreadPoolExecutor(8) as pool:
        sacks = [asked(20) if at % 2 else asked(20)[::-1] for at in range(8)]
        told = [done[:: 1 if at % 2 else -1] for at, done in enumerate(pool.map(lambda wanted: close(post, wanted), sacks))]
    assert all(done == told[0] for done in told)
    assert sorted(spool.ids("queued")) == sorted(str(id) for id in told[0])
    assert left(spool, "tmp") == []


@pytest.mark.parametrize("directory", ["keys", "queued"])
def test_a_directory_that_cannot_be_synced_leaves_nothing(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch, directory: str) -> None:
    """Neither a message nor a claim: nobody was told that anything is queued, and whoever asks again is not told so either."""
    real = durable.sync_directory

    def broken(path: str) -> None:
        if path.endswith(directory):
            raise OSError(errno.EIO, "Input/output error", path)
        real(path)

    with Post(spool.root) as post:
        with monkeypatch.context() as patched:
            patched.setattr(durable, "sync_directory", broken)
            with pytest.raises(Problem, match="Input/output error"):
                close(post, asked(5))
        assert left(spool, "keys", "queued", "tmp") == []
        again = asked(5)
        assert close(post, again) == [letter.id for letter in again]


def test_a_link_that_fails_takes_the_others_back(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No claim stays without its message, and no lock."""
    real, count = os.link, iter(range(100))

    def full(source: str, target: str) -> None:
        if next(count) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", target)
        real(source, target)

    with Post(spool.root) as post:
        with monkeypatch.context() as patched:
            patched.setattr(os, "link", full)
            with pytest.raises(Problem) as caught:
                close(post, asked(5))
        assert caught.value.kind == "try-again"
        assert left(spool, "keys", "queued", "tmp") == []
        assert len(close(post, asked(5))) == 5
    assert not [name for name in os.listdir("/proc/self/fd") if _opens(name, spool.root)]


def _opens(name: str, root: str) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{name}").startswith(root)
    except OSError:
        return False


@pytest.mark.parametrize("step", ["link", "keys", "rename", "queued"])
def test_whoever_dies_at_a_step_has_promised_nothing_that_is_lost(spool: SpoolDirectory, step: str) -> None:
    """The same requests, made again by others, one by one or in a sack, are each one message."""
    wanted = asked(6)
    pid = os.fork()
    if not pid:
        _die(spool, wanted, step)
    assert os.waitpid(pid, 0)[1] == 0
    again = asked(6)
    with Post(spool.root) as post:
        told = close(post, again[:3])
    told += [put(spool.root, letter.id, letter.envelope, BODY, letter.request) for letter in again[3:]]
    assert sorted(spool.ids("queued")) == sorted(str(id) for id in told)
    assert len(set(told)) == 6
    for at in range(6):
        with open(path_of(spool.root, f"k{at}"), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _die(spool: SpoolDirectory, wanted: list[New], step: str) -> None:
    """Put these, and end as a kill would, in the middle of that step."""
    count = iter(range(100))
    for name in ("link", "rename"):
        real = getattr(os, name)
        if name == step:
            setattr(os, name, lambda *given, real=real: os._exit(0) if next(count) == 2 else real(*given))
    sync = durable.sync_directory
    durable.sync_directory = lambda path: os._exit(0) if path.endswith(step) else sync(path)
    with Post(spool.root) as post:
        close(post, wanted)
    os._exit(1)
