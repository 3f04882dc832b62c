"""Who is in at the doors of a process: written down behind its back, and shown out when somebody says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from mailer.accounts.sessions.api import ALIVE, Ending, UserSession
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.sessions.register import SessionRegister
from mailer.events import Alarm, Event, Mended
from mailer.mail.problem import Problem

NOW = 1_800_000_000.0
ANN = "ann@example.com"


class Kept(MemorySessions):
    """What counts how often it is written to, and fails while it is told to."""

    failing = False
    writes = 0

    async def keep(self, process: str, begun: Sequence[UserSession], over: Sequence[str], at: float) -> None:
        """As it has it."""
        self.writes += 1
        if self.failing:
            raise Problem("the disk is gone", "io-error")
        await super().keep(process, begun, over, at)

    async def endings(self, after: int) -> Sequence[Ending]:
        """As it has them."""
        if self.failing:
            raise Problem("the disk is gone", "io-error")
        return await super().endings(after)


class Process:
    """A process with a register, at a time that a test says."""

    def __init__(self) -> None:
        self.now, self.sessions, self.told, self.out = NOW, Kept(), list[Event](), list[str]()
        self.register = SessionRegister(self.sessions, "run", lambda: self.now, self.told.append)

    def enter(self, name: str = ANN, app: str = "", until: float = 0.0) -> str:
        """Somebody logs in."""
        who = name, "imap", "192.0.2.1", app
        return self.register.enter(*who, self.now, lambda: self.out.append(f"{name} {app}".strip()), until=until)

    async def written(self) -> list[str]:
        """Whose sessions can be seen."""
        await self.register.keep()
        return [each.user for each in await self.sessions.open(now=self.now)]


def done(scenario: Callable[[Process], Awaitable[None]]) -> None:
    asyncio.run(scenario(Process()))  # type: ignore[arg-type]


def test_a_brief_session_is_written_down_nowhere() -> None:
    """One that lasts is, and when it is over it is not any more; where nothing changes nothing is written."""

    async def scenario(process: Process) -> None:
        process.register.leave(process.enter())
        lasting = process.enter("bob@example.com")
        assert (await process.written(), process.sessions.writes) == ([], 0)
        process.now += 2
        assert await process.written() == await process.written() == ["bob@example.com"]
        assert process.sessions.writes == 1
        process.register.leave(lasting)
        process.register.leave(lasting)
        assert (await process.written(), process.sessions.writes) == ([], 2)

    done(scenario)


def test_a_process_says_that_it_is_alive_while_somebody_is_in() -> None:
    """So that nobody takes its sessions for those of one that has died; at its end there are none."""

    async def scenario(process: Process) -> None:
        process.enter()
        for _ in range(10):
            process.now += ALIVE / 2
            assert await process.written() == [ANN]
        await process.register.stop()
        assert await process.sessions.open(now=process.now) == []

    done(scenario)


def test_who_is_meant_is_shown_out_and_nobody_else() -> None:
    """Once; whether his session was written down or not. Who comes afterwards is in."""

    async def scenario(process: Process) -> None:
        process.enter()
        process.enter(app="phone")
        process.enter("bob@example.com")
        await process.sessions.end("ANN@example.com", process.now, app="phone")
        await process.register.look()
        assert process.out == [f"{ANN} phone"]
        await process.sessions.end(ANN, process.now)
        process.now += 1
        process.enter()
        await process.register.look()
        await process.register.look()
        assert process.out == [f"{ANN} phone", ANN]
        assert process.register.occupied == 2

    done(scenario)


def test_a_file_that_fails_is_an_alarm_and_forgets_nothing() -> None:
    """What could not be written down is later, and who was to go is shown out then."""

    async def scenario(process: Process) -> None:
        first = process.enter()
        process.now += 2
        await process.written()
        process.register.leave(first)
        process.enter("bob@example.com")
        process.now += 2
        await process.sessions.end("bob@example.com", process.now)
        process.sessions.failing = True
        await process.register.keep()
        await process.register.look()
        assert [type(event) for event in process.told[-2:]] == [Alarm, Alarm]
        process.sessions.failing = False
        assert await process.written() == ["bob@example.com"]
        assert isinstance(process.told[-1], Mended)
        await process.register.look()
        assert process.out == ["bob@example.com"]

    done(scenario)


def test_who_has_a_password_that_expires_is_shown_out_then() -> None:
    """By the register itself: nobody has to say so."""

    async def scenario(process: Process) -> None:
        process.enter()
        process.enter(app="phone", until=NOW + 60)
        process.now += 59
        await process.register.look()
        assert process.out == []
        process.now += 1
        await process.register.look()
        assert process.out == [f"{ANN} phone"]

    done(scenario)
