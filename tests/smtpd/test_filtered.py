"""What filters say of a message, at the door that it comes by: what is refused is not in the spool, what is taken says what was thought."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from mailer.events import Alarm, Mended, TakenIn, TurnedAway
from mailer.filtering.greylist.memory import MemoryGreylist
from mailer.filtering.panel import FilterPanel
from mailer.io.clock import SystemClock
from tests.filtering.scene import CLEAN, VIRUS, Talk, ToldDns, filter_at, spamd_with
from tests.scan.filter_side import CONTINUE, FakeMilter, frame
from tests.smtpd.house import Client
from tests.smtpd.mx_house import MxHouse
from tests.smtpd.test_mx import MAIL, brought

FORGED = b"X-Spam-Flag: NO\r\nX-Virus-Status: Clean\r\n"


def filtered(home: Path, kind: str, talk: Talk, play: Callable[[MxHouse, Client], Awaitable[None]]) -> None:
    """A door with one filter, and a client at it."""

    async def main() -> None:
        async with filter_at(home / "filter.sock", talk) as address:
            made = MxHouse(home, more=f'[[filter]]\nkind = "{kind}"\naddress = "{address}"\n')
            panel = FilterPanel(made.config, ToldDns(), made.told.append, SystemClock(), MemoryGreylist())
            made.reception.panel = panel
            async with asyncio.timeout(60), made.open(), Client.of(made.port, hello="EHLO out.example.org") as client:
                await play(made, client)

    asyncio.run(main())


def test_a_virus_is_refused_and_the_next_message_is_looked_at_anew(tmp_path: Path) -> None:
    async def play(house: MxHouse, client: Client) -> None:
        for _ in range(2):
            *_, said = await brought(client, MAIL, "ann@example.com")
            assert said == "550 5.7.1 the message has a virus: Eicar"
        assert house.entries() == []
        assert [each.reason for each in house.heard(TurnedAway)] == ["virus", "virus"]

    filtered(tmp_path, "clamd", VIRUS, play)


def test_a_filter_that_is_down_costs_nobody_a_message(tmp_path: Path) -> None:
    """The session goes on; what was put off is taken when the filter is there again, in the same session."""

    async def play(house: MxHouse, client: Client) -> None:
        (tmp_path / "filter.sock").rename(tmp_path / "away")
        *_, said = await brought(client, MAIL, "ann@example.com")
        assert said == "451 4.3.0 a filter does not answer now, try again later"
        (tmp_path / "away").rename(tmp_path / "filter.sock")
        *_, said = await brought(client, MAIL, "ann@example.com")
        assert said.startswith("250 2.0.0 taken as ")
        assert len(house.entries()) == 1
        told = [type(each).__name__ for each in house.told if isinstance(each, Alarm | Mended) and each.what == "filter"]
        assert told == ["Alarm", "Mended", "Mended"]

    filtered(tmp_path, "clamd", CLEAN, play)


def test_what_is_marked_is_taken_and_says_so_and_a_strangers_marks_are_gone(tmp_path: Path) -> None:
    async def play(house: MxHouse, client: Client) -> None:
        *_, said = await brought(client, FORGED + MAIL, "ann@example.com")
        assert said.startswith("250")
        [entry] = house.entries()
        content = house.content(entry)
        assert content.endswith(MAIL)
        assert content.count(b"X-Spam-Flag: YES\r\n") == content.lower().count(b"x-spam-flag:") == 1
        assert b"X-Virus-Status" not in content
        assert [taken.verdict for taken in house.heard(TakenIn)] == ["mark"]

    filtered(tmp_path, "spamd", spamd_with(7.0), play)


def test_what_a_milter_would_throw_away_is_held(tmp_path: Path) -> None:
    """It is in the spool, where an operator finds it."""

    async def play(house: MxHouse, client: Client) -> None:
        *_, said = await brought(client, MAIL, "ann@example.com")
        assert said.startswith("250")
        assert (house.entries(), len(house.entries("held"))) == ([], 1)

    filtered(tmp_path, "milter", FakeMilter({"E": frame("d")}), play)


def test_what_a_milter_changes_is_what_is_taken(tmp_path: Path) -> None:
    wishes = frame("b", b"new\r\n") + frame("h", b"X-Virus-Status\0Clean\0") + frame("+", b"<bob@example.com>\0") + CONTINUE

    async def play(house: MxHouse, client: Client) -> None:
        *_, said = await brought(client, MAIL, "ann@example.com")
        assert said.startswith("250")
        [entry] = house.entries()
        assert house.content(entry).endswith(MAIL.replace(b"body", b"new"))
        assert b"X-Virus-Status: Clean\r\n" in house.content(entry)
        assert sorted(one.address for one in entry.envelope.recipients) == ["ann@example.com", "bob@example.com"]

    filtered(tmp_path, "milter", FakeMilter({"E": wishes}), play)


def test_a_milter_refuses_one_recipient_and_has_the_others(tmp_path: Path) -> None:
    class Picky(FakeMilter):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.answers["R"] = frame("y", b"550 5.7.1 not for ann\0")
            await super().__call__(reader, writer)

    milter = Picky()

    async def play(house: MxHouse, client: Client) -> None:
        await client("MAIL FROM:<carl@example.org>")
        assert await client("RCPT TO:<ann@example.com>") == "550 5.7.1 not for ann"
        milter.answers.clear()
        assert (await client("RCPT TO:<bob@example.com>")).startswith("250")
        await client("DATA")
        await client.say(MAIL + b".\r\n")
        assert (await client.hear()).startswith("250")
        [entry] = house.entries()
        assert [one.address for one in entry.envelope.recipients] == ["bob@example.com"]

    filtered(tmp_path, "milter", milter, play)
