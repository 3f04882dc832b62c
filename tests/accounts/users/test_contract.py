"""Users are kept alike wherever they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.accounts.users.api import AppPassword, KeyPair, User, UserBook
from mailer.accounts.users.memory import MemoryUsers
from mailer.accounts.users.sqlite import SqliteUsers
from mailer.mail.problem import Problem

PAIR = KeyPair(b"\0stored\xff", b"server")
FULL = User(
    "Ann@example.com",
    "{SCRYPT}x",
    PAIR,
    b"salt\0",
    4096,
    (
        AppPassword("phone", "1" * 64, frozenset({"submission", "imap"}), PAIR, 1_700_000_000.0, 1_800_000_000.0),
        AppPassword("script", "2" * 64, frozenset({"submission"})),
    ),
    ("sales@example.com", "*@shop.example"),
    1 << 40,
    disabled=True,
    created=1_700_000_000.5,
    quota_messages=1000,
)
BOB, EVE = User("bob@example.com"), User('"eve x"@bücher.example')


@pytest.fixture(params=["sqlite", "memory"])
def users(request: pytest.FixtureRequest, tmp_path: Path) -> UserBook:
    return SqliteUsers(str(tmp_path / "accounts.sqlite3")) if request.param == "sqlite" else MemoryUsers()


def test_a_user_is_found_however_his_address_is_written(users: UserBook) -> None:
    """With all that is known of him; nobody is there at first."""

    async def scenario() -> None:
        assert await users.find(["bob@example.com"]) == [None]
        assert await users.listing() == []
        await users.put([FULL, BOB, EVE])
        assert await users.find(["ANN@EXAMPLE.com", "nobody@example.com", '"bob"@example.com']) == [FULL, None, BOB]
        assert await users.find(['"eve x"@xn--bcher-kva.EXAMPLE']) == [EVE]
        await users.close()

    asyncio.run(scenario())


def test_changes_of_one_user_at_the_same_time_all_stay(users: UserBook) -> None:
    """Each is made of what the one before has left; one that fails changes nothing, and of who is not there nothing is made."""

    def one_more(user: User) -> User:
        return user._replace(quota=user.quota + 1)

    def failing(user: User) -> User:
        raise Problem("no", "usage")

    async def scenario() -> None:
        assert await users.change("bob@example.com", one_more) is None
        await users.put([BOB])
        await asyncio.gather(*(users.change("BOB@example.com", one_more) for _ in range(20)))
        assert await users.find(["bob@example.com"]) == [BOB._replace(quota=20)]
        with pytest.raises(Problem, match="no"):
            await users.change("bob@example.com", failing)
        assert await users.find(["bob@example.com", "eve@example.com"]) == [BOB._replace(quota=20), None]
        assert await users.change("eve@example.com", one_more) is None
        await users.close()

    asyncio.run(scenario())


def test_names_that_would_be_questions_elsewhere_are_only_names(users: UserBook) -> None:
    """Nothing in them means anything to whatever looks them up."""

    async def scenario() -> None:
        await users.put([BOB])
        names = [
            "*)(uid=*",
            "' OR 1=1 --",
            "../bob@example.com",
            "bob@example.com\0",
            "%@example.com",
            "*@example.com",
            "",
            "@",
            "x" * 5000,
        ]
        assert await users.find(names) == [None] * len(names)
        await users.close()

    asyncio.run(scenario())


def test_a_user_takes_the_place_of_the_one_of_his_address(users: UserBook) -> None:
    """Unless he is to be a new one: then nothing changes."""

    async def scenario() -> None:
        await users.put([FULL, BOB])
        await users.put([BOB._replace(address="BOB@example.com", quota=5)])
        assert await users.find(["bob@example.com"]) == [User("BOB@example.com", quota=5)]
        with pytest.raises(Problem, match=r"there is a user Ann@example\.com already") as caught:
            await users.put([EVE, FULL], new=True)
        assert caught.value.kind == "usage"
        assert await users.find([EVE.address]) == [None]
        await users.close()

    asyncio.run(scenario())


def test_users_are_listed_in_pages(users: UserBook) -> None:
    """In the order of their addresses, each once."""

    async def scenario() -> None:
        await users.put([User(f"u{number:03}@example.com") for number in range(25)])
        first = await users.listing(limit=10)
        assert [user.address for user in first] == [f"u{number:03}@example.com" for number in range(10)]
        rest = await users.listing(after=first[-1].address)
        assert [user.address for user in rest] == [f"u{number:03}@example.com" for number in range(10, 25)]
        await users.close()

    asyncio.run(scenario())


def test_a_user_who_was_removed_is_gone(users: UserBook) -> None:
    """And who was not there is said to have been that."""

    async def scenario() -> None:
        await users.put([FULL, BOB])
        assert await users.remove(["bob@EXAMPLE.com", "nobody@example.com"]) == [True, False]
        assert await users.find(["bob@example.com", "ann@example.com"]) == [None, FULL]
        await users.close()

    asyncio.run(scenario())


def test_a_user_is_named_by_his_address_and_by_those_that_he_sends_as() -> None:
    """However they are written; a pattern stands for all that fit it."""
    for address in ("ann@example.com", "Sales@EXAMPLE.com", "anything@shop.example"):
        assert FULL.is_named(address), address
    for address in ("bob@example.com", "ann@example.org", "ann+x@example.com", "", "x@sub.shop.example.com"):
        assert not FULL.is_named(address), address


def test_who_is_gone_is_known_at_once(users: UserBook) -> None:
    """However his address is written."""

    async def scenario() -> None:
        await users.put([BOB])
        assert [users.is_gone(address) for address in ("BOB@example.com", "eve@example.com")] == [False, True]
        await users.remove(["bob@example.com"])
        assert users.is_gone("bob@example.com")
        await users.close()

    asyncio.run(scenario())
