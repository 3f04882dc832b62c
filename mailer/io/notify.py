"""systemd's notification protocol, sd_notify(3): telling the service manager that we are ready, reload or stop.

A datagram of ``KEY=VALUE`` lines to the socket that ``$NOTIFY_SOCKET`` names. Without that variable nothing
happens, so the daemon need not know who started it.
"""

from __future__ import annotations

import os
import socket
import time

from .component import Component

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .component import Chores


def notify(*lines: str) -> bool:
    """Send `lines` (``READY=1``, ``STATUS=…``) to the service manager; whether there was one to hear."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(os.fsencode("\n".join(lines)), address)
    except OSError:
        return False
    return True


def reloading() -> bool:
    """Say that a reload begins; the manager wants the monotonic time of it."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """How often the manager wants a sign of life: half of ``$WATCHDOG_USEC``; None if it does not."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(usec) / 2_000_000 if usec.isdecimal() and ours else None


class ServiceManager(Component):
    """What the service manager hears of the daemon: that it is ready, that it lives for as long as `alive` says so, and that it ends.

    It starts last and stops first. `status` is for people to read.
    """

    def __init__(self, status: str, alive: Callable[[], bool], chores: Chores) -> None:
        self._status = status
        self._alive = alive
        self._chores = chores

    async def start(self) -> None:
        """Say that all is ready, and give a sign of life as often as it is wanted."""
        notify("READY=1", f"STATUS={self._status}")
        if seconds := watchdog_seconds():
            self._chores.every(seconds, lambda: self._alive() and notify("WATCHDOG=1"))

    async def stop(self, _grace: float) -> None:
        """Say that the end has begun."""
        notify("STOPPING=1", "STATUS=finishing what is under way")
