"""The scheduler in a model internet, in small: what it promises about fairness, concurrency and memory holds for the numbers, too."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.limits.window import Window
from mailer.queue.scheduler import QueueLimits

from .world import CROWDED, FAST, GREY, HOLE, OUTAGE, SLOW, START, Fixed, Kind, Plain, Simulation

FOR_EVER = (0.0, float("inf"))

KINDS = [FAST, SLOW, GREY, CROWDED, OUTAGE]


def good_rate(holes: int, window: type[Window] = Window) -> float:
    """Messages in a second for twenty good hosts, behind 500 for each black hole."""
    hosts = {f"good{nth}": FAST for nth in range(20)} | {f"hole{nth}": HOLE for nth in range(holes)}
    simulation = Simulation(hosts, QueueLimits(active=1000), window)
    for nth in range(holes * 500):
        simulation.put(f"hole{nth % holes}")
    for nth in range(20_000):
        simulation.put(f"good{nth % 20}")
    tally = simulation.run(600)
    assert len(tally.delays["fast"]) == 20_000
    return tally.rate("fast")


def test_a_black_hole_costs_the_others_less_than_a_twentieth() -> None:
    """Its mail stands in front, there is more of it than fits into memory, and nothing is known of it at the start."""
    assert good_rate(1) >= 0.95 * good_rate(0)


def test_a_slow_destination_never_fills_the_memory() -> None:
    """Whoever comes later is read at once, and what waits for the slow one is read twice at most."""
    simulation = Simulation({"slow": SLOW, "good": FAST}, QueueLimits(active=200))
    for _ in range(2000):
        simulation.put("slow")
    late = simulation.put("good", at=60)
    tally = simulation.run(20_000)
    assert late.done - late.arrived < 2
    assert tally.most_active < 200
    assert tally.events["read"] <= 2 * 2001
    assert len(tally.delays["slow"]) == 2000


@pytest.mark.parametrize(("window", "lenient"), [(Fixed, False), (Plain, False)])
def test_a_host_with_few_places_is_not_run_into_over_and_over(window: type[Window], lenient: bool) -> None:
    """Our own concurrency defers a message in a thousand at most, and many more where the window or the answer to 421 is another one."""

    def turned_away(window: type[Window], *, lenient: bool) -> tuple[int, int]:
        simulation = Simulation({"crowded": CROWDED}, window=window, lenient=lenient)
        for _ in range(3000):
            simulation.put("crowded")
        tally = simulation.run(30_000)
        assert len(tally.delays[CROWDED.name]) == 3000
        return tally.events["deferred by our own concurrency"], tally.events["421"]

    assert turned_away(Window, lenient=True)[0] <= 3
    assert turned_away(window, lenient=lenient)[0] >= 10


@pytest.mark.parametrize("networks", [1, 60])
def test_hosts_that_accept_and_say_nothing_take_nobodys_sessions(networks: int) -> None:
    """Sixty domains of theirs with mail in front: good domains, known and new, wait for seconds, not for as long as a greeting may take."""
    hosts = {
        f"silent{nth}": Kind("silent", connect=300.0, down=FOR_EVER, addresses=(f"198.51.{nth % networks}.{nth}",)) for nth in range(60)
    }
    good = {f"good{nth}": Kind("good", addresses=(f"203.0.113.{nth}",)) for nth in range(20)}
    simulation = Simulation(hosts | good)
    simulation.put("good0")
    for nth in range(600):
        simulation.put(f"silent{nth % 60}", at=1.0)
    for nth in range(200):
        simulation.put(f"good{nth % 20}", at=2.0 + nth)
    tally = simulation.run(3600)
    assert len(tally.delays["good"]) == 201
    assert tally.percentile("good", 1.0) < (2 if networks == 1 else 12)


def test_those_of_one_kind_are_served_alike() -> None:
    """However few sessions there are: fairness by Jain's index."""
    simulation = Simulation({f"good{nth}": FAST for nth in range(50)}, QueueLimits(connections=10))
    for nth in range(10_000):
        simulation.put(f"good{nth % 50}")
    simulation.run(60)
    assert simulation.jain(FAST, 60) > 0.95


def test_an_outage_ends_without_a_stampede() -> None:
    """What waited comes back over some minutes, one message finds out first, and the window begins anew."""
    simulation = Simulation({"down": Kind("down", connect=1.0, down=(0.0, 3600.0))})
    for _ in range(2000):
        simulation.put("down")
    tally = simulation.run(6 * 3600)
    assert len(tally.delays["down"]) == 2000
    assert tally.events["no answer"] < 30
    back = sorted(message.done - START for message in simulation.messages.values())
    assert back[-1] < 3600 + 900 + 700
    assert back[-1] - back[0] > 60


def test_a_destination_that_is_slow_to_let_us_in_has_its_mail_waiting_in_memory() -> None:
    """Before anybody can know how much it takes, nothing is put off for a quarter of an hour because it would be too much."""
    simulation = Simulation({"far": Kind("far", connect=3.0)}, QueueLimits(active=400, connections=20))
    for _ in range(6000):
        simulation.put("far")
    tally = simulation.run(3600)
    assert tally.events["congested"] == 0
    assert max(message.done for message in simulation.messages.values()) - START < 300


def test_what_would_wait_very_long_is_put_off() -> None:
    """Where the mail of more than a quarter of an hour waits, more of it goes back to the disk, where it can be late, and expire."""
    simulation = Simulation({"slow": Kind("slow", service=60.0, guests=1)}, QueueLimits(active=400, connections=20))
    for at in range(2500):
        simulation.put("slow", at=0.0 if at < 1500 else 40.0)
    tally = simulation.run(3600)
    assert tally.events["parked"] >= 1000
    assert tally.events["congested"] >= 900


def test_single_mail_passes_a_flood_which_is_hardly_slower() -> None:
    """One in five turns belongs to the others: ten messages pass ten thousand, which take a quarter longer at most."""
    simulation = Simulation({"d": FAST}, QueueLimits(active=40_000))
    flood = [simulation.put("d", sender="news@example.com") for _ in range(2000)]
    small = [simulation.put("d", sender=f"{nth}@example.com") for nth in range(500)]
    simulation.run(10_000)
    first, last = max(one.done for one in small), max(one.done for one in flood)
    alone = Simulation({"d": FAST}, QueueLimits(active=40_000))
    for _ in range(2000):
        alone.put("d", sender="news@example.com")
    assert first <= last
    assert last - START <= 1.25 * alone.run(10_000).finished["fast"] * 1.05


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", "c"]), st.integers(0, 4000)), min_size=1, max_size=120),
    st.integers(1, 30),
    st.integers(1, 8),
)
@example([(4, "a", 599), (4, "a", 599)], 1, 1)
def test_nothing_is_lost_or_stuck(mail: list[tuple[int, str, int]], active: int, connections: int) -> None:
    """Whatever comes when, and however little room there is: all of it is delivered, once, and nothing is left in memory."""
    simulation = Simulation({kind.name: kind for kind in KINDS}, QueueLimits(active, connections))
    messages = [simulation.put(KINDS[kind].name, sender, at) for kind, sender, at in mail]
    simulation.run(86_400)
    assert all(message.done for message in messages)
    assert sum(map(len, simulation.tally.delays.values())) == len(messages)
    assert simulation.scheduler.idle
    assert simulation.scheduler.backlog() == {"waiting": 0, "active": 0, "sessions": 0}
    assert simulation.tally.most_active <= active
    assert Counter(message.state for message in messages).total() == len(messages)


def test_destinations_are_forgotten_when_nothing_is_the_matter_with_them() -> None:
    """After an hour, and at once where there are very many; one that is down is remembered."""
    simulation = Simulation({f"d{nth}": FAST for nth in range(200)} | {"hole": HOLE})
    for key in simulation.hosts:
        simulation.put(key)
    simulation.run(300)
    assert len(simulation.scheduler.destinations) == 201
    simulation.scheduler.plan(START + 4000)
    assert [*simulation.scheduler.destinations] == ["hole"]
