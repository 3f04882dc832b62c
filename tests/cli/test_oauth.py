"""``mailer oauth login``: somebody consents, and the daemon finds the token where it looks for it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.config.secret import Secret
from mailer.net.oauth import OAuth
from tests.fakes.authorization import CLIENT, SCOPE, AuthorizationServer
from tests.fakes.processes import MAILER

from .dialogue import Dialogue
from .home import Home


class Login:
    """A home with a relay ``out`` whose provider is `server`, and its file for the token."""

    def __init__(self, home: Home, server: AuthorizationServer) -> None:
        self.home = home
        self.server = server
        self.file = home.path / "out.refresh"
        self.env = home.env | {"SSL_CERT_FILE": server.ca_file}
        self.configure(server.settings)

    def configure(self, settings: str) -> None:
        """The section of the relay."""
        self.home.configure(
            f'[relay.out]\nhost = "smtp.example.com"\nusername = "anna"\n{settings}oauth_refresh_token_file = "{self.file}"\n'
        )

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Without a terminal."""
        return subprocess.run([*MAILER, "oauth", "login", *arguments], capture_output=True, text=True, timeout=60, env=self.env)

    def at_terminal(self, *arguments: str) -> Dialogue:
        return Dialogue(["oauth", "login", *arguments], self.env)


@pytest.fixture
def login(home: Home) -> Iterator[Login]:
    with AuthorizationServer(home.path) as server:
        yield Login(home, server)


def test_by_a_device_code(login: Login) -> None:
    """The code is shown, somebody consents, and the token is in its file: nobody else's, and good for an access token."""
    login.file.write_text("one of before\n")
    with login.at_terminal("out") as said:
        heard = said.hears(f"{login.server.base}/activate", "type this code:", "waiting up to 10m")
        assert login.server.user_code in heard
        assert login.file.read_text() == "one of before\n"
        login.server.consent(login.server.user_code)
        assert said.ends() == 0
        assert f"the refresh token is in {login.file}" in said.said
        assert login.server.tokens[0] not in said.said
    assert stat.S_IMODE(login.file.stat().st_mode) == 0o600
    assert sorted(path.name for path in login.home.path.iterdir()) == ["config.toml", "oauth-ca.pem", "out.refresh"]
    tokens = OAuth(
        f"{login.server.base}/token", CLIENT, Secret("file", (str(login.file),)), f"{login.file}.access", ca_file=login.server.ca_file
    )
    assert tokens().startswith("access-")


def test_by_a_redirect(login: Login) -> None:
    """The address is printed, a browser comes back with a code, and --json says where the token is."""
    with login.at_terminal("out", "--redirect", "--json") as said:
        url = re.findall(r"https://\S+", said.hears("on this machine", "waiting up to 10m"))[0]
        assert login.server.browse(url)[0] == 200
        assert said.ends() == 0
        line = said.rest.splitlines()[-1]
    assert json.loads(line)["file"] == str(login.file)
    assert login.file.read_text() == login.server.tokens[0] + "\n"


def test_a_provider_of_openid_is_told_to_ask(login: Login) -> None:
    """It gives a refresh token only where somebody was asked (OpenID Connect Core 1.0 §11); others are not told what they may not know."""
    for scope, told in (("openid offline_access", True), ("mail.send offline", False)):
        login.configure(login.server.settings.replace(SCOPE, scope))
        with login.at_terminal("out", "--redirect") as said:
            said.hears("waiting")
            assert ("&prompt=consent" in said.said) is told


def test_a_browser_is_opened(login: Login, tmp_path: Path) -> None:
    """Where there is one: here a program that stands for a browser is told the address."""
    told = tmp_path / "told"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {told}.new\nmv {told}.new {told}\n')
    program.chmod(0o755)
    login.env |= {"BROWSER": f"{program} %s"}
    with login.at_terminal("out", "--redirect") as said:
        said.hears("a browser shows you", "waiting")
        login.server.browse(told.read_text())
        assert said.ends() == 0


def test_refused_in_the_browser(login: Login) -> None:
    """77, in one line that says what to do; the token of before stays."""
    login.file.write_text("one of before\n")
    with login.at_terminal("out") as said:
        said.hears("waiting")
        login.server.refuse(login.server.user_code)
        assert said.ends() == 77
        assert "mailer: access was refused in the browser (access_denied)" in said.rest
    assert login.file.read_text() == "one of before\n"


@pytest.mark.parametrize("way", ["--device", "--redirect"])
def test_interrupted(login: Login, way: str) -> None:
    """Ctrl-C ends it at once, and nothing is left."""
    with login.at_terminal("out", way) as said:
        said.hears("waiting")
        said.interrupt()
        assert said.ends(said.interrupt) == 75
        assert "mailer: interrupted" in said.rest
    assert not login.file.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 64, "it needs one relay"),
        (["out", "in"], 64, "it needs one relay"),
        (["out", "--device", "--redirect"], 64, "two ways"),
        (["out", "--port", "0"], 64, "--port takes a whole number from 1 to 65535"),
        (["in"], 67, "there is no [relay.in]"),
    ],
)
def test_mistakes(login: Login, arguments: list[str], code: int, words: str) -> None:
    """One line."""
    done = login(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert words in done.stderr
    assert login.server.asked == []


def test_what_is_not_known(login: Login) -> None:
    """Where a provider lets somebody consent, the configuration has to say, or it is one that is known."""
    login.configure(f'oauth_endpoint = "{login.server.base}/token"\noauth_client_id = "x"\n')
    done = login("out")
    assert done.returncode == 78
    assert "set relay.out.oauth_device_endpoint" in done.stderr
    login.configure('oauth_endpoint = "https://oauth2.googleapis.com/token"\noauth_client_id = "x"\n')
    done = login("out", "--device")
    assert done.returncode == 78
    assert "--redirect" in done.stderr
    with login.at_terminal("out") as said:  # by itself it goes the way that there is
        url = said.hears("waiting")
        assert "https://accounts.google.com/o/oauth2/v2/auth?response_type=code" in url
        assert "scope=https%3A%2F%2Fmail.google.com%2F" in url
        assert "access_type=offline&prompt=consent" in url
    login.configure('password_file = "/nonexistent"\n'.replace("\n", "\n#"))
    done = login("out")
    assert (done.returncode, "without tokens" in done.stderr) == (78, True)


def test_a_client_that_the_provider_does_not_know(login: Login) -> None:
    """78, with what the provider says."""
    login.configure(login.server.settings.replace(CLIENT, "stranger"))
    done = login("out")
    assert done.returncode == 78
    assert 'the client is not accepted (invalid_client): "no client stranger"' in done.stderr


def test_no_place_for_the_token(login: Login) -> None:
    """It is known before somebody has consented."""
    login.file = login.home.path / "config.toml" / "out.refresh"
    login.configure(login.server.settings)
    done = login("out")
    assert done.returncode == 73
    assert str(login.file) in done.stderr
    assert login.server.asked == []
