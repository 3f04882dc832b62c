"""Access tokens: fetched when needed, kept where nobody else reads them."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.net.oauth import EARLY, OAuth
from tests.fakes.forms import FormServer


class Provider(FormServer):
    """A token endpoint that answers as `answers` says, and notes what it was asked."""

    def __init__(self, directory: Path) -> None:
        self.answers: list[tuple[int, object]] = []
        self.asked: list[dict[str, str]] = []
        super().__init__(directory, self._answer)

    def _answer(self, _: str, form: dict[str, str]) -> tuple[int, object]:
        self.asked.append(form)
        return self.answers.pop(0)

    def gives(self, access: str, seconds: int = 3600, **more: object) -> None:
        """Its next answer."""
        self.answers.append((200, {"access_token": access, "expires_in": seconds, "token_type": "Bearer", **more}))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    """One that is closed at the end."""
    with Provider(tmp_path) as made:
        yield made


class Relay:
    """A source of tokens, and its time and its files."""

    def __init__(self, provider: Provider, directory: Path) -> None:
        self.now = 1000.0
        self.refresh = "refresh-one"
        self.store = directory / "token"
        self.tokens = OAuth(
            f"{provider.base}/token?x=1",
            "the-client",
            lambda: self.refresh,
            str(self.store),
            lambda: "client-secret",
            "mail.send",
            provider.ca_file,
            lambda: self.now,
        )


@pytest.fixture
def relay(provider: Provider, tmp_path: Path) -> Relay:
    """What most tests need."""
    return Relay(provider, tmp_path)


def test_fetched_kept_and_renewed(provider: Provider, relay: Relay) -> None:
    """A token is fetched once, kept readable by us alone, and fetched again five minutes before it expires."""
    provider.gives("access-one")
    provider.gives("access-two")
    assert relay.tokens() == relay.tokens() == "access-one"
    assert provider.asked == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "refresh-one",
            "client_id": "the-client",
            "client_secret": "client-secret",
            "scope": "mail.send",
        }
    ]
    assert stat.S_IMODE(relay.store.stat().st_mode) == 0o600
    relay.now += 3600 - EARLY - 1
    assert relay.tokens() == "access-one"
    relay.now += 1
    assert relay.tokens() == "access-two"


def test_a_new_refresh_token(provider: Provider, relay: Relay) -> None:
    """A refresh token that the provider replaces is used from then on, until the operator writes down another."""
    provider.gives("a", refresh_token="refresh-two")
    provider.gives("b")
    provider.gives("c")
    relay.tokens()
    relay.now += 4000
    relay.tokens()
    relay.refresh = "refresh-three"
    assert relay.tokens() == "c"
    assert [asked["refresh_token"] for asked in provider.asked] == ["refresh-one", "refresh-two", "refresh-three"]


def test_a_token_that_was_refused(provider: Provider, relay: Relay) -> None:
    """A token that a relay does not accept is not shown again."""
    provider.gives("a", refresh_token="refresh-two")
    provider.gives("b")
    relay.tokens()
    relay.tokens.forget()
    assert relay.tokens() == "b"
    assert provider.asked[1]["refresh_token"] == "refresh-two"


@pytest.mark.parametrize(
    ("status", "answer", "kind", "advice"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "refresh-one was revoked"},
            "bad-config",
            "allow access at the provider again",
        ),
        (
            400,
            {"error": "invalid_grant", "error_description": "AADSTS700082: refresh-one has\r\nexpired"},
            "bad-config",
            '"AADSTS700082: *** has expired"',
        ),
        (400, {"error": "temporarily_unavailable", "error_description": "x" * 9999}, "try-again", '"' + "x" * 200 + '"'),
        (400, {"error": "invalid_grant", "error_description": ["no text"]}, "bad-config", "any more (invalid_grant);"),
        (401, {"error": "invalid_client"}, "bad-config", "check its id and its secret"),
        (400, {"error": "invalid_scope"}, "bad-config", "scope"),
        (400, {"error": "refresh-one\r\n"}, "try-again", "HTTP 400"),
        (503, b"<html>", "try-again", "HTTP 503"),
        (302, b"", "try-again", "HTTP 302"),
        (200, b"nonsense", "try-again", "without an access token"),
        (200, {"access_token": 7}, "try-again", "without an access token"),
        (200, [], "try-again", "without an access token"),
    ],
)
def test_refusals(provider: Provider, relay: Relay, status: int, answer: object, kind: str, advice: str) -> None:
    """What the provider refuses is told with what to do about it, and without any secret."""
    provider.answers.append((status, answer))
    with pytest.raises(Problem) as caught:
        relay.tokens()
    assert caught.value.kind == kind
    assert advice in str(caught.value)
    for secret in ("refresh-one", "client-secret"):
        assert secret not in str(caught.value)
        assert secret not in repr(relay.tokens)


def test_the_provider_is_away(provider: Provider, relay: Relay) -> None:
    """While a token is still good for some minutes, a provider that is away holds nothing up."""
    provider.gives("access-one")
    relay.tokens()
    relay.now += 3600 - EARLY / 2
    provider.answers.append((503, b""))
    assert relay.tokens() == "access-one"
    relay.now += EARLY
    provider.answers.append((503, b""))
    with pytest.raises(Problem):
        relay.tokens()


def test_a_stranger_in_its_place(provider: Provider, relay: Relay, tmp_path: Path) -> None:
    """A server that cannot prove that it is the provider is told nothing."""
    stranger = OAuth(relay.tokens.token_endpoint, "the-client", lambda: "refresh-one", str(tmp_path / "other"))
    with pytest.raises(Problem, match="certificate is not accepted"):
        stranger()
    with pytest.raises(Problem, match="no https address"):
        OAuth("http://127.0.0.1/token", "the-client", lambda: "refresh-one", str(tmp_path / "third"))()
    assert provider.asked == []


def test_a_file_that_others_could_read(provider: Provider, relay: Relay) -> None:
    """A file that others can read is refused before a token is in it."""
    relay.store.touch(0o644)
    os.chmod(relay.store, 0o644)
    with pytest.raises(Problem, match="chmod 600") as caught:
        relay.tokens()
    assert caught.value.kind == "bad-config"
    assert provider.asked == []


def test_a_file_that_cannot_be(provider: Provider, relay: Relay, tmp_path: Path) -> None:
    """Where there is no place for the token, the text says which; a link is not followed."""
    for path in (tmp_path / "missing" / "token", tmp_path / "link"):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(tmp_path / "ca.pem")
        with pytest.raises(Problem, match=str(path)):
            OAuth(relay.tokens.token_endpoint, "the-client", lambda: "x", str(path))()


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b'{"access_token": "x"}', b"\xff"])
def test_a_torn_file(provider: Provider, relay: Relay, torn: bytes) -> None:
    """A file that a crash has torn is as good as none."""
    relay.store.write_bytes(torn)
    relay.store.chmod(0o600)
    provider.gives("access-one")
    assert relay.tokens() == "access-one"


def test_many_at_once(provider: Provider, relay: Relay) -> None:
    """However many sessions want a token at the same moment, one fetches it."""
    provider.gives("access-one")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(relay.tokens())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["access-one"] * 8
    assert len(provider.asked) == 1


def test_equal_settings(relay: Relay) -> None:
    """Two sources with the same settings are one: sessions are shared between them."""
    one = OAuth("https://x.example/t", "c", str, "/s")
    assert one == OAuth("https://x.example/t", "c", str, "/s")
    assert hash(one) == hash(OAuth("https://x.example/t", "c", str, "/s"))
    assert one != relay.tokens
