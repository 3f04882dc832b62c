"""A door for the mail of strangers, and what its machine guards it against: proxies that nobody listed, crowds, octets that stand alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.events import TakenIn
from tests.smtpd.house import Client
from tests.smtpd.mx_house import MxHouse
from tests.smtpd.test_mx import MAIL, brought, played

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.2 54321 25\r\n"


def test_a_listed_proxy_says_who_calls(tmp_path: Path) -> None:
    """His address is what the trace field, the envelope and the log have, and the limits count; whom we have it from is known, too."""

    async def play(house: MxHouse) -> None:
        client = Client(*await asyncio.open_connection("127.0.0.1", house.port))
        await client.say(LINE)
        assert (await client.hear()).startswith("220")
        await client("EHLO out.example.org")
        assert (await brought(client, MAIL, "ann@example.com"))[-1].startswith("250")
        [entry], [taken] = house.entries(), house.heard(TakenIn)
        assert (taken.arrival.ip, taken.arrival.proxy) == ("192.0.2.7", "127.0.0.1")
        assert (entry.envelope.submitter["ip"], entry.envelope.submitter["proxy"]) == ("192.0.2.7", "127.0.0.1")
        assert house.content(entry).startswith(b"Received: from out.example.org ([192.0.2.7])")
        late = Client(*await asyncio.open_connection("127.0.0.1", house.port))
        await late.say(LINE)
        assert (await late.hear()).startswith("421")
        for each in (client, late):
            each.writer.close()

    played(MxHouse(tmp_path, listen='proxies = ["127.0.0.1"]', receiving="connections_per_network = 1"), play)


def test_nobody_else_says_who_calls(tmp_path: Path) -> None:
    """Such a line from somebody who is not listed ends the session."""

    async def play(house: MxHouse) -> None:
        client = Client(*await asyncio.open_connection("127.0.0.1", house.port))
        await client.say(LINE)
        assert (await client.hear()).startswith("220")
        assert (await client.hear()).startswith("421")
        assert await client.hear() == ""
        client.writer.close()

    played(MxHouse(tmp_path), play)


def test_a_neighbourhood_does_not_keep_others_out(tmp_path: Path) -> None:
    """Of one /24 ninety are served, and then those of the next."""

    async def play(house: MxHouse) -> None:
        callers = []

        async def called(ip: str) -> str:
            client = Client(*await asyncio.open_connection("127.0.0.1", house.port, local_addr=(ip, 0)))
            callers.append(client)
            return (await client.hear())[:3]

        crowd = [await called(f"127.0.5.{number + 1}") for number in range(92)]
        assert crowd == ["220"] * 90 + ["421"] * 2
        assert await called("127.0.6.1") == "220"
        for client in callers:
            client.writer.close()

    played(MxHouse(tmp_path), play)


STRAYS = b"From: carl@example.org\r\nSubject: a\rb\r\n\r\none\n.\ntwo\0\r\n"


@pytest.mark.parametrize("chunks", [False, True])
def test_octets_that_stand_alone(tmp_path: Path, chunks: bool) -> None:
    """A message with a stray CR, LF or NUL is one message, and what is kept of it has lines as they should be; or it is refused."""

    async def bring(house: MxHouse) -> str:
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<carl@example.org>")
            await client("RCPT TO:<ann@example.com>")
            if not chunks:
                await client("DATA")
            await client.say((b"BDAT %d LAST\r\n" % len(STRAYS) if chunks else b"") + STRAYS + (b"" if chunks else b".\r\n"))
            return await client.hear()

    async def mended(house: MxHouse) -> None:
        assert (await bring(house)).startswith("250")
        [entry] = house.entries()
        assert house.content(entry).endswith(b"Subject: a b\r\n\r\none\r\n.\r\ntwo \r\n")

    async def refused(house: MxHouse) -> None:
        assert (await bring(house)).startswith("554 5.6.0")
        assert house.entries() == []

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    played(MxHouse(tmp_path / "a"), mended)
    played(MxHouse(tmp_path / "b", receiving='line_ends = "refuse"'), refused)
