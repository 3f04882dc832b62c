"""The router: a way is looked up once, and again when it may have changed."""

from __future__ import annotations

import asyncio

import pytest

from mailer.routing.resolve import TTL, Router
from mailer.transport.route import Unroutable
from tests.fakes.mail import NOW
from tests.queue.post import Finder, offline


def test_a_way_is_remembered_for_a_while() -> None:
    """The thousandth message to a domain asks nobody."""
    finder = Finder()
    router = Router(finder.find)
    assert router.known("a.example", NOW) is None
    route = asyncio.run(router.find("a.example", NOW))
    assert router.known("a.example", NOW + TTL - 1) is route
    assert router.known("a.example", NOW + TTL) is None
    assert finder.asked == ["a.example"]


def test_trouble_is_not_remembered() -> None:
    """The next message asks anew."""
    finder = Finder()
    finder.troubles["a.example"] = offline()
    router = Router(finder.find)
    with pytest.raises(Unroutable):
        asyncio.run(router.find("a.example", NOW))
    assert router.known("a.example", NOW) is None
    finder.troubles.clear()
    assert asyncio.run(router.find("a.example", NOW)).key == "a.example"


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    """Whatever domains mail is sent to."""
    router = Router(Finder().find)

    async def ask() -> None:
        for nth in range(25_000):
            await router.find(f"{nth}.example", NOW)

    asyncio.run(ask())
    assert sum(router.known(f"{nth}.example", NOW) is not None for nth in range(25_000)) <= 10_001
