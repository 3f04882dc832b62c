"""The record of logins, as one process tells it: it hears of each at once, and they are written down together, behind the doors' backs.

A login that is like none of the last minute is written down within `WRITE` seconds; one that is like another waits until `AGAIN` seconds
have passed since that was written: a program that logs in for each message costs one line a minute. A crash loses what was not written.

What a stranger calls himself is written down where it is an address. Of failures that are all different `MOST` are kept until they are
written, and the others are counted in one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.events import NO_ADDRESS, Alarm, LoggedIn, LoginFailed, Mended
from mailer.mail.problem import Problem

from .api import LoginLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.events import Event

    from .api import UserSessions

WRITE: Final = 5.0  # seconds
AGAIN: Final = 60.0
MOST: Final = 5000
LONGEST: Final = 254  # symbols of what somebody calls himself, as long as an address can be (RFC 5321 §4.5.3.1.3)
TOO_MANY: Final = "more failures than are written down one by one"


class LoginRecord:
    """A `Listener` that writes logins to `sessions`. `now` gives seconds since the epoch."""

    def __init__(self, sessions: UserSessions, now: Callable[[], float], tell: Callable[[Event], None]) -> None:
        self._sessions = sessions
        self._now = now
        self._tell = tell
        self._heard: dict[tuple[str, ...], LoginLine] = {}
        self._written: dict[tuple[str, ...], float] = {}

    def told(self, event: Event) -> None:
        """Take note of logins, and of nothing else."""
        if isinstance(event, LoggedIn):
            arrival = event.arrival
            self._note(LoginLine(arrival.user, arrival.door, arrival.ip, event.mechanism, event.app, "", event.at, event.at))
        elif isinstance(event, LoginFailed):
            arrival, user = event.arrival, event.shown[:LONGEST]
            self._note(LoginLine(user, arrival.door, arrival.ip, event.mechanism, "", event.reason or "?", event.at, event.at))

    def _note(self, login: LoginLine) -> None:
        if not login.well and login.alike not in self._heard and len(self._heard) >= MOST:
            login = LoginLine(NO_ADDRESS, login.door, "", "", "", TOO_MANY, login.first, login.last)
        before = self._heard.get(login.alike)
        self._heard[login.alike] = before._replace(last=login.last, many=before.many + 1) if before else login

    async def write(self, *, all: bool = False) -> None:
        """Write down what is due, or `all`."""
        now = self._now()
        self._written = {alike: at for alike, at in self._written.items() if 0 <= now - at < AGAIN}
        due = {alike: login for alike, login in self._heard.items() if all or alike not in self._written}
        if not due:
            return
        for alike in due:
            del self._heard[alike]
        try:
            await self._sessions.note([*due.values()])
        except Problem as problem:
            for login in due.values():
                self._put_back(login)
            self._tell(Alarm(now, "status", f"logins are not written down: {problem}", "logins"))
            return
        self._written.update(dict.fromkeys(due, now))
        self._tell(Mended(now, "status", "logins", "they are written down"))

    def _put_back(self, login: LoginLine) -> None:
        later = self._heard.get(login.alike)
        if later is not None:
            login = login._replace(last=later.last, many=login.many + later.many)
        if later is not None or len(self._heard) < 2 * MOST:
            self._heard[login.alike] = login
