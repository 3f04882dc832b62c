"""Logins: who is let in, what it costs, and that nobody is told more than he has to know."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from mailer.accounts import logins as module
from mailer.accounts.logins import THREADS, WAITING, RecordLogins, digest_of
from mailer.accounts.password import record
from mailer.accounts.users.api import AppPassword, Proved, User
from mailer.accounts.users.memory import MemoryUsers
from mailer.mail.problem import Problem

SECRET, OTHER = "correct horse", "battery staple"
KEPT = record(SECRET, b"salt", cost=4)
APP = AppPassword("phone", digest_of("abcd efgh"), frozenset({"submission"}))
ANN = User("ann@example.com", KEPT, app_passwords=(APP,))


def check(*asked: tuple[str, str], users: MemoryUsers | None = None, purpose: str = "submission") -> list[Proved | None]:
    async def scenario() -> list[Proved | None]:
        logins = RecordLogins(users or MemoryUsers([ANN]))
        try:
            return [await logins.check(name, password, purpose) for name, password in asked]
        finally:
            await logins.close()

    return asyncio.run(scenario())


def test_the_right_password_lets_in_and_no_other() -> None:
    """However the address is written."""
    assert check(("ann@example.com", SECRET), ("ANN@Example.com", SECRET), ("ann@example.com", OTHER)) == [Proved(ANN), Proved(ANN), None]
    assert check(("", SECRET), ("bob@example.com", SECRET), ("ann", SECRET), ("ann@example.com", "")) == [None] * 4


def test_an_app_password_is_for_its_purpose() -> None:
    """Blanks and hyphens between its groups, and capitals, are a matter of taste."""
    right = [("ann@example.com", text) for text in ("abcdefgh", "abcd efgh", "ABCD-EFGH")]
    assert check(*right, ("ann@example.com", "abcdefg")) == [Proved(ANN, "phone")] * 3 + [None]
    assert check(*right, purpose="imap") == [None] * 3


def test_one_who_is_disabled_is_nobody() -> None:
    """With his password, and with that of a program."""
    users = MemoryUsers([ANN._replace(disabled=True)])
    assert check(("ann@example.com", SECRET), ("ann@example.com", "abcdefgh"), users=users) == [None, None]


def test_one_without_a_password_lets_nobody_in() -> None:
    """Not even with nothing."""
    users = MemoryUsers([User("ann@example.com")])
    assert check(("ann@example.com", ""), ("ann@example.com", SECRET), users=users) == [None, None]


def test_whoever_is_not_known_costs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password is checked for each of them, against a record of the same cost."""
    checked: list[str] = []

    def proves(kept: str, _: str) -> bool:
        checked.append(kept.partition("$")[0])
        return False

    monkeypatch.setattr(module, "proves", proves)
    users = MemoryUsers(
        [User("ann@example.com", record(SECRET, b"salt")), User("bob@example.com"), ANN._replace(address="off@example.com", disabled=True)]
    )
    names = ("ann@example.com", "bob@example.com", "off@example.com", "nobody@example.com")
    assert check(*((name, OTHER) for name in names), users=users) == [None] * 4
    assert checked == ["{SCRYPT}ln=15,r=8,p=1"] * 4


def test_a_password_that_was_right_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its time is over, or the user has another one; a wrong one never is."""
    times: list[str] = []
    right = module.proves

    def proves(kept: str, password: str) -> bool:
        times.append(password)
        return right(kept, password)

    monkeypatch.setattr(module, "proves", proves)

    async def scenario() -> None:
        waited = 0.0
        users = MemoryUsers([ANN])
        logins = RecordLogins(users, lambda: waited)
        for password in (SECRET, SECRET, OTHER, OTHER):
            await logins.check("ann@example.com", password, "submission")
        assert times == [SECRET, OTHER, OTHER]
        waited = module.REMEMBERED
        assert await logins.check("ann@example.com", SECRET, "submission") == Proved(ANN)
        assert times[3:] == [SECRET]
        await users.put([ANN._replace(password=record(OTHER, b"salt", cost=4))])
        assert await logins.check("ann@example.com", SECRET, "submission") is None
        await users.put([ANN._replace(disabled=True)])
        assert await logins.check("ann@example.com", SECRET, "submission") is None
        await logins.close()

    asyncio.run(scenario())


def test_a_thousand_at_once_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are checked at a time and some wait; all who had their turn are let in."""
    go, at_work = Event(), [0, 0]

    def proves(_: str, __: str) -> bool:
        at_work[0] += 1
        at_work[1] = max(at_work)
        go.wait(60)
        at_work[0] -= 1
        return True

    monkeypatch.setattr(module, "proves", proves)

    async def scenario() -> None:
        logins = RecordLogins(MemoryUsers([ANN]))
        asked = [asyncio.ensure_future(logins.check("ann@example.com", f"{number}", "submission")) for number in range(1000)]
        waiting = {*asked}
        while len(waiting) > THREADS + WAITING:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        go.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        told = [each for each in found if isinstance(each, Problem)]
        assert len(told) == 1000 - THREADS - WAITING
        assert {each.kind for each in told} == {"try-again"}
        assert [each for each in found if not isinstance(each, Problem)] == [Proved(ANN)] * (THREADS + WAITING)
        assert await logins.check("ann@example.com", "later", "submission") == Proved(ANN)
        await logins.close()

    asyncio.run(scenario())
    assert at_work[1] <= THREADS


def test_where_records_are_cheap_nobody_is_as_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the right password of the one who stands in opens nothing."""
    checked: list[str] = []
    right = module.proves

    def proves(kept: str, password: str) -> bool:
        checked.append(kept)
        return right(kept, password)

    class Others(MemoryUsers):
        def stand_in(self) -> User | None:
            return ANN

    monkeypatch.setattr(module, "proves", proves)
    users = Others([ANN, User("off@example.com", KEPT, disabled=True)])
    assert check(*[(name, SECRET) for name in ("nobody@example.com", "off@example.com", "nobody@example.com")], users=users) == [None] * 3
    assert checked == [KEPT] * 3


def test_who_waits_is_answered_where_others_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that is read again drops nobody."""
    go = Event()

    def proves(_: str, __: str) -> bool:
        go.wait(60)
        return True

    monkeypatch.setattr(module, "proves", proves)

    async def scenario() -> None:
        logins = RecordLogins(MemoryUsers([ANN]))
        asked = [asyncio.ensure_future(logins.check("ann@example.com", f"{number}", "submission")) for number in range(5)]
        await asyncio.sleep(0)
        await logins.close()
        go.set()
        assert await asyncio.gather(*asked) == [Proved(ANN)] * 5

    asyncio.run(scenario())
