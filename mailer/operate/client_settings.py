"""The settings of a mail program: what a person types into a phone to read and send the mail of an address, and where programs find that.

Read off the doors of the configuration; no password is among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.discovery import apple
from mailer.discovery.services import services_of

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.discovery.services import MailService, ServiceKind, ServiceSecurity

TITLES: Final[dict[ServiceKind, str]] = {"imap": "incoming (IMAP)", "pop3": "incoming (POP3)", "submission": "outgoing (SMTP)"}
WORDS: Final[dict[ServiceSecurity, str]] = {"tls": "SSL/TLS", "starttls": "STARTTLS", "none": "none"}
HTTPS: Final = 443


class ClientSettings(NamedTuple):
    """The settings of one `address`: the best of its `services` first; `profile` is where an iPhone gets them, if anywhere."""

    address: str
    services: tuple[MailService, ...]
    profile: str = ""

    def as_json(self) -> dict[str, object]:
        """The settings for programs."""
        return {
            "address": self.address,
            "username": self.address,
            "services": [service._asdict() for service in self.services],
            "profile": self.profile or None,
        }

    @property
    def typed(self) -> list[MailService]:
        """What a person types: the best door of each kind, and POP3 only where there is no IMAP."""
        best: dict[str, MailService] = {}
        for service in self.services:
            best.setdefault(service.kind, service)
        if "imap" in best:
            best.pop("pop3", None)
        return [*best.values()]


def client_settings(config: Config, address: str) -> ClientSettings:
    """The settings for `address`, by the doors of `config`."""
    return ClientSettings(address, services_of(config), _profile(config, address))


def _profile(config: Config, address: str) -> str:
    """The address of the profile, at the first door of the web that phones get to."""
    for section in config.web_doors:
        for place in section.address:
            if place.public and place.port and section.tls == "implicit":
                port = "" if place.port == HTTPS else f":{place.port}"
                return f"https://{config.hostname}{port}{apple.PATH}?address={address}"
    return ""
