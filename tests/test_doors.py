"""Processes beside the daemon: they are started, started anew, told of a reload, and never stay behind."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailer import doors
from mailer.alarms.book import AlarmBook
from mailer.config import Config
from mailer.config.file import config_of
from mailer.doors import Doors, wanted
from mailer.events import AlarmBegun, AlarmOver, Event, Events
from mailer.io.leash import VARIABLE

CHILD = """
import os, signal, sys
book = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
say = lambda *words: os.write(book, (" ".join(map(str, words)) + "\\n").encode())
signal.signal(signal.SIGHUP, lambda *_: say("hangup"))
signal.signal(signal.SIGTERM, lambda *_: (say("term"), os._exit(0)))
say("began", os.getpid())
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
if len(sys.argv) > 2:
    sys.exit(int(sys.argv[2]))
os.read(int(os.environ["MAILER_LEASH"]), 1)
say("leash")
"""


class Told:
    """A listener, and the book of one child."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[Event] = []
        self.bell = Events([self], self._bug, AlarmBook())
        path.touch()

    def now(self) -> float:
        return time.monotonic()

    def told(self, event: Event) -> None:
        self.events.append(event)

    def _bug(self, error: Exception) -> None:
        raise error

    @property
    def words(self) -> list[str]:
        return [line.split()[0] for line in self.path.read_text().splitlines()]

    @property
    def pid(self) -> int:
        return int([line.split()[1] for line in self.path.read_text().splitlines() if line.startswith("began")][-1])

    async def until(self, asked: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not asked():
                await asyncio.sleep(0.01)

    def argv(self, *more: str) -> tuple[str, ...]:
        return (sys.executable, "-S", "-c", CHILD, str(self.path), *more)


def with_doors(
    tmp_path: Path, test: Callable[[Doors, Told, dict[str, tuple[str, ...]]], Awaitable[None]], *more: str, name: str = "web"
) -> None:
    async def run() -> None:
        told = Told(tmp_path / "book")
        programs = {name: told.argv(*more)}
        under_test = Doors(Config(), told, told.bell.tell, lambda _: dict(programs))
        await under_test.start()
        try:
            await test(under_test, told, programs)
        finally:
            await under_test.stop(5)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "FIRST", 0.01)
    monkeypatch.setattr(doors, "LASTING", 60.0)  # longer than a child takes to start on a machine that is busy


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_configured_is_started() -> None:
    """With the places of the daemon, wherever it was started."""
    config = config_of("here.toml", b'[[listen]]\nkind = "web"\naddress = "127.0.0.1:8025"\n', "/tmp/spool")
    argv = wanted(config, "spool")["web"]
    assert argv[4:] == ("web", "--quiet", "--config", os.path.abspath("here.toml"), "--spool", os.path.abspath("spool"))
    config = config_of("", b'[[webhook]]\nname = "shop"\nurl = "https://app.example.com/"\nsecret_file = "/x"\n', "/tmp/spool")
    assert wanted(config, None)["hooks"][4:] == ("hooks", "run")
    assert wanted(Config(), None) == {}


def test_it_lives_as_long_as_the_daemon_and_hears_of_reloads(tmp_path: Path) -> None:
    """One that asks for another program ends it; the end of the daemon is told it, too, and waited for."""

    async def test(under_test: Doors, told: Told, programs: dict[str, tuple[str, ...]]) -> None:
        await asyncio.sleep(0)
        with under_test.reload(Config()):  # before it can hear: it waits until it can
            pass
        await told.until(lambda: told.words == ["began", "hangup"])
        with under_test.reload(Config()):
            pass
        await told.until(lambda: told.words == ["began", "hangup", "hangup"])
        first = told.pid
        programs["web"] = (*told.argv()[:-1], str(told.path) + "2")
        with under_test.reload(Config()):
            pass
        second = Told(Path(str(told.path) + "2"))
        await told.until(lambda: second.words == ["began"] and not is_there(first))
        assert told.words[-1] == "term"
        await under_test.stop(5)
        assert second.words == ["began", "term"]
        assert not told.events

    with_doors(tmp_path, test)


def test_what_was_killed_is_started_anew(tmp_path: Path) -> None:
    """The first time without an alarm."""

    async def test(_doors: Doors, told: Told, _programs: object) -> None:
        await told.until(lambda: told.words)
        os.kill(told.pid, signal.SIGKILL)
        await told.until(lambda: told.words == ["began", "began"])
        assert not [event for event in told.events if isinstance(event, AlarmBegun)]

    with_doors(tmp_path, test)


@pytest.mark.parametrize("call", ["pipe", "pidfd_open"])
def test_a_daemon_without_descriptors_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """There may be one left a moment later; meanwhile nothing is at work that nobody watches."""
    plain, left = getattr(os, call), [2]

    def scarce(*args: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return plain(*args)

    monkeypatch.setattr(doors, "FIRST", 0.01)
    monkeypatch.setattr(os, call, scarce)

    async def test(_: Doors, told: Told, __: dict[str, tuple[str, ...]]) -> None:
        await told.until(lambda: left[0] < 0)
        await told.until(lambda: told.words[-1:] == ["began"])
        os.kill(told.pid, 0)
        assert sum("Too many open files" in str(event) for event in told.events) == 2

    with_doors(tmp_path, test)


def test_what_keeps_ending_is_an_alarm_until_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One, however often it ends."""

    async def test(under_test: Doors, told: Told, programs: dict[str, tuple[str, ...]]) -> None:
        await told.until(lambda: len(told.words) > 3)
        begun = [event for event in told.events if isinstance(event, AlarmBegun)]
        assert [(event.alarm.kind, event.alarm.key) for event in begun] == [("door", "web")]
        assert "exit code 1" in begun[0].alarm.text
        programs["web"] = told.argv()
        monkeypatch.setattr(doors, "LASTING", 0.1)
        with under_test.reload(Config()):
            pass
        await told.until(lambda: any(isinstance(event, AlarmOver) for event in told.events))

    with_doors(tmp_path, test, "1")


@pytest.mark.parametrize(("name", "by_hand"), [("web", "mailer web"), ("amqp", "mailer amqp"), ("hooks", "mailer hooks run")])
def test_what_a_person_has_to_mend_is_an_alarm_at_once(tmp_path: Path, name: str, by_hand: str) -> None:
    """A configuration that is wrong for it does not get right by itself; the remedy has the command that shows what it says."""

    async def test(_doors: Doors, told: Told, _programs: object) -> None:
        await told.until(lambda: told.events)
        [begun] = [event for event in told.events if isinstance(event, AlarmBegun)]
        assert begun.alarm.remedy == f"mailer config check; then: {by_hand}"

    with_doors(tmp_path, test, "78", name=name)


def test_one_that_systemd_has_started_is_left_alone(tmp_path: Path) -> None:
    """It says that another one is at work, and that is no trouble: it is not started again at once."""

    async def test(_doors: Doors, told: Told, _programs: object) -> None:
        await told.until(lambda: told.words)
        await asyncio.sleep(0.3)
        assert told.words == ["began"]
        assert not told.events

    with_doors(tmp_path, test, "75")


def test_none_stays_behind_a_daemon_that_was_killed(tmp_path: Path) -> None:
    """The leash ends with the daemon, whatever way that ends."""
    told = Told(tmp_path / "book")
    text = (
        "import asyncio, sys\nfrom mailer.config import Config\nfrom mailer.doors import Doors\nfrom mailer.io.clock import SystemClock\n"
        "async def run():\n  await Doors(Config(), SystemClock(), print, lambda _: {'web': tuple(sys.argv[1:])}).start()\n"
        "  await asyncio.sleep(60)\nasyncio.run(run())\n"
    )
    with subprocess.Popen([sys.executable, "-c", text, *told.argv()]) as daemon:
        asyncio.run(told.until(lambda: told.words))
        daemon.kill()
    asyncio.run(told.until(lambda: told.words == ["began", "leash"]))
    assert VARIABLE not in os.environ
