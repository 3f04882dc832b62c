"""A relay: which keys go together, and which do not."""

from __future__ import annotations

import pytest

from mailer.config.file import config_of, examine
from mailer.config.sections.relay import Relay
from mailer.mail.problem import Problem

FINGERPRINT = "AB:" * 31 + "CD"
OAUTH = 'oauth_endpoint = "https://x.example/t"\noauth_client_id = "c"\noauth_refresh_token_file = "/etc/r"\n'


def relay(text: str) -> Relay:
    """The relay of a configuration. Raises `Problem`."""
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
    with pytest.raises(Problem) as caught:
        relay(text)
    assert problem in str(caught.value)


def test_one_route_has_one_author() -> None:
    """A relay that takes one author only shares no route with a way that takes others: mail is signed before its way is tried."""
    relays = '[relay.a]\nhost = "a.example"\nauthor = "Me <me@example.com>"\n[relay.b]\nhost = "b.example"\nauthor = "{}"\n'
    route = '[[route]]\nmatch = "*"\nvia = {}\n'
    for author, via, wrong in (
        ("Me <me@example.com>", '["relay:a", "relay:b"]', False), ("", '["relay:a", "relay:b"]', True), ("", '["relay:a", "mx"]', True),
        ("", '["relay:b", "mx"]', False),
    ):  # fmt: skip
        _, problems = examine("c.toml", (relays.format(author) + route.format(via)).encode())
        assert any("takes one author only and another does not" in problem.text for problem in problems) == wrong


@pytest.mark.parametrize("author", ["me", "a@example.com, b@example.com", "Me me@example.com", "<a@example.com> x"])
def test_an_author_is_one_whole_address(author: str) -> None:
    """With or without a name before it."""
    _, problems = examine("c.toml", f'[relay.a]\nhost = "a.example"\nauthor = "{author}"\n'.encode())
    assert [problem.line for problem in problems] == [3]
