"""The doors of the kind reports as a part of the daemon: opened at the start, changed with the configuration, closed at the end.

A door that cannot be opened is an alarm, and is tried again; mail goes out meanwhile. When the configuration is read again, doors that
stand where they stood stay open, with the certificate that is in the file now; who is being served is served on.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io.component import Component
from mailer.net.server import AcceptLoop, streams, tcp_sockets, unix_socket
from mailer.net.tls import serving
from mailer.reports.api import MAX_REPORT
from mailer.smtp.server import ServerSettings

from .reports import MAX_RECIPIENTS, ReportCounter, ReportPolicy
from .session import Common, converse

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    from mailer.config import Config
    from mailer.config.sections.doors import DoorPlace, Listen
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.net.server import OnSocket, OnStream, Peer
    from mailer.net.stream import Stream
    from mailer.reports.api import Reports

MOST = 200  # sessions at a time
EACH = 20  # of one peer
SECONDS = 3600.0  # of one session
AGAIN = 30.0  # seconds until a door that did not open is tried again

_REFUSAL = b"421 4.3.2 too many connections, come back later\r\n"


class _Door:
    """A place that is listened at, and what is spoken there."""

    def __init__(self, section: Listen, context: ssl.SSLContext | None, sockets: list[socket.socket]) -> None:
        self.section = section
        self.context = context
        self.sockets = sockets


class ReportDoors(Component):
    """The doors of `config`, where reports are taken into `reports`; `arrived` is called when there are new ones."""

    def __init__(
        self, config: Config, reports: Reports, tell: Callable[[Event], None], clock: Clock, chores: Chores, arrived: Callable[[], object]
    ) -> None:
        self._config = config
        self._tell = tell
        self._clock = clock
        self._chores = chores
        self._doors: dict[DoorPlace, _Door] = {}
        self._accepting: AcceptLoop | None = None
        self._common = Common()
        self._turn = asyncio.Lock()  # a reload and a chore do not open one door together
        self._counter = ReportCounter(reports, config.bounce.address, clock.now, monotonic, self._disk, arrived)

    async def start(self) -> None:
        """Open them. Raises `Problem` for a certificate that cannot be used."""
        self._contexts = _contexts(self._config)
        self._chores.every(AGAIN, self._open)
        await self._open()

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Open what is new and close what is asked for no more. Raises `Problem` for a certificate that cannot be used."""
        contexts = _contexts(config)
        yield
        self._config, self._contexts = config, contexts
        self._counter.address = config.bounce.address
        self._close_others()
        self._opening = asyncio.ensure_future(self._open())

    async def stop(self, grace: float) -> None:
        """Close them; a message that is under way has `grace` seconds."""
        if self._accepting is not None:
            await self._accepting.close(grace)
        for place in self._doors:
            if place.path:
                _unlink(place.path)
        self._doors.clear()

    def _close_others(self) -> None:
        wanted = {place: section for section in self._config.report_doors for place in section.address}
        for place, door in [*self._doors.items()]:
            section = wanted.get(place)
            if section is not None and (section.protocol, section.tls, section.mode) == _terms(door.section):
                door.section, door.context = section, self._contexts[place]
                continue
            assert self._accepting is not None
            self._accepting.leave(*door.sockets)
            del self._doors[place]
            if place.path:
                _unlink(place.path)
            self._mended(place, "it is asked for no more")

    async def _open(self) -> None:
        """Open what is not open yet."""
        async with self._turn:
            for section in self._config.report_doors:
                for place in section.address:
                    if place not in self._doors:
                        await self._open_one(section, place)

    async def _open_one(self, section: Listen, place: DoorPlace) -> None:
        """Open one, or tell why it cannot be."""
        try:
            sockets = await _sockets(place, int(section.mode, 8))
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            remedy = "who listens there shows: ss -ltnp; ports below 1024 need CAP_NET_BIND_SERVICE"
            self._tell(Alarm(self._clock.now(), "door", f"no reports can be taken at {place}: {why}", f"reports {place}", remedy))
            return
        if place not in self._contexts:  # it is asked for no more
            for each in sockets:
                each.close()
            return
        if self._accepting is None:
            self._accepting = AcceptLoop(_nobody, most=MOST, each=EACH, seconds=SECONDS, refusal=_REFUSAL, bug=self._bug)
        door = self._doors[place] = _Door(section, self._contexts[place], sockets)
        self._accepting.listen(*sockets, serve=self._served(place, door))
        self._mended(place, "it is open")

    def _served(self, place: DoorPlace, door: _Door) -> OnSocket:
        async def served(caller: socket.socket, peer: Peer) -> None:
            implicit = door.context if door.section.tls == "implicit" else None
            await streams(self._server(place, door), implicit, handshakes=self._common.handshakes)(caller, peer)

        return served

    def _server(self, place: DoorPlace, door: _Door) -> OnStream:
        async def serve(stream: Stream, peer: Peer) -> None:
            settings = ServerSettings(
                self._config.hostname,
                lmtp=door.section.protocol == "lmtp",
                max_size=MAX_REPORT,
                max_recipients=MAX_RECIPIENTS,
                starttls=door.section.tls == "starttls",
                verbatim=True,
            )
            assert self._accepting is not None
            policy = ReportPolicy(self._counter, f"listen {place}", peer, stream)
            await converse(stream, settings, policy, self._accepting, door.context, self._common, peer.share)

        return serve

    @property
    def ports(self) -> Mapping[str, int]:
        """The TCP port of each place that is open, by the place as the configuration has it: the system chooses where that says 0."""
        return {str(place): door.sockets[0].getsockname()[1] for place, door in self._doors.items() if not place.path}

    def _mended(self, place: DoorPlace, how: str) -> None:
        self._tell(Mended(self._clock.now(), "door", f"reports {place}", how))

    def _disk(self, error: OSError) -> None:
        text = f"reports cannot be kept: {error.filename or 'the spool'}: {error.strerror or error}"
        self._tell(Alarm(self._clock.now(), "spool", text))

    def _bug(self, error: Exception) -> None:
        self._tell(Alarm.of(self._clock.now(), error))


def _contexts(config: Config) -> dict[DoorPlace, ssl.SSLContext | None]:
    found: dict[DoorPlace, ssl.SSLContext | None] = {}
    for section in config.report_doors:
        context = None if section.tls == "none" else serving(section.certificate_file, section.key_file)
        found.update(dict.fromkeys(section.address, context))
    return found


def _terms(section: Listen) -> tuple[str, str, str]:
    return section.protocol, section.tls, section.mode


async def _sockets(place: DoorPlace, mode: int) -> list[socket.socket]:
    if place.path:
        return [unix_socket(os.path.dirname(place.path), os.path.basename(place.path), mode)]
    return await tcp_sockets(place.host, place.port)


async def _nobody(caller: socket.socket, _: Peer) -> None:
    caller.close()


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
