"""One session: the machine of `mailer.pop3.server` driven over a stream, and what answers its questions.

All that has arrived in one segment is answered in one write, as far as there is room for it. A client is read no further than
`mailer.net.stream` reads ahead while something is looked up, nor while he does not take what he was told. Who is not logged in has
`PopTimes.login` seconds for that, whatever he says in them; who is, `PopTimes.idle` for each command (RFC 1939 §3), from the end of the
answer before it, so that nobody gains by sending one octet after the other.

What was marked goes when QUIT was heard whole, and for no other reason: a session that ends otherwise, by whomever, removes nothing. Of
somebody who has left, what he said before counts; but no list is made for him, and a message that he asked for and cannot take ends the
session, for he could lose it by what he said behind that.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from mailer.events import Alarm, MailFetched, Mended
from mailer.mail.arrival import Arrival
from mailer.mail.problem import Problem
from mailer.mailbox.api import INBOX, BodyLost, NoKey
from mailer.pop3.maildrop import Maildrop
from mailer.pop3.questions import PopGreeting, PopLogin, PopQuit, PopReply, PopRetrieve, PopStartTls
from mailer.pop3.server import PopServer
from mailer.serving.ending import SessionTask
from mailer.serving.pace import TURN

from .reading import MessageReader

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence

    from mailer.accounts.users.api import Proved
    from mailer.events import Event
    from mailer.mailbox.api import Mailbox
    from mailer.net.peer import Peer
    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream
    from mailer.pop3.questions import PopQuestion
    from mailer.pop3.states import PopSettings
    from mailer.serving.boxes import BoxUse
    from mailer.serving.common import Common
    from mailer.serving.login import LoginDesk

    from .reading import FirstPiece

PURPOSE: Final = "pop3"
ANSWERS: Final = 120.0  # seconds that a client may take to read a piece of what he asked for

_TIMEOUT = PopReply("nothing was said for too long", "SYS/TEMP", last=True)
_NO_LOGIN = PopReply("nobody has logged in for too long", "SYS/TEMP", last=True)
_DEAF = PopReply("our answers are not read", "SYS/TEMP", last=True)
_STOPPING = PopReply("we are going down, come back later", "SYS/TEMP", last=True)
_OVER = PopReply("you have to log in again", "AUTH", last=True)
_NO_TURN = PopReply("too many handshakes are under way", "SYS/TEMP")
_LATER = PopReply("your mail cannot be read now, try again", "SYS/TEMP")
_LOCKED = PopReply("your mail is encrypted, and its key is not there", "SYS/PERM")

REFUSED: Final = {
    "wrong": PopReply("wrong name or password", "AUTH"),
    "enough": PopReply("too many logins from your network have failed, come back later", "SYS/TEMP", last=True),
    "crowded": PopReply("as many sessions of yours are open as you may have", "SYS/TEMP"),
    "not-now": PopReply("that cannot be found out now, try again", "SYS/TEMP"),
}
"""What is told to whom the desk does not let in. RFC 3206 §4: only ``AUTH`` is a matter of his password."""


class PopTimes(NamedTuple):
    """Seconds: until somebody has to be logged in, and between two commands after that (RFC 1939 §3 wants ten minutes)."""

    login: float = 60.0
    idle: float = 600.0


class PopCount(NamedTuple):
    """What a session has done: messages that were fetched whole, their octets, how many were removed, whether that failed."""

    messages: int = 0
    octets: int = 0
    removed: int = 0
    failed: bool = False


class PopPlace:
    """What the sessions of all doors share: who lets users in, what opens the mailbox of an address, who hears of troubles, the times."""

    def __init__(
        self, desk: LoginDesk, open_box: Callable[[str], BoxUse], tell: Callable[[Event], None], times: PopTimes | None = None
    ) -> None:
        self.desk = desk
        self.open_box = open_box
        self.times = times or PopTimes()
        self.tell = tell
        self._troubled: set[str] = set()  # users who could not have their mail

    def trouble(self, user: str, problem: Problem) -> None:
        """A user cannot have his mail, for a reason that does not pass by itself."""
        self._troubled.add(user)
        self.tell(Alarm(self.desk.now(), "mailboxes", f"{user} cannot have his mail by POP3: {problem}", f"pop3 {user}"))

    def went_well(self, user: str) -> None:
        """A user has his mail: a trouble that he had is over."""
        if user in self._troubled:
            self._troubled.discard(user)
            self.tell(Mended(self.desk.now(), "mailboxes", f"pop3 {user}", "he has it"))


class PopSession:
    """The session with `peer`; it is over when `run` returns."""

    __slots__ = (
        "_box", "_common", "_context", "_end", "_fetched", "_folder", "_last", "_late", "_loop", "_machine",
        "_peer", "_place", "_reader", "_session", "_stream", "_task", "_time", "_user",
    )  # fmt: skip

    def __init__(
        self,
        stream: Stream,
        peer: Peer,
        settings: PopSettings,
        place: PopPlace,
        loop: AcceptLoop,
        context: ssl.SSLContext | None,
        common: Common,
    ) -> None:
        self._stream = stream
        self._peer = peer
        self._place = place
        self._loop = loop
        self._context = context
        self._common = common
        self._machine = PopServer(settings, stream.tls_version)
        self._time = asyncio.get_running_loop().time
        self._end = self._time() + place.times.login  # of the time for a login, and then for a command
        self._late = _NO_LOGIN
        self._last: PopReply | None = None  # the last word, once somebody has ended the session
        self._task = SessionTask()
        self._user = self._session = ""
        self._folder = 0
        self._fetched = PopCount()
        self._box: BoxUse | None = None
        self._reader: MessageReader | None = None

    async def run(self) -> None:
        """The whole session. Raises `OSError` where the client leaves, and `CancelledError` behind a last word."""
        try:
            await self._converse()
        except TimeoutError:
            self._hang_up(self._late)
        except asyncio.CancelledError:
            self._hang_up(self._last or _STOPPING)
            if not self._task.is_ended_alone():
                raise
        finally:
            self._place.desk.leave(self._session)
            if self._fetched != PopCount():
                self._place.tell(MailFetched(self._place.desk.now(), self._arrival(), *self._fetched))
            if self._box is not None:
                self._box.close()

    def show_out(self) -> None:
        """End it from outside: at once where the client is waited for, else behind what is under way."""
        self._last = _OVER
        self._task.end()

    def _hang_up(self, reply: PopReply) -> None:
        if not self._stream.gone:
            self._machine.hang_up(reply)
            self._write()

    # -- what is heard and said

    async def _converse(self) -> None:
        machine, since = self._machine, monotonic()
        while not machine.over:
            machine.deaf = self._stream.gone
            question = machine.next()
            if question is not None:
                await _STEPS[type(question)](self, question)
            if self._last is not None:
                self._hang_up(self._last)
                return
            if question is None or self._stream.full:
                await self._speak()
            if question is None and not (machine.stalled or machine.over):
                with self._loop.idle():
                    machine.feed(await self._heard())
                since = monotonic()
            elif monotonic() - since > TURN:
                await asyncio.sleep(0)
                since = monotonic()
        self._write()

    async def _heard(self) -> bytes:
        self._task.listening = True
        try:
            return await self._stream.read()
        finally:
            self._task.listening = False

    async def _speak(self) -> None:
        """Say what is to be said, wait until there is room for more, and set the time for what comes next. Raises `OSError`, with
        `TimeoutError` where that is over, also where the next octets are there already."""
        said = self._write()
        if self._stream.full:
            await self._flush()
        if self._user and (said or not self._machine.waiting):
            self._late = _TIMEOUT
            self._end = self._time() + self._place.times.idle
        left = self._end - self._time()
        if left <= 0:
            raise TimeoutError
        self._stream.allow(left)

    def _write(self) -> bool:
        """Whether there was anything to say; a client that has left is told nothing, but what he said before counts."""
        said = self._machine.take()
        if said and not self._stream.gone:
            self._stream.write(said)
        return bool(said)

    async def _flush(self) -> None:
        late, self._late = self._late, _DEAF
        self._stream.allow(ANSWERS)
        await self._stream.flush()
        self._late = late

    # -- the questions

    async def _greet(self, _: PopGreeting) -> None:
        self._machine.answer(REFUSED["enough"] if self._place.desk.is_closed(self._peer.host) else None)
        await self._place.desk.look()

    async def _secure(self, _: PopStartTls) -> None:
        """Make the handshake, as soon as there is a turn for it. Raises `OSError`."""

        def go_ahead() -> None:
            self._machine.answer()
            self._write()

        if await self._common.secure(self._stream, self._context, go_ahead):
            self._machine.secured(self._stream.tls_version)
        else:
            self._machine.answer(_NO_TURN)

    async def _log_in(self, question: PopLogin) -> None:
        desk, said = self._place.desk, question.credentials
        since = desk.now()
        proved, why = await desk.admit(said, self._arrival(), PURPOSE)
        if proved is None:
            self._machine.answer(REFUSED[why])
            return
        if (refusal := await self._open(proved)) is not None:
            self._machine.answer(refusal)
            return
        self._session = desk.greet(self._arrival(), said.mechanism, proved, since, self.show_out)
        self._loop.vouch()

    async def _open(self, proved: Proved) -> PopReply | None:
        """Let the user have his mail before him; what he is told where that cannot be."""
        address = proved.user.address
        box = self._place.open_box(address)
        try:
            self._folder, drop = await box.ask(maildrop_of)
        except Problem as problem:
            box.close()
            return self._trouble(address, problem)
        self._place.went_well(address)
        self._box, self._user = box, address
        self._reader = MessageReader(box, self._folder, drop.uids)
        self._machine.admit(address, drop)
        return None

    async def _retrieve(self, question: PopRetrieve) -> None:
        assert self._reader is not None  # the machine wants a login first
        if self._stream.gone:
            self._break_off()
        try:
            first = await self._reader.first(question.place, top=question.lines is not None)
        except Problem as problem:
            self._machine.answer(self._trouble(self._user, problem))
            return
        if first is None:
            self._machine.answer(PopReply(f"message {question.place + 1} is gone, another session has removed it"))
            return
        await self._send(question, first)

    async def _send(self, question: PopRetrieve, first: FirstPiece) -> None:
        """Send it piece by piece. One that breaks off in the middle ends the session without the dot: what has come is no message."""
        assert self._reader is not None
        machine, (mail, octets) = self._machine, first
        goes_on, done = machine.send(octets, mail.size), len(octets)
        while goes_on and done < mail.size:
            await self._speak()
            if self._last is not None or self._stream.gone:
                self._break_off()
            try:
                octets = await self._reader.piece(mail, done, top=question.lines is not None)
            except Problem as problem:
                self._trouble(self._user, problem)
                self._break_off()
            done += len(octets)
            goes_on = machine.send(octets)
        machine.sent()
        if question.lines is None:
            self._fetched = self._fetched._replace(messages=self._fetched.messages + 1, octets=self._fetched.octets + mail.size)

    def _break_off(self) -> NoReturn:
        """End the session in the middle of a message. Raises `ConnectionAbortedError`."""
        self._stream.abort()
        raise ConnectionAbortedError("a message broke off")

    async def _quit(self, question: PopQuit) -> None:
        self._machine.answer(await self._removed(question.uids) if question.uids else None)

    async def _removed(self, uids: Sequence[int]) -> PopReply | None:
        """Remove these; what is told where that fails: RFC 1939 §6."""
        assert self._box is not None
        try:
            await self._box.ask(remove, self._folder, uids)
        except Problem as problem:
            self._trouble(self._user, problem)
            try:
                left = await self._box.ask(remaining, self._folder, uids)
            except Problem:
                left = len(uids)
            self._fetched = self._fetched._replace(removed=len(uids) - left, failed=left > 0)
            return PopReply(f"{left} of {len(uids)} messages could not be removed, and are still there", "SYS/TEMP") if left else None
        self._fetched = self._fetched._replace(removed=len(uids))
        return None

    def _trouble(self, user: str, problem: Problem) -> PopReply:
        """What a user is told of a trouble with his mail, which whoever runs this hears of, if it does not pass by itself."""
        if problem.kind != "try-again":
            self._place.trouble(user, problem)
        if isinstance(problem, NoKey):
            return _LOCKED
        return PopReply("this message is lost", "SYS/PERM") if isinstance(problem, BodyLost) else _LATER

    def _arrival(self) -> Arrival:
        tls = self._stream.tls_version
        return Arrival(
            PURPOSE, self._peer.host, protocol="POP3S" if tls else "POP3", tls=tls, user=self._user, at=self._place.desk.now(),
            proxy=self._peer.by,
        )  # fmt: skip


_STEPS: Final[dict[type[PopQuestion], Callable[[PopSession, Any], Awaitable[None]]]] = {
    PopGreeting: PopSession._greet,
    PopStartTls: PopSession._secure,
    PopLogin: PopSession._log_in,
    PopRetrieve: PopSession._retrieve,
    PopQuit: PopSession._quit,
}


# -- what is asked of the mailbox, in another thread


def maildrop_of(mailbox: Mailbox) -> tuple[int, Maildrop]:
    """The number of the inbox, and what is in it. Raises `Problem`."""
    inbox = mailbox.folder(INBOX)
    return (inbox.id, Maildrop(mailbox.maildrop(inbox.id))) if inbox is not None else (0, Maildrop())


def remove(mailbox: Mailbox, folder: int, uids: Sequence[int]) -> None:
    """Remove these messages of a folder: all of them, or none. Raises `Problem`."""
    mailbox.expunge(folder, [(uid, uid) for uid in uids], marked=False)


def remaining(mailbox: Mailbox, folder: int, uids: Sequence[int]) -> int:
    """How many of these are there. Raises `Problem`."""
    return len({*uids}.intersection(mailbox.uids(folder)))
