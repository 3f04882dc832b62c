"""Where things are in a spool directory, whose it is, and whether it has room.

A disk that is full takes no mail and, what is worse, no news of mail: what was delivered cannot be written down. So
a part of it is kept for that (``submission.min_free_space`` and ``min_free_inodes``). Whoever hands mail in is told
to try again while there is room for the daemon to work; the daemon itself goes on delivering, which frees space, and
begins nothing that takes some: see `queue.settle`. One statvfs(2) answers. What this does not cover: quotas of a user, which only
a write finds out about; that one fails, and its error says so.
"""

from __future__ import annotations

from mailer.io.system import os
from mailer.mail.problem import Problem, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.spool.api import State

STATES: tuple[State, ...] = ("queued", "deferred", "held", "failed")
"""The directories that hold readable messages."""

DIRECTORIES = (*STATES, "corrupt", "keys", "tmp")
"""All that a spool of one user needs; a system-wide one also has ``drop``. Where ``tmp`` is, which comes last, all are."""

SHARED = 0o3733
"""The mode of ``drop/``."""


class ForeignSpool(Problem):
    """We are root, and the spool is another user's (no-permission). `put` has another way."""

    def __init__(self, root: str, owner: int) -> None:
        super().__init__(root, "no-permission")
        self.root = root
        self.owner = owner

    def __str__(self) -> str:
        from mailer.io.machine import called

        return f"the spool {self.root} belongs to {called(self.owner)}: run this as that user (`sudo -u '#{self.owner}' …`)"


def prepare(root: str) -> None:
    """Make the spool at `root` if it is not there. Raises `Problem`.

    The directories are made 0700 whatever the umask says, also those above `root` that are missing: whoever can
    write one of them can put another spool in its place. Many processes may do this at the same time.
    """
    make(root)
    check_owner(root)


def make(root: str) -> None:
    """As `prepare`, whoever the spool belongs to: for whoever acts as that user. Raises `Problem`."""
    try:
        for path in (root, *(f"{root}/{name}" for name in DIRECTORIES)):
            _make(path)
    except OSError as error:
        raise from_os("cannot make the spool", error.filename or root, error) from None


def _make(path: str, *, above_is_there: bool = False) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return
    except FileNotFoundError:
        if above_is_there or (above := os.path.dirname(path)) in ("", path):
            raise  # /proc and its like make nothing
        _make(above)
        _make(path, above_is_there=True)
        return
    os.chmod(path, 0o700)  # a umask may have taken away our own rights


def check_owner(root: str) -> None:
    """Refuse to act as root in another user's spool: what root puts there is not that user's to move. Raises `Problem` (no-permission)."""
    if os.geteuid() == 0 and (owner := os.stat(root).st_uid):
        raise ForeignSpool(root, owner)


def shortage(root: str, free_bytes: int, free_inodes: int, size: int = 0) -> str:
    """What the disk of the spool at `root` lacks if `size` more bytes are to leave that much free; ``""`` if nothing.

    A spool that is not there yet, or a file system that does not say, lacks nothing. File systems that make inodes as they need
    them say that they have none (btrfs): then there is nothing to count.
    """
    try:
        disk = os.statvfs(root)
    except OSError:
        return ""
    free = disk.f_bavail * disk.f_frsize
    if disk.f_blocks and free - size < free_bytes:
        return f"{_megabytes(free)} of space left, and {_megabytes(free_bytes)} are to stay free (submission.min_free_space)"
    if disk.f_files and disk.f_favail < free_inodes:
        return f"room for {disk.f_favail} files left, and {free_inodes} are to stay free (submission.min_free_inodes)"
    return ""


def check_space(root: str, free_bytes: int, free_inodes: int, size: int) -> None:
    """Refuse a message of `size` bytes that the disk has no room for. Raises `Problem` (try-again)."""
    if lack := shortage(root, free_bytes, free_inodes, size):
        raise Problem(f"the disk of the spool {root} has {lack}; nothing was queued, try again later", "try-again")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"


def share(root: str) -> None:
    """Let all users of the machine hand mail in: they may pass through `root`, and make files in ``drop/``. Raises `Problem`.

    ``drop/`` has mode 3733. Nobody but its owner lists it (no r), nobody removes another's file (the sticky bit), and
    each file gets the group of the directory (the setgid bit), so that a daemon that is not root may read what its
    owner shows to that group and to nobody else. No program needs privileges for that.
    """
    drop = f"{root}/drop"
    try:
        _make(drop)
        for path, mode in ((drop, SHARED), (root, 0o711)):  # to pass through, not to look
            if os.stat(path).st_mode & 0o7777 != mode:  # a service that may not set the setgid bit can be given the directory
                os.chmod(path, mode)
    except OSError as error:
        raise from_os("cannot share the spool", error.filename or root, error) from None
