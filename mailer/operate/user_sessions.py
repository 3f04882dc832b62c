"""What an operator asks about the logins of users: what became of one lately, who is logged in now; and how he logs somebody out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.accounts.sessions.sqlite import SqliteSessions
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.spool.files.store import SpoolDirectory

from . import users as operate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.accounts.sessions.api import LoginLine, Use, UserSession, UserSessions
    from mailer.accounts.users.api import User, UserBook
    from mailer.config import Config

LATELY = 10  # logins that are shown of one user


class UserStory(NamedTuple):
    """A user, when each of his passwords was used last, where he is logged in, and his latest logins."""

    user: User
    used: Sequence[Use]
    sessions: Sequence[UserSession]
    logins: Sequence[LoginLine]

    def as_json(self) -> dict[str, object]:
        """As ``mailer user show --json`` prints it."""
        uses = filter(None, map(self.use_of, ("", *(each.name for each in self.user.app_passwords))))
        return {
            **operate.as_json(self.user),
            "used": [{"app": each.app or None, "at": rfc3339(each.at), "ip": each.ip or None, "door": each.door} for each in uses],
            "sessions": [*map(session_json, self.sessions)],
            "logins": [*map(login_json, self.logins)],
        }

    def use_of(self, app: str) -> Use | None:
        """The last use of the password of this program, or of his own; None where there was none: not of one before of that name."""
        made = next((each.created for each in self.user.app_passwords if each.name == app), self.user.created)
        return next((each for each in self.used if each.app == app and each.at >= made), None)


def sessions_of(config: Config) -> SqliteSessions:
    """The sessions and logins of the daemon of `config`. Raises `Problem` (no-permission) for a user who may not read the spool."""
    spool = SpoolDirectory(config.spool)
    spool.check_readable()
    return SqliteSessions(spool.place)


async def story(users: UserBook, sessions: UserSessions, address: str, now: float) -> UserStory:
    """What is known of a user. Raises `Problem` (no-such)."""
    user = await operate.named(users, address)
    [used] = await sessions.used([user.address])
    lately = await sessions.logins(user.address, since=user.created, limit=LATELY)  # nobody's who had the address before
    return UserStory(user, used, await sessions.open(user.address, now=now), lately)


async def end(sessions: UserSessions, address: str, now: float, session: str = "") -> int:
    """Log a user out wherever he is logged in, or there alone; how many sessions that were. Raises `Problem` (no-such)."""
    if session and session not in {each.id for each in await sessions.open(address, now=now)}:
        raise Problem(f"{address} has no session {session!r}; mailer user sessions {address} shows all", "no-such")
    return await sessions.end(address, now, session=session)


def session_json(session: UserSession) -> dict[str, object]:
    """A line of ``mailer user sessions --json``."""
    said = {**session._asdict(), "since": rfc3339(session.since)}
    return {**said, "ip": session.ip or None, "app": session.app or None}


def login_json(login: LoginLine) -> dict[str, object]:
    """A line of ``mailer user logins --json``."""
    return {
        "user": login.user,
        "door": login.door,
        "ip": login.ip or None,
        "mechanism": login.mechanism or None,
        "app": login.app or None,
        "well": login.well,
        "why": login.why or None,
        "first_at": rfc3339(login.first),
        "last_at": rfc3339(login.last),
        "many": login.many,
    }
