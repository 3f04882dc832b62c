"""The configurations for providers: each works as it is, is known to `check`, and stands in the manual."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.check.examine import situation_of
from mailer.check.situation import PROVIDERS, Outlet
from mailer.config.file import config_of
from mailer.config.model import Config
from mailer.config.providers import PRESETS, consent_of
from mailer.config.values import size

HOME = Path(__file__).parents[2]
FILES = sorted((HOME / "examples/providers").glob("*.toml"))
PAGE = (HOME / "man/mailer-providers.7").read_text(encoding="ascii").replace("\\-", "-").replace("\\e", "\\")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_a_configuration(path: Path) -> None:
    """It loads, all mail goes through its relay, encrypted and with a login, and no secret stands in it."""
    config = config_of(str(path), path.read_bytes())
    (relay,) = config.relays.values()
    assert [[*map(str, route.via)] for route in config.routes] == [[f"relay:{relay.name}"]]
    assert (relay.tls, relay.port) == ("starttls", 587)
    assert relay.username
    assert relay.secret or relay.oauth
    situation = situation_of(config, ())
    assert not situation.direct
    assert (situation.relays[0].provider is None) == (path.stem == "postfix")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_stands_in_the_manual(path: Path) -> None:
    """mailer-providers(7) shows the file as it is."""
    assert path.read_text().rstrip("\n") in PAGE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_setup_knows_it(path: Path) -> None:
    """What `mailer setup` writes for a provider is what its file says: the server, the login, and the limits."""
    preset = PRESETS[path.stem.removesuffix("-oauth")]
    config = config_of(str(path), path.read_bytes())
    (relay,) = config.relays.values()
    assert relay.host == (preset.host or "mail.example.com")
    assert config.submission.max_message_size == size(preset.size)
    assert config.delivery.max_connections_per_destination == (preset.parallel or Config().delivery.max_connections_per_destination)
    if relay.oauth:
        assert preset.consent
        consent = consent_of(relay.oauth_endpoint)
        assert consent == preset.consent.of("TENANT")
        assert relay.oauth_scope == (preset.consent.scope if preset.consent.renewed else "")
    else:
        assert relay.auth == preset.auth
        assert preset.login in ("", relay.username)


def test_each_provider_of_setup_is_in_the_manual() -> None:
    """With a file of its own."""
    assert {path.stem.removesuffix("-oauth") for path in FILES} == PRESETS.keys()


def test_each_provider_has_its_configuration() -> None:
    """Those that `check` knows are those of the manual."""
    used = [situation_of(config_of(str(path), path.read_bytes()), ()).relays[0].provider for path in FILES]
    assert {provider.name for provider in PROVIDERS} == {provider.name for provider in used if provider}
    for provider in PROVIDERS:
        assert provider.spf in PAGE or provider.name == "SendGrid"  # whose CNAME records do that


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("SMTP.gmail.com", "Gmail"),
        ("smtp-relay.gmail.com", "Gmail"),
        ("email-smtp.us-east-1.amazonaws.com", "Amazon SES"),
        ("ec2-203-0-113-25.compute-1.amazonaws.com", ""),
        ("smtp.eu.mailgun.org", "Mailgun"),
        ("notmailgun.org", ""),
        ("smtp.office365.com", "Office 365"),
        ("smtp.gmail.com.example.com", ""),
    ],
)
def test_whose_relay_it_is(host: str, name: str) -> None:
    """A provider is known by the names of its hosts, and by nothing that only looks like one."""
    provider = Outlet("out", host).provider
    assert (provider.name if provider else "") == name
