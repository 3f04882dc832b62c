"""Rates: never more than they say in any stretch of time, and nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.limits.rate import Bucket, RateExceeded, Room, TokenBucket
from mailer.shaping.table import Throttle

T0 = 1_800_000_000.0
RATES = st.tuples(st.integers(1, 5000), st.sampled_from([1.0, 60.0, 3600.0, 86_400.0]))
WAITS = st.lists(st.one_of(st.just(0.0), st.floats(0, 5), st.floats(0, 4000)), min_size=1, max_size=150)


def begun(bucket: Bucket, waits: list[float], counts: list[int]) -> list[tuple[float, int]]:
    """Who begins when: each comes some time after the one before, and waits until he may."""
    now, found = T0, []
    for wait, count in zip(waits, counts, strict=False):
        now = max(now + wait, bucket.ready(now + wait))
        assert bucket.ready(now) <= now  # whoever waited as long as he was told may begin
        bucket.took(now, count)
        found.append((now, count))
    return found


def most(found: list[tuple[float, int]], per: float) -> int:
    """The most that began in any stretch of `per` seconds."""
    return max(sum(count for at, count in found if start <= at < start + per * (1 - 1e-9)) for start, _ in found)


@given(RATES, WAITS)
def test_no_stretch_of_time_has_more(rate: tuple[int, float], waits: list[float]) -> None:
    """However they come, in no minute (hour, day) do more begin than the rate says."""
    number, per = rate
    assert most(begun(Bucket(number, per), waits, [1] * len(waits)), per) <= number


@given(RATES, WAITS, st.lists(st.integers(1, 100), min_size=150, max_size=150))
def test_what_is_worth_many(rate: tuple[int, float], waits: list[float], counts: list[int]) -> None:
    """A message for many may pass the limit by what it has more than one recipient, and those behind it wait for it."""
    number, per = rate
    assert most(begun(Bucket(number, per), waits, counts), per) < number + max(counts)


@given(RATES)
def test_nobody_starves(rate: tuple[int, float]) -> None:
    """Whoever always has something to send gets nearly all that he is allowed, evenly."""
    number, per = rate
    bucket = Bucket(number, per)
    times = [at for at, _ in begun(bucket, [0.0] * 300, [1] * 300)]
    assert times[-1] - times[0] <= 300 * per / (number * 0.95)
    gaps = [after - before for before, after in zip(times[len(times) // 2 :], times[len(times) // 2 + 1 :], strict=False)]
    assert max(gaps) - min(gaps) < 1e-3 + per / number * 0.1


def test_a_late_timer_loses_nothing() -> None:
    """A hundred in a second leave also where each timer comes three hundredths of a second late."""
    bucket, now = Bucket(100, 1.0), T0
    begun = 0
    while now < T0 + 10:
        now = max(now, bucket.ready(now)) + 0.03
        while bucket.ready(now) <= now:
            bucket.took(now)
            begun += 1
    assert 900 <= begun <= 1000


def test_the_first_ones_do_not_come_in_a_heap() -> None:
    """After a night without mail there is no burst of an hour's worth: one, and then one by one."""
    bucket = Bucket(2000, 3600.0)
    assert bucket.ready(T0) == T0
    bucket.took(T0)
    assert round(bucket.ready(T0) - T0, 3) == 1.8


def test_a_clock_that_is_set() -> None:
    """Set back, it makes nobody wait until it is there again; set forward, it gives one slack and no more."""
    bucket = Bucket(60, 60.0)
    bucket.took(T0)
    assert bucket.ready(T0 - 7200) <= T0 - 7200 + 1
    bucket.took(T0 - 7200)
    assert bucket.ready(T0 + 7200) == T0 + 7200
    for _ in range(2):
        bucket.took(T0 + 7200)
    assert bucket.ready(T0 + 7200) > T0 + 7200


def test_another_rate_keeps_what_was_measured() -> None:
    """A reload does not give the whole minute again."""
    bucket = Bucket(1, 60.0)
    bucket.took(T0)
    bucket.change(2, 60.0)
    assert bucket.ready(T0) == T0 + 60
    bucket.took(T0 + 60)
    assert bucket.ready(T0 + 60) == T0 + 90


def test_slow() -> None:
    """Half as much for a while, then all of it again; what is everybody's is not slowed."""
    own, everybody = Bucket(10, 60.0), Bucket(10, 60.0, everybody=True)
    throttle = Throttle([own, everybody])
    throttle.slow(T0 + 100)
    throttle.took(T0, 1)
    assert (own.ready(T0), everybody.ready(T0)) == (T0 + 12, T0 + 6)
    throttle.took(T0 + 100, 1)
    assert throttle.ready(T0 + 100, 1) == T0 + 106


def test_reports_wait_for_nothing() -> None:
    """A message that counts nothing may begin at once, and takes nothing from the others."""
    throttle = Throttle([Bucket(1, 86_400.0)])
    throttle.took(T0, 1)
    assert throttle.ready(T0, 1) == T0 + 86_400
    assert throttle.ready(T0, 0) == T0
    throttle.took(T0, 0)
    assert throttle.ready(T0, 1) == T0 + 86_400


def test_the_slowest_limit_counts() -> None:
    """What is in two limits waits for both, and is counted in both."""
    throttle = Throttle([Bucket(1, 1.0), Bucket(1, 60.0)], [Bucket(1, 60.0)])
    throttle.took(T0, 1)
    assert throttle.ready(T0, 1) == T0 + 60
    assert throttle.ready_connection(T0) == T0
    throttle.opened(T0)
    assert throttle.ready_connection(T0) == T0 + 60


def test_connections_that_were_not_opened_or_twice() -> None:
    """Who goes on with one that waited gives back what he took; who had to call two hosts takes more."""
    throttle = Throttle((), [Bucket(10, 60.0)])
    throttle.opened(T0)
    throttle.dialled(T0, 1)
    assert throttle.ready_connection(T0) == T0 + 6
    throttle.dialled(T0, 0)
    assert throttle.ready_connection(T0) == T0
    throttle.opened(T0)
    throttle.dialled(T0, 2)
    assert throttle.ready_connection(T0) == T0 + 12


def test_sessions_that_end_under_other_terms() -> None:
    """A reload that changes who shares room with whom loses no place and gains none."""
    old, new = Room(5), Room(5)
    before, after = Throttle(rooms=[old]), Throttle(rooms=[new])
    for _ in range(3):
        before.opened(T0)
    after.move_in(before, 3)
    after.closed()
    assert (old.taken, new.taken) == (0, 2)


def test_room() -> None:
    """Two that share room for one: the second is asked to come again, until the first has left."""
    room = Room(1)
    first, second = Throttle(rooms=[room]), Throttle(rooms=[room])
    first.opened(T0)
    assert second.ready_connection(T0) > T0
    first.closed()
    assert second.ready_connection(T0) == T0


def test_no_limit_at_all() -> None:
    """Then everything may begin now."""
    throttle = Throttle()
    throttle.took(T0, 5)
    throttle.opened(T0)
    assert (throttle.ready(T0, 5), throttle.ready_connection(T0)) == (T0, T0)


def test_who_has_no_place_comes_first() -> None:
    """Of those who share room, one that has several sessions leaves one to another that has none, and does not take it back."""
    room = Room(3)
    many, none = Throttle(rooms=[room]), Throttle(rooms=[room])
    for _ in range(3):
        many.opened(T0)
    assert not many.should_yield(T0)
    assert none.ready_connection(T0) > T0
    assert many.should_yield(T0)
    many.closed()
    assert not many.should_yield(T0)
    assert many.ready_connection(T0) > T0
    assert none.ready_connection(T0 + 1) == T0 + 1
    none.opened(T0 + 1)
    assert not many.should_yield(T0 + 1)
    none.closed()
    assert many.ready_connection(T0 + 2) == T0 + 2


def test_a_place_is_not_kept_for_ever() -> None:
    """Who does not ask again has gone elsewhere."""
    room = Room(1)
    one, other = Throttle(rooms=[room]), Throttle(rooms=[room])
    one.opened(T0)
    assert other.ready_connection(T0) > T0
    one.closed()
    assert one.ready_connection(T0 + 1) > T0 + 1
    assert one.ready_connection(T0 + 60) == T0 + 60


def test_a_burst_and_then_one_by_one() -> None:
    """As many at once as the bucket holds, then each when its token has come."""
    bucket = TokenBucket(2, 10.0)
    assert [bucket.reserve(100.0) for _ in range(4)] == [0, 0, 5, 10]
    assert bucket.wait(100.0) == 15
    assert bucket.reserve(115.0) == 0


def test_a_turn_that_is_not_used_is_somebody_elses() -> None:
    """Giving back makes the wait of the next one shorter."""
    bucket = TokenBucket(1, 1.0)
    bucket.reserve(0.0)
    bucket.reserve(0.0)
    bucket.give_back()
    assert bucket.wait(0.0) == 1.0


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5), st.floats(0.5, 20))
def test_never_more_than_the_limit(gaps: list[float], size: int, window: float) -> None:
    """In no window are there more turns than twice the size (a full bucket and what flows in), and they come in order."""
    bucket = TokenBucket(size, window)
    now, turns = 0.0, []
    for gap in gaps:
        now += gap
        turns.append(now + bucket.reserve(now))
    assert turns == sorted(turns)
    for start in turns:
        assert sum(start <= turn < start + window - 1e-6 for turn in turns) <= 2 * size


def test_a_turn_is_waited_for_as_long_as_one_has_patience() -> None:
    """Longer ones are refused, with the time after which it is worth asking again; one that is cut short is somebody else's."""
    bucket = TokenBucket(1, 10.0, "messages")
    slept: list[float] = []

    async def sleep(seconds: float) -> bool:
        slept.append(seconds)
        return len(slept) > 1

    async def scenario() -> None:
        assert await bucket.turn(100.0, 0.0, sleep)
        with pytest.raises(RateExceeded, match=r"^more than 1 messages in 10 s$") as refused:
            await bucket.turn(102.0, 7.0, sleep)
        assert refused.value.after == 8.0
        assert not await bucket.turn(102.0, 8.0, sleep)
        assert await bucket.turn(102.0, 8.0, sleep)
        assert slept == [8.0, 8.0]

    asyncio.run(scenario())
