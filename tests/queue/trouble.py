"""Trouble for a manager: a function that fails, a host that is gone, a destination that is closed; and the reports that come of it."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import Any

from tests.fakes.mail import outcome

from .post import HOP, Post

HOST = outcome(0, "defer", scope="host", code=451, text="gone", phase="connect", hop=HOP)


class Failing:
    """A function that fails with a disk's error as often as it is told to."""

    def __init__(self, real: Any, times: int, error: int = errno.ENOSPC) -> None:
        self.real = real
        self.times = times
        self.error = error

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        if self.times > 0:
            self.times -= 1
            raise OSError(self.error, os.strerror(self.error))
        return self.real(*arguments, **more)


def reports(post: Post, id: str) -> list[str]:
    """The messages in the spool that are not `id`."""
    return [other for state in ("queued", "deferred", "held", "failed") for other in post.spool.ids(state) if other != id]


def waiting(post: Post) -> asyncio.Event:
    """Nothing gets out to example.com until it is set: what comes after two messages waits in memory."""
    post.courier.gates["example.com"] = gate = asyncio.Event()
    return gate
