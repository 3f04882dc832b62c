"""What programs hand in, and the envelope and octets that it becomes."""

from __future__ import annotations

import email.message
import email.policy
import re
from email.mime.text import MIMEText
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer import Attachment, Email, ErrorKind, SmtpError, SmtpMessageError
from mailer.client.prepare import PreparedMail, prepared
from mailer.mail.message import Message, normalise

PLAIN = b"From: Anna <anna@example.org>\nTo: bob@example.net, Carol <carol@example.net>\nBcc: dave@example.net\n\nhello\n"


def make(mail: Any, sender: str | None = None, recipients: Any = None) -> PreparedMail:
    """What it makes on a host called me.example.org."""
    return prepared(mail, sender, recipients, "me.example.org")


def refused(mail: Any, sender: str | None = None, recipients: Any = None) -> SmtpError:
    """Why there is none."""
    with pytest.raises(SmtpMessageError) as caught:
        make(mail, sender, recipients)
    assert not caught.value.retryable
    return caught.value


def test_bytes_tell_their_envelope() -> None:
    """To, Cc and Bcc are the recipients, From the sender; Bcc does not travel, and lines end in CRLF."""
    made = make(PLAIN)
    assert made.parcel.sender == "anna@example.org"
    assert made.parcel.recipients == ("bob@example.net", "carol@example.net", "dave@example.net")
    assert b"dave" not in made.parcel.content
    assert b"\n" not in made.parcel.content.replace(b"\r\n", b"")
    assert made.parcel.content.endswith(b"\r\n\r\nhello\r\n")


def test_an_envelope_goes_before_the_header() -> None:
    """Who names sender and recipients means them; one recipient needs no list, and each is there once."""
    made = make(PLAIN, "", "eve@example.net")
    assert (made.parcel.sender, made.parcel.recipients) == ("", ("eve@example.net",))
    made = make(PLAIN, "bounces@example.org", ["<x@example.net>", "x@example.net"])
    assert (made.parcel.sender, made.parcel.recipients) == ("bounces@example.org", ("x@example.net",))
    made = make(Email(from_="anna@example.org", to="bob@example.net"), recipients=["eve@example.net"])
    assert made.parcel.recipients == ("eve@example.net",)


def test_what_is_missing_is_added_and_what_is_there_stays() -> None:
    """A Date and a Message-ID of our own host; those that a message has are left alone."""
    made = make(PLAIN)
    assert re.fullmatch(r"<[0-9a-f]{32}@me\.example\.org>", made.message_id)
    assert f"Message-ID: {made.message_id}\r\n".encode() in made.parcel.content
    assert re.search(rb"\r\nDate: \w{3}, ", made.parcel.content)
    given = b"Message-ID: <1@x>\r\nDate: Sat, 21 Nov 2026 02:15:29 +0000\r\n" + PLAIN.replace(b"\n", b"\r\n")
    made = make(given)
    assert made.message_id == "<1@x>"
    assert made.parcel.content == given.replace(b"Bcc: dave@example.net\r\n", b"")
    assert make(PLAIN).message_id != make(PLAIN).message_id


def test_no_kind_of_bcc_travels() -> None:
    """Nor that of somebody who resent the message, RFC 5322 §3.6.6."""
    assert b"secret" not in make(b"Resent-Bcc: secret@example.net\n" + PLAIN).parcel.content


def test_a_message_id_that_says_nothing() -> None:
    """It is replaced: two of them would make a message that nobody can thread."""
    made = make(b"Message-ID:\n" + PLAIN)
    assert made.parcel.content.count(b"Message-ID:") == 1
    assert made.message_id.endswith("@me.example.org>")


@given(
    st.lists(
        st.sampled_from([b"a", b"X: y\r\n", b"Bcc: x@y\r\n", b" more\r\n", b"\r\n", b"\n", b"\r", b"\0", b":", b"Date: x\r\n"]), max_size=12
    )
)
def test_whatever_the_message_only_that_changes(pieces: list[bytes]) -> None:
    """Any octets come out as they were but for line ends, Bcc, and what was added."""
    data = b"".join(pieces)
    ours = (b"bcc", b"resent-bcc", b"date", b"message-id")
    wanted = Message.split(normalise(data)).without(*ours)
    got = Message.split(make(data, "a@example.org", "b@example.net").parcel.content)
    assert (got.without(*ours).header, got.rest) == (wanted.header, wanted.rest or b"\r\n")
    assert {b"date", b"message-id"} <= {name for name, _ in got.fields()}


def test_an_email() -> None:
    """The builder's envelope and octets, completed."""
    made = make(Email(from_="anna@example.org", to="bob@example.net", bcc="carol@bücher.example", text="hi", sender="b@example.org"))
    assert made.parcel.sender == "b@example.org"
    assert made.parcel.recipients == ("bob@example.net", "carol@xn--bcher-kva.example")
    assert made.message_id in made.parcel.content.decode()


def test_the_standard_library_s_messages() -> None:
    """EmailMessage and the old MIMEText are messages too, and stay as they are."""
    for message in (email.message.EmailMessage(), MIMEText("grüße", "plain", "utf-8")):
        message["From"], message["To"], message["Bcc"] = "Anna <anna@example.org>", "bob@example.net", "carol@example.net"
        message["Subject"] = "Grüße"
        made = make(message)
        assert made.parcel.recipients == ("bob@example.net", "carol@example.net")
        assert b"carol" not in made.parcel.content
        assert b"Subject: =?utf-8?" in made.parcel.content
        assert message["Bcc"] == "carol@example.net", "the caller's object is not touched"


def test_a_standard_message_with_an_international_address() -> None:
    """Such an address stands in the header as it is, RFC 6532; as an encoded word it would be none."""
    message = email.message.EmailMessage()
    message["From"], message["To"] = "anna@example.org", "Jörg <jörg@example.net>"
    message.set_content("hi")
    made = make(message)
    assert made.parcel.recipients == ("jörg@example.net",)
    assert "To: Jörg <jörg@example.net>".encode() in made.parcel.content


@pytest.mark.parametrize(
    ("mail", "kind"),
    [
        (b"To: bob@example.net\n\nx", ErrorKind.INVALID_FROM_ADDRESS),
        (b"From: a@example.org\n\nx", ErrorKind.INVALID_RECIPIENT_ADDRESS),
        (b"", ErrorKind.INVALID_FROM_ADDRESS),
        (b"From: a@example.org\nTo: root\n\nx", ErrorKind.INVALID_RECIPIENT_ADDRESS),
        (b"From: a@@example.org\nTo: b@example.net\n\nx", ErrorKind.INVALID_FROM_ADDRESS),
        (Email(to="b@example.net"), ErrorKind.INVALID_FROM_ADDRESS),
        (Email(from_="a@example.org"), ErrorKind.INVALID_RECIPIENT_ADDRESS),
        (Email(from_="a@example.org", to="b@example.net", subject="a\nBcc: x@y"), ErrorKind.INVALID_HEADER),
        (Email(from_="a@example.org", to="b@example.net", text="\udcff"), ErrorKind.ENCODING_FAILED),
        (Email(from_="a@example.org", to="b@example.net", files=[Attachment(b"", "a", "b")]), ErrorKind.ATTACHMENT_ERROR),
        (Email(from_="a@example.org", to="b@example.net", files=[Attachment(b"", "a\0")]), ErrorKind.ATTACHMENT_ERROR),
    ],
)
def test_what_is_no_letter(mail: Any, kind: ErrorKind) -> None:
    """Each mistake has its kind, and no word about settings that a program has not."""
    error = refused(mail)
    assert error.kind is kind
    assert "default_domain" not in str(error)


def test_a_bad_envelope() -> None:
    """An address that cannot be one never reaches a command."""
    assert refused(PLAIN, "a@b\r\nRCPT TO:<x@y>").kind is ErrorKind.INVALID_FROM_ADDRESS
    assert refused(PLAIN, recipients=["b@example.net>\r\nDATA"]).kind is ErrorKind.INVALID_RECIPIENT_ADDRESS
    assert refused(PLAIN, recipients=[]).kind is ErrorKind.INVALID_RECIPIENT_ADDRESS


def test_a_standard_message_that_cannot_be_written() -> None:
    """The standard library's own refusal is an error of ours."""
    message = email.message.Message()
    message["From"], message["To"] = "a@example.org", "b@example.net"
    message.set_payload(object())  # type: ignore[arg-type]
    assert refused(message).kind is ErrorKind.ENCODING_FAILED


def test_what_is_no_message_at_all() -> None:
    """That is a mistake in the program."""
    framework = type("EmailMessage", (), {"message": lambda self: None})
    with pytest.raises(TypeError, match=r"not a .*EmailMessage; what its message\(\) makes is one"):
        make(framework())
    with pytest.raises(TypeError, match=r"not a str$"):
        make("Subject: x")


def test_files_are_read_when_they_are_attached(tmp_path: Any) -> None:
    """Under their own name, or another; what cannot be read is an error of the attachment."""
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF")
    mail = Email(html='<img src="cid:p">').attach_file(path).attach_file(path, "other.pdf").inline_file(path, "p", "image/png")
    assert [(file.name, file.data) for file in mail.files] == [("report.pdf", b"%PDF"), ("other.pdf", b"%PDF"), ("report.pdf", b"%PDF")]
    with pytest.raises(SmtpMessageError, match=r"cannot read .*nothing: No such file") as caught:
        mail.attach_file(tmp_path / "nothing")
    assert caught.value.kind is ErrorKind.ATTACHMENT_ERROR


def test_recipients_are_read_as_people_write_them() -> None:
    """With names, as Django's `recipients()` gives them, several in one text, and none of them lost; the sender alike."""
    made = make(PLAIN, sender="Me <me@example.com>", recipients=["Jörg <j@bücher.example>", "<a@example.net> <b@example.net>"])
    assert (made.parcel.sender, made.parcel.recipients) == ("me@example.com", ("j@xn--bcher-kva.example", "a@example.net", "b@example.net"))
    assert make(PLAIN, recipients="a@example.net, Anna <b@example.net>").parcel.recipients == ("a@example.net", "b@example.net")
    assert refused(PLAIN, recipients=["Anna a@example.net"]).kind is ErrorKind.INVALID_RECIPIENT_ADDRESS


def test_a_domain_beyond_ascii_is_one_in_a_message_of_the_library_too() -> None:
    """Its writer would make an encoded word of it; the field has A-labels as the envelope has, and the name beside is encoded."""
    mail = email.message.EmailMessage()
    mail["From"] = "J\u00f6rg <me@b\u00fccher.example>"
    mail["To"] = "you@b\u00fccher.example"
    mail["Subject"] = "\u00fc"
    mail.set_content("x")
    made = make(mail)
    assert (made.parcel.sender, made.parcel.recipients) == ("me@xn--bcher-kva.example", ("you@xn--bcher-kva.example",))
    assert made.parcel.content.isascii()
    read = email.message_from_bytes(made.parcel.content, policy=email.policy.default)
    assert (read["From"], read["Subject"]) == ("J\u00f6rg <me@xn--bcher-kva.example>", "\u00fc")


def test_what_the_library_lets_through_is_mended() -> None:
    """A field that was set twice, which it adds instead, and octets that it never read; what is signed stays as it is."""
    mail = email.message_from_bytes(b"From: J\xe9 <me@example.com>\nTo: a@example.net\nSubject: caf\xe9\n\nx\n")
    mail["To"] = "b@example.net"
    mail["Subject"] = "again"
    made = make(mail)
    assert made.parcel.recipients == ("a@example.net", "b@example.net")
    read = email.message_from_bytes(made.parcel.content, policy=email.policy.default)
    assert (read.get_all("To"), read.get_all("Subject")) == (["a@example.net, b@example.net"], ["caf\u00e9"])
    assert made.parcel.content.isascii()
    mail["DKIM-Signature"] = "v=1"
    assert b"Subject: again" in make(mail).parcel.content


@pytest.mark.parametrize("preface", [b"\xef\xbb\xbf", b"From me Mon\n"])
def test_what_stands_before_a_message_is_no_part_of_it(preface: bytes) -> None:
    """The byte order mark of an editor, and the line of a mailbox."""
    made = make(preface + PLAIN)
    assert made.parcel.sender == "anna@example.org"
    assert made.parcel.content.startswith(b"From: Anna ")


def test_mail_that_is_sent_on_goes_to_those_it_is_sent_on_to() -> None:
    """From who does so, RFC 5322 §3.6.6; the copy says when, and no Return-Path of its first journey."""
    made = make(b"Return-Path: <x@example.org>\nResent-From: re@example.com\nResent-To: new@example.net\n" + PLAIN)
    assert (made.parcel.sender, made.parcel.recipients) == ("re@example.com", ("new@example.net",))
    fields = [line.partition(":")[0] for line in made.parcel.content.decode().split("\r\n")[:4]]
    assert fields == ["Resent-Date", "Resent-Message-ID", "Resent-From", "Resent-To"]


class Framework(MIMEText):
    """A message as web frameworks make them: its `as_bytes` takes what that of Django's messages takes, and no policy."""

    def as_bytes(self, unixfrom: bool = False, linesep: str = "\n") -> bytes:  # type: ignore[override]
        """Never called."""
        raise NotImplementedError(unixfrom, linesep)


def test_a_message_of_a_framework_is_one() -> None:
    """Whatever it has made of the methods that write it; a line that begins with From stays as it is."""
    mail = Framework("Grüße\nFrom here\n", "plain", "utf-8")
    mail["From"], mail["To"], mail["Subject"] = "me@example.com", "you@example.net", "x"
    mail.replace_header("Content-Transfer-Encoding", "8bit")
    mail.set_payload("Grüße\nFrom here\n".encode())
    made = make(mail)
    assert (made.parcel.sender, made.parcel.recipients) == ("me@example.com", ("you@example.net",))
    assert made.parcel.content.endswith("\r\n\r\nGrüße\r\nFrom here\r\n".encode())
