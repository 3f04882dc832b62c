"""A relay: which keys go together, and which do not."""

from __future__ import annotations

import pytest

from mailer.config.file import config_of
from mailer.config.relay import Relay
from mailer.mail.failure import Failure

FINGERPRINT = "AB:" * 31 + "CD"
OAUTH = 'oauth_endpoint = "https://x.example/t"\noauth_client_id = "c"\noauth_refresh_token_file = "/etc/r"\n'


def relay(text: str) -> Relay:
    """The relay of a configuration. Raises `Failure`."""
    return config_of("", f'[relay.out]\nhost = "smtp.example.com"\n{text}'.encode()).relays["out"]


def test_tokens() -> None:
    """Tokens take the place of a password."""
    found = relay(f'username = "me"\n{OAUTH}')
    assert found.oauth
    assert found.secret is None


def test_a_pin() -> None:
    """A fingerprint is read as tools print it."""
    assert relay(f'fingerprints = ["{FINGERPRINT}"]').fingerprints == ("ab" * 31 + "cd",)


def test_lmtp() -> None:
    """LMTP has a port of its own, which is never that of SMTP."""
    assert relay('protocol = "lmtp"\ntls = "none"').port == 24


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (OAUTH, "a password needs a username"),
        ('username = "me"\noauth_endpoint = "https://x.example/t"\noauth_client_id = "c"', "without oauth_refresh_token_file"),
        ('oauth_scope = "mail"', "without oauth_client_id"),
        (f'username = "me"\n{OAUTH}password_file = "/etc/p"', "a password or tokens, not both"),
        (f'username = "me"\n{OAUTH}'.replace("https", "http"), "over https only"),
        (f'username = "me"\nauth = "plain"\n{OAUTH}', "plain takes a password"),
        (f'username = "me"\ntls = "none"\n{OAUTH}', "would travel unencrypted"),
        ('client_key = "/etc/k"', "client_certificate"),
        (f'tls = "opportunistic"\nfingerprints = ["{FINGERPRINT}"]', "only where TLS has to be"),
        ('fingerprints = ["AB:CD"]', "64 hexadecimal digits"),
        ('auth = "ntlm"', "none of auto"),
        ('protocol = "uucp"', "none of smtp"),
    ],
)
def test_what_does_not_go_together(text: str, problem: str) -> None:
    """What contradicts itself, or lacks its other half, is refused with what to do."""
    with pytest.raises(Failure) as caught:
        relay(text)
    assert problem in str(caught.value)
