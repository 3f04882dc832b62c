"""``mailer check``: what it prints, for people and for programs, and how it exits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.cli import main
from tests.check.zones import HOME, ZONES
from tests.cli.home import Home
from tests.cli.terminal import Said
from tests.dkim.keys import key, pem
from tests.peers.nsd import Nsd
from tests.peers.postfix import scratch

pytestmark = [pytest.mark.peer("nsd"), pytest.mark.xdist_group("check-cli")]

CONFIG = """
[mailer]
hostname = "mail.good.example"
[submission]
default_domain = "good.example"
[relay.inside]
host = "smtp.smart.example"
[[route]]
match = "*.inside.example"
via = ["relay:inside"]
[delivery]
source4 = "198.51.100.10"
source6 = "2001:db8::10"
[check]
deadline = "60s"
blocklists = ["bl.example"]
time_server = ""
port_domain = "nowhere.example"
[dns]
nameservers = ["{address}"]
"""


@pytest.fixture(scope="module")
def nsd() -> Iterator[Nsd]:
    """The world of the checks, where good.example has published its key."""
    record = key("ed25519").record
    world = f'{ZONES["."]}s1._domainkey.good.example. IN TXT "{record}"\n'
    with scratch("nsd") as home, Nsd(home, {**ZONES, ".": world}) as running:
        yield running


class Program:
    """Runs ``mailer check`` with a configuration that signs."""

    def __init__(self, nsd: Nsd, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = directory / "config.toml"
        self.capsys = capsys
        path = directory / "s1.pem"
        path.write_bytes(pem("ed25519"))
        path.chmod(0o600)
        section = f'[[dkim]]\ndomain = "good.example"\nselector = "s1"\nkey_file = "{path}"\n'
        self.file.write_text(CONFIG.format(address=nsd.address) + section)

    def __call__(self, *arguments: str) -> Said:
        code = main(["mailer", "check", "--config", str(self.file), *arguments])
        return Said(code, *self.capsys.readouterr())


@pytest.fixture
def check(nsd: Nsd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(nsd, tmp_path, capsys)


def test_what_is_configured(check: Program) -> None:
    """Without a domain it takes those of the configuration; this host comes first, then each domain."""
    said = check()
    assert (said.code, said.err) == (1, "")  # nobody can be called in this world
    assert said.lines[0] == "this host"
    assert "good.example" in said.lines
    assert f"pass    PTR          {HOME}" in said.out
    assert "aligned: DKIM by good.example and SPF of a reverse-path at the domain" in said.out
    assert said.lines[-1].endswith("1 warn, 0 fail")


def test_all_is_well(check: Program) -> None:
    """Nothing to complain of: exit 0. (Mail leaves through a relay at the address that may send; port 25 is nobody's business.)"""
    text = check.file.read_text().replace("smtp.smart.example", HOME)
    check.file.write_text(text + '[[route]]\nmatch = "*"\nvia = ["relay:inside"]\n')
    said = check()
    assert (said.code, said.lines[-1].endswith("0 warn, 0 fail")) == (0, True), said.out


def test_what_to_publish(check: Program) -> None:
    """A domain with nothing: each fault, what to do, and the records, each whole on a line of its own; exit 2."""
    said = check("nothing.example")
    assert said.code == 2
    assert f'    nothing.example. IN TXT "v=spf1 ip4:{HOME} ip6:2001:db8::10 ~all"' in said.lines
    assert "    nothing.example. IN MX 10 mail.good.example." in said.lines
    assert '    _dmarc.nothing.example. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@nothing.example"' in said.lines
    assert "`mailer dkim keygen nothing.example`" in said.out


def test_several_domains(check: Program) -> None:
    """Each domain that is named gets its part; those of the configuration are left alone."""
    said = check("nothing.example", "Fail.Example.")
    assert [line for line in said.lines if line.endswith(".example") and " " not in line] == ["nothing.example", "fail.example"]


def test_for_programs(check: Program) -> None:
    """One object a finding, with stable names."""
    said = check("--json", "nothing.example", "--from-ip", "198.51.100.66")
    assert said.code == 2
    spf = next(one for one in said.objects if one["check"] == "SPF")
    assert spf == {
        "domain": "nothing.example",
        "check": "SPF",
        "subject": "nothing.example",
        "result": "fail",
        "evidence": "no record",
        "advice": "say who may send for it",
        "record": {
            "name": "nothing.example",
            "type": "TXT",
            "value": "v=spf1 ip4:198.51.100.66 ~all",
            "zone": 'nothing.example. IN TXT "v=spf1 ip4:198.51.100.66 ~all"',
        },
    }
    listed = next(one for one in said.objects if one["check"] == "blocklist")
    assert (listed["domain"], listed["result"], listed["record"]) == (None, "fail", None)


def test_several_addresses(check: Program) -> None:
    """--from-ip may be given for each address, and goes before what is configured."""
    said = check("--json", "--from-ip", HOME, "--from-ip", "2001:db8:0::10", "good.example")
    assert [one["subject"] for one in said.objects if one["check"] == "PTR"] == [HOME, "2001:db8::10"]


@pytest.mark.parametrize("arguments", [["--from-ip", "localhost"], ["--from-ip", "10.0.0"], ["no domain"], ["a..b"], ["[192.0.2.1]x y"]])
def test_what_cannot_be_checked(check: Program, arguments: list[str]) -> None:
    """A mistake on the command line: one line, exit 64, nothing looked up."""
    said = check(*arguments)
    assert (said.code, said.out, said.err.count("\n")) == (64, "", 1)


def test_quiet(check: Program) -> None:
    """Only the exit code."""
    assert check("-q", "nothing.example") == (2, "", "")


def test_no_escapes(check: Program, nsd: Nsd) -> None:
    """What strangers publish reaches no terminal as such."""
    said = check("escapes.example")
    assert "\x1b" not in said.out
    assert nsd.address


def test_without_a_configuration(nsd: Nsd, tmp_path: Path) -> None:
    """A user who has configured nothing but a name server is told of his host."""
    home = Home(tmp_path)
    home.configure(f'[dns]\nnameservers = ["{nsd.address}"]\n[check]\ntime_server = ""\nblocklists = []\nport_domain = "nowhere.example"\n')
    done = home.mailer("check", "--from-ip", HOME, "--json")
    assert done.returncode == 2
    assert {json.loads(line)["domain"] for line in done.stdout.splitlines()} == {None, "host.example.com"}


def test_at_a_terminal(nsd: Nsd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of the terminal's width; the records to publish are not broken."""
    from tests.cli.terminal import Shell

    program = Program(nsd, tmp_path, capsys)

    class Nowhere:
        class spool:  # noqa: N801
            root = str(tmp_path / "spool")

    said = Shell(Nowhere(), capsys).at_terminal("check", "nothing.example", "--config", str(program.file), columns=60)  # type: ignore[arg-type]
    assert said.code == 2
    assert f'    nothing.example. IN TXT "v=spf1 ip4:{HOME} ip6:2001:db8::10 ~all"' in said.lines
    assert all(len(line) <= 60 for line in said.lines if " IN " not in line)
