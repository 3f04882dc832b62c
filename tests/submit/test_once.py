"""Once: one request is one message, and what may stand once in a header stands once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.message import normalise
from mailer.mail.principal import parse
from mailer.mail.problem import Conflict, Problem
from mailer.spool.files import enqueue
from mailer.submit import Submission, submit
from tests.fakes.mail import NOW
from tests.submit.door import ME, WHOLE, Door


def test_the_same_request_is_one_message(door: Door) -> None:
    """The same message from the same sender to the same people, in whatever order: the first one's ID."""
    first = door.submit(WHOLE, "a@example.com", "b@EXAMPLE.com", request_id="k")
    again = door.submit(WHOLE, "b@example.com", "a@example.com", request_id="k")
    assert (first.repeat, again.repeat) == (False, True)
    assert again.envelope.id == first.envelope.id
    assert door.spool.ids("queued") == [first.envelope.id]


def test_what_we_add_makes_no_difference(door: Door) -> None:
    """Date and Message-ID of the repetition would be others."""
    first = door.submit(b"Subject: x\n\nhello\n", request_id="k")
    again = submit(Submission(b"Subject: x\n\nhello\n", recipients=["you@example.net"], request_id="k"), door.settings, NOW + 60)
    assert again.envelope.id == first.envelope.id
    assert again.envelope.message_id == ""


@pytest.mark.parametrize("change", [{"data": WHOLE + b"!"}, {"sender": "other@example.com"}, {"recipients": ["other@example.com"]}])
def test_another_request_under_the_same_id_is_refused(door: Door, change: dict[str, Any]) -> None:
    """Another text, another sender, other people: 65."""
    same: dict[str, Any] = {"data": WHOLE, "sender": "s@example.com", "recipients": ["a@example.com"]}
    submit(Submission(request_id="k", **same), door.settings, NOW)
    with pytest.raises(Problem, match="was used for another message") as caught:
        submit(Submission(request_id="k", **(same | change)), door.settings, NOW)
    assert caught.value.kind == "bad-message"
    assert len(door.spool.ids("queued")) == 1


def test_each_principal_has_requests_of_its_own(door: Door) -> None:
    """Whatever the words of a request id are: two programs may say the same ones."""
    shop, list_ = parse("key:shop"), parse("amqp:list")
    ids = [door.submit(request_id="k", submitter=who).envelope.id for who in (shop, list_, None, shop)]
    assert len(set(ids)) == 3
    assert ids[3] == ids[0]
    with pytest.raises(Conflict):
        door.submit(WHOLE + b"!", request_id="k", submitter=shop)


def test_the_envelope_names_the_submitter(door: Door) -> None:
    """With the stream of its mail, and with what caused the message, if that is a traceparent."""
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    sent = door.submit(submitter=parse("key:shop"), stream="receipts", traceparent=parent).envelope
    assert sent.submitter == {"principal": "key:shop", "stream": "receipts"}
    assert sent.principal == "key:shop"
    assert sent.options == {"traceparent": parent}
    assert door.submit(submitter=parse("key:shop"), traceparent="nonsense").envelope.options == {}


def test_nobody_hands_over_for_somebody_else(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not write the spool is not believed whose mail it is: it does not go to the daemon in his own name."""
    os.makedirs(f"{door.spool.root}/drop")

    def refused(_root: str) -> None:
        raise PermissionError(13, "Permission denied", door.spool.root)

    monkeypatch.setattr(enqueue, "check_owner", refused)
    assert door.refused(submitter=parse("key:shop")).kind == "no-permission"


def test_a_message_can_be_named_by_its_maker(door: Door) -> None:
    """A report's ID follows from what it reports on."""
    id = "01M7XZE2ZPFN5M9C7PXGDNNSF8"
    assert submit(Submission(WHOLE, recipients=["a@example.com"]), door.settings, NOW, id=id).envelope.id == id
    assert door.spool.ids("queued") == [id]


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("To: a@example.net\nTo: b@example.net,\n c@example.net\n", ["To: a@example.net, b@example.net, c@example.net"]),
        ("Cc: \nTo: a@example.net\nCc: b@example.net\nCC: c@example.net\n", ["Cc: b@example.net, c@example.net", "To: a@example.net"]),
        ("From: me@example.com\nFrom: you@example.com\n", ["From: me@example.com"]),
        ("From:\nFrom: you@example.com\n", ["From: you@example.com"]),
        ("From: <>\n", ["From: box@example.org"]),
        ("Subject: one\nsubject: two\n", ["Subject: one"]),
        ("Subject:\nSubject: two\nSubject: three\n", ["Subject: two"]),
        ("Message-ID: <1@x>\nMessage-Id: <2@x>\n", ["Message-ID: <1@x>"]),
        ("Date: Sat, 21 Nov 2026 00:00:00 +0000\nDate: now\n", ["Date: Sat, 21 Nov 2026 00:00:00 +0000"]),
        ("Reply-To: a@x.example\nReply-To: b@x.example\nSender: \nIn-Reply-To: <>\n", ["Reply-To: a@x.example"]),
        ("To: <a@example.net> <b@example.net>\n", ["To: <a@example.net>, <b@example.net>"]),
        ("To: <root@web1.> (a, b.), c@example.net.\n", ["To: <root@web1> (a, b.), c@example.net"]),
        ("Cc: B <b@example.net> (x, y) c@example.net\n d@example.net\n", ["Cc: B <b@example.net>, (x, y) c@example.net, d@example.net"]),
        (
            "To: T: a@example.net b@example.net;\nTo: c@x.example d@x.example\n",
            ["To: T: a@example.net, b@example.net;, c@x.example, d@x.example"],
        ),
        ("Content-Type: text/html\nContent-Type: text/plain\nMIME-Version:\n", ["Content-Type: text/html", "MIME-Version: 1.0"]),
    ],
)
def test_what_may_stand_once_stands_once(tmp_path: Path, header: str, kept: list[str]) -> None:
    """Large receivers refuse a second From or an empty To: recipients are put together, the first of all else is kept; told, or refused."""
    door = Door(tmp_path, from_address="box@example.org")
    done = door.submit(header.encode() + b"\nhello\n")
    names = {line.partition(":")[0].lower() for line in header.splitlines() if line[0] != " "}
    lines = normalise(done.content).partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").decode().split("\r\n")
    assert [line for line in lines if line.partition(":")[0].lower() in names] == kept
    assert [change.why for change in done.changes if change.action != "added"]
    door.settings = door.settings.but(strict=True)
    assert door.refused(header.encode() + b"\nhello\n").kind == "bad-message"


@pytest.mark.parametrize(
    "header",
    [
        "Subject: \n",
        "Received: a\nReceived: b\n",
        "To: undisclosed-recipients:;\n",
        "X-A:\nX-A: b\n",
        "To: Anna Inc. <b@example.net> (and others.)\n",
        'To: "a@x.example" <b@example.net>, c@example.net\n',
    ],
)
def test_what_may_be_empty_or_twice_stays(door: Door, header: str) -> None:
    """A mail without a subject is one."""
    door.settings = door.settings.but(strict=True)
    assert door.content(header.encode() + b"\nhello\n").startswith(header.replace("\n", "\r\n").encode())


def test_nobody_is_lost_between_two_fields(door: Door) -> None:
    """Whoever stands in a second To is a recipient, also where the first one has a quote that nobody closes."""
    done = door.submit(b'To: a@example.net, "open <b@example.net>\nTo: c@example.net\n\nx\n', "d@example.net", from_header=False)
    assert done.content.startswith(b'To: a@example.net, "open <b@example.net>,\r\n c@example.net\r\n')
    named = door.submit(b"To: a@example.net\nTo: c@example.net\n\nx\n", "d@example.net", from_header=True).envelope
    assert {recipient.address for recipient in named.recipients} == {"a@example.net", "c@example.net", "d@example.net"}


def test_mail_that_is_sent_on_says_when_and_under_which_name(door: Door) -> None:
    """RFC 5322 §3.6.6: in its newest block; one that says so already stays as it is."""
    old = b"Resent-From: old@example.com\r\nResent-To: x@example.com\r\n"
    done = door.submit(b"Received: by x\r\nResent-From: me@example.com\r\n" + old + WHOLE)
    above, below = done.content.split(b"Resent-From: me@example.com\r\n")
    lines = above.decode().split("\r\n")
    assert [line.partition(":")[0] for line in lines] == ["Received", "Resent-Date", "Resent-Message-ID", ""]
    assert below == old + WHOLE
    assert [change.what for change in done.changes if change.action == "added"] == ["Resent-Date", "Resent-Message-ID"]
    (line,) = (line for line in door.content(b"Resent-To: x@example.com\n" + WHOLE).split(b"\r\n") if line.startswith(b"Resent-From"))
    assert line == f"Resent-From: {ME}@host.example".encode()
    again = done.content.replace(b"Received: by x\r\n", b"")
    assert door.content(again) == again


def test_who_says_twice_that_it_is_sent_on_still_names_the_recipients(door: Door) -> None:
    """Those of the newest block that names some; whoever got it before does not get it again."""
    data = b"Resent-From: b@example.net\nResent-From: a@example.net\nResent-To: c@example.net\nTo: old@example.net\n"
    envelope = door.submit(data + WHOLE, from_header=True).envelope
    assert [person.address for person in envelope.recipients] == ["you@example.net", "c@example.net"]
    assert envelope.sender == "b@example.net"


@pytest.mark.parametrize("preface", [b"\xef\xbb\xbf", b"\xef\xbb\xbfFrom me Mon\n", b"From me Mon\n>From me Tue\n"])
def test_what_stands_before_a_message_is_no_part_of_it(door: Door, preface: bytes) -> None:
    """The byte order mark of an editor, and the lines of a mailbox."""
    assert door.content(preface + WHOLE) == WHOLE


def test_a_first_field_with_a_blank_before_its_colon_is_no_line_of_a_mailbox(door: Door) -> None:
    """``From :`` is an author, RFC 5322 §4.5: the mail keeps the one that it came with."""
    done = door.submit(b"From : Ceo <ceo@example.com>\n" + WHOLE.replace(b"From:", b"X-From:"))
    assert [line for line in done.content.split(b"\r\n") if line.startswith(b"From")] == [b"From : Ceo <ceo@example.com>"]


def test_a_return_path_does_not_travel(door: Door) -> None:
    """The host that delivers it writes one, RFC 5321 §4.4; that of an earlier journey says something else."""
    done = door.submit(b"Return-Path: <old@example.com>\r\n" + WHOLE)
    assert done.content == WHOLE
    assert [(change.action, change.what) for change in done.changes] == [("removed", "Return-Path")]
