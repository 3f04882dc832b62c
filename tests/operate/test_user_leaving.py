"""Users leave and come back: the address is free at once, the mailbox waits, and nobody else ever sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.mail.problem import Problem
from mailer.operate import user_leaving
from mailer.operate.users import UserTerms
from tests.mailbox.premises import ANN, DAY, NOW, Premises, put, uids

TERMS = UserTerms()


class Town:
    """Ann, who has a mailbox with a message."""

    def __init__(self) -> None:
        self.users, self.sessions, self.premises = MemoryUsers([User(ANN)]), MemorySessions(), Premises()
        self.fill()

    def fill(self) -> None:
        """Mail comes."""
        with self.premises.ann() as box:
            put(box)

    async def leave(self) -> user_leaving.UserRemoved:
        """Ann is removed."""
        self.premises.now += 1
        return await user_leaving.remove(self.users, self.sessions, self.premises.boxes, ANN, self.premises.now)

    async def come_back(self, **more: str) -> str:
        """And made a user again."""
        return (await user_leaving.restore(self.users, self.premises.boxes, ANN, TERMS, self.premises.now, **more)).password

    def mail(self) -> int:
        """How many messages Ann finds."""
        with self.premises.ann() as box:
            return len(uids(box, "INBOX"))


def done(scenario: Callable[[Town], Awaitable[None]]) -> None:
    asyncio.run(scenario(Town()))  # type: ignore[arg-type]


def test_who_leaves_can_come_back() -> None:
    """With his mail, and another password; his sessions have ended."""

    async def scenario(town: Town) -> None:
        gone = await town.leave()
        assert gone == (ANN, NOW + 1 + 30 * DAY)
        assert await town.users.find([ANN]) == [None]
        assert [each.user for each in await town.sessions.endings(0)] == [ANN]
        assert await town.come_back()
        assert (town.mail(), (await town.users.find([ANN]))[0] is not None) == (1, True)

    done(scenario)


def test_whoever_gets_the_address_next_gets_a_mailbox_of_his_own() -> None:
    """And when both have left, the one comes back who left last; what somebody has is not taken from him."""

    async def scenario(town: Town) -> None:
        await town.leave()
        await town.users.put([User(ANN)])
        assert town.mail() == 0
        town.fill()
        town.fill()
        with pytest.raises(Problem, match="there is a user"):
            await town.come_back()
        await town.leave()
        await town.come_back()
        assert town.mail() == 2

    done(scenario)


def test_a_mailbox_that_came_up_meanwhile_makes_room_if_it_is_empty() -> None:
    """With mail in it, it does not."""

    async def scenario(town: Town) -> None:
        await town.leave()
        assert town.mail() == 0  # it is made
        await town.come_back()
        assert town.mail() == 1
        await town.leave()
        town.fill()
        with pytest.raises(Problem, match="has another mailbox, with 1 messages"):
            await town.come_back()

    done(scenario)


def test_who_cannot_come_back_has_not() -> None:
    """Where his password is none, and where no mailbox is kept any more."""

    async def scenario(town: Town) -> None:
        await town.leave()
        with pytest.raises(Problem, match="one line"):
            await town.come_back(password="a\nb")
        assert town.premises.owners.find([ANN]) == [None]
        town.premises.now += 31 * DAY
        town.premises.boxes.sweep(town.premises.now)
        with pytest.raises(Problem, match=r"no mailbox of ann@example\.com is kept"):
            await town.come_back()

    done(scenario)


def test_a_removal_that_was_cut_off_is_done_again() -> None:
    """The user was gone already; who was never there is nobody."""

    async def scenario(town: Town) -> None:
        await town.users.remove([ANN])
        assert (await town.leave()).until > 0
        with pytest.raises(Problem, match="no user"):
            await town.leave()

    done(scenario)
