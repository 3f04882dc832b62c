"""The machine as a driver sees it: who may say what, when, and what becomes of it."""

from __future__ import annotations

import pytest

from mailer.imap import command as said
from mailer.imap import questions as ask
from mailer.imap.answer import Answer
from mailer.imap.server import ImapServer, ImapSettings, ImapState
from tests.imap.talk import CLEAR, Talk, logged_in, selected


def test_a_session_from_the_greeting_to_the_end() -> None:
    """Each command ends with its tag."""
    talk = Talk()
    assert talk.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ")
    assert talk.say(b"a LOGIN user secret\r\n").startswith(b"a OK [CAPABILITY IMAP4rev1 ")
    assert talk.server.user == "user"
    assert talk.say(b"b SELECT inbox\r\n") == b"b OK [READ-WRITE] SELECT completed\r\n"
    assert talk.server.state is ImapState.SELECTED
    assert talk.say(b"c NOOP\r\nd CLOSE\r\n") == b"c OK NOOP completed\r\nd OK CLOSE completed\r\n"
    assert talk.server.state is ImapState.AUTHENTICATED
    assert talk.server.view is None
    assert talk.say(b"e LOGOUT\r\nf NOOP\r\n") == b"* BYE until next time\r\ne OK LOGOUT completed\r\n"
    assert talk.server.state is ImapState.CLOSED


def test_nobody_is_let_in_by_a_policy_that_does_not_answer() -> None:
    """The usual answer to a password is no."""
    server = ImapServer(CLEAR)
    server.next()
    server.answer()
    server.feed(b"a LOGIN user secret\r\n")
    assert isinstance(server.next(), ask.ImapAuth)
    server.answer()
    assert b"a NO [AUTHENTICATIONFAILED] " in server.take()
    assert not server.user


def test_a_server_that_has_no_room_says_bye() -> None:
    """A greeting that is refused is the end. RFC 9051 §7.1.5"""
    talk = Talk(answers={ask.ImapGreeting: Answer("NO", "too many connections", "UNAVAILABLE")})
    assert talk.greeting == b"* BYE [UNAVAILABLE] too many connections\r\n"
    assert talk.server.state is ImapState.CLOSED


def test_selecting_closes_what_was_selected() -> None:
    """And leaves nothing selected where it fails. RFC 9051 §6.3.2"""
    talk = selected()
    assert talk.say(b"a EXAMINE x\r\n") == b"* OK [CLOSED] what was selected is closed\r\na OK [READ-ONLY] SELECT completed\r\n".replace(
        b"SELECT", b"EXAMINE"
    )
    talk.answers = {said.Select: Answer("NO", "there is no such folder", "NONEXISTENT")}
    talk.say(b"b SELECT y\r\n")
    assert talk.server.state is ImapState.AUTHENTICATED
    assert talk.last(b"c CHECK\r\n").startswith(b"c BAD CHECK is out of order")


def test_no_answer_without_a_question() -> None:
    """A driver that answers nothing has a mistake in it."""
    with pytest.raises(RuntimeError, match="no question"):
        logged_in().server.answer()


def test_a_message_is_welcome_before_it_comes_or_never_comes() -> None:
    """What is refused then is not sent. RFC 9051 §6.3.12"""
    talk = logged_in(answers={ask.ImapAnnounced: Answer("NO", "create it first", "TRYCREATE")})
    assert talk.say(b"a APPEND x {1000}\r\n") == b"a NO [TRYCREATE] create it first\r\n"
    assert talk.say(b"b NOOP\r\n") == b"b OK NOOP completed\r\n"
    talk = logged_in(ImapSettings(max_size=70000))
    assert talk.say(b"a APPEND x {70001}\r\n") == b"a NO [TOOBIG] the message is too large\r\n"
    assert talk.say(b"b APPEND x {70000}\r\n") == b"+ OK\r\n"
    assert talk.say(b"x" * 70000, b"\r\n") == b"b OK APPEND completed\r\n"
