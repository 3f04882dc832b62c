"""The socket that users call: who it is, what he asks, and that no caller harms another or the daemon.

Everything here is bounded: how many are served at a time, in all and of one user; how long one may take over a question or
an answer; how long a question may be; how many large ones are held in memory at once. Whoever breaks a rule of the frame is
hung up on, and nobody else notices. Whoever finds no place is hung up on as well: his program then uses ``drop/``.

The loop of the daemon waits for the network; what a question asks is done in threads, since it waits for the disk.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.failure import BAD_MESSAGE, USAGE
from mailer.spool.handover import NAME

from .desk import PUT, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG = 128  # who waits to be accepted; more than that use ``drop/`` at once
WRITERS = 4  # threads that wait for the disk; more would only queue there
LARGE = 1 << 20  # bytes: of questions beyond it only so many are held at once:
LARGE_AT_ONCE = 4
PAUSE = 1.0  # seconds without accepting when the process has no descriptor left
_PEER = struct.Struct("3i")  # pid, uid, gid: unix(7)


class Limits(NamedTuple):
    """What callers may have: connections in all and of one user, seconds for a question or an answer, bytes of a question."""

    connections: int
    each: int
    seconds: float
    largest: int


class Server:
    """Serves `answer`, which is given the user's number and the question, on the socket of the spool at `root`.

    An error of ours is told to `bug`, and ends that one call.
    """

    def __init__(self, root: str, answer: Callable[[int, bytes], bytes], limits: Limits, bug: Callable[[Exception], None]) -> None:
        self.root = root
        self.answer = answer
        self.bug = bug
        self.limits = limits
        self._calls: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers = ThreadPoolExecutor(WRITERS, "intake")
        self._lookers = ThreadPoolExecutor(1, "intake-status")
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
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
        for pool in (self._writers, self._lookers):
            await asyncio.to_thread(pool.shutdown)
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
        except (OSError, TimeoutError):
            pass  # he is gone, or too slow; that is his own affair
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
                head = await self._read(peer, 4)
                if len(head) < 4:
                    return False
                length = int.from_bytes(head, "big")
                if not 0 < length <= self.limits.largest:
                    code = BAD_MESSAGE if length else USAGE
                    await self._say(peer, refusal(f"a question has 1 to {self.limits.largest} bytes, not {length}", code))
                    return False
                if length > LARGE:
                    await held.enter_async_context(self._large)
                question = await self._read(peer, length)
                if len(question) < length:
                    return False
            pool = self._writers if question.startswith(PUT) else self._lookers
            answer = await self._loop.run_in_executor(pool, self.answer, uid, bytes(question))
        async with asyncio.timeout(self.limits.seconds):
            await self._say(peer, answer)
        return True

    async def _say(self, peer: socket.socket, answer: bytes) -> None:
        await self._loop.sock_sendall(peer, len(answer).to_bytes(4, "big") + answer)

    async def _read(self, peer: socket.socket, count: int) -> bytearray:
        """So many bytes, or as many as come before the caller hangs up. Memory is taken only for what has come."""
        data = bytearray()
        while len(data) < count and (part := await self._loop.sock_recv(peer, min(count - len(data), 1 << 18))):
            data += part
        return data


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
