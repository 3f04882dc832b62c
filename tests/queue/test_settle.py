"""Settling on a disk that fails: every system call of it, with every error. It is settled later, recorded once, tried once."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mailer.events import Alarm
from mailer.queue import recorder, settle
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import outcome

from .post import Post, on_both, play

CALLS = ("write", "fdatasync", "utime", "rename", "unlink", "close", "open", "stat", "fstat")
ERRORS = ("EIO", "ENOSPC", "EROFS", "EACCES", "EDQUOT", "EMFILE", "ESTALE", "EINTR")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "PAUSE", 0.005)
    monkeypatch.setattr(recorder, "AGAIN", 0.005)


class Failing:
    """A system call that fails as often as it is told to, without being made; close(2) is made, and fails all the same."""

    def __init__(self, name: str, error: str, times: int = 2) -> None:
        self.real = getattr(os, name)
        self.closes = name == "close"
        self.error = getattr(errno, error)
        self.times = times

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        if self.times > 0:
            self.times -= 1
            if self.closes:
                self.real(*arguments)
            raise OSError(self.error, os.strerror(self.error))
        return self.real(*arguments, **more)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", CALLS)
def test_whatever_fails_while_mail_is_settled_it_is_settled(post: Post, monkeypatch: pytest.MonkeyPatch, call: str, error: str) -> None:
    """One message that all have, one that some have, one that is given up: each ends where it belongs, and was tried once."""

    async def scenario() -> None:
        post.courier.script = {"later@example.com": ["defer"], "nobody@example.net": ["fail"]}
        gates = [post.courier.gates.setdefault(domain, asyncio.Event()) for domain in ("example.com", "example.net")]
        async with post.running():
            sent, failed = post.put("a@example.com"), post.put("nobody@example.net", sender="")
            half = post.put("b@example.com", "later@example.com")
            await post.until("under way", lambda: post.courier.busy == 3)
            with monkeypatch.context() as disk:
                disk.setattr(os, call, Failing(call, error))
                for gate in gates:
                    gate.set()
                await post.until("settled", lambda: not post.scheduler.active)
            await post.settled(sent, None)
            await post.settled(failed, "failed")
            await post.settled(half, "deferred")
            assert [post.tries(id) for id in (sent, failed, half)] == [1, 1, 1]
        spool = SpoolDirectory(post.spool.root)
        known = [(o.to, o.verdict) for o in spool.read(half).history.outcomes]
        if call == "fdatasync":  # after which nobody knows what is on disk: it is written once more
            known = [*dict.fromkeys(known)]
        assert known == [(0, "delivered"), (1, "defer")]
        assert spool.read(failed).status == "failed"
        assert "alarm bug" not in post.told()

    play(scenario())


# What all have, and the disk will not let go


def test_delivered_mail_that_cannot_be_removed_is_written_down_as_delivered(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next daemon finds the record and delivers nothing again; it only removes the file."""

    async def scenario() -> None:
        monkeypatch.setattr(post.spool, "drop", Failing("unlink", "EACCES", 10_000))
        async with post.running():
            id = post.put("a@example.com", "b@example.com")
            await post.until("an alarm", lambda: post.told("alarm"))
        assert post.tries(id) == 1
        assert {to: last.verdict for to, last in post.spool.read(id, "queued").history.last.items()} == {0: "delivered", 1: "delivered"}
        (alarm,) = (event.detail for event in post.events if isinstance(event, Alarm))
        assert alarm == f"message {id} is delivered but cannot be removed: Permission denied; that it is delivered is written down"
        after = Post(Path(post.spool.root).parent)
        async with after.running():
            await after.settled(id, None)
        assert after.courier.tried == []

    play(scenario())


def test_delivered_mail_is_removed_once_the_disk_lets_it_go(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """No restart is needed, and nothing is delivered again, even where the disk took no record either."""

    async def scenario() -> None:
        ids = [post.put("a@example.com") for _ in range(5)]
        failing, full = Failing("unlink", "EROFS", 10_000), Failing("write", "EROFS", 10_000)
        monkeypatch.setattr(os, "unlink", failing)
        monkeypatch.setattr(os, "write", full)
        async with post.running():
            await post.until("an alarm", lambda: post.told("alarm"))
            failing.times = full.times = 0
            for id in ids:
                await post.settled(id, None)
        assert [post.tries(id) for id in ids] == [1] * 5
        assert post.told("alarm") == ["alarm spool"]

    play(scenario())


def test_a_pass_that_cannot_remove_what_is_delivered_ends(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how much is left, and the next one delivers nothing again."""

    async def scenario() -> None:
        with monkeypatch.context() as disk:
            disk.setattr(os, "unlink", Failing("unlink", "EIO", 10_000))
            id = post.put("a@example.com")
            post.manager.settler.once = True
            await post.manager.run()
            await post.recorder.close()
        assert (post.manager.settler.undone, post.places()) == (1, {"queued": [id]})
        after = Post(Path(post.spool.root).parent)
        after.look([id])
        after.manager.settler.once = True
        await after.manager.run()
        await after.recorder.close()
        assert (after.courier.tried, after.manager.settler.undone, after.places()) == ([], 0, {})

    play(scenario())


# Somebody's hand


def test_a_message_that_somebody_removed_is_not_settled_for_ever(post: Post) -> None:
    """Its file went while it was under way: that is the end of it."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer"]
        gate = post.courier.gates["example.com"] = asyncio.Event()
        async with post.running():
            id = post.put("a@example.com")
            await post.until("under way", lambda: post.courier.busy)
            os.unlink(post.spool.path("queued", id))
            gate.set()
            await post.until("forgotten", lambda: not post.scheduler.knows(id))
        assert post.places() == {}

    play(scenario())


def test_a_directory_that_somebody_removed_is_made_again(post: Post) -> None:
    """The message goes where it belongs."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer"]
        shutil.rmtree(f"{post.spool.root}/deferred")
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
        assert post.tries(id) == 1

    play(scenario())


def test_what_was_recorded_is_not_recorded_again_where_only_the_move_failed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one try would count as many, and the waits would grow with the trouble of the disk."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer"]
        id = post.put("a@example.com")
        monkeypatch.setattr(os, "rename", Failing("rename", "ENOSPC", 5))
        async with post.running():
            await post.settled(id, "deferred")
        assert post.spool.read(id).history.attempts == 1

    play(scenario())


@on_both
def test_a_bug_in_a_report_loses_nothing_that_was_learned(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and the message is settled when it is mended: who has it does not get it again."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = [outcome(0, "fail", code=550)]
        broken = [True]
        real = post.context.policy.reports.report_for

        def report_for(*arguments: Any) -> Any:
            if broken[0]:
                raise RuntimeError("a bug")
            return real(*arguments)

        monkeypatch.setattr(post.context.policy.reports, "report_for", report_for)
        async with post.running():
            id = post.put("a@example.com", "b@example.com", sender="me@example.org")
            await post.until("an alarm", lambda: post.told("alarm"))
            broken[0] = False
            await post.settled(id, "failed")
        assert post.tries(id) == 1
        assert post.told("alarm") == ["alarm bug"]

    play(scenario())
