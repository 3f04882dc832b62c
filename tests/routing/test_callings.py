"""What a reload compares: how a relay is called, and with what."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config import load
from mailer.config.model import Config
from mailer.routing.resolve import callings, changed

TEXT = """
[mailer]
hostname = "here.example"
[relay.out]
host = "smtp.example.com"
username = "me"
password_file = "{home}/secret"
[[route]]
match = "*"
via = ["relay:out"]
[relay.other]
host = "smtp.example.net"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("first\n")
    (tmp_path / "secret").chmod(0o600)
    return tmp_path


def configured(home: Path, text: str = TEXT) -> Config:
    file = home / "config.toml"
    file.write_text(text.format(home=home))
    return load(str(file))


def test_what_is_as_it_was_is_no_news(home: Path) -> None:
    """Nor is a relay that is new, or gone."""
    before = callings(configured(home))
    assert changed(before, callings(configured(home))) == set()
    assert changed(before, callings(configured(home, TEXT.partition("[relay.other]")[0]))) == set()
    assert changed(callings(configured(home, TEXT.partition("[relay.other]")[0])), before) == set()


def test_another_password_is_another_way_to_call(home: Path) -> None:
    """Written into the same file, as long as the one before."""
    before = callings(configured(home))
    (home / "secret").write_text("other\n")
    assert changed(before, callings(configured(home))) == {"out"}


@pytest.mark.parametrize(
    ("old", "new", "who"),
    [
        ("smtp.example.com", "smtp2.example.com", {"out"}),
        ('"me"', '"you"', {"out"}),
        ("here.example", "there.example", {"", "out", "other"}),
        ("[relay.out]", '[tls]\nmin_version = "1.3"\n[relay.out]', {"", "out", "other"}),
        ("[relay.out]", '[delivery]\nsource4 = "127.0.0.9"\n[relay.out]', {"", "out", "other"}),
        ("[relay.out]", "[delivery]\nmax_connections = 7\n[relay.out]", set()),
    ],
)
def test_so_is_each_setting_that_the_host_gets_to_see(home: Path, old: str, new: str, who: set[str]) -> None:
    """Of the relay, or of this host, which all of them get to see; how many sessions there are says nothing about a host."""
    before = callings(configured(home))
    assert changed(before, callings(configured(home, TEXT.replace(old, new)))) == who
