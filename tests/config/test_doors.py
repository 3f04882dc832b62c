"""The sections of doors: places, networks, certificates, and what must not be beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config.advice import missing
from mailer.config.file import config_of, examine
from mailer.config.sections.doors import DoorPlace, ProxyNetwork

DOOR = '[[listen]]\nkind = "web"\n'


def mistakes(text: str) -> list[tuple[int, str]]:
    config, found = examine("", text.encode())
    assert (config is None) == bool(found)
    return [(each.line, each.text) for each in found]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:8025", DoorPlace("127.0.0.1", 8025)),
        ("[::1]:8025", DoorPlace("::1", 8025)),
        ("localhost:80", DoorPlace("localhost", 80)),
        ("/run/mailer/web.sock", DoorPlace(path="/run/mailer/web.sock")),
    ],
)
def test_places(text: str, place: DoorPlace) -> None:
    """An address with its port, or a path; one alone needs no brackets."""
    config = config_of("", f'{DOOR}address = "{text}"\n'.encode(), "/")
    assert config.listens[0].address == (place,)
    assert str(place) == text
    assert not place.public


@pytest.mark.parametrize("text", ["", "8025", "127.0.0.1", ":8025", "127.0.0.1:99999", "web.sock", "::1:8025:x", "/" + "x" * 200])
def test_what_is_no_place(text: str) -> None:
    """The mistake is in its line."""
    assert [line for line, _ in mistakes(f'{DOOR}address = "{text}"\n')] == [3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('address = "127.0.0.1:1"\ntls = "implicit"', "certificate_file"),
        ('address = "127.0.0.1:1"\ncertificate_file = "/x.pem"', 'tls = "implicit"'),
        ('address = "127.0.0.1:1"\nkey_file = "/x.pem"', 'tls = "implicit"'),
        ('address = "127.0.0.1:1"\nproxies = ["10.0.0.0/33"]', "no network"),
        ('address = "127.0.0.1:1"\nproxies = ["10.0.0.1/8"]', "no network"),
        ('address = "127.0.0.1:1"\nmode = "rw"', "no mode"),
        ('address = "127.0.0.1:1"\nmode = "1777"', "no mode"),
        ('address = "0.0.0.0:1"', "no loopback address"),
        ('address = ["127.0.0.1:1", "[::]:1"]', "no loopback address"),
        ('address = "127.0.0.1:1"\n[[listen]]\nkind = "web"\naddress = "127.0.0.1:1"', "another door"),
        ("address = []", "empty"),
        ('address = "127.0.0.1:1"\n[api]\nhosts = ["a b"]', "hosts"),
    ],
)
def test_what_cannot_be(text: str, words: str) -> None:
    """One mistake, with what to write."""
    found = mistakes(f"{DOOR}{text}\n")
    assert len(found) == 1
    assert words in found[0][1]


def test_behind_a_proxy_keys_go_in_the_clear() -> None:
    """Where somebody has said that there is one."""
    config = config_of("", f'{DOOR}address = "0.0.0.0:8025"\nproxies = ["10.0.0.1", "2001:db8::/32", "unix"]\n'.encode(), "/")
    assert list(map(str, config.listens[0].proxies)) == ["10.0.0.1/32", "2001:db8::/32", "unix"]
    assert config.listens[0].proxies[2] == ProxyNetwork(None)
    assert config.listens[0].address[0].public


def test_a_check_looks_at_what_a_door_needs(tmp_path: Path) -> None:
    """Its certificate, and the place of its socket."""
    files = f'certificate_file = "{tmp_path}/web.pem"\nkey_file = "{tmp_path}/web.key"\n'
    text = f'{DOOR}address = "{tmp_path}/none/web.sock"\ntls = "implicit"\n{files}'
    config = config_of("", text.encode(), str(tmp_path / "spool"))
    found = [(each.line, each.text) for each in missing(config)]
    assert [line for line, _ in found] == [5, 6, 3]
    for (_, said), words in zip(found, ("web.pem", "web.key", "no socket can be made"), strict=True):
        assert words in said
    for name in ("web.pem", "web.key"):
        (tmp_path / name).touch()
    (tmp_path / "none").mkdir()
    assert not list(missing(config))
