"""A filter with its turn, its time and its trouble: asked of so many messages at once, and what follows where it does not answer.

A failure is put off or passed over as the operator has said (`health`), and told as an alarm, once when it begins and once when mail is
taken without the filter; the first answer ends both. A message that finds no turn in time says nothing about the filter. One that is
larger than the filter takes is not given to it: it is not looked at, which is neither a failure nor clean.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from mailer.events import Alarm, Mended
from mailer.net.os_error import reason_of
from mailer.scan.opinion import Opinion, ScanError

from .health import FilterHealth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from mailer.config.sections.filtering import FilterSection
    from mailer.events import Event
    from mailer.io.clock import Clock

UNCHECKED = "unchecked"


def alarm_keys(name: str) -> tuple[str, str]:
    """The keys of the alarms about a filter: that it fails, and that mail is taken without it."""
    return name, f"{name} {UNCHECKED}"


class FilterFailure(Exception):
    """A filter has not answered; `str()` says why. With `waits` mail is put off for that."""

    def __init__(self, why: str, *, waits: bool) -> None:
        super().__init__(why)
        self.waits = waits


class FilterFinding(NamedTuple):
    """What came of asking the filter called `name`: its `opinion`; where it has none, `failure` says why."""

    name: str
    opinion: Opinion = Opinion()
    failure: FilterFailure | None = None


class AttendedFilter:
    """What all sessions share of one filter, as `section` has it."""

    def __init__(self, section: FilterSection, tell: Callable[[Event], None], clock: Clock) -> None:
        self.section = section
        self.health = FilterHealth(section.patience or 0.0)
        self._tell = tell
        self._clock = clock
        self._turns = asyncio.Semaphore(section.at_once)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.section.name

    @property
    def _place(self) -> str:
        return f"{self.name} at {self.section.address}" if self.section.address else self.name

    def too_large(self, octets: int) -> str:
        """Why a message of so many octets is not given to it; empty if it is."""
        most = self.section.max_size
        return f"larger than {most} octets, the most that {self.name} is given" if most is not None and octets > most else ""

    async def find(self, octets: int, until: float, ask: Callable[[], Awaitable[Opinion]]) -> FilterFinding:
        """What comes of `ask`, which is about a message of so many octets and ends by `until`. Raises nothing of the filter's."""
        if why := self.too_large(octets):
            return FilterFinding(self.name, Opinion(unscanned=why))
        try:
            async with self.attended(until, self.section.timeout):
                return FilterFinding(self.name, await ask())
        except FilterFailure as failure:
            return FilterFinding(self.name, failure=failure)

    @asynccontextmanager
    async def attended(self, until: float, seconds: float | None = None, *, whole: bool = True) -> AsyncIterator[None]:
        """A turn with the filter, for `seconds` if they are given, and in any case until the event loop's clock shows `until`.

        Where that is not the `whole` that the filter is asked about a message, an answer ends no outage. Raises `FilterFailure` for
        whatever the filter does wrong meanwhile, and where no turn comes in time.
        """
        try:
            async with asyncio.timeout_at(until):
                await self._turns.acquire()
        except TimeoutError:
            raise FilterFailure("it had no turn in time: too many messages are looked at", waits=self._waits()) from None
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(until if seconds is None else min(until, now + seconds)):
                yield
        except TimeoutError:
            raise self._failed("it does not answer in time") from None
        except (OSError, ScanError) as error:
            raise self._failed(reason_of(error)) from None
        finally:
            self._turns.release()
        if whole:
            self.answered()

    def _waits(self) -> bool:
        return self.section.on_failure == "tempfail" and self.health.waits(monotonic())

    def _failed(self, why: str) -> FilterFailure:
        news = self.health.failed(monotonic(), why)
        if news == "fails":
            becomes = "is put off" if self._waits() else "is taken, and marked as not looked at by it"
            self._alarm(f"the filter {self._place} fails, and mail {becomes}: {why}", self.name)
        elif news == "passed over" and self.section.on_failure == "tempfail":
            text = (
                f"the filter {self._place} has failed for longer than its patience: mail is taken, and marked as not looked at by it: {why}"
            )
            self._alarm(text, alarm_keys(self.name)[1])
        return FilterFailure(why, waits=self._waits())

    def answered(self) -> None:
        """Note that the filter has said what it thinks."""
        if self.health.answered():
            for key in alarm_keys(self.name):
                self._tell(Mended(self._clock.now(), "filter", key, "it answers"))

    def _alarm(self, text: str, key: str) -> None:
        self._tell(Alarm(self._clock.now(), "filter", text, key))
