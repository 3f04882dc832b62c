"""Sessions and logins are kept alike wherever they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailer.accounts.sessions.api import ALIVE, HEARD, KEPT, SPAN, Ending, LoginLine, Use, UserSession, UserSessions
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.sessions.sqlite import NAME, SqliteSessions

NOW = 1_800_000_000.0
ANN, BOB = "Ann@example.com", "bob@example.com"
Scenario = Callable[[UserSessions], Awaitable[None]]


@pytest.fixture(params=["sqlite", "memory"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> UserSessions:
    return SqliteSessions(str(tmp_path), 6, 3) if request.param == "sqlite" else MemorySessions(6, 3)


def done(sessions: UserSessions, scenario: Scenario) -> None:
    async def run() -> None:
        await scenario(sessions)
        await sessions.close()

    asyncio.run(run())


def login(user: str = ANN, at: float = NOW, why: str = "", ip: str = "192.0.2.1", app: str = "") -> LoginLine:
    return LoginLine(user, "submission", ip, "PLAIN", app, why, at, at)


def session(id: str, user: str = ANN, since: float = NOW, app: str = "") -> UserSession:
    return UserSession(id, user, "imap", "192.0.2.1", app, since)


def test_at_first_there_is_nothing(sessions: UserSessions) -> None:
    """And nothing is made by asking."""

    async def scenario(sessions: UserSessions) -> None:
        assert (await sessions.logins(), await sessions.open(now=NOW), await sessions.endings(0)) == ([], [], [])
        assert await sessions.used([ANN, BOB]) == [[], []]
        assert await sessions.sweep(NOW) == 0
        await sessions.leave("nobody")
        await sessions.forget([ANN])

    done(sessions, scenario)


def test_logins_are_told_newest_first_and_of_whom(sessions: UserSessions) -> None:
    """However the address is written, since when, and no more than are asked for."""

    async def scenario(sessions: UserSessions) -> None:
        lines = [login(at=NOW + 1), login(BOB, NOW + 2), login(at=NOW + 3, why="wrong name or password")]
        await sessions.note(lines)
        assert await sessions.logins() == lines[::-1]
        assert await sessions.logins("ANN@EXAMPLE.COM") == [lines[2], lines[0]]
        assert await sessions.logins(ANN, since=NOW + 2) == [lines[2]]
        assert await sessions.logins(limit=1) == await sessions.logins(failed=True) == await sessions.logins(ANN, failed=True) == [lines[2]]
        assert await sessions.logins("x\ud800@example.com") == []

    done(sessions, scenario)


def test_logins_that_are_alike_are_one_line(sessions: UserSessions) -> None:
    """For a while; from elsewhere, or with another password, they are another one."""

    async def scenario(sessions: UserSessions) -> None:
        await sessions.note([login(), login(at=NOW + 5), login(ip="2001:db8::1"), login(app="phone")])
        await sessions.note([login(at=NOW + 60)._replace(many=7)])
        found = {(each.ip, each.app): (each.first, each.last, each.many) for each in await sessions.logins()}
        assert found == {
            ("192.0.2.1", ""): (NOW, NOW + 60, 9),
            ("2001:db8::1", ""): (NOW, NOW, 1),
            ("192.0.2.1", "phone"): (NOW, NOW, 1),
        }
        await sessions.note([login(at=NOW + SPAN)])
        assert [each.many for each in await sessions.logins(limit=2)] == [1, 9]

    done(sessions, scenario)


def test_the_last_use_of_each_password_is_known(sessions: UserSessions) -> None:
    """From where and when; who was not let in has used none, and one that is told late makes it no earlier."""

    async def scenario(sessions: UserSessions) -> None:
        await sessions.note([login(), login(at=NOW + 9, ip="192.0.2.9"), login(at=NOW + 5, app="phone"), login(BOB, why="wrong")])
        await sessions.note([login(at=NOW + 3)])
        own, phone = Use("", NOW + 9, "192.0.2.9", "submission"), Use("phone", NOW + 5, "192.0.2.1", "submission")
        assert await sessions.used([BOB, "ann@EXAMPLE.com"]) == [[], [own, phone]]
        await sessions.forget([BOB, "ann@EXAMPLE.com"])
        assert await sessions.used([ANN]) == [[]]
        assert len(await sessions.logins(ANN)) == 3

    done(sessions, scenario)


def test_nobody_who_is_not_let_in_pushes_out_lines_of_who_is(sessions: UserSessions) -> None:
    """Of one user some are kept, and of all of each kind; the oldest go, and what is too old."""

    async def scenario(sessions: UserSessions) -> None:
        await sessions.note([login(at=NOW), login(BOB, at=NOW - KEPT - 1)])
        await sessions.note([login(at=NOW + n, why="wrong", ip=f"192.0.2.{n}") for n in range(1, 6)])
        await sessions.note([login(f"{n}@example.com", NOW + 10 + n, "wrong") for n in range(9)])
        assert await sessions.sweep(NOW) == 1 + 2 + 6
        left = await sessions.logins()
        assert [each.user for each in left if each.well] == [ANN]
        assert [each.user for each in left if not each.well] == [f"{n}@example.com" for n in range(8, 2, -1)]

    done(sessions, scenario)


def test_a_session_is_open_until_it_is_over_or_its_process_is_dead(sessions: UserSessions) -> None:
    """A process that says nothing for a while has none, and when it comes back it has them again; the sweep forgets them."""

    async def scenario(sessions: UserSessions) -> None:
        await sessions.keep("one", [session("a"), session("b", BOB, NOW - 5)], [], NOW)
        await sessions.keep("two", [session("c", since=NOW + 1)], [], NOW)
        assert [(each.id, each.process) for each in await sessions.open(now=NOW)] == [("b", "one"), ("a", "one"), ("c", "two")]
        assert [each.id for each in await sessions.open("ANN@example.com", now=NOW)] == ["a", "c"]
        await sessions.keep("one", [], ["a"], NOW + ALIVE)
        assert [each.id for each in await sessions.open(now=NOW + ALIVE)] == ["b"]
        await sessions.keep("two", [], [], NOW + ALIVE)
        assert [each.id for each in await sessions.open(now=NOW + ALIVE)] == ["b", "c"]
        await sessions.leave("two")
        await sessions.keep("three", [], [], NOW + 2 * ALIVE)
        assert await sessions.sweep(NOW + 2 * ALIVE) == 1
        assert await sessions.open(now=NOW) == []

    done(sessions, scenario)


def test_what_ends_is_told_to_whoever_has_not_heard(sessions: UserSessions) -> None:
    """All sessions of a user, one of them, or those with one password; how many are known to be open is said."""

    async def scenario(sessions: UserSessions) -> None:
        open = [session("a"), session("b", app="phone"), session("c", since=NOW + 10), session("d", BOB)]
        await sessions.keep("one", open, [], NOW)
        ended = [await sessions.end("ANN@example.com", NOW + 5), await sessions.end(ANN, NOW + 20, session="c")]
        ended += [await sessions.end(ANN, NOW + 5, app=""), await sessions.end(ANN, NOW + 5, app="phone"), await sessions.end("x@y", NOW)]
        assert ended == [2, 1, 1, 1, 0]
        endings = await sessions.endings(0)
        assert [[each.id for each in open if ending.means(each)] for ending in endings] == [["a", "b"], ["c"], ["a"], ["b"], []]
        assert await sessions.endings(endings[2].number) == endings[3:]
        await sessions.sweep(NOW + 6 + HEARD)
        assert [each.session for each in await sessions.endings(0)] == ["c"]
        await sessions.end(ANN, NOW)
        assert (await sessions.endings(0))[-1] == Ending(endings[-1].number + 1, ANN, NOW)

    done(sessions, scenario)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """And another process that looks into it sees what was written; without a spool none is made."""

    async def scenario() -> None:
        one, two = SqliteSessions(str(tmp_path)), SqliteSessions(str(tmp_path))
        assert await one.end(ANN, NOW) == 0
        assert [each.user for each in await two.endings(0)] == [ANN]
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
        assert await SqliteSessions(str(tmp_path / "none")).end(ANN, NOW) == 0
        await one.close()
        await two.close()

    asyncio.run(scenario())
