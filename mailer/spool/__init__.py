"""The durable queue. `api` is what is asked of it, `files` keeps it on a disk, `memory` for tests; `suspensions` are
values of it, and `replay` says what is put again for a message that was given up.

On a disk, of which `mailer-spool(5)` is the contract, a message is one file, named by its ID, in exactly one of these directories::

    queued/     due now
    deferred/   due at the file's mtime
    held/       taken out of delivery by an operator, or left to one by filters of incoming mail
    failed/     given up; kept for inspection until retention
    corrupt/    unreadable; kept, never deleted by the program

besides ``tmp/``, where files are being written and nobody reads, and ``drop/``, where other users of a
system-wide spool put files for the daemon to adopt. A file is written once, then only appended to, then
only renamed. What is known of a message is read off its place and its records, never stored apart.
Whoever moves or appends to a message holds the lock (`flock`) on its file, so
an operator's command and the daemon never act on one message at once.

What an ID is stands here, for all spools have the same.
"""

from __future__ import annotations

from mailer.io.system import os

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, so that an ID can be read over the telephone."""
PAIRS = [one + other for one in ALPHABET for other in ALPHABET]
"""What ten bits are: to write an ID two symbols at a time takes half as long."""

_last = 0


def new_id(now: float) -> str:
    """A name for a message: 48 bits of milliseconds and 80 random bits, so that names sort by age.

    Within one process IDs ascend even when `now` does not; the step is random, so that a process and one that was
    forked from it go different ways. Never reused: the random part alone makes two equal IDs less likely than a
    broken disk.
    """
    global _last  # noqa: PLW0603 - the order of one process's IDs is the state of that process
    number = (int(now * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    _last = number if number > _last else _last + 1 + int.from_bytes(os.urandom(8), "big")
    return encode(_last, 26)


def encode(number: int, length: int) -> str:
    """`number` in `length` symbols of `ALPHABET`."""
    pairs = "".join([PAIRS[(number >> (10 * at)) & 1023] for at in range((length + 1) // 2 - 1, -1, -1)])
    return pairs[length & 1 :]


def derived_id(id: str, facts: str) -> str:
    """The ID of what follows from the message `id`, by `facts`: it begins with the time of that one, so that the two sort together; the
    rest is a digest of 80 bits. Made again of the same, it is the same."""
    from hashlib import sha256  # which whoever hands in a message need not load

    return id[:10] + encode(int.from_bytes(sha256(facts.encode()).digest()[:10], "big"), 16)


def first_id(at: float) -> str:
    """The first ID that a message put at `at` (seconds since the epoch) could have: IDs sort by age."""
    return encode(min(max(int(at * 1000), 0), (1 << 48) - 1) << 80, 26)


def put_at(id: str) -> float:
    """When the message of this ID was put, to the millisecond, in seconds since the epoch."""
    number = 0
    for symbol in id[:10]:
        number = number * 32 + ALPHABET.index(symbol)
    return number / 1000


def is_id(name: str) -> bool:
    """Whether `name` can be the name of a message."""
    return len(name) == 26 and not name.strip(ALPHABET)
