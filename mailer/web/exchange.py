"""One request and its answer: uvicorn's cycle, which writes the answer as RFC 9112 has it.

`Framing` has read the request already. The library that uvicorn speaks with would read all of it a second time, and every answer before it
is written, and that cost more than the rest of a request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, HTTPScope
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from .framing import RequestHead

BODILESS: Final = (204, 304)  # statuses whose answers have no body, RFC 9110 §6.4.1


class WebExchange(RequestResponseCycle):
    """The request `head`, which came on `protocol`, and its answer."""

    def __init__(self, protocol: H11Protocol, head: RequestHead) -> None:
        path, _, query = head.target.partition(b"?")
        scope: HTTPScope = {
            "type": "http",
            "asgi": {"version": protocol.asgi_version, "spec_version": "2.3"},
            "http_version": head.version[5:].decode("ascii"),
            "server": protocol.server,
            "client": protocol.client,
            "scheme": protocol.scheme or "http",
            "method": head.method.decode("ascii"),
            "root_path": "",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "headers": head.fields,
            "state": protocol.app_state.copy(),
        }
        super().__init__(
            scope=scope,
            conn=protocol.conn,
            transport=protocol.transport,
            flow=protocol.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=False,
            default_headers=protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=protocol.on_response_complete,
        )
        self.keep_alive = head.persists
        self.waiting_for_100_continue = head.expects
        self._old = head.version == b"HTTP/1.0"
        self._bodiless = head.method == b"HEAD"
        self._chunked = False
        self._left: int | None = None  # octets of the answer's body that are still to be said, where its length was

    async def receive(self) -> ASGIReceiveEvent:
        """What has come of the body, or that the client has left."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await super().receive()

    async def send(self, message: ASGISendEvent) -> None:
        """Write the header of the answer, or some of its body. Raises `RuntimeError` for what cannot come now."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and not self.response_started:
            head = self._head(message["status"], message.get("headers", ()))
            self.response_started = True
            self.waiting_for_100_continue = False
            self.transport.write(head)
        elif message["type"] == "http.response.body" and self.response_started and not self.response_complete:
            self._say(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} cannot come now")

    def _head(self, status: int, given: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The header. Raises `RuntimeError` for a field that would be more than one."""
        self._bodiless = self._bodiless or status in BODILESS
        self._left = None
        fields: list[tuple[bytes, bytes]] = []
        for name, value in (*self.default_headers, *given):
            known = name.lower()
            if known == b"connection":
                self.keep_alive = self.keep_alive and b"close" not in value.lower()
                continue
            if known == b"content-length":
                self._left = int(value)
            fields.append((name, value))
        if self._left is None and not self._bodiless:  # RFC 9112 §6.3: its end is that of the connection, or it comes in chunks
            self._chunked = not self._old
            if self._chunked:
                fields.append((b"transfer-encoding", b"chunked"))
        if not self.keep_alive:
            fields.append((b"connection", b"close"))
        lines = [b"HTTP/1.1 %d %b" % (status, STATUS_PHRASES[status]), *(b"%b: %b" % field for field in fields)]
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(fields) or head.count(b"\r") != len(fields) or b"\0" in head:
            raise RuntimeError("a field of the answer has a line end in it")
        return head + b"\r\n\r\n"

    def _say(self, data: bytes, *, more: bool) -> None:
        """Write some of the body. Raises `RuntimeError` where it has another length than was said."""
        if self._bodiless:
            data = b""
        elif self._left is not None:
            self._left -= len(data)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the body of the answer is not as long as it was said to be")
        elif self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            data += b"" if more else b"0\r\n\r\n"
        if data:
            self.transport.write(data)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def hear(self, data: bytes, *, whole: bool) -> int:
        """Take some of the body, `whole` if it is the last; how many octets wait for the application."""
        if data and not self.response_complete:
            self.waiting_for_100_continue = False
            self.body += data
        if whole:
            self.more_body = self.waiting_for_100_continue = False
        if data or whole:
            self.message_event.set()
        return len(self.body)


def begun(protocol: H11Protocol, head: RequestHead) -> WebExchange:
    """The exchange of a request, which the application begins to answer."""
    made = WebExchange(protocol, head)
    task: asyncio.Task[Any] = protocol.loop.create_task(made.run_asgi(protocol.app))
    task.add_done_callback(protocol.tasks.discard)
    protocol.tasks.add(task)
    return made
