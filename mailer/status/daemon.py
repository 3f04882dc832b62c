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

if TYPE_CHECKING:
    from collections.abc import Iterator


class Daemon(NamedTuple):
    """`running`; `pid` 0 is unknown; `sending` are the IDs that are being delivered this moment."""

    running: bool
    pid: int
    sending: frozenset[str]


def look(root: str) -> Daemon:
    """The daemon of the spool at `root`."""
    locks = list(_locks())
    lock = _inode(f"{root}/daemon.lock")
    pid = next((owner for owner, inode in locks if inode == lock), 0)
    inodes = {inode for owner, inode in locks if owner == pid} if pid else set()
    return Daemon(bool(pid) or _answers(root), pid, frozenset(_named(root, inodes)) if len(inodes) > 1 else frozenset())


def _locks() -> Iterator[tuple[int, int]]:
    """(process, inode) of each flock(2) that is held.

    Only inodes are compared: the device that is shown differs from that of stat(2) on some file systems, and a
    process that holds ``daemon.lock`` has no other files with the inodes of messages.
    """
    try:
        with open("/proc/locks", encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:  # 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF; an arrow marks one that waits
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK":
            try:
                yield int(words[4]), int(words[5].rpartition(":")[2])
            except ValueError:
                continue


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
