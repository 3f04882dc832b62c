"""Mail of strangers, all the way: from a Postfix through our doors to a mailbox here and an Exim elsewhere that asks SPF, and back."""

from __future__ import annotations

from collections.abc import Iterator

import dkim
import pytest

from tests.fakes.processes import wait_until
from tests.peers.postfix import scratch

from .town import SENDER, Town
from .world import World

pytestmark = [pytest.mark.peer("postfix", "exim", root=True), pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def town(world: World) -> Iterator[Town]:
    with scratch("town") as home, Town(world, home) as town:
        yield town


def test_mail_comes_leaves_and_comes_back(town: Town) -> None:
    """An alias leads to a mailbox here and to a host that asks SPF; its report finds the one who wrote; a filter that is down loses no
    mail; what a user hands in is signed; and ``mailer received`` tells all of it."""
    # what an alias leads to
    town.writes("sales@here.example", mark="passed")
    here, there = town.at_here("passed"), town.at_there("passed")
    assert here.startswith(b"Return-Path: <ann@sender.example>\nDelivered-To: bob@here.example\nReceived: from ")
    assert b"spf=pass" in here
    assert b"Return-path: <SRS0=" in there
    assert b"=sender.example=ann@here.example>" in there
    assert b"\r\nDelivered-To: sales@here.example\r\n" in there
    assert b"DKIM-Signature:" not in there
    verdict, _, why = dkim.arc_verify(there, dnsfunc=town.key)
    assert (verdict, why) == (b"pass", "success")

    # what its host finds out later
    town.writes("late@here.example", mark="late")
    assert "nobody lives here any more" in "".join(town.reports("late"))

    # whom nobody knows, her own server reports
    town.writes("nobody@here.example", mark="unheard-of")
    assert "550 5.1.1 nobody of that name lives here" in "".join(town.reports("unheard-of")).replace("\n    ", " ")

    # a filter that is down for a while
    town.spamd.kill()
    town.writes("bob@here.example", mark="filtered")
    wait_until("it was put off", lambda: [each for each in town.received("--refused") if (each["reply"] or "").startswith("451 ")])
    town.spamd.start()
    wait_until("Postfix has noted that", lambda: [*(town.postfix.queue / "deferred").rglob("[0-9A-F]*[0-9A-F]")])
    town.tries_again()
    assert b"X-Spam-Flag" not in town.at_here("filtered")

    # what a user hands in
    town.hands_in("carl@there.example", mark="own")
    own = town.at_there("own")
    assert b"Return-path: <bob@here.example>" in own
    assert dkim.verify(own, dnsfunc=town.key)

    told = town.received()
    assert {(each["event"], each["from"], *each["to"]) for each in told} >= {
        ("taken", "ann@sender.example", "sales@here.example"),
        ("taken", "ann@sender.example", "late@here.example"),
        ("refused", "ann@sender.example", "nobody@here.example"),
        ("refused", "ann@sender.example", "bob@here.example"),
        ("taken", "ann@sender.example", "bob@here.example"),
        ("taken", "bob@here.example", "carl@there.example"),
    }
    [back] = [each for each in told if each["event"] == "taken" and not each["from"]]
    assert back["to"][0].startswith("SRS0=")
    assert {each["ip"] for each in told if each["from"] == "ann@sender.example"} == {SENDER}
