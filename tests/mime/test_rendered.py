"""What a mailbox keeps of a message beside it."""

from __future__ import annotations

from mailer.mime.packed import from_tree
from mailer.mime.rendered import render

LETTER = (
    b"From: =?utf-8?q?M=C3=BCller=2C_Anna?= <anna@example.org>\r\n"
    b"To: Bob <bob@example.net>, team: a@example.org;\r\n"
    b"Cc: c@example.org\r\n"
    b"Subject: Re: [list] =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Sat, 21 Nov 2026 23:15:29 -0500\r\n"
    b"Message-ID: <3@example.org>\r\n"
    b"References: <1@example.org> <2@example.org>\r\n"
    b"In-Reply-To: <2@example.org>\r\n"
    b"List-Id: The list <list.Example.org>\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n'
    b"\r\n"
    b"--b\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n"
    b"\r\n"
    b"> quoted\r\nDer Bericht f=C3=BCr M=C3=A4rz\r\n"
    b"--b\r\n"
    b"Content-Type: application/pdf; name=x\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''B%C3%A9richt.pdf\r\n"
    b"\r\n"
    b"JVBERi0=\r\n"
    b"--b--\r\n"
)


def test_what_a_list_of_mail_shows_is_decoded() -> None:
    """Names, subjects, previews and names of files are text that people read."""
    made = render(LETTER)
    assert made.sender == "Müller, Anna <anna@example.org>"
    assert made.recipients == "Bob <bob@example.net>, a@example.org, c@example.org"
    assert made.subject == "Re: [list] Grüße"
    assert made.subject_base == "Grüße"
    assert made.preview == "Der Bericht für März"
    assert made.attachments == ("Béricht.pdf",)
    assert made.list_id == "list.example.org"


def test_a_message_is_found_among_others_by_its_ids_without_brackets() -> None:
    """The messages that it answers are in the order of References, each once."""
    made = render(LETTER)
    assert made.message_id == "3@example.org"
    assert made.references == ("1@example.org", "2@example.org")


def test_the_day_of_a_message_is_that_of_its_writer() -> None:
    """The moment is in UTC; the day is what his calendar showed."""
    made = render(LETTER)
    assert made.sent == 1795320929.0
    assert made.day * 86400 == 1795219200


def test_fields_for_one_owner_stand_on_top() -> None:
    """Places in the tree count from the first octet of what a reader gets."""
    prefix = b"Return-Path: <x@example.org>\r\nDelivered-To: bob@example.net\r\n"
    made = render(LETTER, prefix)
    whole = prefix + LETTER
    text = from_tree(made.tree).parts[0]
    assert whole[text.header_end : text.end] == b"> quoted\r\nDer Bericht f=C3=BCr M=C3=A4rz"
    assert made.header.startswith("return-path: <x@example.org>\n")
    assert made.structure == render(LETTER).structure


def test_any_octets_are_a_message() -> None:
    """Nothing raises: no octets, no header, no body, no text."""
    for content in (
        b"",
        b"\n",
        b"\r\n\r\n",
        b"no header",
        b":",
        b"a:",
        bytes(range(256)) * 9,
        b"Content-Type: multipart/mixed; boundary=b\n\n--b",
    ):
        made = render(content)
        assert made.envelope.startswith(b"(")
        assert from_tree(made.tree).end == len(content)
