r"""Servers for the tests of programs that send mail: one that keeps what it gets, one that follows a script, one that is silent.

`Sink` takes all mail, or misbehaves as `Moods` say (see `mailer.sink`); `SinkThread` is the same for code without an event loop::

    with SinkThread(Moods(refuse={"nobody@example.net": "550 5.1.1 no such user"})) as sink:
        program_that_sends(port=sink.port)
        assert sink.received(1)[0].recipients == ("ann@example.net",)

`MemorySink` is one without a network, for the client of `mailer` itself.

`Script` is for the session that has to go exactly so::

    with Script('''
        S: 220 mx.example.com
        C: EHLO *
        S: 250 mx.example.com
        C: MAIL FROM:<ann@example.org>*
        S: 451 4.7.1 come back later
    ''') as script:
        program_that_sends(port=script.port)

What the program says differently makes the ``with`` raise an `AssertionError`. Both `Script` and `Hang` are used with
``async with``, or with ``with``, where they run in a thread of their own. Each session follows the script anew.

``S: text``   the server says this line              ``S> text``   … these octets, without a line end
``C: text``   the client has to say this line        ``C> text``   … these octets
``MESSAGE``   the client sends a message, with the lone dot at its end; it is kept in `Script.messages`
``TLS``       the handshake                          ``END``       the server closes the connection

In lines of the client ``*`` stands for anything. Escapes: ``\r \n \t \0 \\ \* \xNN``. After the end of the script
the client may say QUIT and nothing else.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self

from mailer.net.listening import tcp_sockets
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop
from mailer.sink import Moods, Received, Sink, SinkThread
from mailer.sink.server import LoopThread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.net.dialer import Connected

__all__ = ["Hang", "LoopbackServer", "MemorySink", "Moods", "Received", "Script", "Sink", "SinkThread", "Turn", "turns"]

PATIENCE = 5.0  # seconds that a server waits for its client
LONGEST = 1 << 26  # octets of a line


class Turn(NamedTuple):
    """`who` is S (the server says `data`), C (the client says exactly that), LINE (a line like that), MESSAGE, TLS or END."""

    who: str
    data: bytes = b""


def turns(text: str) -> list[Turn]:
    """The turns that a script has. Raises `ValueError` for a line that cannot be understood."""
    return list(_joined(_turn(line.strip()) for line in text.splitlines() if line.strip() and not line.strip().startswith("#")))


def _turn(line: str) -> Turn:
    mark, _, rest = line.partition(" ")
    if mark in ("MESSAGE", "TLS", "END") and not rest:
        return Turn(mark)
    if mark not in ("S:", "S>", "C:", "C>"):
        raise ValueError(f"{line!r} is no line of a script")
    data = _octets(rest) + (b"\r\n" if mark[1] == ":" else b"")
    return Turn("LINE" if mark == "C:" and "*" in rest.replace(r"\*", "") else mark[0], data)


def _joined(said: Iterable[Turn]) -> Iterator[Turn]:
    """What one side says in one go is one turn."""
    last: Turn | None = None
    for turn in said:
        if last and last.who == turn.who and turn.who in "SC":
            last = Turn(turn.who, last.data + turn.data)
            continue
        if last:
            yield last
        last = turn
    if last:
        yield last


_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0"}


def _octets(text: str) -> bytes:
    out, at = b"", 0
    for found in _ESCAPE.finditer(text):
        out += text[at : found.start()].encode()
        out += bytes([int(found[1], 16)]) if found[1] else _PLAIN.get(found[2], found[2].encode())
        at = found.end()
    return out + text[at:].encode()


class MemorySink:
    """A sink that a client of this process reaches without a network: the client's `dialer`, which listens nowhere.

    ::

        sink = MemorySink()
        with SyncSmtpClient("mail.test", tls="none", dialer=sink) as client:
            client.send(Email(from_="ann@example.org", to="bob@example.net", subject="Hi", text="It works."))
        assert sink.messages[0].recipients == ("bob@example.net",)

    It takes what `Sink` takes, TLS, logins and moods among them. A message that was acknowledged is in `messages`.
    """

    name = "memory"

    def __init__(self, moods: Moods | None = None, **settings: Any) -> None:
        self.sink = Sink(moods, **settings)
        self._sessions: set[asyncio.Task[None]] = set()

    @property
    def messages(self) -> list[Received]:
        """What has been received so far."""
        return self.sink.messages

    async def connect(self, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> Connected:
        """The client's end of a session that begins now, in the client's event loop."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        session = loop.create_task(self.sink.serve(theirs, Peer(host, port)))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)
        return await loop.create_connection(factory, sock=ours)


class LoopbackServer:
    """A server on a free port of the loopback that waits for its sessions to end, and insists that they do."""

    def __init__(self) -> None:
        self.port = 0
        self.sessions = 0
        self._loop: LoopThread | None = None

    async def __aenter__(self) -> Self:
        self._accepting = AcceptLoop(self._session)
        self._accepting.listen(*await tcp_sockets("127.0.0.1", 0))
        self.port = self._accepting.port
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        open_still = await self._accepting.close(0 if kind else PATIENCE)
        assert kind or not open_still, "a client left its connection open"

    def __enter__(self) -> Self:
        self._loop = LoopThread("mailer-testing")
        return self._loop.run(self.__aenter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._loop is not None
        try:
            self._loop.run(self.__aexit__(kind, error, trace))
        finally:
            self._loop.close()

    async def _session(self, caller: socket.socket, _peer: Peer) -> None:
        self.sessions += 1
        reader, writer = await _talk(caller)
        try:
            await self.serve(reader, writer)
        except asyncio.IncompleteReadError:
            pass  # the client went away: a test sees that at its own end
        finally:
            writer.close()
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        raise NotImplementedError


async def _talk(caller: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """What asyncio makes of a connection for those who serve it."""
    loop = asyncio.get_running_loop()
    made: list[asyncio.StreamWriter] = []
    reader = asyncio.StreamReader(LONGEST, loop)
    protocol = asyncio.StreamReaderProtocol(reader, lambda _, writer: made.append(writer), loop)
    await loop.connect_accepted_socket(lambda: protocol, caller)
    return reader, made[0]


class Script(LoopbackServer):
    """Says and expects what the script says. `received` is all that was said to it, `wrong` the first thing that was not expected."""

    def __init__(self, script: str | Iterable[Turn], context: ssl.SSLContext | None = None, *, handshake_may_fail: bool = False) -> None:
        """`context` is the server's certificate, for ``TLS``."""
        super().__init__()
        self.turns = turns(script) if isinstance(script, str) else list(script)
        self.wrong = ""
        self.received = b""
        self.messages: list[bytes] = []
        self._context = context
        self._handshake_may_fail = handshake_may_fail

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await super().__aexit__(kind, error, trace)
        assert kind or not self.wrong, self.wrong

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow the script, then wait for the end."""
        for turn in self.turns:
            if turn.who == "END" or not await self._take(turn, reader, writer):
                return
        rest = await self._read(reader.read(65536))
        if rest == b"QUIT\r\n":
            writer.write(b"221 2.0.0 bye\r\n")
        elif rest:
            self.wrong = f"{rest!r} was said after the end"

    async def _take(self, turn: Turn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One turn; whether the next one comes."""
        if turn.who == "S":
            writer.write(turn.data)
            await writer.drain()
        elif turn.who == "TLS":
            await self._handshake(writer)
        elif turn.who == "MESSAGE":
            return await self._message(reader)
        elif turn.who == "LINE":
            return await self._line(turn.data, reader)
        else:
            return await self._exactly(turn.data, reader)
        return True

    async def _handshake(self, writer: asyncio.StreamWriter) -> None:
        assert self._context is not None
        try:
            await writer.start_tls(self._context)
        except (OSError, ssl.SSLError) as error:
            if not self._handshake_may_fail:
                self.wrong = f"the handshake failed: {error}"
            raise

    async def _read(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        """What the client says, or nothing if it says nothing for too long."""
        try:
            said = await asyncio.wait_for(reading, PATIENCE)
        except TimeoutError:
            return b""
        self.received += said
        return said

    async def _exactly(self, wanted: bytes, reader: asyncio.StreamReader) -> bool:
        got = b""
        while wanted.startswith(got) and got != wanted:
            more = await self._read(reader.read(len(wanted) - len(got)))
            if not more:
                self.wrong = f"{got!r} was said, and then nothing, instead of {wanted!r}"
                return False
            got += more
        if got != wanted:
            self.wrong = f"{got!r} was said instead of {wanted!r}"
        return got == wanted

    async def _line(self, wanted: bytes, reader: asyncio.StreamReader) -> bool:
        got = await self._read(reader.readline())
        if not re.fullmatch(re.escape(wanted).replace(rb"\*", b".*"), got, re.DOTALL):
            self.wrong = f"{got!r} was said instead of {wanted!r}"
        return not self.wrong

    async def _message(self, reader: asyncio.StreamReader) -> bool:
        """Lines up to the lone dot, without the dots that were doubled; RFC 5321 §4.5.2."""
        message = b""
        while (line := await self._read(reader.readline())) != b".\r\n":
            if not line:
                self.wrong = "the message has no end"
                return False
            message += line.removeprefix(b".")
        self.messages.append(message)
        return True


class Hang(LoopbackServer):
    """Says `first`, answers `replies` to as many lines, and then is silent for as long as its client stays."""

    def __init__(self, first: bytes = b"", replies: Iterable[bytes] = ()) -> None:
        super().__init__()
        self._first = first
        self._replies = list(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk a little, then only listen."""
        writer.write(self._first)
        for reply in self._replies:
            await reader.readline()
            writer.write(reply)
        while await reader.read(65536):
            pass
