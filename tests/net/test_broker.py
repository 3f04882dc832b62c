"""Where a broker is: the address is read strictly, and nobody is shown what is secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config.sections.amqp import Amqp
from mailer.mail.problem import Problem
from mailer.net.broker import BrokerPlace, place


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://localhost", ("amqp", "localhost", 5672, "/", "guest", "guest")),
        ("amqps://me:p%40ss@broker.example/mail", ("amqps", "broker.example", 5671, "mail", "me", "p@ss")),
        ("amqps://me:x@[::1]:99/%2F", ("amqps", "::1", 99, "/", "me", "x")),
    ],
)
def test_an_address_is_read(url: str, expected: tuple[object, ...]) -> None:
    """Scheme, host, port, virtual host, name and password."""
    assert BrokerPlace.read(url, "it") == expected


@pytest.mark.parametrize(
    "url",
    ["", "http://h/", "amqp://", "amqp://h:0x/", "amqp://h:99999/", "amqp://h/a/b", "amqps://me:s3cret@h/?no_verify_ssl=1", "amqps://h/#x"],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    """Bad configuration, in words that could not hold the password."""
    with pytest.raises(Problem) as caught:
        BrokerPlace.read(url, "the file F")
    assert caught.value.kind == "bad-config"
    assert not url or url not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_it_is_shown_without_name_and_password() -> None:
    """Neither as a text nor to a developer."""
    where = BrokerPlace.read("amqps://me:s3cret@broker.example/mail", "it")
    assert (str(where), repr(where)) == ("amqps://broker.example:5671/mail", "BrokerPlace(amqps://broker.example:5671/mail)")


@pytest.mark.parametrize(
    ("host", "fine"), [("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("192.0.2.1", False), ("rabbit", False)]
)
def test_a_password_travels_in_the_clear_on_this_machine_only(tmp_path: Path, host: str, fine: bool) -> None:
    """Unless somebody has said that it may."""
    file = tmp_path / "url"
    file.write_text(f"amqp://me:s3cret@{host}/\n")
    file.chmod(0o600)
    section = Amqp(url_file=str(file))
    if fine:
        assert place(section).username == "me"
    else:
        with pytest.raises(Problem, match="unencrypted"):
            place(section)
    assert place(section.but(allow_plaintext_auth=True)).password == "s3cret"
