"""The doors that users have, as their programs have to call them: host, port, and how TLS begins there.

Used by whoever tells programs or people where the doors are: the web, the records of a domain, the command line. Those with TLS from the
first byte on come first, as RFC 8314 §3 wants it, and IMAP before POP3. A door that only this machine gets to is told of where there is
no other of its kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mailer.mail.domain import ascii_domain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config
    from mailer.config.sections.doors import DoorPlace, Listen

ServiceKind = Literal["imap", "pop3", "submission"]
ServiceSecurity = Literal["tls", "starttls", "none"]

KINDS: Final[tuple[ServiceKind, ...]] = ("imap", "pop3", "submission")
SECURITY: Final[dict[str, ServiceSecurity]] = {"implicit": "tls", "starttls": "starttls", "none": "none"}
USUAL: Final[dict[tuple[ServiceKind, ServiceSecurity], int]] = {
    ("imap", "tls"): 993,
    ("imap", "starttls"): 143,
    ("pop3", "tls"): 995,
    ("pop3", "starttls"): 110,
    ("submission", "tls"): 465,
    ("submission", "starttls"): 587,
}
"""The ports that programs try by themselves, RFC 8314 §3."""


class MailService(NamedTuple):
    """A door for users: `host` and `port` are what is called, `security` is TLS from the first byte on, STARTTLS, or none."""

    kind: ServiceKind
    host: str
    port: int
    security: ServiceSecurity

    @property
    def usual(self) -> bool:
        """Whether it is at the port that programs try by themselves."""
        return USUAL.get((self.kind, self.security)) == self.port


def services_of(config: Config) -> tuple[MailService, ...]:
    """All doors for users that `config` opens, the best of each kind first."""
    return tuple(service for kind in KINDS for service in _of_kind(config, kind))


def are_told(config: Config) -> bool:
    """Whether programs of users have something to ask the web, without a key."""
    return bool(config.domains and services_of(config))


def first(services: tuple[MailService, ...], kind: ServiceKind) -> MailService | None:
    """The best door of a kind, if there is one."""
    return next((service for service in services if service.kind == kind), None)


def is_served(config: Config, domain: str) -> bool:
    """Whether `domain`, in ASCII or not, is one of those whose mail comes here."""
    try:
        asked = ascii_domain(domain).lower()
    except ValueError:
        return False
    return any(ascii_domain(section.name).lower() == asked for section in config.domains)


def _of_kind(config: Config, kind: ServiceKind) -> list[MailService]:
    doors = [(section, place) for section in config.listens if section.kind == kind for place in section.address if place.port]
    public = [(section, place) for section, place in doors if place.public and section.tls != "none"]
    here = [(section, place) for section, place in doors if not place.public]
    found = {*_called(config, kind, public)} or {*_called(config, kind, here)}
    return sorted(found, key=lambda service: ([*SECURITY.values()].index(service.security), not service.usual, service.port))


def _called(config: Config, kind: ServiceKind, doors: list[tuple[Listen, DoorPlace]]) -> Iterator[MailService]:
    for section, place in doors:
        yield MailService(kind, config.hostname if place.public else place.host, place.port, SECURITY[section.tls])
