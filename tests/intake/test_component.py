"""The door and the doorbell as parts of the daemon: when they open, what a reload changes, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mailer.config import Config
from mailer.config.file import config_of
from mailer.events import Alarm, Corrupt, Event
from mailer.intake.component import Doorbell, IntakeComponent
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.spool.api import Changes
from mailer.spool.files import doorbell
from mailer.spool.files.handover import NAME, Unanswered, ask
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import FakeClock, envelope, id_at, spool_file

ID, SECOND, THIRD, FOURTH = (id_at(time.time())[:-1] + last for last in "0123")


class Unknown:
    """A status that knows of no message."""

    def submitter(self, _id: str) -> tuple[bool, None]:
        return False, None

    def adopted(self, _id: str, _uid: int) -> None:
        pass


def configured(text: str = "") -> Config:
    return config_of("mailer.toml", f"[intake]\nenabled = true\n{text}".encode())


class Daemon:
    """What a door belongs to."""

    def __init__(self, path: Path, config: Config, *, once: bool = False) -> None:
        self.spool = SpoolDirectory(str(path / "spool"))
        self.spool.prepare()
        self.seen: list[str] = []
        self.told: list[Event] = []
        self.chores = Chores(self.told.append, self.told.append)
        status: Any = Unknown()
        self.intake = IntakeComponent(self.spool, config, status, SystemClock(), self.seen.extend, self.told.append, self.chores, once=once)

    def leave(self, name: str) -> None:
        """A message lies in ``drop/``, of the spool's own user, who is to write the spool itself: it is taken, refused and told."""
        path = Path(self.spool.root, "drop", name)
        path.write_bytes(spool_file(envelope("you@example.net", id=name, at=time.time())))

    @property
    def taken(self) -> list[str]:
        """What was taken from ``drop/`` so far."""
        return [event.id.removeprefix("drop/") for event in self.told if isinstance(event, Corrupt)]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(60):
            await scenario

    asyncio.run(in_time())


async def until(what: Callable[[], object]) -> None:
    while not what():
        await asyncio.sleep(0.001)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def test_one_pass_takes_what_is_there_and_listens_to_nobody(place: Path) -> None:
    """When `start` returns, all that lay in ``drop/`` was taken; there is no socket and no chore."""

    async def scenario() -> None:
        daemon = Daemon(place, configured(), once=True)
        daemon.leave(ID)
        await daemon.intake.start()
        assert daemon.taken == [ID]
        assert not os.path.lexists(f"{daemon.spool.root}/{NAME}")
        assert daemon.chores._works == []
        await daemon.intake.stop(0.0)

    run(scenario())


def test_a_daemon_listens_and_leaves_nothing_behind(place: Path) -> None:
    """What lay there comes beside, what comes later is found by a chore and by the doorbell; at the end the socket is gone."""

    async def scenario() -> None:
        daemon = Daemon(place, configured('[delivery]\nrescan = "0.01s"\n'))
        daemon.leave(ID)
        await daemon.intake.start()
        await until(lambda: daemon.taken == [ID])
        assert await asyncio.to_thread(ask, daemon.spool.root, f"find {ID}") == ("", b"")
        daemon.leave(SECOND)
        await daemon.intake.heard(Changes([SECOND]))
        await until(lambda: len(daemon.taken) == 2)
        daemon.leave(THIRD)
        await daemon.intake.heard(Changes(everything=True))
        await until(lambda: len(daemon.taken) == 3)
        daemon.leave(FOURTH)
        daemon.chores.begin()
        await until(lambda: len(daemon.taken) == 4)
        await daemon.chores.stop(0.0)
        await daemon.intake.stop(0.0)
        assert not os.path.lexists(f"{daemon.spool.root}/{NAME}")

    run(scenario())


def test_a_reload_changes_what_may_be_asked(place: Path) -> None:
    """The size of a question follows the configuration, but not one that another component refuses."""

    async def scenario() -> None:
        daemon = Daemon(place, configured())
        await daemon.intake.start()

        async def refused(length: int) -> bool:
            try:
                await asyncio.to_thread(ask, daemon.spool.root, f"put {ID}", b"x" * length)
            except Unanswered:
                return True
            except Exception as problem:
                return "a question has 1 to" in str(problem)
            return False

        small = configured('[submission]\nmax_message_size = "1KB"\nmax_recipients = 1\n')
        with pytest.raises(KeyError), daemon.intake.reload(small):
            raise KeyError
        assert not await refused(5_000_000)
        with daemon.intake.reload(small):
            pass
        assert await refused(5_000_000)
        await daemon.intake.stop(0.0)

    run(scenario())


def test_a_socket_that_cannot_be_had_is_an_alarm(place: Path) -> None:
    """Other users are left with ``drop/``, and the daemon goes on."""

    async def scenario() -> None:
        daemon = Daemon(place, configured())
        os.mkdir(f"{daemon.spool.root}/{NAME}")
        await daemon.intake.start()
        (alarm,) = daemon.told
        assert isinstance(alarm, Alarm)
        assert (alarm.what, "other users hand in by drop/ alone" in alarm.detail) == ("intake", True)
        daemon.leave(ID)
        await daemon.intake.heard(Changes([ID]))
        await until(lambda: ID in daemon.taken)
        await daemon.intake.stop(0.0)

    run(scenario())


def test_a_doorbell_is_heard_by_all_until_the_end(tmp_path: Path) -> None:
    """Each hears each ID; afterwards whoever rings finds nobody."""

    async def scenario() -> None:
        heard: list[list[str]] = [[], []]

        async def first(changes: Changes) -> None:
            heard[0] += changes.ids
            raise RuntimeError("a bug of the first one")

        async def second(changes: Changes) -> None:
            heard[1] += changes.ids

        told: list[Event] = []
        spool = FileSpool(SpoolDirectory(str(tmp_path)))
        bell = Doorbell(spool, [second, first], FakeClock(), told.append)
        await bell.start()
        for nth in range(1, 3):
            assert doorbell.ring(str(tmp_path), ID)
            await until(lambda nth=nth: heard == [[ID] * nth, [ID] * nth])  # type: ignore[misc]
        assert len(told) == 2
        with bell.reload(Config()):
            pass
        await bell.stop(0.0)
        await spool.close()
        assert not doorbell.ring(str(tmp_path), ID)

    run(scenario())


def test_a_doorbell_that_cannot_be_hung_is_an_alarm(tmp_path: Path) -> None:
    """The daemon starts and stops without it."""

    async def scenario() -> None:
        told: list[Event] = []
        (tmp_path / "doorbell").mkdir()
        bell = Doorbell(FileSpool(SpoolDirectory(str(tmp_path))), (), FakeClock(), told.append)
        await bell.start()
        await bell.stop(0.0)
        (alarm,) = told
        assert isinstance(alarm, Alarm)
        assert alarm.what == "doorbell"
        assert alarm.detail.endswith("new mail is found by the rescan (delivery.rescan)")

    run(scenario())
