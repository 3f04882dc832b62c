"""The doors of a process, as a part of it: opened at the start, changed with the configuration, closed at the end.

What is spoken at a door, and who serves there, says its kind (`kinds`): reports, mx, submission, lmtp, imap or pop3. All doors of one
kind have one accept loop, so that those who crowd one kind leave room at the others. A socket that the service manager has opened is taken
over. A door that cannot be opened is an alarm, and is tried again; mail goes out meanwhile. When the configuration is read again, doors
that stand where they stood stay open, with the certificate that is in the file now; who is being served is served on.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io import descriptors
from mailer.io.component import Component
from mailer.limits.callers import Callers
from mailer.net.activation import opened_for
from mailer.net.listening import tcp_sockets, unix_socket
from mailer.net.server import AcceptLoop, streams
from mailer.net.tls import serving

from .common import Common
from .pace import Pace
from .room import MessageRoom

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mailer.config import Config
    from mailer.config.sections.doors import DoorPlace, Listen
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.net.peer import Peer
    from mailer.net.server import OnSocket
    from mailer.net.stream import Stream

    from .kinds import DoorKind, DoorLimits

BRISK = 60.0  # seconds for a command while most places are taken
AGAIN = 30.0  # seconds until a door that did not open is tried again


def _pace(config: Config) -> Pace:
    limits = config.receiving
    return Pace(limits.idle_timeout, min(BRISK, limits.idle_timeout), limits.message_timeout, limits.session_timeout)


class _Door:
    """A place that is listened at, and what is spoken there; `shared` says whether others may have it, None that it was given to us."""

    def __init__(self, section: Listen, context: ssl.SSLContext | None, sockets: list[socket.socket], shared: bool | None) -> None:
        self.shared = shared
        self.section = section
        self.context = context
        self.sockets = sockets


class ServedDoors(Component):
    """The doors of `config`, as far as they are of `kinds`, by the `pace` that it has.

    Where places are `shared`, other processes may have them as well, and each caller comes to one.
    """

    def __init__(
        self,
        config: Config,
        kinds: Sequence[DoorKind],
        tell: Callable[[Event], None],
        clock: Clock,
        chores: Chores,
        *,
        pace: Callable[[Config], Pace] = _pace,
        shared: Callable[[Config], bool] = lambda _: False,
    ) -> None:
        self._config = config
        self._pace = pace
        self._shared = shared
        self._kinds = {kind.name: kind for kind in kinds}
        self._tell = tell
        self._clock = clock
        self._chores = chores
        self._doors: dict[DoorPlace, _Door] = {}
        self._accepting: dict[str, AcceptLoop] = {}
        self._callers: dict[str, Callers] = {}
        self._common = Common(MessageRoom(config.receiving.max_memory), pace=pace(config))
        self._given: dict[DoorPlace, socket.socket] = {}  # sockets that the service manager has opened
        self._turn = asyncio.Lock()  # a reload and a chore do not open one door together

    @staticmethod
    def check(config: Config, kinds: Collection[str]) -> None:
        """Raises `Problem` for a certificate of the doors of these kinds that cannot be used."""
        _contexts(config, kinds)

    async def start(self) -> None:
        """Open them. Raises `Problem` for a certificate that cannot be used, and what a kind cannot begin without."""
        self._contexts = _contexts(self._config, self._kinds)
        self._given = opened_for(self._wanted)
        for kind in self._kinds.values():
            await kind.start()
        self._chores.every(AGAIN, self._open)
        await self._open()

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Open what is new and close what is asked for no more. Raises `Problem` for a certificate that cannot be used."""
        contexts = _contexts(config, self._kinds)
        yield
        self._config, self._contexts = config, contexts
        for kind in self._kinds.values():
            kind.take(config)
        self._common.pace, self._common.room.octets = self._pace(config), config.receiving.max_memory
        for name, accepting in self._accepting.items():
            limits = self._limits_of(self._kinds[name])
            accepting.most, accepting.each, accepting.seconds = limits.most, limits.each, limits.seconds
            if limits.callers is not None:
                self._callers[name].change(*limits.callers)
        self._close_others()
        self._opening = asyncio.ensure_future(self._open())

    async def stop(self, grace: float) -> None:
        """Close them; a message that is under way has `grace` seconds."""
        await asyncio.gather(*(accepting.close(grace) for accepting in self._accepting.values()))
        for place in self._doors:
            if place.path:
                _unlink(place.path)
        self._doors.clear()
        for kind in self._kinds.values():
            await kind.stop()

    def sessions(self) -> dict[str, int]:
        """How many clients there are now, by the kind of the door."""
        return {name: self._accepting[name].occupied if name in self._accepting else 0 for name in self._kinds}

    @property
    def _wanted(self) -> dict[DoorPlace, Listen]:
        return {place: section for section in _sections(self._config, self._kinds) for place in section.address}

    def _close_others(self) -> None:
        wanted, shared = self._wanted, self._shared(self._config)
        for place, door in [*self._doors.items()]:
            section = wanted.get(place)
            if section is not None and _terms(section) == _terms(door.section) and door.shared in (None, shared):
                door.section, door.context = section, self._contexts[place]
                continue
            self._accepting[door.section.kind].leave(*door.sockets)
            del self._doors[place]
            if place.path:
                _unlink(place.path)
            self._mended(door.section, place, "it is asked for no more")

    async def _open(self) -> None:
        """Open what is not open yet."""
        async with self._turn:
            for place, section in self._wanted.items():
                if place not in self._doors:
                    await self._open_one(section, place)

    async def _open_one(self, section: Listen, place: DoorPlace) -> None:
        """Open one, or tell why it cannot be."""
        kind = self._kinds[section.kind]
        try:
            inherited = self._given.pop(place, None)
            shared = self._shared(self._config)
            sockets = [inherited] if inherited else await _sockets(place, int(section.mode, 8), shared=shared)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            remedy = "who listens there shows: ss -ltnp; ports below 1024 need CAP_NET_BIND_SERVICE"
            text = f"no {kind.what} can be taken at {place}: {why}"
            self._tell(Alarm(self._clock.now(), "door", text, f"{section.kind} {place}", remedy))
            return
        if place not in self._contexts:  # it is asked for no more
            for each in sockets:
                each.close()
            return
        door = self._doors[place] = _Door(section, self._contexts[place], sockets, None if inherited else shared)
        self._loop_of(kind).listen(
            *sockets,
            serve=self._served(kind, place, door),
            proxies=lambda peer: bool(door.section.proxies) and _is_proxy(door.section, peer),
        )
        self._mended(section, place, "it is open")

    def _loop_of(self, kind: DoorKind) -> AcceptLoop:
        if kind.name not in self._accepting:
            most, each, seconds, limits = self._limits_of(kind)
            callers = None if limits is None else self._callers.setdefault(kind.name, Callers(*limits))
            self._accepting[kind.name] = AcceptLoop(
                _nobody, most=most, each=each, seconds=seconds, callers=callers, refusal=kind.refusal, bug=self._bug
            )
        return self._accepting[kind.name]

    def _limits_of(self, kind: DoorKind) -> DoorLimits:
        """What sessions of a kind may have, and no more than there are descriptors for; told where the configuration says more."""
        limits, most = kind.limits(self._config), descriptors.limit()
        places = descriptors.callers(len({section.kind for section in self._wanted.values()}), limits.most, most)
        if places < limits.most:
            text = (
                f"{most} open files are allowed (LimitNOFILE, ulimit -n), which is enough for {places} callers at doors of kind {kind.name}"
            )
            self._tell(Alarm(self._clock.now(), "descriptors", f"{text}, not for {limits.most}", f"door {kind.name}"))
        return limits._replace(most=places)

    def _served(self, kind: DoorKind, place: DoorPlace, door: _Door) -> OnSocket:
        """What serves at a door: made once, since thousands of connections may stand there."""
        where = str(place)

        async def serve(stream: Stream, peer: Peer) -> None:
            await kind.serve(stream, peer, door.section, where, self._accepting[kind.name], door.context, self._common)

        return streams(serve, lambda: door.context if door.section.tls == "implicit" else None, handshakes=self._common.handshakes)

    @property
    def ports(self) -> Mapping[str, int]:
        """The TCP port of each place that is open, by the place as the configuration has it: the system chooses where that says 0."""
        return {str(place): door.sockets[0].getsockname()[1] for place, door in self._doors.items() if not place.path}

    def _mended(self, section: Listen, place: DoorPlace, how: str) -> None:
        self._tell(Mended(self._clock.now(), "door", f"{section.kind} {place}", how))

    def _bug(self, error: Exception) -> None:
        self._tell(Alarm.of(self._clock.now(), error))


def _sections(config: Config, kinds: Collection[str]) -> Sequence[Listen]:
    return [section for section in config.listens if section.kind in kinds]


def _contexts(config: Config, kinds: Collection[str]) -> dict[DoorPlace, ssl.SSLContext | None]:
    found: dict[DoorPlace, ssl.SSLContext | None] = {}
    for section in _sections(config, kinds):
        files = section.certificate_file, section.key_file
        context = None if section.tls == "none" else serving(*files, section.tls_minimum, tickets=section.tls_tickets)
        found.update(dict.fromkeys(section.address, context))
    return found


def _is_proxy(section: Listen, peer: Peer) -> bool:
    """Whether a caller is one whose word is taken about who calls."""
    address = ip_address(peer.host) if peer.host else None
    return any(network.has(getattr(address, "ipv4_mapped", None) or address) for network in section.proxies)


def _terms(section: Listen) -> tuple[str, str, str, str]:
    return section.kind, section.protocol, section.tls, section.mode


async def _sockets(place: DoorPlace, mode: int, *, shared: bool) -> list[socket.socket]:
    if place.path:
        return [unix_socket(os.path.dirname(place.path), os.path.basename(place.path), mode)]
    return await tcp_sockets(place.host, place.port, shared=shared)


async def _nobody(caller: socket.socket, _: Peer) -> None:
    caller.close()


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
