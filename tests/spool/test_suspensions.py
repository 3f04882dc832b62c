"""Pauses: what an operator can name, what a file says, and that neither a crash nor a second command spoils it."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.problem import Problem
from mailer.spool.files import doorbell, suspensions
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.suspensions import Suspension, Suspensions, target_of
from tests.fakes.mail import NOW, suspend


def names(root: str) -> list[str]:
    return sorted(each.target for each in suspensions.read(root))


def test_what_is_paused_is_remembered_until_it_is_resumed(spool: SpoolDirectory) -> None:
    """With its reason and its end; pausing once more changes those; resuming what is not paused is an error."""
    assert not suspensions.read(spool.root)
    suspend(spool.root, "relay:out", NOW + 60, "they asked", NOW)
    suspend(spool.root, "example.net", math.inf, "", NOW)
    suspend(spool.root, "relay:out", NOW + 90, "longer", NOW + 1)
    assert set(suspensions.read(spool.root)) == {
        Suspension("relay:out", NOW + 90, "longer", NOW + 1),
        Suspension("example.net", math.inf, "", NOW),
    }
    suspensions.resume(spool.root, "relay:out", NOW)
    assert names(spool.root) == ["example.net"]
    with pytest.raises(Problem) as caught:
        suspensions.resume(spool.root, "relay:out", NOW)
    assert caught.value.kind == "no-such"


def test_a_pause_ends_by_itself(spool: SpoolDirectory) -> None:
    """Its time is over: it holds nothing any more, and the next change leaves it out."""
    suspend(spool.root, "example.net", NOW + 60, "", NOW)
    known = suspensions.read(spool.root)
    assert known.of_domain("example.net", NOW + 59.9)
    assert known.of_domain("example.net", NOW + 60) is None
    suspend(spool.root, "example.org", math.inf, "", NOW + 61)
    assert names(spool.root) == ["example.org"]


@pytest.mark.parametrize("step", [3600.0, -3600.0, 5 * 365 * 86400.0])
def test_a_pause_lasts_as_long_as_it_was_to_when_the_clock_is_set(spool: SpoolDirectory, step: float) -> None:
    """What was said before is moved with the clock; what has no end, and what was said by the new clock, stays."""
    suspend(spool.root, "relay:out", NOW + 60, "", NOW)
    suspend(spool.root, "example.net", math.inf, "", NOW)
    suspend(spool.root, "example.org", NOW + step + 600, "", NOW)
    said = suspensions.read(spool.root).by_target
    suspensions.postpone(spool.root, [said["relay:out"], Suspension("gone.example", NOW - 1, "", NOW - 60)], step, NOW + step)
    known = suspensions.read(spool.root).by_target
    assert (known["relay:out"].until, known["example.net"].until) == (NOW + step + 60, math.inf)
    assert known["example.org"].until == NOW + step + 600
    assert "gone.example" not in known


def test_a_command_right_after_a_step_ends_no_pause(spool: SpoolDirectory) -> None:
    """By its clock those before it are over; the daemon, which hears of the step a moment later, brings those back and moves no other."""
    suspend(spool.root, "relay:out", NOW + 3600, "they asked", NOW)
    suspend(spool.root, "example.net", NOW + 60, "", NOW)
    before = [*suspensions.read(spool.root)]
    suspend(spool.root, "example.org", NOW + 10_000 + 600, "", NOW + 10_000)
    suspend(spool.root, "example.net", NOW + 10_000 + 900, "anew", NOW + 10_000)
    suspensions.postpone(spool.root, before, 10_000, NOW + 10_000)
    known = suspensions.read(spool.root).by_target
    assert {name: each.until - NOW for name, each in known.items()} == {"relay:out": 13_600, "example.org": 10_600, "example.net": 10_900}
    assert known["relay:out"].why == "they asked"


def test_who_is_held_by_a_pause() -> None:
    """A relay by its name, an MX set by one of its hosts or by all, a domain, and the domains below one."""
    known = Suspensions(Suspension(target, math.inf, "", NOW) for target in ("relay:out", "mx:mx1.a.example", "b.example", "*.c.example"))
    assert known.of_way("relay:out", NOW)
    assert known.of_way("relay:other relay:out", NOW)
    assert known.of_way("mx:mx1.a.example,mx2.a.example", NOW)
    assert not known.of_way("mx:mx2.a.example", NOW)
    assert not known.of_way("relay:outer", NOW)
    assert known.of_domain("b.example", NOW)
    assert not known.of_domain("x.b.example", NOW)
    assert known.of_domain("x.y.c.example", NOW)
    assert not known.of_domain("c.example", NOW)
    assert Suspensions([Suspension("mx:a,b", math.inf, "", NOW)]).of_way("mx:a,b", NOW)
    assert not Suspensions()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("relay:out", "relay:out"), ("Example.NET.", "example.net"), ("*.Example.net", "*.example.net"),
        ("mx:B.example,a.example", "mx:a.example,b.example"),
        ("[192.0.2.1]", "[192.0.2.1]"), ("[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]"), ("bücher.example", "bücher.example"),
    ],
)  # fmt: skip
def test_one_form_of_each_name(text: str, target: str) -> None:
    """However it is written, it is the name that mail meets."""
    assert target_of(text) == target
    assert target_of(target) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "a@example.net",
        "relay:",
        "mx:",
        "relay:a b",
        "a,b",
        "two words",
        "host:25",
        "a/b",
        "*.",
        "x\ny",
        ".",
        "..",
        "a.example..",
        "a..example",
    ],
)
def test_what_names_nothing_is_refused(text: str) -> None:
    """A slip must not pause everything, or nothing."""
    with pytest.raises(ValueError, match="no destination"):
        target_of(text)


@given(st.text())
def test_any_text_names_something_or_nothing(text: str) -> None:
    """Whatever it is, one error is raised, or a name that stays what it is."""
    try:
        target = target_of(text)
    except ValueError:
        return
    assert target_of(target) == target


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"pauses":[{}]}', b'{"pauses":[{"target":"x.example","at":"never"}]}', b"\xff", b"[" * 90_000]
)
def test_a_damaged_file_is_one_error(spool: SpoolDirectory, data: bytes) -> None:
    """It says which file, and nothing else is raised."""
    Path(spool.root, suspensions.NAME).write_bytes(data)
    with pytest.raises(Problem, match="no list of pauses"):
        suspensions.read(spool.root)


def test_the_daemon_hears_of_each_change(spool: SpoolDirectory) -> None:
    """By the doorbell; without one, nobody heard."""
    assert not suspend(spool.root, "example.net", math.inf, "", NOW)
    bell = doorbell.hang(spool.root)
    try:
        assert suspend(spool.root, "example.org", math.inf, "", NOW)
        assert suspensions.resume(spool.root, "example.net", NOW)
        assert doorbell.listen(bell) == [suspensions.NAME]
    finally:
        bell.close()


def test_commands_at_the_same_time_lose_nothing(spool: SpoolDirectory) -> None:
    """Each reads what the one before wrote."""
    threads = [threading.Thread(target=suspend, args=(spool.root, f"d{nth}.example", math.inf, "", NOW)) for nth in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(spool.root)) == 20


@pytest.mark.parametrize("step", ["rename", "fsync"])
def test_a_crash_leaves_the_old_list_or_the_new_one(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Whatever step fails, the file can be read, and the next command gets through."""
    suspend(spool.root, "example.net", math.inf, "", NOW)

    def dies(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, dies)
        with pytest.raises(Problem):
            suspend(spool.root, "example.org", math.inf, "", NOW)
    assert names(spool.root) == ["example.net"]
    Path(spool.root, "tmp", suspensions.NAME).write_text("of a command that was killed")
    suspend(spool.root, "example.com", math.inf, "", NOW)
    assert names(spool.root) == ["example.com", "example.net"]
