"""One connection of a sink: the state machine `mailer.smtp.server.Server`, driven by asyncio.

Everything that has arrived in one segment is answered in one write, however many commands it holds.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

from mailer.smtp.reply import Reply
from mailer.smtp.server import Server, State
from mailer.smtp.server_events import Question

from .temper import NEVER, Act

if TYPE_CHECKING:
    from .server import Sink

MAX_WAITING = 65536  # octets that may pile up while an answer is delayed; then the client waits too
HANDSHAKE_SECONDS = 30.0

_TIMEOUT = Reply.own(421, "4.4.2", "nothing was said for too long")


class Session(asyncio.Protocol):
    """Lives as long as its connection."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None  # of a delayed answer
        self._delayed: tuple[Question, Act] | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._early = b""  # what was said over TLS before we have learned that the handshake is over
        self._doomed = False  # the connection is dropped when the message begins
        self._heard = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)
        self.peer: str = transport.get_extra_info("peername")[0]
        self.machine = Server(self._sink.service)
        self._sink.sessions.add(self)
        self._idle = self._loop.call_later(self._sink.idle, self._check_idle)
        if not self._sink.listening:  # accepted in the moment of closing
            self.abort()
        elif self._sink.implicit_tls:
            self._start_tls()
        else:
            self._pump()

    def data_received(self, data: bytes) -> None:
        """Bytes."""
        self._heard = self._loop.time()
        if self._transport.is_closing():  # TLS reads on while it says goodbye
            return
        if self._handshake and not self._handshake.done():
            self._early += data
            return
        self.machine.feed(data)
        if self._delayed is None:
            self._pump()
        elif self.machine.waiting > MAX_WAITING:
            self._transport.pause_reading()

    def connection_lost(self, _: Exception | None) -> None:
        """The end, whoever made it."""
        self._idle.cancel()
        if self._timer:
            self._timer.cancel()
        self._sink.sessions.discard(self)
        self._sink.left()

    def pause_writing(self) -> None:
        """The client does not read our answers: then we do not read its commands."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._transport.resume_reading()

    def abort(self) -> None:
        """Let go at once."""
        if self._handshake:
            self._handshake.cancel()
        self._transport.abort()

    def _pump(self) -> None:
        """Answer whatever can be answered now, in one write."""
        machine = self.machine
        while self._delayed is None:
            if self._doomed and machine.state is State.BODY and machine.waiting:
                self._drop("content")
                return
            if (question := machine.next()) is None:
                break
            act = self._sink.decide(question, self)
            if act.delay:
                self._wait(question, act)
            elif not self._carry_out(question, act):
                return
        if out := machine.take():
            self._transport.write(out)
        if machine.state is State.CLOSED:
            self._transport.close()

    def _wait(self, question: Question, act: Act) -> None:
        self._delayed = question, act
        if act.delay != NEVER:
            self._timer = self._loop.call_later(act.delay, self._resume)

    def _resume(self) -> None:
        if self._delayed is None or self._transport.is_closing():
            return
        (question, act), self._delayed = self._delayed, None
        self._transport.resume_reading()
        if self._carry_out(question, act):
            self._pump()

    def _carry_out(self, question: Question, act: Act) -> bool:
        """Answer `question` as `act` says; whether the session goes on."""
        if act.drop == "before":
            return self._drop(question.phase)
        reply = self._sink.settle(question, act, self)
        if act.drop == "kept":
            return self._drop("kept")
        self.machine.answer(reply)
        self._doomed = act.drop == "content"
        if act.drop == "after":
            self._transport.write(self.machine.take())
            self._transport.close()
            return False
        if self.machine.state is State.HANDSHAKE:
            if self._sink.tls is None:  # 220 on order, and no TLS: the client's handshake comes to nothing
                return self._drop("handshake")
            self._start_tls()
        return True

    def _drop(self, phase: str) -> bool:
        """Send the answers that came before, and nothing more."""
        self._sink.dropped(phase, self)
        self._transport.write(self.machine.take())
        self._transport.close()
        return False

    def _start_tls(self) -> None:
        self._transport.write(self.machine.take())
        self._transport.pause_reading()  # what comes from here on in the clear is for the handshake, and never for us
        self._handshake = self._loop.create_task(self._shake_hands())

    async def _shake_hands(self) -> None:
        transport = None
        try:
            transport = await self._loop.start_tls(
                self._transport, self, cast("ssl.SSLContext", self._sink.tls), server_side=True, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        except OSError:  # ssl.SSLError is one: the client left, or does not like our certificate
            self._sink.dropped("handshake", self)
        finally:
            if transport is None:  # asyncio reports the loss of a connection only after its handshake
                self._transport.abort()
                self.connection_lost(None)
        if transport is not None:
            self._secured(transport)

    def _secured(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        version = transport.get_extra_info("ssl_object").version()
        if self._sink.implicit_tls:
            self.machine = Server(self._sink.service, version)
        else:
            self.machine.secured(version)
        self.machine.feed(self._early)
        self._pump()

    def _check_idle(self) -> None:
        """One timer a session: it looks when it fires, instead of being set anew for each segment."""
        left = self._heard + self._sink.idle - self._loop.time()
        if left > 0:
            self._idle = self._loop.call_later(left, self._check_idle)
            return
        self.machine.hang_up(_TIMEOUT)
        self._transport.write(self.machine.take())
        self._transport.close()
