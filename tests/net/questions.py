"""The names that a name server of these tests knows, and what comes of asking it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from mailer.net.dns import DnsTrouble, NotFound

T = TypeVar("T")
RECORDS = """
example.com.        300 IN MX    20 mx2.example.com.
example.com.        300 IN MX    10 MX1.example.com.
mx1.example.com.    300 IN A     192.0.2.1
mx1.example.com.    300 IN A     192.0.2.2
mx1.example.com.    300 IN AAAA  2001:db8::1
mx2.example.com.    300 IN A     192.0.2.3
old.example.com.    300 IN CNAME example.com.
alias.example.com.  300 IN CNAME other.example.com.
other.example.com.  60  IN CNAME mx1.example.com.
loop.example.com.   300 IN CNAME loop2.example.com.
loop2.example.com.  300 IN CNAME loop.example.com.
gone.example.com.   300 IN CNAME nowhere.example.org.
six.example.com.    300 IN AAAA  2001:db8::6
text.example.com.   300 IN TXT   "no address"
nomail.example.com. 300 IN MX    0 .
odd.example.com.    300 IN MX    0 .
odd.example.com.    300 IN MX    10 mx1.example.com.
brief.example.com.  0   IN A     192.0.2.9
xn--bcher-kva.example. 300 IN MX 10 mx1.example.com.
"""


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(awaitable: Awaitable[T]) -> T:
    """What `awaitable` comes to."""

    async def wait() -> T:
        return await awaitable

    return asyncio.run(wait())


def absent(awaitable: Awaitable[object]) -> str:
    """Why it is not there."""
    with pytest.raises(NotFound) as caught:
        run(awaitable)
    return caught.value.kind


def trouble(awaitable: Awaitable[object]) -> DnsTrouble:
    """What went wrong."""
    with pytest.raises(DnsTrouble) as caught:
        run(awaitable)
    return caught.value
