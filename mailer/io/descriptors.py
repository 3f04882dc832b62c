"""Descriptors: how many this process may have, and how many of them its callers.

Each session needs one, each message that is read or written, each question to the DNS. Callers come as they like, so they have a part of
their own (`callers`): however many there are, the queue and the files of those who were let in have theirs.
"""

from __future__ import annotations

MOST = 65536  # asked for, where more would be allowed
PART = 2  # of so many, one is for callers


def raise_limit() -> None:
    """Raise the limit as far as may be: 1024 are soon used up."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if 0 <= soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def limit() -> int:
    """How many this process may have."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft >= 0 else MOST


def callers(kinds: int, wanted: int, most: int) -> int:
    """How many callers each of so many `kinds` of doors may have, of `most` descriptors, where each wants `wanted`; at least one."""
    return max(min(wanted, most // PART // max(kinds, 1)), 1)
