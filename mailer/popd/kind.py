"""The kind pop3: doors where users fetch their mail. Nobody logs in without TLS, but at a loopback address without TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.pop3.states import PopSettings
from mailer.serving.certificates import bindings_of
from mailer.serving.kinds import DoorLimits

from .session import PURPOSE, PopPlace, PopSession, PopTimes

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.events import Event
    from mailer.net.peer import Peer
    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream
    from mailer.serving.boxes import BoxUse
    from mailer.serving.common import Common
    from mailer.serving.login import LoginDesk


class PopDoorKind:
    """Doors of the kind pop3. `desk` lets users in, `open_box` opens the mailbox of an address, `tell` hears of troubles.

    The desk, its users and its limits belong to who gives them, and are begun and ended there.
    """

    name = PURPOSE
    what = "users who fetch mail by POP3"
    refusal = b"-ERR [SYS/TEMP] too many connections, come back later\r\n"

    def __init__(
        self,
        config: Config,
        desk: LoginDesk,
        open_box: Callable[[str], BoxUse],
        tell: Callable[[Event], None],
        times: PopTimes | None = None,
    ) -> None:
        self._config = config
        self._desk = desk
        self._times = times
        self._place = PopPlace(desk, open_box, tell, times or _times(config))
        self._bindings: Mapping[str, bytes] = {}

    async def start(self) -> None:
        """See which certificates are shown."""
        self.take(self._config)

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        self._config = config
        self._place.times = self._times or _times(config)
        self._bindings = bindings_of(config, self.name)

    async def stop(self) -> None:
        """Nothing is left of sessions that are over."""

    def limits(self, config: Config) -> DoorLimits:
        """What networks and neighbourhoods may have, and all together."""
        return DoorLimits.of_users(config)

    def settings(self, section: Listen) -> PopSettings:
        """What a session meets at the door of this `section`."""
        config = self._config
        return PopSettings(
            config.hostname,
            implementation="mailer",
            starttls=section.tls == "starttls",
            mechanisms=config.accounts.offered,
            known=self._desk.known(self._bindings.get(section.certificate_file, b""), PURPOSE),
            clear=section.tls == "none",
        )

    async def serve(
        self,
        stream: Stream,
        peer: Peer,
        section: Listen,
        place: str,  # noqa: ARG002 - of the interface
        loop: AcceptLoop,
        context: ssl.SSLContext | None,
        common: Common,
    ) -> None:
        """See `mailer.serving.kinds.DoorKind`."""
        await PopSession(stream, peer, self.settings(section), self._place, loop, context, common).run()


def _times(config: Config) -> PopTimes:
    return PopTimes(login=config.access.login_timeout)
