"""Whether a daemon runs on a spool, and what it has in hand; seen from outside, without disturbing it.

Two traces: the doorbell is bound (a datagram socket can be connected to without anything being sent), and the
kernel's list of file locks, ``/proc/locks``, has ``daemon.lock`` and each message that is being delivered. Nothing
is locked here, not even to try: in that moment the daemon would find its own message busy.

Where ``/proc`` does not show other processes (containers), the doorbell alone tells; then no message shows
as being sent, and that is all that is missing.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, NamedTuple

from mailer.spool.files.daemons import LOCK, locks

if TYPE_CHECKING:
    from collections.abc import Iterator


class DaemonState(NamedTuple):
    """The state of a daemon: whether it is `running`; its `pid`, 0 if unknown; the IDs that it is `sending` this moment."""

    running: bool
    pid: int
    sending: frozenset[str]


def look(root: str) -> DaemonState:
    """The daemon of the spool at `root`."""
    held = list(locks())
    lock = _inode(f"{root}/{LOCK}")
    pid = next((owner for owner, inode in held if inode == lock), 0)
    inodes = {inode for owner, inode in held if owner == pid} if pid else set()
    return DaemonState(bool(pid) or _answers(root), pid, frozenset(_named(root, inodes)) if len(inodes) > 1 else frozenset())


def _inode(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_ino
    except OSError:
        return -1


def _named(root: str, inodes: set[int]) -> Iterator[str]:
    for state in ("queued", "deferred"):
        try:
            with os.scandir(f"{root}/{state}") as entries:
                yield from (entry.name for entry in entries if entry.inode() in inodes)
        except OSError:
            continue


def _answers(root: str) -> bool:
    """Whether somebody is bound to the doorbell. By way of /proc, because a socket's path has only 108 bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        try:
            directory = os.open(root, os.O_PATH | os.O_CLOEXEC)
            try:
                bell.connect(f"/proc/self/fd/{directory}/doorbell")
            finally:
                os.close(directory)
        except OSError:
            return False
        return True
