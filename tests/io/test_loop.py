"""The event loop of a program."""

from __future__ import annotations

import asyncio
import sys
from asyncio import sslproto

import pytest

from mailer.io.loop import RECORD, run_loop


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds for the whole process is undone."""
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", sslproto.SSLProtocol.max_size)


def test_asyncio_has_small_buffers_of_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uvloop a connection with TLS takes a buffer of one record, which is enough, and not of 256 KB."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    ran: list[type] = []

    async def main() -> None:
        ran.append(type(asyncio.get_running_loop()))
        assert sslproto.SSLProtocol.max_size == RECORD

    run_loop(main())
    assert issubclass(ran[0], asyncio.BaseEventLoop)


def test_uvloop_is_used_where_it_is_installed() -> None:
    """And nothing of asyncio's is changed for it."""
    uvloop = pytest.importorskip("uvloop")
    before, ran = sslproto.SSLProtocol.max_size, []

    async def main() -> None:
        ran.append(type(asyncio.get_running_loop()))

    run_loop(main())
    assert ran == [uvloop.Loop]
    assert sslproto.SSLProtocol.max_size == before
