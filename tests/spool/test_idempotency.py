"""Request ids: one request is one message, however often and from wherever it is made."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.io import durable
from mailer.mail.problem import Problem
from mailer.spool.files.enqueue import put
from mailer.spool.files.idempotency import path_of, read
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, envelope


def ask(spool: SpoolDirectory, request_id: str = "order-4711", digest: str = "d") -> str:
    """Make the request; the ID that it has."""
    letter = envelope(request_id=request_id)
    return put(spool.root, letter.id, letter.to_line(), BODY, (request_id, digest))


def left(spool: SpoolDirectory) -> list[str]:
    return os.listdir(f"{spool.root}/tmp")


def test_the_same_request_is_put_once(spool: SpoolDirectory) -> None:
    """The second call gets the first one's ID and leaves nothing."""
    id = ask(spool)
    assert [ask(spool), ask(spool)] == [id, id]
    assert spool.ids("queued") == [id]
    assert left(spool) == []


def test_another_message_under_the_same_id_is_refused(spool: SpoolDirectory) -> None:
    """65, with the ID of the first; nothing of the second is left."""
    id = ask(spool)
    with pytest.raises(Problem, match=f"used for another message .{id}.; nothing was queued") as caught:
        ask(spool, digest="e")
    assert caught.value.kind == "bad-message"
    assert spool.ids("queued") == [id]
    assert left(spool) == []


def test_a_request_stays_made_when_its_message_is_gone(spool: SpoolDirectory) -> None:
    """After delivery the same request is still the same request."""
    id = ask(spool)
    with spool.claim(id) as claim:
        spool.drop(claim)
    assert ask(spool) == id
    assert spool.ids("queued") == left(spool) == []


def test_whoever_asks_again_finishes_what_a_crash_cut_short(spool: SpoolDirectory) -> None:
    """A key and a file in tmp/ are a claim: the rename is made by the next call, under the first one's ID."""
    id = ask(spool)
    os.rename(f"{spool.root}/queued/{id}", f"{spool.root}/tmp/{id}")
    assert ask(spool) == id
    assert spool.ids("queued") == [id]
    assert left(spool) == []


@pytest.mark.slow
def test_of_many_at_once_one_puts(spool: SpoolDirectory) -> None:
    """All get the same ID, and there is one file."""
    for nth in range(20):
        with ThreadPoolExecutor(16) as pool:
            ids = list(pool.map(lambda _, nth=nth: ask(spool, f"request {nth}"), range(16)))  # type: ignore[misc]
        assert len(set(ids)) == 1
    assert len(spool.ids("queued")) == 20
    assert left(spool) == []


@pytest.mark.parametrize("damage", ["", "garbage", "01M7XZE2ZPFN5M9C7PXGDNNSF8", "../../../etc/passwd0000000 d", "\0" * 100, "x" * 5000])
def test_a_damaged_key_is_told_and_leaves_nothing(spool: SpoolDirectory, damage: str) -> None:
    """Whether that request was made cannot be known: neither putting nor pretending would be right."""
    ask(spool)
    Path(path_of(spool.root, "order-4711")).write_text(damage)
    with pytest.raises(Problem, match="is damaged") as caught:
        ask(spool)
    assert caught.value.kind == "bad-message"
    assert len(spool.ids("queued")) == 1
    assert left(spool) == []


@given(st.text(min_size=1).filter(str.isprintable))
def test_a_request_id_never_becomes_a_path(text: str) -> None:
    """Whatever it holds, its key is one file in keys/."""
    directory, _, name = path_of("/spool", text).rpartition("/")
    assert directory == "/spool/keys"
    assert len(name) == 64
    assert name.isalnum()


def test_a_key_says_what_the_request_was(spool: SpoolDirectory) -> None:
    """The ID that it got, and the digest of what was asked."""
    id = ask(spool, "a/b", "digest")
    assert read(path_of(spool.root, "a/b")) == (id, "digest")


def test_nobody_says_queued_of_what_another_is_about_to_take_back(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first cannot sync and takes its message back; the second, who waited for it, has put its own."""
    sync = durable.sync_directory
    failing, may_fail = threading.Event(), threading.Event()

    def fails_once(path: str) -> None:
        if path.endswith("/queued") and not failing.is_set():
            failing.set()
            may_fail.wait(60)
            raise OSError(errno.EIO, "the disk is ill", path)
        sync(path)

    monkeypatch.setattr(durable, "sync_directory", fails_once)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, spool)
        assert failing.wait(60)
        second = pool.submit(ask, spool)
        assert spool.ids("queued")  # renamed, and not yet synced
        assert not wait([second], 0.3).done
        may_fail.set()
        with pytest.raises(Problem, match="ill"):
            first.result(10)
        id = second.result(10)
        assert spool.ids("queued") == [id]
    assert left(spool) == []
