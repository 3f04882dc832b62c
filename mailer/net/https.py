"""The client of HTTPS: one request to a host whose address was looked up, screened, and is the very one that is called.

Used for what others may name: the endpoints of webhooks, the web server with a domain's policy of MTA-STS. What RFC 9112 says of the
octets is h11's to know; what is here is what a stranger's host must not be able to do:

- *lead us elsewhere.* The name is looked up at each call, addresses that nobody outside can reach are left out, and what is left is dialled
  as it is: no second look-up can give another answer (DNS rebinding). An idle connection is used again only if its address is still among
  them. TLS wants a certificate for the name (RFC 9110 §4.3.4). A redirect is an answer like others; nobody follows it.
- *keep us.* One deadline holds over look-up, connection, handshake and answer; an octet a second does not move it.
- *fill our memory.* Of a header `HEAD` octets are read, of the body as many as the caller wants, and no compression is asked for.

What this does not cover: HTTP/2, proxies, and cookies.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, NamedTuple

import h11

from mailer.io.machine import listed
from mailer.mail.ip_filter import allowed

from . import tls
from .dns import DnsTrouble, NotFound
from .os_error import reason_of
from .stream import Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Literal

    from mailer.mail.web_url import WebUrl
    from mailer.tlspolicy import Requirement

    Headers = Sequence[tuple[str, str]]
    Trouble = Literal["refused", "dns", "connect", "tls", "timeout", "broken"]

HEAD = 16384  # octets of an answer's header
INTERIM = 10  # answers of 1xx that may come before the real one, RFC 9110 §15.2
IDLE = 20.0  # seconds that a connection is kept for the next request
KEPT = 16  # connections that are kept for one host
MOST_ADDRESSES = 4  # of a host, that are called before it counts as dead
LOOPBACK = ("127.0.0.1", "::1")


class HttpsTrouble(Exception):
    """No answer came. `kind`: refused (it may not be called), dns, connect, tls, timeout, or broken (what came is no whole HTTP)."""

    def __init__(self, kind: Trouble, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class HttpsAnswer(NamedTuple):
    """An answer: its `status`, and what the host calls that; the first octets of its `body`, `cut` where there were more; who gave it."""

    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    cut: bool
    address: str

    def header(self, name: str) -> str:
        """The value of the first field of that name, which is in small letters; empty if there is none."""
        return next((value for key, value in self.headers if key == name), "")


class _Closed(Exception):
    """The host has closed a connection that was kept, as it may at any time (RFC 9112 §9.5), and nothing of an answer had come."""


class _Line:
    """One connection: the stream, its state of HTTP, the IP address where it leads, and since when it is idle, if it was `kept`."""

    __slots__ = ("address", "http", "kept", "since", "stream")

    def __init__(self, stream: Stream, address: str) -> None:
        self.stream = stream
        self.address = address
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)
        self.kept = False
        self.since = 0.0

    @property
    def reusable(self) -> bool:
        """Whether the answer was whole, and the connection stands for another."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE and self.stream.quiet

    async def exchange(self, request: h11.Request, body: bytes, most: int) -> HttpsAnswer:
        """One request and its answer. Raises `HttpsTrouble` and `_Closed`; then, and where nobody waits any more, the line is cut."""
        heard = False
        try:
            self._say(request, body)
            await self.stream.drain()
            response, interim = await self._event(), 0
            while isinstance(response, h11.InformationalResponse) and interim < INTERIM:
                response, interim = await self._event(), interim + 1
            heard = True
            if not isinstance(response, h11.Response):
                raise HttpsTrouble("broken", f"{self.address} begins an answer again and again")
            found, cut = await self._body(most)
        except (h11.RemoteProtocolError, ConnectionError, OSError) as error:
            self.stream.abort()
            if self.kept and not heard and isinstance(error, ConnectionError) and not self.http.trailing_data[0]:
                raise _Closed from None
            said = "no HTTP" if isinstance(error, h11.RemoteProtocolError) else f"no whole answer ({tls.reason(error)})"
            raise HttpsTrouble("broken", f"{self.address} sent {said}") from None
        except BaseException:
            self.stream.abort()
            raise
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in response.headers]
        return HttpsAnswer(response.status_code, response.reason.decode("latin-1")[:60], headers, found, cut, self.address)

    def _say(self, request: h11.Request, body: bytes) -> None:
        """All of it in one piece: a host that reads the header only has lost nothing."""
        data = self.http.send(request) or b""
        if body:
            data += self.http.send(h11.Data(data=body)) or b""
        self.stream.write(data + (self.http.send(h11.EndOfMessage()) or b""))

    async def _event(self) -> h11.Event | type[h11.PAUSED | h11.NEED_DATA]:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            try:
                data = await self.stream.read()
            except ConnectionResetError:
                if self.http.their_state is not h11.SEND_BODY:
                    raise
                data = b""  # the end of a body that has no length, RFC 9112 §6.3; h11 knows whether it may be one
            self.http.receive_data(data)
        return event

    async def _body(self, most: int) -> tuple[bytes, bool]:
        """Up to `most` octets of the body, and whether there are more, which are not read."""
        found = b""
        while isinstance(event := await self._event(), h11.Data):
            found += event.data
            if len(found) > most:
                return found[:most], True
        return found, False


class HttpsClient:
    """Calls hosts whose addresses `look_up` tells, as `Resolver.addresses` does, with TLS as `requirement` wants it.

    `screen` says which addresses may be called in the name of a stranger.
    """

    def __init__(
        self, look_up: Callable[[str], Awaitable[Sequence[str]]], requirement: Requirement, screen: Callable[[str], bool] = allowed
    ) -> None:
        self._look_up = look_up
        self._requirement = requirement
        self._screen = screen
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str, int], list[_Line]] = {}

    async def ask(
        self, method: str, url: WebUrl, headers: Headers = (), body: bytes = b"", *, seconds: float, most: int, private: bool = False
    ) -> HttpsAnswer:
        """The answer to one request, all of it within so many `seconds`; of its body up to `most` octets.

        `private`: the operator has said that the host may be one of his own, on any address and port, and without TLS. A request may be
        made twice, where a connection that was kept is closed before anything of an answer has come. Raises `HttpsTrouble`.
        """
        request = _request(method, url, headers, body)
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._addresses(url, private=private)
                while line := self._kept(url, addresses):
                    try:
                        return self._keep(url, line, await self._exchanged(line, request, body, most, seconds))
                    except _Closed:
                        continue
                line = await self._call(url, addresses, seconds)
                return self._keep(url, line, await self._exchanged(line, request, body, most, seconds))
        except TimeoutError:
            raise HttpsTrouble("timeout", f"no whole answer within {seconds:.3g} s") from None

    @staticmethod
    async def _exchanged(line: _Line, request: h11.Request, body: bytes, most: int, seconds: float) -> HttpsAnswer:
        line.stream.allow(seconds)
        return await line.exchange(request, body, most)

    async def close(self) -> None:
        """Let go of the connections that are kept."""
        lines = [line for idle in self._idle.values() for line in idle]
        self._idle.clear()
        for line in lines:
            line.stream.abort()

    # Where to

    async def _addresses(self, url: WebUrl, *, private: bool) -> Sequence[str]:
        """The addresses that may be called. Raises `HttpsTrouble`."""
        if private:
            return await self._own(url)
        if trouble := url.trouble():
            raise HttpsTrouble("refused", f"{url.shown} is not called: {trouble}")
        found = [url.host] if url.literal else await self._looked_up(url.host)
        good = [address for address in found if self._screen(address)]
        if not good:
            raise HttpsTrouble("refused", f"{url.host} is at {', '.join(found[:3])}, which nobody outside can reach")
        return good[:MOST_ADDRESSES]

    async def _own(self, url: WebUrl) -> Sequence[str]:
        """The same for a host of the operator's, which may stand in hosts(5)."""
        if url.literal:
            return [url.host]
        if url.host == "localhost" or url.host.endswith(".localhost"):  # RFC 6761 §6.3
            return LOOPBACK
        return (listed(url.host) or await self._looked_up(url.host))[:MOST_ADDRESSES]

    async def _looked_up(self, host: str) -> Sequence[str]:
        try:
            return await self._look_up(host)
        except NotFound:
            raise HttpsTrouble("dns", f"{host} has no address") from None
        except DnsTrouble as trouble:
            raise HttpsTrouble("dns", str(trouble)) from None

    # Connections

    async def _call(self, url: WebUrl, addresses: Sequence[str], seconds: float) -> _Line:
        """A new connection to the first of `addresses` that has one. Raises `HttpsTrouble`, and `TimeoutError` where the time is up."""
        share = seconds / len(addresses)  # a dead one leaves time for the next
        for address in addresses[:-1]:
            try:
                return await self._connected(url, address, share)
            except HttpsTrouble:
                continue
        return await self._connected(url, addresses[-1], share)

    async def _connected(self, url: WebUrl, address: str, seconds: float) -> _Line:
        try:
            stream = await Stream.connect(address, url.port, seconds=seconds)
        except TimeoutError:
            raise HttpsTrouble("connect", f"{address} does not answer at port {url.port}") from None
        except OSError as error:
            raise HttpsTrouble("connect", f"{address} cannot be reached at port {url.port}: {reason_of(error)}") from None
        if url.tls:
            try:
                await stream.start_tls(await self._trust(), url.host.partition("%")[0], seconds)
            except OSError as error:
                raise HttpsTrouble("tls", f"{address}: {tls.reason(error)}") from None
            except BaseException:
                stream.abort()
                raise
        return _Line(stream, address)

    async def _trust(self) -> ssl.SSLContext:
        """The context; the authorities are read in a thread, for they are many."""
        if self._context is None:
            try:
                self._context = await asyncio.to_thread(tls.context, self._requirement)
            except OSError as error:
                raise HttpsTrouble("tls", str(error)) from None
        return self._context

    def _kept(self, url: WebUrl, addresses: Sequence[str]) -> _Line | None:
        """A connection that is idle, at one of `addresses`; what is idle elsewhere, or was for too long, is let go."""
        idle, now = self._idle.get(_key(url), []), asyncio.get_running_loop().time()
        while idle:
            line = idle.pop()
            if line.stream.quiet and line.address in addresses and now - line.since < IDLE:
                return line
            line.stream.abort()
        return None

    def _keep(self, url: WebUrl, line: _Line, answer: HttpsAnswer) -> HttpsAnswer:
        """The `answer`; its connection is kept, if it stands."""
        idle = self._idle.setdefault(_key(url), [])
        if line.reusable and len(idle) < KEPT:
            if not line.kept:  # to copy a session costs as much as a request
                tls.remember(line.stream.tls)
            line.http.start_next_cycle()
            line.kept = True
            line.since = asyncio.get_running_loop().time()
            idle.append(line)
        else:
            line.stream.abort()
        return answer


def _key(url: WebUrl) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port


def _request(method: str, url: WebUrl, headers: Headers, body: bytes) -> h11.Request:
    fields = [("Host", url.authority), ("User-Agent", "mailer"), ("Accept-Encoding", "identity"), *headers]
    if body or method == "POST":
        fields.append(("Content-Length", str(len(body))))
    return h11.Request(method=method, target=url.path, headers=fields)
