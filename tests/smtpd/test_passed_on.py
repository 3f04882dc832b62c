"""Mail that is passed on comes back: a report finds the one who wrote, forged addresses find nobody, and circles are seen."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mailer.accounts.srs_secrets import present_srs_secrets
from mailer.events import TurnedAway
from mailer.srs import DAYS, day_of, forward

from .house import Client
from .mx_house import MxHouse
from .test_mx import MAIL, brought, played

SENDER = f"bounces+{'x' * 60}@lists.example.org"


def test_a_report_finds_the_one_who_wrote(tmp_path: Path) -> None:
    """Whatever case it comes back in, and however long that makes the address; it goes to him and to nobody else, from nobody."""
    house = MxHouse(tmp_path)
    [secret] = present_srs_secrets(f"{tmp_path}/spool/srs.secret")
    made = forward(SENDER, "example.com", secret, day_of(time.time()))

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, MAIL, made.lower(), sender="")
            assert said[-1].startswith("250")
        [entry] = house.entries()
        assert [one.address for one in entry.envelope.recipients] == [SENDER]
        assert entry.envelope.sender == ""

    played(house, play)


@pytest.mark.parametrize("age", [0, DAYS + 1])
@pytest.mark.parametrize("domain", ["example.com", "example.net"])
def test_whom_we_did_not_rewrite_is_nobody(tmp_path: Path, age: int, domain: str) -> None:
    """Signed with another secret, for another sender, too old, or at a domain that is not ours: no way leads elsewhere."""
    house = MxHouse(tmp_path)
    [secret] = present_srs_secrets(f"{tmp_path}/spool/srs.secret")
    good = forward("carl@example.org", domain, secret, day_of(time.time()) - age)
    forged = forward("carl@example.org", domain, b"another secret", day_of(time.time()))

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(
                client, MAIL, forged, good.replace("carl", "eve"), *([] if (age, domain) == (0, "example.com") else [good])
            )
            assert {each[:9] for each in said[1:-1]} == {"550 5.1.1" if domain == "example.com" else "550 5.7.1"}
        assert not house.entries()

    played(house, play)


def test_without_a_secret_nobody_comes_back(tmp_path: Path) -> None:
    """None was made, so none of these is ours; one that cannot be read is trouble for now."""

    async def play(house: MxHouse) -> None:
        made = "SRS0=AAAA=AA=example.net=carl@example.com"
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<>")
            assert (await client(f"RCPT TO:<{made}>")).startswith("550 5.1.1")
            (tmp_path / "spool" / "srs.secret").write_text("0123456789abcdef\n")
            assert (await client(f"RCPT TO:<{made}>")).startswith("451 4.3.0")

    played(MxHouse(tmp_path), play)


def test_what_an_address_has_passed_on_before_goes_in_circles(tmp_path: Path) -> None:
    """It is refused where nobody else is to have it; beside others only that way is closed, which its record says."""
    looped = b"Received: x\r\nDelivered-To: OUT@example.com\r\n" + MAIL

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, looped, "out@example.com")
            assert said[-1].startswith("554 5.4.6")
            assert house.heard(TurnedAway)[0].reason == "loop"
            assert not house.entries()
            assert (await brought(client, looped, "out@example.com", "ann@example.com"))[-1].startswith("250")
            assert (await brought(client, MAIL, "out@example.com"))[-1].startswith("250")
        first, second = (entry.envelope.recipients for entry in house.entries())
        assert {one.address: one.outcome and one.outcome["enhanced"] for one in first} == {
            "ann@example.com": None,
            "carl@example.net": "5.4.6",
        }
        assert [one.outcome for one in second] == [None]

    played(MxHouse(tmp_path), play)


def test_what_has_been_in_a_mailbox_before_is_refused_before_it_is_taken(tmp_path: Path) -> None:
    """Nobody could be told later, where the sender is unproven; and who has not had it gets it."""
    looped = b"Delivered-To: Ann@example.com\r\n" + MAIL

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await brought(client, looped, "ann@example.com"))[-1].startswith("554 5.4.6")
            assert not house.entries()
            assert (await brought(client, looped, "ann@example.com", "bob@example.com"))[-1].startswith("250")
        [entry] = house.entries()
        assert {one.address: one.outcome and one.outcome["enhanced"] for one in entry.envelope.recipients} == {
            "ann@example.com": "5.4.6",
            "bob@example.com": None,
        }

    played(MxHouse(tmp_path), play)
