"""Composed messages, read back by the email package of the standard library."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose import compose
from mailer.mail.failure import BAD_MESSAGE, Failure
from mailer.mail.mime import is_plain


def parse(data: bytes) -> EmailMessage:
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_a_simple_message() -> None:
    """From, To, Subject and a text become a message as anybody would type it."""
    data = compose(sender="anna@example.org", to=["Bob <bob@example.net>"], subject="Hello", text="Hi Bob,\nall is well.\n")
    assert data.decode() == (
        "From: anna@example.org\r\n"
        "To: Bob <bob@example.net>\r\n"
        "Subject: Hello\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Hi Bob,\r\n"
        "all is well.\r\n"
    )


def test_what_submission_adds_is_not_there() -> None:
    """Date, Message-ID and a missing From are submission's to add; Bcc is the envelope's."""
    message = parse(compose(to=["bob@example.net"], text="x"))
    assert message.keys() == ["To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]


def test_several_addresses() -> None:
    """Addresses come in several texts, or in one with commas; a comma in quotes divides nothing."""
    message = parse(
        compose(to=["a@example.org, b@example.org", '"Lee, Anna" <c@example.org>'], cc=["d@example.org"], reply_to=["e@example.org"])
    )
    assert [address.addr_spec for address in message["To"].addresses] == ["a@example.org", "b@example.org", "c@example.org"]
    assert message["To"].addresses[2].display_name == "Lee, Anna"
    assert message["Cc"] == "d@example.org"
    assert message["Reply-To"] == "e@example.org"


def test_a_hundred_recipients_are_folded() -> None:
    """A long list of addresses takes many lines, none of them long."""
    people = [f"User Number {number} <user{number}@example.net>" for number in range(100)]
    data = compose(to=people)
    assert max(map(len, data.split(b"\r\n"))) <= 76
    assert len(parse(data)["To"].addresses) == 100


@pytest.mark.parametrize(
    ("written", "display", "address"),
    [
        ("Jörg Müller <jm@example.org>", "Jörg Müller", "jm@example.org"),
        ("Müller, Jörg <jm@example.org>", None, None),
        ('"Müller, Jörg" <jm@example.org>', "Müller, Jörg", "jm@example.org"),
        ('"a \\"b\\" \\\\c" <x@example.org>', 'a "b" \\c', "x@example.org"),
        ('"a \\", b" <x@example.org>', 'a ", b', "x@example.org"),
        ("Anna <anna@bücher.example>", "Anna", "anna@xn--bcher-kva.example"),
        ("<anna@example.org>", "", "anna@example.org"),
        ('"a b"@example.org', "", '"a b"@example.org'),
    ],
)
def test_display_names(written: str, display: str | None, address: str | None) -> None:
    """A name before the address arrives as it was meant, in any script; an unquoted comma makes two addresses, one of them none."""
    if display is None:
        with pytest.raises(Failure):
            compose(to=["M@x@y, " + written])
        return
    found = parse(compose(to=[written]))["To"].addresses
    assert [(one.display_name, one.addr_spec) for one in found] == [(display, address)]


def test_an_address_without_a_domain_is_left_to_submission() -> None:
    """``root`` gets its domain where the configuration is known."""
    assert b"To: root\r\n" in compose(to=["root"])


def test_an_international_local_part_stays() -> None:
    """An address that has no ASCII form is written as it is; such a message needs SMTPUTF8."""
    assert "To: Jo <jörg@bücher.example>\r\n".encode() in compose(to=["Jo <jörg@bücher.example>"])


@pytest.mark.parametrize("address", ["a b@example.org", "@example.org", "a@", "x <y", "<>", "a@b>c@d", "Group: a@x.org;", "a..b@x.org"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """A bad address names itself and its field, with the exit code of a bad message."""
    with pytest.raises(Failure, match=r"^Cc: .*nothing was queued") as caught:
        compose(cc=[address])
    assert caught.value.code == BAD_MESSAGE


def test_a_message_has_one_author() -> None:
    """Two addresses in From would need a Sender, which nobody named."""
    with pytest.raises(Failure, match="From takes one address, not 2"):
        compose(sender="a@example.org, b@example.org")


CONTROLS = [chr(code) for code in (*range(9), *range(10, 32), 127, 0x85, 0x2028, 0x2029, 0xD800)]


@pytest.mark.parametrize("control", CONTROLS)
def test_no_value_begins_a_field(control: str) -> None:
    """A line end or any other control character in any value is refused, never written."""
    evil = f"x{control}Bcc: victim@example.org"
    for given_ in (
        {"sender": f"{evil} <a@example.org>"},
        {"to": [f"{evil} <a@example.org>"]},
        {"cc": [f'"{evil}"@example.org']},
        {"reply_to": [f"a@example.org{control}"]},
        {"subject": evil},
        {"headers": [("X-Name", evil)]},
        {"headers": [(f"X-Name{control}Bcc", "x")]},
    ):
        with pytest.raises(Failure) as caught:
            compose(**given_)  # type: ignore[arg-type]
        assert caught.value.code == BAD_MESSAGE
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "X Y", "X:", "Bcc", "bcc", "BCC", "Bcc ", "To", "Content-Type", "MIME-Version", "Ä", "X" * 80])
def test_names_of_fields(name: str) -> None:
    """A name that is none, and a field that is made from other options, are refused."""
    with pytest.raises(Failure):
        compose(headers=[(name, "x")])


def test_further_fields() -> None:
    """Other fields are written in their order; text beyond ASCII is encoded, an encoded word is left alone."""
    message = parse(compose(headers=[("X-One", "Grüße"), ("X-Two", "=?utf-8?q?=C3=BC?="), ("x-one", "again"), ("X-Long", "y" * 2000)]))
    assert message.get_all("X-One") == ["Grüße", "again"]
    assert message["X-Two"] == "ü"
    assert message["X-Long"] == "y" * 2000


def test_fields_that_programs_read_stand_once_and_in_ascii() -> None:
    """Two Message-IDs, or an encoded word in one, would make a message that nobody can thread."""
    with pytest.raises(Failure, match="may stand once"):
        compose(headers=[("Message-ID", "<a@b>"), ("message-id", "<c@d>")])
    with pytest.raises(Failure, match="beyond ASCII"):
        compose(headers=[("References", "<ä@b>")])
    with pytest.raises(Failure, match="too long"):
        compose(headers=[("References", "x" * 1000)])


@given(
    subject=st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300),
    text=st.text(st.characters(blacklist_categories=["Cs"]), max_size=3000),
    name=st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=100),
)
def test_anything_that_can_be_said_arrives(subject: str, text: str, name: str) -> None:
    """Any subject, text and display name give a 7-bit message with short lines that says the same."""
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    data = compose(sender=f"{quoted} <anna@example.org>", to=["bob@example.net"], subject=subject, text=text)
    assert is_plain(data)
    message = parse(data)
    # the comparison is of words: RFC 5322 lets a reader take runs of blanks as one
    assert str(message["Subject"] or "").split() == subject.strip(" ").split()
    assert message["From"].addresses[0].addr_spec == "anna@example.org"
    sent = text.replace("\r\n", "\n").replace("\r", " ").replace("\0", " ")
    got = message.get_payload(decode=True)
    assert isinstance(got, bytes)
    assert got.decode().replace("\r\n", "\n") == (sent if sent.endswith("\n") else sent + "\n")


def test_text_and_html_are_alternatives() -> None:
    """With HTML the message has both forms, the plain one first; the same parts make the same bytes."""
    data = compose(to=["bob@example.net"], text="Hi", html="<p>Hällo</p>")
    message = parse(data)
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content().strip() for part in message.iter_parts()] == ["Hi", "<p>Hällo</p>"]
    assert data == compose(to=["bob@example.net"], text="Hi", html="<p>Hällo</p>")


def test_bytes_that_are_no_text_are_refused() -> None:
    """An argument that was no UTF-8 on the command line is named, not mangled."""
    with pytest.raises(Failure, match="no UTF-8, at character 1"):
        compose(text="x\udcff")
