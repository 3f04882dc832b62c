"""Django's mail, in every shape that Django has, through the queue."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage as StandardMessage
from email.mime.application import MIMEApplication
from email.mime.image import MIMEImage
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection, mail_admins, send_mail, send_mass_mail
from django.test.utils import override_settings

from mailer import Problem
from mailer.spool.files.store import SpoolDirectory

BACKEND = "mailer.integrations.django.EmailBackend"

if not settings.configured:
    settings.configure(DEFAULT_CHARSET="utf-8")


class Queue:
    """The spool that Django's mail is in."""

    def __init__(self, where: Path) -> None:
        self.spool = SpoolDirectory(str(where))

    def letters(self) -> list[tuple[str, list[str], StandardMessage]]:
        """Sender, recipients and the message of each, oldest first."""
        found = []
        for id in self.spool.ids("queued") if Path(self.spool.root).exists() else []:
            envelope = self.spool.read(id).envelope
            message: Any = message_from_bytes(self.spool.content(id), policy=policy.default)
            found.append((envelope.sender, [to.address for to in envelope.recipients], message))
        return found

    @property
    def last(self) -> StandardMessage:
        return self.letters()[-1][2]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    where = tmp_path / "spool"
    with override_settings(
        EMAIL_BACKEND=BACKEND,
        MAILER_SPOOL=str(where),
        DEFAULT_FROM_EMAIL="shop@example.com",
        SERVER_EMAIL="server@example.com",
        ADMINS=[("Ann", "ann@example.com")],
    ):
        yield Queue(where)


def test_send_mail_counts_and_is_on_disk(queue: Queue) -> None:
    """The envelope is From and To; HTML is the alternative; a login for a server is of no matter."""
    sent = send_mail(
        "Gr\u00fc\u00dfe", "Text \u00e4", None, ["Zo\u00eb <z@example.net>"], html_message="<p>\u00e4</p>", auth_user="x", auth_password="y"
    )
    sender, recipients, message = queue.letters()[0]
    assert (sent, sender, recipients, message["Subject"]) == (1, "shop@example.com", ["z@example.net"], "Gr\u00fc\u00dfe")
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [(part.get_content_type(), part.get_content().strip()) for part in parts] == [
        ("text/plain", "Text \u00e4"),
        ("text/html", "<p>\u00e4</p>"),
    ]
    assert message["To"].addresses[0].display_name == "Zo\u00eb"


def test_everybody_is_in_the_envelope_and_bcc_in_it_alone(queue: Queue) -> None:
    """Headers of one's own, answers to another address, all kinds of recipients."""
    message = EmailMessage(
        "s", "b", "\u00c4nne <a@ex\u00e4mple.com>", ["to@example.net"], ["hidden@example.net"], cc=["cc@example.net"],
        reply_to=["Re <re@example.com>", "two@example.com"],
        headers={"X-Order": "7", "List-Unsubscribe": "<https://example.com/u>", "Message-ID": "<own@x.example>"},
    )  # fmt: skip
    assert message.send() == 1
    sender, recipients, found = queue.letters()[0]
    assert (sender, recipients) == ("a@xn--exmple-cua.com", ["to@example.net", "cc@example.net", "hidden@example.net"])
    assert "hidden" not in found.as_string()
    assert [str(found[name]) for name in ("X-Order", "Message-ID", "Reply-To", "Cc")] == [
        "7", "<own@x.example>", "Re <re@example.com>, two@example.com", "cc@example.net",
    ]  # fmt: skip


def test_attachments_of_every_kind(queue: Queue, tmp_path: Path) -> None:
    """By content, by file, as MIMEBase, a message in a message of three kinds, and a name that is not ASCII."""
    inner = EmailMessage("inner", "said before", to=["x@example.net"])
    (tmp_path / "notes.txt").write_text("notes")
    message = EmailMultiAlternatives("s", "b", to=["to@example.net"])
    message.attach_alternative("<p>b</p>", "text/html")
    message.attach_alternative("BEGIN:VCALENDAR", "text/calendar")
    message.attach("r\u00e9sum\u00e9.pdf", b"%PDF\x00\xff", "application/pdf")
    message.attach("list.csv", "a;b", "text/csv")
    message.attach_file(str(tmp_path / "notes.txt"))
    message.attach(MIMEImage(b"\x89PNG\r\n\x1a\n", "png"))
    message.attach(MIMEApplication(b"zip", "zip"))
    message.attach("old.eml", inner, "message/rfc822")
    message.attach("other.eml", b"Subject: raw\n\nbody\n", "message/rfc822")
    assert message.send() == 1
    parts = [*queue.last.walk()]
    kinds = [part.get_content_type() for part in parts if part.get_content_maintype() != "multipart"]
    assert kinds == [
        "text/plain", "text/html", "text/calendar", "application/pdf", "text/csv", "text/plain", "image/png", "application/zip",
        "message/rfc822", "text/plain", "message/rfc822", "text/plain",
    ]  # fmt: skip
    named = {part.get_filename(): part for part in parts if part.get_filename()}
    assert named["r\u00e9sum\u00e9.pdf"].get_payload(decode=True) == b"%PDF\x00\xff"
    assert named["old.eml"].get_payload(0)["Subject"] == "inner"
    assert named["other.eml"].get_payload(0)["Subject"] == "raw"


def test_many_at_once_and_the_admins(queue: Queue) -> None:
    """`send_mass_mail` counts what was queued; one without recipients is none; `mail_admins` comes from the server."""
    letters = [("one", "b", None, ["1@example.net"]), ("none", "b", None, []), ("two", "b", None, ["2@example.net"])]
    assert send_mass_mail(letters) == 2  # type: ignore[arg-type, unused-ignore]
    mail_admins("down", "it is", html_message="<p>it is</p>")
    assert EmailMessage("s", "b").send() == 0
    assert [(sender, to) for sender, to, _ in queue.letters()] == [
        ("shop@example.com", ["1@example.net"]), ("shop@example.com", ["2@example.net"]), ("server@example.com", ["ann@example.com"]),
    ]  # fmt: skip
    with get_connection() as connection:
        assert connection.send_messages([EmailMessage("s", "b", to=["3@example.net"])]) == 1
        assert connection.send_messages([]) == 0


def test_what_cannot_be_queued_is_raised_or_silent(queue: Queue, tmp_path: Path) -> None:
    """A bad address, a configuration that is not there; a header that Django refuses is Django's own error."""
    bad = EmailMessage("s", "b", to=["no address"])
    with pytest.raises(Problem, match="no address"):
        bad.send()
    assert EmailMessage("s", "b", to=["no address"]).send(fail_silently=True) == 0
    with override_settings(MAILER_CONFIG=str(tmp_path / "none.toml")), pytest.raises(Problem) as caught:
        send_mail("s", "b", None, ["to@example.net"])
    assert caught.value.kind == "bad-config"
    with pytest.raises(ValueError, match="newlines"):
        EmailMessage("one\nBcc: evil@example.net", "b", to=["to@example.net"]).send()
    assert queue.letters() == []
    assert mail.get_connection(spool=str(tmp_path / "other")).send_messages([EmailMessage("s", "b", to=["to@example.net"])]) == 1
    assert [*tmp_path.glob("other/queued/*")]
