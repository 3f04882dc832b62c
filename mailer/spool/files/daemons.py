"""The daemons of this machine and the spools that they serve, seen from outside and without disturbing one.

Two traces: the doorbell is bound, and the kernel's list of file locks has ``daemon.lock`` and each message that is being delivered.
Nothing is locked here, not even to try: in that moment the daemon would find its own message busy. Where ``/proc`` does not show other
processes (containers), the doorbell alone tells; then no message shows as being sent, and that is all that is missing.

For whoever queues or looks where nobody delivers: with another configuration than the daemon's, which is the commonest reason
why mail waits for ever, all looks well. ``/proc/locks`` has the processes, and what they have open has the spools. Root sees
all of them, others their own and the one that the machine's own daemon has noted; where there is no ``/proc``, that is all that is missing.

Nothing is imported here that ``mailer send`` does not have anyway.
"""

from __future__ import annotations

import os

from mailer.io import durable

from . import doorbell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "daemon.lock"
NOTE = "/run/mailer/spool"
"""Where the machine's own daemon says which spool it serves, for those who cannot see its locks; `traces` writes it."""
NAMED = 3  # spools, in a line for a person


def locks() -> Iterator[tuple[int, int]]:
    """(process, inode) of each flock(2) that is held.

    Only inodes are compared: the device that is shown differs from that of stat(2) on some file systems, and a
    process that holds ``daemon.lock`` has no other files with the inodes of messages.
    """
    try:
        with open("/proc/locks", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:  # 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF; an arrow marks one that waits
        words = line.split()
        if len(words) >= 6 and words[1] == b"FLOCK":
            try:
                yield int(words[4]), int(words[5].rpartition(b":")[2])
            except ValueError:
                continue


def look(root: str) -> tuple[bool, int, frozenset[str]]:
    """Whether a daemon runs on the spool at `root`, its process (0 is unknown), and the messages that it delivers this moment."""
    held = list(locks())
    lock = _inode(f"{root}/{LOCK}")
    pid = next((owner for owner, inode in held if inode == lock), 0)
    inodes = {inode for owner, inode in held if owner == pid} if pid else set()
    return bool(pid) or doorbell.answers(root), pid, frozenset(_named(root, inodes)) if len(inodes) > 1 else frozenset()


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


def served() -> list[str]:
    """The spools on which a daemon runs, as far as this user may know."""
    found: dict[str, None] = {}
    for pid in dict.fromkeys(pid for pid, _ in locks()):
        for path in _opened(pid):
            root, slash, name = path.rpartition("/")
            if slash and name == LOCK and os.path.isdir(f"{root}/queued"):
                found[root] = None
    if not found and (root := _noted()):
        found[root] = None
    return [*found]


def _noted() -> str:
    """The spool of the machine's own daemon, if it has noted one and answers there to users like this one."""
    try:
        with open(NOTE, "rb", opener=durable.prompt) as file:  # whoever sends mail reads it, and waits for no pipe that stands there
            root = os.fsdecode(file.read(4096) or b"").removesuffix("\n")
    except OSError:
        return ""
    return root if root.startswith("/") and root.isprintable() and doorbell.answers(root) else ""


def holds(pid: int, root: str) -> bool:
    """Whether process `pid` holds the daemon's lock of the spool at `root`, as far as this user may know: locked, and open."""
    try:
        lock = os.stat(f"{root}/{LOCK}", follow_symlinks=False)
        if (pid, lock.st_ino) not in locks():
            return False
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                opened = os.stat(f"/proc/{pid}/fd/{name}")
            except FileNotFoundError:
                continue
            if (opened.st_dev, opened.st_ino) == (lock.st_dev, lock.st_ino):
                return True
    except OSError:
        pass
    return False


def elsewhere(root: str) -> list[str]:
    """The spools of other daemons, if none runs on the spool at `root`; else nothing."""
    spools = served()
    return [] if any(_is_same(root, spool) for spool in spools) else spools


def note_elsewhere(root: str) -> str:
    """Where a daemon runs instead of on the spool at `root`; empty if one runs there, or none anywhere that this user can see.

    For those who queue mail and named no configuration, which would be a choice. Never raises: what was queued is queued, and no trouble
    here may read as one with the message.
    """
    try:
        spools = elsewhere(root)
    except OSError:
        return ""
    if not spools:
        return ""
    more = f" and {len(spools) - NAMED} more" if len(spools) > NAMED else ""
    return f"no daemon runs on {root}, but on {', '.join(spools[:NAMED])}{more}: --config, --spool or mailer.spool say which is meant"


def _opened(pid: int) -> Iterator[str]:
    """The files that a process has open."""
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            yield os.readlink(f"/proc/{pid}/fd/{name}")
    except OSError:
        return


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
