"""One connection: the machine of `mailer.smtp.server` driven over a stream, and a policy that answers its questions.

All that has arrived in one segment is answered in one write. A client is read no further than `mailer.net.stream` reads ahead while a
question is thought about. For a command it has `COMMAND` seconds (RFC 5321 §4.5.3.2.7), for the whole of a message `MESSAGE`: one that
drips is cut off with 421. How much all messages that are under way may hold, is for the policy to say, of each piece that comes.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Protocol

from mailer.smtp.reply import Reply
from mailer.smtp.server import Server, ServerState

if TYPE_CHECKING:
    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream
    from mailer.smtp.server_events import Question
    from mailer.smtp.server_state import ServerSettings

COMMAND = 300.0  # seconds
MESSAGE = 600.0  # seconds
HANDSHAKE = 30.0  # seconds

_TIMEOUT = Reply.own(421, "4.4.2", "nothing was said for too long")
_STOPPING = Reply.own(421, "4.3.2", "we are going down, come back later")


class SessionPolicy(Protocol):
    """What answers the questions of one session."""

    async def answer(self, question: Question) -> Reply | None:
        """The reply to `question`; None is the usual one."""

    def arrived(self, octets: int) -> Reply | None:
        """Account for octets of a message that have come; the reply to hang up with where there is no room for them."""

    def ended(self) -> None:
        """The session is over; what it held is free."""


async def converse(
    stream: Stream, settings: ServerSettings, policy: SessionPolicy, loop: AcceptLoop, context: ssl.SSLContext | None
) -> None:
    """The whole session. Raises `OSError` where the client leaves."""
    session = _Session(stream, settings, policy, context)
    try:
        await session.run(loop)
    except TimeoutError:
        session.hang_up(_TIMEOUT)
    except asyncio.CancelledError:
        session.hang_up(_STOPPING)
        raise
    finally:
        policy.ended()


class _Session:
    def __init__(self, stream: Stream, settings: ServerSettings, policy: SessionPolicy, context: ssl.SSLContext | None) -> None:
        self._stream = stream
        self._machine = Server(settings, stream.tls_version)
        self._policy = policy
        self._context = context

    async def run(self, loop: AcceptLoop) -> None:
        arriving = False
        while await self._answer():
            if self._machine.state is not ServerState.BODY:
                self._stream.allow(COMMAND)
            elif not arriving:
                self._stream.allow(MESSAGE)
            arriving = self._machine.state is ServerState.BODY
            self._write()
            await self._stream.flush()
            if arriving:
                data = await self._stream.read()
                if (full := self._policy.arrived(len(data))) is not None:
                    self.hang_up(full)
                    return
            else:
                with loop.idle():
                    data = await self._stream.read()
            self._machine.feed(data)
        self._write()

    def hang_up(self, reply: Reply) -> None:
        if not self._stream.gone:
            self._machine.hang_up(reply)
            self._write()

    def _write(self) -> None:
        """A client that has left is not answered, but what it said before counts."""
        if not self._stream.gone:
            self._stream.write(self._machine.take())

    async def _answer(self) -> bool:
        """Answer whatever can be answered now; whether the session goes on."""
        machine = self._machine
        while (question := machine.next()) is not None:
            machine.answer(await self._policy.answer(question))
            if machine.state is ServerState.HANDSHAKE:
                self._write()
                assert self._context is not None
                await self._stream.answer_tls(self._context, HANDSHAKE)
                machine.secured(self._stream.tls_version)
        return machine.state is not ServerState.CLOSED
