"""The text of messages in any script and encoding, as people read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mime.charset import CHARSETS, decoded
from mailer.mime.html import BLOCK, text_of_html
from mailer.mime.parameters import parameter, parameterised
from mailer.mime.rendered import render
from mailer.mime.subject import base_subject, read_subject
from mailer.mime.text import PREVIEW
from mailer.mime.words import shown


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        (b"+AOQ-", "utf-7", "ä"),
        ("ä".encode("utf-16"), "utf-16", "ä"),
        (b"a\x00", "utf-16le", "a"),
        ("東京".encode("iso-2022-jp"), "us-ascii", "東京"),
        (b"\x1b$B\x1b(B<b>", "iso-2022-jp", "<b>"),
        (b"\x82>", "shift_jis", "\ufffd>"),
        ("é".encode("latin-1"), "utf-8", "é"),
        ("é".encode(), "latin1", "Ã©"),
        (b"\x80", "iso-8859-1", "€"),
        ("é".encode(), 'x"\r\n', "é"),
        (b"abc", "idna", "abc"),
        (b"abc", "zlib_codec", "abc"),
        (b"abc", "../../etc/passwd", "abc"),
        (b"\xf0\x9f\x98", "utf-8", "ðŸ˜"),
    ],
)
def test_octets_become_text(octets: bytes, charset: str, text: str) -> None:
    """Of character sets as mail names them, rightly or not; of one that is none, as readers guess."""
    assert decoded(octets, charset) == text


@given(st.binary(max_size=60), st.sampled_from(sorted(CHARSETS)) | st.text(max_size=12))
def test_all_octets_are_text_in_all_character_sets(octets: bytes, charset: str) -> None:
    """Nothing raises, and no half of a pair comes out that could not be written."""
    decoded(octets, charset).encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?a_b=3D?=", "a b="),
        ("=?utf-8?b?w7w=?= =?utf-8?b?w7w=?= x", "üü x"),
        ("=?utf-8?b?ww==?=\t=?utf-8?b?vA==?=", "ü"),
        ("a =?iso-8859-1*de?q?=FC?= b", "a ü b"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a?", "=?utf-8?q?a?"),
        ("=?nothing?q?a?=", "a"),
        ("=?utf-8?q?a?=b=?utf-8?q?c?=", "abc"),
        ("M\udcfcller", "Müller"),
    ],
)
def test_encoded_words_are_read(value: str, text: str) -> None:
    """RFC 2047, and what programs write instead: a character that is divided between two words."""
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a; filename=x.pdf", "x.pdf"),
        ('a; FILENAME="a \\"b\\" c"; x=y', 'a "b" c'),
        ('a; filename="a;b.pdf"', "a;b.pdf"),
        ("a; filename*=utf-8'de'%C3%BC.pdf", "ü.pdf"),
        ("a; filename*1*=b.pdf; filename*0*=iso-8859-1''%FC", "üb.pdf"),
        ('a; filename*0="a%"; filename*1="b"', "a%b"),
        ("a; filename*0*=utf-8''%C3; filename*1*=%BC; filename*2=%41", "ü%41"),
        ("a; filename*1=b; filename*2=c", ""),
        ("a; filename==?utf-8?q?=C3=BC?=", "ü"),
        ("a; filename=x (comment) ; y=z", "x"),
        ('a; filename="x', "x"),
        ("a; filename", ""),
        ("a; filename*=utf-8''%zz", "%zz"),
        ("a;;; ;filename=x", "x"),
    ],
)
def test_names_of_files_are_read(value: str, name: str) -> None:
    """RFC 2231 with its pieces in any order, and what programs write instead."""
    assert parameter(parameterised(value)[1], "filename") == name


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a<b>b</b></p><p>c</p>", "ab\nc"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>x</style>a<script>if (a<b) </scripty></script>b<!-- > -->c<!--", "abc"),
        ("<STYLE>x", ""),
        ("<\u017fcript>x</script>y", "<\u017fcript>xy"),
        ("<!-->a<!--->b", "ab"),
        ("a &lt;b&gt; &amp;amp; &#228; &uuml", "a <b> &amp; ä ü"),
        ("write to <anna@example.org>", "write to <anna@example.org>"),
        ("1 < 2 and <3", "1 < 2 and <3"),
        ("  a \n\t b  ", "a b"),
        ("<a title='x' href=\"y\">z</a><!doctype x><?xml y?>", "z"),
    ],
)
def test_html_is_read(markup: str, text: str) -> None:
    """Its text, without what is not shown."""
    assert text_of_html(markup) == text


def test_a_tag_at_the_end_of_a_block_is_one() -> None:
    """Long HTML is read in pieces, and no tag is divided."""
    markup = "x" * (BLOCK - 3) + "<b title='y'>z</b>" + "x" * BLOCK
    assert text_of_html(markup) == "x" * (BLOCK - 3) + "z" + "x" * BLOCK


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Re: a", "a"),
        ("RE: Fwd: [x] a", "a"),
        ("re [3]: a (fwd)", "a"),
        ("[fwd: re: a]", "a"),
        ("Fwd: [Fwd: a (fwd)] (FWD)", "a"),
        ("[x]", "[x]"),
        ("[x] [y] a", "a"),
        ("Re: [x]", "[x]"),
        ("a   b\t c", "a b c"),
        ("rest: a", "rest: a"),
        ("", ""),
        ("re:", ""),
    ],
)
def test_the_base_of_a_subject(subject: str, base: str) -> None:
    """RFC 5256 §2.1."""
    assert base_subject(subject) == base


@pytest.mark.parametrize(
    "subject", ["Re: x", "FWD: x", "[list] re[2]: x", "x (fwd)", "[fwd: x]", "re:", "[a] [b] fw : [c] x", "Fwd: [fwd: x]"]
)
def test_a_subject_says_that_it_answers(subject: str) -> None:
    """RFC 5256 §2.1: something was taken from it that only replies and forwards have."""
    assert read_subject(subject)[1]


@pytest.mark.parametrize("subject", ["x", "", "[list] x", "  x  y ", "Recently: x", "[fwd] x", "x [fwd]", "[a] [b]"])
def test_other_subjects_do_not(subject: str) -> None:
    """Neither blobs nor blanks say so."""
    assert not read_subject(subject)[1]


def letter(text: bytes, kind: bytes = b"text/plain; charset=utf-8") -> bytes:
    """A message of this text."""
    return b"Content-Type: " + kind + b"\r\n\r\n" + text


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        (letter(b"> quoted\r\n\r\nHello\r\n  there"), "Hello there"),
        (letter(b"> only quoted"), "> only quoted"),
        (letter("a\u200b\u202eb\ufeff".encode()), "ab"),
        (letter(b"a\x1b[31m\x07b"), "a[31mb"),
        (letter(b"<style>p{}</style><div>&zwnj;&nbsp;&#847;Hello</div>", b"text/html"), "Hello"),
        (letter(b"\xf0\x9f\x98"), "ðŸ˜"),
        (letter(b"JVBERi0=", b"application/pdf"), ""),
        (letter(b"--a\r\nContent-Disposition: attachment\r\n\r\nx\r\n--a\r\n\r\ny\r\n", b"multipart/mixed; boundary=a"), "y"),
        (letter(b"--a\r\n\r\n \r\n--a\r\nContent-Type: text/html\r\n\r\n<p>y\r\n", b"multipart/alternative; boundary=a"), "y"),
    ],
)
def test_a_preview_is_what_a_message_says(content: bytes, preview: str) -> None:
    """On one line, without quotations, and without what fills a line so that nothing is seen, or acts on a terminal."""
    assert render(content).preview == preview


def test_a_preview_is_the_same_however_long_the_message_is() -> None:
    """Its first lines are enough, where there is enough in them; quotations are not."""
    quoted, said = b"> what you said\r\n" * 60, b"what I say, in a line\r\n" * 300
    assert render(letter(quoted + said)).preview == render(letter(said)).preview
    assert render(letter(said[:644])).preview == render(letter(said)).preview


@given(st.binary(max_size=500), st.sampled_from([b"text/plain", b"text/html", b"text/plain; charset=utf-16", b"text/html; charset=utf-7"]))
def test_a_preview_of_anything_has_its_length(content: bytes, kind: bytes) -> None:
    """And is printable, whatever it is made of."""
    made = render(letter(content, kind)).preview
    assert len(made) <= PREVIEW
    assert "\n" not in made
    made.encode()


def test_an_address_with_comments_is_found_without_them() -> None:
    """As ENVELOPE tells it, beside how it is written; RFC 9051 §6.4.4. A plain one is there once."""
    header = render(b"From: <ann (at home)@ (a host) example.org>\r\nTo: Bob (the boss) <bob@example.net>\r\n\r\nx").header
    assert header.splitlines() == [
        "from: <ann (at home)@ (a host) example.org>", "from: ann@example.org", "to: Bob (the boss) <bob@example.net>",
    ]  # fmt: skip


def test_names_of_files_are_on_one_line() -> None:
    """Nothing in one is acted on: no line end, no change of direction."""
    content = b"Content-Type: a/b\r\nContent-Disposition: attachment; filename*=utf-8''a%0D%0ASet-Cookie:%E2%80%AEfdp.exe\r\n\r\n"
    assert render(content).attachments == ("a Set-Cookie:\ufffdfdp.exe",)


def test_what_is_looked_for_is_decoded() -> None:
    """Header, body and names of files, each in its text; a message in the message is a part of the body, with its header."""
    inner = "Subject: =?utf-8?q?innen_=C3=BC?=\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+QsOkcjwvcD4=\r\n"
    content = (
        "Subject: außen\r\nX-A: b\r\n\tc\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
        "--a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        f"=C3=A4\r\n--a\r\nContent-Type: message/rfc822; name=n.eml\r\n\r\n{inner}\r\n--a--\r\n"
    )
    made = render(content.encode())
    assert made.header.splitlines()[:2] == ["subject: außen", "x-a: b\tc"]
    assert [line for line in made.body.splitlines() if not line.startswith("content-")] == ["ä", "subject: innen ü", "Bär"]
    assert made.names == "n.eml"
