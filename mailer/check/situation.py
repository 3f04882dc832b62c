"""How mail leaves here, as far as it matters for what a receiver sees: directly, through relays, and from where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mailer.mail.pattern import fits


class Provider(NamedTuple):
    """A provider of relays, whose `hosts` are patterns. `spf` is the term that lets its hosts send.

    `rewrites`: it puts a reverse-path of its own on mail. `selectors`: where its keys usually are, if it signs for a domain.
    """

    name: str
    hosts: tuple[str, ...]
    spf: str
    rewrites: bool
    selectors: tuple[str, ...] = ()


PROVIDERS = (
    Provider("Gmail", ("smtp.gmail.com", "smtp-relay.gmail.com"), "include:_spf.google.com", rewrites=False, selectors=("google",)),
    Provider("Amazon SES", ("email-smtp.*.amazonaws.com",), "include:amazonses.com", rewrites=True),
    Provider("SendGrid", ("*.sendgrid.net",), "include:sendgrid.net", rewrites=True, selectors=("s1", "s2")),
    Provider("Mailgun", ("*.mailgun.org",), "include:mailgun.org", rewrites=False, selectors=("pdk1", "pdk2", "k1", "mx", "pic", "mta")),
    Provider(
        "Office 365",
        ("*.office365.com", "*.outlook.com"),
        "include:spf.protection.outlook.com",
        rewrites=False,
        selectors=("selector1", "selector2"),
    ),
)
"""Those of `mailer-providers(7)`."""


class Outlet(NamedTuple):
    """A relay that mail for the world may leave through: its name in the configuration, and its host."""

    name: str
    host: str

    @property
    def provider(self) -> Provider | None:
        """The operator whose it is, if that is known."""
        return next((known for known in PROVIDERS if any(fits(each, self.host) for each in known.hosts)), None)


@dataclass(frozen=True, slots=True)
class Situation:
    """How mail leaves. `direct`: to MX hosts from here. `egress` are our public addresses that receivers see; none if it is relays."""

    hostname: str
    direct: bool
    relays: tuple[Outlet, ...] = ()
    egress: tuple[str, ...] = ()
    hellos: dict[str, str] = field(default_factory=dict)
    """What is said in EHLO from the addresses of which it is not `hostname`."""

    def hello(self, address: str) -> str:
        """What a host hears in EHLO that is called from `address`."""
        return self.hellos.get(address, self.hostname)
