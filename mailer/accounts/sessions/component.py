"""Sessions and logins as a part of a process that has doors where users log in."""

from __future__ import annotations

import os
from secrets import token_hex
from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.io.component import Component
from mailer.mail.problem import Problem

from .record import WRITE, LoginRecord
from .register import KEEP, LOOK, SessionRegister
from .sqlite import SqliteSessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores

SWEEP = 3600.0  # seconds


class SessionsComponent(Component):
    """The `register` of the process that is `called` so, and its `record`, which wants to be told of events. `root` is the spool."""

    def __init__(self, called: str, root: str, tell: Callable[[Event], None], clock: Clock, chores: Chores, *, once: bool = False) -> None:
        self.sessions = SqliteSessions(root)
        self.process = process = f"{called}-{os.getpid()}-{token_hex(3)}"
        self.register = SessionRegister(self.sessions, process, clock.now, tell)
        self.record = LoginRecord(self.sessions, clock.now, tell)
        self._tell = tell
        self._clock = clock
        if not once:
            chores.every(LOOK, self.register.look)
            chores.every(KEEP, self.register.keep)
            chores.every(WRITE, self.record.write)
            chores.every(SWEEP, self._sweep)

    async def _sweep(self) -> None:
        try:
            await self.sessions.sweep(self._clock.now())
        except Problem as problem:
            self._tell(Alarm(self._clock.now(), "status", f"old logins are not forgotten: {problem}", "logins"))

    async def stop(self, grace: float) -> None:  # noqa: ARG002 - nobody is waited for
        """Write down what is left, and that nobody is in any more."""
        await self.register.stop()
        await self.record.write(all=True)
        await self.sessions.close()
