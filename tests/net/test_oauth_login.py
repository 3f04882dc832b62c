"""The first token, by a device code and by a redirect, against an authorization server that checks what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from mailer.mail.problem import Problem
from mailer.net.oauth_login import DEVICE, OAuthClient, Redirect, device_code, token_of
from tests.fakes.authorization import CLIENT, SCOPE, AuthorizationServer, get
from tests.fakes.processes import free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AuthorizationServer]:
    with AuthorizationServer(tmp_path, secret="client-secret") as made:
        yield made


@pytest.fixture
def client(server: AuthorizationServer) -> OAuthClient:
    return OAuthClient(f"{server.base}/token", CLIENT, "client-secret", SCOPE, server.ca_file)


class Waiting:
    """Time that passes when somebody sleeps; `steps` are done at the end of each sleep, one after the other."""

    def __init__(self, *steps: object) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.steps = list(steps)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        step = self.steps.pop(0) if self.steps else None
        if callable(step):
            step()

    def token(self, client: OAuthClient, server: AuthorizationServer) -> str:
        return token_of(client, device_code(client, f"{server.base}/device"), sleep=self.sleep, clock=lambda: self.now)


# The device code


def test_somebody_consents(server: AuthorizationServer, client: OAuthClient) -> None:
    """It is asked for again until then, at the pace that the provider says, and slower where it says so."""
    server.first = [(400, {"error": "slow_down"})]
    server.interval = 2
    waiting = Waiting(None, None, lambda: server.consent(server.user_code))
    assert waiting.token(client, server) == server.tokens[0]
    assert waiting.slept == [2, 7, 7]
    path, form = server.asked[0]
    assert (path, form) == ("/device", {"client_id": CLIENT, "scope": SCOPE})
    assert server.asked[-1][1]["grant_type"] == DEVICE
    assert "client-secret" not in repr(client)


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("access_denied", "no-permission", "access was refused in the browser"),
        ("authorization_declined", "no-permission", "access was refused in the browser"),
        ("expired_token", "unavailable", "before the code expired"),
        ("invalid_scope", "bad-config", "scope is not accepted"),
        ("unsupported_grant_type", "bad-config", "knows no device codes"),
        ("unauthorized_client", "bad-config", "whether it may log in this way"),
        ("something_else", "try-again", "something_else"),
    ],
)
def test_somebody_does_not(server: AuthorizationServer, client: OAuthClient, state: str, kind: str, words: str) -> None:
    """Each refusal says what to do, in the provider's words, too, and without the device code."""
    with pytest.raises(Problem, match=words) as caught:
        Waiting(lambda: server.consent(server.user_code, state)).token(client, server)
    assert caught.value.kind == kind
    assert next(iter(server.devices)) not in str(caught.value)


def test_nobody_comes(server: AuthorizationServer, client: OAuthClient) -> None:
    """It ends when the code expires, whatever the provider says then."""
    server.expires = 4
    waiting = Waiting()
    with pytest.raises(Problem, match="run the command again"):
        waiting.token(client, server)
    assert waiting.now == 4


def test_the_provider_is_away_for_a_moment(server: AuthorizationServer, client: OAuthClient) -> None:
    """It is asked again, more slowly each time."""
    server.first = [(503, {}), (500, {})]
    waiting = Waiting(None, None, lambda: server.consent(server.user_code))
    assert waiting.token(client, server) == server.tokens[0]
    assert waiting.slept == [1, 2, 4]


@pytest.mark.parametrize(("interval", "slept"), [(0, 1), (-5, 1), ("x", 5), (True, 1)])
def test_it_is_never_asked_without_end(server: AuthorizationServer, client: OAuthClient, interval: float, slept: float) -> None:
    """Whatever it says of the pace, a second passes."""
    server.interval = interval
    waiting = Waiting(lambda: server.consent(server.user_code))
    waiting.token(client, server)
    assert waiting.slept == [slept]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"device_code": "x", "user_code": "y"},
        {"device_code": "x", "user_code": "", "verification_uri": "https://x.example/"},
        {"device_code": "x", "user_code": "y", "verification_uri": "javascript:alert(1)"},
        {"device_code": "x", "user_code": "y", "verification_uri": "https://x.example/\x1b[2J"},
        {"device_code": 7, "user_code": "y", "verification_uri": "https://x.example/"},
    ],
)
def test_an_answer_that_is_none(
    server: AuthorizationServer, client: OAuthClient, answer: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no code, or leads to no web page, is shown to nobody."""
    monkeypatch.setattr(server, "_device", lambda: (200, answer))
    with pytest.raises(Problem, match="is it the right address"):
        device_code(client, f"{server.base}/device")


def test_no_refresh_token(server: AuthorizationServer, client: OAuthClient) -> None:
    """An access token alone would last an hour: it is said what to ask for."""
    server.refreshing = False
    with pytest.raises(Problem, match="offline_access") as caught:
        Waiting(lambda: server.consent(server.user_code)).token(client, server)
    assert caught.value.kind == "bad-config"


def test_a_stranger_in_its_place(server: AuthorizationServer, client: OAuthClient) -> None:
    """A server that cannot prove who it is, or an address without TLS, is told nothing."""
    stranger = OAuthClient(client.token_endpoint, CLIENT)
    with pytest.raises(Problem, match="certificate is not accepted"):
        device_code(stranger, f"{server.base}/device")
    for address in ("http://127.0.0.1/device", "https://", "https://x.example:port/", "nonsense"):
        with pytest.raises(Problem, match="no https address"):
            device_code(client, address)
        with pytest.raises(Problem, match="no https address"):
            Redirect(client, address)
    assert server.asked == []


# The redirect


def test_a_browser_comes_back(server: AuthorizationServer, client: OAuthClient) -> None:
    """Its code is exchanged with the verifier of the challenge, which the server checks; the page says that all is done."""
    with Redirect(client, f"{server.base}/authorize", extra=[("prompt", "consent")]) as redirect:
        assert "prompt=consent" in redirect.url
        status, page = server.browse(redirect.url)
        assert (status, "close this window" in page) == (200, True)
        assert redirect.token(30) == server.tokens[0]
    assert len(server.asked[-1][1]["code_verifier"]) == 64


def test_what_else_comes_to_the_port(server: AuthorizationServer, client: OAuthClient) -> None:
    """A page that only looks for an icon, and somebody who guesses, end nothing; the real one is still taken."""
    with Redirect(client, f"{server.base}/authorize") as redirect:
        assert get(redirect.port, {}, "/favicon.ico")[0] == 404
        assert get(redirect.port, {})[0] == 404
        assert get(redirect.port, {"code": "stolen", "state": "guessed"})[0] == 400
        assert get(redirect.port, {"code": "stolen"})[0] == 400
        assert server.browse(redirect.url, state="äöü")[0] == 400
        server.browse(redirect.url)
        assert redirect.token(30) == server.tokens[0]


def test_a_code_of_somebody_else(server: AuthorizationServer, client: OAuthClient) -> None:
    """One that was made for another challenge is refused by the provider, and that is told."""
    with Redirect(client, f"{server.base}/authorize") as one, Redirect(client, f"{server.base}/authorize") as other:
        server.browse(one.url)
        stolen = next(iter(server.codes))
        server.codes[stolen]["redirect_uri"] = other.back
        server.browse(other.url, code=stolen)
        with pytest.raises(Problem, match="the code was not accepted"):
            other.token(30)


@pytest.mark.parametrize(
    ("error", "words"), [("access_denied", "allow it there"), ("invalid_scope", "scope"), ("server_error", "server_error")]
)
def test_consent_refused(server: AuthorizationServer, client: OAuthClient, error: str, words: str) -> None:
    """The browser brings an error: it is told what to do, in one line."""
    with Redirect(client, f"{server.base}/authorize") as redirect:
        state = parse_qs(urlsplit(redirect.url).query)["state"][0]
        assert get(redirect.port, {"error": "bad\x1b[2J", "state": state})[0] == 400
        status, page = get(redirect.port, {"error": error, "error_description": "no\r\nway", "state": state})
        assert (status, "refused" in page) == (200, True)
        with pytest.raises(Problem, match=words) as caught:
            redirect.token(30)
    assert '"no way"' in str(caught.value)


def test_no_browser_comes(server: AuthorizationServer, client: OAuthClient) -> None:
    """It is not waited for without end."""
    with Redirect(client, f"{server.base}/authorize") as redirect, pytest.raises(Problem, match="nobody consented within 0 seconds"):
        redirect.token(0.01)


def test_a_port_that_is_taken(server: AuthorizationServer, client: OAuthClient) -> None:
    """It is named."""
    port = free_port()
    with Redirect(client, f"{server.base}/authorize", port=port) as redirect:
        assert redirect.back == f"http://127.0.0.1:{port}/"
        with pytest.raises(Problem, match=f"127.0.0.1:{port}"):
            Redirect(client, f"{server.base}/authorize", port=port)
