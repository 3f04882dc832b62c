"""Mending a message: what not every server would take becomes what each does, and says the same."""

from __future__ import annotations

import quopri

import pytest

from mailer.mail.entity import MAX_PARTS
from mailer.mail.header_repair import MOST_CHANGES
from mailer.mail.message import Change, Message, has_long_line, normalise
from mailer.mail.repair import repaired
from tests.mail.mended import LONG, mend, read, text_of


@pytest.mark.parametrize("size", [997, 998, 999, 1000, 1001, 1998, 5000])
@pytest.mark.parametrize("end", [b"", b"\r\n"])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"y" * 998 + b"\r\n", b"z\r\n" * 400])
def test_a_long_line_is_one_of_more_than_998_octets(size: int, end: bytes, before: bytes) -> None:
    """Wherever it stands."""
    assert has_long_line(before + b"x" * size + end + b"\r\n" + b"a\r\n" * 700) == (size > 998)


def test_what_is_right_stays_to_the_byte() -> None:
    """ASCII with short lines, and 8-bit text that says so."""
    for data in (
        b"Subject: x\r\n\r\nhello\r\n",
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngrüße\r\n".encode(),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n"
            b"--b--\r\n"
        ),
        "From: jörg@example.org\r\n\r\n".encode(),
    ):
        assert mend(data) == (data, [])


@pytest.mark.parametrize(
    ("head", "body", "encoding", "charset"),
    [
        ("", LONG, "quoted-printable", "utf-8"),
        ("", "grüße".encode(), "quoted-printable", "utf-8"),
        ("", "日本語".encode() * 50, "base64", "utf-8"),
        ("", b"\xfc\xdf", "quoted-printable", "windows-1252"),
        ("Content-Type: text/plain\n", "grüße".encode(), "quoted-printable", "utf-8"),
        ("Content-Type: text/html; charset=iso-8859-1\n", b"gr\xfc\xdfe " * 3, "quoted-printable", "iso-8859-1"),
        ("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n", "ü".encode() * 600, "base64", "utf-8"),
        ("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n", "ü and more".encode(), "quoted-printable", "utf-8"),
        ("Content-Type: application/json\nContent-Transfer-Encoding: binary\n", LONG, "base64", None),
        ("Content-Type: image/png\nContent-Transfer-Encoding: base64\n", b"AAAA" * 500, "base64", None),
        ("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n", b"a=3Db " * 300, "quoted-printable", None),
    ],
)
def test_a_body_is_encoded_anew(head: str, body: bytes, encoding: str, charset: str | None) -> None:
    """Its decoded octets are what they were, and it says how it is written."""
    data = normalise(head.encode() + b"Subject: x\n\n" + body + b"\n")
    made, (change,) = mend(data)
    assert (change.action, change.what, change.after) == ("mended", "body", encoding)
    assert made.isascii()
    assert not has_long_line(made)
    message = read(made)
    assert message["Content-Transfer-Encoding"] == encoding
    assert text_of(message) == text_of(read(data)) or text_of(message) == body + b"\n"
    if charset:
        assert message.get_content_charset() == charset
        assert message["MIME-Version"] or "Content-Type" in head


def test_only_the_part_that_needs_it_is_touched() -> None:
    """The others, their order and what stands between them stay to the byte."""
    good = b"Content-Type: text/plain\r\n\r\nshort\r\n"
    nested = b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\n" + LONG + b"\r\n--c--\r\n"
    data = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\nbeside\r\n--b\r\n' + good + b"\r\n--b\r\n" + nested + b"\r\n--b--\r\n"
    made, (change,) = mend(data)
    assert change.what == "part 2.1"
    assert made.startswith(data[: data.index(b"\r\n--c")])
    assert made.endswith(b"\r\n--c--\r\n\r\n--b--\r\n")
    parts = [part for part in read(made).walk() if not part.is_multipart()]
    assert [text_of(part) for part in parts] == [b"short\n", LONG]


def test_what_only_looks_like_a_delimiter_divides_nothing() -> None:
    """It begins a line, and nothing but blanks follows."""
    text = b"not here --b\r\n--bc\r\n--b.\r\n" + LONG
    made, (change,) = mend(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \r\n\r\n" + text + b"\r\n--b--\r\n")
    assert change.what == "part 1"
    [part] = read(made).iter_parts()
    assert text_of(part) == text.replace(b"\r\n", b"\n")


def test_a_message_within_a_message_is_mended_inside() -> None:
    """It may not be encoded itself."""
    inner = "Subject: grüße\r\n\r\nx\r\n".encode()
    made, changes = mend(b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" + inner + b"\r\n--b--\r\n")
    assert [change.what for change in changes] == ["part 1 Subject"]
    [part] = read(made).iter_parts()
    assert part.get_payload(0)["Subject"] == "grüße"


@pytest.mark.parametrize(
    "data",
    [
        b"DKIM-Signature: v=1\r\nSubject: x\r\n\r\n" + LONG,
        b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" + LONG + b"\r\n--b--\r\n",
        b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\n\xff\r\n--b--\r\n",
        b"Content-Type: application/pkcs7-mime\r\n\r\n" + LONG,
        b"Content-Type: message/rfc822\r\n\r\nARC-Seal: x\r\n\r\n\xff\r\n",
    ],
)
def test_what_is_signed_or_encrypted_is_left(data: bytes) -> None:
    """Not a byte is changed, and that is said."""
    made, changes = mend(data)
    assert made == normalise(data)
    assert [change.action for change in changes] == ["left"]
    assert "signed or encrypted" in changes[0].why


def test_a_signed_message_that_needs_nothing_is_nothing_to_talk_about() -> None:
    """Nor is one whose 8-bit text says so."""
    data = b"DKIM-Signature: v=1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n"
    assert mend(data) == (data, [])


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Transfer-Encoding: x-uuencode\r\n", b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Type: message/delivery-status\r\n", b"Content-Type: multipart/mixed\r\n",
    ],
)  # fmt: skip
def test_what_cannot_be_encoded_is_left(head: bytes) -> None:
    """An encoding that nobody knows or that the part does not keep to, a type that may have none."""
    made, (change,) = mend(head + b"\r\n\xff\r\n")
    assert made == head + b"\r\n\xff\r\n"
    assert change.action == "left"


def test_nesting_without_end_is_left() -> None:
    """Nobody nests so deep but to make somebody's program fall over."""
    data = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (at, at) for at in range(500)) + b"\r\n\xff\r\n"
    assert mend(data)[1][0].action == "left"


def test_a_header_that_is_too_large_is_left() -> None:
    """Submission takes no larger one, and a part has none."""
    data = b"Subject: \xff\r\n" + (b"a: " + b"b" * 900 + b"\r\n") * 1200 + b"\r\n"
    made, (change,) = mend(data)
    assert made == data
    assert (change.action, change.what) == ("left", "header")


@pytest.mark.parametrize("value", ["multipart/mixed", 'multipart/mixed; boundary=""', "multipart/mixed; boundary=x"])
@pytest.mark.parametrize("body", [b"gr\xfc\xdfe\r\n", LONG + b"\r\n", b"--y\r\n\r\ngr\xfc\xdfe\r\n--y--\r\n"])
def test_a_multipart_whose_boundary_is_nowhere_keeps_its_text(value: str, body: bytes) -> None:
    """Nobody knows what it is, so nobody throws it away."""
    data = f"Content-Type: {value}\r\n\r\n".encode() + body
    made, (change,) = mend(data)
    assert made == data
    assert (change.action, change.what) == ("left", "body")


@pytest.mark.parametrize("end", ["=0D", "=0A", "=0D=0D=0A"])
def test_a_line_end_alone_in_encoded_text_stays_encoded(end: str) -> None:
    """A bare CR or LF may be in a text, and never in a message."""
    made, _ = mend(f"Content-Transfer-Encoding: quoted-printable\r\n\r\na{end}b{'x' * 999}\r\n".encode())
    payload = read(made).get_payload(decode=True)
    assert payload == b"a" + quopri.decodestring(end) + b"b" + LONG + b"\r\n"


def test_a_part_without_anything_stays_so() -> None:
    """Two delimiters, one right after the other."""
    made, (change,) = mend(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n" + LONG + b"\r\n--b--\r\n")
    assert made.startswith(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n")
    assert change.what == "part 2"


@pytest.mark.slow
def test_a_message_of_too_many_parts_is_left() -> None:
    """No reader goes through all of them."""
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n\xff\r\n" * (MAX_PARTS + 1) + b"--b--\r\n"
    changes: list[Change] = []
    assert repaired(Message.split(data), changes) == data
    assert [(change.action, change.why) for change in changes] == [("left", "it has more than 10000 parts")]


def test_changes_without_end_are_not_named_one_by_one() -> None:
    """A header may have a hundred thousand fields to mend."""
    _, changes = mend(b"X: \xc3\xbc\r\n" * (MOST_CHANGES + 100) + b"\r\n")
    assert len(changes) == MOST_CHANGES + 1
    assert (changes[-1].action, changes[-1].what) == ("mended", "further places")
