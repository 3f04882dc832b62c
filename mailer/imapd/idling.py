"""A client that waits: in IDLE (RFC 9051 §6.3.13) it is told what happens as it happens, and nothing is kept for it but a timer.

The session goes on waiting for the client in one place; news are said beside it, one after the other, and every two minutes that we are
still here, for there are routers that forget a connection on which nothing is said. A client who does not read that either has left.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.serving.boxes import MailboxGone

from .session import DEAF
from .troubles import FolderGone

if TYPE_CHECKING:
    from collections.abc import Callable

    from .session import ImapSession

STILL = b"OK still here"


class Idling:
    """The IDLE of one session; `end` ends the session with a last word."""

    __slots__ = ("_end", "_is_idle", "_is_on", "_session", "_telling", "_timer")

    def __init__(self, session: ImapSession, end: Callable[[str], None]) -> None:
        self._session = session
        self._end = end
        self._is_on = False
        self._is_idle = False
        self._telling: asyncio.Task[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, *, idle: bool = True) -> None:
        """The client waits from now on; without `idle` between two commands, where it hears what it has asked for by NOTIFY."""
        self._is_on = self._session.beside = True
        self._is_idle = idle
        self._session.observers.append(self._hear)
        if idle:
            self._wind()
        self._tell(look=idle)  # what happened just before

    async def stop(self) -> None:
        """The client waits no more; what is being said is said first."""
        if not self._is_on:
            return
        self._is_on = False
        self._session.observers.remove(self._hear)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._telling is not None:
            await asyncio.wait((self._telling,), timeout=self._session.terms.pace.answers)
        if self._telling is not None:
            self._telling.cancel()
            self._end(DEAF)
        self._session.beside = False

    async def leave(self) -> None:
        """The session is over, in the midst of it or not."""
        if self._telling is not None:
            self._telling.cancel()
        await self.stop()

    def _wind(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._session.terms.pace.alive, self._say_still)

    def _say_still(self) -> None:
        session = self._session
        if session.stream.full:  # what was said two minutes ago is not read yet
            self._end(DEAF)
            return
        session.say(STILL)
        session.write()
        self._wind()
        self._tell(look=session.is_behind)

    def _hear(self, _: int, __: int) -> None:
        self._tell()

    def _tell(self, *, look: bool = False) -> None:
        """Say what is new, unless that is being done, or what was said is not read."""
        if self._is_on and self._telling is None and not self._session.stream.full and (look or self._session.is_behind):
            self._telling = asyncio.get_running_loop().create_task(self._say_news(look=look))
            self._telling.add_done_callback(self._told)

    def _told(self, telling: asyncio.Task[bool]) -> None:
        self._telling = None
        if not telling.cancelled() and telling.result():
            self._tell()

    async def _say_news(self, *, look: bool) -> bool:
        """Say what is new; whether that could be."""
        session = self._session
        watch = session.notifying
        try:
            expunges = self._is_idle or (watch is not None and watch.is_immediate)
            await session.catch_up(expunges=expunges, look=look, unasked=True)
            session.write()
        except (FolderGone, MailboxGone) as gone:
            self._end(str(gone))
        except (Problem, OSError):
            return False  # it is asked for again when there is more, or the client has left
        return True
