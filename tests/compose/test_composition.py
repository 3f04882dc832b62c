"""Composed messages, read back by the email package of the standard library."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose import Attachment, Composition, EmailError, EmailLimits
from mailer.mail.mime import is_plain


def parse(data: bytes) -> EmailMessage:
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def compose(*, sender: str = "", text: str | None = "", **parts: Any) -> bytes:
    """The message that the parts make."""
    return Composition(from_=sender, text=text, **parts).encode()


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
        ("anna@example.org (Anna Lee)", "Anna Lee", "anna@example.org"),
        ("anna@example.org(Jörg (Jo))", "Jörg (Jo)", "anna@example.org"),
        ("Anna <anna@example.org> (at home)", "Anna", "anna@example.org"),
        ("(Lee) anna@example.org", "", "anna@example.org"),
    ],
)
def test_display_names(written: str, display: str | None, address: str | None) -> None:
    """A name before the address arrives as it was meant, in any script; an unquoted comma makes two addresses, one of them none."""
    if display is None:
        with pytest.raises(EmailError):
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


@pytest.mark.parametrize(
    "address",
    ["a b@example.org", "@example.org", "a@", "Jo <>", "<>", "a@b>c@d", "Group: a b;", "a..b@x.org", "A <a@x.org> B", "a@127.0.0.1"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """A bad address names itself and its field."""
    with pytest.raises(EmailError, match=r"^Cc: ") as caught:
        compose(cc=[address])
    assert caught.value.part == "Cc"


@pytest.mark.parametrize("written", ["A <a@x.org> B <b@x.org>", "A <a@x.org>; B <b@x.org>", "A\t< a @ x.org > (two of us) B <b@x.org"])
def test_addresses_are_read_as_in_a_header(written: str) -> None:
    """Without a comma between them, with blanks or with a semicolon: each that is written is a recipient, and stands in the field."""
    made = Composition(from_="me@example.org", to=written)
    assert made.recipients() == ["a@x.org", "b@x.org"]
    assert b"To: A <a@x.org>, B <b@x.org>\r\n" in made.encode()


def test_what_is_no_address_can_be_left_out() -> None:
    """Who asks for it gets the message for the others, and the texts that were no addresses."""
    bad: list[str] = []
    made = Composition(from_="me@example.org", to=["a@x.org, John Smith", "Jo <>"], cc="Group: nodomain@, b@x.org;", bcc=["c@x.org", "<>"])
    assert b"To: a@x.org\r\nCc: Group: b@x.org;\r\n" in made.encode(bad)
    assert made.hidden(bad) == ["c@x.org"]
    assert bad == ["John Smith", "Jo <>", "nodomain@", "<>"]


@pytest.mark.parametrize(
    ("written", "field", "found"),
    [
        ("Team: a@x.org, Bob <b@x.org>;", "Team: a@x.org, Bob <b@x.org>;", ["a@x.org", "b@x.org"]),
        ("undisclosed-recipients:;", "undisclosed-recipients: ;", []),
        (
            'first@x.org, "A, B": a@x.org;, last@x.org',
            'first@x.org, "A, B": a@x.org;, last@x.org',
            ["first@x.org", "a@x.org", "last@x.org"],
        ),
        ("Größe: a@x.org; Two: b@x.org;", "=?utf-8?b?R3LDtsOfZQ==?=: a@x.org;, Two: b@x.org;", ["a@x.org", "b@x.org"]),
        ("a@[IPv6:2001:db8::1], <b@[IPv6:::1]>", "a@[IPv6:2001:db8::1], b@[IPv6:::1]", ["a@[IPv6:2001:db8::1]", "b@[IPv6:::1]"]),
        ('"x:y;z" <c@x.org>', '"x:y;z" <c@x.org>', ["c@x.org"]),
    ],
)
def test_groups(written: str, field: str, found: list[str]) -> None:
    """A group stays one, RFC 6854; its members are recipients, and it may have none."""
    made = Composition(from_="me@example.org", to=written, bcc="hidden@example.org")
    assert f"To: {field}\r\n".encode() in made.encode()
    assert made.recipients() == [*found, "hidden@example.org"]
    assert [one.addr_spec for one in parse(made.encode())["To"].addresses] == found


def test_a_message_has_one_author() -> None:
    """Two addresses in From would need a Sender, which nobody named."""
    with pytest.raises(EmailError, match="From takes one address, not 2"):
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
        with pytest.raises(EmailError) as caught:
            compose(**given_)  # type: ignore[arg-type]
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "X Y", "X:", "Bcc", "bcc", "BCC", "Bcc ", "To", "Content-Type", "MIME-Version", "Ä", "X" * 80])
def test_names_of_fields(name: str) -> None:
    """A name that is none, and a field that is made from other options, are refused."""
    with pytest.raises(EmailError):
        compose(headers=[(name, "x")])


def test_further_fields() -> None:
    """Other fields are written in their order; text beyond ASCII is encoded, an encoded word is left alone."""
    message = parse(compose(headers=[("X-One", "Grüße"), ("X-Two", "=?utf-8?q?=C3=BC?="), ("x-one", "again"), ("X-Long", "y" * 2000)]))
    assert message.get_all("X-One") == ["Grüße", "again"]
    assert message["X-Two"] == "ü"
    assert message["X-Long"] == "y" * 2000


def test_no_run_of_blanks_makes_a_line_too_long() -> None:
    """Neither in a subject nor in another field."""
    message = compose(subject="a" + " " * 2000 + "b", headers=[("X-Note", "c" + " " * 2000 + "d")])
    assert is_plain(message)


def test_fields_that_programs_read_stand_once_and_in_ascii() -> None:
    """Two Message-IDs, or an encoded word in one, would make a message that nobody can thread."""
    with pytest.raises(EmailError, match="may stand once"):
        compose(headers=[("Message-ID", "<a@b>"), ("message-id", "<c@d>")])
    with pytest.raises(EmailError, match="beyond ASCII"):
        compose(headers=[("References", "<ä@b>")])
    with pytest.raises(EmailError, match="too long"):
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
    lines = text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")  # where no LF is, CR ends a line
    sent = lines.replace("\r", " ").replace("\0", " ")
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
    with pytest.raises(EmailError, match="no UTF-8, at character 1"):
        compose(text="x\udcff")


def build(**parts: Any) -> EmailMessage:
    return parse(Composition(from_="anna@example.org", to="bob@example.net", **parts).encode())


def test_html_alone_is_html_alone() -> None:
    """With an empty text there is no empty alternative."""
    message = build(html="<p>Hällo</p>", text="")
    assert message.get_content_type() == "text/html"
    assert message.get_content().strip() == "<p>Hällo</p>"


def test_files_pictures_and_both_bodies() -> None:
    """Text and HTML are alternatives, the HTML has its picture beside it, and files come after what is read."""
    email = Composition(from_="anna@example.org", to="bob@example.net", text="plain", html='<img src="cid:logo">')
    email.attach(b"%PDF-1.7 \x00\xff", "report.pdf").inline(b"\x89PNG", "logo", "image/png").attach("a;b\r\n", "table.csv")
    message = parse(email.encode())
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
        "text/csv",
    ]
    picture = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert picture["Content-ID"] == "<logo>"
    assert picture.get_content_disposition() == "inline"
    files = list(message.iter_attachments())
    assert [file.get_filename() for file in files] == ["report.pdf", "table.csv"]
    assert files[0].get_content() == b"%PDF-1.7 \x00\xff"
    assert is_plain(email.encode())


def test_the_same_files_make_the_same_bytes() -> None:
    """Nothing is random, and nothing of the machine shows."""
    one, two = (Composition(to="bob@example.net", text="x", files=[Attachment(b"1" * 100, "a.bin")]).encode() for _ in range(2))
    assert one == two


@given(st.binary(max_size=500), st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=150))
def test_any_file_under_any_name_arrives(data: bytes, name: str) -> None:
    """The octets and the name come back as they were, whatever the script and the length of the name."""
    message = build(files=[Attachment(data, name, "application/x-thing")])
    file = next(message.iter_attachments(), None)
    assert file is not None
    assert file.get_content() == data
    assert file.get_filename("").strip() == name.strip()  # the reader takes any blank at the edge for one of ours


def test_an_attached_message_stays_one() -> None:
    """message/rfc822 is not encoded; one with 8-bit octets travels as a file, since no encoding is allowed for it."""
    message = build(files=[Attachment(b"Subject: x\n\nhello\n", "old.eml")])
    [file] = message.iter_attachments()
    assert file.get_content_type() == "message/rfc822"
    assert file.get_content()["Subject"] == "x"
    message = build(files=[Attachment("Subject: ü\n\nhello\n".encode(), "old.eml")])
    [file] = message.iter_attachments()
    assert file.get_content_type() == "application/octet-stream"
    assert file.get_content() == "Subject: ü\n\nhello\n".encode()


def test_text_files_say_their_charset() -> None:
    """A text that is UTF-8 says so; one that is something else claims nothing."""
    for data, charset in ((b"a;\xc3\xbc", "utf-8"), (b"a;\xfc", None)):
        [file] = build(files=[Attachment(data, "a.csv")]).iter_attachments()
        assert file.get_content_charset() == charset
        assert file.get_payload(decode=True) == data


def test_threads_priority_and_identity() -> None:
    """An answer names what it answers; without a list of the thread that is the thread."""
    message = build(message_id="2@example.org", in_reply_to="<1@example.org>", priority="high")
    assert message["Message-ID"] == "<2@example.org>"
    assert message["In-Reply-To"] == message["References"] == "<1@example.org>"
    assert message["X-Priority"] == "2"
    assert message["Importance"] == "high"
    assert build(in_reply_to="2@x", references=["1@x", "2@x"])["References"] == "<1@x> <2@x>"


def test_further_fields_as_a_mapping_or_one_by_one() -> None:
    """Headers are given as a mapping or as pairs, and more can be added."""
    message = parse(Composition(to="bob@example.net", headers={"X-One": "1"}).header("X-Two", "2").encode())
    assert (message["X-One"], message["X-Two"]) == ("1", "2")
    with pytest.raises(EmailError, match="may stand once"):
        Composition(to="bob@example.net", message_id="1@x", headers={"Message-ID": "<2@x>"}).encode()


def test_the_envelope_of_an_email() -> None:
    """All recipients are in the envelope once, Bcc nowhere else; reports go to the author unless a sender is named."""
    email = Composition(from_="Anna <anna@example.org>", to="b@example.net, c@example.net", cc=["b@example.net"], bcc="d@bücher.example")
    assert email.recipients() == ["b@example.net", "c@example.net", "d@xn--bcher-kva.example"]
    assert email.reverse_path() == "anna@example.org"
    assert b"d@" not in email.encode()
    assert b"cher" not in email.encode()
    email.sender = "bounces@example.org"
    assert email.reverse_path() == "bounces@example.org"
    email.sender = ""
    assert email.reverse_path() == ""


@pytest.mark.parametrize(
    ("parts", "part"),
    [
        ({"to": "root", "from_": "a@x.org"}, "To"),
        ({"from_": "a@x.org"}, "To"),
        ({"to": "a@x.org"}, "From"),
        ({"to": "a@x.org", "from_": "root"}, "From"),
        ({"to": "a@x.org", "sender": "a\r\n@x.org"}, "the sender"),
        ({"to": "a@x.org", "sender": "a@@x.org"}, "From"),
        ({"to": "a@x.org", "from_": "x@y.org", "priority": "soon"}, "X-Priority"),
        ({"to": "a@x.org", "from_": "x@y.org", "message_id": "a b"}, "Message-ID"),
        ({"to": "a@x.org", "from_": "x@y.org", "references": ["<x\r\n>"]}, "References"),
        ({"to": "a@x.org", "from_": "x@y.org", "text": "\udcff"}, "text"),
        ({"to": "a@x.org", "from_": "x@y.org", "files": [Attachment(b"", "a\r\nb")]}, "the name of an attachment"),
        ({"to": "a@x.org", "from_": "x@y.org", "files": [Attachment(b"", "a", "text")]}, "attachment"),
        ({"to": "a@x.org", "from_": "x@y.org", "files": [Attachment(b"", "a", "multipart/mixed")]}, "attachment"),
        ({"to": "a@x.org", "from_": "x@y.org", "files": [Attachment(b"", "a", "a/b\r\nBcc: x@y.org")]}, "the type of an attachment"),
        ({"to": "a@x.org", "from_": "x@y.org", "html": "x", "files": [Attachment(b"", "a", "a/b", "<a>b>")]}, "attachment"),
        ({"to": "a@x.org", "from_": "x@y.org", "text": "x", "files": [Attachment(b"", "a", "a/b", "logo")]}, "html"),
    ],
)
def test_what_cannot_be_composed_says_where(parts: dict[str, Any], part: str) -> None:
    """One error class, one printable line, and the part that is wrong."""
    email = Composition(**parts)
    with pytest.raises(EmailError) as caught:
        _ = email.encode(), email.reverse_path(), email.recipients()
    assert caught.value.part == part
    assert str(caught.value).isprintable()


def test_an_email_shows_no_bodies() -> None:
    """What a log prints of an email holds neither its texts nor the octets of its files."""
    shown = repr(Composition(to="bob@example.net", text="secret", html="secret", files=[Attachment(b"secret", "a.pdf")]))
    assert "secret" not in shown
    assert "Attachment('a.pdf', 'application/pdf', 6 octets)" in shown


LIMITS = EmailLimits(attachments=2, attachment_size=10, subject_length=5)


def test_up_to_the_limits() -> None:
    """All of it may be used."""
    LIMITS.check(Composition(subject="äöüäö", files=[Attachment(b"x" * 10), Attachment(b"")]))
    EmailLimits().check(Composition())


@pytest.mark.parametrize(
    ("email", "part", "words"),
    [
        (Composition(subject="123456"), "Subject", "longer than 5 characters (submission.max_subject_length)"),
        (Composition(files=[Attachment(b"")] * 3), "attachment", "3 attachments are more than 2 (submission.max_attachments)"),
        (
            Composition(files=[Attachment(b"x" * 11, "a.bin")]),
            "attachment",
            "'a.bin' is larger than 10 bytes (submission.max_attachment_size)",
        ),
    ],
)
def test_beyond_them(email: Composition, part: str, words: str) -> None:
    """Refused, with the setting that says so."""
    with pytest.raises(EmailError) as caught:
        LIMITS.check(email)
    assert caught.value.part == part
    assert words in str(caught.value)
