"""A process hears of mailboxes from its start to its end, wherever they are."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from mailer.config import Config
from mailer.config.file import config_of
from mailer.events import Alarm, Event, Mended
from mailer.io.clock import SystemClock
from mailer.mailbox.bell import Bell
from mailer.serving.hearing import HearingComponent
from mailer.spool import new_id

OWNER = new_id(1_800_000_000.0)


def at(tmp_path: Path, name: str) -> Config:
    """A configuration with mailboxes there."""
    return config_of("x", f'[mailer]\nspool = "{tmp_path}/spool"\n[mailboxes]\npath = "{tmp_path}/{name}"\n'.encode())


def test_mailboxes_that_are_elsewhere_are_heard_there(tmp_path: Path) -> None:
    """From the reload on; a bell of this process is not heard twice, and nothing is left at the end."""

    async def run() -> None:
        told, heard = list[Event](), asyncio.Queue[tuple[int, int]]()
        hearing = HearingComponent(at(tmp_path, "one"), told.append, SystemClock())
        await hearing.start()
        hearing.news.listen(OWNER, lambda *news: heard.put_nowait(news))
        own, other = Bell(f"{tmp_path}/one", hearing.own), Bell(f"{tmp_path}/one")
        own.ring(OWNER, 9, 9)
        other.ring(OWNER, 1, 2)
        assert await asyncio.wait_for(heard.get(), 10) == (1, 2)
        with hearing.reload(at(tmp_path, "two")):
            pass
        assert hearing._again is not None
        await hearing._again
        assert os.listdir(tmp_path / "one/bell") == []
        elsewhere = Bell(f"{tmp_path}/two")
        elsewhere.ring(OWNER, 3, 4)
        assert await asyncio.wait_for(heard.get(), 10) == (3, 4)
        await hearing.stop(0.0)
        assert os.listdir(tmp_path / "two/bell") == []
        assert {type(each) for each in told} == {Mended}
        for bell in (own, other, elsewhere):
            bell.close()

    asyncio.run(run())


def test_a_bell_that_cannot_be_had_is_an_alarm(tmp_path: Path) -> None:
    """And no reason not to serve."""

    async def run() -> None:
        told = list[Event]()
        (tmp_path / "file").write_text("")
        hearing = HearingComponent(at(tmp_path, "file/boxes"), told.append, SystemClock())
        await hearing.start()
        [alarm] = told
        assert isinstance(alarm, Alarm)
        assert (alarm.what, alarm.key, hearing.own) == ("mailboxes", "bell", "")
        await hearing.stop(0.0)

    asyncio.run(run())
