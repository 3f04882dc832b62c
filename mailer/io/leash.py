"""The leash: a process that the daemon has started ends when the daemon does, whatever way that ends.

It is a pipe whose other end only the daemon has. The kernel closes that with the daemon, also when it is killed; then the child is told,
and ends as if it had got SIGTERM. Whoever is started by systemd, or by hand, has none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

VARIABLE = "MAILER_LEASH"


def leashed(loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> bool:
    """Let `end` be called when the daemon that has started us is gone; whether there is one."""
    text = os.environ.pop(VARIABLE, "")
    if not text.isdecimal():
        return False
    descriptor = int(text)
    os.set_inheritable(descriptor, False)

    def heard() -> None:
        if not os.read(descriptor, 1):
            loop.remove_reader(descriptor)
            os.close(descriptor)
            end()

    loop.add_reader(descriptor, heard)
    return True
