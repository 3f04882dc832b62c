"""Relays and routes: which way mail leaves, and how we prove who we are to the server of somebody else that takes it.

Encryption with a verified certificate is the default; a password is never sent without it unless the
section says so in as many words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kinds import (
    EVERYTHING,
    FINGERPRINT,
    HOP,
    HOST,
    MAILBOX,
    PATTERN,
    PORT,
    PROXY,
    SECRET_PATH,
    Via,
    choice,
    nearest,
    one_or_several,
    several,
)
from ..secret import Secret
from ..values import written
from . import OPTIONAL_DOMAIN, OPTIONAL_PATH, SWITCH, TEXT, Section, Setting, login
from .login import OAUTH, SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from ..places import Path
    from . import Validated

PORTS = {"none": 25, "opportunistic": 587, "starttls": 587, "implicit": 465}
"""Submission is port 587 (RFC 6409 §3.1), with TLS from the first byte 465 (RFC 8314 §3.3)."""

LMTP_PORT = 24
"""There is no port of LMTP, only one that it must not have, 25 (RFC 2033 §5); this one is for private mail systems."""

AUTH = ("auto", "plain", "login", "cram-md5", "scram-sha-256", "scram-sha-256-plus", "xoauth2", "oauthbearer", "external")


class Relay(Section, header="[relay.NAME]", member="relays"):
    """A server that takes mail for others, by the name that routes call it."""

    name: str
    host = Setting(
        HOST,
        "Its name or address. A name is looked up as it stands, and then below the search domains of resolv.conf(5); one without a dot "
        "below those first.",
        example="smtp.example.com",
    )
    port = Setting(PORT, "Its port.", None, shown="587; 465 with tls = implicit; 25 with tls = none; 24 for LMTP", example="587")
    tls = Setting(
        choice(*PORTS),
        "Encryption: never; where it is offered, whatever the certificate; STARTTLS, or TLS from the first byte, "
        "and then the certificate has to be valid.",
        "starttls",
    )
    username = Setting(TEXT, "The name to log in with. Without it there is no login.", "", example="me")
    password_file = login.password_file("/etc/mailer/out.secret")
    password_command = login.password_command("pass show smtp.example.com")
    password_env = login.password_env("SMTP_PASSWORD")
    auth = Setting(
        choice(*AUTH, name="name"),  # the list would be a line that no page can break
        "The mechanism to log in with. auto is the strongest that the relay offers; there are plain, login, cram-md5, "
        "scram-sha-256, scram-sha-256-plus, xoauth2, oauthbearer and external. With xoauth2 and oauthbearer the password is an access "
        "token; external needs none, for the relay knows the client_certificate.",
        "auto",
    )
    authorization = Setting(
        TEXT,
        "Whom to act as there, if that is not the name that logs in. Not every mechanism can say it.",
        "",
        shown="who logs in",
        example="shared@example.com",
    )
    oauth_endpoint = login.oauth_endpoint()
    oauth_client_id = login.oauth_client_id()
    oauth_client_secret_file = login.oauth_client_secret_file("/etc/mailer/out.client")
    oauth_refresh_token_file = login.oauth_refresh_token_file("/etc/mailer/out.refresh")
    oauth_token_file = login.oauth_token_file("/var/lib/mailer/out.access")
    oauth_scope = login.oauth_scope("mail.send")
    oauth_device_endpoint = Setting(
        TEXT,
        "Where `mailer oauth login` gets a code to type into a browser elsewhere.",
        "",
        shown="that of Microsoft, where the tokens are Microsoft's",
        example="https://oauth2.example.com/device",
    )
    oauth_authorization_endpoint = Setting(
        TEXT,
        "Where `mailer oauth login` sends the browser of this machine.",
        "",
        shown="that of Google or Microsoft, where the tokens are theirs",
        example="https://oauth2.example.com/authorize",
    )
    ca_file = Setting(
        OPTIONAL_PATH, "The certificate authorities for this relay.", "", shown="those of [tls]", example="/etc/mailer/ca.pem"
    )
    server_name = Setting(OPTIONAL_DOMAIN, "The name that its certificate has to carry.", "", shown="the host", example="smtp.example.com")
    fingerprints = Setting(
        several(FINGERPRINT),
        "SHA-256 fingerprints of certificates. The relay has to show one of these, and then nothing else about it counts.",
        (),
        example="5c2b6e0a4f0d7b1f7d8e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c",
    )
    client_certificate = Setting(OPTIONAL_PATH, "A PEM file with a certificate of ours to show.", "", example="/etc/mailer/client.pem")
    client_key = Setting(SECRET_PATH, "The file with its key.", "", shown="the file with the certificate", example="/etc/mailer/client.key")
    author = Setting(
        MAILBOX,
        "The author of all mail that goes there, in header and envelope, where the relay takes no other.",
        "",
        shown="whoever wrote it",
        example="Our shop <me@example.com>",
    )
    verp = Setting(
        SWITCH,
        "Whether mail may leave there with a token in its sender (bounce.verp). A relay that takes no other sender than the one that logs "
        "in wants false.",
        True,
    )
    protocol = Setting(choice("smtp", "lmtp"), "What is spoken: SMTP, or LMTP as mailbox servers do.", "smtp")
    chunking = Setting(SWITCH, "Whether messages may go in chunks (BDAT) where the relay offers it, which saves time.", True)
    proxy = Setting(
        PROXY,
        "A proxy on the way there: socks5://host:port, or http://host:port for one that knows CONNECT. It looks the host up; TLS is "
        "made with the relay through it.",
        None,
        shown="none",
        example="socks5://127.0.0.1:1080",
    )
    proxy_username = Setting(TEXT, "The name to log in with at the proxy.", "", example="me")
    proxy_password_file = Setting(
        SECRET_PATH, "A file with the password of that, which nobody but its owner may read.", "", example="/etc/mailer/proxy.secret"
    )
    socket = Setting(
        OPTIONAL_PATH,
        "A unix socket of this machine on which the relay listens. Host and port are then only what it is called.",
        "",
        example="/run/dovecot/lmtp",
    )
    allow_plaintext_auth = Setting(SWITCH, "Whether the password may travel unencrypted.", False)

    def __init__(self, *, name: str = "", **given: Any) -> None:
        self.__dict__["name"] = name
        super().__init__(**given)

    def settle(self, values: dict[str, Any]) -> None:
        """Let the port follow from protocol and encryption where none was named."""
        values["port"] = values["port"] or (LMTP_PORT if values["protocol"] == "lmtp" else PORTS[values["tls"]])

    @property
    def secret(self) -> Secret | None:
        """Where the password is; `None` if there is no login."""
        for key in SECRETS:
            if place := getattr(self, key):
                return Secret(key.removeprefix("password_"), place if isinstance(place, tuple) else (place,))
        return None

    @property
    def oauth(self) -> bool:
        """Whether the password is a token that has to be fetched."""
        return bool(self.oauth_endpoint)

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the keys mean together and must not."""
        yield from self._proxy_problems()
        given = [key for key in SECRETS if getattr(self, key)]
        if self.auth == "external":
            yield from self._external_problems(given)
            return
        if self.authorization and not self.username:
            yield "authorization", "whoever acts as somebody has to log in: username"
        if self.authorization and self.auth in ("login", "cram-md5", "xoauth2"):
            yield "authorization", f"{self.auth} cannot say it; use auto, plain, scram-sha-256, oauthbearer or external"
        if self.username and not given and not self.oauth:
            yield "username", f"a username needs a password: say where it is with {', '.join(SECRETS)}, or fetch tokens with oauth_endpoint"
        if (given or self.oauth) and not self.username:
            yield (given or ["oauth_endpoint"])[0], "a password needs a username"
        if len(given) > 1:
            yield given[1], f"there is {given[0]} already; keep one of them"
        if self.username and self.tls == "none" and not self.allow_plaintext_auth:
            yield "tls", 'the password would travel unencrypted; use tls = "starttls", or say allow_plaintext_auth = true'
        if self.client_key and not self.client_certificate:
            yield "client_key", "a key needs the certificate that it is for: client_certificate"
        if self.fingerprints and self.tls not in ("starttls", "implicit"):
            yield "fingerprints", 'a certificate is checked only where TLS has to be: use tls = "starttls" or "implicit"'
        yield from self._oauth_problems(given)

    def _proxy_problems(self) -> Iterator[tuple[str, str]]:
        if self.proxy and self.socket:
            yield "socket", "there is a proxy already; a socket of this machine is called without one"
        for key in ("proxy_username", "proxy_password_file"):
            if getattr(self, key) and not self.proxy:
                yield key, "there is no proxy to log in at: say proxy, too"
        if self.proxy and bool(self.proxy_username) != bool(self.proxy_password_file):
            missing = "proxy_password_file" if self.proxy_username else "proxy_username"
            yield "proxy", f"a login at the proxy needs {missing}, too"

    def _external_problems(self, given: list[str]) -> Iterator[tuple[str, str]]:
        if not self.client_certificate:
            yield "auth", "external logs in with a certificate: client_certificate"
        if self.tls not in ("starttls", "implicit"):
            yield "tls", 'a certificate is shown in TLS only: use tls = "starttls" or "implicit"'
        if given or self.oauth:
            yield (given or ["oauth_endpoint"])[0], "external takes no password and no token"

    def _oauth_problems(self, given: list[str]) -> Iterator[tuple[str, str]]:
        some = [name for name, value in vars(self).items() if name.startswith("oauth_") and value]
        if not some:
            return
        for key in OAUTH:
            if not getattr(self, key):
                yield some[0], f"tokens cannot be fetched without {key}"
        if given:
            yield some[0], f"there is {given[0]} already; a password or tokens, not both"
        for key in ("oauth_endpoint", "oauth_device_endpoint", "oauth_authorization_endpoint"):
            if (place := getattr(self, key)) and not place.startswith("https://"):
                yield key, "tokens are fetched over https only"
        if self.auth not in ("auto", "xoauth2", "oauthbearer"):
            yield "auth", f"{self.auth} takes a password and no token; use auto, xoauth2 or oauthbearer"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Names that routes could not say."""
        for name in validated.named["relay"]:
            if not name or not name.isascii() or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
                yield ("relay", name), f"{written(name)} is no name for a relay; use letters, digits, - _ and ."


def unknown(names: Iterable[str], relays: Mapping[str, Relay | None]) -> Iterator[str]:
    """What is wrong with each of `names` that is none of `relays`."""
    return (f"there is no [relay.{name}]{nearest(name, relays, '[relay.{}]')}" for name in names if name not in relays)


TO_MX = Via("mx")


class RouteRule(Section, header="[[route]]", member="routes", plural="routes"):
    """Which way mail for a domain leaves.

    The first route that matches wins; where none does, mail goes to the MX hosts of the domain. With no
    route at all and one relay, everything goes to that relay.
    """

    match = Setting(PATTERN, 'A domain, "*.domain" for everything below it, or "*".', example="*.example.net")
    via = Setting(
        one_or_several(HOP), 'Ways out in order of preference: "relay:NAME", or "mx" for the MX hosts of the domain.', example="relay:out"
    )

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Ways out that there are not, and routes that no mail comes to."""
        relays = validated.named["relay"]
        seen: dict[str, int] = {}
        for at, route in enumerate(validated.listed["route"]):
            if route:
                for text in route.ways_out(relays):
                    yield ("route", at, "via"), text
                if earlier := seen.get("*") or seen.get(route.match.text):
                    yield ("route", at, "match"), f"this route is never used: line {earlier} takes the same mail before it"
                seen.setdefault(route.match.text, validated.line(("route", at, "match")))
        out = [name for name in relays if name not in homes(validated.listed["domain"])]
        if len(out) > 1 and not validated.listed["route"]:
            yield ("relay", out[1]), "there are several relays and no [[route]] that says which one is used"

    def ways_out(self, relays: Mapping[str, Relay | None]) -> Iterator[str]:
        """What is wrong with `via` where there are these relays."""
        yield from unknown((via.name for via in self.via if via.kind == "relay"), relays)
        authors = {relay.author if (relay := relays.get(via.name)) else "" for via in self.via}
        if len(authors) > 1:
            yield "one way out takes one author only and another does not; give them routes of their own"
        if len(set(self.via)) < len(self.via):
            yield "via names the same way out twice"


def everything(via: Via) -> RouteRule:
    """The route of all mail by one way out."""
    return RouteRule(match=EVERYTHING, via=(via,))


def completed(routes: Sequence[RouteRule], relays: Iterable[str]) -> tuple[RouteRule, ...]:
    """`routes` and one for what none of them takes: by the MX hosts, or by the only one of `relays` where nothing is said of routes.

    Those that keep our mailboxes (``[[domain]] via``) are none that takes all mail.
    """
    if any(route.match == EVERYTHING for route in routes):
        return (*routes,)
    first = next(iter(relays), "")
    return (*routes, everything(Via("relay", first) if first and not routes else TO_MX))


def homes(domains: Iterable[Any]) -> set[str]:
    """The names of the relays that keep the mailboxes of `domains`, the sections of that word; None is one that is wrong in itself."""
    return {way.name for domain in domains if domain for way in domain.via if way.kind == "relay"}
