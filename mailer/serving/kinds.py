"""A kind of doors: what is spoken at all of them, and what of it is taken. `component` opens them; the rooms above have the kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import ssl

    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.config.sections.receiving import Receiving
    from mailer.net.peer import Peer
    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream

    from .common import Common


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

    @classmethod
    def of_users(cls, config: Config) -> DoorLimits:
        """What [access] says for doors where users log in: they count for their network until they have (`AcceptLoop.vouch`)."""
        return cls.of(config.receiving)._replace(most=config.access.max_connections)


class DoorKind(Protocol):
    """What is served at all doors of one kind, which `name` is in the configuration; `what` that is, in words: ``reports``, ``mail``.

    A caller for whom there is no place hears `refusal`, a line of what is spoken there.
    """

    name: str
    what: str
    refusal: bytes

    async def start(self) -> None:
        """Begin, before the first door opens. Raises `Problem`."""

    def take(self, config: Config) -> None:
        """Go by another configuration, which cannot fail."""

    async def stop(self) -> None:
        """End, when the last session is over."""

    def limits(self, config: Config) -> DoorLimits:
        """How many sessions there may be."""

    async def serve(
        self,
        stream: Stream,
        peer: Peer,
        section: Listen,
        place: str,
        loop: AcceptLoop,
        context: ssl.SSLContext | None,
        common: Common,
    ) -> None:
        """A whole session with `peer`, who has called the door of `section` that the configuration calls `place`.

        `context` is what TLS is made with where the client asks for it. Raises `OSError` where the client leaves, and `CancelledError`
        behind a last word.
        """
