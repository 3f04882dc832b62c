"""The signature that a message gets: what is in it, and what is never in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dkim.sign import SEALED, sign
from mailer.mail.message import Message, normalise

from .keys import DAY, NOW, seal
from .letters import BASE

PLAIN = normalise(BASE + b"\nHello,\n\nthe text.\n")


def tags(signed: bytes, number: int = 0) -> dict[str, str]:
    """The tags of a signature, counted from above, without its folds."""
    value = [*Message.split(signed).values(b"dkim-signature")][number]
    return dict(re.findall(r"(\w+)=([^;]*)", re.sub(r"\s", "", value)))


def named(signed: bytes) -> list[bytes]:
    """The fields that the first signature names."""
    return tags(signed)["h"].encode().split(b":")


def test_what_a_signature_says() -> None:
    """Whose it is, how it was made, when, and until when it holds; in lines that no mail system has to fold."""
    signed = sign(PLAIN, [seal()], NOW)
    said = tags(signed)
    assert (said["v"], said["a"], said["c"]) == ("1", "rsa-sha256", "relaxed/relaxed")
    assert (said["d"], said["s"]) == ("example.com", "rsa2048")
    assert (int(said["t"]), int(said["x"])) == (int(NOW), int(NOW + 14 * DAY))
    assert "l" not in said
    field = signed[: -len(PLAIN)]
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert signed.endswith(PLAIN)


def test_two_keys_make_two_signatures() -> None:
    """One above the other, the first key's on top."""
    signed = sign(PLAIN, [seal(), seal("ed25519")], NOW)
    assert [tags(signed, number)["a"] for number in (0, 1)] == ["rsa-sha256", "ed25519-sha256"]
    assert tags(signed, 0)["bh"] == tags(signed, 1)["bh"]


@pytest.mark.parametrize("name", SEALED)
@pytest.mark.parametrize("times", [0, 1, 3])
def test_sealed_fields_are_named_once_more_than_there_are(name: bytes, times: int) -> None:
    """So a further one, wherever it is put, breaks the signature."""
    content = normalise(b"X: y\n" + b"%b: value\n" % name.title() * times + b"\ntext\n")
    assert named(sign(content, [seal()], NOW)).count(name) == times + 1


def test_other_fields_are_named_as_often_as_they_are_there() -> None:
    """References and the like are protected; Received and what nobody knows may come and go."""
    content = normalise(BASE + b"References: <1@x>\nSender: me@example.com\nReceived: here\nX-Mine: x\nReturn-Path: <>\n\ntext\n")
    names = named(sign(content, [seal()], NOW))
    assert [names.count(name) for name in (b"references", b"sender", b"in-reply-to", b"received", b"x-mine", b"return-path")] == [
        1, 1, 0, 0, 0, 0,
    ]  # fmt: skip


def test_8_bit_text_is_encoded_before_it_is_signed() -> None:
    """A host on the way that takes only 7 bits would do it later, and break the signature. RFC 6376 §5.3"""
    content = normalise(BASE + "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nGrüße, Grüße\n".encode())
    signed = sign(content, [seal()], NOW)
    assert signed.isascii()
    assert Message.split(signed).value(b"content-transfer-encoding") == "quoted-printable"
    assert b"content-transfer-encoding" in named(signed)


def test_8_bit_text_that_others_have_signed_stays_as_it_is() -> None:
    """Encoding it would break what they signed; we sign beside them."""
    content = normalise(b"DKIM-Signature: v=1; d=list.example; s=x\n" + BASE + "\nGrüße\n".encode())
    assert sign(content, [seal()], NOW).endswith(content)


@given(st.binary(max_size=300))
def test_whatever_a_message_holds_it_can_be_signed(data: bytes) -> None:
    """What is in the spool gets a signature above it and is otherwise the same, or the same in 7 bits."""
    content = normalise(data)
    field, end, rest = sign(content, [seal("ed25519")], NOW).partition(b"==\r\n")
    assert field.startswith(b"DKIM-Signature: v=1; a=ed25519-sha256;")
    assert end
    assert rest == content or (rest.isascii() and not content.isascii())
