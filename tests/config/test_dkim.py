from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config.advice import missing
from mailer.config.file import at, config_of, examine
from mailer.config.model import as_lines, as_rows
from mailer.config.secret import LONGEST_KEY, read_key
from mailer.mail.dates import parse_rfc3339
from mailer.mail.problem import Problem
from tests.dkim.keys import key, pem

KEY = '[[dkim]]\ndomain = "example.com"\nselector = "s1"\nkey_file = "/keys/s1.pem"\n'


def problems(text: str) -> list[str]:
    """All that is wrong with a file, as the user sees it."""
    return [at("c.toml", problem) for problem in examine("c.toml", text.encode())[1]]


def test_a_key_and_its_defaults() -> None:
    """Three settings make a key that signs; its signatures hold for two weeks, and mail waits for it."""
    (key,) = config_of("", KEY.encode()).dkim
    assert (key.domain, key.selector, key.key_file) == ("example.com", "s1", "/keys/s1.pem")
    assert (key.expire, key.on_failure, key.signs) == (14 * 86400.0, "defer", True)


@pytest.mark.parametrize(
    ("more", "signs"), [("waiting = true", False), ('retired = "2026-11-21T00:00:00Z"', False), ("waiting = false", True)]
)
def test_keys_that_do_not_sign(more: str, signs: bool) -> None:
    """One that waits for its record, and one that is retired."""
    (key,) = config_of("", f"{KEY}{more}\n".encode()).dkim
    assert key.signs == signs


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[dkim]\ndomain = "example.com"\n', "c.toml:1: keys of DKIM are a list; write [[dkim]] above each"),
        ('[[dkim]]\nselector = "s"\nkey_file = "/k"\n', 'c.toml:1: [[dkim]] has no domain; write domain = "example.com"'),
        (KEY.replace("example.com", "a b"), "c.toml:2: domain: "),
        (KEY.replace('"s1"', '"s_1"'), 'c.toml:3: selector: "s_1" is no selector; use letters, digits and -'),
        (KEY.replace('"s1"', '"-s"'), 'c.toml:3: selector: "-s" is no selector'),
        (KEY.replace('"s1"', '"s..1"'), 'c.toml:3: selector: "s..1" is no selector'),
        (KEY.replace('"s1"', f'"{"s" * 64}"'), "c.toml:3: selector: "),
        (KEY.replace("/keys/s1.pem", "s1.pem"), "c.toml:4: key_file: this is no whole path"),
        (KEY.replace("/keys/s1.pem", ""), "c.toml:4: this is empty; name the file"),
        (f'{KEY}on_failure = "bounce"\n', 'c.toml:5: on_failure: "bounce" is none of defer | unsigned'),
        (f'{KEY}expire = "0s"\n', "c.toml:5: expire: "),
        (f'{KEY}retired = "yesterday"\n', "c.toml:5: retired: "),
        (f'{KEY}waiting = true\nretired = "2026-11-21T00:00:00Z"\n', "c.toml:5: a key that is retired waits for nothing"),
        (f"{KEY}{KEY.replace('example', 'EXAMPLE')}", "c.toml:7: line 3 has the key s1._domainkey.example.com already"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    """Each is told with its line."""
    (found,) = problems(text)
    assert found.startswith(problem)


def test_selectors_and_times_have_one_form() -> None:
    """A selector in lower case, with dots if it has several labels; a time in UTC."""
    text = KEY.replace('"s1"', '"S1.Mail"') + 'retired = "2026-11-21T03:00:00+01:00"\n'
    (key,) = config_of("", text.encode()).dkim
    assert (key.selector, key.retired) == ("s1.mail", parse_rfc3339("2026-11-21T02:00:00Z"))


def test_keys_are_shown() -> None:
    """`config show` prints them as the file would have them, and as rows."""
    config = config_of("c.toml", KEY.encode())
    assert "[[dkim]]" in list(as_lines(config))
    assert {"key": "dkim.0.selector", "value": "s1", "source": "c.toml", "line": 3} in list(as_rows(config))


def test_a_key_file_is_read(tmp_path: Path) -> None:
    """By its owner, from a file that nobody else can read."""
    path = tmp_path / "k.pem"
    path.write_bytes(pem())
    path.chmod(0o600)
    assert read_key(str(path)).record == key().record


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever else could read it may have it: the file is not used, and what to do is said."""
    path = tmp_path / "k.pem"
    path.write_bytes(pem())
    path.chmod(mode)
    with pytest.raises(Problem, match=f"others can read the key file {path}; run: chmod 600") as caught:
        read_key(str(path))
    assert caught.value.kind == "bad-config"


@pytest.mark.parametrize("data", [b"", b"nonsense", b"x" * (LONGEST_KEY + 10)])
def test_a_key_file_without_a_key(tmp_path: Path, data: bytes) -> None:
    """It is named, and nothing of what is in it."""
    path = tmp_path / "k.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(Problem, match=f"the key file {path} cannot be used: it is no private key in PEM"):
        read_key(str(path))


def test_check_finds_keys_that_cannot_sign(tmp_path: Path) -> None:
    """`config check` reads them, with the line that names the file."""
    path = tmp_path / "k.pem"
    config = config_of("c.toml", KEY.replace("/keys/s1.pem", str(path)).encode())
    (problem,) = missing(config)
    assert problem == (4, f"cannot read the key file {path}: No such file or directory")
    path.write_bytes(pem())
    path.chmod(0o600)
    assert list(missing(config)) == []


def test_the_domain_of_a_key_is_also_said_as_the_dns_has_it() -> None:
    """In A-labels and in lower case, whatever the file has."""
    (key,) = config_of("", '[[dkim]]\ndomain = "Bücher.example"\nselector = "s"\nkey_file = "/k"\n'.encode()).dkim
    assert (key.domain, key.ascii_domain) == ("Bücher.example", "xn--bcher-kva.example")
