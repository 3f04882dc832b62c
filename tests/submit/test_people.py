"""Who a message goes to, who it comes from, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.submit import Submission, submit
from tests.fakes.mail import NOW
from tests.fakes.nameplate import Nameplate
from tests.submit.door import ME, WHOLE, Door, fields

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
    with pytest.raises(Problem, match="no recipient: name one, or take them from the header with -t") as caught:
        submit(Submission(WHOLE), door.settings, NOW)
    assert caught.value.kind == "usage"
    with pytest.raises(Problem, match="no recipient: the message has no To, Cc or Bcc field") as caught:
        submit(Submission(b"To: undisclosed-recipients:;\n\n", from_header=True), door.settings, NOW)
    assert caught.value.kind == "bad-message"


@pytest.mark.parametrize("address", ["a b@example.com", "a@", "a@-x", "root", "a@b@c", "x" * 65 + "@example.com"])
def test_one_bad_address_costs_the_others_nothing(tmp_path: Path, address: str) -> None:
    """The good ones get it; the bad one has failed already, in words that name it; refused where nobody is left, or none may be."""
    door, header = Door(tmp_path), f"To: {address}, good@example.com\n\n".encode()
    for request in (Submission(WHOLE, recipients=["good@example.com", address]), Submission(header, from_header=True)):
        done = submit(request, door.settings, NOW)
        (good,) = (one for one in done.envelope.recipients if one.outcome is None)
        (bad,) = (one for one in done.envelope.recipients if one.outcome)
        assert good.address == "good@example.com"
        assert (bad.outcome["verdict"], bad.outcome["code"]) == ("fail", 553)
        assert address[:40] in bad.address
        assert door.spool.read(done.envelope.id).envelope.recipients == done.envelope.recipients
        assert [change.what for change in done.changes if change.action == "refused"] == ["envelope recipient"]
    for problem in (
        door.refused(WHOLE, address),
        door.refused(WHOLE, "good@example.com", address, whole=True),
        door.refused(header, "good@example.com", from_header=True, whole=True),
        Door(tmp_path, strict=True).refused(WHOLE, "good@example.com", address),
    ):
        assert problem.kind == "bad-message"
        assert "nothing was queued" in str(problem)


def test_an_alias_that_leads_nowhere_costs_the_others_nothing(tmp_path: Path) -> None:
    """Neither those who are named beside it, nor those behind the same alias; a loop and a list that cannot be read are of that kind."""
    some = (("ops", ("anna@example.com", "|run")), ("loop", ("loop2",)), ("loop2", ("loop",)))
    door = Door(tmp_path, aliases=some, aliases_file=str(tmp_path / "none"))
    done = door.submit(b"From: me@example.com\nTo: ops\n\n", "ops", "loop", "other", "good@example.com")
    found = [(one.address, one.outcome and one.outcome["code"]) for one in done.envelope.recipients]
    assert found == [("anna@example.com", None), ("ops", 550), ("loop", 550), ("other", 550), ("good@example.com", None)]
    assert door.refused(WHOLE, "loop").kind == "bad-config"


def test_an_alias_to_dev_null_discards(tmp_path: Path) -> None:
    """As everywhere: it is taken, nothing is sent, and nobody hears of it."""
    door = Door(tmp_path, aliases=(("nobody", ("/dev/null",)), ("both", ("/dev/null", "anna@example.com"))))
    (alone,) = door.submit(WHOLE, "nobody").envelope.recipients
    assert (alone.address, alone.outcome["verdict"]) == ("nobody", "delivered")
    assert [one.address for one in door.submit(WHOLE, "both").envelope.recipients] == ["anna@example.com"]


@pytest.mark.parametrize("address", ["a@example.com\r\nDATA", "a@example.com>\r\nRCPT TO:<x@y>", "-f@example.com\0"])
def test_an_argument_that_would_break_out_is_refused(door: Door, address: str) -> None:
    """Line ends and NUL never come near a command of SMTP."""
    assert door.refused(WHOLE, "good@example.com", address).kind == "bad-message"


def test_a_bare_name_gets_the_domain_that_was_chosen(tmp_path: Path) -> None:
    """And none otherwise: mail for root stays where its owner wants it."""
    assert Door(tmp_path, default_domain="example.org").submit(WHOLE, "root").envelope.recipients[0].address == "root@example.org"
    problem = Door(tmp_path).refused(WHOLE, "root")
    assert (problem.kind, "set submission.default_domain" in str(problem)) == ("bad-message", True)


def test_no_more_recipients_than_allowed(tmp_path: Path) -> None:
    """65, and the limit's name; each address counts once."""
    door = Door(tmp_path, max_recipients=3)
    addresses = [f"{nth}@example.com" for nth in range(3)]
    door.submit(WHOLE, *addresses, *addresses)
    problem = door.refused(WHOLE, *addresses, "4@example.com")
    assert problem.kind == "bad-message"
    assert "4 recipients are more than 3 (submission.max_recipients)" in str(problem)


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
    assert door.refused(WHOLE, sender=sender).kind == "bad-message"
    done = door.submit(f"From: {sender}\n\n".encode())
    assert done.envelope.sender == door.settings.sender()
    assert [change.what for change in done.changes if change.action == "refused"] == ["envelope sender"]
    assert door.refused(f"From: {sender}\n\n".encode(), whole=True).kind == "bad-message"
    assert door.refused(WHOLE, sender=sender + "\r\nRCPT TO:<x@y>").kind == "bad-message"


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
    done = submit(Submission(data + WHOLE, from_header=True), door.settings, NOW)
    assert [person.address for person in done.envelope.recipients] == ["c@example.net"]


# How addresses are written


@pytest.mark.parametrize(
    "value", ["<a@example.net> <b@example.net>", "A <a@example.net>\n B <b@example.net>", "a @ example . net b@example.net"]
)
@pytest.mark.parametrize("name", ["To", "Cc", "Bcc", "Resent-To"])
def test_everybody_who_is_written_is_a_recipient(door: Door, name: str, value: str) -> None:
    """Without a comma, folded, with blanks around @ and dots: in the header and as one argument."""
    done = submit(Submission(f"{name}: {value}\nSubject: x\n\n".encode(), from_header=True), door.settings, NOW)
    assert [person.address for person in done.envelope.recipients] == ["a@example.net", "b@example.net"]
    done = door.submit(WHOLE, value.replace("\n", ""))
    assert [person.address for person in done.envelope.recipients] == ["a@example.net", "b@example.net"]


def test_an_international_domain_needs_no_smtputf8(tmp_path: Path) -> None:
    """From every door it lies in the envelope in A-labels; an address that needs SMTPUTF8 all the same stays as it is."""
    door = Door(tmp_path, default_domain="zuhause.bücher.example", aliases=(("ops", ("x@bücher.example", "jörg@bücher.example")),))
    a = "xn--bcher-kva.example"
    data = "From: me@bücher.example\nTo: Jo <jo@bücher.example>, root\nSubject: x\n\n".encode()
    done = submit(Submission(data, recipients=["arg@BÜCHER.example", "ops"], from_header=True), door.settings, NOW)
    found = [person.address for person in done.envelope.recipients]
    assert found == [f"arg@{a}", f"x@{a}", "jörg@bücher.example", f"jo@{a}", f"root@zuhause.{a}"]
    assert done.envelope.sender == f"me@{a}"
    assert door.submit(WHOLE, sender="o@bücher.example").envelope.sender == f"o@{a}"
    assert Door(tmp_path, from_address="cron@bücher.example").submit(b"\n").envelope.sender == f"cron@{a}"
    authors = Door(tmp_path, authors=(("*", "Büro <büro@bücher.example>"),), aliases=(("info@xn--bcher-kva.example", ("y@example.net",)),))
    assert authors.submit(WHOLE, f"info@{a}", sender="root").envelope.sender == "büro@bücher.example"
    assert authors.submit(WHOLE, "info@bücher.example").envelope.recipients[0].address == "y@example.net"


CRON = b"From: root (Cron Daemon)\nTo: root\nSubject: x\n\nhello\n"


# Who is who


def test_cron_mail_to_a_real_address(tmp_path: Path) -> None:
    """As cron calls sendmail: the envelope and the header say the same, and nobody is left who means nothing elsewhere."""
    rules = {"aliases": (("root", ("anna@example.com",)),), "authors": (("*", "Server <server@example.com>"),)}
    door = Door(tmp_path, **rules)
    done = submit(Submission(CRON, sender="root", from_header=True), door.settings, NOW)
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
    assert door.refused(CRON, from_header=True, whole=True).kind == "bad-message"


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
    assert door.refused(WHOLE, "all", "5@example.com").kind == "bad-message"


def test_what_is_refused_for_an_alias_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """78, and nothing is queued."""
    assert Door(tmp_path, aliases=(("a", ("|run",)),)).refused(WHOLE, "a").kind == "bad-config"


def test_an_alias_hides_those_behind_it_from_nobody_but_bcc(tmp_path: Path) -> None:
    """A name in Bcc is followed, and stands nowhere."""
    door = Door(tmp_path, aliases=(("ops", ("anna@example.com",)),))
    done = submit(Submission(b"To: x@example.com\nBcc: ops\n\n", from_header=True), door.settings, NOW)
    assert [(person.address, person.type) for person in done.envelope.recipients] == [("x@example.com", "to"), ("anna@example.com", "bcc")]
    assert b"anna" not in door.spool.content(done.envelope.id)
    assert [change.before for change in done.changes if change.action == "removed"] == ["ops"]


# What it holds


def test_a_message_that_is_sent_on_goes_to_those_it_is_sent_on_to(door: Door) -> None:
    """Where Resent-To, Resent-Cc or Resent-Bcc name somebody, To and Cc say who had it before."""
    data = b"To: first@example.net\nCc: old@example.net\nResent-To: new@example.net\nResent-Bcc: Blind <blind@example.net>\n\nhello\n"
    request = Submission(data, from_header=True, recipients=["more@example.net"])
    envelope = submit(request, door.settings, NOW).envelope
    assert [recipient.address for recipient in envelope.recipients] == ["more@example.net", "new@example.net", "blind@example.net"]
    assert b"blind" not in door.spool.content(envelope.id)
