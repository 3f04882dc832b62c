"""The record of logins: heard at once, written down together, and bounded whatever strangers do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from mailer.accounts.sessions import record as module
from mailer.accounts.sessions.api import LoginLine
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.sessions.record import AGAIN, TOO_MANY, LoginRecord
from mailer.events import NO_ADDRESS, Alarm, Event, LoggedIn, LoginFailed
from mailer.mail.arrival import Arrival
from mailer.mail.problem import Problem

NOW = 1_800_000_000.0
ANN = "ann@example.com"


class Kept(MemorySessions):
    """What counts the lines that it is given, and fails while it is told to."""

    failing = False
    lines = 0

    async def note(self, logins: Sequence[LoginLine]) -> None:
        """As it has it."""
        if self.failing:
            raise Problem("the disk is gone", "io-error")
        self.lines += len(logins)
        await super().note(logins)


class Process:
    """A process with a record, at a time that a test says."""

    def __init__(self) -> None:
        self.now, self.sessions, self.told = NOW, Kept(), list[Event]()
        self.record = LoginRecord(self.sessions, lambda: self.now, self.told.append)

    def hear(self, user: str = ANN, reason: str = "", app: str = "") -> None:
        """Somebody logs in, or is not let in for a reason."""
        if reason:
            self.record.told(LoginFailed(self.now, Arrival("submission", "192.0.2.1"), user, "PLAIN", reason))
        else:
            self.record.told(LoggedIn(self.now, Arrival("submission", "192.0.2.1", user=user), "PLAIN", app))

    async def lines(self, user: str = "") -> list[tuple[str, str, int]]:
        """What is written down."""
        await self.record.write()
        return [(each.user, each.app or each.why, each.many) for each in await self.sessions.logins(user, limit=10_000)]


def done(scenario: Callable[[Process], Awaitable[None]]) -> None:
    asyncio.run(scenario(Process()))  # type: ignore[arg-type]


def test_logins_are_written_down_with_what_is_known_of_them() -> None:
    """Those that led in with the password, the others with the reason; what is no address is not repeated, for it may be a password."""

    async def scenario(process: Process) -> None:
        process.hear(app="phone")
        process.hear(reason="wrong name or password")
        process.hear("correct horse", "wrong name or password")
        process.hear("x" * 500 + "@example.com", "wrong name or password")
        said = await process.lines()
        assert (ANN, "phone", 1) in said
        assert (ANN, "wrong name or password", 1) in said
        assert (NO_ADDRESS, "wrong name or password", 1) in said
        assert max(len(user) for user, _, _ in said) == 254
        assert "correct horse" not in repr(said)

    done(scenario)


def test_a_program_that_logs_in_all_the_time_is_a_line_a_minute() -> None:
    """The first login is written down at once, those after it together, and all when the process ends."""

    async def scenario(process: Process) -> None:
        for _ in range(100):
            process.hear()
            await process.record.write()
            process.now += 1
        assert process.sessions.lines == 2
        await process.record.write(all=True)
        assert await process.lines() == [(ANN, "", 100)]
        assert (await process.sessions.used([ANN]))[0][0].at == process.now - 1
        process.now += AGAIN
        process.hear()
        assert await process.lines() == [(ANN, "", 101)]

    done(scenario)


def test_who_fails_with_many_names_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number they are counted together; who gets in is written down all the same."""
    monkeypatch.setattr(module, "MOST", 3)

    async def scenario(process: Process) -> None:
        for number in range(10):
            process.hear(f"{number}@example.com", "wrong")
        process.hear()
        said = await process.lines()
        assert (NO_ADDRESS, TOO_MANY, 7) in said
        assert (ANN, "", 1) in said
        assert len(said) == 5

    done(scenario)


def test_a_file_that_fails_is_an_alarm_and_forgets_nothing() -> None:
    """What could not be written down is written down later, together with what came meanwhile."""

    async def scenario(process: Process) -> None:
        process.sessions.failing = True
        process.hear()
        assert await process.lines() == []
        [alarm] = process.told
        assert isinstance(alarm, Alarm)
        assert "the disk is gone" in alarm.detail
        process.hear()
        process.sessions.failing = False
        assert await process.lines() == [(ANN, "", 2)]

    done(scenario)
