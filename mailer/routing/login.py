"""How a relay learns who we are: its section of the configuration as a `Login`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.config.secret import Secret
from mailer.net.oauth import OAuth
from mailer.smtp.sasl import OAUTH
from mailer.transport.connection import Login

if TYPE_CHECKING:
    from mailer.config.sections.relay import Relay


def login_of(relay: Relay) -> Login | None:
    """None where the relay wants to know nobody."""
    mechanism, acting = "" if relay.auth == "auto" else relay.auth.upper(), relay.authorization
    if mechanism == "EXTERNAL":
        return Login(relay.username, _nothing, mechanism=mechanism, authorization=acting)
    if relay.oauth:
        tokens = _tokens(relay)
        return Login(relay.username, tokens, relay.allow_plaintext_auth, mechanism or OAUTH, acting, tokens.forget)
    secret = relay.secret
    if not relay.username or secret is None:
        return None
    return Login(relay.username, secret, relay.allow_plaintext_auth, mechanism, acting)


def _nothing() -> str:
    """A certificate is no secret to tell."""
    return ""


def _tokens(relay: Relay) -> OAuth:
    client = Secret("file", (relay.oauth_client_secret_file,)) if relay.oauth_client_secret_file else None
    return OAuth(
        relay.oauth_endpoint,
        relay.oauth_client_id,
        Secret("file", (relay.oauth_refresh_token_file,)),
        relay.oauth_token_file or f"{relay.oauth_refresh_token_file}.access",
        client,
        relay.oauth_scope,
    )
