"""The engine: whatever is read is settled, in the order of the contract, once."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mailer.delivery import attempt, dispatch, engine, line, memory, settle
from mailer.delivery.nexthop import Unroutable
from mailer.delivery.retry import Schedule
from mailer.delivery.router import Way
from mailer.delivery.scheduler import Limits
from mailer.events import Alarm, Corrupt, Settled
from mailer.mail.cause import Cause
from mailer.mail.failure import Failure
from mailer.spool import Busy, Spool
from tests.fakes.mail import BODY, outcome, put

from .post import DAY, HOP, NOW, Post, offline, play

HOST = outcome(0, "defer", scope="host", code=451, text="gone", phase="connect", hop=HOP)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "PAUSE", 0.01)


class Failing:
    """A function that fails with a disk's error as often as it is told to."""

    def __init__(self, real: Any, times: int, error: int = errno.ENOSPC) -> None:
        self.real = real
        self.times = times
        self.error = error

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        if self.times > 0:
            self.times -= 1
            raise OSError(self.error, os.strerror(self.error))
        return self.real(*arguments, **more)


# One attempt


def test_a_delivered_message_leaves_the_spool_after_its_status_is_written(post: Post) -> None:
    """The record stands before the file goes: a crash in between delivers twice, never loses the news."""

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, None)
        assert post.told() == ["seen", "tried", "settled sent"]
        assert post.written == [("seen", ["queued"]), ("tried", ["queued"]), ("settled sent", ["queued"])]
        assert post.tries(id) == 1

    play(scenario())


def test_a_deferred_message_waits_at_its_files_mtime_and_is_tried_again(post: Post) -> None:
    """First wait, second wait, delivered; each time with all that was learned on record."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "defer", "delivered"]
        async with post.running():
            id = post.put("a@example.com")
            for seconds, tries in ((60.0, 1), (300.0, 2)):
                await post.settled(id, "deferred")
                entry = post.spool.read(id)
                assert (entry.due, entry.history.attempts) == (pytest.approx(post.clock.now() + seconds, abs=0.001), tries)
                post.advance(seconds - 1)
                await asyncio.sleep(0.02)
                assert post.tries(id) == tries
                post.advance(1)
                await post.until("another try", lambda tries=tries: post.tries(id) == tries + 1)  # type: ignore[misc]
            await post.settled(id, None)
        assert post.told("settled") == ["settled deferred", "settled deferred", "settled sent"]
        assert [event.due for event in post.events if isinstance(event, Settled)] == [NOW + 60, NOW + 360, 0.0]

    play(scenario())


def test_a_delivered_part_is_on_disk_before_the_rest_is_through(post: Post) -> None:
    """Then the rest is put off, and only those who wait are tried again."""

    async def scenario() -> None:
        post.courier.gates["slow.example"] = asyncio.Event()
        post.courier.script["b@slow.example"] = ["defer", "delivered"]
        async with post.running():
            id = post.put("a@fast.example", "b@slow.example", "c@fast.example")
            await post.until("a record", lambda: len(post.spool.read(id).history.outcomes) == 2)
            assert post.spool.find(id) == "queued"
            assert post.spool.read(id).history.pending() == [1]
            post.courier.gates["slow.example"].set()
            await post.settled(id, "deferred")
            post.advance(60)
            await post.settled(id, None)
        assert sorted(addresses for _, addresses in post.courier.tried) == [
            ["a@fast.example", "c@fast.example"], ["b@slow.example"], ["b@slow.example"],
        ]  # fmt: skip

    play(scenario())


def test_who_was_put_off_together_is_tried_again_together(post: Post) -> None:
    """Chance moves messages apart, not the recipients of one: they share their next transaction, and one record."""

    async def scenario() -> None:
        addresses = [f"{nth}@example.com" for nth in range(20)]
        for address in addresses:
            post.courier.script[address] = ["defer", "delivered"]
        chances = itertools.cycle([0.1, 0.9, 0.4])
        post.engine.settler.random = lambda: next(chances)
        async with post.running():
            id = post.put(*addresses)
            await post.settled(id, "deferred")
            assert len({last.due for last in post.spool.read(id).history.last.values()}) == 1
            post.advance(120)
            await post.settled(id, None)
        assert post.courier.tried == [(id, addresses)] * 2

    play(scenario())


def test_who_is_not_due_yet_is_not_tried_with_the_others(post: Post) -> None:
    """One file has one time, but each recipient his own; an operator's retry is for all."""

    async def scenario() -> None:
        id = post.put("a@example.com", "b@example.com")
        with post.spool.claim(id) as claim:
            post.spool.defer(claim, [outcome(0, "defer", due=NOW + 60), outcome(1, "defer", due=NOW + 600)], NOW + 60)
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        async with post.running():
            post.advance(60)
            await post.until("a try", lambda: post.courier.tried == [(id, ["a@example.com"])])
            await post.settled(id, "deferred")
            post.spool.retry(id)
            post.engine.look([id])
            await post.settled(id, None)
        assert post.courier.tried[1] == (id, ["a@example.com", "b@example.com"])

    play(scenario())


def test_parts_that_end_while_a_record_is_written_wait_for_it(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk: who settles knows what all have learned, and nothing is written to a file that was given back."""
    real = os.fdatasync

    def slow(fd: int) -> None:
        time.sleep(0.05)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)

    async def scenario() -> None:
        post.courier.gates["b.example"] = asyncio.Event()
        async with post.running():
            id = post.put("a@a.example", "b@b.example")
            await post.until("both under way", lambda: len(post.courier.tried) == 2)
            await asyncio.sleep(0.01)
            post.courier.gates["b.example"].set()
            await post.settled(id, None)
        assert post.told("settled", "alarm") == ["settled sent"]
        assert len(post.courier.tried) == 2

    play(scenario())


def test_all_of_one_way_share_a_transaction_up_to_a_hundred(post: Post) -> None:
    """Domains with the same hosts are one destination; more recipients are more jobs, and one message."""

    async def scenario() -> None:
        post.finder.ways = {"a.example": "mx", "b.example": "mx"}
        async with post.running():
            await post.settled(post.put("x@a.example"), None)
            await post.settled(post.put("x@b.example"), None)
            id = post.put("1@a.example", "2@b.example", "3@A.Example")
            await post.settled(id, None)
            assert post.courier.tried[-1] == (id, ["1@a.example", "3@A.Example", "2@b.example"])
            many = post.put(*(f"{nth}@a.example" for nth in range(250)))
            await post.settled(many, None)
        assert [len(addresses) for tried, addresses in post.courier.tried if tried == many] == [100, 100, 50]
        assert post.told("settled") == ["settled sent"] * 4

    play(scenario())


# Giving up


def reports(post: Post, id: str) -> list[str]:
    """The messages in the spool that are not `id`."""
    return [other for state in ("queued", "deferred", "held", "failed") for other in post.spool.ids(state) if other != id]


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
            post.engine.look(ids)
            await asyncio.sleep(0.02)
            assert post.places() == {"held": sorted(ids)}
            for id in ids:
                post.spool.release(id)
            post.engine.look(ids)
            await post.settled(ids[0], None)
            await post.settled(ids[1], "failed")
        assert post.spool.read(ids[1]).status == "expired"

    play(scenario())


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
        post.engine.policy.schedule = Schedule([7.0], DAY)
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
        assert "550 5.7.60 no; to mend it: author of [relay]" in alarms[0].detail

    play(scenario())


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


# Destinations


def test_a_destination_that_is_down_is_put_off_without_dialling(post: Post) -> None:
    """Three sessions find nobody; the rest waits as a whole, and after a minute one tries for all."""

    async def scenario() -> None:
        for nth in range(20):
            post.courier.script[f"{nth}@down.example"] = [HOST, "delivered"]
        async with post.running():
            ids = [post.put(f"{nth}@down.example") for nth in range(20)]
            for id in ids:
                await post.settled(id, "deferred")
            dialled = len(post.courier.tried)
            assert 3 <= dialled <= 5
            entries = [post.spool.read(id) for id in ids]
            assert sum(entry.history.attempts for entry in entries) == dialled
            put_off = [entry for entry in entries if entry.history.attempts == 0]
            assert all(NOW + 60 <= entry.due <= NOW + 72 for entry in put_off)
            assert all("not tried: 451" in entry.history.last[0].reply for entry in put_off)
            up = post.put("a@up.example")
            await post.settled(up, None)
            for nth in range(20):
                post.courier.script[f"{nth}@down.example"] = ["delivered"]
            post.advance(80)
            for id in ids:
                await post.settled(id, None)
        assert post.told("alarm") == []

    play(scenario())


def test_mail_for_a_destination_that_stays_down_expires(post: Post) -> None:
    """Being put off is no attempt, but time passes all the same."""

    async def scenario() -> None:
        breaker = post.scheduler.destination(await post.finder.find("down.example")).breaker
        for _ in range(breaker.threshold):
            breaker.failed(NOW, "451 4.4.1 nobody there")
        async with post.running():
            id = post.put("a@down.example", sender="", at=NOW - 3 * DAY)
            await post.settled(id, "failed")
        assert post.courier.tried == []
        assert post.spool.read(id).status == "expired"

    play(scenario())


def test_what_expires_behind_a_breaker_tells_what_the_last_session_met(post: Post) -> None:
    """The certificate is why it was not delivered, and not that it was left alone for a minute; what only waits says so once."""
    met = HOST._replace(code=454, enhanced="4.7.5", text="the certificate is not accepted", cause=Cause.TLS, besides="192.0.2.2: refused")

    async def scenario() -> None:
        async with post.running():
            for nth in range(5):
                post.courier.script[f"{nth}@down.example"] = [met]
                await post.settled(post.put(f"{nth}@down.example"), "deferred")
            young, old = post.put("young@down.example"), post.put("old@down.example", sender="", at=NOW - 3 * DAY)
            await post.settled(young, "deferred")
            await post.settled(old, "failed")
        assert ("young@down.example" in str(post.courier.tried), "old@down.example" in str(post.courier.tried)) == (False, False)
        waits, expired = (post.spool.read(id).history.last[0] for id in (young, old))
        assert (waits.told, waits.besides) == ("mailer: 451 4.4.1 not tried: the certificate is not accepted", "192.0.2.2: refused")
        assert (expired.verdict, expired.reply, expired.hop, expired.cause) == ("expire", met.reply, HOP, Cause.TLS)
        assert (expired.besides, expired.counts, expired.phase) == (met.besides, False, met.phase)

    play(scenario())


def test_no_destination_waits_for_another_ones_queue(tmp_path: Path) -> None:
    """One session in all, and a destination with a long queue: what comes for another goes in between."""
    post = Post(tmp_path, Limits(connections=1))

    async def scenario() -> None:
        async with post.running():
            post.courier.gates["big.example"] = asyncio.Event()
            for nth in range(40):
                post.put(f"{nth}@big.example")
            await post.until("the big one at work", lambda: post.courier.busy)
            late = post.put("a@small.example")
            await post.until("late is loaded", lambda: late in post.scheduler.active)
            await asyncio.sleep(0.02)
            post.courier.gates["big.example"].set()
            await post.settled(late, None)
            assert post.courier.order.index("small.example") < 10
            await post.until("all gone", lambda: not post.places())
        assert post.courier.most_busy == 1

    play(scenario())


def test_no_more_messages_are_in_memory_than_allowed(tmp_path: Path) -> None:
    """And all get through."""
    post = Post(tmp_path, Limits(active=3, connections=10))

    async def scenario() -> None:
        post.courier.gates["example.com"] = asyncio.Event()
        async with post.running():
            for nth in range(12):
                post.put(f"{nth}@example.com")
            await post.until("work", lambda: post.courier.busy)
            await asyncio.sleep(0.05)
            assert len(post.scheduler.active) == 3
            post.courier.gates["example.com"].set()
            await post.until("all gone", lambda: not post.places())

    play(scenario())


def test_what_does_not_fit_into_memory_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bodies of messages that wait have a budget; beyond it, each is read when its turn comes, and delivered whole."""
    monkeypatch.setattr(engine, "CONTENT_BUDGET", 3 * len(BODY))
    post = Post(tmp_path)
    contents: list[bytes] = []
    deliver = post.courier.deliver

    async def watched(load: Any, ahead: Any) -> Any:
        contents.append(load.content)
        return await deliver(load, ahead)

    post.courier.deliver = watched  # type: ignore[method-assign]

    async def scenario() -> None:
        async with post.running():
            for nth in range(30):
                post.put("a@a.example", "b@b.example", at=NOW + nth)
            await post.until("all gone", lambda: not post.places())
        assert contents == [BODY] * 60

    play(scenario())


def test_the_budget_is_given_back_to_the_byte() -> None:
    """Whatever was kept; a message larger than all of it is kept alone."""
    budget = attempt.Budget(100)
    attempts = [attempt.Attempt(None, NOW) for _ in range(3)]  # type: ignore[arg-type]
    for one, size in zip(attempts, (60, 60, 40), strict=True):
        budget.keep(one, b"x" * size)
    assert [one.content is not None for one in attempts] == [True, False, True]
    assert budget.used == 100
    for one in (*attempts, *attempts):
        budget.let_go(one)
    assert budget.used == 0
    budget.keep(attempts[0], b"x" * 500)
    budget.keep(attempts[1], b"x")
    assert (attempts[0].content is not None, attempts[1].content) == (True, None)


def test_what_has_waited_long_makes_room_for_what_is_new(tmp_path: Path) -> None:
    """Who waits for a host that does not answer has his file closed and his content read again; who is being served keeps both."""
    budget = attempt.Budget(100, 2)
    served, stuck, new = attempts = [attempt.Attempt(None, NOW + nth) for nth in (0, 0.1, 1.5)]  # type: ignore[arg-type]
    for one in (served, stuck):
        assert budget.wants_file(one.began)
        budget.keep(one, b"x" * 50, os.open(tmp_path, os.O_RDONLY))
    assert not budget.wants_file(NOW + 0.9)
    os.close(budget.claimed(served))
    budget.keep(new, b"x" * 50, os.open(tmp_path, os.O_RDONLY))
    assert [one.content is not None for one in attempts] == [True, False, True]
    assert budget.wants_file(new.began)
    assert (stuck.descriptor, budget.open) == (-1, 1)
    os.close(budget.claimed(new))


def test_who_has_lost_his_file_can_lose_his_content_too(tmp_path: Path) -> None:
    """The files of a host that does not answer are closed before the memory is full; its messages must not stay there for that."""
    budget = attempt.Budget(100, 1)
    stuck, new = (attempt.Attempt(None, NOW + nth) for nth in (0, 2))  # type: ignore[arg-type]
    budget.keep(stuck, b"x" * 80, os.open(tmp_path, os.O_RDONLY))
    assert budget.wants_file(new.began)
    assert (stuck.descriptor, stuck.content) == (-1, b"x" * 80)
    budget.keep(new, b"x" * 80)
    assert (stuck.content, new.content, budget.used) == (None, b"x" * 80, 80)


@pytest.mark.parametrize("slow", [False, True])
def test_the_memory_of_every_message_is_given_back(post: Post, monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    """However its parts end: side by side while a record is written, recorded before a crash, taken away."""
    budgets: list[attempt.Budget] = []

    class Watched(attempt.Budget):
        def __init__(self, limit: int, files: int) -> None:
            super().__init__(limit, files)
            budgets.append(self)

    monkeypatch.setattr(engine, "Budget", Watched)
    watched = Post(Path(post.spool.root).parent / "other")
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (time.sleep(0.02 if slow else 0), real(fd)))

    async def scenario() -> None:
        async with watched.running():
            for nth in range(5):
                watched.put("a@a.example", "b@b.example", "c@c.example", at=NOW + nth)
            done = watched.put("x@x.example", at=NOW - 5)
            with watched.spool.claim(done) as claim:
                watched.spool.record(claim, [outcome(0)])
            await watched.until("all gone", lambda: not watched.places())
        assert [(budget.used, budget.open) for budget in budgets] == [(0, 0)]

    play(scenario())


# Operators


def waiting(post: Post) -> asyncio.Event:
    """Nothing gets out to example.com until it is set: what comes after two messages waits in memory."""
    post.courier.gates["example.com"] = gate = asyncio.Event()
    return gate


def test_a_message_that_is_held_while_it_waits_is_not_delivered(post: Post) -> None:
    """It was read already; when its turn comes it is left alone."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            before = [post.put(f"{nth}@example.com") for nth in range(2)]
            await post.until("two under way", lambda: post.courier.busy == 2)
            id = post.put("a@example.com")
            await post.until("read", lambda: id in post.scheduler.active)
            operator = Spool(post.spool.root)
            operator.hold(id)
            post.engine.look([id])
            gate.set()
            for other in before:
                await post.settled(other, None)
            await asyncio.sleep(0.05)
            assert post.spool.find(id) == "held"
            assert post.tries(id) == 0
            assert "changed held" in post.told()
            operator.release(id)
            post.engine.look([id])
            await post.settled(id, None)
        assert post.tries(id) == 1

    play(scenario())


@pytest.mark.parametrize("told", [True, False])
def test_a_message_that_is_held_and_released_while_it_waits_is_delivered_once(post: Post, told: bool) -> None:
    """Whether or not the engine heard of it in between."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            for nth in range(2):
                post.put(f"{nth}@example.com")
            await post.until("two under way", lambda: post.courier.busy == 2)
            id = post.put("a@example.com")
            await post.until("read", lambda: id in post.scheduler.active)
            for act in (post.spool.hold, post.spool.release):
                act(id)
                if told:
                    post.engine.look([id])
            await asyncio.sleep(0.02)
            gate.set()
            await post.until("all gone", lambda: not post.places())
        assert post.tries(id) == 1

    play(scenario())


def test_a_message_that_is_cancelled_while_it_waits_is_not_delivered(post: Post) -> None:
    """Nor reported: whoever does that knows."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            for nth in range(2):
                post.put(f"{nth}@example.com")
            await post.until("two under way", lambda: post.courier.busy == 2)
            id = post.put("a@example.com")
            await post.until("read", lambda: id in post.scheduler.active)
            post.spool.cancel(id, post.clock.now())
            post.engine.look([id])
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
                Spool(post.spool.root).hold(id)
            gate.set()
            await post.settled(id, None)

    play(scenario())


def test_an_operator_need_not_wait_for_the_next_try(post: Post) -> None:
    """Retried: due now, for whoever is pending."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            post.spool.retry(id)
            post.engine.look([id])
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


# A spool that is damaged, and a disk that is full


def test_a_corrupt_file_is_set_aside_and_stops_nothing(post: Post) -> None:
    """Told, kept, and the mail behind it goes."""

    async def scenario() -> None:
        bad = post.put("a@example.com")
        Path(post.spool.path("queued", bad)).write_bytes(b"garbage")
        async with post.running():
            good = post.put("b@example.com")
            await post.settled(good, None)
        (event,) = (event for event in post.events if isinstance(event, Corrupt))
        assert (event.id, event.path) == (bad, f"{post.spool.root}/corrupt/{bad}")
        assert Path(event.path).read_bytes() == b"garbage"

    play(scenario())


def test_a_message_with_a_damaged_record_is_held_for_a_person_to_decide(post: Post) -> None:
    """Nobody knows who has it: an alarm. Released, it goes to all of whom no record says otherwise."""

    async def scenario() -> None:
        id = put(post.spool, "a@example.com", "b@example.com")
        with post.spool.claim(id) as claim:
            post.spool.record(claim, [outcome(0)])
            post.spool.record(claim, [outcome(1, "defer", due=NOW)])
        path = Path(post.spool.path("queued", id))
        path.write_bytes(path.read_bytes().replace(b'"to":[1]', b'"to":[0]'))
        async with post.running():
            await post.settled(id, "held")
            assert post.courier.tried == []
            assert post.told() == ["alarm damaged", "changed held"]
            post.spool.release(id)
            post.engine.look([id])
            await post.settled(id, None)
        assert post.courier.tried == [(id, ["b@example.com"])]

    play(scenario())


def test_a_corrupt_file_that_cannot_be_moved_stops_nothing(post: Post) -> None:
    """An alarm, and the mail behind it goes."""

    async def scenario() -> None:
        bad = post.put("a@example.com")
        Path(post.spool.path("queued", bad)).write_bytes(b"garbage")
        os.rmdir(f"{post.spool.root}/corrupt")
        async with post.running():
            good = post.put("b@example.com")
            await post.settled(good, None)
        assert post.told("alarm", "corrupt")

    play(scenario())


def test_a_message_that_cannot_be_read_now_is_read_later(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE, EIO: an alarm, and another look in five seconds."""

    async def scenario() -> None:
        monkeypatch.setattr(post.spool, "load", Failing(post.spool.load, 1, errno.EMFILE))
        async with post.running():
            id = post.put("a@example.com")
            await post.until("an alarm", lambda: post.told("alarm"))
            post.advance(dispatch.UNREADABLE_PAUSE)
            await post.settled(id, None)
        assert post.told("alarm") == ["alarm spool"]

    play(scenario())


class NoMemory:
    """A function that meets the end of the memory as often as it is told to, wherever an argument is `about`, or in any case."""

    def __init__(self, real: Any, times: int, about: str = "") -> None:
        self.real = real
        self.times = times
        self.about = about

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        if self.times > 0 and (not self.about or self.about in arguments):
            self.times -= 1
            raise MemoryError
        return self.real(*arguments, **more)


def test_a_message_for_which_there_is_no_memory_waits_and_the_rest_goes_on(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is read: an alarm, and another look after a while; at each start the same, and never the end of the daemon."""

    async def scenario() -> None:
        big = put(post.spool, "a@example.com")
        monkeypatch.setattr(post.spool, "load", NoMemory(post.spool.load, 2, big))
        async with post.running():
            await post.settled(post.put("b@example.com"), None)
            assert post.spool.find(big) == "queued"
            post.advance(2 * engine.SHORT_OF_MEMORY)
            await post.until("another look", lambda: post.spool.load.times == 0)
            post.advance(2 * engine.SHORT_OF_MEMORY)
            await post.settled(big, None)
        assert post.told("alarm") == ["alarm memory", "alarm memory"]

    play(scenario())


@pytest.mark.parametrize("place", ["courier", "signer", "claim", "plan", "record"])
def test_whoever_meets_the_end_of_the_memory_is_put_off(post: Post, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """That is no attempt, no bug and nobody's fault: nothing is learned about the destination, and nothing is delivered twice."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = [MemoryError(), "delivered"] if place == "courier" else ["delivered"]
        if place == "signer":
            monkeypatch.setattr(line, "Load", NoMemory(line.Load, 1))
        if place == "claim":
            monkeypatch.setattr(post.spool, "claim_again", NoMemory(post.spool.claim_again, 1))
        if place == "plan":
            monkeypatch.setattr(post.scheduler, "plan", NoMemory(post.scheduler.plan, 1))
        if place == "record":
            monkeypatch.setattr(post.spool, "record", NoMemory(post.spool.record, 1))
            post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            id = post.put("a@example.com", *(["b@slow.example"] if place == "record" else []))
            if place == "record":
                await post.until("an alarm", lambda: post.told("alarm"))
                post.courier.gates["slow.example"].set()
            elif place in ("courier", "signer"):
                await post.settled(id, "deferred")
                assert post.spool.read(id).history.attempts == 0
            await post.passes(engine.SHORT_OF_MEMORY, "it has left", lambda: post.spool.find(id) is None)
            destination = post.scheduler.destinations["example.com"]
            assert (destination.failures, destination.breaker.failures) == (0, 0)
        assert post.tries(id) == (2 if place in ("courier", "record") else 1)
        assert "alarm bug" not in post.told("alarm")

    play(scenario())


@pytest.mark.parametrize("name", ["write", "rename", "utime"])
def test_what_the_disk_does_not_take_is_settled_later_and_not_tried_again(post: Post, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A full disk: what was learned stays in memory until there is room; the recipient who has it gets nothing twice."""

    async def scenario() -> None:
        post.courier.script["b@example.com"] = ["defer"]
        post.courier.gates["example.com"] = asyncio.Event()
        async with post.running():
            id = post.put("a@example.com", "b@example.com")
            await post.until("under way", lambda: post.courier.busy)
            with monkeypatch.context() as full:
                full.setattr(os, name, Failing(getattr(os, name), 3))
                post.courier.gates["example.com"].set()
                await post.settled(id, "deferred")
            assert post.tries(id) == 1
        assert post.told("alarm") == ["alarm spool"]  # one in a minute, however often it is tried
        last = Spool(post.spool.root).read(id).history.last
        assert {to: o.verdict for to, o in last.items()} == {0: "delivered", 1: "defer"}

    play(scenario())


def test_a_report_is_put_once_however_long_the_disk_takes(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be delivered and gone while its message still cannot be settled."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        async with post.running():
            failing = Failing(post.spool.fail, 10_000, errno.EIO)
            monkeypatch.setattr(post.spool, "fail", failing)
            id = post.put("a@example.com", sender="me@example.org")
            await post.until("the report delivered", lambda: "example.org" in post.courier.order and post.places() == {"queued": [id]})
            await asyncio.sleep(0.05)
            failing.times = 0
            await post.settled(id, "failed")
            await asyncio.sleep(0.05)
        assert post.courier.order.count("example.org") == 1
        assert reports(post, id) == []

    play(scenario())


def test_a_report_that_cannot_be_put_keeps_its_message(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given up before the sender's report is on disk."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        real = settle.submit
        calls: list[int] = []

        def full(*arguments: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) <= 3:
                raise Failure("cannot queue the message: No space left on device", 75)
            return real(*arguments, **more)

        monkeypatch.setattr(settle, "submit", full)
        async with post.running():
            id = post.put("a@example.com", sender="me@example.org")
            await post.until("three tries", lambda: len(calls) == 3)
            assert post.told("alarm") == ["alarm spool"]
            await post.settled(id, "failed")
            await post.until("the report delivered", lambda: "example.org" in post.courier.order)
        assert post.tries(id) == 1

    play(scenario())


def test_a_report_that_can_never_be_put_keeps_nothing_back(post: Post) -> None:
    """It is larger than any message may be: an alarm, and the message is given up all the same."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        post.engine.policy.submission = post.engine.policy.submission.but(max_message_size=100)
        async with post.running():
            id = post.put("a@example.com", sender="me@example.org")
            await post.settled(id, "failed")
        assert post.told("alarm") == ["alarm report"]
        assert reports(post, id) == []

    play(scenario())


def test_a_disk_that_stays_full_holds_up_no_stop(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message stays where it was, and that part of the attempt is made again by whoever runs next."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        monkeypatch.setattr(post.spool, "fail", Failing(post.spool.fail, 10_000))
        id = post.put("a@example.com", sender="")
        run = asyncio.create_task(post.engine.run())
        await post.until("an alarm", lambda: post.told("alarm"))
        await post.engine.stop(5.0)
        await run
        await post.ledger.close()
        assert post.places() == {"queued": [id]}
        assert post.told("settled") == []

    play(scenario())


def test_name_servers_that_are_silent_hold_up_no_stop(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only looks for a way has called nobody, and is not waited for; what others of that message have received is on record."""

    async def scenario() -> None:
        find = post.finder.find

        async def silent(domain: str) -> Way:
            return await (asyncio.get_running_loop().create_future() if domain == "silent.example" else find(domain))

        monkeypatch.setattr(post.finder, "find", silent)
        id = post.put("a@example.com", "b@silent.example")
        run = asyncio.create_task(post.engine.run())
        await post.until("one of two", lambda: post.told("tried"))
        await asyncio.wait_for(post.engine.stop(1000.0), 5)
        await run
        await post.ledger.close()
        assert post.places() == {"queued": [id]}
        assert post.spool.read(id).history.pending() == [1]

    play(scenario())


def test_a_record_that_cannot_be_written_is_written_when_all_are_through(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt goes on, and what was learned is not lost."""

    async def scenario() -> None:
        post.courier.gates["slow.example"] = asyncio.Event()
        post.courier.script["b@slow.example"] = ["defer"]
        monkeypatch.setattr(post.spool, "record", Failing(post.spool.record, 1))
        async with post.running():
            id = post.put("a@fast.example", "b@slow.example")
            await post.until("an alarm", lambda: post.told("alarm"))
            post.courier.gates["slow.example"].set()
            await post.settled(id, "deferred")
        assert post.tries(id) == 2
        assert {to: o.verdict for to, o in post.spool.read(id).history.last.items()} == {0: "delivered", 1: "defer"}

    play(scenario())


def test_a_delivered_message_that_cannot_be_removed_is_not_delivered_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm; it stays known as delivered while the daemon runs, whatever a scan finds."""

    async def scenario() -> None:
        monkeypatch.setattr(post.spool, "drop", Failing(post.spool.drop, 10_000, errno.EROFS))
        async with post.running():
            id = post.put("a@example.com")
            await post.until("an alarm", lambda: post.told("alarm"))
            post.engine.look([id])
            post.engine.expect_all([(0.0, id)])
            await asyncio.sleep(0.05)
        assert post.tries(id) == 1
        assert post.spool.find(id) == "queued"

    play(scenario())


def test_a_status_database_that_takes_nothing_stops_no_mail(post: Post) -> None:
    """Status is a view: an alarm, and the message is gone."""

    async def scenario() -> None:
        post.status_fails = RuntimeError("database disk image is malformed")
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, None)
            post.status_fails = None
        assert "alarm status" in post.told("alarm")

    play(scenario())


# Beginnings and ends


def test_another_start_goes_on_where_the_last_one_was(post: Post) -> None:
    """All that is needed is in the spool: who has it, who waits, until when, how often it was tried."""

    async def scenario() -> None:
        post.courier.script = {"a@example.com": ["delivered"], "b@example.com": ["defer"]}
        async with post.running():
            id = post.put("a@example.com", "b@example.com")
            await post.settled(id, "deferred")
        again = Post(Path(post.spool.root).parent)
        again.courier.script["b@example.com"] = ["defer"]
        again.clock.time += 59.0
        async with again.running():
            await asyncio.sleep(0.02)
            assert again.courier.tried == []
            again.advance(1)
            await again.until("a try", lambda: again.courier.tried == [(id, ["b@example.com"])])
            await again.settled(id, "deferred")
        entry = again.spool.read(id)
        assert (entry.history.tries[1], entry.due) == (2, pytest.approx(NOW + 60 + 300, abs=0.001))
        assert again.told() == ["tried", "settled deferred"]

    play(scenario())


def test_it_wakes_up_by_itself_when_something_is_due(post: Post) -> None:
    """Nobody has to ring."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        post.engine.policy.schedule = Schedule([0.05], DAY)
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            post.clock.time += 0.06  # and no call to tell
            await post.settled(id, None)

    play(scenario())


def test_what_is_not_there_any_more_is_forgotten(post: Post) -> None:
    """A scan that was too slow, or somebody who removed a file by hand."""

    async def scenario() -> None:
        async with post.running():
            post.engine.expect_all([(0.0, "0" * 26), (NOW, "1" * 26)])
            await post.until("looked for", lambda: not post.scheduler.knows("0" * 26) and not post.scheduler.knows("1" * 26))
        assert post.told() == []

    play(scenario())


def test_what_a_crash_left_recorded_is_only_settled(post: Post) -> None:
    """All have it, or all have failed, and the move was not made: no try, no second report."""

    async def scenario() -> None:
        sent, failed, half = post.put("a@example.com"), post.put("a@example.com"), post.put("a@example.com", "b@example.com")
        for id, outcomes in ((sent, [outcome(0)]), (failed, [outcome(0, "fail")]), (half, [outcome(0)])):
            with post.spool.claim(id) as claim:
                post.spool.record(claim, outcomes)
        async with post.running():
            await post.settled(sent, None)
            await post.settled(failed, "failed")
            await post.settled(half, None)
        assert post.courier.tried == [(half, ["b@example.com"])]
        assert reports(post, failed) == []

    play(scenario())


def test_a_report_that_was_put_before_a_crash_is_not_put_again(post: Post) -> None:
    """The same failure makes the same ID."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        post.courier.gates["example.org"] = asyncio.Event()
        async with post.running():
            id = post.put("a@example.com", sender="me@example.org")
            await post.settled(id, "failed")
            (report,) = reports(post, id)
            inode = os.stat(post.spool.path("queued", report)).st_ino
            os.rename(post.spool.path("failed", id), post.spool.path("queued", id))
            data = Path(post.spool.path("queued", id)).read_bytes()
            Path(post.spool.path("queued", id)).write_bytes(data[: data.rindex(b"\n{")])
            post.engine.look([id])
            await post.settled(id, "failed")
            assert reports(post, id) == [report]
            assert os.stat(post.spool.path("queued", report)).st_ino == inode
            post.courier.gates["example.org"].set()
            await post.settled(report, None)
        assert post.courier.order.count("example.org") == 1

    play(scenario())


def test_one_pass_ends_when_nothing_is_due_any_more(post: Post) -> None:
    """What was put off stays, what was due is settled, and the ledger has it."""

    async def scenario() -> None:
        post.courier.script["b@example.com"] = ["defer"]
        ids = [post.put(address) for address in ("a@example.com", "b@example.com", "c@example.com")]
        await post.engine.run(once=True)
        await post.ledger.close()
        assert post.places() == {"deferred": [ids[1]]}

    play(scenario())


def test_a_stop_begins_nothing_new_and_lets_what_runs_finish(post: Post) -> None:
    """What is under way is settled; the rest stays queued."""

    async def scenario() -> None:
        gate = waiting(post)
        ids = [post.put(f"{nth}@example.com") for nth in range(6)]
        run = asyncio.create_task(post.engine.run())
        await post.until("two under way", lambda: post.courier.busy == 2)
        stop = asyncio.create_task(post.engine.stop(5.0))
        await asyncio.sleep(0.01)
        gate.set()
        await stop
        await run
        await post.ledger.close()
        assert len(post.courier.tried) == 2
        assert post.spool.ids("queued") == ids[2:]

    play(scenario())


def test_a_stop_breaks_off_what_takes_too_long(post: Post) -> None:
    """It stays queued, unlocked, and is tried by whoever runs next."""

    async def scenario() -> None:
        waiting(post)
        id = post.put("a@example.com")
        run = asyncio.create_task(post.engine.run())
        await post.until("under way", lambda: post.courier.busy)
        await post.engine.stop(0.05)
        await run
        await post.ledger.close()
        assert post.places() == {"queued": [id]}
        assert post.told("settled", "alarm") == []

    play(scenario())


def test_news_that_are_none_are_harmless(post: Post, tmp_path: Path) -> None:
    """Anybody may ring: an ID that is none is never looked up, read or moved, whatever file it leads to."""
    (tmp_path / "secret").write_bytes(b"secret")
    path = "../../" + "/" * 14 + "secret"
    assert len(path) == 26
    assert os.path.exists(f"{post.spool.root}/queued/{path}")

    async def scenario() -> None:
        async with post.running():
            post.engine.look([path, "", "x", "é" * 26, "\x00" * 26, "0" * 26, "\udcff" * 26])
            id = post.put("a@example.com")
            await post.settled(id, None)
            await asyncio.sleep(0.02)
        assert post.told() == ["seen", "tried", "settled sent"]
        assert (tmp_path / "secret").read_bytes() == b"secret"

    play(scenario())


def test_a_scan_that_finds_what_is_known_changes_nothing(post: Post) -> None:
    """The backstop of the doorbell: doubles are one, and what is under way is under way."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            id = post.put("a@example.com")
            await post.until("under way", lambda: post.courier.busy)
            for _ in range(3):
                post.engine.expect_all([(0.0, id)])
                post.engine.look([id])
            await asyncio.sleep(0.02)
            gate.set()
            await post.settled(id, None)
        assert post.tries(id) == 1

    play(scenario())


def test_a_session_too_many_is_no_attempt(tmp_path: Path) -> None:
    """Where the others are welcome, 421 says how many we may be: the message goes back to the queue, and soon it is delivered."""

    async def scenario() -> None:
        post = Post(tmp_path)
        crowded = outcome(0, "defer", scope="host", code=421, enhanced="4.7.0", text="too many connections", phase="greeting")
        post.courier.script["b@crowded.example"] = [crowded, "delivered"]
        post.courier.gates["crowded.example"] = asyncio.Event()
        async with post.running():
            ids = [post.put(f"{name}@crowded.example") for name in "ba"]
            await post.until("two sessions", lambda: post.courier.busy == 2)
            post.courier.gates["crowded.example"].set()
            for id in ids:
                await post.settled(id, None)
            destination = post.scheduler.destinations["crowded.example"]
        assert sorted(post.told("tried")) == ["tried", "tried"]
        assert destination.breaker.failures == 0
        assert destination.last_reply == "421 4.7.0 too many connections"

    play(scenario())


def test_a_slow_destination_does_not_fill_the_memory(tmp_path: Path) -> None:
    """What comes beyond its share goes back to waiting, unlocked and as it was; mail for others that comes later is delivered."""

    async def scenario() -> None:
        post = Post(tmp_path, Limits(active=20))
        post.courier.gates["slow.example"] = asyncio.Event()
        post.put("first@other.example")
        async with post.running():
            slow = [post.put("you@slow.example") for _ in range(60)]
            other = post.put("you@other.example")
            await post.settled(other, None)
            assert len(post.scheduler.active) < 20
            assert all(post.scheduler.knows(id) for id in slow)
            assert not post.scheduler.idle
            post.courier.gates["slow.example"].set()
            for id in slow:
                await post.settled(id, None)
        assert sorted(id for id, _ in post.courier.tried if id in slow) == sorted(slow)
        assert post.scheduler.idle

    play(scenario())


def test_a_message_with_a_part_for_a_full_destination_goes_to_the_others(tmp_path: Path) -> None:
    """That part is put off for a minute or two, and that is no attempt."""

    async def scenario() -> None:
        post = Post(tmp_path, Limits(active=20))
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            for _ in range(60):
                post.put("you@slow.example")
            both = post.put("a@slow.example", "b@other.example")
            await post.settled(both, "deferred")
            assert 60 <= post.scheduler.due_of(both) - post.clock.now() <= 120
            assert any("b@other.example" in people for id, people in post.courier.tried if id == both)
            entry = post.spool.read(both, "deferred")
            assert entry.history.tries == {1: 1}
            post.courier.gates["slow.example"].set()

    play(scenario())


def test_what_would_wait_for_very_long_is_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of an hour or more, and no attempt: so it has a time at which it is late, and one at which it expires."""
    monkeypatch.setattr(memory, "LOT", 10)
    monkeypatch.setattr(memory, "BEGUN", 0.0)

    async def scenario() -> None:
        post = Post(tmp_path, Limits(active=20))
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            ids = [post.put("you@slow.example") for _ in range(40)]
            deferred = await post.until("some put off", lambda: post.spool.ids("deferred"))
            for id in deferred:
                assert post.scheduler.due_of(id) - NOW >= 900
                assert post.spool.read(id, "deferred").history.tries == {}
            assert all(post.scheduler.knows(id) for id in ids)
            post.courier.gates["slow.example"].set()

    play(scenario())
