"""The page of what came, served by uvicorn in the loop of the sink. Signals are left to the program, and it ends when that does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import uvicorn

from mailer.net.listening import tcp_sockets

from .box import Box
from .web import Web

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


class _Quiet(uvicorn.Server):
    """A server that hears no signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


class SinkPage:
    """Shows the messages of `maildir` on `host` and `port` (0 picks a free one); `smtp` is where the sink takes mail."""

    def __init__(self, maildir: str, host: str, port: int, smtp: str) -> None:
        self._web = web = Web(Box(maildir), smtp)
        self.address = host, port
        self._sockets: list[socket.socket] = []
        config = uvicorn.Config(
            web.app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False, h11_max_incomplete_event_size=32768,
            limit_concurrency=200, timeout_keep_alive=30, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = _Quiet(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self.address[0], self._sockets[0].getsockname()[1]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def changed(self) -> None:
        """Something came."""
        self._web.changed()

    async def start(self) -> None:
        """Listen. Raises `OSError` where it cannot."""
        self._sockets = await tcp_sockets(*self.address)
        for each in self._sockets:
            each.listen(128)
        self._task = asyncio.create_task(self._server.serve(self._sockets), name="web")

    async def close(self) -> None:
        """End what is asked, and stop listening."""
        self._web.close()
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        for each in self._sockets:
            each.close()
