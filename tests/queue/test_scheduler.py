"""The scheduler's plans: what is loaded, whose turn it is, and that nothing is starved."""

from __future__ import annotations

from collections import Counter

import pytest

from mailer.queue.admission import AHEAD, ORDINARY
from mailer.queue.scheduler import BATCH, QueueLimits, Scheduler
from mailer.shaping.table import Terms
from tests.fakes.mail import NOW
from tests.queue.jobs import job


def loaded(scheduler: Scheduler, now: float = NOW) -> list[str]:
    """All that is loaded at `now`, plan after plan."""
    ids: list[str] = []
    while plan := scheduler.plan(now).load:
        ids += plan
    return ids


# What is loaded


def test_what_is_new_is_loaded_at_once_and_what_is_due_when_it_is() -> None:
    """And the plan says when to look again."""
    scheduler = Scheduler(QueueLimits())
    scheduler.expect("later", NOW + 60)
    scheduler.expect("now", 0.0)
    plan = scheduler.plan(NOW)
    assert (plan.load, plan.again) == (["now"], 0.0)
    assert scheduler.plan(NOW).again == NOW + 60
    assert scheduler.plan(NOW + 59.9).load == []
    assert scheduler.plan(NOW + 60).load == ["later"]
    assert scheduler.plan(NOW + 61).again is None


def test_a_message_with_a_long_envelope_takes_the_room_of_several() -> None:
    """Until it has left: of those with ten thousand recipients fewer are in memory at once."""
    scheduler = Scheduler(QueueLimits(active=10))
    for at in range(20):
        scheduler.expect(f"{at:02}", 0.0)
    assert len(loaded(scheduler)) == 10
    scheduler.weigh("00", 7 * ORDINARY)
    for at in range(7):
        assert not scheduler.crowded
        scheduler.forget(f"{at + 1:02}")
    assert loaded(scheduler) == []
    scheduler.weigh("08", 3 * ORDINARY)
    assert scheduler.crowded
    scheduler.forget("08")
    scheduler.forget("00")
    assert len(loaded(scheduler)) == 9


def test_what_is_new_is_loaded_oldest_first() -> None:
    """In whichever order a directory names it: the names sort by age."""
    scheduler = Scheduler(QueueLimits())
    for id in ("01C", "01A", "01D", "01B"):
        scheduler.expect(id, 0.0)
    assert scheduler.plan(NOW).load == ["01A", "01B", "01C", "01D"]


def test_what_was_put_off_again_is_due_at_its_latest_time() -> None:
    """Earlier and later times that were said before do not count."""
    scheduler = Scheduler(QueueLimits())
    for due in (NOW + 10, NOW + 50, NOW + 30):
        scheduler.expect("a", due)
    assert scheduler.due_of("a") == NOW + 30
    assert loaded(scheduler, NOW + 29) == []
    assert loaded(scheduler, NOW + 60) == ["a"]
    scheduler.expect("b", NOW + 100)
    scheduler.expect("b", 0.0)  # an operator does not want to wait
    assert loaded(scheduler, NOW + 60) == ["b"]
    assert loaded(scheduler, NOW + 200) == []
    scheduler.expect("c", 0.0)
    scheduler.expect("c", NOW + 300)
    assert loaded(scheduler, NOW + 200) == []
    assert loaded(scheduler, NOW + 300) == ["c"]


def test_what_is_forgotten_is_not_loaded() -> None:
    """Held, cancelled or gone; it can be expected anew."""
    scheduler = Scheduler(QueueLimits())
    scheduler.expect("a", 0.0)
    scheduler.expect("b", NOW)
    scheduler.forget("a")
    scheduler.forget("b")
    scheduler.forget("c")
    assert not scheduler.knows("a")
    assert loaded(scheduler) == []
    scheduler.expect("a", 0.0)
    assert loaded(scheduler) == ["a"]


def test_what_is_in_memory_is_not_loaded_again() -> None:
    """Whoever says so, until it is forgotten."""
    scheduler = Scheduler(QueueLimits())
    scheduler.expect("a", 0.0)
    assert loaded(scheduler) == ["a"]
    scheduler.expect("a", 0.0)
    scheduler.expect("a", NOW)
    assert scheduler.knows("a")
    assert scheduler.due_of("a") is None
    assert loaded(scheduler) == []
    scheduler.forget("a")
    scheduler.expect("a", NOW)
    assert loaded(scheduler) == ["a"]


def test_there_is_never_more_in_memory_than_allowed() -> None:
    """The rest waits on disk, and comes when there is room."""
    scheduler = Scheduler(QueueLimits(active=3))
    for nth in range(10):
        scheduler.expect(str(nth), 0.0)
    first = loaded(scheduler)
    assert first == ["0", "1", "2"]
    assert scheduler.backlog() == {"waiting": 7, "active": 3, "sessions": 0}
    scheduler.forget("1")
    assert loaded(scheduler) == ["3"]
    assert not scheduler.idle


def test_a_plan_has_an_end() -> None:
    """However much is due: the sessions get a turn after each batch."""
    scheduler = Scheduler(QueueLimits())
    for nth in range(BATCH * 3):
        scheduler.expect(str(nth), 0.0)
    plan = scheduler.plan(NOW)
    assert len(plan.load) == BATCH
    assert plan.again == 0.0


def test_a_mountain_of_deferred_mail_keeps_no_first_attempt_waiting() -> None:
    """New and old take turns."""
    scheduler = Scheduler(QueueLimits(active=4))
    for nth in range(1000):
        scheduler.expect(f"old {nth:04}", NOW - 1000 + nth)
    scheduler.expect("new", 0.0)
    assert scheduler.plan(NOW).load == ["new", "old 0000", "old 0001", "old 0002"]
    for id in ("new 1", "new 2", "new 3"):
        scheduler.expect(id, 0.0)
    for id in ("old 0000", "old 0001"):
        scheduler.forget(id)
    assert sorted(scheduler.plan(NOW).load) == ["new 1", "old 0003"]


def test_it_is_idle_when_nothing_is_left_to_do_now() -> None:
    """What is due later does not count: `run --once` ends then."""
    scheduler = Scheduler(QueueLimits())
    scheduler.expect("later", NOW + 1)
    scheduler.plan(NOW)
    assert scheduler.idle
    scheduler.expect("a", 0.0)
    assert not scheduler.idle
    scheduler.plan(NOW)
    assert not scheduler.idle
    scheduler.forget("a")
    assert scheduler.idle


def opened(scheduler: Scheduler, now: float = NOW) -> Counter[str]:
    """How many sessions are opened with whom, where every host answers at once."""
    sessions: Counter[str] = Counter()
    while plan := scheduler.plan(now).open:
        for destination, _ in plan:
            sessions[destination.key] += 1
            scheduler.stands(destination)
    return sessions


# Whose turn it is


def test_sessions_are_shared_out_evenly() -> None:
    """Round and round, while there is room anywhere, and no more than the limits allow."""
    scheduler = Scheduler(QueueLimits(connections=7, start_mx=3))
    for _ in range(10):
        for key in ("a", "b", "c"):
            scheduler.queue(job(key))
    assert sorted(opened(scheduler).values()) == [2, 2, 3]
    assert scheduler.running == 7
    assert opened(scheduler) == {}


def test_a_relay_begins_with_more_sessions_than_a_stranger() -> None:
    """And none with more than its limit."""
    for limits, sessions in ((QueueLimits(), {"mx": 2, "relay": 5}), (QueueLimits(per_destination=1), {"mx": 1, "relay": 1})):
        scheduler = Scheduler(limits)
        for _ in range(10):
            scheduler.queue(job("mx"))
            scheduler.queue(job("relay", relay=True))
        assert opened(scheduler) == sessions


def test_a_destination_takes_up_no_more_than_its_window_beside_others() -> None:
    """A destination with a long queue leaves the rest to the others."""
    scheduler = Scheduler(QueueLimits(connections=100))
    for _ in range(1000):
        scheduler.queue(job("big"))
    scheduler.queue(job("small"))
    assert opened(scheduler) == {"big": 2, "small": 1}


@pytest.mark.parametrize("connections", [1, 3])
def test_no_destination_starves(connections: int) -> None:
    """With fewer sessions than destinations, each is served before any is served for the third time."""
    scheduler = Scheduler(QueueLimits(connections=connections))
    keys = [f"d{nth}" for nth in range(10)]
    for _ in range(50):
        for key in keys:
            scheduler.queue(job(key))
    served: Counter[str] = Counter()
    while min(served[key] for key in keys) == 0:
        plan = scheduler.plan(NOW)
        assert plan.open
        for destination, _ in plan.open:
            served[destination.key] += 1
            scheduler.session_ended(destination)
    assert max(served.values()) <= 2


def test_a_session_gives_way_when_all_are_taken_and_somebody_has_none() -> None:
    """A destination with work without end does not keep its session for ever."""
    scheduler = Scheduler(QueueLimits(connections=2))
    for _ in range(10):
        scheduler.queue(job("busy"))
    busy = scheduler.destinations["busy"]
    assert opened(scheduler) == {"busy": 2}
    assert not scheduler.must_yield()
    scheduler.queue(job("late"))
    assert scheduler.must_yield()
    scheduler.session_ended(busy)
    assert not scheduler.must_yield()
    while not opened(scheduler)["late"]:
        scheduler.session_ended(busy)
    assert not scheduler.must_yield()
    assert not scheduler.must_yield()


def test_a_destination_that_is_down_is_put_off_as_a_whole() -> None:
    """No session is opened for it; the others are not held up; afterwards one session tries."""
    scheduler = Scheduler(QueueLimits())
    for _ in range(5):
        scheduler.queue(job("down"))
        scheduler.queue(job("up"))
    down = scheduler.destinations["down"]
    down.breaker.trip(NOW, "refused")
    plan = scheduler.plan(NOW)
    assert plan.put_off == [down]
    assert {destination.key for destination, _ in plan.open} == {"up"}
    assert len(down.take_all()) == 5
    for _ in range(5):
        scheduler.queue(job("down"))
    assert opened(scheduler, NOW + 60) == {"down": 1}


def test_what_is_known_of_a_destination_outlives_its_jobs() -> None:
    """One message at a time must not forget the failures before."""
    scheduler = Scheduler(QueueLimits())
    first = scheduler.queue(job("d"))
    first.breaker.failed(NOW, "x")
    first.take_all()
    scheduler.plan(NOW)
    assert scheduler.queue(job("d")) is first
    assert first.breaker.failures == 1


def test_other_limits_hold_for_the_destinations_that_are_known_too() -> None:
    """After a reload of the configuration."""
    scheduler = Scheduler(QueueLimits(per_destination=20))
    destination = scheduler.queue(job("d"))
    destination.window.size = 15
    scheduler.limit(QueueLimits(per_destination=4, active=1, connections=2))
    assert (destination.window.size, destination.window.cap) == (4, 4)
    for _ in range(9):
        scheduler.queue(job("d"))
        scheduler.expect(str(_), 0.0)
    assert opened(scheduler) == {"d": 2}
    assert len(scheduler.active) == 1


def fill(scheduler: Scheduler, key: str, many: int) -> list[str]:
    """Expect `many` messages for `key`, read what the plans say, and return what was parked."""
    parked = []
    for nth in range(many):
        scheduler.expect(f"{key} {nth:05}", 0.0)
    while load := scheduler.plan(NOW).load:
        for id in load:
            one = job(key, id=id)
            if scheduler.admits(one.route, id, NOW):
                scheduler.queue(one)
            else:
                scheduler.park(id, one.route)
                parked.append(id)
    return parked


# What waits for room


def test_a_destination_holds_a_quarter_of_what_is_free() -> None:
    """The rest is parked: known, due, not in memory, and there is room for others."""
    scheduler = Scheduler(QueueLimits(active=100))
    parked = fill(scheduler, "slow", 500)
    assert 10 <= len(scheduler.active) <= 30
    assert len(parked) + len(scheduler.active) == 500
    assert all(scheduler.knows(id) and scheduler.due_of(id) == 0.0 and id not in scheduler.active for id in parked)
    assert not scheduler.idle
    assert scheduler.backlog()["waiting"] == len(parked)


def test_what_is_parked_is_read_when_there_is_room_and_only_once_more() -> None:
    """In its order; whoever was forgotten meanwhile is not read."""
    scheduler = Scheduler(QueueLimits(active=100))
    parked = fill(scheduler, "slow", 500)
    scheduler.forget(parked[1])
    destination = scheduler.destinations["slow"]
    assert scheduler.plan(NOW).load == []
    read: list[str] = []
    for _ in range(1000):
        while taken := destination.take():
            scheduler.forget(taken.attempt.entry.id)
            if scheduler.drained(destination):
                break
        for id in scheduler.plan(NOW).load:
            read.append(id)
            one = job("slow", id=id)
            assert scheduler.admits(one.route, id, NOW)
            scheduler.queue(one)
    assert read == [parked[0], *parked[2:]]
    assert not scheduler.knows(parked[1])
    while scheduler.running:
        scheduler.session_ended(destination)
    assert scheduler.plan(NOW + 1).load == []
    scheduler.active.clear()
    assert scheduler.idle


def test_what_is_parked_can_be_expected_anew() -> None:
    """An operator wants it now, or later: then it does not wait in the lot any more."""
    scheduler = Scheduler(QueueLimits(active=100))
    parked = fill(scheduler, "slow", 200)
    scheduler.expect(parked[0], NOW + 50)
    assert scheduler.due_of(parked[0]) == NOW + 50
    assert scheduler.plan(NOW + 50).load == [parked[0]]


def test_a_quick_destination_is_waited_for() -> None:
    """What works off all it holds in a moment has nothing of its mail read twice."""
    scheduler = Scheduler(QueueLimits(active=100))
    scheduler.plan(NOW)
    destination = scheduler.queue(job("quick", id="first"))
    for _ in range(1000):
        scheduler.succeeded(destination)
    assert fill(scheduler, "quick", 500) == []
    assert len(scheduler.active) < 100
    held = len(scheduler.active)
    while len(destination) > destination.low:
        taken = destination.take()
        assert taken is not None
        scheduler.forget(taken.attempt.entry.id)
    assert len(scheduler.active) < held
    assert scheduler.plan(NOW).load


def test_who_has_taken_one_message_is_brisk_until_it_is_known() -> None:
    """Nobody's pace is known in the first moments: no more is read ahead than for a quick one, and nothing twice."""
    scheduler = Scheduler(QueueLimits(active=10_000))
    scheduler.plan(NOW)
    scheduler.succeeded(scheduler.queue(job("new", id="first")))
    assert fill(scheduler, "new", 3000) == []
    assert AHEAD <= len(scheduler.active) <= AHEAD + BATCH


def test_a_fifth_of_the_sessions_is_kept_for_first_attempts() -> None:
    """Destinations with nothing but retries, however many, leave it free."""
    scheduler = Scheduler(QueueLimits(connections=10))
    for nth in range(50):
        retry = job(f"old {nth}")
        retry.attempt.entry.state = "deferred"
        scheduler.queue(retry)
    assert sum(opened(scheduler).values()) == 8
    assert not scheduler.must_yield()
    scheduler.queue(job("new"))
    assert opened(scheduler) == {"new": 1}


class Gate:
    """A throttle that a test sets."""

    messages = (1,)

    def __init__(self) -> None:
        self.until = 0.0
        self.counted: list[int] = []
        self.connections_at = 0.0

    def ready(self, now: float, count: int) -> float:
        return max(now, self.until) if count else now

    def took(self, now: float, count: int) -> None:
        self.counted.append(count)

    def ready_connection(self, now: float) -> float:
        return max(now, self.connections_at)

    def opened(self, now: float) -> None: ...

    def closed(self) -> None: ...


# Terms


def test_a_rate_is_kept_and_the_plan_says_when_it_is_over() -> None:
    """No session is opened before; reports pass, and are not counted."""
    gate = Gate()
    scheduler = Scheduler(QueueLimits(), lambda _: Terms(3, 4, 5, 10.0, 20.0, 0, gate))  # type: ignore[arg-type]
    gate.until = NOW + 30
    destination = scheduler.queue(job("d"))
    assert (destination.window.size, destination.window.cap, destination.breaker.threshold) == (3, 4, 5)
    plan = scheduler.plan(NOW)
    assert (plan.open, plan.again) == ([], NOW + 30)
    assert destination.why(NOW)[::2] == ("rate", NOW + 30)
    report = job("d")
    report.attempt.entry.envelope.sender = ""
    scheduler.queue(report)
    assert [one for _, one in scheduler.plan(NOW + 30).open] != []
    assert gate.counted == [1]


def test_a_connection_waits_for_its_rate() -> None:
    """And is opened when it is time."""
    gate = Gate()
    gate.connections_at = NOW + 5
    scheduler = Scheduler(QueueLimits(), lambda _: Terms(2, 4, 5, 10.0, 20.0, 0, gate))  # type: ignore[arg-type]
    scheduler.queue(job("d"))
    assert scheduler.plan(NOW).again == NOW + 5
    assert opened(scheduler, NOW + 5) == {"d": 1}


def test_a_pause_puts_off_and_its_end_lets_go_on() -> None:
    """Whoever sets it says so."""
    scheduler = Scheduler(QueueLimits())
    destination = scheduler.queue(job("d"))
    destination.paused_until = NOW + 100
    scheduler.changed(destination)
    assert scheduler.plan(NOW).put_off == [destination]
    destination.paused_until = 0.0
    scheduler.changed(destination)
    assert opened(scheduler) == {"d": 1}
