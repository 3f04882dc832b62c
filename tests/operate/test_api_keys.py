"""What is done with keys of the HTTP API, whoever asks for it."""

from __future__ import annotations

import asyncio

import pytest

from mailer.accounts.api import divided, proves
from mailer.accounts.memory import MemoryApiKeys
from mailer.config.kinds import Rate
from mailer.mail.problem import Problem
from mailer.operate.api_keys import KeyTerms, add, as_json, remove, rotate, switch

NOW = 1_700_000_000.0


def test_a_key_is_shown_once_and_not_kept() -> None:
    """What is kept proves it, and does not have it."""

    async def scenario() -> None:
        keys = MemoryApiKeys()
        terms = KeyTerms(["send"], ["*@a.example"], ["192.0.2.7"], "news", Rate(5, 60.0), NOW + 60)
        shown = await add(keys, "shop", terms, NOW)
        id, secret = divided(shown.key)
        [key] = await keys.find([id])
        assert key is not None
        assert proves(key, secret, NOW)
        assert secret not in repr(key) + str(as_json(key, NOW))
        assert (key.scopes, key.senders, key.networks, key.rate) == ({"send"}, ("*@a.example",), ("192.0.2.7/32",), (5, 60.0))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "terms", "why"),
    [
        ("a b", KeyTerms(), "no name of a key"), ("k", KeyTerms(["sned"]), "no scope 'sned'"), ("k", KeyTerms([]), "name a scope"),
        ("k", KeyTerms(networks=["10.0.0.1/8"]), "no network"), ("k", KeyTerms(stream="a\nb"), "one line"),
        ("k", KeyTerms(senders=[""]), "no sender"), ("k", KeyTerms(senders=["shop"]), "no sender"),
        ("k", KeyTerms(expires=NOW), "has passed"), ("there", KeyTerms(), "rotate there"),
    ],
)  # fmt: skip
def test_terms_that_cannot_hold_are_refused(name: str, terms: KeyTerms, why: str) -> None:
    """And no key is made."""

    async def scenario() -> None:
        keys = MemoryApiKeys()
        await add(keys, "there", KeyTerms(), NOW)
        with pytest.raises(Problem, match=why) as caught:
            await add(keys, name, terms, NOW)
        assert caught.value.kind == "usage"
        assert len(await keys.all()) == 1

    asyncio.run(scenario())


def test_a_key_gets_another_secret_and_keeps_the_one_before_for_a_while() -> None:
    """Under the same public part; not at all where that is wanted, and never more than two."""

    async def scenario() -> None:
        keys = MemoryApiKeys()
        first, second = await add(keys, "shop", KeyTerms(), NOW), await rotate(keys, "shop", NOW + 60)
        [key] = await keys.all()
        assert divided(first.key)[0] == divided(second.key)[0]
        assert all(proves(key, divided(shown.key)[1], NOW) for shown in (first, second))
        third = await rotate(keys, "shop", 0.0)
        [key] = await keys.all()
        assert [proves(key, divided(shown.key)[1], NOW) for shown in (first, second, third)] == [False, False, True]

    asyncio.run(scenario())


def test_a_key_is_switched_off_and_on_and_forgotten() -> None:
    """And what is not there is named, with what is."""

    async def scenario() -> None:
        keys = MemoryApiKeys()
        await add(keys, "shop", KeyTerms(), NOW)
        assert not (await switch(keys, "shop", disabled=True)).holds(NOW)
        assert (await switch(keys, "shop", disabled=False)).holds(NOW)
        with pytest.raises(Problem, match="no key 'shpo'; there is: shop") as caught:
            await remove(keys, "shpo")
        assert caught.value.kind == "no-such"
        await remove(keys, "shop")
        assert await keys.all() == []

    asyncio.run(scenario())
