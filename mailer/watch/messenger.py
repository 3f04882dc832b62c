"""The messenger: tells a person of alarms by another way than the log, each beginning once, and each end of what was told.

An alarm is told when it has been open for ``alarm.after``, so that what passes by itself wakes nobody; what is only good to know is not
told. What begins and ends over and over is told once in `AGAIN` seconds. What nobody took is tried again, later each time, as long as
it is true; that it could not be told is a line in the log.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Daemon
from mailer.io.component import Component
from mailer.mail.problem import Problem

from . import letter, program
from .notice import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.alarms.book import AlarmBook
    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.io.component import Chores
    from mailer.mail.alarm import AlarmKind

LOOK = 2.0  # seconds between two looks at what is to be told
AGAIN = 3600.0  # seconds before the same alarm is told another time
FIRST, LONGEST = 30.0, 900.0  # seconds before what nobody took is tried again: at first, and at most
KEPT = 100  # notices that wait to be told
STALE = 86400.0  # seconds after which what is over is no news


class Messenger(Component):
    """Tells of the alarms in `book` as the configuration says, beside everything else. `tell` gets a line for the log when that fails."""

    def __init__(self, config: Config, book: AlarmBook, clock: SteadyClock, tell: Callable[[Event], None], chores: Chores) -> None:
        self._config = config
        self._book = book
        self._clock = clock
        self._tell = tell
        self._chores = chores
        self._given: set[tuple[AlarmKind, str]] = set()  # what is being told
        self._last: dict[tuple[AlarmKind, str], float] = {}
        self._mail = _Way()
        self._command = _Way()

    async def start(self) -> None:
        """Begin to look at the book."""
        self._chores.every(LOOK, self.look)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Tell others from now on; what could not be told is tried at once."""
        yield
        self._config = config
        self._mail.again = self._command.again = 0.0

    async def look(self) -> None:
        """Tell what is to be told. A bug in that ends nothing else."""
        try:
            await self._look()
        except Exception as error:
            self._tell(Daemon(self._clock.now(), "untold", f"{type(error).__name__}: {error}"))

    async def _look(self) -> None:
        section, now = self._config.alarm, self._clock.now()
        alarms = self._book.alarms
        ends = [*self._ended()]
        self._given &= {(alarm.kind, alarm.key) for alarm in alarms}  # more may have ended at once than are told
        if not (section.mail or section.command):
            return
        begins = [Notice(alarm) for alarm in alarms if not alarm.told and self._is_due(Notice(alarm), now)]
        if news := [*begins, *ends]:
            if section.mail and not self._config.sandbox.holds:  # from whose mail nobody outside is to get anything
                self._mail.wants(news)
            if section.command:
                self._command.wants(news)
            for notice in begins:
                place = notice.alarm.kind, notice.alarm.key
                self._last[place] = now
                self._given.add(place)
        await self._send(now)

    def _ended(self) -> Iterator[Notice]:
        """The ends of what was told, or is being told."""
        for over in self._book.ended():
            place = over.alarm.kind, over.alarm.key
            if over.alarm.told or place in self._given:
                yield Notice(over.alarm, over.at, over.detail)
            self._given.discard(place)

    def _is_due(self, notice: Notice, now: float) -> bool:
        alarm = notice.alarm
        place = alarm.kind, alarm.key
        last = self._last.get(place)
        if place in self._given:
            return False
        if last is not None and 0 <= now - last < AGAIN:
            return False
        return alarm.severity != "notice" and not 0 <= now - alarm.since < self._config.alarm.after

    def _is_news(self, notice: Notice, now: float) -> bool:
        """Whether it is true still, or began or ended not long ago."""
        alarm = notice.alarm
        return (not notice.over and self._book.has(alarm.kind, alarm.key)) or now - (notice.at or alarm.since) < STALE

    async def _send(self, now: float) -> None:
        if notices := self._mail.due(now):
            self._done(self._mail, notices, await self._by_mail(notices, now), now)
        if notices := self._command.due(now):
            for at, notice in enumerate(notices):
                why = await program.start(self._config.alarm.command, notice, self._config.hostname)
                self._done(self._command, notices[at:] if why else [notice], why, now)
                if why:
                    return

    async def _by_mail(self, notices: Sequence[Notice], now: float) -> str:
        try:
            return await letter.deliver(letter.written(notices, self._config, now), self._config, self._clock)
        except Problem as problem:
            return str(problem)
        except Exception as error:  # it is not to be lost by that
            return f"{type(error).__name__}: {error}"

    def _done(self, way: _Way, notices: Sequence[Notice], why: str, now: float) -> None:
        if not why:
            way.succeeded()
            for notice in notices:
                if not notice.over:
                    self._book.tell_of(notice.alarm)
            return
        if way.failed([notice for notice in notices if self._is_news(notice, now)], now):
            self._tell(Daemon(now, "untold", f"{notices[0].title}: {why}; it is tried again"))


class _Way:
    """One way of telling: what waits for it, and when it is tried again."""

    def __init__(self) -> None:
        self.again = 0.0
        self._waiting: list[Notice] = []
        self._wait = 0.0

    def wants(self, news: Sequence[Notice]) -> None:
        """Have `news` told."""
        self._waiting = [*self._waiting, *news][-KEPT:]

    def due(self, now: float) -> list[Notice]:
        """What is to be told now; it is taken."""
        if not self._waiting or 0 <= self.again - now <= LONGEST:
            return []
        notices, self._waiting = self._waiting, []
        return notices

    def succeeded(self) -> None:
        """It was told."""
        self._wait = self.again = 0.0

    def failed(self, notices: Sequence[Notice], now: float) -> bool:
        """It was not; returns whether that is the first time."""
        first = not self._wait
        self._wait = min(2 * self._wait or FIRST, LONGEST)
        self.again = now + self._wait
        self._waiting = [*notices, *self._waiting][-KEPT:]
        return first
