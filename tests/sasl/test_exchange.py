"""The server's side of an exchange, by itself."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from mailer.sasl.exchange import MECHANISMS, NOTHING, AuthExchange, BadResponse, Credentials, Known


def test_an_exchange_ends_in_credentials() -> None:
    """LOGIN asks twice, and what comes of it shows no password."""
    exchange = AuthExchange("LOGIN", NOTHING)
    assert b64decode(exchange.challenge) == b"Username:"
    assert exchange.respond(b64encode(b"ann")) is None
    assert b64decode(exchange.challenge) == b"Password:"
    found = exchange.respond(b64encode(b"secret"))
    assert found == Credentials("LOGIN", "ann", "secret")
    assert "secret" not in repr(found)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_who_gives_up_is_told_apart_from_who_talks_nonsense(mechanism: str) -> None:
    """A lone star cancels; what is no base 64, and base 64 of nonsense, cannot be read; neither shows what was said."""
    with pytest.raises(BadResponse) as caught:
        AuthExchange(mechanism, Known(nonce=lambda: "n")).respond(b"*")
    assert caught.value.cancelled
    for line in (b"=", b"AAA", b"hunter2!", b64encode(b"\0\0\0\0"), b64encode(b"\xff\xfe")):
        with pytest.raises(BadResponse) as caught:
            AuthExchange(mechanism, Known(nonce=lambda: "n")).respond(line)
        assert not caught.value.cancelled
        assert "hunter2" not in str(caught.value)
