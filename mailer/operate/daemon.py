"""Telling the daemon of a spool to read its configuration again, or to end, and hearing what came of it.

Both are signals. They go to the process that holds the lock of this spool and has its file open, by a descriptor of that very process
(pidfd_open(2)): neither a number that another process has by now, nor a file with the same number on another disk, can be meant instead.
What came of a reload the daemon writes down, see `mailer.spool.files.traces`.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.secret import owner_of
from mailer.mail.problem import Problem
from mailer.spool.files import daemons, traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.spool.files.store import SpoolDirectory

LOOK = 0.02  # seconds between two looks at what the daemon has written down


class Process(NamedTuple):
    """The daemon's process: its number, and a descriptor of it."""

    pid: int
    fd: int

    def ended(self, seconds: float) -> bool:
        """Whether it is over, at the latest after so many seconds."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(max(seconds, 0.0) * 1000))

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal. Raises `Problem` (unavailable) if it is over."""
        try:
            signal.pidfd_send_signal(self.fd, number)
        except ProcessLookupError:
            raise Problem(f"the daemon (pid {self.pid}) has just ended", "unavailable") from None


def reload(spool: SpoolDirectory, patience: float) -> int:
    """Let the daemon of `spool` read its configuration again, and wait until it has; returns its process number.

    Raises `Problem`: bad-config with the daemon's words where it keeps the old one; unavailable, no-permission where there is no daemon
    to ask, or none that this user may ask; try-again where it says nothing for `patience` seconds.
    """
    with _daemon(spool) as daemon:
        asked, until = traces.now(), time.monotonic() + patience
        daemon.tell(signal.SIGHUP)
        while time.monotonic() < until:
            over = daemon.ended(LOOK)
            done = traces.reloaded(spool)
            if done and done.began >= asked:
                if done.problem:
                    raise Problem(f"the daemon (pid {daemon.pid}) keeps the configuration that it has: {done.problem}", "bad-config")
                return daemon.pid
            if over:
                raise Problem(f"the daemon (pid {daemon.pid}) has ended; its log says why", "unavailable")
    text = f"the daemon (pid {daemon.pid}) was told, and has not said within {patience:g} s what came of it; its log will"
    raise Problem(text, "try-again")


def stop(spool: SpoolDirectory, patience: float, *, named: bool) -> int:
    """Let the daemon of `spool` end, and wait until it has; returns its process number, 0 if none runs there.

    Raises `Problem`: unavailable where one runs on another spool that may have been meant, for this one was not `named`; no-permission;
    try-again where it goes on for `patience` seconds.
    """
    if not daemons.look(spool.place)[0] and (named or not daemons.note_elsewhere(spool.place)):
        return 0
    with _daemon(spool) as daemon:
        daemon.tell(signal.SIGTERM)
        if not daemon.ended(patience):
            text = f"the daemon (pid {daemon.pid}) was told to end and has not within {patience:g} s: deliveries under way have "
            raise Problem(f"{text}delivery.stop_timeout to finish", "try-again")
        return daemon.pid


@contextmanager
def _daemon(spool: SpoolDirectory) -> Iterator[Process]:
    """The daemon of `spool`. Raises `Problem` (unavailable, no-permission)."""
    running, pid, _ = daemons.look(spool.place)
    if not running:
        others = daemons.note_elsewhere(spool.place)
        raise Problem(others or f"no daemon runs on the spool {spool.place}", "unavailable")
    fd = _opened(pid) if pid > 0 else -1
    try:
        if fd < 0 or not daemons.holds(pid, spool.place):
            owner = owner_of(spool.place)
            if not owner.is_foreign:
                raise Problem(f"the daemon of {spool.place} runs where this process cannot see it (another container?)", "unavailable")
            text = f"the daemon of {spool.place} is of user {owner.name}; do this as root or as that user"
            raise Problem(text, "no-permission")
        yield Process(pid, fd)
    finally:
        if fd >= 0:
            os.close(fd)


def _opened(pid: int) -> int:
    """A descriptor of process `pid`; -1 if there is none such any more, or the system has no such descriptors."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1
