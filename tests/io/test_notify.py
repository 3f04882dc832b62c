"""sd_notify(3), with a socket like the service manager's."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.io.component import Chores
from mailer.io.notify import ServiceManager, notify, reloading, watchdog_seconds


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager that listens, on a path or on an abstract name."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@mailer-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1))
        listener.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listener


def test_the_manager_hears_what_is_said(manager: socket.socket) -> None:
    """One datagram of lines."""
    assert notify("READY=1", "STATUS=delivering from /spool")
    assert manager.recv(1000) == b"READY=1\nSTATUS=delivering from /spool"


def test_a_path_that_is_no_utf8_can_be_said(manager: socket.socket) -> None:
    """As the bytes that it is."""
    assert notify("STATUS=delivering from " + os.fsdecode(b"/sp\xffol"))
    assert manager.recv(1000) == b"STATUS=delivering from /sp\xffol"


def test_a_reload_says_when_it_began(manager: socket.socket) -> None:
    """The manager compares with its own clock, which is the monotonic one."""
    before = time.monotonic_ns() // 1000
    assert reloading()
    first, second = manager.recv(1000).decode().split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize("address", [None, "", "relative", "/nowhere/at/all", "@nobody-listens-here", "x" * 200, "/" + "x" * 200])
def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    """No variable, one that is none, nobody there: False, never an error."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("30000000", None, 15.0), ("1000000", "ours", 0.5), ("30000000", "1", None), (None, None, None), ("", None, None), ("x", None, None),
     ("-5", None, None), ("²", None, None)],
)  # fmt: skip
def test_how_often_the_manager_wants_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, seconds: float | None
) -> None:
    """Half of the time that it allows, if it means this process."""
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert watchdog_seconds() == seconds


def test_a_daemon_says_that_it_is_ready_lives_and_ends(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY when it starts, WATCHDOG for as long as it is alive, STOPPING at the end."""
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    alive = [True] * 3

    async def scenario() -> None:
        chores = Chores(print, print)
        service = ServiceManager("delivering", lambda: bool(alive) and alive.pop(), chores)
        await service.start()
        chores.begin()
        async with asyncio.timeout(60):
            while alive:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        await service.stop(0.0)
        await chores.stop(0.0)

    asyncio.run(scenario())
    manager.setblocking(False)
    said = [manager.recv(1000) for _ in range(5)]
    assert said == [b"READY=1\nSTATUS=delivering", *[b"WATCHDOG=1"] * 3, b"STOPPING=1\nSTATUS=finishing what is under way"]
    with pytest.raises(BlockingIOError):
        manager.recv(1000)
