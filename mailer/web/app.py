"""The application: what stands around each request; the way to its endpoint is `routes`.

Around each request: whose name was called (Host), no body that is packed (Content-Encoding), a line in the log, a figure, and an answer
whatever happens. An exception that nobody expected is a 500 with a number, which the log has beside what was wrong. Nothing here lets the
page of another origin read an answer: there is no CORS field, ever.
"""

from __future__ import annotations

import ipaddress
import secrets
import time
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from . import finding
from .answer import error
from .asked import WebRequest
from .desk import TooBusy
from .page import FrontPage
from .room import BODIES, SMALL, BodyRoom, largest_body
from .routes import Routes
from .table import TABLE
from .unsubscribe import UnsubscribePage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mailer.config.sections.doors import ProxyNetwork

    from .desk import Desk
    from .endpoint import WebEndpoint

HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""What every answer has that does not say it otherwise."""

FORWARDED: Final = 20  # addresses of one X-Forwarded-For that are looked at


def application(desk: Desk, told: Callable[[WebRequest], object], table: Iterable[WebEndpoint] = TABLE) -> Around:
    """The application (ASGI) over `desk`; `told` hears of each request when it has been answered."""
    table = tuple(table)
    front = FrontPage()
    endpoints = (*table, *front.endpoints, *UnsubscribePage(front.pages).endpoints, *finding.ENDPOINTS)
    return Around(Routes(desk, endpoints, table), desk, told)


class Around:
    """What stands around every request."""

    def __init__(self, app: ASGIApp, desk: Desk, told: Callable[[WebRequest], object]) -> None:
        self.app = app
        self.desk = desk
        self.told = told
        self.room = BodyRoom(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, whatever happens."""
        if scope["type"] != "http":
            return
        began = time.monotonic()
        state = scope.setdefault("state", {})
        fields: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        client = client_of(scope, state.get("proxies", ()))
        asked = state["asked"] = WebRequest(_written(client) if client else "unix", scope["method"], scope["path"])
        state["client"] = client

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                asked.status = message["status"]
                message = {**message, "headers": _completed(message["headers"], state)}
            await send(message)

        refusal = self._refusal(fields, scope)
        try:
            if refusal is not None:
                await refusal(scope, receive, sent)
            elif (octets := self._octets(fields)) <= SMALL:  # which need no room
                await self.app(scope, receive, sent)
            else:
                async with AsyncExitStack() as held:
                    await self.app(scope, self._received(octets, receive, held, asked), sent)
        except Exception as bug:
            asked.bug = bug
            if not asked.ref:  # half an answer: that it is none is said by the end of the connection
                asked.ref = secrets.token_hex(4)
                raise
        finally:
            asked.seconds = time.monotonic() - began
            self.desk.requests.count(asked.endpoint, asked.status, asked.seconds)
            self.told(asked)

    def _octets(self, fields: dict[bytes, bytes]) -> int:
        """How large the body of a request with these fields may be."""
        if b"transfer-encoding" in fields:
            return largest_body(self.desk.config)
        return int(fields.get(b"content-length", b"0"))

    def _received(self, octets: int, receive: Receive, held: AsyncExitStack, asked: WebRequest) -> Receive:
        """As `receive`; who begins to read a body has the room for all of it first, until `held` ends.

        Raises `TooBusy`. The key of `asked` is known by then: who has none is refused before anything is read.
        """
        self.room.octets = BODIES * largest_body(self.desk.config)
        begun = False

        async def received() -> Message:
            nonlocal begun
            if not begun:
                begun = True
                try:
                    await held.enter_async_context(self.room.taking(octets, asked.key))
                except TimeoutError:
                    raise TooBusy from None
            return await receive()

        return received

    def _refusal(self, fields: dict[bytes, bytes], scope: Scope) -> Response | None:
        host = fields.get(b"host", b"").decode("latin-1")
        if not self.known(host, scope.get("server"), scope["path"]):
            message = "this server is not called so; its operator lists the names in api.hosts"
            return JSONResponse(error("misdirected", message), 421)
        if fields.get(b"content-encoding", b"identity").lower() not in (b"", b"identity"):
            return JSONResponse(error("unsupported_encoding", "a body is taken as it is, without Content-Encoding"), 415)
        return None

    def known(self, host: str, server: tuple[str, int | None] | None, path: str = "") -> bool:
        """Whether `host`, of the Host field, is a name of this machine: else a page elsewhere leads here (DNS rebinding). For what stands
        at `path` it may have more names."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if not name or name == "localhost" or name.endswith(".localhost"):
            return bool(name)
        config = self.desk.config
        if name in (config.api.hosts or (config.hostname.lower(),)) or name == urlsplit(config.submission.public_url).hostname:
            return True
        if finding.is_asked(config, name, path):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        called = ipaddress.ip_address(server[0].partition("%")[0]) if server and server[1] else None
        return address == called or (called is None and address.is_loopback)


def client_of(scope: Scope, proxies: Iterable[ProxyNetwork]) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of who asks: the caller, or behind a proxy of ours, the last one in X-Forwarded-For that is no proxy.

    None is a caller by a unix socket. What stands before that address in the field is the client's own word, and does not count.
    """
    client = scope.get("client")
    address = _address(client[0]) if client and client[0] else None
    if not any(network.has(address) for network in proxies):
        return address
    said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    for text in said.rsplit(",", FORWARDED)[:0:-1] if said.count(",") > FORWARDED else said.split(",")[::-1]:
        found = _address(text.strip())
        if found is None:
            return address
        address = found
        if not any(network.has(address) for network in proxies):
            return address
    return address


@lru_cache(1024)  # to read one costs as much as to route a request
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        made = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(made, "ipv4_mapped", None) or made


@lru_cache(1024)
def _written(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return str(address)


def _completed(headers: Iterable[tuple[bytes, bytes]], state: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The fields of an answer with those that every answer has."""
    there = {name.lower() for name, _ in headers}
    found = [*headers, *(field for field in HEADERS if field[0] not in there)]
    conversation = state.get("conversation")
    if conversation is not None and conversation.owing and b"connection" not in there:
        found.append((b"connection", b"close"))  # some of the request has not come: nobody waits for it now
    return found
