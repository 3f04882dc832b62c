"""A list is believed that is right about its own test entries; what is broken or silent is ignored, and mail goes on."""

from __future__ import annotations

import asyncio

import pytest

from mailer.auth.records import DnsRecords
from mailer.filtering import blocklist
from mailer.filtering.blocklist import AddressList

from .scene import Scene, StoppedClock, ToldDns, section
from .test_panel import LISTED

TEST, OTHER, CLIENT = "2.0.0.127.bl.example", "1.0.0.127.bl.example", "1.2.0.192.bl.example"


def said(dns: ToldDns, ip: str = "192.0.2.1") -> tuple[str, float, list[str]]:
    """The result, the score, and the alarms."""
    scene = Scene()

    async def main() -> blocklist.ListAnswer:
        return await AddressList(section("blocklist", "bl.example"), dns, scene.told.append, StoppedClock()).ask(ip)

    answer = asyncio.run(main())
    return answer.step.result, answer.step.score, [kind for kind, _ in scene.alarms]


def test_a_client_is_listed_or_not() -> None:
    assert said(ToldDns(LISTED)) == ("listed", 3.0, ["Mended"])
    assert said(ToldDns(LISTED), "192.0.2.9") == ("not listed", 0.0, ["Mended"])


@pytest.mark.parametrize(
    "zone",
    [
        {},
        {(TEST, "A"): ("127.0.0.2",), (OTHER, "A"): ("127.0.0.2",)},
        {(TEST, "A"): ("127.255.255.254",)},
        {(TEST, "A"): ("198.51.100.1",), (OTHER, "A"): ("198.51.100.1",)},
    ],
    ids=["knows nothing", "says yes to everything", "refuses", "parked"],
)
def test_a_list_that_is_wrong_about_its_test_entries_is_not_counted(zone: dict[tuple[str, str], tuple[str, ...]]) -> None:
    """Whatever it says of the client."""
    assert said(ToldDns({(CLIENT, "A"): ("127.0.0.2",), **zone})) == ("ignored", 0.0, ["Alarm"])


@pytest.mark.parametrize("answer", ["127.255.255.252", "127.0.0.1", "192.0.2.80"])
def test_an_answer_that_no_list_gives_is_not_counted(answer: str) -> None:
    """All mail was refused somewhere because an error code was taken for a listing."""
    assert said(ToldDns({**LISTED, (CLIENT, "A"): (answer,)})) == ("ignored", 0.0, ["Mended", "Alarm"])


@pytest.mark.parametrize("name", [TEST, CLIENT])
def test_what_nobody_can_look_up_is_ignored_without_an_alarm(name: str) -> None:
    result, score, alarms = said(ToldDns(LISTED, trouble=(name,)))
    assert (result, score, "Alarm" in alarms) == ("ignored", 0.0, False)


def test_a_silent_list_costs_its_time() -> None:
    class Silent(ToldDns):
        async def records(self, name: str, type: str) -> DnsRecords:
            await asyncio.Event().wait()
            raise AssertionError

    async def main() -> str:
        each = AddressList(section("blocklist", "bl.example", timeout=0.05), Silent(), print, StoppedClock())
        answer = await each.ask("192.0.2.1")
        each.close()
        return answer.step.reason

    assert asyncio.run(main()) == "no answer within 0.05 s"


def test_test_entries_are_looked_up_again_and_nobody_waits_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that has become wrong is noticed; one that is right again is believed again."""
    now = 1000.0
    monkeypatch.setattr(blocklist, "monotonic", lambda: now)

    async def main() -> list[str]:
        nonlocal now
        dns, scene = ToldDns(LISTED), Scene()
        each = AddressList(section("blocklist", "bl.example"), dns, scene.told.append, StoppedClock())
        results = [(await each.ask("192.0.2.1")).step.result]
        dns.zone[OTHER, "A"] = ("127.0.0.2",)
        results.append((await each.ask("192.0.2.1")).step.result)
        now += blocklist.AGAIN
        results.append((await each.ask("192.0.2.1")).step.result)
        while each.trouble == "":
            await asyncio.sleep(0)
        results.append((await each.ask("192.0.2.1")).step.result)
        del dns.zone[OTHER, "A"]
        now += blocklist.SOON
        results.append((await each.ask("192.0.2.1")).step.result)
        return results

    assert asyncio.run(main()) == ["listed", "listed", "listed", "ignored", "listed"]


def test_a_list_is_tested_though_nobody_calls() -> None:
    """So that one which has become wrong is an alarm before it refuses mail."""
    zone = {(TEST, "A"): ("127.0.0.2",), (OTHER, "A"): ("127.0.0.2",)}
    scene = Scene(section("blocklist", "bl.example"), dns=ToldDns(zone))
    asyncio.run(scene.panel.sweep())
    assert [kind for kind, _ in scene.alarms] == ["Alarm"]
