"""Who has not answered yet: how many sessions strangers get, who waits for a place, and who is called off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailer.mail.history import History
from mailer.queue.attempt import Attempt, Job
from mailer.queue.destination import Destination
from mailer.queue.newcomers import PATIENCE, QUICK, places
from mailer.queue.scheduler import QueueLimits, Scheduler
from mailer.spool.api import Entry
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, NextHop, Route
from tests.fakes.mail import NOW, envelope

from .post import Post, play


def route(key: str, *addresses: str) -> Route:
    return Route(key, (NextHop(Endpoint(key, 25, Requirement("none")), addresses, relay=False),), relay=key.startswith("relay:"))


def queue(scheduler: Scheduler, key: str, *addresses: str) -> Destination:
    letter = envelope()
    return scheduler.queue(Job(Attempt(Entry(letter.id, "queued", letter, 0, History(1), 0.0, NOW), NOW), route(key, *addresses), [0]))


def crowd(scheduler: Scheduler, addresses: Sequence[str]) -> None:
    """A domain with a message for each address, and a host that will say nothing."""
    for nth, address in enumerate(addresses):
        queue(scheduler, f"silent{nth}", address)


def opened(scheduler: Scheduler, now: float = NOW) -> list[str]:
    return [destination.key for destination, _ in scheduler.plan(now).open]


@pytest.mark.parametrize("connections", [1, 7, 100])
def test_who_has_not_answered_yet_has_half_of_the_sessions(connections: int) -> None:
    """However many domains that are: each in a network of its own. Whoever answers makes room for the next, in order."""
    scheduler = Scheduler(QueueLimits(connections=connections))
    crowd(scheduler, [f"198.51.{nth}.1" for nth in range(200)])
    half = max(connections // 2, 1)
    assert opened(scheduler) == [f"silent{nth}" for nth in range(half)]
    assert opened(scheduler) == []
    if connections > 1:
        assert scheduler.stands(scheduler.destinations["silent0"])
        assert opened(scheduler) == [f"silent{half}"]


def test_a_relay_needs_no_place() -> None:
    """It is the operator's own word."""
    scheduler = Scheduler(QueueLimits(connections=10))
    crowd(scheduler, [f"198.51.{nth}.1" for nth in range(200)])
    queue(scheduler, "relay:out", "203.0.113.1")
    assert "relay:out" in opened(scheduler)


@pytest.mark.parametrize(
    ("addresses", "most"),
    [
        ([f"198.51.100.{nth}" for nth in range(60)], 20),
        (["198.51.100.1"] * 60, 10),
        ([f"2001:db8:1:{nth:x}::1" for nth in range(60)], 20),
        ([f"::ffff:198.51.100.{nth}" for nth in range(60)], 20),
        ([f"127.0.0.{nth}" for nth in range(60)], 50),
    ],
)
def test_a_network_has_as_many_as_a_destination_and_an_address_half_of_that(addresses: list[str], most: int) -> None:
    """Sixty domains of one owner, and what comes for others finds room. Hosts on this machine are nobody's attack."""
    scheduler = Scheduler(QueueLimits())
    crowd(scheduler, addresses)
    assert len(opened(scheduler)) == most
    queue(scheduler, "new", "203.0.113.1")
    assert opened(scheduler) == (["new"] if most < 50 else [])


def test_a_network_that_takes_mail_is_trusted_until_a_host_in_it_does_not_answer() -> None:
    """Of a large provider, where each domain has a host of its own, all may be called."""
    scheduler = Scheduler(QueueLimits(connections=200, per_destination=4))
    first = queue(scheduler, "first", "198.51.100.250")
    assert opened(scheduler) == ["first"]
    scheduler.stands(first)
    scheduler.succeeded(first)
    scheduler.session_ended(first)
    crowd(scheduler, [f"198.51.100.{nth}" for nth in range(60)])
    assert len(opened(scheduler)) == 60
    scheduler.failed(first, NOW, "451 4.4.2 silent")
    queue(scheduler, "late", "198.51.100.251")
    assert opened(scheduler) == []


def test_a_host_that_greets_and_says_no_more_is_a_newcomer_still() -> None:
    """It holds a place of its network until something was answered about a message, or its session is over."""
    scheduler = Scheduler(QueueLimits(per_destination=2))
    crowd(scheduler, ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"])
    first, second = (destination for destination, _ in scheduler.plan(NOW).open)
    scheduler.stands(first)
    scheduler.stands(second)
    assert opened(scheduler) == []
    scheduler.session_ended(second)
    assert opened(scheduler) == ["silent2"]


def test_who_is_silent_is_called_off_when_others_wait() -> None:
    """The oldest first, after ten seconds; the plan says when. While nobody waits, he has all the time that his timeouts give."""
    scheduler = Scheduler(QueueLimits(connections=4))
    crowd(scheduler, ["198.51.1.1", "198.51.2.1"])
    assert opened(scheduler) == ["silent0", "silent1"]
    plan = scheduler.plan(NOW + 2 * PATIENCE)
    assert (plan.call_off, plan.again) == ([], None)
    scheduler.stands(scheduler.destinations["silent0"])
    queue(scheduler, "silent2", "198.51.3.1")
    assert opened(scheduler, NOW + 15) == ["silent2"]
    queue(scheduler, "waits", "198.51.4.1")
    plan = scheduler.plan(NOW + 16)
    assert [each.key for each in plan.call_off] == ["silent1"]
    assert opened(scheduler, NOW + 16) == ["waits"]
    assert scheduler.plan(NOW + 17).call_off == []


def test_a_fifth_of_the_places_is_kept_moving_for_who_answers_at_once() -> None:
    """Sixty silent networks have all places: a second later the oldest ten are called off, the others have their ten seconds."""
    scheduler = Scheduler(QueueLimits(connections=100))
    crowd(scheduler, [f"198.51.{nth}.1" for nth in range(60)])
    assert len(opened(scheduler)) == 50
    queue(scheduler, "good", "203.0.113.1")
    assert opened(scheduler) == []
    assert scheduler.plan(NOW + 0.1).again == NOW + QUICK
    plan = scheduler.plan(NOW + QUICK)
    assert [each.key for each in plan.call_off] == [f"silent{nth}" for nth in range(10)]
    for each in plan.call_off:
        scheduler.failed(each, NOW + QUICK, "451 4.4.2 silent")
        scheduler.session_ended(each)
    plan = scheduler.plan(NOW + QUICK)
    assert [each.key for each, _ in plan.open] == [f"silent{nth}" for nth in range(50, 60)]
    assert [each.key for each in plan.call_off] == [f"silent{nth}" for nth in range(10, 20)]  # "good" waits still
    for each in plan.call_off:
        scheduler.session_ended(each)
    assert opened(scheduler, NOW + QUICK) == ["good"]
    assert scheduler.plan(NOW + PATIENCE - 0.1).call_off == []  # nobody waits


def test_who_was_called_and_said_nothing_waits_behind_who_was_not() -> None:
    """And is not forgotten: one place in four is his."""
    scheduler = Scheduler(QueueLimits(connections=2, start_mx=1))
    crowd(scheduler, ["198.51.1.1", "198.51.1.1", *(f"198.51.{nth}.1" for nth in range(2, 12))])
    scheduler.destinations["silent0"].breaker.threshold = 99
    queue(scheduler, "silent0", "198.51.1.1")
    order, now = [], NOW
    for _ in range(6):
        (destination,) = (destination for destination, _ in scheduler.plan(now).open)
        order.append(destination.key)
        scheduler.failed(destination, now, "451 4.4.2 silent")
        scheduler.session_ended(destination)
        now += 1
    assert order == ["silent0", "silent1", "silent2", "silent3", "silent0", "silent4"]


def test_the_plan_says_when_somebody_has_been_silent_for_long_enough() -> None:
    """Nothing else has to happen until then."""
    scheduler = Scheduler(QueueLimits(connections=2))
    crowd(scheduler, ["198.51.1.1", "198.51.2.1"])
    assert opened(scheduler) == ["silent0"]
    assert scheduler.plan(NOW + 1).again == NOW + PATIENCE


def test_a_crowd_is_left_by_whoever_has_no_mail_any_more() -> None:
    """The next one gets the place."""
    scheduler = Scheduler(QueueLimits(connections=2))
    crowd(scheduler, ["198.51.1.1", "198.51.2.1", "198.51.3.1"])
    first = scheduler.plan(NOW).open[0][0]
    scheduler.destinations["silent1"].take_all()
    scheduler.session_ended(first)
    assert opened(scheduler) == ["silent2"]


def test_places_are_those_of_the_first_addresses() -> None:
    """As many as are called, each with its network."""
    assert places(route("a", "192.0.2.7", "2001:db8::7", "127.0.0.1")) == ("192.0.2.7", "192.0.2.0/24", "2001:db8::7", "2001:db8::/48")
    assert len(places(route("a", *(f"192.0.{nth}.1" for nth in range(40))))) == 10


def test_a_silent_host_is_broken_off_and_its_message_waits(tmp_path: Path) -> None:
    """As if its time were up: an attempt that failed, with the reason; what waited for the place is delivered."""
    post = Post(tmp_path, QueueLimits(connections=2))

    async def scenario() -> None:
        post.courier.gates["silent.example"] = asyncio.Event()
        async with post.running():
            silent = post.put("a@silent.example")
            await post.until("a try", lambda: post.tries(silent))
            other = post.put("b@other.example")
            await post.until("somebody waits", lambda: post.scheduler.newcomers.waiting)
            post.advance(PATIENCE)
            await post.settled(other, None)
            await post.settled(silent, "deferred")
            last = post.spool.read(silent).history.last[0]
        assert (last.scope, last.counts, last.code) == ("host", True, 451)
        assert "no answer for 10 s, while mail for others waited" in last.reply

    play(scenario())
