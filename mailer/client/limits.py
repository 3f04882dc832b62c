"""Limits of the library: so many messages and so many connections in a window, and what happens to more of them; [002] §7.1.3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .bucket import Bucket
from .errors import ErrorKind, SmtpError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .settings import RateLimitSettings


class Limits:
    """For one server. `sleep` waits so many seconds and returns False if the client is shut down meanwhile."""

    def __init__(self, settings: RateLimitSettings | None, host: str, sleep: Callable[[float], Awaitable[bool]]) -> None:
        self._settings = settings
        self._host = host
        self._sleep = sleep
        self._buckets: dict[str, Bucket] = {}

    async def message(self) -> None:
        """Wait for the turn of a message, as long as the settings allow. Raises `SmtpRateLimitError`."""
        if self._settings:
            await self._take("messages", self._settings.max_emails, self._settings)

    def now(self) -> bool:
        """Take the turn of a message if it is due at once."""
        if not self._settings:
            return True
        now = asyncio.get_running_loop().time()
        bucket = self._bucket("messages", self._settings.max_emails, self._settings)
        due = not bucket.wait(now)
        if due:
            bucket.reserve(now)
        return due

    async def connection(self) -> None:
        """Wait for the turn of a new connection. Raises `SmtpRateLimitError`."""
        if self._settings and self._settings.max_connections:
            await self._take("connections", self._settings.max_connections, self._settings)

    def _bucket(self, what: str, most: int, settings: RateLimitSettings) -> Bucket:
        if what not in self._buckets:
            self._buckets[what] = Bucket(most, settings.window, asyncio.get_running_loop().time())
        return self._buckets[what]

    async def _take(self, what: str, most: int, settings: RateLimitSettings) -> None:
        now = asyncio.get_running_loop().time()
        bucket = self._bucket(what, most, settings)
        wait = bucket.wait(now)
        if wait > settings.patience:
            text = f"more than {most} {what} in {settings.window:g} s"
            raise SmtpError(ErrorKind.LOCAL_RATE_LIMIT_EXCEEDED, text, host=self._host, retry_after=wait)
        bucket.reserve(now)
        used = False
        try:
            used = not wait or await self._sleep(wait)
        finally:
            if not used:
                bucket.give_back()
        if not used:
            raise SmtpError(ErrorKind.CANCELLED, "the client was shut down", host=self._host)
