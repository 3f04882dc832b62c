"""What an operator hears of a user's logins: of his, and of nobody who had the address before."""

from __future__ import annotations

import asyncio

import pytest

from mailer.accounts.sessions.api import LoginLine, UserSession
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.users.api import AppPassword, User
from mailer.accounts.users.memory import MemoryUsers
from mailer.mail.problem import Problem
from mailer.operate import user_sessions

NOW = 1_800_000_000.0
ANN = "ann@example.com"
PHONE = AppPassword("phone", "1" * 64, frozenset({"imap"}), None, NOW - 10)


def line(at: float, app: str = "") -> LoginLine:
    return LoginLine(ANN, "imap", "192.0.2.1", "PLAIN", app, "", at, at)


def test_a_story_begins_where_the_user_does() -> None:
    """Logins of somebody who had the address before are not his, and the use of a password that was replaced is not that of the other."""

    async def scenario() -> None:
        users, sessions = MemoryUsers([User(ANN, app_passwords=(PHONE,), created=NOW - 100)]), MemorySessions()
        await sessions.note([line(NOW - 9000), line(NOW - 50, "phone"), line(NOW - 5)])
        await sessions.keep("run", [UserSession("a", ANN, "imap", "192.0.2.1", "", NOW - 5)], [], NOW)
        story = await user_sessions.story(users, sessions, ANN.upper(), NOW)
        assert [each.first for each in story.logins] == [NOW - 5, NOW - 50]
        assert (story.use_of("phone"), story.use_of("tablet")) == (None, None)
        said = story.as_json()
        assert [each["at"] for each in said["used"]] == ["2027-01-15T07:59:55Z"]  # type: ignore[attr-defined]
        assert [each["id"] for each in said["sessions"]] == ["a"]  # type: ignore[attr-defined]
        with pytest.raises(Problem, match=r"no user bob@example\.com"):
            await user_sessions.story(users, sessions, "bob@example.com", NOW)

    asyncio.run(scenario())


def test_a_session_that_is_not_there_is_not_ended() -> None:
    """With the way to those that are; one that is there ends alone."""

    async def scenario() -> None:
        sessions = MemorySessions()
        open = [UserSession(id, ANN, "imap", "", "", NOW - 5) for id in ("a", "b")]
        await sessions.keep("run", open, [], NOW)
        with pytest.raises(Problem, match="has no session 'c'; mailer user sessions ann@example\\.com shows all"):
            await user_sessions.end(sessions, ANN, NOW, "c")
        assert await user_sessions.end(sessions, ANN, NOW, "b") == 1
        assert await user_sessions.end(sessions, ANN, NOW) == 2

    asyncio.run(scenario())
