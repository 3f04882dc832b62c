"""From the greeting to the first MAIL: what the dialogs do not show."""

from __future__ import annotations

import pytest

from mailer.smtp.handshake import Wish, handshake
from mailer.smtp.reply import CommandError, Reply, SessionRefused
from tests.fakes.dialog import Dialog, Turn
from tests.fakes.machine import Machine, whole
from tests.smtp.test_client import ready


def auth(mechanisms: str, username: str, secret: str, *turns: tuple[str, bytes]) -> list[str]:
    """What comes of AUTH with these credentials."""
    greeting = b"220 x\r\n", b"EHLO client.example.org\r\n", f"250-x\r\n250 AUTH {mechanisms}\r\n".encode()
    said = [Turn(who, data) for who, data in zip("SCS", greeting, strict=True)]
    dialog = Dialog("auth", login=(username, secret), allow_plain=True, turns=[*said, *(Turn(who, data) for who, data in turns)])
    return Machine(dialog, whole).run()


@pytest.mark.parametrize(("username", "secret"), [("me", "line\n"), ("m\0e", "x"), ("me", "")])
def test_credentials_that_nobody_can_send(username: str, secret: str) -> None:
    """A password with a line end (a file that was read whole) is our mistake, found before AUTH is said."""
    (result,) = auth("PLAIN", username, secret)
    assert result.startswith("open auth auth 535 5.7.8 the ")
    assert "line" not in result.replace("a line end", "")


def test_a_long_password_waits_to_be_asked() -> None:
    """A response that would make the AUTH line too long is given when the server asks, RFC 4954 §4."""
    results = auth(
        "PLAIN",
        "me",
        "x" * 600,
        ("C", b"AUTH PLAIN\r\n"),
        ("S", b"334\r\n"),
        ("C", b"AG1lAH" + b"h4eH" * 199 + b"h4eA==\r\n"),
        ("S", b"235 ok\r\n"),
    )
    assert results == ["usable"]


def test_a_name_that_no_command_can_carry() -> None:
    """A host name with a line end never becomes an EHLO."""
    talk = handshake(ready(), Wish("me.example\r\nMAIL FROM:<x@y.example>"))
    next(talk)
    with pytest.raises(CommandError):
        talk.send(Reply.own(220, "", "hello"))


def test_the_refusal_tells_all() -> None:
    """What refuses a session says kind, phase and reply."""
    talk = handshake(ready(), Wish("me.example"))
    next(talk)
    with pytest.raises(SessionRefused) as caught:
        talk.send(Reply.own(554, "5.7.1", "no"))
    assert (caught.value.kind, caught.value.phase, caught.value.reply.code) == ("refused", "greeting", 554)


def test_secrets_stay_out_of_sight() -> None:
    """What a session wishes for can be shown without its password."""
    assert "hunter2" not in repr(Wish("me.example", username="me", secret="hunter2"))
