"""How a session with a stranger ends: by what it has had, by what it does wrong, and when the daemon does."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from mailer.events import Alarm, TakenIn, TurnedAway
from mailer.io import descriptors
from tests.smtpd.house import Client
from tests.smtpd.mx_house import MxHouse
from tests.smtpd.test_mx import MAIL, brought, played


def test_who_waits_for_nothing_is_let_go_at_the_end(tmp_path: Path) -> None:
    """A session between two messages hears 421 at once."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            stopping = asyncio.ensure_future(house.doors.stop(30.0))
            assert (await client.hear()).startswith("421 4.3.2")
            await stopping

    played(MxHouse(tmp_path), play)


def test_a_message_that_is_under_way_comes_to_its_end(tmp_path: Path) -> None:
    """The daemon stops, takes no new caller, and answers for what it is being told; then it says that it is over."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<carl@example.org>")
            await client("RCPT TO:<ann@example.com>")
            await client("DATA")
            await client.say(MAIL)
            port = house.port
            stopping = asyncio.ensure_future(house.doors.stop(60.0))
            while not house.doors._accepting["mx"].stopping:
                await asyncio.sleep(0)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await client.say(b".\r\n")
            assert (await client.hear()).startswith("250 2.0.0")
            assert (await client.hear()).startswith("421 4.3.2")
            await stopping
        assert len(house.heard(TakenIn)) == len(house.entries()) == 1

    played(MxHouse(tmp_path), play)


def test_a_session_has_so_many_messages(tmp_path: Path) -> None:
    """Then the client is to call again."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            for _ in range(2):
                assert (await brought(client, MAIL, "ann@example.com"))[-1].startswith("250")
            assert (await client("MAIL FROM:<carl@example.org>")).startswith("421 4.7.0")
        assert [away.reason for away in house.heard(TurnedAway)] == ["limit"]

    played(MxHouse(tmp_path, receiving="messages_per_session = 2"), play)


def test_what_the_machine_refuses_is_told_of_too(tmp_path: Path) -> None:
    """Who asks where his mail is finds that it was too large, or for too many."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await client("MAIL FROM:<carl@example.org> SIZE=99999999")).startswith("552 5.3.4")
            await client("MAIL FROM:<carl@example.org>")
            for name in ("ann", "bob", "postmaster"):
                last = await client(f"RCPT TO:<{name}@example.com>")
            assert last.startswith("452 4.5.3")
        assert [(away.reason, away.phase) for away in house.heard(TurnedAway)] == [("size", "mistake"), ("recipients", "mistake")]

    played(MxHouse(tmp_path, receiving="max_recipients = 2"), play)


def test_callers_leave_descriptors_for_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many may call by the configuration, a low limit is shared; that is an alarm."""
    monkeypatch.setattr(descriptors, "limit", lambda: 8)

    async def play(house: MxHouse) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                await stack.enter_async_context(Client.of(house.port))
            late = Client(*await asyncio.open_connection("127.0.0.1", house.port))
            assert (await late.hear()).startswith("421 4.3.2")
            late.writer.close()
        [alarm] = [event for event in house.told if isinstance(event, Alarm) and event.what == "descriptors"]
        assert "enough for 4 callers at doors of kind mx, not for 1000" in alarm.detail

    played(MxHouse(tmp_path), play)
