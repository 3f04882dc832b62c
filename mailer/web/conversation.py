"""One connection: uvicorn's protocol, with what it lacks.

Each request is read by `Framing`, becomes a `WebExchange`, and is answered before the next one is looked at, so that no refusal gets
between two answers. A client has its time for the header, for the body, for the next request, and for taking what it is sent (the library
waits for ever); what has been refused, or answered before its body was there, is read on for a while, so that the client sees the answer
instead of a reset (RFC 9112 §9.6).
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.h11_impl import H11Protocol

from .answer import error
from .exchange import WebExchange, begun
from .framing import Framing, FramingLimits, WebRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

LINGER: Final = 2.0  # seconds that a client is heard on whose request was answered before all of it was there
TOGETHER: Final = 65_536  # octets from which on a write is not put together with others
AHEAD: Final = 1 << 20  # octets of requests that nobody has asked for yet


class WebTimeouts(NamedTuple):
    """The seconds that a client has: for a header, for a body, between requests and to take what it is sent, for the TLS handshake."""

    header: float = 10.0
    body: float = 60.0
    idle: float = 60.0
    handshake: float = 10.0


class WebLimits(NamedTuple):
    """What a connection may have of octets and of time."""

    framing: FramingLimits = FramingLimits()
    timeouts: WebTimeouts = WebTimeouts()


class Conversation(H11Protocol):
    """One connection. `refused` is told of each request that was answered here; `gone` is done when the connection is."""

    def __init__(
        self, config: Config, state: ServerState, limits: WebLimits, refused: Callable[[Conversation, WebRefusal], object]
    ) -> None:
        super().__init__(config, state, {})
        self.limits = limits
        self.caller = ""
        self.endless = False  # whether the answer goes on for as long as the client is there
        self.gone: asyncio.Future[None] = self.loop.create_future()
        self._refused = refused
        self._framing = Framing(limits.framing)
        self._exchange: WebExchange | None = None
        self._ahead = b""
        self._timer: asyncio.TimerHandle | None = None  # what the client has to do in time
        self._unread: asyncio.TimerHandle | None = None  # what it has to take
        self._lingered = -1  # octets that were heard since the end; -1 while it is none
        self._ending = False
        self._stopping = False

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        self._outlet = _Outlet(transport, self._end, self.loop)
        super().connection_made(self._outlet)  # type: ignore[arg-type]
        self._wire = transport
        self._expect(self.limits.timeouts.idle, self._too_quiet)

    def data_received(self, data: bytes) -> None:
        """Take what came, as far as it is of this request."""
        if self._lingered >= 0:
            self._lingered += len(data)
            if self._lingered > self.limits.framing.body:
                self._wire.abort()
            return
        self._ahead += data
        self._read()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client says no more. True keeps the connection until it has its answer (asyncio; with TLS there is no such thing)."""
        self._outlet.flush()
        owed = self._lingered < 0 and self._framing.whole and not self._answered and not self.endless
        if owed and self._cycle is not None and self._wire.can_write_eof():
            self._cycle.keep_alive = False
            return True
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._ending = True
        self._expect(0, None)
        self._unstick()
        self._ahead = b""
        super().connection_lost(exc)
        if not self.gone.done():
            self.gone.set_result(None)

    def pause_writing(self) -> None:
        """The client does not take what it is sent."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(self.limits.timeouts.idle, self._wire.abort)

    def resume_writing(self) -> None:
        """The client takes what it is sent again."""
        self._unstick()
        super().resume_writing()

    def abort(self) -> None:
        """End it now."""
        if self.transport is not None:
            self._wire.abort()

    # -- one request after the other

    @property
    def owing(self) -> bool:
        """Whether the client has not said all of its request yet."""
        return not self._framing.whole

    @property
    def _cycle(self) -> WebExchange | None:
        """The request that is answered now, or was and is not all there yet."""
        return self._exchange

    @property
    def _answered(self) -> bool:
        return self._cycle is None or self._cycle.response_complete

    @property
    def busy(self) -> bool:
        """Whether a request is being read or answered."""
        return self._framing.begun or not self._answered

    def _read(self) -> None:
        """Go on with the octets that are there."""
        framing = self._framing
        while self._ahead and self._lingered < 0 and not self._ending:
            if framing.whole:  # the next request: it waits for the answer to this one
                if len(self._ahead) > AHEAD:
                    self._wire.abort()
                else:
                    self.flow.pause_reading()
                return
            before, headed = framing.begun, framing.headed
            data, self._ahead = self._ahead, b""
            try:
                data, self._ahead = framing.feed(data)
            except WebRefusal as refusal:
                self._ahead = b""
                self._refuse(refusal)
                return
            if framing.whole:
                self._expect(0, None)
            elif framing.headed and not headed:
                self._expect(self.limits.timeouts.body, self._too_slow)
            elif framing.begun and not before:
                self._expect(self.limits.timeouts.header, self._too_slow)
            if framing.head is not None:
                if not headed:
                    self._exchange = self.cycle = begun(self, framing.head)
                assert self._exchange is not None
                if self._exchange.hear(data, whole=framing.whole) > HIGH_WATER_LIMIT:
                    self.flow.pause_reading()
            self._next()

    def on_response_complete(self) -> None:
        """One is answered; go on with the next."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._stopping:
            self._end()
            return
        self.flow.resume_reading()
        self._next()
        if self._ahead:
            self.loop.call_soon(self._read)

    def _next(self) -> None:
        """Make ready for another request, if this one has come whole and is answered."""
        if not self._framing.whole or not self._answered or self._ending:
            return
        self._exchange = None
        self._framing.again()
        self._expect(self.limits.timeouts.idle, self._too_quiet)

    # -- the end

    def shutdown(self) -> None:
        """End when the request that is being read or answered has its answer; at once if there is none."""
        self._stopping = True
        if not self.busy:
            self._ending = True
            self._close()
        elif self._cycle is not None:
            self._cycle.keep_alive = False

    def _refuse(self, refusal: WebRefusal) -> None:
        """Answer a request that goes no further, and end."""
        cycle, answered = self._cycle, False
        if cycle is not None and self._framing.headed and not cycle.response_complete:
            answered = cycle.response_started
            cycle.disconnected = True
            cycle.message_event.set()
            if answered:  # half an answer: there is no other way to say that it is none
                self._wire.abort()
        elif cycle is not None and self._framing.headed:
            answered = True  # it had its answer before its body was there
        self._refused(self, refusal)
        if not answered:
            self._outlet.write(answer(refusal))
        self._end()

    def _end(self) -> None:
        """Close; where the client is still speaking, hear on for a while."""
        if self._ending:
            return
        self._ending = True
        self._expect(0, None)
        self._ahead = b""
        if self._framing.whole or self._wire.is_closing():
            self._close()
            return
        self._lingered = 0
        self._outlet.flush()
        if self._wire.can_write_eof():
            self._wire.write_eof()
        self.flow.resume_reading()
        self._expect(LINGER, self._wire.abort)

    def _too_quiet(self) -> None:
        """No request: there is nothing to say."""
        self._ending = True
        self._close()

    def _close(self) -> None:
        """Close, when the client has taken what it was sent, or after a while."""
        self._outlet.flush()
        self._wire.close()
        self._unread = self._unread or self.loop.call_later(self.limits.timeouts.idle, self._wire.abort)

    def _too_slow(self) -> None:
        what, key = ("body", "api.body_timeout") if self._framing.headed else ("header", "api.header_timeout")
        self._refuse(WebRefusal(408, "too_slow", f"the {what} of the request did not come in time ({key})"))

    def _expect(self, seconds: float, otherwise: Callable[[], object] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, otherwise) if otherwise else None

    def _unstick(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class _Outlet:
    """The transport as the library has it: what it closes, we end; what it writes in one turn of the loop is one write.

    An answer's header and its body are two for it: each a call of the system, and to a client that waits for the second a packet more.
    """

    def __init__(self, transport: asyncio.Transport, end: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._end = end
        self._loop = loop
        self._written: list[bytes] = []
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Write it soon."""
        if not self._written:
            self._loop.call_soon(self.flush)
        self._written.append(data)
        if len(data) > TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write it now."""
        if self._written:
            data = b"".join(self._written)
            self._written.clear()
            self._transport.write(data)

    def close(self) -> None:
        """End the conversation."""
        self._end()

    def is_closing(self) -> bool:
        """Whether it is at its end."""
        return self._transport.is_closing()


def answer(refusal: WebRefusal) -> bytes:
    """What a client is told whose request is refused here."""
    body = json.dumps(error(refusal.code, refusal.message)).encode()
    reason = HTTPStatus(refusal.status).phrase if refusal.status in _STATUS else "Error"
    head = (
        f"HTTP/1.1 {refusal.status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


_STATUS: Final = frozenset(status.value for status in HTTPStatus)
