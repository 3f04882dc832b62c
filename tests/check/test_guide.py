"""mailer-deliverability(7) keeps its promise: who publishes what it says gets a report without complaints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.cli import main
from tests.fakes.script import Script
from tests.peers.nsd import Nsd
from tests.peers.postfix import scratch

pytestmark = [pytest.mark.peer("nsd"), pytest.mark.xdist_group("check-guide")]

PAGE = (Path(__file__).parents[2] / "man/mailer-deliverability.7").read_text(encoding="ascii").replace("\\-", "-")
EXAMPLES = re.findall(r"^\.EX\n(.*?)^\.EE$", PAGE, re.MULTILINE | re.DOTALL)
RECORDS = [line for text in EXAMPLES for line in text.splitlines() if " IN " in line]
ELSEWHERE = """
2.0.0.127.bl.example. IN A 127.0.0.2
big.example. IN MX 10 mx.big.example.
mx.big.example. IN A 127.0.0.1
"""
CONFIG = """
[mailer]
hostname = "mail.example.com"
[submission]
default_domain = "example.com"
[delivery]
source4 = "192.0.2.10"
source6 = "2001:db8::10"
{delivery}
[check]
blocklists = ["bl.example"]
port_domain = "big.example"
time_server = ""
"""
GREETING = "S: 220 mx.big.example\nC: EHLO mail.example.com\nS: 250 mx.big.example\nC: QUIT\n"


def reverse6() -> str:
    """The page shows the PTR record of the IPv4 address, and says that the other one needs the same."""
    nibbles = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    return f"{nibbles}. IN PTR mail.example.com.\n"


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch("guide") as path:
        yield path


def report(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, object]]]:
    """The exit code, and what is not well."""
    code = main(["mailer", "check", "--json", "--config", str(config)])
    return code, [row for row in map(json.loads, capsys.readouterr().out.splitlines()) if row["result"] != "pass"]


def test_from_nothing_to_green(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, nearly everything is wrong; with the records of the page and the key that keygen makes, nothing is."""
    config = home / "config.toml"
    monkeypatch.setattr("mailer.check.outside._call", call_from_anywhere())
    with Script(GREETING) as script:
        text = CONFIG.format(delivery=f"mx_port = {script.port}\nallow_private = true")
        home.joinpath("before").mkdir()
        with Nsd(home / "before", {".": ELSEWHERE}) as nsd:
            config.write_text(f'{text}[dns]\nnameservers = ["{nsd.address}"]\n')
            code, before = report(config, capsys)
        assert code == 2
        assert {row["check"] for row in before} >= {"PTR", "EHLO", "MX", "SPF", "DKIM", "DMARC"}

        assert main(["mailer", "dkim", "keygen", "example.com", "--json", "--config", str(config), "--out", str(home / "key.pem")]) == 0
        key = json.loads(capsys.readouterr().out)
        home.joinpath("after").mkdir()
        zone = "\n".join([*RECORDS, key["zone"].replace("\n", " "), reverse6(), ELSEWHERE])
        with Nsd(home / "after", {".": zone}) as nsd:
            section = f'[[dkim]]\ndomain = "example.com"\nselector = "{key["selector"]}"\nkey_file = "{key["key_file"]}"\n'
            config.write_text(f'{text}[dns]\nnameservers = ["{nsd.address}"]\n{section}')
            assert report(config, capsys) == (0, [])


def call_from_anywhere() -> object:
    """The addresses of the page are nobody's, so a socket cannot call from them; all else is as it is."""
    from mailer.check.outside import _call

    def call(lookups: object, host: str, address: str, port: int, hello: str, _: object) -> object:
        return _call(lookups, host, address, port, hello, None)  # type: ignore[arg-type]

    return call


def test_the_page_shows_records() -> None:
    """What the test above publishes is there to be found."""
    assert len(RECORDS) >= 7
    assert any("_dmarc.example.com." in line for line in RECORDS)
