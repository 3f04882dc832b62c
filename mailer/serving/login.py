"""The desk where users log in, whatever is spoken: whether somebody is let in, how often he may try, and what is told of it.

It answers in values, of which each protocol makes its own words.

Who is not let in learns nothing from it: somebody unknown, a wrong password and a user who is disabled have the same answer after the same
time (`mailer.accounts.logins`). Networks from which too many logins fail have to wait, and nobody else: from where a user has been within
30 days he gets in all the same (`mailer.limits`).
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mailer.accounts.logins import logins_of, proved_by, scram_keys, still
from mailer.accounts.password import ITERATIONS
from mailer.events import Alarm, LoggedIn, LoginFailed
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem
from mailer.sasl.exchange import Known

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.accounts.sessions.register import SessionRegister
    from mailer.accounts.users.api import Proved, Users
    from mailer.events import Event
    from mailer.limits.users import UserLimits
    from mailer.mail.arrival import Arrival
    from mailer.sasl.exchange import Credentials
    from mailer.sasl.scram import ScramKeys

DELAY: Final = 1.0  # seconds that an answer takes which lets nobody in

Why = Literal["", "wrong", "enough", "not-now", "crowded"]
"""Why somebody is not let in: wrong name or password; enough failures from his network; it cannot be found out now; he has as many sessions
as he may have. Empty where he is."""


class Admitted(NamedTuple):
    """Somebody who was let in, and by which password; or the reason why nobody was."""

    proved: Proved | None
    why: Why = ""


class LoginDesk:
    """The desk for `users`, within `limits`; who is in, is in the `register`. `now` gives seconds since the epoch; `sleep` waits.

    With `most_sessions`, a user has no more than that in this process, those of submission apart.
    """

    most_sessions = 0

    def __init__(
        self,
        users: Users,
        limits: UserLimits,
        tell: Callable[[Event], None],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        register: SessionRegister | None = None,
    ) -> None:
        self.users = users
        self.logins = logins_of(users)
        self.limits = limits
        self.now = now
        self._tell = tell
        self._sleep = sleep
        self._register = register

    async def take(self, users: Users) -> None:
        """Go by other users, if they are others."""
        if users is not self.users:
            before, self.users, self.logins = self.logins, users, logins_of(users)
            await before.close()

    def is_closed(self, ip: str) -> bool:
        """Whether nobody at all can log in from `ip` now."""
        return self.limits.failures.wait(ip, self.now()) > 0 and not self.limits.familiar.knows_any(ip, self.now())

    async def admit(self, said: Credentials, arrival: Arrival, purpose: str) -> Admitted:
        """The user who has logged in for a purpose of `mailer.accounts.users.api`, if somebody has."""
        now, name = self.now(), said.username
        if self.limits.failures.wait(arrival.ip, now) and not self.limits.familiar.knows(key_of(name), arrival.ip, now):
            self._tell(LoginFailed(now, arrival, name, said.mechanism, "too many failures from there"))
            return Admitted(None, "enough")
        try:
            proved = await self._found(said, purpose)
        except Problem as problem:
            if problem.kind != "try-again":
                self._tell(Alarm(now, "aliases", f"nobody can log in: {problem}", "users"))
            self._tell(LoginFailed(now, arrival, name, said.mechanism, str(problem)))
            return Admitted(None, "not-now")
        if proved is None:
            self.miss(arrival, name, said.mechanism, "wrong name or password")
            await self._sleep(DELAY)
            return Admitted(None, "wrong")
        self.limits.came(proved.user.key, arrival.ip, now)
        if self._is_crowded(proved.user.address, purpose):
            self._tell(LoginFailed(now, arrival, name, said.mechanism, f"{self.most_sessions} sessions of his are open"))
            return Admitted(None, "crowded")
        return Admitted(proved)

    def _is_crowded(self, user: str, purpose: str) -> bool:
        return self._register is not None and 0 < self.most_sessions <= self._register.many_of(user) and purpose != "submission"

    def greet(self, arrival: Arrival, mechanism: str, proved: Proved, since: float, show_out: Callable[[], None]) -> str:
        """Let the user of `arrival` in, who came at `since`, and tell of it; what his session is called. `show_out` ends it."""
        self._tell(LoggedIn(self.now(), arrival, mechanism, proved.app))
        if self._register is None:
            return ""
        who = proved.user.address, arrival.door, arrival.ip, proved.app
        return self._register.enter(*who, since, show_out, until=proved.expires)

    def leave(self, session: str) -> None:
        """The session that is called so is over."""
        if self._register is not None and session:
            self._register.leave(session)

    def miss(self, arrival: Arrival, name: str, mechanism: str, reason: str) -> None:
        """Count a login that has failed, or was tried where nobody can log in, and tell of it."""
        self.limits.failed(arrival.ip, self.now())
        self._tell(LoginFailed(self.now(), arrival, name, mechanism, reason))

    async def still(self, proved: Proved) -> bool:
        """Whether he who has logged in as `proved` could still do so as he did. Raises `Problem`."""
        [found] = await self.users.find([proved.user.address])
        return still(proved, found, self.now())

    async def look(self) -> None:
        """Look whether users have changed, before a mechanism asks for one that cannot wait."""
        try:
            await self.users.find(())
        except Problem:
            return

    async def close(self) -> None:
        """Let go of what is open; the users are somebody else's."""
        await self.logins.close()

    def known(self, binding: bytes, purpose: str = "submission") -> Known:
        """What the mechanisms need in which no password travels, at a door for this `purpose`, with this `binding` to its certificate."""
        other = self.users.stand_in()
        iterations = (other and other.iterations) or ITERATIONS
        return Known(nonce=_nonce, binding=binding, keys=partial(self._keys, purpose), secret=self.limits.secret, iterations=iterations)

    def _keys(self, purpose: str, name: str) -> ScramKeys | None:
        try:
            return scram_keys(self.users.find_now([name])[0], purpose, self.now())
        except Problem:
            return None

    async def _found(self, said: Credentials, purpose: str) -> Proved | None:
        """The user whose credentials these are. Who asks to act as another one is nobody: RFC 4616 §2 leaves that to us."""
        if said.authorization and key_of(said.authorization) != key_of(said.username):
            return await self.logins.check("", said.password, purpose)
        if not said.proved:
            return await self.logins.check(said.username, said.password, purpose)
        [user] = await self.users.find([said.username])
        return proved_by(user, said.stored_key, purpose, self.now())


def _nonce() -> str:
    return secrets.token_urlsafe(18)
