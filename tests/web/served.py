"""A web server in the loop of a test, on a free port, with endpoints of the test's own; and clients that say octets."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from mailer.config import Config
from mailer.config.file import config_of
from mailer.config.sections.doors import DoorPlace
from mailer.web.app import application
from mailer.web.asked import WebRequest
from mailer.web.desk import Desk
from mailer.web.server import WebServer
from mailer.web.table import TABLE, WebEndpoint
from tests.fakes import waiting

PLACE = "127.0.0.1:1"  # stands for the port that the system chose


class Clock:
    """Noon."""

    def now(self) -> float:
        return 1_800_000_000.0


async def echo(request: Request) -> Response:
    """What was sent."""
    return Response(await request.body(), media_type="application/octet-stream")


async def early(_request: Request) -> Response:
    """An answer before the body is looked at."""
    return JSONResponse({"early": True}, 401)


async def broken(_request: Request) -> Response:
    """A bug."""
    raise RuntimeError("out of order")


async def large(_request: Request) -> Response:
    """More than the network holds."""
    return PlainTextResponse("x" * 20_000_000)


async def endless(_request: Request) -> Response:
    """A stream that goes on."""

    async def lines() -> AsyncIterator[str]:
        while True:
            yield ": still here\n\n"
            await asyncio.sleep(15)

    return StreamingResponse(lines(), media_type="text/event-stream")


async def client(request: Request) -> Response:
    """Who asks."""
    return PlainTextResponse(str(request.scope["state"]["client"]))


ENDPOINTS = (
    *TABLE,
    WebEndpoint("GET", "/echo", echo),
    WebEndpoint("POST", "/echo", echo),
    WebEndpoint("POST", "/early", early),
    WebEndpoint("GET", "/broken", broken),
    WebEndpoint("GET", "/large", large),
    WebEndpoint("GET", "/endless", endless),
    WebEndpoint("GET", "/client", client),
)


class Served:
    """The server, and what it told."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.asked: list[WebRequest] = []
        self.refused: list[tuple[str, int]] = []
        self.bugs: list[BaseException] = []
        self.callers: list[Caller] = []
        self.desk = Desk(config, Clock())
        app = application(self.desk, self.asked.append, ENDPOINTS)
        self.server = WebServer(app, config, lambda who, refusal: self.refused.append((who, refusal.status)), self.bugs.append)

    async def call(self, data: bytes = b"", *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Caller:
        """A client that has said `data`."""
        options: dict[str, Any] = {"ssl": tls, "server_hostname": "localhost"} if tls else {}
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(host, 0), **options))
        self.callers.append(caller)
        caller.say(data)
        return caller

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.places[0][0].rpartition(":")[2])


class Caller:
    """A client, octet by octet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        """Send it."""
        self.writer.write(data)

    async def answer(self) -> Answer:
        """The next answer. Raises `EOFError` (`asyncio.IncompleteReadError`) where none comes any more."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *fields = head[:-4].decode("latin-1").split("\r\n")
        found = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        return Answer(int(line.split()[1]), found, await self.reader.readexactly(int(found.get("content-length", 0))))

    async def rest(self) -> bytes:
        """What comes until the end, whatever end that is."""
        found = b""
        try:
            while part := await self.reader.read(1 << 20):
                found += part
        except ConnectionError:
            pass
        return found

    async def ends(self) -> bool:
        """Whether the server says no more."""
        return await self.rest() == b""

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


class Answer:
    """An answer."""

    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status = status
        self.fields = fields
        self.body = body

    @property
    def error(self) -> dict[str, str]:
        """What it says was wrong."""
        found: dict[str, str] = json.loads(self.body)["error"]
        return found


def config_with(spool: Path, api: str = "", listen: str = "") -> Config:
    """A configuration with one door."""
    text = f'[mailer]\nhostname = "mail.example.com"\nspool = "{spool}"\n'
    text += f'[[listen]]\nkind = "web"\naddress = "{PLACE}"\n{listen}\n[api]\nmax_body = 100_000\n{api}\n'
    return config_of("", text.encode())


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[Served]:
    """A server, until the test is done; nothing is left of it then."""
    listening = socket.create_server(("127.0.0.1", 0))
    served = Served(config)
    (await served.server.listen(config, {DoorPlace("127.0.0.1", 1): listening}))()
    try:
        yield served
    finally:
        for caller in served.callers:
            caller.close()
        await served.server.close(0)
        served.desk.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


def with_server(test: Callable[[Served], Awaitable[None]], config: Config) -> None:
    """Run `test`; time passes while nothing else does."""

    async def run() -> None:
        async with asyncio.timeout(1e5), serving(config) as served:
            await test(served)

    waiting.run(run())
