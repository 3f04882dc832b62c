"""Space: whether the disk of the spool has room, asked before it is full.

A disk that is full takes no mail and, what is worse, no news of mail: what was delivered cannot be written down. So
a part of it is kept for that (``submission.min_free_space`` and ``min_free_inodes``). Whoever hands mail in is told
to try again while there is room for the daemon to work; the daemon itself goes on delivering, which frees space, and
begins nothing that takes some: see `delivery.settle`.

One statvfs(2) answers. What this does not cover: quotas of a user, which only a write finds out about; that one fails,
and its error says so.
"""

from __future__ import annotations

import os

from mailer.mail.failure import TRY_AGAIN, Failure


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


def check(root: str, free_bytes: int, free_inodes: int, size: int) -> None:
    """Refuse a message of `size` bytes that the disk has no room for. Raises `Failure` (75)."""
    if lack := shortage(root, free_bytes, free_inodes, size):
        raise Failure(f"the disk of the spool {root} has {lack}; nothing was queued, try again later", TRY_AGAIN)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"
