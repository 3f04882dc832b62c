"""Housekeeping: the disk is asked, the log is kept short where that helps, and the manager is told only what is true."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mailer.queue import invariants
from tests.fakes.mail import suspend

from .post import Post, play


def test_a_disk_that_runs_short_is_told_once_each_way(post: Post) -> None:
    """An alarm when it does, its end when it has room again; the log is hushed in between."""
    hushed: list[bool] = []
    keep = post.housekeeping(hushed.append)
    submission = post.context.policy.submission

    async def scenario() -> None:
        async with post.running():
            await keep.disk()
            assert (post.told("alarm"), hushed) == ([], [])
            post.change(submission=submission.but(min_free_space=10**18))
            await keep.disk(), await keep.disk()
            assert "submission.min_free_space" in post.manager.settler.short
            post.change(submission=submission.but(min_free_space=1))
            await keep.disk(), await keep.disk()
            assert post.manager.settler.short == ""
        assert post.told("alarm", "mended") == ["alarm disk", "mended disk"]
        assert hushed == [True, False]

    play(scenario())


def test_a_look_reads_the_pauses_too(post: Post) -> None:
    """Also where the ring was lost."""
    keep = post.housekeeping()

    async def scenario() -> None:
        async with post.running():
            suspend(post.spool.root, "example.com", 2e9, "", post.clock.now())
            await keep.look()
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
        assert keep.invariants.violations == keep.watchdog.bitten == 0

    play(scenario())


def test_the_manager_hears_nothing_while_the_recorder_is_stuck(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch may take minutes and not more; a recorder that has nothing to do is well."""

    async def scenario() -> None:
        now = 1000.0
        loop = SimpleNamespace(time=lambda: now)
        recorder: Any = SimpleNamespace(batch=None)
        post.manager.current.context = post.context._replace(recorder=recorder)
        keep = post.housekeeping()
        batch = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(invariants.asyncio, "get_running_loop", lambda: loop)
        assert keep.alive()
        recorder.batch = batch
        assert keep.alive()
        now += invariants.RECORDER_PATIENCE - 1
        assert keep.alive()
        now += 2
        assert not keep.alive()
        batch.set_result(None)
        assert keep.alive()
        monkeypatch.undo()

    play(scenario())
