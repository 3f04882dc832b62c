"""A refresh token for a relay: somebody consents in a browser, and it is kept where the daemon reads it.

How that goes is in `mailer.net.oauth_login`; here is which of the two ways a relay can have, and where the token belongs. A token that is
there already stays until the new one takes its place, in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.config.providers import consent_of
from mailer.config.secret import Secret, keeper_of
from mailer.mail.problem import Problem
from mailer.net.oauth_login import LOOPBACK, OAuthClient, Redirect, device_code, token_of

from .private import check_place, keep

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config
    from mailer.config.sections.relay import Relay

WAYS = ("device", "redirect")
PATIENCE = 600  # seconds for somebody to consent by a redirect; a device code says itself how long it is good


class Invitation(NamedTuple):
    """What somebody has to do: open `url`, and type `code` there if there is one, within so many seconds. `port` is where we listen."""

    way: str
    url: str
    code: str
    complete: str
    seconds: float
    port: int = 0


class TokenKept(NamedTuple):
    """Where the refresh token of a relay is now, and whose it is."""

    relay: str
    path: str
    user: str

    def as_json(self) -> dict[str, str]:
        """As ``mailer oauth login --json`` prints it."""
        return {"relay": self.relay, "file": self.path, "user": self.user}


def relay_of(config: Config, name: str) -> Relay:
    """The relay `name`, which takes tokens. Raises `Problem` (no-such, bad-config)."""
    relay = config.relays.get(name)
    if relay is None:
        known = ", ".join(config.relays) or "none"
        raise Problem(f"there is no [relay.{name}] in {config.path or 'the configuration'}; its relays: {known}", "no-such")
    if not relay.oauth:
        raise Problem(
            f"[relay.{name}] logs in without tokens; for those it needs oauth_endpoint, oauth_client_id and oauth_refresh_token_file",
            "bad-config",
        )
    return relay


def login(config: Config, name: str, way: str, show: Callable[[Invitation], object], port: int, seconds: int) -> TokenKept:
    """Get a refresh token for the relay `name`, and keep it; `show` is told what somebody has to do. See `refresh_token`."""
    relay = relay_of(config, name)
    check_place(relay.oauth_refresh_token_file)
    token = refresh_token(relay, way, show, port, seconds)
    owner = keeper_of(config.spool)
    keep(relay.oauth_refresh_token_file, token, owner)
    return TokenKept(name, relay.oauth_refresh_token_file, owner.name)


def refresh_token(relay: Relay, way: str, show: Callable[[Invitation], object], port: int, seconds: int) -> str:
    """A refresh token for `relay`. Waits for somebody, so it is called in a thread of its own or where nothing else is to be done.

    `way` is one of `WAYS`, or empty for that which the relay can have; `port` (0: any) and `seconds` are of a redirect. Raises `Problem`.
    """
    known = consent_of(relay.oauth_endpoint)
    device = relay.oauth_device_endpoint or (known.device if known else "")
    authorization = relay.oauth_authorization_endpoint or (known.authorization if known else "")
    way = way or ("device" if device or not authorization else "redirect")
    secret = Secret("file", (relay.oauth_client_secret_file,))() if relay.oauth_client_secret_file else ""
    scope = relay.oauth_scope or (known.scope if known else "")
    client = OAuthClient(relay.oauth_endpoint, relay.oauth_client_id, secret, scope)
    if way == "device":
        given = device_code(client, _named(relay, device, "device", authorization))
        show(Invitation(way, given.uri, given.user_code, given.complete, given.seconds))
        return token_of(client, given)
    endpoint = _named(relay, authorization, "authorization", device)
    host, extra = (known.host, known.extra) if known else (LOOPBACK, consent_for(scope))
    with Redirect(client, endpoint, host=host, port=port, extra=extra) as redirect:
        show(Invitation(way, redirect.url, "", "", seconds, redirect.port))
        return redirect.token(seconds)


def consent_for(scope: str) -> tuple[tuple[str, str], ...]:
    """What a provider that goes by OpenID Connect has to be told, or it gives no refresh token: that somebody is to be asked (Core §11)."""
    return (("prompt", "consent"),) if {"openid", "offline_access"} <= {*scope.split()} else ()


def _named(relay: Relay, endpoint: str, what: str, other: str) -> str:
    """The endpoint, if one is known."""
    if endpoint:
        return endpoint
    hint = f"; or go the other way, with --{'redirect' if what == 'device' else 'device'}" if other else ""
    raise Problem(
        f"where the provider of relay {relay.name} lets somebody consent is not known: set relay.{relay.name}.oauth_{what}_endpoint{hint}",
        "bad-config",
    )
