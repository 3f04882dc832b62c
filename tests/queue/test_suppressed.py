"""Nobody is mailed who is on the suppression list, whenever he got there; and nobody at all while the list cannot be read."""

from __future__ import annotations

import asyncio
from asyncio import run
from collections.abc import Sequence
from typing import Any

import pytest

from mailer.events import Tried
from mailer.mail.outcome import Cause, Outcome
from mailer.mail.problem import Problem
from mailer.queue.scheduler import QueueLimits
from mailer.suppression.api import Reason, SuppressionEntry
from mailer.suppression.memory import MemorySuppression

from .post import Post

KEY = {"principal": "key:shop", "stream": "news"}


class Broken(MemorySuppression):
    """A list that cannot be read while there is `trouble`."""

    trouble = "the suppression list is damaged"

    async def is_empty(self) -> bool:
        """Raises `Problem`."""
        if self.trouble:
            raise Problem(self.trouble, "io-error")
        return await super().is_empty()


def outcomes(post: Post, id: str = "") -> list[Outcome]:
    """Of one message, or of all."""
    tried = (event for event in post.events if isinstance(event, Tried) and event.entry.id in (id or event.entry.id))
    return [outcome for event in tried for outcome in event.outcomes]


def listed(post: Post, *entries: SuppressionEntry) -> MemorySuppression:
    """The manager asks a list that has these entries."""
    kept = MemorySuppression()
    run(kept.add(entries))
    post.manager.suppressed.entries = kept
    return kept


def entry(address: str, scope: str = "*", **more: Any) -> SuppressionEntry:
    return SuppressionEntry(address, scope, **{"at": 1_000_000_000.0, **more})


@pytest.mark.parametrize("post", ["files", "memory"], indirect=True)
def test_who_is_on_the_list_is_given_up_and_the_others_get_their_mail(post: Post) -> None:
    """With a reply of ours that says since when, why, and where to ask; no host was called, and no attempt was made."""
    listed(post, entry("ann@example.net"))
    id = post.put("Ann@example.net", "bob@example.net")

    async def scenario() -> None:
        async with post.running():
            await post.settled(id, "failed")

    run(scenario())
    assert [each for each in post.courier.tried if each[0] == id] == [(id, ["bob@example.net"])]  # the report may be under way
    refused, delivered = sorted(outcomes(post, id), key=lambda each: each.to)
    assert delivered.verdict == "delivered"
    assert (refused.verdict, refused.scope, refused.cause, refused.counts) == ("fail", "recipient", Cause.SUPPRESSED, False)
    assert refused.told == "mailer: 554 5.7.1 suppressed since 2001-09-09 (by hand): mailer suppress why Ann@example.net"
    assert post.manager.suppressed.counts == {Reason.MANUAL: 1}


def test_the_sender_of_a_stream_gets_no_report_and_others_do(post: Post) -> None:
    """A newsletter hears of it by events; a person who has written to somebody is told that he got nothing."""
    listed(post, entry("ann@example.net"), entry("bob@example.net", "news", reason=Reason.UNSUBSCRIBE))
    ids = [post.put("bob@example.net", submitter=KEY), post.put("ann@example.net", submitter=KEY), post.put("ann@example.net")]

    async def scenario() -> None:
        async with post.running():
            for id in ids:
                await post.settled(id, "failed")
            await post.until("the report", lambda: post.courier.tried)

    run(scenario())
    assert [to for _, to in post.courier.tried] == [["me@example.com"]]
    assert b"ann@example.net" in post.courier.contents[0]


def test_a_stream_that_was_left_is_no_other(post: Post) -> None:
    """And mail without a stream still goes."""
    listed(post, entry("ann@example.net", "news"))
    ids = [post.put("ann@example.net", submitter={**KEY, "stream": stream}) for stream in ("receipts", "")]
    gone = post.put("ann@example.net", submitter={**KEY, "stream": "News"})

    async def scenario() -> None:
        async with post.running():
            await post.settled(gone, "failed")
            for id in ids:
                await post.settled(id, None)

    run(scenario())
    assert sorted(id for id, _ in post.courier.tried) == sorted(ids)


def test_it_holds_for_what_was_put_off(post: Post) -> None:
    """A message that waits on disk is asked about when its time has come."""
    kept = listed(post)
    post.courier.script["ann@example.net"] = ["defer", "delivered"]
    id = post.put("ann@example.net")

    async def scenario() -> None:
        async with post.running():
            await post.settled(id, "deferred")
            await kept.add([entry("ann@example.net")])
            await post.passes(30.0, "given up", lambda: post.spool.find(id) == "failed")

    run(scenario())
    assert len([to for tried, to in post.courier.tried if tried == id]) == 1  # the report of it may have left as well


def test_it_holds_for_what_waits_in_memory(post: Post) -> None:
    """A message that was read, and waits for a session, is not handed to it; the rest of its recipients is."""
    kept = listed(post, entry("somebody@example.org"))
    post.scheduler.limit(QueueLimits(connections=1))

    async def scenario() -> None:
        gate = post.courier.gates["example.net"] = asyncio.Event()
        async with post.running():
            first = post.put("first@example.net")
            await post.until("the session is busy", lambda: post.courier.busy)
            ids = [post.put(*people) for people in (["a0@example.net"], ["a1@example.net"], ["ann@example.net", "bob@example.net"])]
            only = post.put("ann@example.net")
            await post.until("all wait in memory", lambda: len(post.manager.loader.attempts) == 5)
            await kept.add([entry("ann@example.net")])
            await post.manager.suppressed.heard(await kept.news(0), [*post.manager.loader.attempts])
            gate.set()
            await post.settled(only, "failed")
            await post.settled(ids[-1], "failed")
            await post.settled(first, None)

    run(scenario())
    assert "ann@example.net" not in {address for _, to in post.courier.tried for address in to}
    assert ["bob@example.net"] in [to for _, to in post.courier.tried]


def test_while_the_list_cannot_be_read_all_mail_waits(post: Post) -> None:
    """It does not expire, an alarm says so, and when the list can be read again it goes by itself."""
    broken = post.manager.suppressed.entries = Broken()
    ids = [post.put("ann@example.net"), post.put("bob@example.net", submitter=KEY)]

    async def scenario() -> None:
        async with post.running():
            for id in ids:
                await post.settled(id, "deferred")
            for _ in range(40):
                post.advance(12 * 3600.0)
                await post.until("looked at", lambda: all(post.spool.due(id) > post.clock.now() for id in ids))
            assert post.courier.tried == []
            broken.trouble = ""
            await post.passes(60.0, "delivered", lambda: all(post.spool.find(id) is None for id in ids))

    run(scenario())
    waited = outcomes(post)[0]
    assert (waited.verdict, waited.scope, waited.cause) == ("defer", "us", Cause.SETTING)
    assert waited.reply == "451 4.3.0 not tried: the suppression list is damaged"
    assert [line for line in post.told() if "suppression" in line]
    assert not post.book.has("suppression", "")


def test_what_is_to_ignore_the_list_asks_nobody(post: Post) -> None:
    """Not one that has the recipient, and none that cannot be read."""
    kept = Broken()
    run(kept.add([entry("ann@example.net")]))
    post.manager.suppressed.entries = kept
    id = post.put("ann@example.net", options={"ignore_suppression": True})

    async def scenario() -> None:
        async with post.running():
            await post.settled(id, None)

    run(scenario())
    assert post.courier.tried == [(id, ["ann@example.net"])]


def test_a_batch_is_one_question(post: Post) -> None:
    """And recipients who are done with are not asked about."""
    asked: list[int] = []

    class Counting(MemorySuppression):
        async def look(self, wanted: Sequence[tuple[str, str]], at: float) -> Sequence[SuppressionEntry | None]:
            asked.append(len(wanted))
            return await super().look(wanted, at)

    kept = Counting()
    run(kept.add([entry("somebody@example.org")]))
    post.manager.suppressed.entries = kept
    post.courier.script["b@example.net"] = ["defer", "delivered"]
    ids = [post.put("a@example.net", "b@example.net"), *(post.put("c@example.net") for _ in range(3))]

    async def scenario() -> None:
        async with post.running():
            await post.settled(ids[0], "deferred")
            await post.passes(30.0, "delivered", lambda: post.spool.find(ids[0]) is None)

    run(scenario())
    assert asked == [5, 1]
