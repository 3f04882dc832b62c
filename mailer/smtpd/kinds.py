"""A kind of doors: what is spoken at all of them, and what of it is taken. `component` opens them; `reports` and `mx` are kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.config.sections.receiving import Receiving
    from mailer.net.peer import Peer
    from mailer.net.stream import Stream
    from mailer.smtp.server import ServerSettings

    from .session import SessionPolicy


class DoorLimits(NamedTuple):
    """How many sessions there may be at a time, and of one peer; and the seconds that one may last. Zero is no limit.

    `callers` are numbers for networks and neighbourhoods, as `mailer.limits.callers.Callers` takes them.
    """

    most: int
    each: int = 0
    seconds: float = 0.0
    callers: tuple[int, int, tuple[int, float], tuple[int, float]] | None = None

    @classmethod
    def of(cls, section: Receiving) -> DoorLimits:
        """What [receiving] says for doors that anybody may call."""
        each, wide = section.connections_per_network, section.connections_per_neighbourhood
        return cls(section.max_connections, callers=(each, wide, section.rate_per_network, section.rate_per_neighbourhood))


class DoorKind(Protocol):
    """What is taken at all doors of one kind, which `name` is in the configuration; `what` that is, in a word: ``reports``, ``mail``."""

    name: str
    what: str

    async def start(self) -> None:
        """Begin, before the first door opens. Raises `Problem`."""

    def take(self, config: Config) -> None:
        """Go by another configuration, which cannot fail."""

    async def stop(self) -> None:
        """End, when the last session is over."""

    def limits(self, config: Config) -> DoorLimits:
        """How many sessions there may be."""

    def settings(self, config: Config, section: Listen) -> ServerSettings:
        """What kind of server its sessions meet, by this `section`."""

    def policy(self, section: Listen, place: str, peer: Peer, stream: Stream) -> SessionPolicy:
        """What answers the questions of one session, at the door that `place` names in the configuration."""
