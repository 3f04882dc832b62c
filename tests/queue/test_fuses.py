"""Fuses in the queue: a runaway waits its turn with an alarm, nobody else does, and nothing is lost by a restart or a reload."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.config.file import config_of
from mailer.config.kinds import Rate
from mailer.events import Alarm, Mended
from mailer.io.people import Person
from mailer.mail.principal import Principal, parse, unix
from mailer.mail.problem import Problem
from mailer.queue import fuses
from mailer.queue.fuses import Limit, limits_by
from mailer.spool.api import at_once

from .post import Post, on_both, play

WILD, MILD = unix(1001), unix(1002)
HOUR = Limit(Rate(60, 3600.0), 3, "fuse.rate")


def only(who: Principal, limit: Limit) -> Callable[[Principal], Limit | None]:
    """A limit for one submitter."""
    return lambda asked: limit if asked == who else None


def put(post: Post, who: Principal, name: str, **more: str) -> str:
    """A message that `who` handed in."""
    return post.put(f"{name}@a.example", submitter=who.as_submitter(), **more)


def told(post: Post) -> list[str]:
    """Alarms of fuses as they were met, and their ends."""
    found = [event for event in post.events if isinstance(event, Alarm | Mended) and event.what == "sender"]
    assert {event.key for event in found} <= {WILD}
    return ["begins" if isinstance(event, Alarm) else "ends" for event in found]


def restarted(root: Path, many: int) -> tuple[Post, list[str]]:
    """The next daemon, and the `many` messages of the runaway: three were delivered by the one before, and the rest wait their turn."""
    before = Post(root)
    before.manager.fuses.change(only(WILD, HOUR), before.clock.now())
    ids: list[str] = []

    async def first() -> None:
        async with before.running():
            ids.extend(put(before, WILD, f"w{nth}") for nth in range(many))
            for id in ids[:3]:
                await before.settled(id, None)
            for id in ids[3:]:
                await before.settled(id, "deferred")
            await before.manager.fuses.save(before.clock.now())

    play(first())
    after = Post(root)
    after.manager.fuses.recall(after.clock.now())
    after.manager.fuses.change(only(WILD, HOUR), after.clock.now())
    return after, ids


@on_both
def test_a_runaway_waits_its_turn_and_nobody_else_does(post: Post) -> None:
    """A burst goes, the rest by the rate, in order; one alarm when it begins, one word when it is over; the reason is on record."""
    post.manager.fuses.change(only(WILD, HOUR), post.clock.now())

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, WILD, f"w{nth}") for nth in range(6)]
            mild = [put(post, MILD, f"m{nth}") for nth in range(6)]
            nobody = post.put("n@a.example")
            for id in [*ids[:3], *mild, nobody]:
                await post.settled(id, None)
            for id in ids[3:]:
                await post.settled(id, "deferred")
            last = post.spool.read(ids[3]).history.last[0]
            assert (last.cause, last.counts, last.scope) == ("fused", False, "us")
            assert "user 1001" in last.text
            assert "60/h (burst 3; fuse.rate)" in last.text
            for id in ids[3:]:
                post.manager.fuses.look(post.clock.now())
                assert set(told(post)) == {"begins"}
                post.advance(60.5)
                await post.settled(id, None)
            post.manager.fuses.look(post.clock.now())
            assert told(post).index("ends") == len(told(post)) - 1
        assert [names for _, names in post.courier.tried if names[0].startswith("w")] == [[f"w{nth}@a.example"] for nth in range(6)]

    play(scenario())


@on_both
def test_reports_and_what_an_operator_hurries_pass(post: Post) -> None:
    """The null sender of the daemon has no fuse, that of a program has; and a retry is somebody's word."""
    own = unix(os.getuid())
    post.manager.fuses.change(only(WILD, HOUR._replace(burst=1)), post.clock.now())

    async def scenario() -> None:
        async with post.running():
            first, second = put(post, WILD, "a"), put(post, WILD, "b")
            await post.settled(first, None)
            await post.settled(second, "deferred")
            await post.settled(put(post, WILD, "answer", sender=""), "deferred")
            post.manager.fuses.change(lambda _: HOUR._replace(burst=1), post.clock.now())
            for nth in range(3):
                await post.settled(put(post, own, f"report{nth}", sender=""), None)
            at_once(post.kept.act("retry", [second], post.clock.now()))
            post.look([second])
            await post.settled(second, None)

    play(scenario())


def test_a_turn_survives_a_restart(tmp_path: Path) -> None:
    """Who waits has the turn that he had, and who comes then comes after him: the fuse is not whole again."""
    after, ids = restarted(tmp_path, 5)

    async def scenario() -> None:
        async with after.running():
            late = put(after, WILD, "late")
            await after.settled(late, "deferred")
            assert after.spool.find(ids[3]) == "deferred"
            dues = [after.spool.read(id).due for id in (*ids[3:], late)]
            assert dues == sorted(dues)
            after.advance(121)
            for id in ids[3:]:
                await after.settled(id, None)
            assert after.spool.find(late) == "deferred"

    play(scenario())


def test_a_flood_is_written_down_little_by_little(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail of others goes before that, and whoever waits has the turn that he was given at first."""
    monkeypatch.setattr(fuses, "AT_ONCE", 1.5 * fuses.PACE)
    post.manager.fuses.change(only(WILD, HOUR), post.clock.now())

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, WILD, f"w{nth}") for nth in range(10)]
            mild = put(post, MILD, "m")
            await post.settled(mild, None)
            for id in ids[3:5]:
                await post.settled(id, "deferred")
            assert [post.spool.find(id) for id in ids[5:]] == ["queued"] * 5
            post.advance(1)
            for id in ids[5:]:
                await post.settled(id, "deferred")
            dues = [round(post.spool.read(id).due - post.clock.now()) for id in ids[3:]]
            assert dues == [60 * nth - 1 for nth in range(1, 8)]
            assert post.manager.fuses.gone[WILD].many == 7

    play(scenario())


def test_turns_are_given_for_an_hour(post: Post) -> None:
    """What has none yet is put off for a little longer than that, asks again, and leaves by the rate; no more leave in an hour than may."""
    post.manager.fuses.change(only(WILD, Limit(Rate(4, 3600.0), 1, "fuse.rate")), post.clock.now())

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, WILD, f"w{nth}") for nth in range(12)]
            await post.settled(ids[0], None)
            for id in ids[1:]:
                await post.settled(id, "deferred")
            dues = sorted(round(post.spool.read(id).due - post.clock.now()) for id in ids[1:])
            assert dues == [900, 1800, 2700, 3600] + [3960] * 7
            for _ in range(24):
                before = len(post.courier.tried)
                post.advance(1800)
                post.manager.fuses.look(post.clock.now())
                await post.until(
                    "all that was due is through",
                    lambda: all(post.spool.read(id).due > post.clock.now() for id in post.spool.ids("deferred")),
                )
                assert len(post.courier.tried) - before <= 3
                if not post.spool.ids("deferred"):
                    break
        assert len(post.courier.tried) == 12
        assert told(post)[-1] == "ends"

    play(scenario())


@on_both
def test_what_is_cancelled_uses_no_turn(post: Post) -> None:
    """The flood is cancelled: the alarm ends, and mail of that submitter goes by the rate again, not after a thousand turns."""
    post.manager.fuses.change(only(WILD, HOUR), post.clock.now())

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, WILD, f"w{nth}") for nth in range(30)]
            for id in ids[3:]:
                await post.settled(id, "deferred")
            at_once(post.kept.act("cancel", ids[3:-1], post.clock.now()))
            post.look(ids[3:-1])
            post.manager.fuses.look(post.clock.now())
            assert "ends" not in told(post)
            at_once(post.kept.act("cancel", ids[-1:], post.clock.now()))
            post.look(ids[-1:])
            post.manager.fuses.look(post.clock.now())
            assert told(post)[-1] == "ends"
            late = put(post, WILD, "late")
            await post.settled(late, "deferred")
            post.advance(121)
            await post.settled(late, None)

    play(scenario())


def test_what_is_cancelled_after_a_restart_uses_no_turn(tmp_path: Path) -> None:
    """Who waits is known to the next daemon, too."""
    after, ids = restarted(tmp_path, 30)

    async def scenario() -> None:
        async with after.running():
            await after.manager.fuses.inherit([*ids[3:], "01KAHGWV7J5ZQ0C9XK3M2T8B4R"])
            at_once(after.kept.act("cancel", ids[3:], after.clock.now()))
            after.look(ids[3:])
            after.manager.fuses.look(after.clock.now())
            assert not after.manager.fuses.gone

    play(scenario())


def test_a_reload_gives_other_turns(post: Post) -> None:
    """Without a limit all goes at once; what nothing changes for keeps its turn."""
    post.manager.fuses.change(lambda _: HOUR, post.clock.now())

    async def scenario() -> None:
        async with post.running():
            wild = [put(post, WILD, f"w{nth}") for nth in range(5)]
            mild = [put(post, MILD, f"m{nth}") for nth in range(5)]
            for id in [*wild[3:], *mild[3:]]:
                await post.settled(id, "deferred")
            again = post.manager.fuses.change(only(MILD, HOUR), post.clock.now())
            assert sorted(again) == sorted(wild[3:])
            post.manager.suspended.hurry(again)
            for id in wild:
                await post.settled(id, None)
            assert [post.spool.find(id) for id in mild[3:]] == ["deferred"] * 2

    play(scenario())


@on_both
def test_without_fuses_nobody_waits_for_a_turn(post: Post) -> None:
    """A reload without any lets all go and ends the alarm; nothing is used up if they come back."""
    post.manager.fuses.change(only(WILD, HOUR), post.clock.now())

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, WILD, f"w{nth}") for nth in range(8)]
            for id in ids[3:]:
                await post.settled(id, "deferred")
            freed = post.manager.fuses.change(None, post.clock.now())
            assert sorted(freed) == sorted(ids[3:])
            post.manager.suspended.hurry(freed)
            for id in ids:
                await post.settled(id, None)
            post.manager.fuses.look(post.clock.now())
            assert told(post)[-1] == "ends"
            await post.manager.fuses.save(post.clock.now())
            assert at_once(post.kept.recall(fuses.NAME)) == b"{}"
            post.manager.fuses.change(only(WILD, HOUR), post.clock.now())
            for nth in range(3):
                await post.settled(put(post, WILD, f"again{nth}"), None)

    play(scenario())


def test_a_daemon_whose_configuration_has_no_fuse_lets_go_what_waits_for_a_turn(tmp_path: Path) -> None:
    """Those of a submitter who has one wait still."""
    after, ids = restarted(tmp_path, 8)

    async def scenario() -> None:
        for limit, free in ((only(MILD, HOUR), ids[3:]), (None, ids[3:]), (only(WILD, HOUR), [])):
            waiting = fuses.Fuses(after.kept, after.events.append)
            waiting.change(limit, after.clock.now())
            assert await waiting.inherit(ids[3:]) == free

    play(scenario())


def test_what_was_remembered_and_is_damaged_is_told(tmp_path: Path) -> None:
    """All fuses are whole then, and mail goes on."""
    post = Post(tmp_path)
    for kept in (b"[", b"[]", b'{"unix:1": "x"}', b"\xff"):
        post.spool.remember(fuses.NAME, kept)
        post.manager.fuses.recall(0.0)
        assert "cannot be read" in post.manager.fuses.trouble


def test_limits_are_those_of_the_first_section_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, by group, then for everybody; a section without a rate has that of the machine."""
    people = {WILD: Person("wild", frozenset({"robots"})), MILD: Person("mild", frozenset())}
    monkeypatch.setattr(fuses, "person", lambda who: people.get(who, Person(who.name, frozenset())))
    text = """
        [fuse]
        rate = "1000/h"
        [[submitter]]
        user = "@robots"
        rate = "10/min"
        burst = 7
        [[submitter]]
        user = "mild"
        """
    limit = limits_by(config_of("c.toml", text.encode()))
    assert limit is not None
    assert limit(WILD) == Limit(Rate(10, 60.0), 7, "submitter.0.rate")
    assert limit(MILD) == limit(parse("key:shop")) == Limit(Rate(1000, 3600.0), 100, "fuse.rate")
    assert limits_by(config_of("c.toml", b"")) is None
    with pytest.raises(Problem, match=r"c\.toml:2: a burst .* write rate"):
        config_of("c.toml", b"[fuse]\nburst = 5\n")


def test_what_is_remembered_of_one_is_not_forgotten_for_many_others(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for the fuse of one, and all the same the burst is used up."""
    monkeypatch.setattr(fuses, "MANY", 1)
    post.manager.fuses.change(only(WILD, HOUR), post.clock.now())

    async def scenario() -> None:
        async with post.running():
            for nth in range(3):
                await post.settled(put(post, WILD, f"w{nth}"), None)
                await post.settled(put(post, MILD, f"m{nth}"), None)
            await post.settled(put(post, WILD, "w3"), "deferred")

    play(scenario())
