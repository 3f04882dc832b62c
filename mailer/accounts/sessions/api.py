"""A session, a login, the end of sessions; and the interface of where they are kept.

Users are compared by `key_of`. A login that is like one before, of the same user, door, address, password and reason, within `SPAN` seconds
makes no new line of the record: it is counted there. So the record of a program that logs in for each message is short, and so is that of
one that guesses. `MOST_OF_ONE` lines are kept of one user who has got in, as many of his failures, and `MOST` of all, for `KEPT` seconds:
whoever knocks at one name pushes nobody else's lines out, and none that say who got in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mailer.mail.address_key import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT: Final = 90 * 86400.0  # seconds that a login is kept
SPAN: Final = 3600.0  # seconds within which logins that are alike are one line
MOST_OF_ONE: Final = 1000  # lines of one user, of each kind
MOST: Final = 200_000  # lines of all, of each kind
ALIVE: Final = 180.0  # seconds after which a process that has said nothing is taken for dead, and its sessions with it
HEARD: Final = 86400.0  # seconds that the end of sessions is kept for whoever has not heard of it


class UserSession(NamedTuple):
    """Somebody who is logged in: `user` by his address, at a `door` (a purpose of `mailer.accounts.users.api`) of the process `process`.

    `app` is the name of the app password that he used, empty for his own. `since` is when he came, before anything was looked up for him.
    """

    id: str
    user: str
    door: str
    ip: str
    app: str
    since: float
    process: str = ""


class LoginLine(NamedTuple):
    """A line of the record: somebody logged in as `user`, or tried to; `why` he was not let in, empty where he was.

    `first` and `last` are the times of the `many` logins that it stands for, in seconds since the epoch.
    """

    user: str
    door: str
    ip: str
    mechanism: str
    app: str
    why: str
    first: float
    last: float
    many: int = 1

    @property
    def well(self) -> bool:
        """Whether he was let in."""
        return not self.why

    @property
    def alike(self) -> tuple[str, ...]:
        """What those have in common that are one line."""
        return key_of(self.user), self.door, self.ip, self.mechanism, self.app, self.why


class Use(NamedTuple):
    """When a password was used last, from where and at which door: that of the program `app`, or the user's own where that is empty."""

    app: str
    at: float
    ip: str
    door: str


class Ending(NamedTuple):
    """What ends sessions of `user`: those that began up to `at`; all of them, or the one called `session`, or those with the password
    of the program `app`, where that is not None. `number` rises from one to the next."""

    number: int
    user: str
    at: float
    session: str = ""
    app: str | None = None

    def means(self, session: UserSession) -> bool:
        """Whether it ends `session`."""
        return (
            key_of(session.user) == key_of(self.user)
            and session.since <= self.at
            and self.session in ("", session.id)
            and self.app in (None, session.app)
        )


class UserSessions(Protocol):
    """Where sessions and logins are kept. What fails raises `Problem`, as `Users` says."""

    async def note(self, logins: Sequence[LoginLine]) -> None:
        """Write logins down, and when each password was used last."""

    async def logins(self, user: str = "", *, since: float = 0.0, limit: int = 100, failed: bool = False) -> Sequence[LoginLine]:
        """Logins as `user`, or all, those whose last was at `since` or later, the newest first; or those that `failed` alone."""

    async def used(self, users: Sequence[str]) -> Sequence[Sequence[Use]]:
        """When each password of these users was used last."""

    async def forget(self, users: Sequence[str]) -> None:
        """Forget when the passwords of these users were used, who are none any more; that they logged in stays written."""

    async def keep(self, process: str, begun: Sequence[UserSession], over: Sequence[str], at: float) -> None:
        """Write down that these sessions of `process` have begun, and those with these IDs are over; it is alive at `at`."""

    async def open(self, user: str = "", *, now: float, limit: int = 1000) -> Sequence[UserSession]:
        """The sessions of `user`, or all, the oldest first; none of a process that has said nothing for `ALIVE` seconds."""

    async def leave(self, process: str) -> None:
        """Forget the sessions of `process`, which ends."""

    async def end(self, user: str, at: float, *, session: str = "", app: str | None = None) -> int:
        """Let sessions of `user` end, as `Ending` says; how many of them are written down now."""

    async def endings(self, after: int) -> Sequence[Ending]:
        """What was ended behind the number `after`."""

    async def sweep(self, now: float) -> int:
        """Forget what is too old, or too much; how many lines that were."""

    async def close(self) -> None:
        """Let go of what is open."""
