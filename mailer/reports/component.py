"""The mailboxes as a part of the daemon: each is looked into every so often, beside the others, and whatever ails one is told once.

A mailbox that is in trouble waits longer and longer, from a minute to half an hour, and its alarm (``mailbox``) ends with the first look
that goes well. One that has more than a look takes is looked into again at once, unless `IN_VAIN` looks in a row have found no report:
a mailbox with more letters than can be remembered would be read for ever. When the configuration changes, those whose sections
are what they were go on, in the middle of a look, too.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io.component import Component
from mailer.limits.backoff import pause
from mailer.mail.problem import Problem

from .configured import source_of, taker_of
from .sources import A_LOOK, REMEMBERED, SourceTrouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailer.config import Config
    from mailer.config.sections.report_source import ReportSource
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores

    from .api import Reports
    from .sources import MailboxLooked, MailboxSource, ReportTaker

FIRST = 60.0  # seconds after the first trouble
LONGEST = 1800.0  # seconds between two tries
SWEEP_EVERY = 3600.0  # seconds
IN_VAIN = REMEMBERED // A_LOOK  # looks: by then all that is remembered of a mailbox is new


class ReportSources(Component):
    """Looks into the mailboxes of `config`, and takes reports into `reports`.

    `arrived` is called when there are new ones; `random` gives 0.0 to 1.0, so that many machines do not come at one moment. With `once`
    each is looked into once, and what fails is told and left to the next pass.
    """

    def __init__(
        self,
        config: Config,
        reports: Reports,
        tell: Callable[[Event], None],
        clock: Clock,
        arrived: Callable[[], object],
        random: Callable[[], float],
        *,
        once: bool = False,
    ) -> None:
        self._config = config
        self._reports = reports
        self._tell = tell
        self._clock = clock
        self._arrived = arrived
        self._random = random
        self._once = once
        self._tasks: dict[str, tuple[tuple[object, ...], asyncio.Task[None]]] = {}

    async def start(self) -> None:
        """Look into each for the first time, and wait for none."""
        self._take(self._config)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Begin with what is new or is another now, and end what is asked for no more."""
        yield
        self._take(config)

    async def looked(self) -> None:
        """With `once`: wait until each was looked into."""
        await asyncio.gather(*(task for _, task in self._tasks.values()))

    async def stop(self, _grace: float) -> None:
        """End them. What was fetched and not taken comes again."""
        tasks = [task for _, task in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, config: Config) -> None:
        self._config = config
        wanted = {each.name: (each, config.tls, config.bounce.address) for each in config.report_sources}
        for name, (terms, task) in [*self._tasks.items()]:
            if wanted.get(name) != terms:
                task.cancel()
                del self._tasks[name]
                if name not in wanted:
                    self._mended(name, "it is asked for no more")
        for name, terms in wanted.items():
            if name not in self._tasks:
                self._tasks[name] = terms, asyncio.create_task(self._watch(terms[0], config))

    async def _watch(self, section: ReportSource, config: Config) -> None:
        """Look into one, for ever, or once."""
        source, taker = source_of(section, config), taker_of(section, config, self._reports, self._clock.now)
        failures = in_vain = 0
        while True:
            looked = await self._look(section, source, taker)
            failures = 0 if looked else failures + 1
            in_vain = in_vain + 1 if looked is not None and looked.more and not looked.taken else 0
            if looked is not None and looked.more and in_vain < IN_VAIN:
                continue
            if self._once:
                return
            in_vain = 0
            await asyncio.sleep(section.poll if looked else max(pause(failures, FIRST, 2.0, LONGEST, self._random), section.poll))

    async def _look(self, section: ReportSource, source: MailboxSource, taker: ReportTaker) -> MailboxLooked | None:
        """One look; None where it failed, which is told."""
        try:
            looked = await source.look(taker)
        except (SourceTrouble, Problem) as trouble:
            self._tell(Alarm(self._clock.now(), "mailbox", f"{section.name} ({section.place}): {trouble}", section.name))
            return None
        except OSError as error:  # of our own disk
            text = f"{section.name}: reports cannot be kept: {error.filename or ''} {error.strerror or error}"
            self._tell(Alarm(self._clock.now(), "mailbox", text, section.name))
            return None
        except Exception as error:  # a bug of ours must not end the others
            self._tell(Alarm.of(self._clock.now(), error))
            return None
        if looked.larger:
            text = f"{section.name}: {looked.larger} messages are larger than max_report and were left in {section.place}"
            self._tell(Alarm(self._clock.now(), "mailbox", text, f"{section.name} larger"))
        if looked.taken:
            self._arrived()
        self._mended(section.name, "it was looked into again")
        return looked

    def _mended(self, name: str, how: str) -> None:
        self._tell(Mended(self._clock.now(), "mailbox", name, how))


class ReportSweep(Component):
    """What was settled long ago goes, once an hour, while the clock is `believed`; what nobody has acted upon stays."""

    def __init__(self, config: Config, reports: Reports, clock: Clock, chores: Chores, believed: Callable[[], bool]) -> None:
        self._config = config
        self._reports = reports
        self._clock = clock
        self._believed = believed
        chores.every(SWEEP_EVERY, self._sweep, what="old reports could not be deleted")

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Let another retention hold."""
        yield
        self._config = config

    async def _sweep(self) -> None:
        if self._believed():
            await self._reports.sweep(self._clock.now(), self._config.bounce.report_retention)
