"""The bell is heard in other processes, soon, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailer.mailbox import bell as module
from mailer.mailbox.bell import ANYTHING, LATE, Bell, BellListener
from mailer.mailbox.layout import Layout

OWNER = "01MCC5RM00AKB3VPM43P8A6PE6"
OTHER = "01MCC5RMZ8AKB3VPM43P8A6PE7"


class Heard:
    """What a listener was told, and a wait for more of it."""

    def __init__(self) -> None:
        self.news: list[tuple[str, int, int]] = []
        self._more = asyncio.Event()

    def __call__(self, *news: object) -> None:
        self.news.append(news)  # type: ignore[arg-type]
        self._more.set()

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(10):
            while not wanted():
                self._more.clear()
                await self._more.wait()


def listening(tmp_path: Path, test: Callable[[Heard, BellListener, Bell], Awaitable[None]]) -> None:
    """Do `test` with a listener, and a bell of somebody else's."""

    async def scenario() -> None:
        heard = Heard()
        listener = BellListener(str(tmp_path), heard, asyncio.get_running_loop())
        bell = Bell(str(tmp_path))
        try:
            await test(heard, listener, bell)
        finally:
            bell.close()
            listener.close()
        assert os.listdir(Layout(str(tmp_path)).bell) == []

    asyncio.run(scenario())


def test_what_is_rung_is_heard(tmp_path: Path) -> None:
    """By whoever listens, and not by himself."""

    async def test(heard: Heard, listener: BellListener, bell: Bell) -> None:
        own = Bell(str(tmp_path), listener.name)
        own.ring(OWNER, 1, 5)
        bell.ring(OWNER, 2, 6)
        await heard.until(lambda: bool(heard.news))
        assert heard.news == [(OWNER, 2, 6)]
        own.close()

    listening(tmp_path, test)


def test_nobody_listens(tmp_path: Path) -> None:
    """Where no process ever did, and where one has died, ringing is for nothing and troubles nobody."""
    Bell(str(tmp_path / "none")).ring(OWNER, 1, 2)
    layout = Layout(str(tmp_path))
    layout.have(layout.bell)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(f"{layout.bell}/1-dead")
    Path(layout.bell, "1-dead" + LATE).write_bytes(b"")
    bell = Bell(str(tmp_path))
    bell.ring(OWNER, 1, 2)
    bell.close()
    assert os.listdir(layout.bell) == []


def test_a_flood_is_told_together_and_whole(tmp_path: Path) -> None:
    """Far more than a socket takes, while nobody reads: of each folder the last is told, once or a few times, and none is missing."""

    async def test(heard: Heard, listener: BellListener, bell: Bell) -> None:
        for number in range(3000):
            bell.ring(OWNER if number % 2 else OTHER, number % 7, number)
        last = {(OWNER if number % 2 else OTHER, number % 7): number for number in range(3000)}
        await heard.until(lambda: {each[:2]: each[2] for each in heard.news} == last)
        assert len(heard.news) < 100

    listening(tmp_path, test)


def test_a_flood_beyond_all_bounds_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no more is written down, whoever listens is told to ask anew; afterwards all is as before."""
    monkeypatch.setattr(module, "MOST", 2000)

    async def test(heard: Heard, listener: BellListener, bell: Bell) -> None:
        for number in range(2000):
            bell.ring(OWNER, 1, number)
        [late] = [name for name in os.listdir(Layout(str(tmp_path)).bell) if name.endswith(LATE)]
        assert Path(Layout(str(tmp_path)).bell, late).stat().st_size < 2500
        await heard.until(lambda: ANYTHING in heard.news)
        heard.news.clear()
        bell.ring(OWNER, 4, 9999)
        await heard.until(lambda: (OWNER, 4, 9999) in heard.news)

    listening(tmp_path, test)


def test_who_writes_late_behind_a_reader_is_read(tmp_path: Path) -> None:
    """Somebody who has opened the file before its name was taken away, and writes after that, is heard with the next datagram."""

    async def test(heard: Heard, listener: BellListener, bell: Bell) -> None:
        path = f"{Layout(str(tmp_path)).bell}/{listener.name}"
        file = os.open(path + LATE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        bell.ring(OWNER, 1, 5)
        await heard.until(lambda: bool(heard.news))
        assert not os.path.exists(path + LATE)
        os.write(file, f"{OWNER} 2 6\n".encode())
        os.close(file)
        bell.ring(OWNER, 1, 7)
        await heard.until(lambda: (OWNER, 2, 6) in heard.news)

    listening(tmp_path, test)


@pytest.mark.parametrize(
    "line", [b"", b"x", b"../../x 1 2", OWNER.encode(), OWNER.encode() + b" -1 2", OWNER.encode() + b" 1 x", b"\xff" * 200]
)
def test_what_is_no_news_is_none(tmp_path: Path, line: bytes) -> None:
    """Whoever may write there is of this machine's mailboxes; nonsense is nothing all the same."""

    async def test(heard: Heard, listener: BellListener, bell: Bell) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as somebody:
            somebody.sendto(line, f"{Layout(str(tmp_path)).bell}/{listener.name}")
        bell.ring(OWNER, 1, 2)
        await heard.until(lambda: bool(heard.news))
        assert heard.news == [(OWNER, 1, 2)]

    listening(tmp_path, test)


RINGER = """
import sys, time
from mailer.mailbox.bell import Bell
bell = Bell(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    bell.ring(sys.argv[2], 1, time.monotonic_ns())
"""


def test_another_process_is_heard_soon(tmp_path: Path) -> None:
    """Within a tenth of a second; mostly it is one millisecond."""

    async def test(heard: Heard, listener: BellListener, bell: Bell) -> None:
        argv = [sys.executable, "-c", RINGER, str(tmp_path), OWNER]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            await asyncio.to_thread(other.stdout.readline)
            waits = []
            for turn in range(20):
                other.stdin.write("\n")
                other.stdin.flush()
                await heard.until(lambda turn=turn: len(heard.news) > turn)  # type: ignore[misc]
                waits.append((time.monotonic_ns() - heard.news[-1][2]) / 1e9)
            other.stdin.close()
        assert sorted(waits)[len(waits) // 2] < 0.1

    listening(tmp_path, test)
