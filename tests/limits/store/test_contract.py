"""Rows of limits are kept alike wherever they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.limits.store.api import LimitStore
from mailer.limits.store.memory import MemoryLimits
from mailer.limits.store.sqlite import SqliteLimits
from mailer.limits.table import LimitRow


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
