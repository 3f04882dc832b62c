"""The durable queue on disk, and the only code that touches its files. `mailer-spool(5)` is its contract.

A message is one file, named by its ID, in exactly one of these directories::

    queued/     due now
    deferred/   due at the file's mtime
    held/       taken out of delivery by an operator
    failed/     given up; kept for inspection until retention
    corrupt/    unreadable; kept, never deleted by the program

besides ``tmp/``, where files are being written and nobody reads, and ``drop/``, where other users of a
system-wide spool put files for the daemon to adopt. A file is written once, then only appended to, then
only renamed. What is known of a message is read off its place and its records, never stored apart.

`put` is all that ``mailer send`` needs and imports nothing costly; `Spool` is what the daemon and the
operator's commands use. Whoever moves or appends to a message holds the lock (`flock`) on its file, so
an operator's command and the daemon never act on one message at once.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .files.store import Busy, Claim, Entry, Large, NoSuchMessage, Spool

__all__ = ["Busy", "Claim", "Entry", "Large", "NoSuchMessage", "Spool"]


def __getattr__(name: str) -> object:
    """The public names, imported when one is asked for: `put` must not pay for `store`."""
    if name in __all__:
        from .files import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
