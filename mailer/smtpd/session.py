"""One connection: the machine of `mailer.smtp.server` driven over a stream, and a policy that answers its questions.

All that has arrived in one segment is answered in one write. A client is read no further than `mailer.net.stream` reads ahead while a
question is thought about, nor while there is no room for what it sends. What it may take, says the `Pace`: it is about time from the first
octet of a command or message, so that nobody gains by sending one octet after the other. The last word to one who takes too long is 421.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from mailer.net.stream import ENOUGH, PIECE
from mailer.serving.common import Common
from mailer.serving.ending import SessionTask
from mailer.serving.pace import ANSWERS, TURN
from mailer.serving.room import SMALL, Holding
from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply
from mailer.smtp.server import Server, ServerState

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream
    from mailer.smtp.server_state import ServerSettings

MENDING = 5  # times the octets of a message, while it is judged as it came and as it will be kept, where each of its lines gets longer

_TIMEOUT = Reply.own(421, "4.4.2", "nothing was said for too long")
_SLOW = Reply.own(421, "4.4.2", "the message comes too slowly")
_DEAF = Reply.own(421, "4.4.2", "our answers are not read")
_LONG = Reply.own(421, "4.4.2", "the session has lasted long enough, open another one")
_STOPPING = Reply.own(421, "4.3.2", "we are going down, come back later")
_NO_ROOM = Reply.own(452, "4.3.1", "too many messages are under way, come back later")
_NO_TURN = Reply.own(454, "4.7.0", "too many handshakes are under way, come back later")

_MESSAGE = frozenset({ServerState.BODY, ServerState.CHUNK, ServerState.CHUNKS})


class SessionPolicy(Protocol):
    """What answers the questions of one session. A policy that is one by descent has the usual answers where it has none of its own."""

    async def answer(self, question: ask.Question) -> Reply | None:
        """The reply to `question`; None is the usual one."""

    def arrived(self, _octets: int, /) -> Reply | None:
        """Account for octets of a message that have come; the reply to hang up with where there is no room for them."""
        return None

    def hasty(self, _during: str, /) -> Reply | None:
        """Note that the client did not wait for an answer that it has to wait for; the reply to hang up with, if it has to go.

        Told once, when there is an answer and before it is said: the command behind which the client went on (RFC 2920 §3.1), or
        ``greeting`` where it talked before that.
        """
        return None

    def begun(self, _end: Callable[[Reply], None], /) -> None:
        """The session begins. `end` ends it from outside, with this reply as the last word: at once where the client is waited for, else
        behind the answer that is under way."""
        return

    def ended(self) -> None:
        """The session is over; what it held is free."""
        return  # without it the type checker takes it for what every policy has to say


async def converse(
    stream: Stream,
    settings: ServerSettings,
    policy: SessionPolicy,
    loop: AcceptLoop,
    context: ssl.SSLContext | None,
    common: Common | None = None,
    share: str = "",
) -> None:
    """The whole session with a client whose `share` of the room is that of its network. Raises `OSError` where the client leaves.

    Without what is `common` to all sessions, this one has as much as all.
    """
    common = common or Common()
    session = _Session(stream, settings, policy, loop, context, common, share)
    policy.begun(session.end)
    try:
        await session.run()
    except TimeoutError:
        session.hang_up(session.late)
    except asyncio.CancelledError:
        session.hang_up(session.last or _STOPPING)
        if not session.task.is_ended_alone():
            raise
    finally:
        common.room.leave(session.held)
        policy.ended()


class _Session:
    """The session, and what the client is late with, if it is late."""

    __slots__ = ("_began", "_came", "_common", "_context", "_end", "_given_up", "_loop", "_machine", "_policy", "_stream", "_time", "_told",
                 "held", "last", "late", "task")  # fmt: skip

    def __init__(
        self,
        stream: Stream,
        settings: ServerSettings,
        policy: SessionPolicy,
        loop: AcceptLoop,
        context: ssl.SSLContext | None,
        common: Common,
        share: str,
    ) -> None:
        self._stream = stream
        self._machine = Server(settings, stream.tls_version)
        self._policy = policy
        self._loop = loop
        self._context = context
        self._common = common
        self._time = asyncio.get_running_loop().time
        self._end = self._time() + common.pace.session
        self._began: float | None = None  # when the message did that is under way, if one is
        self._came = 0  # octets of it
        self._given_up = False  # whether there was no room for it
        self._told = False  # whether the client was found to be hasty
        self.task = SessionTask()
        self.held = Holding(share)
        self.late = _TIMEOUT
        self.last: Reply | None = None  # the last word, once somebody has ended the session

    async def run(self) -> None:
        """The session up to the last word, or until somebody is late. Raises `OSError`, with `TimeoutError`."""
        while await self._answer():
            await self._speak()
            if self.last is not None:
                self.hang_up(self.last)
                return
            if self._machine.state in _MESSAGE:
                if not await self._read_message():
                    return
            else:
                self._over()
                with self._loop.idle():
                    self._machine.feed(await self._heard())
        self._write()

    def end(self, reply: Reply) -> None:
        """See `SessionPolicy.begun`."""
        self.last = reply
        self.task.end()

    async def _heard(self, most: int = PIECE) -> bytes:
        """What the client says next. Raises `OSError`."""
        self.task.listening = True
        try:
            return await self._stream.read(most)
        finally:
            self.task.listening = False

    def hang_up(self, reply: Reply) -> None:
        """Say `reply` as the last word."""
        if not self._stream.gone:
            self._machine.hang_up(reply)
            self._write()

    # -- what the client is told

    async def _answer(self) -> bool:
        """Answer whatever can be answered now; whether the session goes on."""
        machine, since = self._machine, monotonic()
        while self.last is None and (question := machine.next()) is not None:
            reply = await self._crowded(question) or await self._policy.answer(question)
            if (over := self._hasty(question)) is not None:
                self.hang_up(over)
                return False
            if isinstance(question, ask.StartTls) and (reply or machine.usual(question)).positive:
                await self._secure(reply)
            else:
                machine.answer(reply)
            if machine.state not in _MESSAGE and not machine.pending:
                self._over()
            if monotonic() - since > TURN:
                await asyncio.sleep(0)
                since = monotonic()
        return machine.state is not ServerState.CLOSED

    async def _crowded(self, question: ask.Question) -> Reply | None:
        """What ends a large message whose lines have to be put right, where there is no room for what that takes besides."""
        if not isinstance(question, ask.Body) or question.normal or len(question.content) <= SMALL:
            return None
        return None if await self._common.room.hold(self.held, MENDING * len(question.content)) else _NO_ROOM

    def _hasty(self, question: ask.Question) -> Reply | None:
        """What ends the session of a client that could not wait, if anything does."""
        during = self._machine.hasty
        if isinstance(question, ask.Greeting) and self._stream.unread:
            during = question.phase
        if not during or self._told:
            return None
        self._told = True
        return self._policy.hasty(during)

    async def _secure(self, reply: Reply | None) -> None:
        """Make the handshake, as soon as there is a turn for it. Raises `OSError`."""

        def go_ahead() -> None:
            self._machine.answer(reply)
            self._write()

        if await self._common.secure(self._stream, self._context, go_ahead):
            self._machine.secured(self._stream.tls_version)
        else:
            self._machine.answer(_NO_TURN)

    async def _speak(self) -> None:
        """Say what is to be said, and set the time for what comes next."""
        said = self._write()
        if self._stream.full:
            self.late = _DEAF
            self._stream.allow(ANSWERS)
            await self._stream.flush()
        if self._machine.state not in _MESSAGE and (said or not self._machine.waiting):
            self._expect_command()

    def _write(self) -> bool:
        """A client that has left is not answered, but what it said before counts. Whether there was anything to say."""
        said = self._machine.take()
        if said and not self._stream.gone:
            self._stream.write(said)
        return bool(said)

    # -- what it says

    def _expect_command(self) -> None:
        """Let the time for a command begin, which ends with that of the session at the latest."""
        pace = self._common.pace
        seconds, left = pace.brisk if self._loop.crowded else pace.command, self._end - self._time()
        self.late = _TIMEOUT if seconds < left else _LONG
        self._stream.allow(min(seconds, left))

    async def _read_message(self) -> bool:
        """Read more of a message, when there is room for it; whether the session goes on."""
        machine, since = self._machine, self._time()
        began = since if self._began is None else self._began
        if not self._given_up:
            if not await self._common.room.hold(self.held, machine.arriving + ENOUGH):
                self._given_up = True
                machine.forgo(_NO_ROOM)
                self._common.room.leave(self.held)
            began += self._time() - since  # that was our time
        self._began = began
        self.late = _SLOW
        left = began + self._common.pace.of_message(self._came) - self._time()
        if left <= 0:  # also where the next octets are there already
            raise TimeoutError
        self._stream.allow(left)
        data = await self._heard(ENOUGH)
        self._came += len(data)
        if (full := self._policy.arrived(len(data))) is not None:
            self.hang_up(full)
            return False
        machine.feed(data)
        return True

    def _over(self) -> None:
        """No message is under way any more, nor in memory."""
        if self._began is not None or self.held.octets:
            self._began, self._came, self._given_up = None, 0, False
            self._common.room.leave(self.held)
