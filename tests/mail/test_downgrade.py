"""Messages made 7-bit for hosts that take nothing else."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.downgrade import seven_bit

GREETING = "Grüße aus Köln"


def crlf(text: str) -> bytes:
    """A message as the spool has it."""
    return text.replace("\n", "\r\n").encode()


def text_of(data: bytes) -> str:
    """What a mail program shows of a message of one part."""
    return str(message_from_bytes(data, policy=policy.default).get_content()).replace("\r\n", "\n")


def test_what_is_plain_stays_as_it_is() -> None:
    """A 7-bit message is not touched, not by a byte."""
    message = crlf("Content-Type: text/plain; charset=us-ascii\nX:  odd\n\nhello\n")
    assert seven_bit(message) == message


def test_text() -> None:
    """A text part becomes quoted-printable, and says so in the place where it said otherwise."""
    header = "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\nContent-Type: text/plain; charset=utf-8\nSubject: x\n"
    message = crlf(f"{header}\n{GREETING}\n")
    encoded = seven_bit(message)
    assert encoded is not None
    assert encoded.startswith(b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type:")
    assert text_of(encoded) == f"{GREETING}\n"


@pytest.mark.parametrize(("raw", "charset"), [(GREETING.encode(), "utf-8"), (GREETING.encode("latin-1"), "windows-1252")])
def test_from_before_mime(raw: bytes, charset: str) -> None:
    """A message without MIME gets the fields that say what it is; where it says nothing, they say what its readers guess."""
    encoded = seven_bit(b"Subject: x\r\n\r\n" + raw + b"\r\n")
    assert encoded is not None
    parsed = message_from_bytes(encoded)
    assert (parsed["MIME-Version"], parsed.get_content_charset()) == ("1.0", charset)
    assert parsed.get_payload(decode=True) == raw + b"\r\n"


def test_mostly_beyond_ascii() -> None:
    """Where people could not read quoted-printable either, it is base64."""
    encoded = seven_bit(crlf("Content-Type: text/plain; charset=utf-8\n\n" + "日本語" * 50 + "\n"))
    assert encoded is not None
    assert b"Content-Transfer-Encoding: base64\r\n" in encoded
    assert text_of(encoded) == "日本語" * 50 + "\n"


MULTIPART = f"""\
Subject: x
MIME-Version: 1.0
Content-Transfer-Encoding: 8bit
Content-Type: multipart/mixed; boundary="a b"

ein Präambel
--a b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{GREETING}
--a b
Content-Type: text/plain

plain, and = stays =
--a b
Content-Type: message/rfc822

Subject: inner
Content-Type: text/plain; charset=utf-8

{GREETING}
--a b
Content-Type: image/gif
Content-Transfer-Encoding: base64

R0lGODlhAQABAAAAACw=
--a b--
Nachwörter
"""


def test_parts() -> None:
    """Of several parts those are encoded that need it, in messages within the message too; the others stay byte for byte."""
    encoded = seven_bit(crlf(MULTIPART))
    assert encoded is not None
    assert encoded.isascii()
    assert b"\r\n\r\nplain, and = stays =\r\n--a b\r\n" in encoded
    assert b"\r\n\r\nR0lGODlhAQABAAAAACw=\r\n--a b--\r\n" in encoded
    assert b"Content-Transfer-Encoding: 7bit\r\nContent-Type: multipart/mixed" in encoded
    first, second, third, fourth = message_from_bytes(encoded, policy=policy.default).iter_parts()
    assert first.get_content() == GREETING
    assert second.get_content() == "plain, and = stays ="
    assert third.get_content().get_content() == GREETING
    assert fourth.get_content().startswith(b"GIF89a")


def test_data() -> None:
    """What is no text keeps each of its octets."""
    encoded = seven_bit(b"Content-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\x80\n\r\xff" + b"x" * 100)
    assert encoded is not None
    assert message_from_bytes(encoded).get_payload(decode=True) == b"\0\x80\n\r\xff" + b"x" * 100
    assert max(map(len, encoded.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    "message",
    [
        f"DKIM-Signature: v=1\nSubject: x\n\n{GREETING}\n",
        f"ARC-Message-Signature: i=1\nSubject: x\n\n{GREETING}\n",
        f"Content-Type: multipart/signed; boundary=b\n\n--b\n\n{GREETING}\n--b--\n",
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nDKIM-Signature: v=1\n\n{GREETING}\n--b--\n",
        f"Content-Type: multipart/mixed\n\n{GREETING}\n",
        f"Content-Type: multipart/mixed; boundary=b\n\n--c\n\n{GREETING}\n--c--\n",
        f'Content-Type: multipart/mixed; boundary=""\n\n--\n\n{GREETING}\n----\n',
        "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\n\n" * 10_001 + f"--b\n\n{GREETING}\n--b--\n",
        f"Content-Transfer-Encoding: base64\n\n{GREETING}\n",
        f"Content-Transfer-Encoding: x-uuencode\n\n{GREETING}\n",
        f"Content-Type: message/partial; id=1\n\n{GREETING}\n",
        f"Subject: {GREETING}\n\nhello\n",
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; name={GREETING}\n\nhello\n--b--\n",
    ],
)
def test_what_must_not_be_touched(message: str) -> None:
    """What is signed, or what no standard says how to encode, is left to whoever refuses it."""
    assert seven_bit(crlf(message)) is None


def test_parts_within_parts_within_parts() -> None:
    """A message that is nested like no message of a person is given up, not gone into for ever."""
    message = crlf(f"\n{GREETING}\n")
    for _ in range(60):
        message = b"Content-Type: message/rfc822\r\n\r\n" + message
    assert seven_bit(message) is None


FIELDS = [b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: text/plain", b"Content-Type: message/rfc822"]
WORDS = [b"--b\r\n", b"--b--\r\n", b"\r\n", b"gr\xc3\xbc\xc3\x9fe\r\n", b"\xff", b"--b", b"\n", b"\0", b"x"]
pieces = st.sampled_from([*WORDS, *(field + b"\r\n" for field in FIELDS), b"Content-Transfer-Encoding: 8bit\r\n"])


@given(st.lists(pieces | st.binary(max_size=6), max_size=30))
def test_any_message(parts: list[bytes]) -> None:
    """Whatever comes in, what goes out is ASCII, or nothing; and doing it twice changes nothing more."""
    content = b"".join(parts)
    encoded = seven_bit(content)
    if encoded is not None:
        assert encoded.isascii()
        assert seven_bit(encoded) == encoded
