"""Submission: whoever brings mail, what lies in the spool is complete, and one message is one message."""

from __future__ import annotations

import email
import email.policy
import os
import pwd
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.config.quick import SubmissionSettings
from mailer.mail.failure import Failure
from mailer.mail.message import normalise
from mailer.mail.when import rfc3339
from mailer.spool import Spool
from mailer.spool.doorbell import hang, listen
from mailer.submit import Request, Submitted, prepare, submit
from tests.fakes.mail import NOW
from tests.fakes.nameplate import Nameplate
from tests.mail.test_message import SMUGGLING

WHOLE = b"From: me@example.com\r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nSubject: x\r\n\r\nhello\r\n"

ME = pwd.getpwuid(os.geteuid()).pw_name


class Door:
    """The way into one spool."""

    def __init__(self, root: Path, **found: Any) -> None:
        self.spool = Spool(str(root / "spool"))
        self.settings = SubmissionSettings({"spool": self.spool.root, "hostname": "host.example", **found}, "")

    def submit(self, data: bytes = WHOLE, *recipients: str, **more: Any) -> Submitted:
        return submit(Request(data, recipients=recipients or ("you@example.net",), **more), self.settings, NOW)

    def content(self, data: bytes = WHOLE, *recipients: str, **more: Any) -> bytes:
        """What lies in the spool of `data`."""
        return self.spool.content(self.submit(data, *recipients, **more).envelope.id)

    def refused(self, data: bytes = WHOLE, *recipients: str, **more: Any) -> Failure:
        """How `data` is refused; nothing of it is left anywhere."""
        before = set(Path(self.spool.root).glob("*/*"))
        with pytest.raises(Failure) as caught:
            self.submit(data, *recipients, **more)
        assert set(Path(self.spool.root).glob("*/*")) == before
        assert "\n" not in str(caught.value)
        return caught.value


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def fields(content: bytes) -> dict[str, str]:
    """The header fields as the standard library reads them."""
    return {name.lower(): str(value) for name, value in email.message_from_bytes(content, policy=email.policy.default).items()}


def test_a_whole_message_is_kept_to_the_byte(door: Door) -> None:
    """Nothing is added to what lacks nothing."""
    done = door.submit(WHOLE)
    assert door.spool.content(done.envelope.id) == WHOLE
    assert done.size == len(WHOLE)
    assert not done.repeat


def test_the_envelope_says_who_what_and_when(door: Door) -> None:
    """What is in the spool is what is returned."""
    done = door.submit(WHOLE, "a@example.com", "b@example.com", sender="s@example.com", priority="high")
    read = door.spool.read(done.envelope.id).envelope
    assert read.to_line() == done.envelope.to_line()
    assert (read.sender, read.message_id, read.subject, read.priority) == ("s@example.com", "<1@example.com>", "x", "high")
    assert [(person.address, person.type) for person in read.recipients] == [("a@example.com", "to"), ("b@example.com", "to")]
    assert read.created == rfc3339(NOW)
    assert read.submitter == {"uid": os.getuid()}


def test_a_daemon_that_listens_hears_of_it(door: Door) -> None:
    """The bell rings after the message is there."""
    assert not door.submit().heard
    with hang(door.spool.root) as bell:
        done = door.submit()
        assert done.heard
        assert listen(bell) == [done.envelope.id]


# What is added


def test_what_the_standard_demands_is_added_once(door: Door) -> None:
    """RFC 5322 §3.6: Date and From; a Message-ID too, below what was there, and nothing that was there changes."""
    content = door.content(b"Subject: x\n\nhello\n", sender="s@example.com")
    added = fields(content)
    assert content.startswith(b"Subject: x\r\n")
    assert content.endswith(b"\r\n\r\nhello\r\n")
    assert sorted(added) == ["date", "from", "message-id", "subject"]
    assert added["from"] == "s@example.com"
    assert added["message-id"].endswith("@host.example>")
    assert email.utils.parsedate_to_datetime(added["date"]).timestamp() == NOW
    assert door.content(content) == content


def test_the_date_is_written_in_the_zone_of_this_machine(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """People read it."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert fields(door.content(b"\n"))["date"] == "Fri, 15 Jan 2027 13:30:00 +0530"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("data", "header", "body"),
    [
        (b"", "", ""), (b"hello", "", "hello\r\n"), (b"hello\n", "", "hello\r\n"), (b"\nhello", "", "hello\r\n"), (b"a: b", "a: b", ""),
        (b"hello\nTo: x\n", "", "hello\r\nTo: x\r\n"), (b"From me Sat Nov 21\nSubject: x\n\nb", "Subject: x", "b\r\n"), (b"From ", "", ""),
        (b">From x\nFrom y\nSubject: x\n\n>From z\n", "Subject: x", ">From z\r\n"),
        (b" x\nSubject: x\n\nb", "", " x\r\nSubject: x\r\n\r\nb\r\n"),
    ],
)  # fmt: skip
def test_anything_becomes_a_message(door: Door, data: bytes, header: str, body: str) -> None:
    """Nothing at all, a line of text, a header alone, what a mailbox put in front of it."""
    content = door.content(data).decode()
    top, _, rest = content.partition("\r\n\r\n")
    assert rest == body
    assert top.startswith(header)
    assert {"date", "from", "message-id"} <= set(fields(content.encode()))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Anna", '"Anna" <s@example.com>'), ('A "B" \\C', '"A \\"B\\" \\\\C" <s@example.com>'),
        ("a\r\nBcc: x@example.com", '"a Bcc: x@example.com" <s@example.com>'),
        ("\x00\x1b", "s@example.com"), ("Ärger, GmbH", "=?utf-8?b?w4RyZ2VyLCBHbWJI?= <s@example.com>"),
    ],
)  # fmt: skip
def test_a_full_name_stands_in_the_field_that_is_added(door: Door, name: str, written: str) -> None:
    """Quoted, or encoded where it is not ASCII; never a second field."""
    content = door.content(b"\n", sender="s@example.com", full_name=name)
    assert f"From: {written}\r\n".encode() in content
    assert b"bcc:" not in content.lower().replace(b'"a bcc:', b"")


# Who it goes to


def test_recipients_come_from_the_header_where_that_is_asked_for(door: Door) -> None:
    """To, Cc and Bcc, besides those that were given; each address once, with the field that names it."""
    data = b"To: A <a@example.com>, b@EXAMPLE.com\nCc: c@example.com (C), a@example.com\nBcc: d@example.com\n\n"
    done = door.submit(data, "b@example.com", "e@example.com", from_header=True)
    assert [(person.address, person.type) for person in done.envelope.recipients] == [
        ("b@example.com", "to"), ("e@example.com", "to"), ("a@example.com", "to"), ("c@example.com", "cc"), ("d@example.com", "bcc"),
    ]  # fmt: skip


def test_without_being_asked_the_header_names_nobody(door: Door) -> None:
    """The envelope is not the header."""
    done = door.submit(b"To: other@example.com\n\n", "a@example.com")
    assert [person.address for person in done.envelope.recipients] == ["a@example.com"]


@pytest.mark.parametrize(
    "field", [b"Bcc: d@example.com", b"BCC : d@example.com", b"bcc: d@example.com,\n e@example.com", b"Resent-Bcc: d@example.com"]
)
@pytest.mark.parametrize("from_header", [True, False])
def test_nobody_reads_who_else_got_it(door: Door, field: bytes, from_header: bool) -> None:
    """Bcc never travels, whatever it looks like and wherever recipients come from."""
    content = door.content(b"To: a@example.com\n" + field + b"\nSubject: x\n\nBcc: body\n", from_header=from_header)
    assert b"d@example.com" not in content
    assert b"e@example.com" not in content
    assert content.endswith(b"Bcc: body\r\n")


def test_a_message_without_a_recipient_is_refused(door: Door) -> None:
    """64 if none was given on the command line, 65 if the header has none."""
    with pytest.raises(Failure, match="no recipient: name one, or take them from the header with -t") as caught:
        submit(Request(WHOLE), door.settings, NOW)
    assert caught.value.code == 64
    with pytest.raises(Failure, match="no recipient: the message has no To, Cc or Bcc field") as caught:
        submit(Request(b"To: undisclosed-recipients:;\n\n", from_header=True), door.settings, NOW)
    assert caught.value.code == 65


@pytest.mark.parametrize("address", ["a b@example.com", "a@", "a@-x", "root", "a@b@c", "x" * 65 + "@example.com"])
def test_one_bad_address_costs_the_others_nothing(tmp_path: Path, address: str) -> None:
    """The good ones get it; the bad one has failed already, in words that name it; refused where nobody is left, or none may be."""
    door, header = Door(tmp_path), f"To: {address}, good@example.com\n\n".encode()
    for request in (Request(WHOLE, recipients=["good@example.com", address]), Request(header, from_header=True)):
        done = submit(request, door.settings, NOW)
        (good,) = (one for one in done.envelope.recipients if one.outcome is None)
        (bad,) = (one for one in done.envelope.recipients if one.outcome)
        assert good.address == "good@example.com"
        assert (bad.outcome["verdict"], bad.outcome["code"]) == ("fail", 553)
        assert address[:40] in bad.address
        assert door.spool.read(done.envelope.id).envelope.recipients == done.envelope.recipients
        assert [change.what for change in done.changes if change.action == "refused"] == ["envelope recipient"]
    for failure in (
        door.refused(WHOLE, address),
        door.refused(WHOLE, "good@example.com", address, whole=True),
        door.refused(header, "good@example.com", from_header=True, whole=True),
        Door(tmp_path, strict=True).refused(WHOLE, "good@example.com", address),
    ):
        assert failure.code == 65
        assert "nothing was queued" in str(failure)


def test_an_alias_that_leads_nowhere_costs_the_others_nothing(tmp_path: Path) -> None:
    """Neither those who are named beside it, nor those behind the same alias; a loop and a list that cannot be read are of that kind."""
    some = (("ops", ("anna@example.com", "|run")), ("loop", ("loop2",)), ("loop2", ("loop",)))
    door = Door(tmp_path, aliases=some, aliases_file=str(tmp_path / "none"))
    done = door.submit(b"From: me@example.com\nTo: ops\n\n", "ops", "loop", "other", "good@example.com")
    found = [(one.address, one.outcome and one.outcome["code"]) for one in done.envelope.recipients]
    assert found == [("anna@example.com", None), ("ops", 550), ("loop", 550), ("other", 550), ("good@example.com", None)]
    assert door.refused(WHOLE, "loop").code == 78


def test_an_alias_to_dev_null_discards(tmp_path: Path) -> None:
    """As everywhere: it is taken, nothing is sent, and nobody hears of it."""
    door = Door(tmp_path, aliases=(("nobody", ("/dev/null",)), ("both", ("/dev/null", "anna@example.com"))))
    (alone,) = door.submit(WHOLE, "nobody").envelope.recipients
    assert (alone.address, alone.outcome["verdict"]) == ("nobody", "delivered")
    assert [one.address for one in door.submit(WHOLE, "both").envelope.recipients] == ["anna@example.com"]


@pytest.mark.parametrize("address", ["a@example.com\r\nDATA", "a@example.com>\r\nRCPT TO:<x@y>", "-f@example.com\0"])
def test_an_argument_that_would_break_out_is_refused(door: Door, address: str) -> None:
    """Line ends and NUL never come near a command of SMTP."""
    assert door.refused(WHOLE, "good@example.com", address).code == 65


def test_a_bare_name_gets_the_domain_that_was_chosen(tmp_path: Path) -> None:
    """And none otherwise: mail for root stays where its owner wants it."""
    assert Door(tmp_path, default_domain="example.org").submit(WHOLE, "root").envelope.recipients[0].address == "root@example.org"
    failure = Door(tmp_path).refused(WHOLE, "root")
    assert (failure.code, "set submission.default_domain" in str(failure)) == (65, True)


def test_no_more_recipients_than_allowed(tmp_path: Path) -> None:
    """65, and the limit's name; each address counts once."""
    door = Door(tmp_path, max_recipients=3)
    addresses = [f"{nth}@example.com" for nth in range(3)]
    door.submit(WHOLE, *addresses, *addresses)
    failure = door.refused(WHOLE, *addresses, "4@example.com")
    assert failure.code == 65
    assert "4 recipients are more than 3 (submission.max_recipients)" in str(failure)


# Who it comes from


@pytest.mark.parametrize(
    ("data", "given", "sender"),
    [
        (b"From: Me <me@example.com>\n\n", None, "me@example.com"), (b"From: me@example.com\n\n", "", ""),
        (b"From: me@example.com\n\n", "<>", ""),
        (b"From: me@example.com\n\n", "o@example.com", "o@example.com"), (b"From: a@example.com, b@example.com\n\n", None, "a@example.com"),
        (b"From: me\n\n", None, "me@host.example"), (b"\n", "me", "me@host.example"),
    ],
)  # fmt: skip
def test_the_reverse_path(door: Door, data: bytes, given: str | None, sender: str) -> None:
    """What was asked for, the null path included; else the author."""
    assert door.submit(data, sender=given).envelope.sender == sender


def test_mail_that_names_no_sender_has_the_configured_one(tmp_path: Path) -> None:
    """In the envelope and in the field that is added."""
    door = Door(tmp_path, from_address="cron@example.com")
    done = door.submit(b"\n")
    assert done.envelope.sender == "cron@example.com"
    assert fields(door.spool.content(done.envelope.id))["from"] == "cron@example.com"
    assert fields(door.content(b"\n", sender=""))["from"] == "cron@example.com"


@pytest.mark.parametrize("sender", ["a b@example.com", "`id`@", "a@b@c"])
def test_a_bad_sender_is_refused(door: Door, sender: str) -> None:
    """From an option; the mail of a program that writes a bad From goes, and its reports come to who we are."""
    assert door.refused(WHOLE, sender=sender).code == 65
    done = door.submit(f"From: {sender}\n\n".encode())
    assert done.envelope.sender == door.settings.sender()
    assert [change.what for change in done.changes if change.action == "refused"] == ["envelope sender"]
    assert door.refused(f"From: {sender}\n\n".encode(), whole=True).code == 65
    assert door.refused(WHOLE, sender=sender + "\r\nRCPT TO:<x@y>").code == 65


@pytest.mark.parametrize(
    ("field", "sender"),
    [
        (b"Resent-From: Ann <ann@example.net>\n", "ann@example.net"),
        (b"Resent-From: ann@example.net\nResent-Sender: office@example.net\nResent-To: x@example.net\n", "office@example.net"),
        (b"Resent-From: ann@example.net\nResent-From: earlier@example.net\nResent-Sender: earlier@example.net\n", "ann@example.net"),
        (b"Resent-From: ann@example.net\nReceived: x\nResent-Sender: earlier@example.net\n", "ann@example.net"),
        (b"Resent-To: x@example.net\n", f"{ME}@host.example"),
    ],
)
def test_who_sends_it_on_gets_the_reports(door: Door, field: bytes, sender: str) -> None:
    """The reverse-path of re-sent mail is that of the last re-sending, RFC 5322 §3.6.6; what was asked for goes before it."""
    assert door.submit(field + WHOLE).envelope.sender == sender
    assert door.submit(field + WHOLE, sender="<>").envelope.sender == ""


def test_mail_that_is_sent_on_again_goes_to_those_of_the_last_time(door: Door) -> None:
    """Who got it by an earlier re-sending has it."""
    data = b"Resent-From: b@example.net\nResent-To: c@example.net\nResent-From: a@example.net\nResent-To: b@example.net\n"
    done = submit(Request(data + WHOLE, from_header=True), door.settings, NOW)
    assert [person.address for person in done.envelope.recipients] == ["c@example.net"]


# How addresses are written


@pytest.mark.parametrize(
    "value", ["<a@example.net> <b@example.net>", "A <a@example.net>\n B <b@example.net>", "a @ example . net b@example.net"]
)
@pytest.mark.parametrize("name", ["To", "Cc", "Bcc", "Resent-To"])
def test_everybody_who_is_written_is_a_recipient(door: Door, name: str, value: str) -> None:
    """Without a comma, folded, with blanks around @ and dots: in the header and as one argument."""
    done = submit(Request(f"{name}: {value}\nSubject: x\n\n".encode(), from_header=True), door.settings, NOW)
    assert [person.address for person in done.envelope.recipients] == ["a@example.net", "b@example.net"]
    done = door.submit(WHOLE, value.replace("\n", ""))
    assert [person.address for person in done.envelope.recipients] == ["a@example.net", "b@example.net"]


def test_an_international_domain_needs_no_smtputf8(tmp_path: Path) -> None:
    """From every door it lies in the envelope in A-labels; an address that needs SMTPUTF8 all the same stays as it is."""
    door = Door(tmp_path, default_domain="zuhause.bücher.example", aliases=(("ops", ("x@bücher.example", "jörg@bücher.example")),))
    a = "xn--bcher-kva.example"
    data = "From: me@bücher.example\nTo: Jo <jo@bücher.example>, root\nSubject: x\n\n".encode()
    done = submit(Request(data, recipients=["arg@BÜCHER.example", "ops"], from_header=True), door.settings, NOW)
    found = [person.address for person in done.envelope.recipients]
    assert found == [f"arg@{a}", f"x@{a}", "jörg@bücher.example", f"jo@{a}", f"root@zuhause.{a}"]
    assert done.envelope.sender == f"me@{a}"
    assert door.submit(WHOLE, sender="o@bücher.example").envelope.sender == f"o@{a}"
    assert Door(tmp_path, from_address="cron@bücher.example").submit(b"\n").envelope.sender == f"cron@{a}"
    authors = Door(tmp_path, authors=(("*", "Büro <büro@bücher.example>"),), aliases=(("info@xn--bcher-kva.example", ("y@example.net",)),))
    assert authors.submit(WHOLE, f"info@{a}", sender="root").envelope.sender == "büro@bücher.example"
    assert authors.submit(WHOLE, "info@bücher.example").envelope.recipients[0].address == "y@example.net"


# Who is who

CRON = b"From: root (Cron Daemon)\nTo: root\nSubject: x\n\nhello\n"


def test_cron_mail_to_a_real_address(tmp_path: Path) -> None:
    """As cron calls sendmail: the envelope and the header say the same, and nobody is left who means nothing elsewhere."""
    rules = {"aliases": (("root", ("anna@example.com",)),), "authors": (("*", "Server <server@example.com>"),)}
    door = Door(tmp_path, **rules)
    done = submit(Request(CRON, sender="root", from_header=True), door.settings, NOW)
    assert done.envelope.sender == "server@example.com"
    assert [person.address for person in done.envelope.recipients] == ["anna@example.com"]
    content = door.spool.content(done.envelope.id)
    assert content.startswith(b"From: Server <server@example.com> (Cron Daemon)\r\nTo: anna@example.com\r\nSubject: x\r\n")
    assert [(change.action, change.what) for change in done.changes] == [
        ("changed", "envelope recipient"), ("changed", "envelope sender"), ("changed", "From"), ("changed", "To"),
        ("added", "Date"), ("added", "Message-ID"),
    ]  # fmt: skip


def test_an_author_without_a_domain_gets_the_hosts(door: Door) -> None:
    """In the envelope and in the header; a recipient does not."""
    done = door.submit(CRON, sender="root")
    assert done.envelope.sender == "root@host.example"
    assert door.spool.content(done.envelope.id).startswith(b"From: root@host.example (Cron Daemon)\r\nTo: root\r\n")
    assert door.refused(CRON, from_header=True, whole=True).code == 65


def test_an_alarm_of_a_program_that_knows_the_short_name_only(door: Door, nameplate: Callable[..., Nameplate]) -> None:
    """mdadm writes as root@web1: the envelope, the header and so the reports have a name that other servers take."""
    nameplate("web1")
    done = door.submit(b"From: mdadm monitoring <root@web1>\nReply-To: root@web1\nSubject: DegradedArray event\n\n/dev/md0\n")
    assert done.envelope.sender == "root@host.example"
    content = door.spool.content(done.envelope.id)
    assert content.startswith(b"From: mdadm monitoring <root@host.example>\r\nReply-To: root@host.example\r\n")
    assert door.submit(WHOLE, sender="root@localhost.localdomain").envelope.sender == "root@host.example"


def test_mail_that_names_no_author_has_the_one_of_its_user(tmp_path: Path) -> None:
    """With its name, and before from_address, which is everybody's."""
    door = Door(tmp_path, authors=(("*", "Our shop <shop@example.com>"),), from_address="other@example.com")
    for more, author in (({}, "Our shop <shop@example.com>"), ({"full_name": "Anna"}, "Anna <shop@example.com>")):
        done = door.submit(b"\n", **more)  # type: ignore[arg-type]
        assert done.envelope.sender == "shop@example.com"
        assert fields(door.spool.content(done.envelope.id))["from"] == author
    assert fields(door.content(b"\n", sender="x@example.net"))["from"] == "x@example.net"
    assert fields(door.content(b"\n", sender=""))["from"] == "Our shop <shop@example.com>"


def test_mail_to_an_alias_counts_everybody_behind_it(tmp_path: Path) -> None:
    """And each of them once."""
    door = Door(tmp_path, aliases=(("all", tuple(f"{nth}@example.com" for nth in range(4))),), max_recipients=4)
    assert len(door.submit(WHOLE, "all", "0@example.com").envelope.recipients) == 4
    assert door.refused(WHOLE, "all", "5@example.com").code == 65


def test_what_is_refused_for_an_alias_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """78, and nothing is queued."""
    assert Door(tmp_path, aliases=(("a", ("|run",)),)).refused(WHOLE, "a").code == 78


def test_an_alias_hides_those_behind_it_from_nobody_but_bcc(tmp_path: Path) -> None:
    """A name in Bcc is followed, and stands nowhere."""
    door = Door(tmp_path, aliases=(("ops", ("anna@example.com",)),))
    done = submit(Request(b"To: x@example.com\nBcc: ops\n\n", from_header=True), door.settings, NOW)
    assert [(person.address, person.type) for person in done.envelope.recipients] == [("x@example.com", "to"), ("anna@example.com", "bcc")]
    assert b"anna" not in door.spool.content(done.envelope.id)
    assert [change.before for change in done.changes if change.action == "removed"] == ["ops"]


# What it holds


def test_what_not_every_server_takes_is_mended(door: Door) -> None:
    """A line too long and an 8-bit subject: encoded, and told."""
    done = door.submit("Subject: grüße\n\n".encode() + b"x" * 2000 + b"\n")
    content = door.spool.content(done.envelope.id)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert fields(content)["subject"] == done.envelope.subject == "grüße"
    assert email.message_from_bytes(content).get_payload(decode=True) == b"x" * 2000 + b"\r\n"
    assert [(change.action, change.what) for change in done.changes][-2:] == [("mended", "Subject"), ("mended", "body")]
    assert done.size == len(content)


def test_strict_refuses_what_needs_mending(tmp_path: Path, door: Door) -> None:
    """65; what is signed is refused too then, and passes otherwise."""
    signed = b"DKIM-Signature: v=1\nSubject: x\n\n" + b"x" * 999
    long = b"\n" + b"x" * 999
    for data in (signed, long, b"Subject: \xff\n\n"):
        failure = Door(tmp_path, strict=True).refused(data)
        assert (failure.code, "submission.strict" in str(failure)) == (65, True)
    assert door.content(signed).endswith(b"\r\n\r\n" + b"x" * 999 + b"\r\n")
    for data in (WHOLE, "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nü".encode()):
        assert Door(tmp_path, strict=True).submit(data)


def test_a_header_over_the_limit_is_refused(tmp_path: Path) -> None:
    """65, and the limit's name."""
    failure = Door(tmp_path, max_header_size=500).refused(WHOLE.replace(b"Subject: x", b"Subject: " + b"x y " * 100))
    assert (failure.code, "larger than 500 bytes (submission.max_header_size)" in str(failure)) == (65, True)


def test_a_header_over_the_limit_is_not_read(tmp_path: Path) -> None:
    """Field by field it would take thirty times its memory, before it is refused all the same."""
    data = b"X:\xfc\r\n" * 60_000 + b"To: a@example.com\r\n" * 10_000 + b"\r\nx\r\n"
    door = Door(tmp_path, max_header_size=100_000)
    door.refused(WHOLE, "nobody@")  # what is imported or made once is no memory of the message
    tracemalloc.start()
    try:
        assert "larger than 100000 bytes (submission.max_header_size)" in str(door.refused(data))
        assert tracemalloc.get_traced_memory()[1] < 6 * len(data)
    finally:
        tracemalloc.stop()


def test_preparing_writes_nothing(door: Door) -> None:
    """Neither a spool nor anything in it; what it says is what submission does."""
    prepared = prepare(Request(WHOLE, recipients=["a@example.com"]), door.settings, NOW)
    assert not Path(door.spool.root).exists()
    assert prepared.content == WHOLE
    assert prepared.changes == []
    assert door.submit(WHOLE, "a@example.com").envelope.recipients == prepared.envelope.recipients


@pytest.mark.parametrize("vector", SMUGGLING)
def test_one_message_never_becomes_two(door: Door, vector: bytes) -> None:
    """Each known vector of SMTP smuggling: one file, CRLF line ends only, no NUL."""
    content = door.content(b"Subject: x\r\n\r\nbody" + vector + b"MAIL FROM:<evil@example.com>\r\n" + vector)
    assert normalise(content) == content
    assert not {b"\r", b"\n"} & set(content.replace(b"\r\n", b"").split())
    assert len(door.spool.ids("queued")) == 1


PIECES = (b"To: a@example.com", b" fold", b"", b"\r", b"x\0", b"From: <", b"Bcc: b@example.com", b"Subject: =?utf-8?b?")
WORDS = ("=?", "?=", "utf-8", "?b?", "?q?", "=?utf-8?b?", "4pyT", "=C3", "us-ascii", "utf-7", "+AAA", "ü", " ", "x*y")
in_one_spool = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_spool
@given(st.binary(max_size=300) | st.lists(st.sampled_from(PIECES)).map(b"\n".join))
def test_any_bytes_are_one_complete_message_or_refused(door: Door, data: bytes) -> None:
    """Whatever comes in is in the spool with CRLF line ends, Date, From, Message-ID and no Bcc; or it is a failure with code 65."""
    try:
        content = door.content(data)
    except Failure as failure:
        assert failure.code == 65  # noqa: PT017 - either way is right
        return
    assert normalise(content) == content
    names = {line.partition(b":")[0].strip().lower() for line in content.partition(b"\r\n\r\n")[0].split(b"\r\n")}
    assert {b"date", b"from", b"message-id"} <= names
    assert b"bcc" not in names


def test_a_message_over_the_limit_is_refused(tmp_path: Path) -> None:
    """As it came, or as it would be sent: 65, and the limit's name."""
    door = Door(tmp_path, max_message_size=200)
    for data in (WHOLE + b"x" * 200, WHOLE + b"\n" * 60, b"\n" + b"x" * 150):
        failure = door.refused(data)
        assert (failure.code, "larger than 200 bytes (submission.max_message_size)" in str(failure)) == (65, True)
    exact = WHOLE + b"x" * (200 - len(WHOLE) - 2) + b"\r\n"
    assert len(door.content(exact)) == 200


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (b"plain", "plain"), (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?q?_=E4?=", "Grüße ä"), ("rohes ü".encode(), "rohes ü"),
        (b"\xff\xfe", "ÿþ"),
        (b"folded\n  twice", "folded  twice"), (b"=?utf-8?b?abcde?=", None), (b"=?no-such?q?x?=", None), ("=?ü?q?x?=".encode(), None),
        (b"=?utf-8?q?=ED=A0=80?=", None), (b"=?base64?q?x?=", None), (b"=?utf-16?b?2AA=?=", None), (b"=?idna?q?..?=", None),
        (b"x" * 5000, "x" * 500),
    ],
)  # fmt: skip
def test_the_subject_is_kept_as_its_reader_sees_it(door: Door, subject: bytes, shown: str | None) -> None:
    """Decoded where it can be; what cannot be stops nothing, and no length does."""
    done = door.submit(b"Subject: " + subject + b"\n\n")
    known = door.spool.read(done.envelope.id).envelope.subject
    assert len(known) <= 500
    if shown is not None:
        assert known == shown


@in_one_spool
@given(st.lists(st.sampled_from(WORDS)).map("".join))
def test_no_subject_stops_a_message(door: Door, subject: str) -> None:
    """Encoded words that are none, cut short, or of a kind that nobody knows."""
    door.submit(b"Subject: " + subject.encode() + b"\n\n")


def test_a_huge_hostile_subject_costs_a_moment(door: Door) -> None:
    """Half a megabyte of beginnings of encoded words; it is the process's own time, whatever else the machine does."""
    begun = time.process_time()
    door.submit(b"Subject: " + b"=?a?q?" * 90_000 + b"\n\n")
    assert time.process_time() - begun < 2


def test_a_priority_that_is_none_is_refused(door: Door) -> None:
    """Else the spool would hold a file that it cannot read."""
    assert door.refused(WHOLE, priority="urgent").code == 65


def test_a_message_that_is_sent_on_goes_to_those_it_is_sent_on_to(door: Door) -> None:
    """Where Resent-To, Resent-Cc or Resent-Bcc name somebody, To and Cc say who had it before."""
    data = b"To: first@example.net\nCc: old@example.net\nResent-To: new@example.net\nResent-Bcc: Blind <blind@example.net>\n\nhello\n"
    request = Request(data, from_header=True, recipients=["more@example.net"])
    envelope = submit(request, door.settings, NOW).envelope
    assert [recipient.address for recipient in envelope.recipients] == ["more@example.net", "new@example.net", "blind@example.net"]
    assert b"blind" not in door.spool.content(envelope.id)


def test_what_is_asked_of_those_who_carry_it_is_kept(door: Door) -> None:
    """The words of DSN lie in the envelope, where delivery finds them."""
    asked = {"ret": "HDRS", "envid": "q+1", "notify": "DELAY,FAILURE"}
    assert dict(door.submit(options=asked).envelope.options) == asked
    assert door.spool.read(door.spool.ids("queued")[0]).envelope.options == asked


@pytest.mark.parametrize("asked", [{"ret": "SOME"}, {"envid": "a\r\nb"}, {"envid": "x" * 101}, {"notify": "NEVER,DELAY"}, {"notify": 1}])
def test_what_cannot_be_asked_is_refused(door: Door, asked: dict[str, object]) -> None:
    """Else the daemon would find it out with nobody there to tell."""
    assert door.refused(options=asked).code == 65


# Once


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
    again = submit(Request(b"Subject: x\n\nhello\n", recipients=["you@example.net"], request_id="k"), door.settings, NOW + 60)
    assert again.envelope.id == first.envelope.id
    assert again.envelope.message_id == ""


@pytest.mark.parametrize("change", [{"data": WHOLE + b"!"}, {"sender": "other@example.com"}, {"recipients": ["other@example.com"]}])
def test_another_request_under_the_same_id_is_refused(door: Door, change: dict[str, Any]) -> None:
    """Another text, another sender, other people: 65."""
    same: dict[str, Any] = {"data": WHOLE, "sender": "s@example.com", "recipients": ["a@example.com"]}
    submit(Request(request_id="k", **same), door.settings, NOW)
    with pytest.raises(Failure, match="was used for another message") as caught:
        submit(Request(request_id="k", **(same | change)), door.settings, NOW)
    assert caught.value.code == 65
    assert len(door.spool.ids("queued")) == 1


def test_a_message_can_be_named_by_its_maker(door: Door) -> None:
    """A report's ID follows from what it reports on."""
    id = "01M7XZE2ZPFN5M9C7PXGDNNSF8"
    assert submit(Request(WHOLE, recipients=["a@example.com"]), door.settings, NOW, id=id).envelope.id == id
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
    door.settings.strict = True
    assert door.refused(header.encode() + b"\nhello\n").code == 65


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
    door.settings.strict = True
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
