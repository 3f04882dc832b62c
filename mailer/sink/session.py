"""One connection to a sink: the machine of `mailer.smtp.server`, driven over a stream.

Everything that has arrived in one segment is answered in one write, however many commands it holds. While an answer is delayed,
the client is read no further than `mailer.net.stream` reads ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mailer.smtp.reply import Reply
from mailer.smtp.server import Server, ServerState
from mailer.smtp.server_events import Question

if TYPE_CHECKING:
    import asyncio
    import ssl

    from mailer.net.peer import Peer
    from mailer.net.stream import Stream
    from mailer.smtp.server_events import Question
    from mailer.smtp.server_state import ServerSettings

    from .faults import Fault

HANDSHAKE_SECONDS = 30.0

_TIMEOUT = Reply.own(421, "4.4.2", "nothing was said for too long")


class Orders(Protocol):
    """What a session has to know of its sink, and asks it."""

    service: ServerSettings
    tls: ssl.SSLContext | None
    idle: float

    def decide(self, question: Question, session: SinkSession) -> Fault:
        """What happens to `question`."""

    def settle(self, question: Question, fault: Fault, session: SinkSession) -> Reply | None:
        """The answer to `question`, with everything that follows from it done; None is the usual one."""

    def dropped(self, phase: str, session: SinkSession) -> None:
        """The connection is being dropped on order, or was lost in the handshake."""


class SinkSession:
    """Lives as long as its connection."""

    _stream: Stream

    def __init__(self, orders: Orders, peer: Peer, task: asyncio.Task[None]) -> None:
        """`task` is the one that serves the connection."""
        self.peer = peer.host
        self.machine = Server(orders.service)
        self.begun = False  # whether there is a stream: TLS, where it comes first, is made
        self._orders = orders
        self._task = task
        self._doomed = False  # the connection is dropped when the message begins

    def abort(self) -> None:
        """Let go at once."""
        self._task.cancel()

    async def talk(self, stream: Stream, _peer: Peer) -> None:
        """The whole session. Raises `OSError` where the client leaves."""
        self._stream, self.begun = stream, True
        self.machine = Server(self._orders.service, stream.tls_version)
        try:
            while await self._answer():
                self._stream.allow(self._orders.idle)
                self._write()
                await self._stream.flush()
                self.machine.feed(await self._stream.read())
        except TimeoutError:
            self.machine.hang_up(_TIMEOUT)
        self._write()

    def _write(self) -> None:
        """A client that has left is not answered, but what it said before counts."""
        if not self._stream.gone:
            self._stream.write(self.machine.take())

    async def _answer(self) -> bool:
        """Answer whatever can be answered now; whether the session goes on."""
        machine = self.machine
        while True:
            if self._doomed and machine.state is ServerState.BODY and machine.waiting:
                return self._drop("content")
            if (question := machine.next()) is None:
                return machine.state is not ServerState.CLOSED
            fault = self._orders.decide(question, self)
            if fault.delay:
                await self._wait(fault.delay)
            if not await self._carry_out(question, fault):
                return False

    async def _wait(self, seconds: float) -> None:
        """Let the client wait, but not for longer than it may be silent itself. Raises `TimeoutError`."""
        self._write()
        await self._stream.rest(min(seconds, self._orders.idle))
        if seconds > self._orders.idle:
            raise TimeoutError

    async def _carry_out(self, question: Question, fault: Fault) -> bool:
        """Answer `question` as `fault` says; whether the session goes on."""
        if fault.drop == "before":
            return self._drop(question.phase)
        reply = self._orders.settle(question, fault, self)
        if fault.drop == "kept":
            return self._drop("kept")
        self.machine.answer(reply)
        self._doomed = fault.drop == "content"
        if fault.drop == "after":
            return False
        if self.machine.state is ServerState.HANDSHAKE:
            self._write()
            if self._orders.tls is None:  # 220 on order, and no TLS: the client's handshake comes to nothing
                return self._drop("handshake")
            self.machine.secured(await self._secure())
        return True

    def _drop(self, phase: str) -> bool:
        """Say nothing more than the answers that came before."""
        self._orders.dropped(phase, self)
        return False

    async def _secure(self) -> str:
        """Make the handshake; returns the version of TLS. Raises `OSError`."""
        assert self._orders.tls is not None
        try:
            await self._stream.answer_tls(self._orders.tls, HANDSHAKE_SECONDS)
        except OSError:  # the client left, or does not like our certificate
            self._orders.dropped("handshake", self)
            raise
        return self._stream.tls_version
