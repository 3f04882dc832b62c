"""A relay: the server of somebody else that takes our mail, and how we prove who we are.

Encryption with a verified certificate is the default; a password is never sent without it unless the
section says so in as many words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .kinds import COMMAND, HOST, OPTIONAL_DOMAIN, OPTIONAL_PATH, PORT, SECRET_PATH, SWITCH, TEXT, VARIABLE, choice
from .secret import Secret
from .setting import setting

if TYPE_CHECKING:
    from collections.abc import Iterator

PORTS = {"none": 25, "opportunistic": 587, "starttls": 587, "implicit": 465}
"""Submission is port 587 (RFC 6409 §3.1), with TLS from the first byte 465 (RFC 8314 §3.3)."""

SECRETS = ("password_file", "password_command", "password_env")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A server that takes mail for others, by the name that routes call it."""

    name: str
    host: str = setting(HOST, "Its name or address.", example="smtp.example.com")
    port: int = setting(PORT, "Its port.", 0, shown="587; 465 with tls = implicit; 25 with tls = none", example="587")
    tls: str = setting(
        choice(*PORTS),
        "Encryption: never; where it is offered, whatever the certificate; STARTTLS, or TLS from the first byte, "
        "and then the certificate has to be valid.",
        "starttls",
    )
    username: str = setting(TEXT, "The name to log in with. Without it there is no login.", "", example="me")
    password_file: str = setting(
        SECRET_PATH, "A file with the password, which nobody but its owner may read.", "", example="/etc/mailer/out.secret"
    )
    password_command: tuple[str, ...] = setting(
        COMMAND,
        "A command that prints the password. No shell runs it.",
        (),
        example="pass show smtp.example.com",
        private=True,
    )
    password_env: str = setting(VARIABLE, "An environment variable with the password.", "", example="SMTP_PASSWORD")
    ca_file: str = setting(
        OPTIONAL_PATH, "The certificate authorities for this relay.", "", shown="those of [tls]", example="/etc/mailer/ca.pem"
    )
    server_name: str = setting(
        OPTIONAL_DOMAIN, "The name that its certificate has to carry.", "", shown="the host", example="smtp.example.com"
    )
    allow_plaintext_auth: bool = setting(SWITCH, "Whether the password may travel unencrypted.", False)

    def __post_init__(self) -> None:
        if not self.port:
            object.__setattr__(self, "port", PORTS[self.tls])

    @property
    def secret(self) -> Secret | None:
        """Where the password is; `None` if there is no login."""
        for key in SECRETS:
            if place := getattr(self, key):
                return Secret(key.removeprefix("password_"), place if isinstance(place, tuple) else (place,))
        return None

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the keys mean together and must not."""
        given = [key for key in SECRETS if getattr(self, key)]
        if self.username and not given:
            yield "username", f"a username needs a password: say where it is with {', '.join(SECRETS)}"
        if given and not self.username:
            yield given[0], "a password needs a username"
        if len(given) > 1:
            yield given[1], f"there is {given[0]} already; keep one of them"
        if self.username and self.tls == "none" and not self.allow_plaintext_auth:
            yield "tls", 'the password would travel unencrypted; use tls = "starttls", or say allow_plaintext_auth = true'
