"""The socket that users call: who it is, what he asks, and that no caller harms another or the daemon.

Everything here is bounded, in all and of one user: how many are served at a time (the accept loop of `mailer.net.server` sees to
that); how long one may take over a question or an answer; how long a question may be; how many large ones are held in memory at once,
and how many answers are under way. An answer is made in pieces, the next one while the one before it is being taken, so that no more
than two are held. A caller who breaks a rule of the frame, does not take his answer, or finds no place is hung up on, and no other
caller notices; the program of one who finds no place uses ``drop/``.

The loop of the daemon waits for the network; what a question asks is done in threads, since it waits for the disk. Users take
turns there, and who only looks has a part of the processor that leaves the most of it to deliveries.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.net.listening import unix_socket
from mailer.net.server import AcceptLoop
from mailer.spool.files.handover import MORE, NAME

from .handlers import LEAVES, PUT, refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator

    from mailer.mail.principal import Principal
    from mailer.net.peer import Peer

T = TypeVar("T")

BACKLOG = 128  # who waits to be accepted; more than that use ``drop/`` at once
WRITERS = 4  # threads that wait for the disk; more would only queue there
ANSWERS = 8  # under way at once; each holds what is known of one message
LARGE = 1 << 19  # bytes: of questions beyond it only so many are held at once:
LARGE_AT_ONCE = 4
SMALL = 1 << 14  # bytes of a question that only looks; a filter fits in
REST = 5.0  # times as long as a piece of an answer took of the processor, until the next: deliveries keep five sixths of the interpreter
LONGEST_REST = 1.0  # seconds
MODE = 0o666  # everybody may call; who it is, the kernel says


class CallLimits(NamedTuple):
    """What callers may have: connections in all and of one user, seconds for a question or an answer, bytes of a question."""

    connections: int
    each: int
    seconds: float
    largest: int


class IntakeServer:
    """A server of `answer`, which is given who asks and the question and makes pieces, on the socket of the spool at `root`.

    An error of ours is told to `bug`, and ends that one call.
    """

    def __init__(
        self, root: str, answer: Callable[[Principal, bytes], Iterator[bytes]], limits: CallLimits, bug: Callable[[Exception], None]
    ) -> None:
        self.root = root
        self.answer = answer
        self.limits = limits
        self._writers = UserTurns("intake", WRITERS, WRITERS // 2)
        self._lookers = UserTurns("intake-status", 1, 1, REST)  # one thread, for an answer reads the database from piece to piece
        self._answers = UserShares(ANSWERS, ANSWERS // 4)
        self._large = UserShares(LARGE_AT_ONCE, LARGE_AT_ONCE // 2)
        self._loop = asyncio.get_running_loop()
        self._accepting = AcceptLoop(self._serve, most=limits.connections, each=limits.each, bug=bug)
        self._accepting.listen(unix_socket(root, NAME, MODE, BACKLOG))

    def change(self, limits: CallLimits) -> None:
        """Let other `limits` hold for what is asked next."""
        self.limits = limits
        self._accepting.most, self._accepting.each = limits.connections, limits.each

    async def close(self) -> None:
        """Take no more calls, and end those that are; what is being written to the disk is finished."""
        await self._accepting.close()
        for turns in (self._writers, self._lookers):
            await turns.close()
        try:
            os.unlink(f"{self.root}/{NAME}")
        except FileNotFoundError:
            pass

    async def _serve(self, caller: socket.socket, peer: Peer) -> None:
        with caller:
            try:
                while await self._one(caller, peer.uid):
                    pass
            except Problem:
                pass  # what he was being told cannot be read any more

    async def _one(self, caller: socket.socket, uid: int) -> bool:
        """One question and its answer; whether another may follow."""
        async with AsyncExitStack() as held:
            async with asyncio.timeout(self.limits.seconds):
                question = await self._question(caller, uid, held)
            if question is None:
                return False
            if question.startswith(LEAVES):
                turns = self._writers
            else:
                turns = self._lookers
                await held.enter_async_context(self._answers.of(uid))
            await self._answer(caller, uid, turns, self.answer(unix(uid), question))
        return True

    async def _question(self, caller: socket.socket, uid: int, held: AsyncExitStack) -> bytes | None:
        """What he asks; None if it is nothing that can be answered."""
        with self._accepting.idle():
            head = await self._read(caller, 4)
        if len(head) < 4:
            return None
        length = int.from_bytes(head, "big")
        if not 0 < length <= self.limits.largest:
            await self._say(
                caller,
                refusal(Problem(f"a question has 1 to {self.limits.largest} bytes, not {length}", "bad-message" if length else "usage")),
            )
            return None
        question = await self._read(caller, min(length, len(PUT)))
        if length > SMALL and bytes(question) not in LEAVES:
            await self._say(
                caller, refusal(Problem(f"a question that hands no message in has at most {SMALL} bytes, not {length}", "usage"))
            )
            return None
        if length > LARGE:
            await held.enter_async_context(self._large.of(uid))
        question += await self._read(caller, length - len(question))
        return bytes(question) if len(question) == length else None

    async def _answer(self, caller: socket.socket, uid: int, turns: UserTurns, answer: Iterator[bytes]) -> None:
        """Say it piece by piece. For all of it together he has so long as for a question."""
        patience = self.limits.seconds
        try:
            piece = await turns.do(uid, next, answer, b"")
            while piece:
                following = await turns.do(uid, next, answer, b"")
                begun = self._loop.time()
                async with asyncio.timeout(patience):
                    await self._say(caller, piece, more=bool(following))
                patience -= self._loop.time() - begun
                piece = following
        except BaseException:
            await turns.do(uid, _close, answer)
            raise

    async def _say(self, caller: socket.socket, answer: bytes, *, more: bool = False) -> None:
        await self._loop.sock_sendall(caller, (len(answer) | (MORE if more else 0)).to_bytes(4, "big") + answer)

    async def _read(self, caller: socket.socket, count: int) -> bytearray:
        """So many bytes, or as many as come before the caller hangs up. Memory is taken only for what has come."""
        data = bytearray()
        while len(data) < count and (part := await self._loop.sock_recv(caller, min(count - len(data), 1 << 18))):
            data += part
        return data


def _close(answer: Iterator[bytes]) -> None:
    """Let go of what it reads from, in the thread that opened it."""
    if close := getattr(answer, "close", None):
        close()


class UserShares:
    """`total` places, `each` of them for one user. Who waits for one is served in the order of coming."""

    def __init__(self, total: int, each: int) -> None:
        self.each = each
        self._places = asyncio.Semaphore(total)
        self._users: dict[int, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, uid: int) -> AsyncIterator[None]:
        """Have a place, when there is one for user `uid`."""
        own, waiting = self._users.setdefault(uid, (asyncio.Semaphore(self.each), []))
        waiting.append(None)
        try:
            async with own, self._places:
                yield
        finally:
            waiting.pop()
            if not waiting:
                del self._users[uid]


class UserTurns:
    """`threads` that do things for users, `each` of them for one at a time.

    After a piece of work they rest `rest` times as long as it took of the processor: of the interpreter, which is one, the rest is
    for deliveries. A first question does not wait for that, only what comes after it.
    """

    def __init__(self, name: str, threads: int, each: int, rest: float = 0.0) -> None:
        self.rest = rest
        self._shares = UserShares(threads, each)
        self._pool = ThreadPoolExecutor(threads, name)
        self._again = 0.0

    async def do(self, uid: int, function: Callable[..., T], *arguments: object) -> T:
        """What `function` returns, called in a thread when it is the user's turn."""
        loop = asyncio.get_running_loop()
        async with self._shares.of(uid):
            if (pause := self._again - loop.time()) > 0:
                await asyncio.sleep(pause)
            result, spent = await loop.run_in_executor(self._pool, _measured, function, arguments)
            self._again = loop.time() + min(self.rest * spent, LONGEST_REST)
            return result

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.to_thread(self._pool.shutdown)


def _measured(function: Callable[..., T], arguments: tuple[object, ...]) -> tuple[T, float]:
    begun = time.thread_time()
    return function(*arguments), time.thread_time() - begun
