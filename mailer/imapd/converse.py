"""One connection: the machine of `mailer.imap.server` driven over a stream, and handlers that do what it asks.

What has arrived is answered command by command, in the order in which it came; others have their turn after some milliseconds. A client is
read no further than `mailer.net.stream` reads ahead while a command is done, nor while there is no room for the message that it sends, nor
while it does not read what it was told. What it may take says `ImapPace`: a minute until it has logged in, half an hour between two
commands, and for a command or a message time from its first octet. The last word to whoever takes too long is BYE, as is that to whoever
is shown out: at once where he is waited for, else behind the answer that is under way (RFC 9051 §7.1.5).
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from mailer.events import Alarm
from mailer.imap import command as do
from mailer.imap import questions as ask
from mailer.imap.answer import Answer, BadCommand
from mailer.imap.server import ImapServer
from mailer.imap.states import ImapState, may_tell_expunges
from mailer.mail.problem import Problem
from mailer.net.stream import ENOUGH, PIECE
from mailer.serving.boxes import MailboxGone
from mailer.serving.common import Common
from mailer.serving.ending import SessionTask
from mailer.serving.room import Holding

from .appending import look_ahead
from .idling import Idling
from .login import TOO_MANY, WELCOME, ImapLogin
from .session import ImapSession
from .streaming import CutOff
from .troubles import BUG, FolderGone, ImapRefused, answer_to, is_ours

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Mapping

    from mailer.imap.server import ImapSettings
    from mailer.net.peer import Peer
    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream

    from .session import Handler
    from .terms import ImapTerms

BEGIN: Final = 120.0  # seconds that each command has
LEAST: Final = 500.0  # octets a second of one that takes longer
LONGEST: Final = 1800.0

SILENT: Final = "nothing was said for too long"
STOPPING: Final = "we are going down, come back later"
SLOW: Final = "that comes too slowly"
NO_ROOM: Final = "too many messages are under way, come back later"
NO_TURN: Final = Answer("NO", "too many handshakes are under way, come back later", "UNAVAILABLE")
DONE: Final = Answer("OK", "that is all for now")

_STRANGER = frozenset({ImapState.CONNECTED, ImapState.STRANGER, ImapState.EXCHANGE, ImapState.HANDSHAKE})


async def converse(
    stream: Stream,
    peer: Peer,
    settings: ImapSettings,
    terms: ImapTerms,
    handlers: Mapping[type, Handler],
    loop: AcceptLoop,
    context: ssl.SSLContext | None,
    common: Common | None = None,
) -> None:
    """The whole session with a client. Without what is `common` to all sessions, this one has as much as all. Raises `OSError` where he
    leaves."""
    conversation = _Conversation(stream, peer, settings, terms, handlers, loop, context, common or Common())
    try:
        await conversation.run()
    except TimeoutError:
        conversation.hang_up(conversation.session.late)
    except asyncio.CancelledError:
        conversation.hang_up(conversation.last or STOPPING)
        if not conversation.task.is_ended_alone():
            raise
    finally:
        await conversation.leave()


class _Conversation:
    """The session, and what it holds."""

    __slots__ = ("_began", "_common", "_context", "_end_of_login", "_handlers", "_held", "_idling", "_login", "_loop", "_machine",
                 "_stream", "_terms", "_time", "last", "session", "task")  # fmt: skip

    def __init__(
        self,
        stream: Stream,
        peer: Peer,
        settings: ImapSettings,
        terms: ImapTerms,
        handlers: Mapping[type, Handler],
        loop: AcceptLoop,
        context: ssl.SSLContext | None,
        common: Common,
    ) -> None:
        self._stream = stream
        self._machine = ImapServer(settings, stream.tls_version)
        self._terms = terms
        self._handlers = handlers
        self._loop = loop
        self._context = context
        self._common = common
        self._time = asyncio.get_running_loop().time
        self._end_of_login = self._time() + terms.pace.login
        self._began: float | None = None  # when the first octet came of a command that is not whole
        self._held = Holding(peer.share)
        self.task = SessionTask()
        self.session = ImapSession(stream, self._machine, terms)
        self._login = ImapLogin(self.session, peer, self.end)
        self._idling = Idling(self.session, self.end)
        self.last = ""  # the last word, once somebody has ended the session

    async def run(self) -> None:
        """The session up to the last word, or until somebody is late. Raises `OSError`, with `TimeoutError`."""
        while await self._answer():
            await self._flow()
            if self.last:
                self.hang_up(self.last)
                return
            if not await self._has_room():
                self.hang_up(NO_ROOM)
                return
            self._expect()
            with nullcontext() if self._machine.begun else self._loop.idle():
                said = await self._heard()
            self._machine.feed(said)
        self.session.write()

    async def leave(self) -> None:
        """The session is over; what it held is free."""
        await self._idling.leave()
        self._common.room.leave(self._held)
        self._login.leave()

    def end(self, text: str) -> None:
        """End the session from outside, with this as the last word."""
        self.last = text
        self.task.end()

    def hang_up(self, text: str) -> None:
        """Say `text` as the last word, unless it would stand in the middle of an answer."""
        if not self._stream.gone and not self.session.within:
            self._machine.hang_up(text)
            self.session.write()

    # -- what the client says

    async def _heard(self) -> bytes:
        self.task.listening = True
        between = self.session.notifying is not None and self._machine.state is not ImapState.IDLE
        if between:
            self._idling.begin(idle=False)
        try:
            said = await self._stream.read(ENOUGH if self._machine.arriving else PIECE)
        finally:
            self.task.listening = False
        if between:
            await self._idling.stop()
        return said

    async def _has_room(self) -> bool:
        """Whether there is room for more of the message that arrives, if one does."""
        arriving = self._machine.arriving
        if not arriving:
            self._common.room.leave(self._held)
            return True
        since = self._time()
        found = await self._common.room.hold(self._held, arriving + ENOUGH)
        self._began = (self._began or since) + self._time() - since  # that was our time
        return found

    def _expect(self) -> None:
        """Let the time begin in which the client has to say something, or go on where he has begun to."""
        machine, pace, now = self._machine, self._terms.pace, self._time()
        self.session.late = SILENT
        if machine.state in _STRANGER:
            left = self._end_of_login - now
        elif machine.begun:
            self._began = now if self._began is None else self._began
            self.session.late = SLOW
            left = self._began + min(LONGEST, max(BEGIN, machine.arriving / LEAST)) - now
        else:
            self._began = None
            left = pace.idling if machine.state is ImapState.IDLE else pace.idle
        if left <= 0:  # also where the next octets are there already
            raise TimeoutError
        self._stream.allow(left)

    # -- what it is told

    async def _flow(self) -> None:
        """As `ImapSession.flow`; a client that has left is heard to the end."""
        try:
            await self.session.flow()
        except ConnectionError:
            pass

    async def _answer(self) -> bool:
        """Answer whatever can be answered now; whether the session goes on."""
        machine = self._machine
        while not self.last and (question := machine.next()) is not None:
            await self._think(question)
            await self._flow()
        return machine.state is not ImapState.CLOSED

    async def _think(self, question: ask.ImapQuestion) -> None:
        machine = self._machine
        if isinstance(question, ask.ImapAsked):
            await self._obey(question)
        elif isinstance(question, ask.ImapDone):
            await self._idling.stop()
            await self._told(DONE, do.Idle())
        elif isinstance(question, ask.ImapAnnounced):
            machine.answer(await self._done(look_ahead(self.session, question)))
        elif isinstance(question, ask.ImapGreeting):
            machine.answer(None if await self._login.greet() else TOO_MANY)
        elif isinstance(question, ask.ImapAuth):
            answer = await self._login.admit(question)
            machine.answer(answer)
            if answer is WELCOME:
                self._loop.vouch()
            if answer is TOO_MANY:
                self.hang_up(TOO_MANY.text)
        elif isinstance(question, ask.ImapStartTls):
            await self._secure()

    async def _secure(self) -> None:
        """Make the handshake, as soon as there is a turn for it. Raises `OSError`."""

        def go_ahead() -> None:
            self._machine.answer(None)
            self.session.write()

        if await self._common.secure(self._stream, self._context, go_ahead):
            self._machine.secured(self._stream.tls_version)
        else:
            self._machine.answer(NO_TURN)

    async def _obey(self, asked: ask.ImapAsked) -> None:
        """Do a command, and end it."""
        command = asked.command
        handler = self._handlers.get(type(command))
        if isinstance(command, do.Idle):
            self._machine.answer(None)
            self._idling.begin()
        elif handler is None:
            if isinstance(command, do.Identify):
                self._login.note(command.fields)
            self._machine.answer(None)
        else:
            answer = await self._done(handler(self.session, command))
            if not self.last:
                await self._told(answer, command)

    async def _done(self, doing: Awaitable[Answer]) -> Answer:
        """What ends a command, however it ends. Raises `OSError`."""
        try:
            return await doing
        except BadCommand as bad:
            return bad.answer
        except ImapRefused as refused:
            return refused.answer
        except (FolderGone, MailboxGone) as gone:
            self.last = str(gone)
        except Problem as problem:
            return self._trouble(problem)
        except ConnectionError:
            pass  # nobody hears it
        except (TimeoutError, CutOff):
            raise
        except OSError as error:  # nobody has foreseen it, nor knows what of an answer was said
            self._terms.tell(Alarm.of(self._terms.now(), error))
            raise
        except Exception as error:
            self._terms.tell(Alarm.of(self._terms.now(), error))
        return BUG

    async def _told(self, answer: Answer, command: do.Command) -> None:
        """End a command, with what is new before that."""
        try:
            look = answer.code == "NONEXISTENT"
            await self.session.catch_up(expunges=may_tell_expunges(command), look=look, unasked=True)
        except (FolderGone, MailboxGone) as gone:
            self.last = str(gone)
        except (Problem, ConnectionError):
            pass  # it is told behind the next command
        self._machine.answer(answer)

    def _trouble(self, problem: Problem) -> Answer:
        """What ends a command that met a problem; one that is ours is told."""
        if is_ours(problem):
            who = self.session.user.address
            self._terms.tell(Alarm(self._terms.now(), "mailbox", f"{who}: {problem}", who))
        return answer_to(problem)
