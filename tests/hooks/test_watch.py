"""What the daemon tells of endpoints: an alarm with a beginning and an end for each, and figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mailer.alarms.book import AlarmBook
from mailer.config import Config
from mailer.events import Alarm, AlarmBegun, AlarmOver, Event, Mended
from mailer.hooks.endpoint import EndpointState
from mailer.hooks.memory import MemoryHookStore
from mailer.hooks.view import LATE, LATELY
from mailer.hooks.watch import HookWatch
from mailer.io.component import Chores
from mailer.journal.api import Behind
from mailer.journal.memory import MemoryJournal
from tests.hooks.endpoints import START, event, webhook
from tests.hooks.test_store import dead


class Watched:
    """A watch over one endpoint, whose state a test sets; `alarms` are what its book told."""

    def __init__(self) -> None:
        self.at = START
        self.journal, self.store, self.book = MemoryJournal(), MemoryHookStore(), AlarmBook()
        self.alarms: list[AlarmBegun | AlarmOver] = []
        config = Config(webhooks=(webhook(),))
        self.watch = HookWatch(config, self.journal, self.store, self._tell, self, Chores(lambda _: None, lambda _: None))

    def now(self) -> float:
        return self.at

    def _tell(self, event: Event) -> None:
        assert isinstance(event, Alarm | Mended)
        if told := self.book.heard(event):
            self.alarms.append(told)

    def look(self, state: EndpointState, prepare: Callable[[], object] = lambda: None) -> list[str]:
        """The texts of the alarms that began or ended since."""
        before = len(self.alarms)

        async def run() -> None:
            await self.store.note("shop", state)
            prepare()
            await self.watch.look()

        asyncio.run(run())
        return [f"{'begun' if isinstance(each, AlarmBegun) else 'over'} {each.alarm.text}" for each in self.alarms[before:]]


def behind(seconds: float) -> Callable[[str], object]:
    async def asked(_: str) -> Behind:
        return Behind(7, seconds)

    return asked


def test_an_endpoint_that_is_an_hour_behind_is_an_alarm() -> None:
    """It begins once, says why, and is over when the endpoint has caught up."""
    one = Watched()
    state = EndpointState(failures=4, since=START, until=START + 1800, why="it answered 500")
    one.journal.behind = behind(LATE - 1)  # type: ignore[method-assign,assignment]
    assert one.look(state) == []
    one.journal.behind = behind(LATE + 1)  # type: ignore[method-assign,assignment]
    assert one.look(state) == ["begun shop: it has not had 7 events, the oldest of which is 1.0 h old: it answered 500"]
    assert one.look(state) == []
    one.journal.behind = behind(0.0)  # type: ignore[method-assign,assignment]
    assert [text.split()[0] for text in one.look(EndpointState(good_at=START))] == ["over"]


def test_an_endpoint_that_is_switched_off_is_an_alarm() -> None:
    """Until it is switched on."""
    one = Watched()
    (begun,) = one.look(EndpointState().switched_off("it answered 410", START))
    assert begun == "begun shop: it is switched off: it answered 410; mailer hooks enable shop"
    assert len(one.look(EndpointState())) == 1


def test_events_that_were_refused_for_good_are_an_alarm_for_a_day() -> None:
    """Somebody should look at them while he knows what he changed."""
    one = Watched()
    asyncio.run(one.store.bury("shop", [dead(1)]))
    state = EndpointState(dead=1, dead_at=START, why="it answered 422")
    assert len(one.look(state)) == 1
    one.at += LATELY + 1
    assert [text.split()[0] for text in one.look(state)] == ["over"]


def test_an_endpoint_that_is_configured_no_more_is_in_no_trouble() -> None:
    """Its alarm ends with the reload."""
    one = Watched()
    one.look(EndpointState().switched_off("by hand", START))
    with one.watch.reload(Config()):
        pass
    assert isinstance(one.alarms[-1], AlarmOver)
    assert not one.watch.views


def test_what_is_seen_is_there_for_figures() -> None:
    """How far it is behind, from its cursor."""
    one = Watched()
    asyncio.run(one.journal.append([event(number) for number in range(5)]))
    one.look(EndpointState(posted=3))
    (view,) = one.watch.views
    assert (view.behind, view.kept.posted, view.up, view.state) == (5, 3, True, "behind" if view.seconds > LATE else "new")
