"""Rules in a header: the addresses are others, and nothing else is."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.address import AddressError, parse
from mailer.mail.address_list import in_header
from mailer.mail.message import Change, Message
from mailer.rewriting import identified, relayed, reverse_path

from .test_rules import ALIASES, rules


def written(header: str, **found: object) -> tuple[str, list[Change]]:
    changes: list[Change] = []
    message = Message.split(header.replace("\n", "\r\n").encode() + b"\r\nbody\r\n")
    made = identified(message, rules(**found), changes)
    assert made.rest == message.rest
    return made.header.decode().replace("\r\n", "\n"), changes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("From: root\n", "From: root@example.org\n"),
        ("From: root (Cron Daemon)\n", "From: root@example.org (Cron Daemon)\n"),
        ('From: "Cron, Daemon"  <root>\n', 'From: "Cron, Daemon"  <root@example.org>\n'),
        ("FROM :\n root\n", "FROM :\n root@example.org\n"),
        ("Sender: a, b@example.com\n", "Sender: a@example.org, b@example.com\n"),
        ("To: root\n", "To: anna@example.com,\n bob@example.com\n"),
        ("To: Root <root>, x@example.com\n", "To: anna@example.com,\n bob@example.com, x@example.com\n"),
        ("Cc: Team: carol, Dave <dave>;\n", "Cc: Team: carol@example.org, Dave <dave@example.org>;\n"),
        ("To: Old <old@example.com>,\n y@example.com\n", "To: Old <new@example.com>,\n y@example.com\n"),
        ("Reply-To: me\nResent-To: ops\n", "Reply-To: me@example.org\nResent-To: bob@example.com,\n anna@example.com\n"),
        ("To: undisclosed-recipients:;\nSubject: root\nX-To: root\n", "To: undisclosed-recipients:;\nSubject: root\nX-To: root\n"),
        ("To: no address, @, a b c\n", "To: no address, @, a b c\n"),
    ],
)
def test_addresses_are_exchanged_where_they_stand(before: str, after: str) -> None:
    """Names, comments, groups, folds and other fields stay."""
    assert written(before, aliases=ALIASES, default_domain="example.org")[0] == after


def test_what_was_changed_is_said() -> None:
    """The field, before and after, and the rules."""
    _, (change,) = written("To: root,\n x\n", aliases=ALIASES, default_domain="example.org")
    assert (change.action, change.what) == ("changed", "To")
    assert (change.before, change.after) == ("root, x", "anna@example.com, bob@example.com, x@example.org")
    assert change.why == "alias root, submission.aliases; alias ops, submission.aliases; submission.default_domain"


@pytest.mark.parametrize(
    ("author", "field"),
    [
        ("Our shop <shop@example.com>", "From: Our shop <shop@example.com>\n"),
        ("shop@example.com", "From: root <shop@example.com>\n"),
        ('"Shop, Ltd" <shop@example.com>', 'From: "Shop, Ltd" <shop@example.com>\n'),
        ("Größe <shop@example.com>", "From: =?utf-8?b?R3LDtsOfZQ==?= <shop@example.com>\n"),
        ("<shop@example.com>", "From: root <shop@example.com>\n"),
    ],
)
def test_the_author_of_a_user_brings_his_name(author: str, field: str) -> None:
    """In From; in Sender, which may be somebody else, the address alone is exchanged."""
    made, _ = written("From: root <www-data>\nSender: The Daemon <root@localhost>\n", authors=(("*", author),))
    assert made == field + "Sender: The Daemon <shop@example.com>\n"


def test_where_answers_go_stays() -> None:
    """Even where all authors are replaced."""
    made, _ = written("From: a@example.net\nReply-To: b@example.net\n", authors=(("*", "c@example.com"),), replace_every_author=True)
    assert made == "From: c@example.com\nReply-To: b@example.net\n"


PIECES = st.sampled_from(["a", "b@example.com", " ", ",", ";", ":", "<", ">", '"', "(", ")", "\\", "\n ", "[", "]", "@", "ü", "Name "])


@given(st.lists(PIECES).map("".join))
def test_header_and_envelope_agree(value: str) -> None:
    """Whatever stands in a field: those whom its reader finds afterwards are those whom the rules make of those before."""
    some = rules(aliases=ALIASES, default_domain="example.org")
    changes: list[Change] = []
    before = Message(f"To: {value}\n".replace("\n", "\r\n").encode(), b"\r\n")
    (unfolded,) = before.values(b"to")
    wanted = []
    for text in in_header(unfolded):
        try:
            wanted += some.recipient(text).addresses or [text]
        except AddressError:
            wanted.append(text)
    after = identified(before, some, changes)
    (unfolded,) = after.values(b"to")
    found = [*in_header(unfolded)]
    assert [address_of(text) for text in found] == [address_of(text) for text in wanted]
    assert after.header.endswith(b"\r\n")
    assert after.header.count(b"\r\n") - after.header.count(b"\r\n ") == 1


def address_of(text: str) -> str:
    """The address, or that it is none: such a text may name its neighbour, who was exchanged."""
    try:
        return parse(text).path
    except ValueError:
        return "none"


def test_what_others_read_is_what_was_meant() -> None:
    """The standard library finds the same people."""
    made, _ = written('From: "A (x)" <root>\nTo: root, "B, C" <x@example.com>\n', aliases=ALIASES, default_domain="example.org")
    message = message_from_bytes(made.encode(), policy=policy.default)
    assert [one.addr_spec for one in message["To"].addresses] == ["anna@example.com", "bob@example.com", "x@example.com"]
    assert [(one.display_name, one.addr_spec) for one in message["From"].addresses] == [("A (x)", "root@example.org")]


REST = b"Reply-To: c@example.org\r\nTo: root, d@example.org\r\n\r\nFrom: body\r\n"
MESSAGE = b"From: Anna <anna@example.org>\r\nSender: bob@example.org\r\n" + REST


def test_mail_for_a_relay_of_one_author_leaves_as_his() -> None:
    """From has his name and address, Sender his address; where answers go, recipients and body stay."""
    changes: list[Change] = []
    made = relayed(MESSAGE, "Our shop <me@example.com>", changes)
    assert made == b"From: Our shop <me@example.com>\r\nSender: me@example.com\r\n" + REST
    assert [change.what for change in changes] == ["From", "Sender"]


def test_mail_of_that_author_stays_to_the_byte() -> None:
    """Also with another name."""
    for data in (b"From: Me <me@example.com>\r\n\r\nx\r\n", b"From: me@example.com\r\n\r\n"):
        assert relayed(data, "me@example.com") == data


@pytest.mark.parametrize(("sender", "path"), [("a@example.org", "me@example.com"), ("", "")])
def test_reports_on_what_was_relayed_go_to_that_author(sender: str, path: str) -> None:
    """For the relay takes no other sender either; a report itself has none."""
    assert reverse_path(sender, "Our shop <me@example.com>") == path
