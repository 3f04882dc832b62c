"""Answers: persons who wrote to the owner get one, once; machines and lists never."""

from __future__ import annotations

import pytest

from mailer.filing.carry import MOST_ANSWERS
from mailer.mail.address_list import in_header
from mailer.mail.message import Message

from .letterbox import ANN, Letterbox, mail

VACATION = 'require ["vacation", "vacation-seconds"]; vacation :days 2 :subject "Away" "Back on Monday. Ä";'


def answered(letterbox: Letterbox, content: bytes, **more: object) -> bool:
    before = len(letterbox.sent())
    letterbox.file(content, **more)
    return len(letterbox.sent()) > before


def test_what_an_answer_says(letterbox: Letterbox) -> None:
    """To whom, to what, by whom, and that a machine wrote it, to nobody's mailbox. RFC 3834 §3"""
    letterbox.script(VACATION)
    letterbox.file(mail("References: <0@example.net>"))
    ((envelope, content),) = letterbox.sent()
    header = Message.head(content)
    assert (envelope.sender, [person.address for person in envelope.recipients]) == ("", ["bob@example.net"])
    assert (header.value(b"from"), header.value(b"to")) == ("ann@example.com", "bob@example.net")
    assert (header.value(b"subject"), header.value(b"in-reply-to")) == ("Away", "<1@example.net>")
    assert header.value(b"references") == "<0@example.net> <1@example.net>"
    assert header.value(b"auto-submitted") == "auto-replied (vacation)"
    assert "Ä".encode() in content or b"=C3=84" in content


@pytest.mark.parametrize(
    ("fields", "sender", "to"),
    [
        ((), "", "ann@example.com"),
        ((), "MAILER-DAEMON@example.net", "ann@example.com"),
        ((), "noreply@example.net", "ann@example.com"),
        ((), "owner-list@example.net", "ann@example.com"),
        ((), "list-request@example.net", "ann@example.com"),
        ((), "bounces+ann=example.com@example.net", "ann@example.com"),
        ((), "ann@example.com", "ann@example.com"),
        ((), "Ann@EXAMPLE.com", "ann@example.com"),
        ((), "bob@example.net", "everybody@example.com"),
        ((), "bob@example.net", '"ann@example.com" <list@example.org>'),
        (("Auto-Submitted: auto-replied",), "bob@example.net", "ann@example.com"),
        (("Auto-Submitted: Auto-Generated; x=y",), "bob@example.net", "ann@example.com"),
        (("Auto-Submitted: no", "Auto-Submitted: auto-replied"), "bob@example.net", "ann@example.com"),
        (("Content-Type: multipart/report; report-type=delivery-status",), "bob@example.net", "ann@example.com"),
        (("Precedence: bulk (all)",), "bob@example.net", "ann@example.com"),
        (("Precedence: bulk",), "bob@example.net", "ann@example.com"),
        (("precedence: LIST",), "bob@example.net", "ann@example.com"),
        (("List-Id: <l.example.net>",), "bob@example.net", "ann@example.com"),
        (("List-Unsubscribe: <mailto:x@example.net>",), "bob@example.net", "ann@example.com"),
        (("Mailing-List: x",), "bob@example.net", "ann@example.com"),
        (("X-Auto-Response-Suppress: DR, OOF",), "bob@example.net", "ann@example.com"),
    ],
)
def test_who_gets_none(letterbox: Letterbox, fields: tuple[str, ...], sender: str, to: str) -> None:
    """The null sender, machines, lists, the owner himself, and who did not write to him. RFC 3834 §2, RFC 5230 §4.5"""
    letterbox.script(VACATION)
    assert not answered(letterbox, mail(*fields, to=to), sender=sender)


@pytest.mark.parametrize(
    ("fields", "to"),
    [
        (("Auto-Submitted: no",), "ann@example.com"),
        ((), "Ann Example <ANN@example.com>, x@example.org"),
        (("Cc: ann@example.com",), "x@example.org"),
        (("Resent-To: ann@example.com",), "x@example.org"),
        (("X-Auto-Response-Suppress: DR",), "ann@example.com"),
    ],
)
def test_who_gets_one(letterbox: Letterbox, fields: tuple[str, ...], to: str) -> None:
    """A person who named the owner, anywhere."""
    letterbox.script(VACATION)
    assert answered(letterbox, mail(*fields, to=to))


def test_a_tag_and_other_addresses_are_his_too(letterbox: Letterbox) -> None:
    """The address that the mail came to, without its tag, and those that the script names."""
    letterbox.script('require "vacation"; vacation :addresses ["a.example@example.com"] "gone";')
    assert answered(letterbox, mail(to="ann+shop@example.com"), recipient="ann+shop@example.com")
    assert answered(letterbox, mail(to="a.example@example.com"), sender="carl@example.net")


def test_once_in_so_many_days(letterbox: Letterbox) -> None:
    """Each sender, however he writes his address; another answer is another."""
    letterbox.script(VACATION)
    assert answered(letterbox, mail())
    assert not answered(letterbox, mail(), sender="BOB@example.NET")
    assert answered(letterbox, mail(), sender="carl@example.net")
    letterbox.premises.now += 2 * 86_400 - 10
    assert not answered(letterbox, mail())
    letterbox.premises.now += 20
    assert answered(letterbox, mail())
    letterbox.script('require "vacation"; vacation "Something else";')
    assert answered(letterbox, mail())


def test_ten_thousand_senders_get_few(letterbox: Letterbox) -> None:
    """A mailbox answers so often an hour, and no more."""
    letterbox.script(VACATION)
    with letterbox.premises.ann() as box:
        for nth in range(MOST_ANSWERS):
            box.scripts.note(f"{nth}", letterbox.premises.now, handle="x", sender=f"{nth}@example.net")
    assert not answered(letterbox, mail())
    letterbox.premises.now += 3601
    assert answered(letterbox, mail())


def test_an_entity_of_mime(letterbox: Letterbox) -> None:
    """What describes it is taken from it, and nothing else: no field that says whom it goes to. RFC 5230 §4.4"""
    letterbox.script(
        'require "vacation"; vacation :mime "Content-Type: text/html\r\nBcc: all@example.org\r\nX-Other: y\r\n\r\n<p>gone</p>";'
    )
    letterbox.file(mail())
    ((envelope, content),) = letterbox.sent()
    assert b"text/html" in content
    assert b"all@example.org" not in content
    assert b"X-Other" not in content
    assert len(envelope.recipients) == 1


def test_nothing_of_a_stranger_is_a_field(letterbox: Letterbox) -> None:
    """Subject and Message-ID of the mail become one line each, or nothing."""
    letterbox.script('require "vacation"; vacation "gone";')
    letterbox.file(mail(subject="a =?utf-8?q?x=0D=0ABcc:_all@example.org?="))
    ((envelope, content),) = letterbox.sent()
    assert Message.head(content).value(b"bcc") is None
    assert len(envelope.recipients) == 1
    assert (Message.head(content).value(b"subject") or "").startswith("Auto: a x")


def test_nothing_of_a_variable_is_a_field(letterbox: Letterbox) -> None:
    """The subject of a stranger, decoded, may have line ends; where the owner has it in his name or his subject, it stays in that line."""
    script = 'if header :matches "subject" "*" { vacation :from "${1} <ann@example.com>" :subject "${1}" "I am away."; }'
    letterbox.script(f'require ["vacation", "variables"]; {script}')
    letterbox.file(mail(subject="=?utf-8?B?QQ0KWC1FdmlsOiB5ZXM=?="))  # A, CRLF, X-Evil: yes
    ((_, content),) = letterbox.sent()
    answer = Message.head(content)
    assert answer.value(b"x-evil") is None
    assert answer.value(b"subject") == "A X-Evil: yes"
    assert [*in_header(answer.value(b"from") or "")] == ["ann@example.com"]


def test_nobody_answers_as_another(letterbox: Letterbox) -> None:
    """An answer is from an address of the owner, whatever his script says."""
    letterbox.script('require "vacation"; vacation :from "The Boss <boss@example.com>" "I am away.";')
    letterbox.file(mail())
    ((_, content),) = letterbox.sent()
    assert [*in_header(Message.head(content).value(b"from") or "")] == [ANN]
    assert letterbox.plan(mail()).withheld == [
        "no answer as The Boss <boss@example.com>: that is no address of the owner, whose name stands there instead"
    ]


def test_no_control_of_a_stranger_is_in_a_subject(letterbox: Letterbox) -> None:
    """What a terminal would act on stays out of the answer."""
    letterbox.script('require "vacation"; vacation "gone";')
    letterbox.file(mail(subject="=?utf-8?q?a=00=1B[31mb=7F?="))
    ((_, content),) = letterbox.sent()
    assert Message.head(content).value(b"subject") == "Auto: a [31mb"
