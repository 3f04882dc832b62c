"""``mailer route``, against a real name server on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailer.cli import main
from tests.fakes.nameserver import Nameserver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDS = """
example.com.      60 IN MX 20 mx2.example.com.
example.com.      60 IN MX 10 mx1.example.com.
mx1.example.com.  60 IN A 192.0.2.1
mx2.example.com.  60 IN A 10.0.0.1
nomail.example.   60 IN MX 0 .
evil.example.     60 IN MX 1 a\\027[31m.example.com.
evil.example.     60 IN MX 2 mx1.example.com.
smtp.example.net. 60 IN A 192.0.2.25
"""
CONFIG = """
[mailer]
hostname = "mail.example.org"
[submission]
default_domain = "example.com"
[relay.out]
host = "smtp.example.net"
username = "me"
password_env = "MAILER_TEST_SECRET"
[[route]]
match = "*.example.net"
via = ["relay:out"]
[[route]]
match = "*"
via = ["mx"]
"""


class Program:
    """Runs ``mailer route`` with a configuration."""

    def __init__(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = file
        self.capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["mailer", "route", "--config", str(self.file), *arguments])
        return code, *self.capsys.readouterr()


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with Nameserver(RECORDS) as running:
        yield running


@pytest.fixture
def route(server: Nameserver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    file = tmp_path / "config.toml"
    file.write_text(f'{CONFIG}[dns]\nnameservers = ["{server.address}"]\ntimeout = "1s"\n')
    return Program(file, capsys)


def test_mx(route: Program) -> None:
    """It shows the rule with its line, the hosts in order with their addresses, the terms, and what is left out."""
    code, out, err = route("you@example.com")
    assert (code, err) == (0, "")
    assert f'match = "*" ({route.file}:14)' in out
    assert "mx1.example.com:25 (MX 10) at 192.0.2.1" in out
    assert "if the host offers it, whatever its certificate" in out
    assert "2 at first, at most 20" in out
    assert "mx2.example.com is not called at 10.0.0.1" in out


def test_relay(route: Program) -> None:
    """It shows the relay, the login and that the certificate has to be valid; the secret is not even read."""
    code, out, err = route("you@a.example.net")
    assert (code, err) == (0, "")
    assert "relay:out, as me" in out
    assert "smtp.example.net:587 at 192.0.2.25" in out
    assert "required, by STARTTLS, with a valid certificate" in out


def test_only_the_dns_is_asked(route: Program, server: Nameserver) -> None:
    """A relay is looked up and nothing else happens."""
    route("you@a.example.net")
    assert {name for name, _, _ in server.asked} == {"smtp.example.net"}


def test_default_domain(route: Program) -> None:
    """A bare name gets the domain that submission would give it."""
    assert "root@example.com" in route("root")[1]


@pytest.mark.parametrize(("address", "code", "reply"), [("a@nomail.example", 69, "556 5.1.10"), ("a@nowhere.example", 69, "550 5.1.2")])
def test_never(route: Program, address: str, code: int, reply: str) -> None:
    """Where there is no way and never will be, it says why and exits 69."""
    found, out, _ = route(address)
    assert found == code
    assert f"never    {reply}" in out


def test_not_now(route: Program, server: Nameserver) -> None:
    """Where the DNS fails, it says so and exits 75; that another address can never be reached weighs more."""
    server.misbehave("broken.example", "servfail")
    code, out, _ = route("a@broken.example", "a@example.com")
    assert code == 75
    assert "not now  451 4.4.3" in out
    assert route("a@broken.example", "a@nomail.example")[0] == 69


def test_json(route: Program) -> None:
    """One object a line, with stable names."""
    code, out, _ = route("--json", "you@example.com", "you@A.example.net", "you@nomail.example")
    mx, relay, never = (json.loads(line) for line in out.splitlines())
    assert code == 69
    assert mx == {
        "address": "you@example.com",
        "domain": "example.com",
        "rule": {"match": "*", "via": ["mx"], "line": 14},
        "verdict": None,
        "ways": [
            {
                "via": "mx",
                "destination": "mx:mx1.example.com,mx2.example.com",
                "hosts": [{"host": "mx1.example.com", "port": 25, "preference": 10, "addresses": ["192.0.2.1"]}],
                "notes": ["mx2.example.com is not called at 10.0.0.1: mail for others does not go there"],
                "tls": {"mode": "opportunistic", "verified": False, "server_name": None},
                "username": None,
                "sessions": {"first": 2, "most": 20},
                "error": None,
            }
        ],
    }
    assert (relay["domain"], relay["ways"][0]["username"], relay["ways"][0]["tls"]["verified"]) == ("a.example.net", "me", True)
    assert never["verdict"] == "fail"
    assert (never["ways"][0]["error"]["code"], never["ways"][0]["error"]["enhanced"]) == (556, "5.1.10")


def test_one_relay_and_no_rule(server: Nameserver, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who configures one relay and no rule sees that it takes all mail."""
    file = tmp_path / "config.toml"
    file.write_text(f'[relay.out]\nhost = "smtp.example.net"\n[dns]\nnameservers = ["{server.address}"]\n')
    code, out, _ = Program(file, capsys)("you@example.com")
    assert code == 0
    assert "one relay, which takes all mail" in out
    assert "relay:out" in out


@pytest.mark.parametrize("arguments", [[], ["you@"], ["a@b@"], ["you@example.com", "@"]])
def test_no_address(route: Program, arguments: list[str]) -> None:
    """What is no address is a mistake on the command line: one line, exit 64, nothing looked up."""
    code, out, err = route(*arguments)
    assert (code, out) == (64, "")
    assert err.count("\n") == 1


def test_no_escapes(route: Program) -> None:
    """A host whose name holds control characters reaches neither the terminal as such nor the network."""
    code, out, _ = route("you@evil.example")
    assert code == 0
    assert "mx1.example.com" in out
    assert "left out" in out
    assert "\x1b" not in out
