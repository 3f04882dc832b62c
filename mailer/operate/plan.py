"""The answers that ``mailer setup`` needs, whoever gave them; and the short configuration that they make."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mailer.config.providers import of_domain
from mailer.config.sections.relay import Relay
from mailer.config.values import own_hostname
from mailer.io.machine import LOCALHOST
from mailer.mail.address import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config.providers import Consent

STATE = "/var/lib/mailer"  # where the service of the machine may write: StateDirectory= of its unit
READERS: dict[str, Callable[[Any], Any]] = {setting.key: setting.kind.read for setting in Relay.settings}
"""What reads a setting of a relay; raises `ValueError` for what it does not take."""


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """A login with tokens: where they come from, whom the provider knows us as, and which way somebody consents (see `operate.oauth`).

    `refresh_token_file` is one that is there already; empty where somebody has to consent first.
    """

    consent: Consent
    client_id: str
    client_secret: str = field(default="", repr=False)
    way: str = ""
    refresh_token_file: str = ""


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """What is to be set up: `address` is whose mail it is, `path` where the configuration goes, `system` whether it is for all users of
    the machine. `spool` is empty for that of the one who asks, and `state` the directory where the daemon may write if it
    may not beside the configuration. `aliases_file` has names of this machine that are known already.

    Without a `host` mail goes to the MX hosts. The password is the `password` itself, which gets a file of its own, or it is in
    `password_file` or printed by `password_command`; all empty without a login.
    """

    address: str
    path: str
    system: bool = False
    spool: str = ""
    state: str = ""
    aliases_file: str = ""
    name: str = "out"
    host: str = ""
    port: int = 587
    tls: str = "starttls"
    auth: str = "auto"
    username: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    password_command: str = ""
    tokens: TokenPlan | None = None
    ca_file: str = ""
    fingerprints: tuple[str, ...] = ()
    size: str = ""
    parallel: int = 0

    @property
    def endpoint(self) -> str:
        """The relay, for a person."""
        return f"{self.host}:{self.port}"

    def beside(self, kind: str) -> str:
        """The file beside the configuration that has the secret of this kind."""
        return os.path.join(os.path.dirname(self.path), f"{self.name}.{kind}")

    @property
    def secrets(self) -> dict[str, str]:
        """The files to write, with what goes into each; a refresh token that somebody has to consent to is not among them yet."""
        found = {self.beside("secret"): self.password} if self.password else {}
        if self.tokens and self.tokens.client_secret:
            found[self.beside("client")] = self.tokens.client_secret
        return found

    def document(self, moved: Callable[[str], str] = str) -> str:
        """The configuration; `moved` says where a file is that will be written with it."""
        import tomli_w

        own, local = own_hostname(), parse(self.address)
        hostname = own if "." in own or of_domain(local.host) else f"{own}.{local.host}"  # a provider's domain is not ours to be called by
        sections: dict[str, Any] = {
            "mailer": {"hostname": hostname} | ({"spool": self.spool} if self.spool else {}),
            "submission": {"from_address": self.address}
            | ({"max_message_size": self.size} if self.size else {})
            | ({"aliases_file": self.aliases_file} if self.aliases_file else {})
            | {"aliases": {"*": self.address}, "authors": {"*": f"{hostname.partition('.')[0]} <{self.address}>"}},
        }
        if self.system:
            sections["intake"] = {"enabled": True}
        if self.host:
            sections["relay"] = {self.name: self._relay(moved)}
        if self.parallel:
            sections["delivery"] = {"max_connections_per_destination": self.parallel}
        return HEAD + tomli_w.dumps(sections)

    def _relay(self, moved: Callable[[str], str]) -> dict[str, Any]:
        relay: dict[str, Any] = {"host": self.host, "port": self.port, "tls": self.tls}
        if self.ca_file:
            relay["ca_file"] = self.ca_file
        if self.fingerprints:
            relay["fingerprints"] = [*self.fingerprints]
        if not self.username:
            return relay
        relay |= {"username": self.username} | ({"auth": self.auth} if self.auth != "auto" else {})
        if self.password:
            relay["password_file"] = moved(self.beside("secret"))
        elif self.password_file:
            relay["password_file"] = self.password_file
        elif self.password_command:
            relay["password_command"] = self.password_command
        if self.tls in ("none", "opportunistic") and is_here(self.host):
            relay["allow_plaintext_auth"] = True
        return relay | (self._tokens(self.tokens, moved) if self.tokens else {})

    def _tokens(self, tokens: TokenPlan, moved: Callable[[str], str]) -> dict[str, Any]:
        consent = tokens.consent
        found = {
            "auth": "xoauth2",
            "oauth_endpoint": consent.token,
            "oauth_client_id": tokens.client_id,
            "oauth_refresh_token_file": tokens.refresh_token_file or moved(self.beside("refresh")),
            "oauth_token_file": moved(os.path.join(self.state, f"{self.name}.access")) if self.state else "",
            "oauth_client_secret_file": moved(self.beside("client")) if tokens.client_secret else "",
            "oauth_scope": consent.scope if consent.renewed else "",
        }
        if not consent.known:
            found |= {"oauth_device_endpoint": consent.device, "oauth_authorization_endpoint": consent.authorization}
        return {key: value for key, value in found.items() if value}


def is_here(host: str) -> bool:
    """Whether `host` is this machine, so that nobody on the way reads what is told it."""
    return host.lower() in LOCALHOST or host == "::1" or host.startswith("127.")


HEAD = """\
# Written by `mailer setup`. mailer-config(5) has every setting; `mailer config check` finds mistakes.

"""
