"""What an operator does to a message while a daemon has it: held, released, cancelled, retried."""

from __future__ import annotations

import asyncio
import errno

import pytest

from mailer.spool.api import Busy
from mailer.spool.files.store import SpoolDirectory
from tests.queue.trouble import Failing, waiting

from .post import Post, on_both, play

pytestmark = pytest.mark.usefixtures("short_pauses")


async def behind_others(post: Post) -> tuple[str, list[str]]:
    """A message that was read, and the two that are under way before it."""
    before = [post.put(f"{nth}@example.com") for nth in range(2)]
    await post.until("two under way", lambda: post.courier.busy == 2)
    id = post.put("a@example.com")
    await post.until("read", lambda: id in post.scheduler.active)
    return id, before


def test_a_message_that_is_held_while_it_waits_is_not_delivered(post: Post) -> None:
    """It was read already; when its turn comes it is left alone."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            id, before = await behind_others(post)
            operator = SpoolDirectory(post.spool.root)
            operator.hold(id)
            post.look([id])
            gate.set()
            for other in before:
                await post.settled(other, None)
            await asyncio.sleep(0.05)
            assert post.spool.find(id) == "held"
            assert post.tries(id) == 0
            assert "changed held" in post.told()
            operator.release(id)
            post.look([id])
            await post.settled(id, None)
        assert post.tries(id) == 1

    play(scenario())


@on_both
@pytest.mark.parametrize("told", [True, False])
def test_a_message_that_is_held_and_released_while_it_waits_is_delivered_once(post: Post, told: bool) -> None:
    """Whether or not the manager heard of it in between."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            id, _ = await behind_others(post)
            for act in (post.spool.hold, post.spool.release):
                act(id)
                if told:
                    post.look([id])
            await asyncio.sleep(0.02)
            gate.set()
            await post.until("all gone", lambda: not post.places())
        assert post.tries(id) == 1

    play(scenario())


@on_both
def test_a_message_that_is_cancelled_while_it_waits_is_not_delivered(post: Post) -> None:
    """Nor reported: whoever does that knows."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            id, _ = await behind_others(post)
            post.spool.cancel(id, post.clock.now())
            post.look([id])
            gate.set()
            await post.until("the others gone", lambda: post.places() == {"failed": [id]})
            await asyncio.sleep(0.02)
        assert post.tries(id) == 0
        assert post.spool.read(id).status == "cancelled"

    play(scenario())


def test_a_message_that_is_under_way_cannot_be_moved(post: Post) -> None:
    """75: in a moment it may be delivered."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            id = post.put("a@example.com")
            await post.until("under way", lambda: post.courier.busy)
            with pytest.raises(Busy):
                SpoolDirectory(post.spool.root).hold(id)
            gate.set()
            await post.settled(id, None)

    play(scenario())


@on_both
def test_an_operator_need_not_wait_for_the_next_try(post: Post) -> None:
    """Retried: due now, for whoever is pending."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            post.spool.retry(id)
            post.look([id])
            await post.settled(id, None)

    play(scenario())


def test_a_message_that_could_not_be_locked_is_not_forgotten(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant (c): somebody looked at it at that moment, or no descriptor was left; it is tried again, wherever it lies."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            monkeypatch.setattr(post.spool, "claim_again", Failing(post.spool.claim_again, 1, errno.EMFILE))
            post.advance(60)
            await post.until("given back", lambda: not post.scheduler.knows(id))
            await post.settled(id, None)
        assert post.tries(id) == 2

    play(scenario())
