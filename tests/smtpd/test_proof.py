"""What strangers can prove, at the door that they come by: who cannot is told so, and what is taken says what was found."""

from __future__ import annotations

import time
from pathlib import Path

from mailer.dkim.sign import Seal, sign
from mailer.events import TakenIn, TurnedAway
from mailer.filtering.greylist.memory import MemoryGreylist
from mailer.filtering.panel import FilterPanel
from mailer.io.clock import SystemClock
from tests.auth.answers import World
from tests.dkim.keys import key
from tests.smtpd.house import Client
from tests.smtpd.mx_house import MxHouse
from tests.smtpd.test_mx import brought, played

WORLD = {
    ("legit.test", "TXT"): ["v=spf1 ip4:127.0.0.1 -all"],
    ("_dmarc.legit.test", "TXT"): ["v=DMARC1; p=reject"],
    ("s1._domainkey.legit.test", "TXT"): [key().record],
    ("attack.test", "TXT"): ["v=spf1 ip4:127.0.0.1 -all"],
}
LEGIT = b"From: Ann <ann@legit.test>\r\nTo: ann@example.com\r\nSubject: x\r\n\r\nhello\r\n"
FORGED = b"Authentication-Results: mx.example.com; dmarc=pass header.from=legit.test\r\n"


def house(home: Path, *trouble: str, door: str = "mx") -> MxHouse:
    """A door that asks this DNS, where nobody answers for the names in `trouble`."""
    made = MxHouse(home, door=door)
    panel = FilterPanel(made.config, World(WORLD, trouble), made.told.append, SystemClock(), MemoryGreylist())  # type: ignore[arg-type]
    made.reception.panel = panel
    return made


def test_who_proves_nothing_is_refused(tmp_path: Path) -> None:
    """The author's domain wants that; nothing is kept, and what was found is told."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port, hello="EHLO attack.test") as client:
            *_, said = await brought(client, FORGED + LEGIT, "ann@example.com", sender="x@attack.test")
            *_, other = await brought(client, LEGIT.replace(b"legit.test", b"example.com"), "ann@example.com", sender="x@attack.test")
        assert said.startswith("550 5.7.26 nothing proves that this is from legit.test")
        assert other.startswith("550 5.7.26 mail of example.com does not come from outside without proof")
        assert house.entries() == []
        assert [turned.sender for turned in house.heard(TurnedAway)] == ["x@attack.test"] * 2

    played(house(tmp_path), play)


def test_who_proves_it_is_taken_with_what_was_found(tmp_path: Path) -> None:
    """Our field is on top, and a forged one is gone; a report may go back to the sender."""

    async def play(house: MxHouse) -> None:
        content = sign(LEGIT, [Seal("legit.test", "s1", key(), 86400.0)], time.time())
        async with Client.of(house.port, hello="EHLO out.legit.test") as client:
            *_, said = await brought(client, FORGED + content, "ann@example.com", sender="ann@legit.test")
        assert said.startswith("250")
        [entry] = house.entries()
        kept = house.content(entry)
        assert kept.endswith(content)
        assert kept.lower().count(b"authentication-results:") == 1
        assert b"\tdmarc=pass header.from=legit.test\r\n" in kept[: -len(content)]
        assert entry.envelope.submitter["proven"] is True
        assert [taken.verdict for taken in house.heard(TakenIn)] == ["accept"]

    played(house(tmp_path), play)


def test_what_cannot_be_looked_up_comes_again(tmp_path: Path) -> None:
    """A key that nobody can tell would have proved it: for now, and not for good."""

    async def play(house: MxHouse) -> None:
        content = sign(LEGIT, [Seal("legit.test", "s1", key(), 86400.0)], time.time())
        async with Client.of(house.port, hello="EHLO attack.test") as client:
            *_, said = await brought(client, content, "ann@example.com", sender="x@attack.test")
        assert said == "451 4.7.24 whether this is from legit.test cannot be looked up now"
        assert house.entries() == []

    played(house(tmp_path, "s1._domainkey.legit.test"), play)


def test_what_a_server_of_ours_brings_by_lmtp_is_from_inside(tmp_path: Path) -> None:
    """Mail of our own people comes by it, too; and nothing is refused because the server itself is not its sender."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port, hello="LHLO front") as client:
            for author in (b"ann@example.com", b"ann@legit.test"):
                *_, said = await brought(client, LEGIT.replace(b"ann@legit.test", author), "bob@example.com", sender=author.decode())
                assert said.startswith("250")

    played(house(tmp_path, door="lmtp"), play)
