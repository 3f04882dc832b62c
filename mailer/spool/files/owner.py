"""Acting as the owner of a spool that is another user's: how root writes there.

What root makes in it would be root's, and not its owner's to move; what root leaves in ``drop/``, nobody
could tell from what was moved there.
So root writes the spool itself, in its owner's name: the kernel lets root take another user's identity for files alone (setfsuid(2)), of
one thread, and with it go root's privileges over files, so that no link that the owner laid leads further than he could go.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext

from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


def as_owner_of(directory: str) -> AbstractContextManager[None]:
    """Do what follows to files as whose `directory` is, where root writes into another's: or the daemon could not read what root made."""
    if os.geteuid() == 0 and os.path.isdir(directory) and os.stat(directory).st_uid != 0:
        return acting(directory)
    return nullcontext()


@contextmanager
def acting(root: str) -> Iterator[None]:
    """Do what follows to files as the owner of the spool at `root`, in this thread. Raises `Problem` (try-again) where that cannot be."""
    from ctypes import CDLL

    owner = os.stat(root)
    libc = CDLL(None)
    before = libc.setfsgid(-1), libc.setfsuid(-1)  # none is -1: it only says who we are
    try:
        libc.setfsgid(owner.st_gid)
        libc.setfsuid(owner.st_uid)
        if (libc.setfsgid(-1), libc.setfsuid(-1)) != (owner.st_gid, owner.st_uid):  # it says nothing else of an error
            raise Problem(
                f"no daemon answers for the spool {root}, and this process may not act as its owner, user {owner.st_uid}; "
                "start the daemon, or run this as that user; nothing was queued",
                "try-again",
            )
        yield
    finally:
        libc.setfsuid(before[1])
        libc.setfsgid(before[0])
