"""Who may send, and as whom."""

from __future__ import annotations

import grp
import os
import pwd
from typing import Any

import pytest

from mailer.config.file import config_of
from mailer.config.sections.daemon import Submitter
from mailer.intake.rules import SubmitterRules, allows
from mailer.io.people import Person, fits, person
from mailer.mail.principal import parse, unix
from mailer.mail.problem import Problem
from tests.fakes.mail import envelope

ANNA = 70_001
PERSON = Person("anna", frozenset({"staff", "mail"}))


def judged(rules: SubmitterRules, uid: int = ANNA, *, sender: str = "anna@example.com", header: str = "From: anna@example.com") -> str:
    """What is against it; nothing where it may be sent."""
    try:
        rules.judge(envelope(sender=sender), f"{header}\r\n\r\nx\r\n".encode(), unix(uid))
    except Problem as problem:
        return str(problem) if problem.kind == "no-permission" else f"{problem.kind}"
    return ""


def rules(*senders: str, user: str = "*") -> SubmitterRules:
    return SubmitterRules([Submitter(user=user, senders=senders)])


def test_without_rules_everybody_sends_as_anybody() -> None:
    """A machine whose users trust each other needs no list."""
    assert judged(SubmitterRules([])) == ""


def test_with_rules_whom_none_fits_does_not_send() -> None:
    """Root and the owner of the spool do; they could write there themselves."""
    one = rules("*", user="somebody")
    assert "may not send mail here" in judged(one)
    assert judged(one, 0) == judged(one, os.geteuid()) == ""


def test_the_first_rule_that_fits_counts() -> None:
    """As with routes."""
    both = SubmitterRules([Submitter(user=str(ANNA), senders=("a@example.com",)), Submitter(user="*")])
    assert "may not send as anna@example.com, but as a@example.com" in judged(both)
    assert judged(both, ANNA + 1) == ""


@pytest.mark.parametrize(
    ("user", "fit"), [("*", True), ("anna", True), ("@staff", True), ("@wheel", False), ("staff", False), ("@anna", False), ("Anna", False)]
)
def test_a_rule_is_for_a_user_a_group_or_all(user: str, fit: bool) -> None:
    """By their names, exactly."""
    assert fits(user, PERSON) is fit


@pytest.mark.parametrize(
    ("pattern", "sender", "allowed"),
    [
        ("*", "x@y.example", True),
        ("anna@example.com", "Anna@EXAMPLE.com", True),
        ("anna@example.com", "banna@example.com", False),
        ("*@example.com", "a@example.com", True),
        ("*@example.com", "a@sub.example.com", False),
        ("*@example.com", "a@example.com.evil.example", False),
        ("*@example.com", "a@exampleXcom", False),
        ("*@*.example.com", "a@sub.example.com", True),
        ("*@bücher.example", "a@xn--bcher-kva.example", True),
        ("*@xn--bcher-kva.example", "a@BÜCHER.example", True),
        ("{user}@example.com", "anna@example.com", True),
        ("{user}@example.com", "bob@example.com", False),
        ("{user}-*@example.com", "anna-list@example.com", True),
    ],
)
def test_a_pattern_means_whole_addresses(pattern: str, sender: str, allowed: bool) -> None:
    """A star is any text, and nothing else is special."""
    assert allows(pattern, PERSON, sender) is allowed


def test_no_field_makes_a_pattern_take_long() -> None:
    """A From of 200 kB is one that nobody may use, and that is found at once."""
    assert not allows("*@*.example.com", PERSON, "@." * 100_000)


@pytest.mark.parametrize(
    "given",
    [
        {"sender": "boss@example.org"},
        {"header": "From: boss@example.org"},
        {"header": "From: Anna <anna@example.com>, boss@example.org"},
        {"header": "From: anna@example.com\r\nFrom: boss@example.org"},
        {"header": "From: anna@example.com\r\nSender: boss@example.org"},
        {"header": "From: anna@example.com\r\nResent-From: boss@example.org"},
        {"header": 'From: "anna@example.com" <boss@example.org>'},
        {"header": "From: staff: boss@example.org;"},
        {"header": "from : boss@example.org"},
        {"header": "From: anna@example.com,\r\n boss@example.org"},
        {"header": "From: nobody in particular"},
        {"header": "From: "},
        {"sender": "", "header": "From: boss@example.org"},
    ],
)
def test_every_place_that_says_who_it_is_from_is_looked_at(given: dict[str, Any]) -> None:
    """Envelope, From and Sender, each of several, however they are written; and a field that names nobody is refused."""
    assert "may not send as" in judged(rules("*@example.com"), **given)


def test_the_null_sender_and_a_message_without_author_name_nobody() -> None:
    """So they are nobody else."""
    assert judged(rules("*@example.com"), sender="") == ""
    assert judged(rules("*@example.com"), header="Subject: x") == ""


def test_a_user_is_who_the_machine_says() -> None:
    """With all groups; one that nobody has named has a number for a name. Other principals are in no group."""
    assert person(unix(0)).name == pwd.getpwuid(0).pw_name
    assert grp.getgrgid(pwd.getpwuid(0).pw_gid).gr_name in person(unix(0)).groups
    assert person(unix(ANNA)) == Person(str(ANNA), frozenset())
    assert person(parse("smtp:anna@example.com")) == Person("anna@example.com", frozenset())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user = 'a b'", "is no user"),
        ("user = '@'", "is no user"),
        ("user = ''", "is no user"),
        ("user = 'a'\nsenders = ['example.com']", "is no sender"),
        ("user = 'a'\nsenders = []", "the list is empty"),
        ("senders = ['*']", "has no user"),
    ],
)
def test_a_rule_that_is_none_is_refused(text: str, problem: str) -> None:
    """With what to write instead."""
    with pytest.raises(Problem, match=problem):
        config_of("c.toml", f"[[submitter]]\n{text}\n".encode())


def test_rules_are_read_in_their_order() -> None:
    """From the file to the judge."""
    text = b"[[submitter]]\nuser = '@staff'\nsenders = ['{user}@example.com']\n[[submitter]]\nuser = '*'\n"
    assert config_of("", text).submitters == (
        Submitter(user="@staff", senders=("{user}@example.com",)),
        Submitter(user="*", senders=("*",)),
    )
