"""Mechanisms of AUTH."""

from __future__ import annotations

import pytest

from mailer.smtp.errors import CommandError
from mailer.smtp.sasl import MECHANISMS, Login, Mechanism, Plain, choose


def test_plain() -> None:
    """PLAIN says all in one message, and once more if the server did not listen."""
    plain = Plain("me", "pässword")
    assert plain.initial() == "\0me\0pässword".encode()
    assert plain.answer(b"") == plain.initial()
    assert plain.answer(b"and now?") is None


def test_login() -> None:
    """LOGIN answers two questions and cancels at the third."""
    login = Login("me", "secret")
    assert login.initial() is None
    assert [login.answer(b"Username:"), login.answer(b"whatever"), login.answer(b"more?")] == [b"me", b"secret", None]


@pytest.mark.parametrize("kind", MECHANISMS.values())
@pytest.mark.parametrize(("username", "secret"), [("a\0b", "x"), ("a", "x\n"), ("a", ""), ("", "x"), ("a\r", "x"), ("a", "x\u2028")])
def test_control_characters(kind: type[Mechanism], username: str, secret: str) -> None:
    """Credentials that hold a control character, or nothing, are refused without being shown."""
    with pytest.raises(CommandError) as caught:
        kind(username, secret)
    assert "x" not in str(caught.value).replace("exchange", "")


def test_choice() -> None:
    """The strongest that both sides know is taken; none, if there is none."""
    assert choose({"LOGIN", "PLAIN", "GSSAPI"}) is Plain
    assert choose({"LOGIN"}) is Login
    assert choose({"GSSAPI"}) is None
