"""What an operator does with users, as it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailer.accounts.logins import RecordLogins
from mailer.accounts.sessions.api import UserSession
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.mail.problem import Problem
from mailer.operate import user_leaving
from mailer.operate import users as operate
from mailer.operate.users import UserTerms

NOW = 1_800_000_000.0
ANN = "ann@example.com"


def done(test: Callable[[MemoryUsers, MemorySessions], Awaitable[None]]) -> None:
    asyncio.run(test(MemoryUsers(), MemorySessions()))  # type: ignore[arg-type]


async def opens(users: MemoryUsers, password: str, purpose: str = "submission") -> bool:
    logins = RecordLogins(users)
    try:
        return await logins.check(ANN, password, purpose) is not None
    finally:
        await logins.close()


@pytest.mark.slow  # each check of a password takes a tenth of a second
def test_a_password_is_made_up_or_chosen() -> None:
    """Another one takes its place; those of programs stay, and are for what they are for."""

    async def test(users: MemoryUsers, sessions: MemorySessions) -> None:
        made = await operate.add(users, ANN, UserTerms(), NOW)
        assert await opens(users, made.password)
        phone = await operate.add_app_password(users, sessions, ANN, "phone", ["submission"], NOW)
        chosen = await operate.change_password(users, sessions, ANN, NOW, password="correct horse")
        assert chosen.password == ""
        assert [await opens(users, password) for password in (made.password, "correct horse", phone.password)] == [False, True, True]
        assert not await opens(users, phone.password, "imap")
        await operate.remove_app_password(users, sessions, ANN, "phone", NOW)
        assert not await opens(users, phone.password)

    done(test)


@pytest.mark.parametrize(
    ("address", "plain"), [("ann+x@example.com", ANN), ("ann+@example.com", ANN), ('"Ann+x"@example.com', ANN), ('"a n+x"@example.com', "")]
)
def test_an_address_with_a_tag_is_no_user_of_its_own(address: str, plain: str) -> None:
    """For mail to it goes to that without; so it is however the name is written, and in a name that needs its quotes nothing is a tag."""

    async def test(users: MemoryUsers, sessions: MemorySessions) -> None:
        if plain:
            with pytest.raises(Problem, match=f"is {plain} with a tag"):
                await operate.add(users, address, UserTerms(), NOW, password="correct horse", scram=False)
        else:
            await operate.add(users, address, UserTerms(), NOW, password="correct horse", scram=False)

    done(test)


def test_keys_share_what_a_client_is_asked_for() -> None:
    """All passwords of a user have one salt, so that SCRAM knows each of them; without SCRAM there are no keys of his own."""

    async def test(users: MemoryUsers, sessions: MemorySessions) -> None:
        await operate.add(users, ANN, UserTerms(), NOW)
        await operate.add_app_password(users, sessions, ANN, "phone", [], NOW)
        [before] = await users.find([ANN])
        await operate.change_password(users, sessions, ANN, NOW)
        [after] = await users.find([ANN])
        assert before is not None
        assert after is not None
        assert (after.salt, after.iterations, after.app_passwords) == (before.salt, before.iterations, before.app_passwords)
        assert after.keys not in (None, before.keys)
        await operate.change_password(users, sessions, ANN, NOW, scram=False)
        [without] = await users.find([ANN])
        assert without is not None
        assert without.keys is None

    done(test)


def test_an_app_password_takes_the_place_of_the_one_of_its_name() -> None:
    """And there are not too many."""

    async def test(users: MemoryUsers, sessions: MemorySessions) -> None:
        await users.put([User(ANN)])
        first = await operate.add_app_password(users, sessions, ANN, "phone", [], NOW)
        second = await operate.add_app_password(users, sessions, ANN, "phone", [], NOW)
        assert [await opens(users, each.password) for each in (first, second)] == [False, True]
        [ann] = await users.find([ANN])
        assert ann is not None
        await users.put([ann._replace(app_passwords=ann.app_passwords * operate.MOST_APPS)])
        with pytest.raises(Problem, match="remove one first"):
            await operate.add_app_password(users, sessions, ANN, "other", [], NOW)

    done(test)


def test_everybody_is_listed_page_by_page() -> None:
    """However many there are."""

    async def test(users: MemoryUsers, sessions: MemorySessions) -> None:
        await users.put([User(f"u{number:04}@example.com") for number in range(1200)])
        found = [user.address async for user in operate.everybody(users)]
        assert found == [f"u{number:04}@example.com" for number in range(1200)]

    done(test)


def test_what_is_not_there_is_not_taken_away() -> None:
    """With the names of what there is."""

    async def test(users: MemoryUsers, sessions: MemorySessions) -> None:
        await users.put([User(ANN)])
        with pytest.raises(Problem, match="no app password 'phone'; there is: none"):
            await operate.remove_app_password(users, sessions, ANN, "phone", NOW)
        with pytest.raises(Problem, match=r"no user bob@example\.com") as caught:
            await user_leaving.remove(users, sessions, None, "bob@example.com", NOW)
        assert caught.value.kind == "no-such"

    done(test)


def test_whoever_may_not_go_on_is_logged_out() -> None:
    """Those who are in with the password that is another one, or all of a user who is switched off or removed; and nobody else."""

    async def test(users: MemoryUsers, sessions: MemorySessions) -> None:
        open = {app: UserSession(app, ANN, "imap", "", app, NOW - 60) for app in ("", "phone", "script")}

        async def ended() -> list[str]:
            endings = await sessions.endings(0)
            return [each.app for each in open.values() if endings[-1].means(each)]

        await operate.add(users, ANN, UserTerms(), NOW - 100, password="x")
        await operate.change_password(users, sessions, ANN, NOW, password="y")
        assert await ended() == [""]
        await operate.add_app_password(users, sessions, ANN, "phone", [], NOW)
        assert await ended() == ["phone"]
        await operate.remove_app_password(users, sessions, ANN, "phone", NOW)
        assert await ended() == ["phone"]
        await operate.switch(users, sessions, ANN, NOW, disabled=True)
        assert await ended() == ["", "phone", "script"]
        before = await sessions.endings(0)
        await operate.switch(users, sessions, ANN, NOW, disabled=False)
        assert await sessions.endings(0) == before
        await user_leaving.remove(users, sessions, None, ANN, NOW + 1)
        assert await ended() == ["", "phone", "script"]

    done(test)
