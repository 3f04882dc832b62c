"""Traces as a part of the daemon: begun, changed by a reload, ended; with a collector that reads what it is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailer.alarms.book import AlarmBook
from mailer.config import Config
from mailer.config.sections.daemon import TraceSection
from mailer.events import AlarmBegun, AlarmOver, Event, Events, Tried
from mailer.mail.problem import Problem
from mailer.tracing import component, tracer
from mailer.tracing.component import Traces
from tests.fakes.collector import Collector, collecting
from tests.fakes.mail import NOW, FakeClock, entry_of, outcome
from tests.fakes.processes import wait_until
from tests.fakes.sockets import closed_port


class Ears:
    """Who hears of alarms."""

    def __init__(self) -> None:
        self.alarms: list[Event] = []

    def told(self, event: Event) -> None:
        if isinstance(event, AlarmBegun | AlarmOver):
            self.alarms.append(event)


def bug(error: Exception) -> None:
    raise error


def config(endpoint: str, **more: Any) -> Config:
    """One that has all of them sent there."""
    return Config(trace=TraceSection(endpoint=endpoint, **({"sample": 1.0} | more)))


def made(settings: Config) -> tuple[Traces, Ears]:
    """The component, and who hears of what it tells."""
    ears = Ears()
    return Traces(settings, Events([ears], bug, AlarmBook()), FakeClock(), "1.2"), ears


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer, "GATHER", 0.0)
    monkeypatch.setattr(tracer, "PAUSE", 0.0)


def tell(traces: Traces) -> None:
    """A message was delivered."""
    traces.events.tell(Tried(NOW, entry_of(), [outcome(seconds=1.0)]))


async def taken(collector: Collector, count: int) -> None:
    """Wait until it has so many."""
    await asyncio.to_thread(collector.wait, lambda: len(collector.roots()) >= count)


def test_without_a_collector_nobody_listens() -> None:
    """No thread, no listener; a reload brings both, and takes them away."""

    async def scenario() -> None:
        with collecting() as collector:
            traces, _ = made(Config())
            await traces.start()
            assert len(traces.events.listeners) == 1
            with traces.reload(config(collector.endpoint)):
                pass
            tell(traces)
            await taken(collector, 1)
            assert collector.resources[0]["service.version"] == "1.2"
            with traces.reload(Config()):
                pass
            assert len(traces.events.listeners) == 1
            await traces.stop(1.0)

    asyncio.run(scenario())


def test_a_reload_may_choose_otherwise_or_elsewhere() -> None:
    """What was sent and dropped is counted on."""

    async def scenario() -> None:
        with collecting() as first, collecting() as second:
            traces, _ = made(config(first.endpoint))
            await traces.start()
            tell(traces)
            await taken(first, 1)
            with traces.reload(config(first.endpoint, sample=0.0)):
                pass
            tell(traces)
            with traces.reload(config(second.endpoint)):
                pass
            tell(traces)
            await taken(second, 1)
            await traces.stop(60.0)
            assert (len(first.roots()), len(second.roots())) == (1, 1)
            assert traces.counts()["dropped"] == 0
            assert traces.counts()["sent"] in (1, 2)  # the first was counted when its answer came, if it had by then

    asyncio.run(scenario())


def test_a_collector_that_is_down_is_one_alarm_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which says where, why, and that mail goes on."""
    monkeypatch.setattr(tracer, "REST", (0.0, 0.0))

    async def scenario() -> None:
        with collecting() as collector:
            collector.answers = 400
            traces, ears = made(config(collector.endpoint))
            await traces.start()
            for count in (1, 2):
                tell(traces)
                await asyncio.to_thread(wait_until, "it is dropped", lambda: traces.counts()["dropped"] >= count)  # noqa: B023
            collector.answers = 200
            tell(traces)
            await taken(collector, 1)
            await traces.stop(60.0)
            await asyncio.sleep(0)
            begun, over = ears.alarms
            assert isinstance(begun, AlarmBegun)
            assert isinstance(over, AlarmOver)
            assert begun.alarm.text.startswith(f"the collector at {collector.endpoint} takes no traces (")
            assert traces.counts() == {"sent": 1, "dropped": 2}

    asyncio.run(scenario())


def test_what_is_missing_refuses_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing has changed."""
    monkeypatch.setattr(component, "find_spec", lambda _: None)

    async def scenario() -> None:
        traces, _ = made(Config())
        await traces.start()
        with pytest.raises(Problem, match=r"pip install 'mailer-mta\[otel\]'") as caught, traces.reload(config("http://a.example/v1")):
            pass
        assert caught.value.kind == "bad-config"
        await traces.stop(1.0)

    asyncio.run(scenario())


def test_the_end_does_not_wait_for_who_says_nothing() -> None:
    """Nor for who is not there."""

    async def scenario() -> None:
        with collecting() as collector:
            collector.answers = 0
            for endpoint in (collector.endpoint, f"http://127.0.0.1:{closed_port()}/v1/traces"):
                traces, _ = made(config(endpoint))
                await traces.start()
                tell(traces)
                async with asyncio.timeout(60):
                    await traces.stop(0.0)

    asyncio.run(scenario())
