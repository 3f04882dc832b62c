"""How a relay learns who we are."""

from __future__ import annotations

from mailer.config.sections.relay import Relay
from mailer.net.oauth import OAuth
from mailer.routing.resolve import login_of


def test_nobody() -> None:
    """Without a username there is no login."""
    assert login_of(Relay(name="out", host="smtp.example.com")) is None


def test_a_password() -> None:
    """A password goes with the strongest mechanism there is, or with the one that was named."""
    relay = Relay(name="out", host="smtp.example.com", username="me", password_env="X")
    login = login_of(relay)
    assert login is not None
    assert (login.username, login.mechanism, login.refused) == ("me", "", None)
    named = login_of(Relay(name="out", host="smtp.example.com", username="me", password_env="X", auth="scram-sha-256"))
    assert named is not None
    assert named.mechanism == "SCRAM-SHA-256"


def test_a_certificate() -> None:
    """With EXTERNAL there is no password, and a username is not needed; whom to act as goes with any login."""
    login = login_of(Relay(name="out", host="x", auth="external", client_certificate="/c.pem", authorization="shared"))
    assert login is not None
    assert (login.username, login.secret(), login.mechanism, login.authorization) == ("", "", "EXTERNAL", "shared")
    acting = login_of(Relay(name="out", host="x", username="me", password_env="X", authorization="shared"))
    assert acting is not None
    assert (acting.username, acting.authorization) == ("me", "shared")


def test_tokens() -> None:
    """Tokens come from the provider, and one that is refused is forgotten; sessions with equal settings are shared."""
    relay = Relay(
        name="out",
        host="smtp.example.com",
        username="me",
        oauth_endpoint="https://x.example/t",
        oauth_client_id="c",
        oauth_refresh_token_file="/etc/refresh",
    )
    login = login_of(relay)
    assert login is not None
    assert isinstance(login.secret, OAuth)
    assert (login.mechanism, login.secret.store) == ("OAUTH", "/etc/refresh.access")
    assert login.refused == login.secret.forget
    assert login == login_of(relay)
