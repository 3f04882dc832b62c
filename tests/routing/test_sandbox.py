"""Whose mail a sandbox diverts, and what way that goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailer.config.sections import Sandbox
from mailer.routing.sandbox import DIVERTED, TRAP, Diversion, diverts
from mailer.transport.route import Route
from tests.queue.post import Finder


def ways(*addresses: str, **settings: Any) -> tuple[list[Route], list[str]]:
    """The way of mail for each, and the domains that were looked up for that."""
    finder = Finder()
    box = Diversion(Sandbox(**settings), finder.find)

    async def all() -> list[Route]:
        return [await box.find(box.domain(address)) for address in addresses]

    return asyncio.run(all()), finder.asked


def test_a_trap_asks_nobody_where_mail_would_go() -> None:
    """All of it has one way, on which nothing is looked up."""
    routes, asked = ways("a@one.example", "b@two.example", mode="trap", keep="/kept")
    assert [(route.key, route.transport, route.place, route.hops) for route in routes] == [(TRAP, "trap", "/kept", ())] * 2
    assert asked == []


def test_redirected_mail_takes_the_way_of_its_one_recipient() -> None:
    """With the limits of that destination."""
    routes, asked = ways("a@one.example", mode="redirect", to="dev@here.example")
    assert [(route.key, route.instead, route.transport) for route in routes] == [("here.example", "dev@here.example", "smtp")]
    assert asked == ["here.example"]


@pytest.mark.parametrize(
    ("address", "leaves"),
    [
        ("ann@ours.example", True),
        ("ANN@OURS.example", True),
        ("ann@sub.ours.example", False),
        ("bob@theirs.example", True),
        ("bobby@theirs.example", False),
        ("ann@ours.example.evil.example", False),
    ],
)
def test_an_allowlist_lets_through_whom_it_names(address: str, leaves: bool) -> None:
    """A pattern is for a whole address; all else is trapped."""
    box = Sandbox(mode="allowlist", allow=("*@ours.example", "bob@theirs.example"))
    assert diverts(box, address) is not leaves
    [route], _ = ways(address, mode="allowlist", allow=box.allow)
    assert (route.key == TRAP) is not leaves
    assert not route.instead


def test_no_domain_is_taken_for_what_is_diverted() -> None:
    """What stands in the place of a domain is none, so no recipient's mail is looked for by it."""
    assert Diversion(Sandbox(mode="allowlist", allow=("*@*",)), Finder().find).domain("a@example.net") == "example.net"
    assert not DIVERTED.isalnum()
