"""Who is being served the figures: not for long, and not many at a time, so that whoever reads or asks by drips keeps nothing.

Each reader has a thread and a descriptor until then. Who comes when all places are taken gets that of the one who has had his for
longest: a monitoring system is done in milliseconds, and is never that one for long.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

PATIENCE = 10.0  # seconds from the connection to the end of the answer
MOST = 16  # readers at a time


class Readers:
    """The open connections of `server`, from when on it watches them, by when they came."""

    def __init__(self, server: WSGIServer) -> None:
        self._since: dict[socket.socket, float] = {}
        self._lock = Lock()
        begin, end = server.process_request, server.shutdown_request

        def come(request: socket.socket, address: object) -> None:
            self._come(request)
            begin(request, address)

        def gone(request: socket.socket) -> None:
            with self._lock:
                self._since.pop(request, None)
            end(request)

        server.process_request = come  # type: ignore[method-assign, assignment]
        server.shutdown_request = gone  # type: ignore[method-assign, assignment]
        server.service_actions = self._sweep  # type: ignore[method-assign]

    def _come(self, request: socket.socket) -> None:
        with self._lock:
            if len(self._since) >= MOST:
                self._hang_up(next(iter(self._since)))
            self._since[request] = monotonic()

    def _sweep(self) -> None:
        """What the server does twice a second."""
        with self._lock:
            now = monotonic()
            for request in [request for request, since in self._since.items() if since + PATIENCE <= now]:
                self._hang_up(request)

    def _hang_up(self, request: socket.socket) -> None:
        """Its thread finds the end of the connection, and closes it."""
        del self._since[request]
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)
