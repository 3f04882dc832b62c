"""Messages that somebody sends again and again in the name of who signed them."""

from __future__ import annotations

import asyncio

from mailer.filtering.replays import HOUR, OFTEN, ReplayWatch
from mailer.mail.arrival import Arrival
from tests.dkim.keys import NOW
from tests.filtering.letters import RECORDS, letter, signed
from tests.filtering.scene import Scene, ToldDns

ZONE = {question: tuple(texts) for question, texts in RECORDS.items()}
SMALL = {"often": 5, "many": 2}


def seen(watch: ReplayWatch, times: int, networks: int, mark: str = "AAAA", now: float = 0.0) -> int:
    """How often it is told, where a signature comes so often and from so many networks."""
    return sum(watch.seen("legit.test", mark, f"192.0.{number % networks}.{number % 250}", now) for number in range(times))


def test_often_and_from_many_networks_is_told_once() -> None:
    """The sixth time, if it comes from a third network by then."""
    assert seen(ReplayWatch(**SMALL), 100, 3) == 1
    assert seen(ReplayWatch(**SMALL), 5, 3) == 0


def test_a_list_is_no_replay() -> None:
    """One message for very many of our users, from the hosts of one network or two."""
    assert seen(ReplayWatch(**SMALL), 1000, 2) == 0


def test_each_signature_is_counted_by_itself() -> None:
    """Other mail of the same domain is other mail."""
    watch = ReplayWatch(**SMALL)
    assert sum(seen(watch, 5, 5, mark=f"{number}") for number in range(20)) == 0


def test_an_hour_later_it_begins_anew() -> None:
    """What came in the last hour does not count, and what goes on is told again."""
    watch = ReplayWatch(**SMALL)
    assert [seen(watch, 5, 5, now=hour * HOUR) for hour in range(3)] == [0, 0, 0]
    assert [seen(watch, 10, 5, now=hour * HOUR) for hour in range(3, 5)] == [1, 1]


def test_a_clock_that_is_set_back_does_no_harm() -> None:
    """A time before the hour began begins another."""
    watch = ReplayWatch(**SMALL)
    seen(watch, 5, 5, now=10 * HOUR)
    assert seen(watch, 5, 5, now=0.0) == 0


def test_what_is_kept_has_an_end() -> None:
    """Of more signatures than there is room for, the one that began longest ago is forgotten."""
    watch = ReplayWatch(**SMALL, most=3)
    seen(watch, 5, 5, mark="first")
    for number in range(3):
        seen(watch, 1, 1, mark=f"{number}")
    assert seen(watch, 5, 5, mark="first") == 0


def test_a_person_is_told() -> None:
    """A signed message that a hundred hosts bring is an alarm with the domain in whose name it comes."""
    scene, content = Scene(dns=ToldDns(ZONE)), signed(letter("From: ann@legit.test"), "legit.test")

    scene.clock.time = NOW

    async def main() -> None:
        for number in range(OFTEN + 1):
            await scene.judged(content, arrival=Arrival("mx", f"198.51.{number}.7"))

    asyncio.run(main())
    assert scene.alarms == [("Alarm", "legit.test")]
