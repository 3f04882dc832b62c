"""Where figures are served: addresses as people write them, and what is no address."""

from __future__ import annotations

import pytest

from mailer.config import Config
from mailer.config.file import at, config_of, examine
from mailer.config.model import as_lines


def problems(value: str) -> list[str]:
    """All that is wrong with a file that says so, as the user sees it."""
    return [at("c.toml", problem) for problem in examine("c.toml", f"[metrics]\nlisten = {value}\n".encode())[1]]


def test_there_are_none_by_default() -> None:
    """No file, an empty section and an empty value mean the same: nowhere."""
    assert [config.metrics.listen for config in (Config(), config_of("", b"[metrics]\n"), config_of("", b'[metrics]\nlisten = ""\n'))] == [
        None
    ] * 3


@pytest.mark.parametrize(
    ("written", "listen"),
    [
        ("127.0.0.1:9925", "127.0.0.1:9925"),
        ("0.0.0.0:1", "0.0.0.0:1"),
        ("[::1]:65535", "[::1]:65535"),
        ("[0:0::1]:9925", "[::1]:9925"),
        ("[127.0.0.1]:9925", "127.0.0.1:9925"),
        ("localhost:9925", "localhost:9925"),
    ],
)
def test_an_address_and_a_port(written: str, listen: str) -> None:
    """IPv4, IPv6 in brackets, and names; what is printed of it can be read again."""
    config = config_of("", f'[metrics]\nlisten = "{written}"\n'.encode())
    assert str(config.metrics.listen) == listen
    assert config_of("", "\n".join(as_lines(config)).encode()).metrics == config.metrics


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('":9925"', "is no address to listen on"),
        ('"127.0.0.1"', "is no address to listen on"),
        ('"127.0.0.1:"', "is no address to listen on"),
        ('"127.0.0.1:http"', "is no address to listen on"),
        ('"127.0.0.1:٣"', "is no address to listen on"),
        ('"::1:9925"', "is no address to listen on"),
        ('"[::1:9925"', "is no address to listen on"),
        ('"::1]:9925"', "is no address to listen on"),
        (f'"127.0.0.1:{"9" * 5000}"', "is no address to listen on"),
        ('"127.0.0.1:0"', "is no port"),
        ('"127.0.0.1:65536"', "is no port"),
        ('"*:9925"', "is no domain"),
        ('"[x]:9925"', "is no domain"),
        ("9925", "is no text"),
        ("true", "is no text"),
        ('["127.0.0.1:9925"]', "a list where there is one value"),
    ],
)
def test_what_is_refused(value: str, problem: str) -> None:
    """One line each, with its place and what is wrong."""
    (line,) = problems(value)
    assert line.startswith("c.toml:2: listen: ")
    assert problem in line
    assert "\n" not in line


def test_a_slip_in_the_name_is_found() -> None:
    """The nearest name is offered."""
    text = b'[metrics]\nlisten_on = "127.0.0.1:9925"\n[metric]\n'
    found = [at("c.toml", problem) for problem in examine("c.toml", text)[1]]
    assert [line.partition("did you mean ")[2] for line in found] == ["listen?", "[metrics]?"]
