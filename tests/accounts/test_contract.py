"""Keys are kept alike wherever they are: in a file, and in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mailer.accounts.api import ApiKey, ApiKeys
from mailer.accounts.files import FileApiKeys
from mailer.accounts.memory import MemoryApiKeys
from mailer.config.secret import keeper_of
from mailer.mail.problem import Problem

FULL = ApiKey(
    "news", "0A1B2C3D", "1" * 64, frozenset({"send", "events"}), ("*@a.example", "b@c.example"), ("192.0.2.0/24", "2001:db8::/32"),
    "news", (600, 60.0), 1_700_000_000.0, 1_900_000_000.0, disabled=True, previous="2" * 64, previous_until=1_800_000_000.0,
)  # fmt: skip


def key(name: str, id: str, **more: Any) -> ApiKey:
    return ApiKey(name, id, "a" * 64, frozenset({"send"}), **more)


SHOP, BOT = key("shop", "SHOPSHOP"), key("bot", "B0TB0TB0")


@pytest.fixture(params=["files", "memory"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> ApiKeys:
    if request.param == "memory":
        return MemoryApiKeys()
    return FileApiKeys(f"{tmp_path}/etc/api-keys.toml", keeper_of(str(tmp_path)))


def test_what_was_put_is_there_by_name_and_by_id(keys: ApiKeys) -> None:
    """With all that is known of it; there are none at first."""

    async def scenario() -> None:
        assert await keys.all() == []
        assert await keys.find(["SHOPSHOP"]) == [None]
        await keys.put([SHOP, FULL, BOT])
        assert await keys.all() == [BOT, FULL, SHOP]
        assert await keys.find(["0A1B2C3D", "N0NEN0NE", "SHOPSHOP"]) == [FULL, None, SHOP]

    asyncio.run(scenario())


def test_a_key_takes_the_place_of_the_one_of_its_name(keys: ApiKeys) -> None:
    """Unless it is to be a new one: then nothing changes."""

    async def scenario() -> None:
        await keys.put([SHOP, BOT])
        await keys.put([SHOP._replace(disabled=True)])
        assert await keys.find(["SHOPSHOP", "B0TB0TB0"]) == [SHOP._replace(disabled=True), BOT]
        with pytest.raises(Problem, match="there is a key 'bot' already") as caught:
            await keys.put([key("third", "THRDTHRD"), BOT._replace(stream="x")], new=True)
        assert caught.value.kind == "usage"
        assert await keys.all() == [BOT, SHOP._replace(disabled=True)]

    asyncio.run(scenario())


def test_what_was_removed_is_gone(keys: ApiKeys) -> None:
    """And what was not there is said to be that."""

    async def scenario() -> None:
        await keys.put([SHOP, BOT])
        assert await keys.remove(["shop", "nobody"]) == [True, False]
        assert await keys.all() == [BOT]
        assert await keys.find(["SHOPSHOP"]) == [None]

    asyncio.run(scenario())
