"""The manager: whatever is read is settled once, from the start of a daemon to its end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mailer.limits.backoff import Schedule
from mailer.mail.outcome import Cause
from mailer.queue.scheduler import QueueLimits
from mailer.routing.resolve import Router
from mailer.transport.route import Route, Unroutable
from tests.fakes.mail import outcome, put
from tests.queue.trouble import HOST, reports, waiting

from .post import DAY, HOP, NOW, Courier, Post, on_both, play

pytestmark = pytest.mark.usefixtures("short_pauses")


# Destinations


@on_both
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


def test_who_began_with_a_context_keeps_it(post: Post) -> None:
    """A reload replaces all of it at once: what is being looked for goes by the old routes, what comes then by the new ones."""

    async def scenario() -> None:
        before, gate = post.context, asyncio.Event()
        looked_up: list[str] = []

        async def slow(domain: str) -> Route:
            looked_up.append(domain)
            await gate.wait()
            return Route("old", (), relay=False)

        async def other(domain: str) -> Route:
            return Route("new", (), relay=False)

        post.change(router=Router(slow))
        async with post.running():
            first = post.put("a@example.com")
            await post.until("it is looked up", lambda: looked_up)
            post.change(router=Router(other))
            second = post.put("b@example.com")
            await post.settled(second, None)
            gate.set()
            await post.settled(first, None)
        assert post.courier.order == ["new", "old"]
        assert before.policy.router is not post.context.policy.router
        assert before.scheduler is post.context.scheduler
        with pytest.raises(AttributeError):
            post.context.policy = before.policy  # type: ignore[misc]

    play(scenario())


@pytest.mark.slow
def test_a_thousand_messages_to_a_new_domain_look_for_its_route_once(post: Post) -> None:
    """All have what was found, also where that is trouble."""

    async def scenario() -> None:
        post.finder.troubles["lost.example"] = Unroutable(550, "5.1.2", "no such domain", "fail", Cause.NO_DOMAIN)
        ids = [put(post.spool, f"{nth}@new.example") for nth in range(1000)]
        lost = [put(post.spool, f"{nth}@lost.example", sender="") for nth in range(100)]
        async with post.running():
            for id in ids:
                await post.settled(id, None)
            for id in lost:
                await post.settled(id, "failed")
        assert sorted(post.finder.asked) == ["lost.example", "new.example"]

    play(scenario())


@on_both
def test_mail_is_carried_by_what_its_route_names(post: Post) -> None:
    """Each part of a message by its own: the registry knows who goes by that name."""

    async def scenario() -> None:
        post.finder.routes = {"here.example": "relay:box", "there.example": "mx:mx.example"}
        post.finder.transports = {"relay:box": "lmtp"}
        other = post.couriers["lmtp"] = Courier(post.clock)
        async with post.running():
            ids = [post.put("a@here.example"), post.put("b@there.example"), post.put("c@here.example", "d@there.example")]
            for id in ids:
                await post.settled(id, None)
        assert sorted(other.tried) == sorted([(ids[0], ["a@here.example"]), (ids[2], ["c@here.example"])])
        assert sorted(post.courier.tried) == sorted([(ids[1], ["b@there.example"]), (ids[2], ["d@there.example"])])

    play(scenario())


@on_both
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


@on_both
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
    post = Post(tmp_path, QueueLimits(connections=1))

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


@on_both
def test_it_wakes_up_by_itself_when_something_is_due(post: Post) -> None:
    """Nobody has to ring."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        post.change(schedule=Schedule([0.05], DAY))
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            post.clock.time += 0.06  # and no call to tell
            await post.settled(id, None)

    play(scenario())


@on_both
def test_what_is_not_there_any_more_is_forgotten(post: Post) -> None:
    """A scan that was too slow, or somebody who removed a file by hand."""

    async def scenario() -> None:
        async with post.running():
            post.manager.expect_all([(0.0, "0" * 26), (NOW, "1" * 26)])
            await post.until("looked for", lambda: not post.scheduler.knows("0" * 26) and not post.scheduler.knows("1" * 26))
        assert post.told() == []

    play(scenario())


@on_both
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
            post.look([id])
            await post.settled(id, "failed")
            assert reports(post, id) == [report]
            assert os.stat(post.spool.path("queued", report)).st_ino == inode
            post.courier.gates["example.org"].set()
            await post.settled(report, None)
        assert post.courier.order.count("example.org") == 1

    play(scenario())


@on_both
def test_one_pass_ends_when_nothing_is_due_any_more(post: Post) -> None:
    """What was put off stays, what was due is settled, and the recorder has it."""

    async def scenario() -> None:
        post.courier.script["b@example.com"] = ["defer"]
        ids = [post.put(address) for address in ("a@example.com", "b@example.com", "c@example.com")]
        post.manager.settler.once = True
        await post.manager.run()
        await post.recorder.close()
        assert post.places() == {"deferred": [ids[1]]}

    play(scenario())


@on_both
def test_a_stop_begins_nothing_new_and_lets_what_runs_finish(post: Post) -> None:
    """What is under way is settled; the rest stays queued."""

    async def scenario() -> None:
        gate = waiting(post)
        ids = [post.put(f"{nth}@example.com") for nth in range(6)]
        run = asyncio.create_task(post.manager.run())
        await post.until("two under way", lambda: post.courier.busy == 2)
        stop = asyncio.create_task(post.manager.stop(5.0))
        await asyncio.sleep(0.01)
        gate.set()
        await stop
        await run
        await post.recorder.close()
        assert len(post.courier.tried) == 2
        assert post.spool.ids("queued") == ids[2:]

    play(scenario())


@on_both
def test_a_stop_breaks_off_what_takes_too_long(post: Post) -> None:
    """It stays queued, unlocked, and is tried by whoever runs next."""

    async def scenario() -> None:
        waiting(post)
        id = post.put("a@example.com")
        run = asyncio.create_task(post.manager.run())
        await post.until("under way", lambda: post.courier.busy)
        await post.manager.stop(0.05)
        await run
        await post.recorder.close()
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
            post.look([path, "", "x", "é" * 26, "\x00" * 26, "0" * 26, "\udcff" * 26])
            id = post.put("a@example.com")
            await post.settled(id, None)
            await asyncio.sleep(0.02)
        assert post.told() == ["seen", "tried", "settled sent"]
        assert (tmp_path / "secret").read_bytes() == b"secret"

    play(scenario())


@on_both
def test_a_scan_that_finds_what_is_known_changes_nothing(post: Post) -> None:
    """The backstop of the doorbell: doubles are one, and what is under way is under way."""

    async def scenario() -> None:
        gate = waiting(post)
        async with post.running():
            id = post.put("a@example.com")
            await post.until("under way", lambda: post.courier.busy)
            for _ in range(3):
                post.manager.expect_all([(0.0, id)])
                post.look([id])
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
