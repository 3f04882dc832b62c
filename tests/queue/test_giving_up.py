"""Giving up: a failure is reported before it is written down, once, and what is not the mail's fault is none."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from mailer.events import Alarm
from mailer.limits.backoff import Schedule
from mailer.mail.outcome import Cause
from mailer.transport.route import Unroutable
from tests.fakes.mail import outcome, put
from tests.queue.trouble import reports

from .post import DAY, HOP, NOW, Post, offline, on_both, play

pytestmark = pytest.mark.usefixtures("short_pauses")


# Giving up


def test_a_failure_is_reported_before_it_is_written_down(post: Post) -> None:
    """The report is put, then the records, then the move; it goes out by itself, to the sender, from nobody."""

    async def scenario() -> None:
        post.courier.script = {"a@example.com": ["fail"], "b@example.com": ["delivered"]}
        post.courier.gates["example.org"] = asyncio.Event()
        seen: list[list[str]] = []
        fail = post.spool.fail

        def watched(claim: Any, outcomes: Any) -> None:
            assert [o.to for o in claim.entry.history.outcomes if o.verdict == "fail"] == [0]
            seen.append(reports(post, claim.entry.id))
            fail(claim, outcomes)

        post.spool.fail = watched  # type: ignore[method-assign]
        async with post.running():
            id = post.put("a@example.com", "b@example.com", sender="me@example.org")
            await post.settled(id, "failed")
            ((report,),) = seen
            envelope = post.spool.read(report).envelope
            assert (envelope.sender, [r.address for r in envelope.recipients]) == ("", ["me@example.org"])
            assert b"Final-Recipient: rfc822;a@example.com" in post.spool.content(report).replace(b"; ", b";")
            assert b"b@example.com" not in post.spool.content(report)
            post.courier.gates["example.org"].set()
            await post.settled(report, None)
        assert post.spool.read(id).status == "failed"
        assert {to: last.verdict for to, last in post.spool.read(id).history.last.items()} == {0: "fail", 1: "delivered"}
        assert post.told("settled") == ["settled failed", "settled sent"]

    play(scenario())


@on_both
def test_a_message_whose_time_is_up_expires(post: Post) -> None:
    """The last deferral becomes final, and the sender is told so."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer"]
        post.courier.gates["example.org"] = asyncio.Event()
        async with post.running():
            id = post.put("a@example.com", sender="me@example.org", at=NOW - 2 * DAY)
            await post.settled(id, "failed")
            (report,) = reports(post, id)
            assert b"Subject: Not delivered in time" in post.spool.content(report)
            post.courier.gates["example.org"].set()
        assert post.spool.read(id).status == "expired"
        assert post.told("settled")[0] == "settled expired"

    play(scenario())


def test_a_message_that_was_held_past_its_time_gets_one_more_try(post: Post) -> None:
    """Invariant (e): expiry applies wherever it sat, and when it is released it is delivered or expires."""

    async def scenario() -> None:
        post.courier.script["b@example.com"] = ["defer"]
        async with post.running():
            ids = [put(post.spool, address, sender="", at=NOW) for address in ("a@example.com", "b@example.com")]
            for id in ids:
                post.spool.hold(id)
            post.advance(10 * DAY)
            post.look(ids)
            await asyncio.sleep(0.02)
            assert post.places() == {"held": sorted(ids)}
            for id in ids:
                post.spool.release(id)
            post.look(ids)
            await post.settled(ids[0], None)
            await post.settled(ids[1], "failed")
        assert post.spool.read(ids[1]).status == "expired"

    play(scenario())


@on_both
@pytest.mark.parametrize("verdict", ["fail", "defer"])
def test_nobody_is_told_about_mail_from_nobody(post: Post, verdict: str) -> None:
    """RFC 5321 §4.5.5: a report about a report would never end."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = [verdict]
        async with post.running():
            id = post.put("a@example.com", sender="", at=NOW - 3 * DAY)
            await post.settled(id, "failed")
        assert reports(post, id) == []

    play(scenario())


@on_both
def test_each_failure_is_reported_once(post: Post) -> None:
    """Refused at the first try and at the second: two reports, each about its own recipients."""

    async def scenario() -> None:
        post.courier.script = {"a@example.com": ["fail"], "b@example.com": ["defer", "fail"], "c@example.com": ["defer", "delivered"]}
        async with post.running():
            id = post.put("a@example.com", "b@example.com", "c@example.com", sender="me@example.org")
            await post.settled(id, "deferred")
            post.advance(60)
            await post.settled(id, "failed")
            await post.until("two reports delivered", lambda: post.courier.order.count("example.org") == 2)
        assert len({tried for tried, addresses in post.courier.tried if addresses == ["me@example.org"]}) == 2
        assert post.spool.read(id).status == "failed"

    play(scenario())


@on_both
def test_a_domain_that_does_not_exist_fails_without_a_try(post: Post) -> None:
    """Unroutable for good: reported; for now: put off, and it counts."""

    async def scenario() -> None:
        post.finder.troubles = {
            "gone.example": Unroutable(556, "5.1.10", "null MX", "fail", Cause.NULL_MX),
            "dns.example": Unroutable(451, "4.4.3", "SERVFAIL", "defer", Cause.DNS),
        }
        async with post.running():
            gone, dns = post.put("a@gone.example", sender=""), post.put("a@dns.example")
            await post.settled(gone, "failed")
            await post.settled(dns, "deferred")
        assert post.courier.tried == []
        assert post.spool.read(gone).history.last[0].reply == "556 5.1.10 null MX"
        assert post.spool.read(dns).history.attempts == 1

    play(scenario())


# Trouble that is nobody's fault but ours


def test_being_offline_is_no_attempt_and_no_reason_to_expire(post: Post) -> None:
    """It is looked at every minute, the file does not grow, and when the network is back the mail goes."""

    async def scenario() -> None:
        post.finder.troubles["example.com"] = offline()
        post.change(schedule=Schedule([7.0], DAY))
        async with post.running():
            id = post.put("a@example.com", at=NOW - 3 * DAY)
            await post.settled(id, "deferred")
            size = os.stat(post.spool.path("deferred", id)).st_size
            for _ in range(20):
                asked = len(post.finder.asked)
                post.advance(60)
                await post.until("another look", lambda asked=asked: len(post.finder.asked) > asked)  # type: ignore[misc]
                await post.settled(id, "deferred")
            entry = post.spool.read(id)
            assert (entry.history.attempts, entry.status) == (0, "deferred")
            assert entry.due == pytest.approx(post.clock.now() + 60, abs=0.001)
            assert os.stat(post.spool.path("deferred", id)).st_size == size
            post.finder.troubles.clear()
            post.advance(60)
            await post.settled(id, None)

    play(scenario())


@on_both
def test_a_wrong_password_bounces_nothing_and_calls_for_a_person(post: Post) -> None:
    """However old the mail is: an alarm, and all that waits for that relay is put off without another try, for ever."""

    async def scenario() -> None:
        wrong = outcome(0, "defer", scope="us", code=535, enhanced="5.7.8", text="wrong", phase="auth", hop=HOP, cause=Cause.LOGIN_REFUSED)
        post.courier.script = {f"{nth}@example.com": [wrong] for nth in range(5)}
        async with post.running():
            ids = [post.put(f"{nth}@example.com", at=NOW - 9 * DAY) for nth in range(5)]
            for _ in range(3):
                for id in ids:
                    await post.settled(id, "deferred")
                post.advance(DAY)
            for id in ids:
                await post.settled(id, "deferred")
            assert len(post.courier.tried) <= 2 + 3
            assert all(post.spool.read(id).history.attempts == 0 for id in ids)
        alarms = [event for event in post.events if isinstance(event, Alarm)]
        assert {alarm.what for alarm in alarms} == {"login"}
        assert "535 5.7.8 wrong" in alarms[0].detail

    play(scenario())


@on_both
def test_what_a_relay_refuses_of_ours_waits_with_an_alarm(post: Post) -> None:
    """However old the mail is, and without holding up that of other senders; one alarm tells which setting mends it."""

    async def scenario() -> None:
        refused = outcome(0, "defer", scope="us", code=550, enhanced="5.7.60", text="no", hop=HOP, cause=Cause.SENDER_REFUSED)
        post.courier.script = {"a@example.com": [refused] * 3, "b@example.com": [refused] * 3}
        async with post.running():
            ids = [post.put(f"{name}@example.com", at=NOW - 9 * DAY) for name in "ab"]
            for id in ids:
                await post.settled(id, "deferred")
            await post.settled(post.put("c@example.com"), None)
            assert {post.spool.read(id).history.outcomes[-1].to_record()["cause"] for id in ids} == {"sender_refused"}
            assert all(post.spool.read(id).history.attempts == 0 for id in ids)
        alarms = [event for event in post.events if isinstance(event, Alarm)]
        assert [alarm.what for alarm in alarms] == ["refused"]
        assert "550 5.7.60 no" in alarms[0].detail
        assert alarms[0].remedy.startswith("author of [relay")

    play(scenario())


@on_both
def test_a_bug_leaves_no_message_in_limbo(post: Post) -> None:
    """In the courier or in the finder: an alarm, and the message is tried again later."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = [KeyError("oops"), "delivered"]
        post.finder.troubles["b.example"] = ZeroDivisionError("division by zero")
        async with post.running():
            ids = [post.put("a@example.com"), post.put("b@b.example")]
            for id in ids:
                await post.settled(id, "deferred")
            post.finder.troubles.clear()
            post.advance(60)
            for id in ids:
                await post.settled(id, None)
        assert post.told("alarm") == ["alarm bug", "alarm bug"]

    play(scenario())
