"""The doors: sockets, TLS, places for connections, and the end. It is the accept loop of the house, with uvicorn's protocol on it.

A door that is at the same place after a reload goes on with its socket, and shows its certificate as it is in the file then. Connections
that are open keep what they began with.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from email.utils import formatdate
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from uvicorn.config import Config as UvicornConfig
from uvicorn.server import ServerState

from mailer.mail.problem import Problem
from mailer.net import tls
from mailer.net.listening import tcp_sockets, unix_socket
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop

from .conversation import Conversation, WebLimits, WebTimeouts, answer
from .framing import FramingLimits, WebRefusal
from .room import largest_body

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp

    from mailer.config import Config
    from mailer.config.sections.doors import DoorPlace, Listen

FULL: Final = WebRefusal(503, "too_many_connections", "there are too many connections, of this client or in all; come again")
SHUTDOWN: Final = 2.0  # seconds for a client to say goodbye in TLS


class _OpenDoor:
    """One place where clients come in: its part of the configuration, and the certificate that is shown."""

    def __init__(self, section: Listen, context: ssl.SSLContext | None, *, inherited: bool) -> None:
        self.section = section
        self.context = context
        self.inherited = inherited

    def many(self, peer: Peer) -> bool:
        """Whether the caller is a proxy."""
        address = None if peer.uid >= 0 else ip_address(peer.host.partition("%")[0])
        return any(network.has(getattr(address, "ipv4_mapped", None) or address) for network in self.section.proxies)


class WebServer:
    """Serves `app` at the doors of the kind web. `refused` hears of requests that did not get that far: (address, refusal).

    It is made in the event loop that it belongs to.
    """

    def __init__(
        self, app: ASGIApp, config: Config, refused: Callable[[str, WebRefusal], object], bug: Callable[[Exception], object]
    ) -> None:
        self._refused = refused
        self._state = ServerState()
        for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # what it has to say is said by us
            logger = logging.getLogger(name)
            logger.handlers = [logging.NullHandler()]
            logger.propagate = False
        self._uvicorn = UvicornConfig(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False, http="h11", proxy_headers=False
        )
        self._uvicorn.load()
        self._accepting = AcceptLoop(self._lost, refusal=_refusal(FULL), bug=bug)
        self._doors: dict[DoorPlace, tuple[_OpenDoor, list[socket.socket]]] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self.change(config)

    # -- the configuration

    def change(self, config: Config) -> None:
        """Go by other limits, for connections that come from now on."""
        api = config.api
        self.limits = WebLimits(
            FramingLimits(body=largest_body(config)),
            WebTimeouts(api.header_timeout, api.body_timeout, api.idle_timeout, api.header_timeout),
        )
        self._accepting.most = api.max_connections
        self._accepting.each = max(1, api.max_connections // 4)

    async def listen(self, config: Config, given: Mapping[DoorPlace, socket.socket]) -> Callable[[], None]:
        """Make ready to listen where `config` says, and nowhere else; sockets that are there already are `given`.

        What is returned takes over; what was made is closed again where that is not called. Raises `Problem` (unavailable, bad-config).
        """
        wanted = {place: section for section in config.web_doors for place in section.address}
        contexts = {id(section): server_context(section) for section in config.web_doors}
        made: dict[DoorPlace, list[socket.socket]] = {}
        try:
            for place, section in wanted.items():
                if place not in self._doors:
                    made[place] = [given[place]] if place in given else await _sockets(place, section)
        except BaseException:
            for sockets in made.values():
                for each in sockets:
                    each.close()
            raise

        def take_over() -> None:
            for place in [place for place in self._doors if place not in wanted]:
                self._accepting.leave(*self._doors.pop(place)[1])
            for place, section in wanted.items():
                if place in self._doors:
                    door = self._doors[place][0]
                    door.section, door.context = section, contexts[id(section)]
                else:
                    door = _OpenDoor(section, contexts[id(section)], inherited=place in given)
                    self._doors[place] = door, made[place]
                    self._accepting.listen(*made[place], serve=self._server_of(door), many=door.many)
            self.change(config)
            self._tick()

        return take_over

    @property
    def places(self) -> list[tuple[str, bool]]:
        """Where it listens, as clients have to call it: an address with its port, or a path; and whether TLS is spoken there."""
        return [(_shown(each, place), door.context is not None) for place, (door, sockets) in self._doors.items() for each in sockets]

    # -- connections

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._state.connections)

    def _server_of(self, door: _OpenDoor) -> Callable[[socket.socket, Peer], Any]:
        async def serve(caller: socket.socket, peer: Peer) -> None:
            made = Conversation(self._uvicorn, self._state, self.limits, self._told)
            made.app_state.update(conversation=made, proxies=door.section.proxies)
            made.caller = peer.share
            tls: dict[str, Any] = {}
            if door.context is not None:
                tls = {"ssl": door.context, "ssl_handshake_timeout": self.limits.timeouts.handshake, "ssl_shutdown_timeout": SHUTDOWN}
            await asyncio.get_running_loop().connect_accepted_socket(lambda: made, caller, **tls)
            if self._accepting.stopping:
                made.shutdown()
            try:
                await asyncio.shield(made.gone)
            finally:
                made.abort()

        return serve

    async def _lost(self, caller: socket.socket, _peer: Peer) -> None:
        """Each door has a server of its own."""
        caller.close()

    def _told(self, conversation: Conversation, refusal: WebRefusal) -> None:
        self._refused(conversation.caller, refusal)

    def _tick(self) -> None:
        """The Date field of answers (RFC 9110 §6.6.1) is made once a second."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode("ascii"))]
        self._ticking = asyncio.get_running_loop().call_later(1.0, self._tick)

    async def close(self, grace: float) -> int:
        """Stop listening, let requests have their answers within `grace` seconds, and end; returns how many were cut off."""
        for place, (door, _) in self._doors.items():
            if place.path and not door.inherited:
                _unlink(place.path)
        self._doors.clear()
        for each in [*self._state.connections]:
            each.shutdown()
        left = await self._accepting.close(grace)
        tasks = {*self._state.tasks}  # those of clients that left, and those that were cut off
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=SHUTDOWN)
        if self._ticking is not None:
            self._ticking.cancel()
        return left


def server_context(section: Listen) -> ssl.SSLContext | None:
    """What shows the certificate of `section`, as it is in the file now; None without TLS. Raises `Problem` (bad-config)."""
    if section.tls == "none":
        return None
    made = tls.serving(section.certificate_file, section.key_file)
    made.set_alpn_protocols(["http/1.1"])
    return made


async def _sockets(place: DoorPlace, section: Listen) -> list[socket.socket]:
    try:
        if place.path:
            directory, _, name = place.path.rpartition("/")
            return [unix_socket(directory or "/", name, int(section.mode, 8))]
        return await tcp_sockets(place.host, place.port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Problem(f"cannot listen at {place}: {reason}; choose another place with listen.address", "unavailable") from None


def _shown(each: socket.socket, place: DoorPlace) -> str:
    if place.path:
        return place.path
    host, port = each.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _refusal(refusal: WebRefusal) -> bytes:
    """What a caller hears for whom there is no place; over TLS it is only the end."""
    return answer(refusal)
