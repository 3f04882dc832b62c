"""Sessions and logins in memory: for tests, and for whoever needs them no longer than his process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.address_key import key_of

from .api import ALIVE, HEARD, KEPT, MOST, MOST_OF_ONE, SPAN, Ending, LoginLine, Use, UserSession

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemorySessions:
    """Sessions and logins that are gone with the process: `UserSessions`."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._logins: list[LoginLine] = []
        self._used: dict[tuple[str, str], Use] = {}
        self._seen: dict[str, float] = {}
        self._open: dict[str, UserSession] = {}
        self._endings: list[Ending] = []
        self._number = 0

    async def note(self, logins: Sequence[LoginLine]) -> None:
        """Write logins down."""
        for login in logins:
            self._note(login)
            use = Use(login.app, login.last, login.ip, login.door)
            before = self._used.setdefault(key := (key_of(login.user), login.app), use) if login.well else use
            if login.well and use.at >= before.at:
                self._used[key] = use

    def _note(self, login: LoginLine) -> None:
        for at, line in enumerate(self._logins):
            if line.alike == login.alike and line.first > login.last - SPAN:
                self._logins[at] = line._replace(last=max(line.last, login.last), many=line.many + login.many)
                return
        self._logins.append(login)

    async def logins(self, user: str = "", *, since: float = 0.0, limit: int = 100, failed: bool = False) -> Sequence[LoginLine]:
        """Logins, the newest first."""
        key = key_of(user)
        found = [each for each in reversed(self._logins) if each.last >= since and (not user or key_of(each.user) == key)]
        return sorted((each for each in found if not (failed and each.well)), key=lambda each: -each.last)[:limit]

    async def used(self, users: Sequence[str]) -> Sequence[Sequence[Use]]:
        """When each password was used last."""
        return [[use for (key, _), use in sorted(self._used.items()) if key == key_of(user)] for user in users]

    async def forget(self, users: Sequence[str]) -> None:
        """Forget when passwords were used."""
        gone = {key_of(user) for user in users}
        self._used = {key: use for key, use in self._used.items() if key[0] not in gone}

    async def keep(self, process: str, begun: Sequence[UserSession], over: Sequence[str], at: float) -> None:
        """Write down what has begun and what is over."""
        self._seen[process] = at
        self._open.update((each.id, each._replace(process=process)) for each in begun)
        for id in over:
            self._open.pop(id, None)

    async def open(self, user: str = "", *, now: float, limit: int = 1000) -> Sequence[UserSession]:
        """The sessions that are open."""
        key = key_of(user)
        found = [each for each in self._open.values() if self._seen.get(each.process, 0.0) > now - ALIVE]
        return sorted((each for each in found if not user or key_of(each.user) == key), key=lambda each: (each.since, each.id))[:limit]

    async def leave(self, process: str) -> None:
        """Forget the sessions of a process."""
        self._open = {id: each for id, each in self._open.items() if each.process != process}
        self._seen.pop(process, None)

    async def end(self, user: str, at: float, *, session: str = "", app: str | None = None) -> int:
        """Let sessions end."""
        self._number += 1
        ending = Ending(self._number, user, at, session, app)
        self._endings.append(ending)
        return sum(map(ending.means, await self.open(now=at)))

    async def endings(self, after: int) -> Sequence[Ending]:
        """What was ended."""
        return [each for each in self._endings if each.number > after]

    async def sweep(self, now: float) -> int:
        """Forget what is too old, or too much."""
        before = len(self._logins) + len(self._open)
        kept: list[LoginLine] = []
        many: dict[tuple[object, ...], int] = {}
        for login in sorted(self._logins, key=lambda each: -each.last):
            places = (key_of(login.user), login.well), (login.well,)
            full = many.get(places[0], 0) >= self._most_of_one or many.get(places[1], 0) >= self._most
            if full or login.last < now - KEPT:
                continue
            many.update((place, many.get(place, 0) + 1) for place in places)
            kept.append(login)
        self._logins = kept[::-1]
        self._open = {each.id: each for each in await self.open(now=now, limit=len(self._open))}
        self._endings = [each for each in self._endings if each.at >= now - HEARD]
        return before - len(self._logins) - len(self._open)

    async def close(self) -> None:
        """Nothing is open."""
