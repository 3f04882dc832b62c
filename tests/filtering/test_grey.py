"""Who has a bad sign is put off once; who has none never is, and nobody is because of a broken file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mailer.filtering.greylist.api import GreylistTerms
from mailer.filtering.greylist.memory import MemoryGreylist
from mailer.mail.arrival import Arrival
from mailer.mail.problem import Problem

from .scene import ARRIVAL, ZONE, Scene, ToldDns, section
from .test_panel import LISTED

NAMELESS = replace(ARRIVAL, name="")
STRANGER = replace(ARRIVAL, ip="192.0.2.77")


async def heard(scene: Scene, arrival: Arrival) -> str:
    case = scene.panel.case(arrival.ip)
    reply = await case.recipient(arrival, "ann@sender.example", "bob@example.com")
    await case.ended()
    return str(reply or "")


@pytest.mark.parametrize(
    ("arrival", "put_off"),
    [
        (ARRIVAL, False),
        (NAMELESS, True),
        (STRANGER, True),
        (replace(STRANGER, user="ann@example.com"), False),
        (Arrival("lmtp", ""), False),
    ],
    ids=["good", "nameless", "SPF fails", "a user", "a socket"],
)
def test_a_bad_sign_is_what_counts(arrival: Arrival, put_off: bool) -> None:
    async def main() -> None:
        scene = Scene(greylist=True)
        for _ in range(2):
            assert await heard(scene, arrival) == ("451 4.7.1 we do not know you yet, come again in 5 min" if put_off else "")
        scene.clock.time += 301
        assert await heard(scene, arrival) == ""

    asyncio.run(main())


def test_a_list_is_a_sign_and_an_allow_list_is_none() -> None:
    async def main() -> None:
        for score, put_off in ((1.0, True), (-1.0, False)):
            scene = Scene(section("blocklist", "bl.example", score=score), dns=ToldDns({**ZONE, **LISTED}), greylist=True)
            assert bool(await heard(scene, ARRIVAL)) == put_off

    asyncio.run(main())


def test_it_is_off_unless_somebody_wants_it() -> None:
    assert asyncio.run(heard(Scene(), NAMELESS)) == ""


def test_a_proved_domain_is_known_from_wherever_it_comes() -> None:
    """A pool that leaves by two networks passes where one of them has."""

    async def main() -> None:
        dns = ToldDns({("sender.example", "TXT"): ("v=spf1 ip4:192.0.2.1 ip4:198.51.100.1 -all",)})
        scene = Scene(dns=dns, greylist=True)
        assert await heard(scene, NAMELESS)
        scene.clock.time += 301
        assert await heard(scene, replace(NAMELESS, ip="198.51.100.1")) == ""

    asyncio.run(main())


def test_nobody_is_put_off_by_a_broken_file() -> None:
    class Broken(MemoryGreylist):
        async def met(self, keys: Sequence[str], at: float, terms: GreylistTerms) -> Any:
            raise Problem("the greylist is damaged", "io-error")

        async def expire(self, at: float, terms: GreylistTerms) -> int:
            raise Problem("the greylist is damaged", "io-error")

    async def main() -> None:
        scene = Scene(greylist=True, store=Broken())
        assert await heard(scene, NAMELESS) == ""
        await scene.panel.sweep()
        assert scene.alarms == [("Alarm", "greylist"), ("Alarm", "greylist")]

    asyncio.run(main())
