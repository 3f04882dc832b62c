"""The sessions of one process: who has logged in at its doors and is there still.

A door says that somebody is in, and when he has left; with him it hands over how he is shown out. What is open is written down behind
its back every `KEEP` seconds, so that a session that is shorter than `BRIEF` seconds is written down nowhere. Every `LOOK` seconds, as
long as anybody is in, it is read whether sessions were ended, by whatever process, and they end.

Who logs in while his sessions are being ended is in that session or not, by which of the two began first: `since` is taken before
anything is looked up for him.
"""

from __future__ import annotations

from collections import Counter
from secrets import token_hex
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.events import Alarm, Mended
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem

from .api import ALIVE, UserSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.events import Event

    from .api import UserSessions

LOOK: Final = 0.5  # seconds
KEEP: Final = 2.0
BRIEF: Final = 1.0


class _Open(NamedTuple):
    session: UserSession
    show_out: Callable[[], object]
    until: float


class SessionRegister:
    """The sessions of `process`, as they are kept in `sessions`. `now` gives seconds since the epoch."""

    def __init__(self, sessions: UserSessions, process: str, now: Callable[[], float], tell: Callable[[Event], None]) -> None:
        self._sessions = sessions
        self._process = process
        self._now = now
        self._tell = tell
        self._open: dict[str, _Open] = {}
        self._many: Counter[str] = Counter()  # open ones, by the key of their user
        self._unwritten: dict[str, UserSession] = {}
        self._written: set[str] = set()
        self._over: list[str] = []
        self._said = 0.0  # when it was last written down that this process is alive
        self._after = 0  # the number of the last ending that was read

    def enter(self, user: str, door: str, ip: str, app: str, since: float, show_out: Callable[[], object], *, until: float = 0.0) -> str:
        """Somebody is in; what his session is called. `show_out` ends it: it is called in the thread of the event loop, once, also when
        his password expires, `until` then (0 for never)."""
        session = UserSession(token_hex(8), user, door, ip, app, since, self._process)
        self._open[session.id] = _Open(session, show_out, until)
        self._many[key_of(user)] += 1
        self._unwritten[session.id] = session
        return session.id

    def leave(self, id: str) -> None:
        """The session with this ID is over, for whatever reason; said again, it is nothing."""
        self._gone(id)
        self._unwritten.pop(id, None)
        if id in self._written:
            self._written.discard(id)
            self._over.append(id)

    @property
    def occupied(self) -> int:
        """How many are in."""
        return len(self._open)

    def many_of(self, user: str) -> int:
        """How many sessions of `user` are open in this process."""
        return self._many[key_of(user)]

    async def look(self) -> None:
        """Show out those whose sessions somebody has ended, or whose passwords are good no more."""
        if not self._open:
            return
        now = self._now()
        self._show_out(each for each in self._open.values() if 0 < each.until <= now)
        try:
            endings = await self._sessions.endings(self._after)
        except Problem as problem:
            self._trouble(problem)
            return
        for ending in endings:
            self._after = max(self._after, ending.number)
            self._show_out(each for each in self._open.values() if ending.means(each.session))

    def _show_out(self, some: Iterable[_Open]) -> None:
        for each in [*some]:
            self._gone(each.session.id)
            each.show_out()

    def _gone(self, id: str) -> None:
        """Nobody is in there any more."""
        if (gone := self._open.pop(id, None)) is not None:
            key = key_of(gone.session.user)
            self._many[key] -= 1
            if not self._many[key]:
                del self._many[key]

    async def keep(self) -> None:
        """Write down who has come and gone."""
        now = self._now()
        begun = [each for each in self._unwritten.values() if not 0 <= now - each.since < BRIEF]
        over = self._over
        alive = self._written and not 0 <= now - self._said < ALIVE / 3
        if not (begun or over or alive):
            return
        self._over = []
        try:
            await self._sessions.keep(self._process, begun, over, now)
        except Problem as problem:
            self._over = over + self._over
            self._trouble(problem)
            return
        self._said = now
        for session in begun:
            self._unwritten.pop(session.id, None)
            if session.id in self._open:
                self._written.add(session.id)
            else:  # he has left meanwhile, before anybody could know that this was written
                self._over.append(session.id)
        self._tell(Mended(now, "status", "sessions", "they are written down"))

    async def stop(self) -> None:
        """Forget all that is written down of this process."""
        self._open.clear()
        self._many.clear()
        if self._said:
            try:
                await self._sessions.leave(self._process)
            except Problem as problem:
                self._trouble(problem)

    def _trouble(self, problem: Problem) -> None:
        self._tell(Alarm(self._now(), "status", f"who is logged in is not written down, and sessions do not end: {problem}", "sessions"))
