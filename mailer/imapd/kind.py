"""The kind imap: doors where users read and change their mailboxes. Nobody logs in without TLS, but at a loopback address without TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.imap.server import ImapSettings
from mailer.serving.certificates import bindings_of
from mailer.serving.kinds import DoorLimits

from .converse import converse
from .handlers import HANDLERS
from .login import PURPOSE
from .terms import ImapPace, ImapTerms

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.events import Event
    from mailer.net.peer import Peer
    from mailer.net.server import AcceptLoop
    from mailer.net.stream import Stream
    from mailer.serving.boxes import BoxUse, News
    from mailer.serving.common import Common
    from mailer.serving.login import LoginDesk


class ImapDoorKind:
    """Doors of the kind imap. `desk` lets users in, `hold` opens the mailbox of an address, `news` tells what happens in one, and `tell`
    hears of troubles; `now` is the time in seconds since the epoch.

    The desk, its users and its limits belong to who gives them, and are begun and ended there.
    """

    name = PURPOSE
    what = "users who read their mail by IMAP"
    refusal = b"* BYE [UNAVAILABLE] too many connections, come back later\r\n"

    def __init__(
        self,
        config: Config,
        desk: LoginDesk,
        hold: Callable[[str], BoxUse],
        news: News,
        tell: Callable[[Event], None],
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._terms = ImapTerms(desk, hold, news, tell, now)
        self._settings: dict[tuple[str, str], ImapSettings] = {}
        self._bindings: Mapping[str, bytes] = {}

    async def start(self) -> None:
        """See which certificates are shown."""
        self.take(self._config)

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        self._config = config
        self._settings.clear()
        self._terms.pace = ImapPace(login=config.access.login_timeout, idle=config.access.idle_timeout)
        self._bindings = bindings_of(config, self.name)

    async def stop(self) -> None:
        """Nothing is left of sessions that are over."""

    def limits(self, config: Config) -> DoorLimits:
        """What networks and neighbourhoods may have, and all together."""
        return DoorLimits.of_users(config)

    def settings(self, section: Listen) -> ImapSettings:
        """What a session meets at the door of this `section`: the same object for all of them."""
        kept = section.tls, section.certificate_file
        if kept not in self._settings:
            config = self._config
            self._settings[kept] = ImapSettings(
                config.hostname,
                max_size=config.access.max_append or config.submission.max_message_size,
                starttls=section.tls == "starttls",
                mechanisms=config.accounts.offered,
                known=self._terms.desk.known(self._bindings.get(section.certificate_file, b""), PURPOSE),
                clear_auth=section.tls == "none",
                identity={"name": "mailer"},
            )
        return self._settings[kept]

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
        await converse(stream, peer, self.settings(section), self._terms, HANDLERS, loop, context, common)
