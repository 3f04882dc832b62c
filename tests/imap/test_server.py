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


def test_a_driver_ends_a_session_whatever_stands_open() -> None:
    """With BYE, once; nothing is read after it."""
    for octets in (b"", b"a AUTHENTICATE PLAIN\r\n", b"a LOGIN {5}\r\n", b"a LOGIN x"):
        talk = Talk()
        talk.say(octets)
        talk.server.hang_up("nothing was said for too long", "UNAVAILABLE")
        talk.server.hang_up("again")
        assert talk.say(b"b NOOP\r\n") == b"* BYE [UNAVAILABLE] nothing was said for too long\r\n"
        assert talk.server.state is ImapState.CLOSED
    server = ImapServer(CLEAR)
    server.next()
    server.hang_up("we are going down")
    assert server.next() is None


def test_a_folder_that_is_gone_is_selected_no_more() -> None:
    """The client is told once; commands about it are out of order then."""
    talk = selected()
    talk.server.deselect()
    talk.server.deselect()
    assert talk.say(b"a CHECK\r\n").startswith(b"* OK [CLOSED] what was selected is closed\r\na BAD ")
    talk = logged_in()
    talk.server.deselect()
    assert talk.server.take() == b""


def test_what_is_said_stands_before_the_line_that_ends_the_command() -> None:
    """In whatever parts it is said, and in IDLE at any time."""
    server = selected().server
    server.feed(b"a FETCH 1 FLAGS\r\nb IDLE\r\n")
    server.next()
    server.say(b"1 FETCH (FLAGS ())")
    server.say_raw(b"* 2 FETCH (BODY[] {3}\r\n")
    server.say_raw(b"abc)\r\n")
    server.answer()
    assert server.take() == b"* 1 FETCH (FLAGS ())\r\n* 2 FETCH (BODY[] {3}\r\nabc)\r\na OK FETCH completed\r\n"
    server.next()
    server.answer()
    server.say(b"4 EXISTS")
    assert server.take() == b"+ idling\r\n* 4 EXISTS\r\n"


def test_idle_may_be_refused() -> None:
    """Then it has not begun, and the next line is a command."""
    talk = logged_in(answers={said.Idle: Answer("NO", "not now", "UNAVAILABLE")})
    assert talk.say(b"a IDLE\r\nb NOOP\r\n") == b"a NO [UNAVAILABLE] not now\r\nb OK NOOP completed\r\n"


def test_who_is_let_in_may_have_another_name_than_he_said() -> None:
    """The driver says which, before it answers."""
    server = Talk().server
    server.feed(b"a LOGIN Ann secret\r\n")
    server.next()
    server.user = "ann@example.com"
    server.answer(Answer("OK", "welcome"))
    assert server.user == "ann@example.com"
    assert server.state is ImapState.AUTHENTICATED


def test_a_handshake_that_cannot_be_made_leaves_the_session_as_it_was() -> None:
    """NO, and the next command is obeyed. RFC 9051 §6.2.1"""
    talk = Talk(ImapSettings(starttls=True), {ask.ImapStartTls: Answer("NO", "too many handshakes", "UNAVAILABLE")})
    assert talk.say(b"a STARTTLS\r\nb NOOP\r\n") == b"a NO [UNAVAILABLE] too many handshakes\r\nb OK NOOP completed\r\n"
    assert talk.server.state is ImapState.STRANGER
