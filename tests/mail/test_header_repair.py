"""Mending a header: free text, people, and names of files."""

from __future__ import annotations

import pytest

from mailer.mail.message import has_long_line
from tests.mail.mended import mend, read


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
