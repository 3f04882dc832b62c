"""``mailer route``, against a real name server on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailer.accounts.password import record
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
    file.write_text(f'{CONFIG}[dns]\nnameservers = ["{server.address}"]\n')
    return Program(file, capsys)


def test_mx(route: Program) -> None:
    """It shows the rule with its line, the hosts in order with their addresses, the terms, and what is left out."""
    code, out, err = route("you@example.com")
    assert (code, err) == (0, "")
    assert f'match = "*" ({route.file}:14)' in out
    assert "mx1.example.com:25 (MX 10) at 192.0.2.1" in out
    assert "if the host offers it, whatever its certificate" in out
    assert "destination              mx:mx1.example.com,mx2.example.com\n" in out
    assert "max connections          20 (built-in default)" in out
    assert "initial connections      2 (built-in default)" in out
    assert "mx2.example.com is not called at 10.0.0.1" in out


def test_relay(route: Program) -> None:
    """It shows the relay, the login and that the certificate has to be valid; the secret is not even read."""
    code, out, err = route("you@a.example.net")
    assert (code, err) == (0, "")
    assert "relay:out, as me" in out
    assert "smtp.example.net:587 at 192.0.2.25" in out
    assert "required, by STARTTLS, with a valid certificate" in out


def test_the_sender_that_it_leaves_with(route: Program) -> None:
    """The bounce address with the form of a token, the author that a relay takes, or nothing: then it is that of the message."""
    assert "\nsender " not in route("you@example.com")[1]
    whole = route.file.read_text().replace('username = "me"', 'username = "me"\nauthor = "Shop <shop@example.org>"')
    route.file.write_text(f'{whole}[bounce]\naddress = "bounces@example.org"\n')
    line = len(whole.splitlines()) + 2
    assert f"sender                   bounces+ID-0-SIGNATURE@example.org ({route.file}:{line})\n" in route("you@example.com")[1]
    assert f"sender                   shop@example.org ({route.file}:9)\n" in route("you@a.example.net")[1]
    found = [json.loads(text)["ways"][0]["return_path"] for text in route("--json", "you@example.com", "you@a.example.net")[1].splitlines()]
    assert found == ["bounces+ID-0-SIGNATURE@example.org", "shop@example.org"]
    route.file.write_text(f'{whole}[bounce]\naddress = "bounces@example.org"\nverp = "off"\n')
    assert "\nsender " not in route("you@example.com")[1]


def test_a_domain_of_ours(route: Program, server: Nameserver, tmp_path: Path) -> None:
    """It shows the section with its line and the mailbox, before every route, and asks nobody; no token is in a sender who has arrived."""
    users = tmp_path / "users"
    users.write_text(f"you@example.com:{record('correct horse', b'salt', cost=4)}\n")
    users.chmod(0o600)
    text = route.file.read_text() + f'[bounce]\naddress = "bounces@example.org"\n[accounts]\nsource = "file"\nusers_file = "{users}"\n'
    route.file.write_text(f'{text}[[domain]]\nname = "example.com"\nvia = "maildir:/srv/{{domain}}/{{user}}"\n')
    line = len(text.splitlines()) + 2
    code, out, err = route("You+x@example.com")
    assert (code, err) == (0, "")
    assert f'rule                     domain = "example.com" ({route.file}:{line})\n' in out
    assert "mailbox                  /srv/example.com/you\n" in out
    assert "\nsender " not in out
    assert not server.asked
    found, bad = map(json.loads, route("--json", "you@example.com", '".."@example.com')[1].splitlines())
    assert (found["ours"], found["rule"]["line"], found["ways"][0]["mailbox"]) == (True, line, "/srv/example.com/you")
    assert (found["ways"][0]["return_path"], found["destination"]) == (None, "maildir:/srv/{domain}/{user}")
    assert bad["ways"][0]["mailbox"] == "it cannot be the name of a mailbox"
    route.file.write_text(f'{text}[[domain]]\nname = "example.com"\nvia = "local"\n')
    found = json.loads(route("--json", "You+x@example.com")[1])
    assert (found["ways"][0]["via"], found["ways"][0]["mailbox"], found["destination"]) == ("local", "you@example.com", "local")


def test_an_alias_of_ours(route: Program, server: Nameserver, tmp_path: Path) -> None:
    """It shows whom it leads to, and from whom a stranger's mail leaves then; and that nobody is called so."""
    (tmp_path / "aliases").write_text("sales: eve@elsewhere.example\n")
    spool = f'[mailer]\nspool = "{tmp_path}"\n'
    domain = f'[[domain]]\nname = "example.com"\nvia = "maildir:/srv/{{user}}"\naliases_file = "{tmp_path}/aliases"\n'
    route.file.write_text(route.file.read_text().replace("[mailer]\n", spool) + domain)
    out = route("sales@example.com")[1]
    assert "mailbox " not in out
    assert "leads to  eve@elsewhere.example, from SRS0=HASH=DAY=DOMAIN=NAME@example.com where a stranger writes\n" in out
    assert "NOBODY   550 5.1.1 nobody of that name lives here\n" in route("bob@example.com")[1]
    alias, nobody = (json.loads(line)["resident"] for line in route("--json", "sales@example.com", "bob@example.com")[1].splitlines())
    sender = "SRS0=HASH=DAY=DOMAIN=NAME@example.com"
    people = [{"address": "eve@elsewhere.example", "for": "sales@example.com", "sender": sender}]
    assert alias == {"kind": "forward", "recipients": people, "reply": None}
    assert nobody == {"kind": "unknown", "recipients": [], "reply": "550 5.1.1 nobody of that name lives here"}


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
    limits = {limit.pop("name"): limit for limit in mx.pop("limits")}
    assert limits["max_connections"] == {"value": 20, "source": "default", "line": None, "shared_by": None}
    assert limits["message_rate"]["value"] is None
    assert limits["retry_schedule"]["value"] == ["1m", "5m", "15m", "30m", "1h", "2h", "4h"]
    assert mx == {
        "address": "you@example.com",
        "sandbox": None,
        "diverted": False,
        "domain": "example.com",
        "rule": {"match": "*", "via": ["mx"], "line": 14},
        "ours": False,
        "resident": None,
        "verdict": None,
        "ways": [
            {
                "via": "mx",
                "destination": "mx:mx1.example.com,mx2.example.com",
                "mailbox": None,
                "hosts": [{"host": "mx1.example.com", "port": 25, "preference": 10, "addresses": ["192.0.2.1"]}],
                "notes": ["mx2.example.com is not called at 10.0.0.1: mail for others does not go there"],
                "tls": {"mode": "opportunistic", "verified": False, "server_name": None, "source": "built-in default"},
                "username": None,
                "return_path": None,
                "sessions": {"first": 2, "most": 20},
                "error": None,
            }
        ],
        "destination": "mx:mx1.example.com,mx2.example.com",
        "limits_in_all": {"message_rate": None, "connection_rate": None},
    }
    assert (relay["domain"], relay["ways"][0]["username"], relay["ways"][0]["tls"]["verified"]) == ("a.example.net", "me", True)
    assert (never["verdict"], never["destination"], never["limits"]) == ("fail", None, [])
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


SHAPED = """
[delivery]
message_rate = "500/min"
[[source]]
name = "first"
addresses = ["192.0.2.99"]
warm_up = [50, 100]
[[shape]]
match = ["*.example.com"]
share = true
max_connections = 3
message_rate = "10/s"
retry_schedule = ["10m", "1h"]
[[shape]]
match = ["example.com", "relay:out"]
initial_connections = 1
breaker_first = "2m"
"""


def test_each_limit_has_its_line(route: Program) -> None:
    """What a section says, what [delivery] says, and what nobody says; what destinations have together, and what is for all the world."""
    with route.file.open("a") as file:
        file.write(SHAPED)
    head = len((CONFIG + "[dns]\nnameservers\n").splitlines())
    code, out, _ = route("you@example.com")
    lines = dict(line.split("  ", 1) for line in out.splitlines())
    found = {name: text.strip() for name, text in lines.items()}
    file = str(route.file)
    assert code == 0
    assert found["destination"] == "mx:mx1.example.com,mx2.example.com for:example.com"
    assert found["max connections"] == f"3 ({file}:{head + 11}, together with all of *.example.com)"
    assert found["message rate"] == f"10/s ({file}:{head + 12}, together with all of *.example.com)"
    assert found["initial connections"] == f"1 ({file}:{head + 16})"
    assert found["breaker first"] == f"2m ({file}:{head + 17})"
    assert found["retry schedule"] == f"10m, 1h ({file}:{head + 13})"
    assert found["connection rate"] == "no limit (built-in default)"
    assert found["sources"] == f"first ({file}:{head + 5})"
    assert found["in all"] == f"message rate 500/min ({file}:{head + 3})"


def test_each_limit_has_its_line_for_programs(route: Program) -> None:
    """The same as JSON: the file and the line apart, values as the file writes them."""
    with route.file.open("a") as file:
        file.write(SHAPED)
    code, out, _ = route("--json", "you@a.example.net")
    record = json.loads(out)
    limits = {limit["name"]: limit for limit in record["limits"]}
    assert code == 0
    assert record["destination"] == "relay:out"
    assert record["limits_in_all"] == {"message_rate": "500/min", "connection_rate": None}
    assert (limits["initial_connections"]["value"], limits["initial_connections"]["source"]) == (1, str(route.file))
    assert limits["message_rate"]["value"] is None
    assert "sources" not in limits
    assert record["ways"][0]["sessions"] == {"first": 1, "most": 20}
