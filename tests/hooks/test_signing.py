"""Signatures of webhooks, read by a verifier that is not ours."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from mailer.hooks.signing import NEW, basic, read_secrets, signed, written

KEY, OTHER = bytes(range(32)), bytes(range(100, 132))


@given(st.binary(min_size=24, max_size=64), st.text(max_size=200).map(lambda text: f'{{"x":{len(text)}}}'))
def test_a_verifier_that_is_not_ours_agrees(key: bytes, body: str) -> None:
    """For every secret and body."""
    headers = dict(signed("01JDZ3N4T0000000000000000A", time.time(), body.encode(), [key]))
    assert Webhook(written(key)).verify(body, headers) is not None


@pytest.mark.parametrize("seconds", [-301.0, 301.0])
def test_what_was_recorded_is_of_no_use_later(seconds: float) -> None:
    """The receiver refuses a timestamp that is five minutes old, or to come."""
    headers = dict(signed("01JDZ3N4T0000000000000000A", time.time() + seconds, b"{}", [KEY]))
    with pytest.raises(WebhookVerificationError):
        Webhook(written(KEY)).verify(b"{}", headers)


def test_another_body_id_or_secret_is_noticed() -> None:
    """All three are signed, and the time."""
    headers = dict(signed("01JDZ3N4T0000000000000000A", time.time(), b"{}", [KEY]))
    for body, changed, key in (
        (b"[]", {}, KEY), (b"{}", {"webhook-id": "01JDZ3N4T0000000000000000B"}, KEY), (b"{}", {}, OTHER),
        (b"{}", {"webhook-timestamp": str(int(time.time()) - 7)}, KEY),
    ):  # fmt: skip
        with pytest.raises(WebhookVerificationError):
            Webhook(written(key)).verify(body, {**headers, **changed})


def test_while_a_secret_is_replaced_either_will_do() -> None:
    """The receiver may have the old one or the new one."""
    keys = read_secrets(f"{written(KEY)}\n{written(OTHER)}\n")
    headers = dict(signed("01JDZ3N4T0000000000000000A", time.time(), b"{}", keys))
    for key in (KEY, OTHER):
        assert Webhook(written(key)).verify(b"{}", headers) == {}


def test_a_secret_may_lack_its_padding() -> None:
    """Some providers print it so."""
    text = written(KEY)
    assert text.endswith("=")
    assert read_secrets(text.rstrip("=")) == [KEY]


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "whsec_!!!!", "hunter2hunter2hunter2hunter2", written(KEY[:23]), written(bytes(65)), "\n".join([written(KEY)] * 3)],
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    """Too short, too long, too many, or another thing altogether."""
    with pytest.raises(ValueError, match="secret") as caught:
        read_secrets(text)
    assert "hunter2" not in str(caught.value)
    assert len(KEY) == NEW


def test_listmonk_gets_a_login() -> None:
    """RFC 7617 §2."""
    (name, value), *_ = basic("robot:token\n")
    assert name == "Authorization"
    assert base64.b64decode(value.removeprefix("Basic ")) == b"robot:token"
    for text in ("robot", ":token", "robot:", "robot:to\nken", ""):
        with pytest.raises(ValueError, match="login") as caught:
            basic(text)
        assert "token" not in str(caught.value)
