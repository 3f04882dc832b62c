"""The readers of the figures, by HTTP: one request, one answer, and the connection is closed (HTTP/1.0).

They are served by the accept loop of `mailer.net.server`: not for long, and not many at a time, so that a reader who asks or reads by
drips keeps nothing. A newcomer who finds all places taken gets that of the reader who has had his for longest: a monitoring system is
done in milliseconds, and is never that one for long.

Answers are those of a WSGI application (PEP 3333), and are made in a thread of their own, one after the other: no mail waits for them.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mailer.mail.problem import Problem
from mailer.net.listening import tcp_sockets
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop, streams

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any
    from wsgiref.types import WSGIApplication

    from mailer.config.kinds import HostPort
    from mailer.net.stream import Stream

PATIENCE = 10.0  # seconds from the connection to the end of the answer
MOST = 16  # readers at a time
LARGEST = 1 << 14  # octets of a request
_WRONG = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n"


class Readers:
    """A server of `application` to readers; an exception of its own is told to `bug`."""

    def __init__(self, application: WSGIApplication, bug: Callable[[Exception], object]) -> None:
        self._application = application
        self._thread = ThreadPoolExecutor(1, "metrics")
        self._accepting = AcceptLoop(streams(self._serve), most=MOST, seconds=PATIENCE, evict=True, bug=bug)

    async def listen(self, host: str, port: int) -> None:
        """Serve at an address from now on. Raises `OSError`, and `UnicodeError` for a name that is none."""
        self._accepting.listen(*await tcp_sockets(host, port))

    async def serve(self, place: HostPort, setting: str) -> None:
        """Serve at `place`, which is the value of `setting`, from now on. Raises `Problem` (unavailable)."""
        try:
            await self.listen(place.host, place.port)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Problem(f"cannot serve figures at {place}: {reason}; choose another place with {setting}", "unavailable") from None

    @property
    def port(self) -> int:
        """The port at which figures are served; where it was to be 0, the system chose it."""
        return self._accepting.port

    async def close(self) -> None:
        """Let go of the port, of the readers and of the thread."""
        await self._accepting.close()
        await asyncio.to_thread(self._thread.shutdown)

    async def _serve(self, stream: Stream, _peer: Peer) -> None:
        stream.allow(PATIENCE)
        head = await _head(stream)
        stream.write(await asyncio.get_running_loop().run_in_executor(self._thread, answer, self._application, head))
        await stream.flush()


async def _head(stream: Stream) -> bytes:
    """A request up to its empty line, or as much of it as may be read. Raises `OSError`."""
    head = bytearray()
    while len(head) < LARGEST:
        new = max(len(head) - 3, 0)
        head += await stream.read()
        for end in (b"\n\r\n", b"\n\n"):
            if head.find(end, new) >= 0:
                return bytes(head)
    return b""


def answer(application: WSGIApplication, head: bytes) -> bytes:
    """What `application` says to the request `head`, which is no request if it is not one line of three words and lines of fields."""
    line, *fields = head.decode("latin-1").split("\n") if head else [""]
    words = line.split()
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        return _WRONG
    path, _, query = words[1].partition("?")
    environ: dict[str, Any] = {"REQUEST_METHOD": words[0], "PATH_INFO": unquote(path), "QUERY_STRING": query}
    for name, colon, value in (field.partition(":") for field in fields):
        if colon:
            environ["HTTP_" + name.strip().upper().replace("-", "_")] = value.strip()
    said: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
        said[:] = [f"HTTP/1.0 {status}", *(f"{name}: {value}" for name, value in headers)]
        return lambda _: None  # nothing is written but what is returned

    body = b"".join(application(environ, start))
    said += [f"Date: {formatdate(usegmt=True)}", f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(said).encode("latin-1") + body
