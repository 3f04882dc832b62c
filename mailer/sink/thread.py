"""A sink in a thread of its own, for code and tests without an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Self

from .faults import Moods
from .maildir import Received
from .server import Sink


class SinkThread:
    """Takes what `Sink` takes; use it with ``with``. Its methods wait, where those of `Sink` are awaited."""

    def __init__(self, moods: Moods | None = None, **settings: Any) -> None:
        self._arguments = moods, settings
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mailer-sink", daemon=True)
        self._sink: Sink
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._error:
            self._thread.join()
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._sink.port

    @property
    def messages(self) -> list[Received]:
        """What has been received so far."""
        return list(self._sink.messages)

    @property
    def count(self) -> int:
        """How many messages have been taken."""
        return self._sink.count

    @property
    def moods(self) -> Moods:
        """How it behaves; see `Sink.moods`."""
        return self._sink.moods

    @moods.setter
    def moods(self, moods: Moods) -> None:
        async def change() -> None:
            self._sink.moods = moods

        asyncio.run_coroutine_threadsafe(change(), self._loop).result()

    def received(self, count: int, seconds: float = 10.0) -> list[Received]:
        """Wait until `count` messages have been taken; returns all of them. Raises `TimeoutError`."""
        return list(asyncio.run_coroutine_threadsafe(self._sink.received(count, seconds), self._loop).result())

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
            self._ready.set()

    async def _serve(self) -> None:
        moods, settings = self._arguments
        async with Sink(moods, **settings) as sink:
            self._sink, self._loop, self._stop = sink, asyncio.get_running_loop(), asyncio.Event()
            self._ready.set()
            await self._stop.wait()
