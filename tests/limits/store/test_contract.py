"""Rows of limits are kept alike wherever they are."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailer.limits.store.api import HEARD, LimitStore
from mailer.limits.store.memory import MemoryLimits
from mailer.limits.store.sqlite import NAME, SqliteLimits
from mailer.limits.table import Happening, LimitRow
from mailer.mail.problem import Problem


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LimitStore:
    return SqliteLimits(str(tmp_path)) if request.param == "sqlite" else MemoryLimits()


def test_what_was_kept_is_there_from_the_oldest_on(store: LimitStore) -> None:
    """A row takes the place of the one of its table and key; one without numbers is gone."""

    async def scenario() -> None:
        assert await store.load() == []
        await store.keep([LimitRow("x", "b", (3.0, 1.5)), LimitRow("x", "a", (2.0,)), LimitRow("y", "a", (1.0, 0.0, 7.0))])
        assert await store.load() == [LimitRow("y", "a", (1.0, 0.0, 7.0)), LimitRow("x", "a", (2.0,)), LimitRow("x", "b", (3.0, 1.5))]
        await store.keep([LimitRow("x", "a", (4.0,)), LimitRow("y", "a"), LimitRow("z", "' OR 1=1 \udcff", (5.0,))])
        rows = await store.load()
        assert rows[:2] == [LimitRow("x", "b", (3.0, 1.5)), LimitRow("x", "a", (4.0,))]
        assert [row.table for row in rows[2:]] == ["z"]
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("row", [("day", "a", "[]"), ("day", "a", "[1"), ("day", "a", '["x"]'), ("day", "a", "7"), ("secret", "xy", "[1]")])
def test_a_row_that_somebody_else_wrote_is_one_problem(tmp_path: Path, row: tuple[str, str, str]) -> None:
    """It ends no daemon: what was counted is counted anew."""

    async def scenario() -> None:
        store = SqliteLimits(str(tmp_path))
        await store.keep([LimitRow("day", "b", (1.0, 2.0))])
        with closing(sqlite3.connect(tmp_path / NAME)) as db:
            db.execute("INSERT INTO remembered (name, key, numbers, at) VALUES (?, ?, ?, 0)", row)
            db.commit()
        with pytest.raises(Problem, match="has a row"):
            await store.load()
        await store.close()

    asyncio.run(scenario())


def test_processes_hear_of_one_another_once(store: LimitStore) -> None:
    """What one has said, the others hear, in its order, and itself does not; numbers go on."""

    async def scenario() -> None:
        assert await store.heard(await store.last(), "a") == (0, [])
        first, second = Happening("failed", "192.0.2.1", "", 5.0), Happening("came", "2001:db8::1", "ann@example.com", 6.0)
        await store.say("a", [first, second])
        assert await store.heard(0, "a") == (2, [])
        assert await store.heard(0, "b") == (2, [first, second])
        assert await store.heard(1, "b") == (2, [second])
        await store.say("b", [first])
        assert await store.heard(2, "a") == (3, [first])
        assert await store.last() == 3
        await store.close()

    asyncio.run(scenario())


def test_the_first_secret_stays(store: LimitStore) -> None:
    """Whoever starts second goes by the one that is there."""

    async def scenario() -> None:
        await store.keep([LimitRow("secret", "aa", (2.0,))])
        await store.keep([LimitRow("secret", "bb", (1.0,)), LimitRow("day", "x", (3.0,))])
        assert await store.load() == [LimitRow("secret", "aa", (2.0,)), LimitRow("day", "x", (3.0,))]
        await store.close()

    asyncio.run(scenario())


def test_what_was_said_is_forgotten(tmp_path: Path) -> None:
    """After a while, so that the file does not grow."""

    async def scenario() -> None:
        store = SqliteLimits(str(tmp_path))
        await store.say("a", [Happening("failed", "192.0.2.1", "", 5.0)])
        await store.say("a", [Happening("failed", "192.0.2.1", "", 6.0 + HEARD)])
        assert [each.at for each in (await store.heard(0, "b"))[1]] == [6.0 + HEARD]
        await store.close()

    asyncio.run(scenario())
