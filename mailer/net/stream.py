"""A stream of bytes to or from another host: an `asyncio.Protocol` with its own buffer, one waiter and one lazy timer.

`connection` calls with it (`Stream.connect`), `server` hands it to a server (`Stream.accepted`). It is made for flights of short
messages:

- `write` hands bytes to the transport at once (asyncio sets TCP_NODELAY), `read` waits for whatever has come.
- One deadline holds for all waits until the next `allow`. Its timer is not moved with it: it rings at the oldest
  deadline, sees that there is a later one, and is set again then. So a session with a thousand answers in
  five minutes sets one timer, not a thousand.
- A peer is not read any further while more than `ENOUGH` octets of what it sent are unread.

A wait raises `TimeoutError`, or `ConnectionError` when the peer is gone; what it said before comes first.
"""

from __future__ import annotations

import asyncio
import ssl
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    import socket

    from .dialer import Dialer

ENOUGH = 65536  # octets; a reply has more of them only where somebody is out to fill our memory
PIECE = 8192  # octets that are read at a time: of short replies, some milliseconds of work, while nobody else has a turn
SHUTDOWN = 3.0  # seconds for TLS to say goodbye


class Hasty(ConnectionAbortedError):
    """The host said something where the handshake of TLS begins, RFC 3207 §4.2."""


class Stream(asyncio.Protocol):
    """One connection, from `connect` to `close` or `abort`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self.full = False
        """Whether the peer takes bytes more slowly than they were written; `drain` before more."""
        self._resting = False  # reading is paused
        self._gone: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None  # of who writes beside a reader
        self._deadline = loop.time()
        self._timer: asyncio.Handle | None = None
        self._rings = 0.0  # when it does; the timer itself cannot say in uvloop, if that is now
        self._released: asyncio.Future[None] = loop.create_future()
        self.took = 0.0  # seconds until the connection stood

    @classmethod
    async def connect(cls, address: str, port: int, *, seconds: float, source: str = "") -> Self:
        """A TCP connection to an IP address. Raises `OSError` (with `TimeoutError`)."""
        loop = asyncio.get_running_loop()
        began = monotonic()
        async with asyncio.timeout(seconds):
            _, stream = await loop.create_connection(lambda: cls(loop), address, port, local_addr=(source, 0) if source else None)
        stream.took = monotonic() - began
        return stream

    @classmethod
    async def dialled(cls, dialer: Dialer, host: str, port: int, seconds: float) -> Self:
        """A connection that `dialer` makes. Raises `OSError` (with `TimeoutError`), and the `Problem` of a secret that it needs."""
        loop = asyncio.get_running_loop()
        began = monotonic()
        stream = cls(loop)
        async with asyncio.timeout(seconds):
            await dialer.connect(lambda: stream, host, port)
        stream.took = monotonic() - began
        return stream

    @classmethod
    async def accepted(cls, caller: socket.socket, context: ssl.SSLContext | None = None, seconds: float = 30.0) -> Self:
        """A connection that somebody made to us, which the stream owns from now on.

        With `context` TLS comes first, and its handshake may take so many `seconds`. Raises `OSError` (with `ssl.SSLError`).
        """
        loop = asyncio.get_running_loop()
        tls: dict[str, Any] = {"ssl": context, "ssl_handshake_timeout": seconds, "ssl_shutdown_timeout": SHUTDOWN} if context else {}
        stream = cls(loop)
        await loop.connect_accepted_socket(lambda: stream, caller, **tls)  # uvloop returns its own protocol of TLS
        return stream

    async def start_tls(self, context: ssl.SSLContext, server_name: str, seconds: float) -> None:
        """Make the handshake with a host that was called.

        Raises `OSError` (with `ssl.SSLError` and `TimeoutError`); the stream is aborted then.
        """
        if self._data and not self.gone:  # CVE-2011-0411: they would be read as if TLS had brought them
            self.abort()
            raise Hasty("the host sent bytes where the handshake begins")
        await self._shake_hands(context, seconds, server_hostname=server_name or None)

    async def answer_tls(self, context: ssl.SSLContext, seconds: float) -> None:
        """Make the handshake with a caller; what he said in the clear and was not read is thrown away (RFC 3207 §4.2, CVE-2011-0411).

        Raises `OSError` (with `ssl.SSLError` and `TimeoutError`); the stream is aborted then.
        """
        self._data = b""
        await self._shake_hands(context, seconds, server_side=True)

    async def _shake_hands(self, context: ssl.SSLContext, seconds: float, **side: Any) -> None:
        """From the call to `start_tls` on the transport belongs to TLS: nothing in the clear reaches us any more."""
        try:
            self._check()
            self._resting = True  # while two transports are one, only TLS says when the network is read
            async with asyncio.timeout(seconds):
                transport = await self._loop.start_tls(self._wire, self, context, ssl_shutdown_timeout=SHUTDOWN, **side)
            if transport is None:  # closed within the handshake
                raise ConnectionResetError("the host closed the connection")
        except BaseException:
            self.abort()
            self._release()  # asyncio does not tell of a connection that is lost before TLS stands
            raise
        self._transport = transport
        self._resting = False
        if len(self._data) > ENOUGH:
            self._restrain()

    # -- what is known of it

    @property
    def unread(self) -> bool:
        """Whether bytes have come that were not read."""
        return bool(self._data)

    @property
    def quiet(self) -> bool:
        """Whether more may come, and nothing has that was not read."""
        return self._gone is None and not self._data

    @property
    def gone(self) -> bool:
        """Whether nothing more can come."""
        return self._gone is not None

    @property
    def tls_version(self) -> str:
        """The version of TLS, such as ``TLSv1.3``; empty without TLS."""
        tls = self.tls
        return (tls.version() or "") if tls else ""

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS object of the connection; None without TLS."""
        return self._transport.get_extra_info("ssl_object") if self._transport else None

    @property
    def peer_certificates(self) -> list[bytes]:
        """The peer's certificates in DER, its own first. Only that one before Python 3.13, which shows the chain."""
        tls = self.tls
        if tls is None:
            return []
        if chain := getattr(tls, "get_unverified_chain", None):
            return list(chain())
        own = tls.getpeercert(binary_form=True)
        return [own] if own else []

    @property
    def _wire(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    # -- to and fro

    def allow(self, seconds: float) -> None:
        """Set the deadline: all waits from now on are over in `seconds`."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._rings > self._deadline:
            self._set_timer()

    def write(self, data: bytes) -> None:
        """Send `data`. Raises `ConnectionError`."""
        if self._gone is not None:
            raise self._gone
        assert self._transport is not None
        self._transport.write(data)

    async def read(self, most: int = PIECE) -> bytes:
        """The bytes that have come, from one to `most` of them; where there is more, others have their turn first."""
        if not self._data:
            if self._gone is not None:
                raise self._gone
            if self._resting:
                self._resume()
            await self._news()
            if not self._data:
                self._check()
        if len(self._data) > most:
            await asyncio.sleep(0)
            data, self._data = self._data[:most], self._data[most:]
        else:
            data, self._data = self._data, b""
        if self._resting and not self._data:
            self._resume()
        return data

    async def drain(self) -> None:
        """Wait until there is room for more, or the peer says something."""
        while self.full and not self._data:
            self._check()
            await self._news()

    async def flush(self) -> None:
        """Wait until there is room for more, whatever the peer says meanwhile: who does not read our answers is not answered."""
        while self.full and not self.gone:
            await self._news()

    async def room(self) -> None:
        """Wait until there is room for more, as `flush` does, while somebody else waits for what the peer says; for as long as it takes."""
        while self.full and not self.gone:
            self._room = self._room or self._loop.create_future()
            await self._room

    async def rest(self, seconds: float) -> None:
        """Say nothing for so long (infinity: for ever). Raises `ConnectionError` as soon as the peer is gone."""
        self._check()
        await asyncio.wait((self._released,), timeout=None if seconds == inf else seconds)
        self._check()

    def close(self) -> None:
        """Send what was written, then end it. No wait."""
        self._end(ConnectionAbortedError("we closed the connection"))
        if self._transport is not None:
            self._transport.close()

    async def released(self, seconds: float = SHUTDOWN) -> None:
        """After `close`: wait until the network has let go of it. TLS says goodbye first, and waits for the peer's. Raises nothing."""
        await asyncio.wait((self._released,), timeout=seconds)

    def abort(self) -> None:
        """End the connection at once."""
        self._end(ConnectionAbortedError("we closed the connection"))
        if self._transport is not None and not self._released.done():  # a transport of asyncio that was flushed at its end has no loop
            self._transport.abort()

    def forget(self) -> None:
        """Let go of the error that ended it, and of who waited for it, when it is over.

        An error holds the frames that it went through, and those hold the stream and whatever was read: megabytes, until somebody collects
        what goes in circles.
        """
        self._gone = ConnectionAbortedError("the connection is over")
        self._waiter = None

    def _check(self) -> None:
        if self._gone is not None:
            raise self._gone

    def _end(self, why: OSError) -> None:
        if self._gone is None:
            self._gone = why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()
        self._make_room()

    def _release(self) -> None:
        if not self._released.done():
            self._released.set_result(None)

    def _restrain(self) -> None:
        """Read no further while so much is unread."""
        if not self._resting:
            self._resting = True
            self._wire.pause_reading()

    def _resume(self) -> None:
        if self._resting and not self.gone:
            self._resting = False
            self._wire.resume_reading()

    # -- waiting

    def _news(self) -> asyncio.Future[None]:
        """To be awaited: something has come, or may be written, or the time is up."""
        if self._timer is None:  # it rang while there was no wait
            self._set_timer()
        self._waiter = self._loop.create_future()
        return self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = self._deadline
        self._timer = self._loop.call_at(self._rings, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._set_timer()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError("no answer in time"))

    # -- what asyncio tells us

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, says asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent, only by what it does

    def data_received(self, data: bytes) -> None:
        """Bytes have come, says asyncio."""
        self._data = self._data + data if self._data else data
        if len(self._data) > ENOUGH:
            self._restrain()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> None:
        """The peer will send no more, says asyncio, and closes the transport now."""
        self._end(ConnectionResetError("the host closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over, says asyncio."""
        self._end(exc if isinstance(exc, OSError) else ConnectionResetError("the host closed the connection"))
        self._release()

    def pause_writing(self) -> None:
        """The transport's buffer is full, says asyncio: writers wait."""
        self.full = True

    def resume_writing(self) -> None:
        """The transport has room again, says asyncio: writers go on."""
        self.full = False
        self._wake()
        self._make_room()

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
