"""A sandbox and mail that waits: what was queued before obeys, and what was submitted in one does not leave by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailer.config.sections import Sandbox
from mailer.events import Alarm, Mended
from mailer.routing.resolve import Router
from mailer.routing.sandbox import Diversion
from mailer.spool.api import How, at_once

from .post import Post, on_both, play


def box(post: Post, **settings: Any) -> None:
    """A reload after which this sandbox holds; none without a mode."""
    diversion = Diversion(Sandbox(**settings), post.finder.find) if settings else None
    policy = post.context.policy._replace(sandbox=diversion, router=Router(diversion.find if diversion else post.finder.find))
    post.manager.change(policy)


def tried(post: Post) -> list[tuple[str, list[str]]]:
    """(destination, recipients) of each job that a courier had."""
    return [(key, names) for key, (_, names) in zip(post.courier.order, post.courier.tried, strict=True)]


@on_both
def test_one_message_goes_two_ways(post: Post) -> None:
    """Who is allowed gets it; the rest is trapped, without a look at the DNS."""
    post.couriers["trap"] = post.courier

    async def scenario() -> None:
        box(post, mode="allowlist", allow=("*@ours.example",))
        async with post.running():
            id = post.put("a@ours.example", "b@theirs.example", "c@others.example")
            await post.settled(id, None)
        assert sorted(tried(post)) == [("ours.example", ["a@ours.example"]), ("sandbox", ["b@theirs.example", "c@others.example"])]
        assert post.finder.asked == ["ours.example"]

    play(scenario())


def test_what_waits_in_memory_obeys_a_reload(post: Post) -> None:
    """It was read, its way was known, and its turn had not come: it is trapped all the same, and nobody is left out or has it twice."""
    post.couriers["trap"] = post.courier
    post.courier.gates["a.example"] = gate = asyncio.Event()

    async def scenario() -> None:
        async with post.running():
            ids = [post.put(f"{nth}@a.example") for nth in range(12)]
            await post.until("all read", lambda: all(id in post.scheduler.active for id in ids) and post.courier.busy == 2)
            box(post, mode="trap")
            gate.set()
            for id in ids:
                await post.settled(id, None)
        assert sorted(name for _, [name] in tried(post)) == sorted(f"{nth}@a.example" for nth in range(12))
        live = [name for key, name in tried(post) if key != "sandbox"]
        assert len(live) <= 4  # what a session had in hand, and the next one

    play(scenario())


def test_a_way_that_is_being_looked_for_is_not_taken(post: Post) -> None:
    """The answer of the DNS comes after the reload: the message is trapped."""
    post.couriers["trap"] = post.courier
    asked, answer = asyncio.Event(), asyncio.Event()
    find = post.finder.find

    async def slow(domain: str) -> Any:
        asked.set()
        await answer.wait()
        return await find(domain)

    post.finder.find = slow  # type: ignore[method-assign]

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@a.example")
            await asked.wait()
            box(post, mode="trap")
            answer.set()
            await post.settled(id, None)
        assert [key for key, _ in tried(post)] == ["sandbox"]

    play(scenario())


@on_both
def test_mail_of_a_sandbox_is_held_where_none_holds(post: Post) -> None:
    """With an alarm that ends when none is held any more; it leaves after a release that means it, and after no other."""

    async def scenario() -> None:
        async with post.running():
            ids = [post.put(f"{nth}@a.example", options={"sandbox": "trap"}) for nth in range(3)]
            other = post.put("b@a.example")
            await post.settled(other, None)
            for id in ids:
                await post.settled(id, "held")
            assert {event.what for event in post.events if isinstance(event, Alarm)} == {"sandbox"}
            refused = at_once(post.kept.act("release", ids[:1], post.clock.now())).messages[0]
            assert refused.problem is not None
            assert "--yes" in str(refused.problem)
            assert post.spool.find(ids[0]) == "held"
            at_once(post.kept.act("release", ids[:1], post.clock.now(), How(boxed="live")))
            post.look(ids[:1])
            await post.settled(ids[0], None)
            assert post.spool.find(ids[1]) == "held"
            assert not any(isinstance(event, Mended) for event in post.events)
            at_once(post.kept.act("cancel", ids[1:], post.clock.now()))
            post.look(ids[1:])
            assert [event.what for event in post.events if isinstance(event, Mended)] == ["sandbox"]
        assert [name for _, [name] in tried(post)] == ["b@a.example", "0@a.example"]

    play(scenario())


@on_both
def test_in_a_sandbox_its_mail_is_nothing_special(post: Post) -> None:
    """It is not held, and a release needs no word more; but that word is not kept for the time after."""
    post.couriers["trap"] = post.courier

    async def scenario() -> None:
        box(post, mode="redirect", to="dev@a.example")
        id = post.put("b@b.example", options={"sandbox": "redirect"})
        at_once(post.kept.act("hold", [id], post.clock.now()))
        at_once(post.kept.act("release", [id], post.clock.now(), How(boxed="box")))
        assert post.spool.read(id).boxed
        async with post.running():
            await post.settled(id, None)
        assert tried(post) == [("a.example", ["b@b.example"])]
        assert post.courier.contents[0].startswith(b"X-Sandbox-Recipients: b@b.example\r\n")

    play(scenario())


@pytest.mark.parametrize("how", ["stay", "live"])
def test_the_word_that_it_may_leave_survives_a_restart(post: Post, how: Any) -> None:
    """It is in the message's file."""
    id = post.put("a@a.example", options={"sandbox": "trap"})
    at_once(post.kept.act("hold", [id], post.clock.now()))
    at_once(post.kept.act("release", [id], post.clock.now(), How(boxed=how)))
    assert post.spool.read(id).boxed is (how == "stay")
