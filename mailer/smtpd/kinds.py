"""What all kinds of doors have in common at which SMTP or LMTP is spoken: settings and a policy make a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .session import converse

if TYPE_CHECKING:
    import ssl

    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.net.peer import Peer
    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream
    from mailer.serving.common import Common
    from mailer.smtp.server import ServerSettings

    from .session import SessionPolicy


class SmtpDoorKind:
    """A kind of doors at which SMTP or LMTP is spoken: a `DoorKind` has a name, and says what its sessions go by."""

    refusal = b"421 4.3.2 too many connections, come back later\r\n"

    @property
    def config(self) -> Config:
        """The configuration that is in force."""
        raise NotImplementedError

    def settings(self, config: Config, section: Listen) -> ServerSettings:
        """What kind of server its sessions meet, by this `section`."""
        raise NotImplementedError

    def policy(self, section: Listen, place: str, peer: Peer, stream: Stream) -> SessionPolicy:
        """What answers the questions of one session, at the door that `place` names in the configuration."""
        raise NotImplementedError

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
        """See `mailer.serving.kinds.DoorKind`."""
        policy = self.policy(section, place, peer, stream)
        await converse(stream, self.settings(self.config, section), policy, loop, context, common, peer.share)
