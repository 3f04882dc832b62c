"""Suspension: a pause and a night offline cost nothing, and what waited goes as soon as they are over."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from mailer.limits.backoff import Schedule
from mailer.mail.outcome import Cause, Hop
from mailer.queue import suspension
from mailer.queue.scheduler import QueueLimits
from mailer.spool.files import suspensions
from mailer.spool.files.store import SpoolDirectory
from mailer.transport.route import Unroutable
from tests.fakes.mail import NOW, outcome, suspend

from .post import DAY, Post, offline, play

NO_CONNECTION = outcome(
    0, "defer", scope="host", code=451, enhanced="4.4.1", text="no connection", phase="connect", hop=Hop("mx", "192.0.2.1", 25)
)


def pause(post: Post, target: str, until: float = math.inf) -> None:
    """What the command does; the daemon hears."""
    suspend(post.spool.root, target, until, "they asked", post.clock.now())
    post.mind()


def resume(post: Post, target: str) -> None:
    suspensions.resume(post.spool.root, target, post.clock.now())
    post.mind()


# Pauses


@pytest.mark.parametrize("target", ["mx:mx1.example", "slow.example", "*.example", "relay:out"])
def test_mail_for_a_paused_destination_waits_and_the_rest_flows(post: Post, target: str) -> None:
    """Without an attempt, and with the reason on record; when it is resumed, it goes at once."""
    post.finder.routes = {"slow.example": "relay:out" if target == "relay:out" else "mx:mx1.example,mx2.example"}

    async def scenario() -> None:
        async with post.running():
            pause(post, target)
            id = post.put("a@slow.example")
            await post.settled(post.put("b@fast.test"), None)
            await post.settled(id, "deferred")
            entry = SpoolDirectory(post.spool.root).read(id)
            assert (entry.history.attempts, entry.history.last[0].reply) == (0, f"451 4.3.2 not tried: {target} is paused: they asked")
            assert post.tries(id) == 0
            resume(post, target)
            await post.settled(id, None)
        assert post.tries(id) == 1

    play(scenario())


def test_a_pause_outlives_the_daemon(tmp_path: Path) -> None:
    """One that is said while none runs holds for the next."""

    async def scenario() -> None:
        first = Post(tmp_path)
        suspend(first.spool.root, "example.com", math.inf, "", NOW)
        id = first.put("a@example.com")
        first.mind()
        async with first.running():
            await first.settled(id, "deferred")
        second = Post(tmp_path)
        suspensions.resume(second.spool.root, "example.com", NOW)
        second.mind()
        async with second.running():
            second.advance(1200)  # nobody told this one who waits: it is looked at again by itself
            await second.settled(id, None)

    play(scenario())


def test_a_pause_ends_when_it_was_said_to(post: Post) -> None:
    """Nobody has to resume it."""

    async def scenario() -> None:
        async with post.running():
            pause(post, "example.com", NOW + 600)
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            assert SpoolDirectory(post.spool.root).read(id).due == pytest.approx(NOW + 600)
            post.advance(600)
            await post.settled(id, None)

    play(scenario())


def test_what_waits_in_memory_for_a_destination_is_put_off_with_it(post: Post) -> None:
    """What is under way is finished; what was queued behind it waits, of a shared transaction only the domain that is paused."""
    post.finder.routes = {"a.example": "mx", "b.example": "mx"}

    async def scenario() -> None:
        post.courier.gates["mx"] = asyncio.Event()
        async with post.running():
            under_way = [post.put(f"{nth}@a.example") for nth in range(2)]
            await post.until("two sessions", lambda: post.courier.busy == 2)
            waiting, shared, other = post.put("x@a.example"), post.put("y@a.example", "z@b.example"), post.put("z@b.example")
            await post.until("in memory", lambda: len(post.scheduler.active) == 5)
            pause(post, "a.example")
            await post.settled(waiting, "deferred")
            post.courier.gates["mx"].set()
            for id in (*under_way, other):
                await post.settled(id, None)
            await post.settled(shared, "deferred")
            last = SpoolDirectory(post.spool.root).read(shared).history.last
            assert [last[to].verdict for to in (0, 1)] == ["defer", "delivered"]
            pause(post, "mx")
            resume(post, "a.example")
            await asyncio.sleep(0.05)
            assert post.tries(waiting) == 0  # "mx" is a domain in a pause, and no key of a destination is one
        assert post.told("daemon") == ["daemon paused", "daemon paused", "daemon resumed"]

    play(scenario())


def test_paused_mail_expires_as_ever(post: Post) -> None:
    """An operator's pause does not make mail younger."""

    async def scenario() -> None:
        async with post.running():
            pause(post, "example.com")
            id = post.put("a@example.com", sender="", at=NOW - 2 * DAY + 100)
            await post.settled(id, "deferred")
            assert SpoolDirectory(post.spool.root).read(id).due == pytest.approx(NOW + 100)
            post.advance(100)
            await post.settled(id, "failed")
        assert post.spool.read(id).status == "expired"
        assert post.tries(id) == 0

    play(scenario())


def test_a_pause_that_ends_while_mail_is_put_off_for_it_holds_nothing_up(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory at that moment goes a moment later, not when it would have been looked at again."""
    monkeypatch.setattr(suspension, "SOON", 0.01)

    async def scenario() -> None:
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            pause(post, "example.com")
            id = post.put("a@example.com", "b@slow.example")
            await post.until("half of it under way", lambda: post.courier.busy)
            resume(post, "example.com")
            await asyncio.sleep(0.03)
            post.courier.gates["slow.example"].set()
            await post.settled(id, None)

    play(scenario())


def test_a_damaged_list_of_pauses_changes_nothing(post: Post) -> None:
    """An alarm; what was paused stays paused."""

    async def scenario() -> None:
        async with post.running():
            pause(post, "example.com")
            Path(post.spool.root, suspensions.NAME).write_text("{")
            post.mind()
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            assert post.told("alarm") == ["alarm pauses"]
            Path(post.spool.root, suspensions.NAME).unlink()
            post.mind()
            await post.settled(id, None)

    play(scenario())


# Outages


def down(post: Post, count: int, key: str = "down.example") -> list[str]:
    """So many messages for a destination that does not answer."""
    post.finder.routes["down.example"] = key
    for nth in range(count):
        post.courier.script[f"{nth}@down.example"] = [NO_CONNECTION]
    return [post.put(f"{nth}@down.example") for nth in range(count)]


def up(post: Post, count: int) -> None:
    for nth in range(count):
        post.courier.script[f"{nth}@down.example"] = ["delivered"]


async def all_settled(post: Post, ids: list[str], state: str | None) -> None:
    for id in ids:
        await post.settled(id, state)


def retry(post: Post, ids: list[str]) -> None:
    """What the command does."""
    for id in ids:
        post.spool.retry(id)
        post.look([id])


def test_an_operators_word_lets_one_session_out_past_an_open_breaker(post: Post) -> None:
    """What he names is tried at once; if the host is still down, one session has found out, however many he named, and waits no longer."""

    async def scenario() -> None:
        async with post.running():
            ids = down(post, 20)
            await all_settled(post, ids, "deferred")
            before = len(post.courier.tried)
            breaker = post.scheduler.destinations["down.example"].breaker
            waits = breaker.open_until - post.clock.now()
            post.advance(10)
            retry(post, ids)
            await post.until("a try", lambda: len(post.courier.tried) > before)
            await all_settled(post, ids, "deferred")
            assert len(post.courier.tried) == before + 1
            assert breaker.open_until == post.clock.now() + waits
            post.advance(10)
            up(post, 20)
            retry(post, ids[7:8])
            await post.settled(ids[7], None)
        assert post.courier.tried[-1] == (ids[7], ["7@down.example"])

    play(scenario())


def test_an_operators_word_gets_past_what_a_reply_led_to(post: Post) -> None:
    """A destination that a rule has paused is tried at once, by one session; if that is taken, the pause is over."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            destination = post.scheduler.destinations["example.com"]
            destination.paused_until, destination.pause_reason = math.inf, "quota"
            retry(post, [id])
            await post.settled(id, None)
            assert (destination.paused_until, destination.breaker.state(post.clock.now())) == (0.0, "closed")

    play(scenario())


@pytest.mark.slow
@pytest.mark.parametrize("word", ["retry", "time", "reload"])
def test_after_an_outage_of_the_own_relay_all_goes_that_was_never_tried(tmp_path: Path, word: str) -> None:
    """As fast as it is taken, as soon as the relay takes one: after an operator's word, in time, or since a reload names another one."""
    post = Post(tmp_path, QueueLimits(start_relay=2))

    async def scenario() -> None:
        async with post.running():
            ids = down(post, 300, "relay:out")
            await all_settled(post, ids, "deferred")
            tried = {id for id, _ in post.courier.tried}
            fresh = [id for id in ids if id not in tried]
            assert len(fresh) > 290
            up(post, 300)
            if word == "retry":
                post.advance(1)
                retry(post, fresh[:1])
            elif word == "reload":
                post.manager.recall({"out"})
            else:
                post.advance(60)
            await all_settled(post, fresh, None)
            if word == "reload":  # what they met was another host
                await all_settled(post, ids, None)
            if word == "retry":
                assert all(post.spool.find(id) == "deferred" for id in tried)  # they have had a try, and wait for the next

    play(scenario())


def test_a_reload_that_changes_nothing_there_changes_nothing(post: Post) -> None:
    """Unless our login was refused: one session finds out whether it still is."""

    async def scenario() -> None:
        wrong = outcome(0, "defer", scope="us", code=535, enhanced="5.7.8", text="wrong", phase="auth")
        async with post.running():
            ids = down(post, 5)
            post.finder.routes["login.example"] = "relay:out"
            post.courier.script["a@login.example"] = [wrong, "delivered"]
            id = post.put("a@login.example")
            await all_settled(post, [*ids, id], "deferred")
            post.manager.recall({"other"})
            assert post.scheduler.destinations["down.example"].breaker.is_open(post.clock.now())
            breaker = post.scheduler.destinations["relay:out"].breaker
            assert (breaker.state(post.clock.now()), breaker.ours) == ("half-open", True)

    play(scenario())


@pytest.mark.parametrize("cause", [Cause.SENDER_REFUSED, Cause.NAME_REFUSED])
def test_what_waits_for_something_of_ours_goes_with_a_reload(post: Post, cause: Cause) -> None:
    """Whatever the reload has changed: who mends it there need not change anything here."""

    async def scenario() -> None:
        refused = outcome(0, "defer", scope="us", code=550, text="no", phase="rcpt", due=NOW + DAY, cause=cause)
        post.finder.routes["example.com"] = "relay:out"
        post.courier.script = {f"{nth}@example.com": [refused, "delivered"] for nth in range(3)}
        async with post.running():
            ids = [post.put(f"{nth}@example.com") for nth in range(3)]
            await all_settled(post, ids, "deferred")
            post.courier.script = {}
            post.manager.recall(set())
            await all_settled(post, ids, None)

    play(scenario())


def test_a_resumed_destination_need_not_wait_for_its_breaker(post: Post) -> None:
    """Who lets mail go on has a reason to believe that it will be taken."""

    async def scenario() -> None:
        async with post.running():
            ids = down(post, 5, "relay:out")
            await all_settled(post, ids, "deferred")
            pause(post, "relay:out")
            late = post.put("z@down.example")
            await post.settled(late, "deferred")
            resume(post, "relay:out")
            await post.settled(late, None)

    play(scenario())


# Offline


def test_when_the_network_is_back_all_that_waited_goes_at_once(post: Post) -> None:
    """One finds out, the others follow; nothing was counted, and nothing waits for its next time."""
    post.manager.connectivity.online = lambda: online
    online = False

    def asked() -> int:
        return sum(domain.startswith("d") for domain in post.finder.asked)  # that they are late is told at example.com, meanwhile

    async def scenario() -> None:
        nonlocal online
        post.finder.troubles = {f"d{nth}.example": offline() for nth in range(20)}
        async with post.running():
            ids = [post.put(f"a@d{nth}.example", at=NOW - 9 * DAY) for nth in range(20)]
            for id in ids:
                await post.settled(id, "deferred")
            post.manager.connectivity.poll()
            await asyncio.sleep(0.02)
            assert asked() == 20  # no route: nothing is even looked up
            online = True
            for nth in range(3):  # a route, but the name servers do not answer yet: one message at a time asks
                post.manager.connectivity.poll()
                await post.until("one asks", lambda nth=nth: asked() == 20 + nth + 1 and not post.scheduler.active)
            assert asked() == 23
            post.finder.troubles.clear()
            post.manager.connectivity.poll()
            await post.until("one is through", lambda: len(post.scheduler.active) == 0 and len(post.spool.ids("deferred")) == 19)
            post.manager.connectivity.poll()
            for id in ids:
                await post.settled(id, None)
        assert "daemon online" in post.told()

    play(scenario())


def test_the_only_message_that_waits_for_the_network_goes_at_once(post: Post) -> None:
    """It is its own probe."""
    post.manager.connectivity.online = lambda: True

    async def scenario() -> None:
        post.finder.troubles["example.com"] = offline()
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
            for _ in range(2):
                post.manager.connectivity.poll()
                await asyncio.sleep(0.02)
                await post.settled(id, "deferred")
            post.finder.troubles.clear()
            post.manager.connectivity.poll()
            await post.settled(id, None)

    play(scenario())


def test_a_relay_that_cannot_be_reached_without_a_route_is_no_attempt(post: Post) -> None:
    """Its address is known without a DNS; the host is not blamed, no breaker opens, and it goes when there is a route."""
    online = False
    post.manager.connectivity.online = lambda: online
    post.courier.script["a@example.com"] = [NO_CONNECTION]

    async def scenario() -> None:
        nonlocal online
        async with post.running():
            ids = [post.put("a@example.com", at=NOW - 9 * DAY) for _ in range(5)]
            for id in ids:
                await post.settled(id, "deferred")
                assert SpoolDirectory(post.spool.root).read(id).history.attempts == 0
            destination = post.scheduler.destinations["example.com"]
            assert destination.breaker.failures == 0
            post.courier.script.clear()
            online = True
            post.manager.connectivity.poll()
            await post.until("one is through", lambda: len(post.scheduler.active) == 0 and len(post.spool.ids("deferred")) == 4)
            post.manager.connectivity.poll()
            for id in ids:
                await post.settled(id, None)

    play(scenario())


def test_a_machine_that_has_no_descriptor_left_blames_no_host(post: Post) -> None:
    """No attempt, nothing learned about the destination, tried again in seconds; an alarm says what is short, once."""

    async def scenario() -> None:
        text = "no connection can be opened: this machine has no more to give (Too many open files)"
        short = NO_CONNECTION._replace(scope="us", enhanced="4.3.0", text=text, cause=Cause.SHORT)
        for nth in range(10):
            post.courier.script[f"{nth}@example.com"] = [short, "delivered"]
        async with post.running():
            ids = [post.put(f"{nth}@example.com") for nth in range(10)]
            await all_settled(post, ids, "deferred")
            entry = SpoolDirectory(post.spool.root).read(ids[0])
            assert (entry.history.attempts, entry.history.last[0].reply) == (0, f"451 4.3.0 {text}")
            destination = post.scheduler.destinations["example.com"]
            assert (destination.failures, destination.breaker.failures) == (0, 0)
            post.advance(10)
            await all_settled(post, ids, None)
        assert post.told("alarm") == ["alarm descriptors"]

    play(scenario())


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_what_does_not_answer_on_this_machine_says_nothing_about_the_network(post: Post, ip: str) -> None:
    """A relay at home that is down is an attempt, with a network or without one."""
    post.manager.connectivity.online = lambda: False
    post.courier.script["a@example.com"] = [NO_CONNECTION._replace(hop=Hop("localhost", ip, 25))]

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, "deferred")
        assert SpoolDirectory(post.spool.root).read(id).history.attempts == 1

    play(scenario())


def test_trouble_with_the_dns_is_never_permanent(post: Post) -> None:
    """However often it fails: mail waits until its own time is up, and goes as soon as the DNS answers."""
    post.change(schedule=Schedule([600.0], DAY))

    async def scenario() -> None:
        post.finder.troubles["example.com"] = Unroutable(451, "4.4.3", "SERVFAIL", "defer", Cause.DNS)
        async with post.running():
            id = post.put("a@example.com")
            for _ in range(20):
                await post.settled(id, "deferred")
                asked = len(post.finder.asked)
                post.advance(600)
                await post.until("another look", lambda asked=asked: len(post.finder.asked) > asked)  # type: ignore[misc]
            await post.settled(id, "deferred")
            post.finder.troubles.clear()
            post.advance(600)
            await post.settled(id, None)

    play(scenario())
