"""An endpoint as others have one: it checks each signature with a library that is not ours, and answers as a script says.

`Receiver` runs in a thread of its own. As a program, ``python -m tests.hooks.receiver SECRET [CERTIFICATE]``, it prints its port, answers
204, and prints for each line that it is given how many events it has had, how many different ones, and whether a signature was bad.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from standardwebhooks import Webhook, WebhookVerificationError

from tests.fakes.processes import PATIENCE


class Request(NamedTuple):
    """A post: when it came, its fields in small letters, its body, and what is wrong with its signature."""

    at: float
    target: str
    headers: dict[str, str]
    body: bytes
    flaw: str

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def data(self) -> dict[str, object]:
        found = json.loads(self.body)["data"]
        assert isinstance(found, dict)
        return found


Answer = int | tuple[int, str] | str
"""A status, one with fields of the header, or ``hang``, ``drip``."""


class Receiver:
    """`answer` is asked for each post; `secrets` are those that the endpoint knows, of which one has to fit. None are checked without."""

    def __init__(
        self, secrets: Sequence[str] = (), answer: Callable[[Request], Answer] = lambda _: 204, context: ssl.SSLContext | None = None
    ) -> None:
        self.knows(*secrets)
        self.answer = answer
        self.context = context
        self.requests: list[Request] = []
        self.port = 0
        self.transports: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def knows(self, *secrets: str) -> None:
        """Of these secrets one has to fit from now on."""
        self.webhooks = [Webhook(secret) for secret in secrets]

    async def _listen(self) -> asyncio.Server:
        server = await self._loop.create_server(lambda: _Talk(self), "127.0.0.1", self.port, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _close(self) -> None:
        self._server.close()
        for transport in [*self.transports]:
            transport.abort()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def flaw(self, headers: dict[str, str], body: bytes) -> str:
        """What is wrong with a signature; empty if one of the secrets fits."""
        found = ""
        for webhook in self.webhooks:
            try:
                webhook.verify(body, headers, json_parse=False)
                return ""
            except WebhookVerificationError as error:
                found = str(error)
        return found

    def ids(self) -> list[str]:
        return [request.id for request in [*self.requests]]

    def until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something has come."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"it has {len(self.requests)} posts"
            time.sleep(0.01)


class _Talk(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.receiver.transports.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.receiver.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            body, self.data = rest[:length], rest[length:]
            request = Request(time.time(), first.split(" ")[1], headers, body, self.receiver.flaw(headers, body))
            answer = self.receiver.answer(request)
            self.receiver.requests.append(request)
            self.say(answer)

    def say(self, answer: Answer) -> None:
        if answer == "hang":
            return
        if answer == "drip":
            task = asyncio.ensure_future(self.drip())
            task.add_done_callback(lambda _: None)
            return
        status, fields = (answer, "") if isinstance(answer, int) else answer
        length = "" if status == 204 else "Content-Length: 0\r\n"
        self.transport.write(f"HTTP/1.1 {status} Said\r\n{length}{fields}\r\n".encode())

    async def drip(self) -> None:
        for octet in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
            self.transport.write(bytes((octet,)))
            await asyncio.sleep(1)


def main(secret: str, certificate: str = "") -> None:
    """Answer until standard input ends."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with Receiver([secret], context=context) as receiver:
        print(receiver.port, flush=True)
        for _ in sys.stdin:
            found = [*receiver.requests]
            print(len(found), len({each.id for each in found}), next((each.flaw for each in found if each.flaw), ""), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
