"""Mending: what not every server would take becomes what each does, and says the same."""

from __future__ import annotations

import email
import email.policy
import gc
import quopri
import time
import tracemalloc
from binascii import b2a_base64
from collections.abc import Callable
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.header_repair import MOST_CHANGES
from mailer.mail.message import Change, Message, has_long_line, normalise
from mailer.mail.multipart import MAX_PARTS
from mailer.mail.once import single
from mailer.mail.repair import repaired
from mailer.mail.sevenbit import seven_bit
from tests.fakes.pauses import longest_pause

LONG = b"x" * 999
LONG_WORDS = b"word " * 300


def mend(data: bytes) -> tuple[bytes, list[Change]]:
    """The message as it comes out, and what was done; whoever mends it again finds nothing to do."""
    changes: list[Change] = []
    made = bytes(repaired(Message.split(normalise(data)), changes))
    assert normalise(made) == made
    again: list[Change] = []
    assert bytes(repaired(Message.split(made), again)) == made
    assert [change for change in again if change.action == "mended"] == []
    return made, changes


def read(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def text_of(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.replace(b"\r\n", b"\n")


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


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("Subject: grüße aus München".encode(), "grüße aus München"),
        (b"Subject: gr\xfc\xdfe", None),
        (b"Subject: " + b"y" * 3000, "y" * 3000),
        (b"Subject: " + b"word " * 400 + b"end", "word " * 400 + "end"),
        ("X-Note: ü".encode(), "ü"),
        (b"Subject: =?utf-8?b?" + b"w7zDvMO8" * 200 + b"?=", "ü" * 600),
        ("Subject: =?utf-8?q?=C3=A4?= ü".encode(), "ä ü"),
        ("Subject: a\u2028b\x85ü".encode(), "a b ü"),
        (b"Subject: a" + b" " * 2000 + b"b", None),
    ],
)
def test_free_text_in_a_header(field: bytes, shown: str | None) -> None:
    """As encoded words, or folded; what its reader sees is what was meant."""
    made, (change,) = mend(field + b"\r\n\r\nx\r\n")
    assert change.action == "mended"
    assert made.isascii()
    assert not has_long_line(made)
    assert made.endswith(b"\r\n\r\nx\r\n")
    if shown is not None:
        assert read(made)[change.what] == shown


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"Subject: gr\xfc\xdfe", "grüße"),
        (b"Subject: \x80 5 \x93x\x94", "€ 5 “x”"),
        (b"Subject: =?iso-8859-1?Q?Gr\xfc\xdfe_=FC?=", "Grüße ü"),
        (b"Subject: =?utf-8?Q?Gr\xc3\xbc=C3=9Fe?= and more", "Grüße and more"),
        (b"Subject: =?utf-8?Q?Gr\xfc\xdfe?=", "Grüße"),
        (b"Subject: =?x-none?Q?Gr\xfc=DF?= =?utf-8?q?=C3=A4?=", "Grü=DFä"),
        (b"Subject: =?utf-8?B?w7w=?= \xfc", "ü ü"),
        (b"From: J\xf6rg M\xfcller <jm@example.org>", "Jörg Müller <jm@example.org>"),
        (b'To: "M\xfcller, J\xf6rg" <jm@example.org>, bob@example.net', '"Müller, Jörg" <jm@example.org>, bob@example.net'),
        (b"Reply-To: jm@example.org (J\xf6rg (the \xfcber) M.)", "jm@example.org"),
        (b"Cc: \xc4rzte: a@example.org, \xd6 <b@example.org>;", "Ärzte: a@example.org, Ö <b@example.org>;"),
        (b"From: =?iso-8859-1?Q?J\xf6rg?= <jm@example.org>", "Jörg <jm@example.org>"),
        (b"To: Anna <anna@b\xfccher.example>", "Anna <anna@xn--bcher-kva.example>"),
        (b"To: \xfc@example.org, \xfc <b@example.org>", "%C3%BC@example.org, ü <b@example.org>"),
        (b"Date: M\xe4rz", "M%C3%A4rz"),
        (b"List-Help: <https://example.org/\xfc>", "<https://example.org/%C3%BC>"),
        (b"Message-ID: <1@b\xfccher>", "<1@b%C3%BCcher>"),
    ],
)
def test_a_header_in_raw_octets_is_what_its_readers_would_guess(field: bytes, shown: str) -> None:
    """No encoded word is encoded a second time, nothing stays raw, so no host is refused for it; that it is a guess is told."""
    made, (change,) = mend(field + b"\r\n\r\nx\r\n")
    assert (change.action, made.isascii()) == ("mended", True)
    assert str(read(made)[change.what]) == shown
    assert ("windows-1252" in change.why) == (b"=?" not in field or b"?= \xfc" in field)


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        (b"Subject: =?unknown-8bit?q?gr=FC=DFe?=", "gr\u00fc\u00dfe"),
        (b"Subject: a =?UNKNOWN-8BIT?B?w7w=?= z", "a \u00fc z"),
        (b"Subject: =?unknown-8bit?q?=C3?=\r\n =?unknown-8bit?q?=BC?=", "\u00fc"),
        (b"From: =?unknown-8bit?q?J=F6rg?= <jm@example.org>", "J\u00f6rg <jm@example.org>"),
        (b"X-Note: =?unknown-8bit?q?a=0D=0AX-Other=3A_b?=", "a  X-Other: b"),
    ],
)
def test_words_in_a_character_set_that_is_called_unknown_are_read(field: bytes, shown: str) -> None:
    """No reader shows such, RFC 1428 \u00a73; several are one text, for their writer cut it anywhere."""
    made, (change,) = mend(field + b"\r\n\r\nx\r\n")
    assert (change.action, str(read(made)[change.what])) == ("mended", shown)
    assert ("windows-1252" in change.why) == any(octet in field for octet in (b"=FC", b"=F6"))


@pytest.mark.parametrize("field", [b"Subject: =?unknown-8bit?b?***?=", b"Message-ID: <=?unknown-8bit?q?=E9?=@x>"])
def test_words_in_an_unknown_set_that_are_none_stay(field: bytes) -> None:
    """Nobody can read them, or nobody should."""
    assert mend(field + b"\r\n\r\nx\r\n")[0] == field + b"\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b'Content-Disposition: attachment; filename="gr\xfcn.pdf"',
        b"Content-Disposition: attachment; filename=gr\xfcn.pdf",
        b'Content-Disposition: attachment; size=1; filename="=?iso-8859-1?Q?gr\xfcn.pdf?="',
        'Content-Type: application/pdf; name="grün.pdf"'.encode(),
    ],
)
def test_the_name_of_a_file_in_raw_octets(field: bytes) -> None:
    """In the header of a part, in quotes or without."""
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + field + b"\r\n\r\nx\r\n--b--\r\n"
    made, (change,) = mend(data)
    assert (change.action, change.what.split()[:2], made.isascii()) == ("mended", ["part", "1"], True)
    (part,) = read(made).iter_parts()
    assert part.get_filename() == "grün.pdf"


@pytest.mark.parametrize("encoding", [b"", b"Content-Transfer-Encoding: 8bit\r\n"])
@pytest.mark.parametrize("label", [b"", b"; charset=us-ascii", b'; charset="US-ASCII"; format=flowed', b"; charset=unknown-8bit"])
@pytest.mark.parametrize(("text", "charset"), [("grüße".encode(), "utf-8"), (b"gr\xfc\xdfe", "windows-1252")])
def test_a_label_that_is_missing_or_false_is_set_right(encoding: bytes, label: bytes, text: bytes, charset: str) -> None:
    """Text that is not ASCII says what it is; if it said that it has 8 bits, it keeps them."""
    made, (change,) = mend(b"Content-Type: text/html" + label + b"\r\n" + encoding + b"\r\n" + text + b"\r\n")
    message = read(made)
    assert (message.get_content_charset(), message.get_content().strip()) == (charset, "grüße")
    assert (change.what, made.endswith(text + b"\r\n")) == (("character set", True) if encoding else ("body", False))
    assert message["Content-Type"].params.get("format") == ("flowed" if b"flowed" in label else None)


def test_a_header_in_the_character_set_of_its_body() -> None:
    """Programs that write Latin-1 into the one write it into the other."""
    made, _ = mend(
        b"Subject: gr\xfc\xdfe\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n"
    )
    assert read(made)["Subject"] == "grüße"


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("Jörg Müller <jm@example.org>", ["Jörg Müller <jm@example.org>"]),
        ('"Müller, Jörg" <jm@example.org>, bob@example.net', ['"Müller, Jörg" <jm@example.org>', "bob@example.net"]),
        ("Anna <anna@bücher.example>", ["Anna <anna@xn--bcher-kva.example>"]),
        ("Ärzte: a@example.org, Ö <b@example.org>;", ["a@example.org", "Ö <b@example.org>"]),
        (",".join(f"a{nth}@example.org" for nth in range(200)), [f"a{nth}@example.org" for nth in range(200)]),
    ],
)
def test_people_in_a_header(value: str, addresses: list[str]) -> None:
    """Names become encoded words, domains A-labels, and long lists are folded."""
    made, _ = mend(f"To: {value}\r\n\r\nx\r\n".encode())
    assert made.isascii()
    assert not has_long_line(made)
    assert [str(one) for one in read(made)["To"].addresses] == addresses


def test_a_name_of_a_file_in_a_header() -> None:
    """RFC 2231."""
    head = 'Content-Type: application/pdf; name="größe.pdf"\r\nContent-Disposition: attachment; filename="größe.pdf"\r\n'
    made, changes = mend(f"{head}Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n".encode())
    assert [change.what for change in changes] == ["Content-Type", "Content-Disposition"]
    assert made.isascii()
    assert read(made).get_filename() == "größe.pdf"


@pytest.mark.parametrize("field", [b"References: " + b"x" * 1500, b"Date: " + b"\xff" * 300])
def test_a_field_that_programs_read_is_left_where_it_cannot_be_folded(field: bytes) -> None:
    """Not cut, not guessed."""
    made, (change,) = mend(field + b"\r\n\r\nx\r\n")
    assert made == field + b"\r\n\r\nx\r\n"
    assert change.action == "left"


PIECES = st.sampled_from([
    b"Subject: ", b"To: ", b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: text/plain\r\n", b"\r\n", b"\r\n\r\n",
    b"--b\r\n", b"--b--\r\n", LONG, "ü".encode(), b"\xff", b"Content-Transfer-Encoding: 8bit\r\n", b" ", b";", b",", b":", b"=\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"<", b">", b'"', b"a@example.org", b"=?utf-8?q?x?=",
    b'Content-Disposition: attachment; filename="\xc3\xbc"\r\n',
])  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_anything_comes_out_mended_or_is_said_to_be_left(data: bytes) -> None:
    """Whatever comes in; nothing fails, header and body stay apart, and what is not said to be left has no long line."""
    made, changes = mend(data)
    before, after = Message.split(normalise(data)), Message.split(made)
    kept = [name for name, _ in before.fields() if not name.startswith((b"content-", b"mime-"))]
    assert [name for name, _ in after.fields() if not name.startswith((b"content-", b"mime-"))] == kept
    if not any(change.action == "left" for change in changes):
        assert not has_long_line(made + b"\r\n")


@given(st.binary(max_size=3000))
def test_no_octet_of_a_body_is_lost(body: bytes) -> None:
    """Whatever it holds, what is decoded is what was there after normalisation."""
    data = normalise(b"Subject: x\r\n\r\n" + body)
    made, _ = mend(data)
    assert text_of(read(made)).decode("latin-1") == data.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n").decode("latin-1")


@pytest.mark.parametrize(
    ("piece", "count", "before", "after"),
    [
        (b"a:\xff\r\n", 20_000, b"", b"\r\nx\r\n"),
        ("ü <a@example.org>,".encode(), 10_000, b"To: ", b"\r\n\r\n"),
        ('"ü'.encode(), 100_000, b"To: ", b"\r\n\r\n"),
        (b'"\xc3\xbc\\', 50_000, b"Content-Type: a/b;a=", b"\r\n\r\n"),
        (b"--b\r\n\r\n\xff\r\n", 20_000, b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b""),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 20_000, b"", b"\r\n\xff\r\n"),
        (b"x", 5_000_000, b"\r\n", b"\r\n"),
        (b" ", 500_000, b"Subject: \xff", b"\xff\r\n\r\n"),
    ],
)
def test_no_message_keeps_the_machine_busy(piece: bytes, count: int, before: bytes, after: bytes) -> None:
    """Fields, people, parameters, parts and depth without end: the cost grows with the length, and with nothing else."""
    message = Message.split(normalise(before + piece * count + after))
    begun = time.thread_time()
    repaired(message, [])
    assert time.thread_time() - begun < 10


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


LEAVES = st.tuples(
    st.sampled_from(["text/plain", "text/html; charset=iso-8859-1", "application/x", "image/png"]),
    st.sampled_from(["", "7bit", "8bit", "base64"]),
    st.lists(st.sampled_from([b"short", b"--b1", b"--b1x", "grüße".encode(), b"\xfc", LONG, b"", b"."]), max_size=8).map(b"\r\n".join),
)


def leaf(type: str, encoding: str, text: bytes) -> bytes:
    label = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    body = b2a_base64(text) if encoding == "base64" else text.replace(b"--b", b"- b")
    return f"Content-Type: {type}\r\n{label}\r\n".encode() + body


def nested(parts: list[tuple[str, str, bytes]], depth: int) -> bytes:
    """The parts in a multipart, in a multipart in a message in a multipart, and so on."""
    inner = b"\r\n".join(b"--b\r\n" + leaf(*part) for part in parts) + b"\r\n--b--"
    made = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + inner
    for level in range(depth):
        made = b"Content-Type: multipart/alternative; boundary=b%d\r\n\r\n--b%d\r\n%b\r\n--b%d--" % (level, level, made, level)
        if level % 3 == 1:
            made = b"Content-Type: message/rfc822\r\n\r\n" + made
    return normalise(b"Subject: x\r\nMIME-Version: 1.0\r\n" + made + b"\r\n")


def leaves(data: bytes) -> list[tuple[str, bytes]]:
    """Type and contents of each part that has no parts, as a reader sees them."""
    found = [part for part in email.message_from_bytes(data).walk() if not part.is_multipart()]
    return [(part.get_content_type(), part.get_payload(decode=True).replace(b"\r\n", b"\n")) for part in found]  # type: ignore[union-attr]


@given(st.lists(LEAVES, min_size=1, max_size=4), st.integers(0, 12))
def test_each_part_of_each_level_comes_through(parts: list[tuple[str, str, bytes]], depth: int) -> None:
    """Mended, and made 7-bit, it holds the same parts with the same contents, and no octet and no line is left that not all take."""
    data = nested(parts, depth)
    made, changes = mend(data)
    assert leaves(made) == leaves(data)
    assert all(change.action == "mended" for change in changes)
    assert not has_long_line(made)
    narrow = seven_bit(data)
    assert narrow is not None
    assert narrow.isascii()
    assert leaves(narrow) == leaves(data)


@pytest.mark.parametrize("act", [lambda data: repaired(Message.split(data), []), seven_bit], ids=["mended", "7-bit"])
def test_memory_grows_with_the_size_and_not_with_the_depth(act: Callable[[bytes], object]) -> None:
    """Fifty levels take no more than one: what stays is not copied on each."""
    data = nested([("text/plain; charset=utf-8", "", "Grüße aus Köln\r\n".encode() * 40_000)], 24)
    gc.collect()
    tracemalloc.start()
    try:
        assert act(data) is not None
        assert tracemalloc.get_traced_memory()[1] < 4 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("act", [repaired, single], ids=["mended", "single"])
def test_memory_grows_with_a_header_and_not_with_its_fields(act: Callable[[Message, list[Change]], object]) -> None:
    """A field may have five octets; what is made of it has more, but nothing is kept of each."""
    message, changes = Message.split(b"Subject: a\r\n" * 2 + b"X:\xfc\r\n" * 40_000 + b"\r\n"), [Change("", "", "", "", "")] * MOST_CHANGES
    gc.collect()
    tracemalloc.start()
    try:
        act(message, changes)
        assert tracemalloc.get_traced_memory()[1] < 18 * len(message)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("act", [lambda message: repaired(message, []), lambda message: seven_bit(bytes(message))], ids=["mended", "7-bit"])
@pytest.mark.parametrize("text", ["Grüße aus Köln\r\n", "ü", "ü\r\n" + "\r\n" * 50])
def test_no_message_holds_the_interpreter(text: str, act: Callable[[Message], object]) -> None:
    """In a thread, whatever it is, it lets the others go on."""
    message = Message(b"Content-Type: text/plain; charset=utf-8\r\n", normalise(b"\r\n" + text.encode() * (3_000_000 // len(text))))
    assert longest_pause(lambda: act(message)) < 0.05
