"""The socket that users call: who it is, what he asks, and that no caller harms another or the daemon.

Everything here is bounded, in all and of one user: how many are served at a time; how long one may take over a question or
an answer; how long a question may be; how many large ones are held in memory at once, and how many answers are under way. An answer is made
in pieces, the next one while the one before it is being taken, so that no more than two are held. Whoever breaks a rule of the
frame is hung up on, and so is who does not take his answer; nobody else notices. Whoever finds no place is hung up on as well: his
program then uses ``drop/``.

The loop of the daemon waits for the network; what a question asks is done in threads, since it waits for the disk. Users take
turns there, and who only looks has a part of the processor that leaves the most of it to deliveries.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.failure import BAD_MESSAGE, USAGE, Failure
from mailer.spool.handover import MORE, NAME

from .desk import PUT, refusal
from .shares import Shares, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BACKLOG = 128  # who waits to be accepted; more than that use ``drop/`` at once
WRITERS = 4  # threads that wait for the disk; more would only queue there
ANSWERS = 8  # under way at once; each holds what is known of one message
LARGE = 1 << 19  # bytes: of questions beyond it only so many are held at once:
LARGE_AT_ONCE = 4
SMALL = 1 << 14  # bytes of a question that only looks; a filter fits in
REST = 5.0  # times as long as a piece of an answer took of the processor, until the next: deliveries keep five sixths of the interpreter
PAUSE = 1.0  # seconds without accepting when the process has no descriptor left
_PEER = struct.Struct("3i")  # pid, uid, gid: unix(7)


class Limits(NamedTuple):
    """What callers may have: connections in all and of one user, seconds for a question or an answer, bytes of a question."""

    connections: int
    each: int
    seconds: float
    largest: int


class Server:
    """Serves `answer`, which is given the user's number and the question and makes pieces, on the socket of the spool at `root`.

    An error of ours is told to `bug`, and ends that one call.
    """

    def __init__(
        self, root: str, answer: Callable[[int, bytes], Iterator[bytes]], limits: Limits, bug: Callable[[Exception], None]
    ) -> None:
        self.root = root
        self.answer = answer
        self.bug = bug
        self.limits = limits
        self._calls: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers = Turns("intake", WRITERS, WRITERS // 2)
        self._lookers = Turns("intake-status", 1, 1, REST)  # one thread, for an answer reads the database from piece to piece
        self._answers = Shares(ANSWERS, ANSWERS // 4)
        self._large = Shares(LARGE_AT_ONCE, LARGE_AT_ONCE // 2)
        self._socket = hang(root)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._accept)

    async def close(self) -> None:
        """Take no more calls, and end those that are; what is being written to the disk is finished."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for turns in (self._writers, self._lookers):
            await turns.close()
        try:
            os.unlink(f"{self.root}/{NAME}")
        except FileNotFoundError:
            pass

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            try:
                peer, _address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError:  # no descriptor is left, or the caller has gone
                self._pause()
                return
            self._welcome(peer)

    def _pause(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.call_later(PAUSE, self._resume)

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    def _welcome(self, peer: socket.socket) -> None:
        """Serve the caller if there is a place for him."""
        peer.setblocking(False)
        try:
            uid = user_of(peer)
        except OSError:
            peer.close()
            return
        if self._calls.total() >= self.limits.connections or self._calls[uid] >= self.limits.each:
            peer.close()
            return
        self._calls[uid] += 1
        task = self._loop.create_task(self._serve(peer, uid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: socket.socket, uid: int) -> None:
        try:
            while await self._one(peer, uid):
                pass
        except (OSError, TimeoutError, Failure):
            pass  # he is gone, or too slow; that is his own affair. Or what he was being told cannot be read any more
        except Exception as error:
            self.bug(error)
        finally:
            peer.close()
            self._calls[uid] -= 1
            if not self._calls[uid]:
                del self._calls[uid]

    async def _one(self, peer: socket.socket, uid: int) -> bool:
        """One question and its answer; whether another may follow."""
        async with AsyncExitStack() as held:
            async with asyncio.timeout(self.limits.seconds):
                question = await self._question(peer, uid, held)
            if question is None:
                return False
            if question.startswith(PUT):
                turns = self._writers
            else:
                turns = self._lookers
                await held.enter_async_context(self._answers.of(uid))
            await self._answer(peer, uid, turns, self.answer(uid, question))
        return True

    async def _question(self, peer: socket.socket, uid: int, held: AsyncExitStack) -> bytes | None:
        """What he asks; None if it is nothing that can be answered."""
        head = await self._read(peer, 4)
        if len(head) < 4:
            return None
        length = int.from_bytes(head, "big")
        if not 0 < length <= self.limits.largest:
            code = BAD_MESSAGE if length else USAGE
            await self._say(peer, refusal(f"a question has 1 to {self.limits.largest} bytes, not {length}", code))
            return None
        question = await self._read(peer, min(length, len(PUT)))
        if length > SMALL and question != PUT:
            await self._say(peer, refusal(f"a question that hands no message in has at most {SMALL} bytes, not {length}", USAGE))
            return None
        if length > LARGE:
            await held.enter_async_context(self._large.of(uid))
        question += await self._read(peer, length - len(question))
        return bytes(question) if len(question) == length else None

    async def _answer(self, peer: socket.socket, uid: int, turns: Turns, answer: Iterator[bytes]) -> None:
        """Say it piece by piece. For all of it together he has so long as for a question."""
        patience = self.limits.seconds
        try:
            piece = await turns.do(uid, next, answer, b"")
            while piece:
                following = await turns.do(uid, next, answer, b"")
                begun = self._loop.time()
                async with asyncio.timeout(patience):
                    await self._say(peer, piece, more=bool(following))
                patience -= self._loop.time() - begun
                piece = following
        except BaseException:
            await turns.do(uid, _close, answer)
            raise

    async def _say(self, peer: socket.socket, answer: bytes, *, more: bool = False) -> None:
        await self._loop.sock_sendall(peer, (len(answer) | (MORE if more else 0)).to_bytes(4, "big") + answer)

    async def _read(self, peer: socket.socket, count: int) -> bytearray:
        """So many bytes, or as many as come before the caller hangs up. Memory is taken only for what has come."""
        data = bytearray()
        while len(data) < count and (part := await self._loop.sock_recv(peer, min(count - len(data), 1 << 18))):
            data += part
        return data


def _close(answer: Iterator[bytes]) -> None:
    """Let go of what it reads from, in the thread that opened it."""
    if close := getattr(answer, "close", None):
        close()


def user_of(peer: socket.socket) -> int:
    """The number of the user who called, which the kernel took down when he did."""
    known = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(known)[1])


def hang(root: str) -> socket.socket:
    """The socket in the spool at `root`, listening and not blocking. An old one is replaced: the lock says that it has no owner."""
    path = f"{root}/{NAME}"
    if os.path.lexists(path):
        os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    directory = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        made.bind(f"/proc/self/fd/{directory}/{NAME}")  # a socket's path has 108 bytes, unix(7)
        os.chmod(path, 0o666)  # noqa: S103 - everybody may call; who it is, the kernel says
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(directory)
    return made
