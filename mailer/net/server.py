"""The accept loop: listening sockets, which callers are served, and for how long. Every server of the house stands on it.

A server is a coroutine, called once for each connection, and may wait for whatever it likes (the disk, DNS, its client)::

    async def serve(stream: Stream, peer: Peer) -> None:
        stream.allow(300)
        stream.write(b"220 mx.example.com\\r\\n")
        ...

    loop = AcceptLoop(streams(serve), most=100, each=10)
    loop.listen(*await tcp_sockets("0.0.0.0", 25))
    ...
    await loop.close(grace=30)

`streams` makes a `Stream` of each connection. A server that must not read ahead, because it counts the bytes that it holds, takes the
socket itself: ``AcceptLoop(serve)`` calls ``serve(socket, peer)``.

What is guaranteed:

- **Places.** At most `most` connections in all, and `each` for one peer (`Peer.share`: an IPv4 address, the /64 network of an IPv6
  address, a user of this machine). A caller who finds none hears `refusal`, if there is one, and is hung up on; or, with `evict`, gets
  the place of the client that has had one for longest. The numbers may be changed while the loop runs, for callers that come later.
  What one network may have besides, and how fast, is for `callers` to say.
- **Proxies.** From a listed proxy the PROXY protocol comes first (`mailer.smtp.proxy`), within `PROXY_SECONDS`, and the caller whom it
  names is the peer, for the server and for all limits; `Peer.by` is the proxy then. Who says nothing of the kind is hung up on. From
  anybody else no such thing is read.
- **Time.** A connection that lasts longer than `seconds` is cut off, whatever it does. What a client may take for one thing is the
  server's to say: `Stream.allow`, `asyncio.timeout`.
- **TLS** from the first byte is made before the server is called (``streams(serve, context)``), later it is `Stream.answer_tls`, a line
  of the server's own. The handshake has its deadline, and what came in the clear before it is thrown away.
- **Back-pressure.** Of what a client says, no more than `mailer.net.stream.ENOUGH` octets are read ahead of the server; `Stream.flush`
  waits for a client that does not read its answers. No more than `BURST` callers are taken in one turn of the event loop.
- **Descriptors.** When the process has none left, accepting rests for `PAUSE` seconds; clients that are served are served on, and
  callers wait in the kernel's queue.
- **Errors.** A connection that breaks (`OSError`, with `TimeoutError`) ends its own server and nothing else, without a word. Any other
  exception is ours: `bug` is told, and the connection closed. An `OSError` of a disk is for the server to catch, since only it knows
  what to answer.
- **The end.** What a server has written when it returns has `LINGER` seconds to leave; when it raises or is cut off, the connection is
  closed at once. `close` stops listening, cancels at once the servers that are `idle` (they wait for the next command, and owe nothing)
  and each that becomes so, lets those in the middle of something go on for `grace` seconds, cancels the rest, and returns when nothing
  is left: no task, no socket. A server that is cancelled may still write a last word before it lets the
  cancellation through.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mailer.smtp.proxy import NoProxyHeader

from .peer import Peer, peer_of, told_by
from .stream import Stream

if TYPE_CHECKING:
    from .handshakes import Handshakes

BURST = 128  # callers that are taken at a time
PAUSE = 1.0  # seconds without accepting when the process has no descriptor left
LINGER = 3.0  # seconds for the last words
PROXY_SECONDS = 5.0  # until a proxy has said who calls
CROWD = 0.8  # of the places: where more are taken, clients are asked to be brisk
_LEFT = frozenset({errno.ECONNABORTED, errno.EPROTO})  # accept(2): the caller has gone already


OnSocket = Callable[[socket.socket, Peer], Awaitable[None]]
"""A server that is given a connected socket, not blocking, which it closes."""

OnStream = Callable[[Stream, Peer], Awaitable[None]]
"""A server that is given a stream."""


class CallerLimits(Protocol):
    """What one network may have: `mailer.limits.callers.Callers`."""

    def enter(self, ip: str, now: float) -> bool:
        """Whether one more is let in, and counts."""

    def leave(self, ip: str) -> None:
        """One is gone."""


class IdleWait:
    """Within it, a server waits for its client's next command: `AcceptLoop.idle`."""

    __slots__ = ("_idle", "_task")

    def __init__(self, idle: set[asyncio.Task[Any]], task: asyncio.Task[Any]) -> None:
        self._idle = idle
        self._task = task

    def __enter__(self) -> None:
        self._idle.add(self._task)

    def __exit__(self, *_: object) -> None:
        self._idle.discard(self._task)


class _Entrance(NamedTuple):
    serve: OnSocket
    many: Callable[[Peer], bool] | None = None
    proxies: Callable[[Peer], bool] | None = None


def streams(
    serve: OnStream,
    context: ssl.SSLContext | Callable[[], ssl.SSLContext | None] | None = None,
    seconds: float = 30.0,
    handshakes: Handshakes | None = None,
) -> OnSocket:
    """A server on streams as one on sockets: it makes the stream and ends it, as the module says under "The end".

    With `context`, or the one that it returns for the next caller, TLS comes first, and its handshake may take so many `seconds`, or, with
    `handshakes`, has its turn among them.
    """

    async def accepted(caller: socket.socket) -> Stream:
        shown = context() if callable(context) else context
        if shown is None or handshakes is None:
            return await Stream.accepted(caller, shown, seconds)
        try:
            async with handshakes.turn() as allowed:
                return await Stream.accepted(caller, shown, allowed)
        except TimeoutError:
            caller.close()
            raise

    async def served(caller: socket.socket, peer: Peer) -> None:
        stream = await accepted(caller)
        try:
            await serve(stream, peer)
            stream.close()
            await stream.released(LINGER)
        finally:
            stream.abort()
            await stream.released()
            stream.forget()

    return served


class AcceptLoop:
    """The loop that calls `serve` for each connection to its sockets. It belongs to the event loop that it is made in."""

    def __init__(
        self,
        serve: OnSocket,
        *,
        most: int = 0,
        each: int = 0,
        seconds: float = 0.0,
        refusal: bytes = b"",
        evict: bool = False,
        callers: CallerLimits | None = None,
        bug: Callable[[Exception], object] | None = None,
    ) -> None:
        """`most` and `each` count connections, `seconds` is of one of them; zero is no limit. Without `bug`, asyncio is told of bugs."""
        self.most = most
        self.each = each
        self.seconds = seconds
        self.stopping = False  # whether `close` was called: a server that looks at it between two messages ends by itself
        self._serve = serve
        self._refusal = refusal
        self._evict = evict
        self._callers = callers
        self._bug = bug or _report
        self._loop = asyncio.get_running_loop()
        self._listening: dict[socket.socket, _Entrance] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[Any]] = set()
        self._places: dict[asyncio.Task[None], Peer] = {}  # whose each place is, by when they came
        self._shares: Counter[str] = Counter()

    def listen(
        self,
        *listening: socket.socket,
        serve: OnSocket | None = None,
        many: Callable[[Peer], bool] | None = None,
        proxies: Callable[[Peer], bool] | None = None,
    ) -> None:
        """Accept from these sockets, which are bound and listen, and are closed with the loop.

        Who comes by them is served by `serve`, where it is another server than that of the loop; `many` says whether a caller, a proxy,
        stands for many, so that no share of the places is too large for him, and `proxies` whether he says by the PROXY protocol who calls.
        """
        for each in listening:
            each.setblocking(False)
            self._listening[each] = _Entrance(serve or self._serve, many, proxies)
            self._loop.add_reader(each, self._accept, each)

    def leave(self, *listening: socket.socket) -> None:
        """Accept no more from these sockets, and close them. Who came by them is served on."""
        for each in listening:
            if self._listening.pop(each, None):
                self._loop.remove_reader(each)
                each.close()

    @property
    def port(self) -> int:
        """The TCP port of the first socket; where it was bound to port 0, the system chose one."""
        port: int = next(iter(self._listening)).getsockname()[1]
        return port

    @property
    def occupied(self) -> int:
        """How many places are taken."""
        return len(self._places)

    @property
    def crowded(self) -> bool:
        """Whether so many places are taken that clients should be brisk."""
        return 0 < self.most * CROWD < len(self._places)

    def idle(self) -> IdleWait:
        """For a server, around its wait for the client's next command: within it, `close` cancels it at once.

        Raises `CancelledError` after `close` was called, also where the next command is there already.
        """
        if self.stopping:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        return IdleWait(self._idle, task)

    def vouch(self) -> None:
        """For a server whose client has proved who he is: he keeps his place, and counts no more for his network, which others share."""
        task = asyncio.current_task()
        if task in self._places:
            self._leave(task)
            self._places[task] = Peer()

    async def close(self, grace: float = 0.0) -> int:
        """Stop listening, wait `grace` seconds for those that are not `idle`, and cancel the rest; returns how many those were."""
        self.stopping = True
        self.leave(*self._listening)
        for task in self._idle:
            task.cancel()
        if grace and self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        await asyncio.sleep(0)  # a task that was made just now has begun, and knows what to let go of
        left = len(self._tasks)
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        return left

    # -- who calls

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BURST):
            try:
                caller, address = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _LEFT:
                    continue
                self._pause(listening)  # no descriptor is left, or no memory: of the process, or of the machine
                return
            self._welcome(caller, address, self._listening[listening])

    def _pause(self, listening: socket.socket) -> None:
        self._loop.remove_reader(listening)
        self._loop.call_later(PAUSE, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        if listening in self._listening:
            self._loop.add_reader(listening, self._accept, listening)

    def _welcome(self, caller: socket.socket, address: object, door: _Entrance) -> None:
        """Serve the caller if there is a place for him."""
        caller.setblocking(False)
        try:
            peer = peer_of(caller, address)
        except OSError:
            caller.close()
            return
        if door.proxies is not None and door.proxies(peer) and not self._full:
            self._begin(self._proxied(door, caller, peer), Peer())
        elif self._has_place(limited := Peer() if door.many is not None and door.many(peer) else peer):
            self._begin(self._one(door.serve, caller, peer), limited)
        else:
            self._refuse(caller)

    def _begin(self, server: Coroutine[Any, Any, None], peer: Peer) -> None:
        """Let `server` have a place, of the share of `peer`; who is nobody has no share."""
        task = self._loop.create_task(server)
        self._tasks.add(task)
        self._take(task, peer)
        task.add_done_callback(self._gone)

    def _take(self, task: asyncio.Task[None], peer: Peer) -> None:
        self._places[task] = peer
        if peer.share:
            self._shares[peer.share] += 1

    @property
    def _full(self) -> bool:
        return 0 < self.most <= len(self._places)

    def _has_place(self, peer: Peer) -> bool:
        """Whether there is one for `peer`; it counts then with the `callers`."""
        if peer.share and 0 < self.each <= self._shares.get(peer.share, 0):
            return False
        if (full := self._full) and not self._evict:
            return False
        if self._callers is not None and peer.host and not self._callers.enter(peer.host, self._loop.time()):
            return False
        if full:
            oldest = next(iter(self._places))
            self._leave(oldest)
            self._loop.call_soon(oldest.cancel)  # behind its first step, if it has not made that yet
        return True

    def _refuse(self, caller: socket.socket) -> None:
        try:
            caller.send(self._refusal)  # the kernel has room for a word
        except OSError:
            pass
        caller.close()

    async def _proxied(self, door: _Entrance, caller: socket.socket, proxy: Peer) -> None:
        """Serve whoever called a proxy, if there is a place for him."""
        try:
            async with asyncio.timeout(PROXY_SECONDS):
                peer = await told_by(proxy, caller)
        except (OSError, NoProxyHeader):
            caller.close()
            return
        except BaseException:
            caller.close()
            raise
        task = asyncio.current_task()
        assert task is not None
        self._leave(task)
        if not self._has_place(peer):
            self._refuse(caller)
            return
        self._take(task, peer)
        await self._one(door.serve, caller, peer)

    # -- who is served

    async def _one(self, serve: OnSocket, caller: socket.socket, peer: Peer) -> None:
        try:
            if self.seconds:
                async with asyncio.timeout(self.seconds):
                    await serve(caller, peer)
            else:
                await serve(caller, peer)
        except OSError:  # the client is gone, too slow (TimeoutError), or does not like our certificate (ssl.SSLError)
            pass
        except Exception as error:
            self._bug(error)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._leave(task)

    def _leave(self, task: asyncio.Task[None]) -> None:
        """Give up the place."""
        peer = self._places.pop(task, None)
        if peer is None:
            return
        if peer.share:
            self._shares[peer.share] -= 1
            if not self._shares[peer.share]:
                del self._shares[peer.share]
        if self._callers is not None and peer.host:
            self._callers.leave(peer.host)


def _report(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "a server has a bug", "exception": error})
