"""What is sent to hurt: each is refused in its own way, costs little, and is the same in whatever pieces it comes."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from mailer.imap import questions as ask
from mailer.imap.answer import Answer
from mailer.imap.server import ImapServer, ImapSettings, ImapState
from tests.imap.talk import CLEAR, STARTTLS, Talk, logged_in, selected

LOGIN = b"a LOGIN user secret\r\n"


def lines(said: bytes) -> list[bytes]:
    return said.split(b"\r\n")[:-1]


def cuts(octets: bytes) -> Iterator[list[bytes]]:
    """Whole, octet by octet, and in two at some places."""
    yield [octets]
    yield [octets[at : at + 1] for at in range(len(octets))]
    for at in range(1, len(octets), max(1, len(octets) // 7)):
        yield [octets[:at], octets[at:]]


def heard(made: Callable[[], Talk], octets: bytes) -> tuple[list[bytes], ImapState]:
    """What is said to `octets`, in whatever pieces they come, and the state of the session then."""
    found = []
    for pieces in cuts(octets):
        talk = made()
        found.append((lines(talk.say(*pieces)), talk.server.state))
    assert all(each == found[0] for each in found), found
    return found[0]


def kinds(said: list[bytes]) -> list[bytes]:
    """Tag and kind of each line."""
    return [b" ".join(line.split(b" ")[:2]) for line in said]


@pytest.mark.parametrize("literal", [b"{300000000+}", b"{8193+}", b"{4097+}", b"{99999999999999999999+}", b"~{300000000+}"])
def test_a_literal_that_nobody_asked_for_is_not_held(literal: bytes) -> None:
    """One of more than 4096 octets ends the session (RFC 7888 §5), and nothing behind it is read."""
    said, state = heard(Talk, b"a LOGIN x " + literal + b"\r\nb NOOP\r\nc NOOP\r\n")
    assert kinds(said) == [b"a BAD", b"* BYE"]
    assert state is ImapState.CLOSED


def test_a_flood_behind_a_literal_takes_no_memory() -> None:
    """Before login, 300 MB that are announced, and 20 MB that come; and as many within a line, or a response."""
    for begin in (b"a LOGIN x {300000000+}\r\n", b"a LOGIN ", b"", b"a AUTHENTICATE PLAIN\r\n", b'a LOGIN "', b"a LOGIN x {8000}\r\n"):
        talk = Talk()
        piece = b"x" * 65536
        tracemalloc.start()
        talk.say(begin)
        for _ in range(320):
            talk.say(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 600_000, begin
        assert talk.server.state is ImapState.CLOSED


@pytest.mark.parametrize("literal", [
    b"{4294967296}", b"{-1}", b"{}", b"{10++}", b"{+10}", b"{8193}", b"{99999999999999999999}", b"{999999999999999999999999}",
    b"{1 }", b"{0x10}", b"{",
])  # fmt: skip
def test_a_literal_that_cannot_be_is_refused(literal: bytes) -> None:
    """It is answered with BAD, and what follows is a command: the client had to wait, or has announced nothing."""
    said, state = heard(Talk, b"a LOGIN " + literal + b"\r\nb NOOP\r\n")
    assert kinds(said) == [b"a BAD", b"b OK"]
    assert state is ImapState.STRANGER


@pytest.mark.parametrize("command", [b"SELECT", b"FOO", b"LOGIN x y ", b"NOOP", b"LOGIN \x01 ", b"LOGIN x {8000+}\r\n" + b"x" * 8000])
def test_octets_of_a_refused_literal_are_never_commands(command: bytes) -> None:
    """They come all the same, and are thrown away, with what belongs to the command behind them."""
    inner = b"\r\nx LOGOUT\r\n"
    said, state = heard(Talk, b"a " + command + b" {%d+}\r\n" % len(inner) + inner + b" {3+}\r\nabc tail\r\nb NOOP\r\n")
    if b"8000+" in command:
        assert state is ImapState.CLOSED
    else:
        assert kinds(said) == [b"a BAD", b"b OK"]


def test_refused_literals_have_an_end() -> None:
    """Whoever sends more than 128 kB of them is hung up on."""
    talk = Talk()
    said = lines(talk.say(*([b"a FOO" + b" {4000+}\r\n" + b"x" * 4000] + [b" {4000+}\r\n" + b"x" * 4000] * 40)))
    assert kinds(said) == [b"a BAD", b"* BYE"]


def test_many_literals_are_bounded_together() -> None:
    """Before login by 8 kB, after it by 64 kB, and where they are messages by what may be appended."""
    assert kinds(lines(Talk().say(b"a LOGIN {4000+}\r\n" + b"x" * 4000 + b" {4192}\r\n"))) == [b"+ OK"]
    assert kinds(lines(Talk().say(b"a LOGIN {4096+}\r\n" + b"x" * 4096 + b" {4097}\r\n"))) == [b"a BAD"]
    assert kinds(lines(logged_in().say(b"a LIST {4096+}\r\n" + b"x" * 4096 + b" {61441}\r\n"))) == [b"a BAD"]
    talk = logged_in(ImapSettings(max_size=70_000))
    assert kinds(lines(talk.say(b"a APPEND x {60000}\r\n" + b"x" * 60000 + b" {10001}\r\n"))) == [b"+ OK", b"a NO"]


@pytest.mark.parametrize("opened", [logged_in, selected])
@pytest.mark.parametrize("command", [
    b"(", b"SEARCH (", b"SEARCH NOT ", b"SEARCH OR ", b"FETCH 1 (", b"LIST (", b'LIST "" (', b"STORE 1 FLAGS (", b"ID (", b"NOTIFY SET (",
    b"SORT (", b"THREAD REFERENCES UTF-8 (", b"STATUS x (", b"SELECT x (", b"SELECT x (QRESYNC (", b"UID ", b"ENABLE ", b"GETMETADATA (",
    b"SETQUOTA x (", b"FETCH 1 BODY[", b"FETCH 1 BODY[1.", b"SEARCH RETURN (", b"APPEND x (", b'APPEND x "', b"\\", b'"', b"{", b"$", b"1,",
])  # fmt: skip
def test_nesting_and_repetition_have_bounds(opened: Callable[[], Talk], command: bytes) -> None:
    """A line full of each is refused in no time, without recursion; the session goes on."""
    for octets in (b"a " + command * (64000 // len(command)), b"a " + command + command[-1:] * 60000):
        talk = opened()
        began = time.process_time()
        said = lines(talk.say(octets + b"\r\nb NOOP\r\n"))
        assert time.process_time() - began < 0.4
        assert kinds(said)[-2:] == [b"a BAD", b"b OK"]


@pytest.mark.parametrize("size", [65537, 70000, 120_000])
def test_a_line_that_is_too_long_is_refused_when_it_ends(size: int) -> None:
    """It has its tag in the answer; its end decides whether a literal follows. After 128 kB, the session ends."""
    for tail, answers in ((b"\r\n", [b"a BAD", b"b OK"]), (b" {3+}\r\nxxx\r\n", [b"a BAD", b"b OK"]), (b" {3}\r\n", [b"a BAD", b"b OK"])):
        said = [kinds(lines(logged_in().say(*pieces))) for pieces in (
            [b"a NOOP " + b"x" * size + tail + b"b NOOP\r\n"],
            [b"a NOOP " + b"x" * (size - 7), b"xxx", b"xxxx" + tail + b"b NOOP\r\n"],
            [b"a NO", b"OP ", *[b"x" * 1000] * (size // 1000 + 1), tail, b"b NOOP\r\n"],
        )]  # fmt: skip
        assert said == [answers] * 3
    assert kinds(lines(logged_in().say(b"a NOOP " + b"x" * 140_000 + b"\r\nb NOOP\r\n"))) == [b"a BAD", b"* BYE"]
    assert kinds(lines(logged_in().say(b"a NOOP " + b"x" * 140_000, b"\r\nb NOOP\r\n"))) == [b"a BAD", b"* BYE"]


@pytest.mark.parametrize("octets", [
    b"a NOOP\n", b"a NO\rOP\r\n", b"a NOOP\r\r\n", b"a NOOP\0\r\n", b'a LOGIN "x\0" y\r\n', b'a LOGIN "x\ry" z\r\n', b"a LOGIN x\0y z\r\n",
    b"a LOGIN x {3+}\n123\r\n", b"a LOGIN x {3+}\r\n1\0003\r\n", b'a LOGIN "\xff" x\r\n', b"a LOGIN \xc3\xa4 x\r\n", b"\xff\r\n", b"\r\n",
    b"\n", b"a\r\n", b"a \r\n", b" NOOP\r\n",
    b"+ NOOP\r\n", b"* NOOP\r\n", b"a+b NOOP\r\n", b"a  NOOP\r\n", b"a NOOP \r\n", b"a NOOP x\r\n",
    b"(a NOOP\r\n",
    b"a UID NOOP\r\n", b"a UID\r\n", b"a FETCH 1 FLAGS\r\n", b"a SELECT x\r\n", b"a STARTTLS\r\n",
    b"a " + b"x" * 300 + b"\r\n",
    b"x" * 300 + b" NOOP\r\n",
])  # fmt: skip
def test_what_is_no_command_is_bad(octets: bytes) -> None:
    """It is answered once, with its tag where it has one, and the next command is obeyed."""
    said, state = heard(Talk, octets + b"z NOOP\r\n")
    assert [kind.partition(b" ")[2] for kind in kinds(said)] == [b"BAD", b"OK"]
    assert state is ImapState.STRANGER


@pytest.mark.parametrize(
    "name",
    [
        b'"a\0b"',
        b'"a\rb"',
        b'"a\nb"',
        b"&AAA-",
        b'"a\xffb"',
        b"{3+}\r\na\0b",
        b"{3+}\r\na\rb",
        b"{3+}\r\na\nb",
        b"&Jjo",
        b"{2+}\r\n\xc3\xa4",
    ],
)
def test_a_name_of_a_folder_has_no_such_octets(name: bytes) -> None:
    """It is refused, and comes to nobody who would make a folder of it."""
    said, state = heard(logged_in, b"a SELECT " + name + b"\r\nb NOOP\r\n")
    assert kinds(said)[-1] == b"b OK"
    assert all(kind.endswith(b" BAD") for kind in kinds(said)[:-1])
    assert state is ImapState.AUTHENTICATED


@pytest.mark.parametrize("content", [b"a\0b", b"a\rb\n\nc", b"\r\n.\r\n", b"\xff\xfe", b"a LOGOUT\r\n", b"{5}\r\n"])
def test_a_message_is_taken_octet_by_octet(content: bytes) -> None:
    """Whatever it holds. It is for others to say whether they keep it."""
    for form in (b"{%d+}", b"{%d}", b"~{%d+}"):
        talk = logged_in()
        assert talk.last(b"a APPEND x " + form % len(content) + b"\r\n" + content + b"\r\n") == b"a OK APPEND completed"
        command = talk.commands()[-1]
        assert command.messages[0].content == content  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /x HTTP/1.0\r\n",
        b"Host: example.com\r\n",
        b"OPTIONS * HTTP/1.1\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    ],
)
def test_a_browser_is_shown_the_door(octets: bytes) -> None:
    """A page must not make it speak IMAP to us: nothing behind its first line is read."""
    said, state = heard(Talk, octets + LOGIN)
    assert kinds(said) == [b"* BYE"]
    assert state is ImapState.CLOSED


def test_a_handshake_where_none_is_expected_ends_the_session() -> None:
    """A client that begins with TLS on the port for the clear hears no noise, and no line is waited for."""
    said, state = heard(lambda: Talk(STARTTLS), b"\x16\x03\x01\x02")
    assert kinds(said) == [b"* BYE"]
    assert state is ImapState.CLOSED


def test_what_came_with_starttls_is_thrown_away() -> None:
    """And so is what was said before: the client is a stranger again. RFC 9051 §6.2.1"""
    talk = Talk(STARTTLS)
    assert b"LOGINDISABLED" in talk.greeting
    assert b"AUTH=" not in talk.greeting
    said = talk.say(b'i ID ("name" "x")\r\n', b"a STARTTLS\r\nb LOGIN user secret\r\nc {10}")
    assert kinds(lines(said)) == [b"* ID", b"i OK", b"a OK"]
    assert talk.server.state is ImapState.HANDSHAKE
    assert talk.say(b"d NOOP\r\n") == b""
    talk.server.secured("TLSv1.3")
    assert talk.server.client == {}
    assert talk.server.discarded > 20
    talk.pump()
    assert talk.say(b"e CAPABILITY\r\n").startswith(b"* CAPABILITY IMAP4rev1 ")
    assert b"AUTH=PLAIN" in talk.server.capabilities.__repr__().encode()
    assert "STARTTLS" not in talk.server.capabilities
    assert talk.last(b"f STARTTLS\r\n").startswith(b"f BAD")
    assert talk.last(LOGIN).startswith(b"a OK")


@pytest.mark.parametrize(
    "command", [b"LOGIN user secret", b'LOGIN "user" {6}', b"AUTHENTICATE PLAIN", b"AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0"]
)
def test_no_password_is_taken_in_the_clear(command: bytes) -> None:
    """It is refused before it comes where it is announced. RFC 9051 §6.2.3"""
    said, state = heard(lambda: Talk(STARTTLS), b"a " + command + b"\r\nb NOOP\r\n")
    assert [line[:24] for line in said] == [b"a NO [PRIVACYREQUIRED] p", b"b OK NOOP completed"]
    assert state is ImapState.STRANGER


def test_nobody_is_greeted_as_known() -> None:
    """There is no PREAUTH, whatever a driver answers."""
    for tls in ("", "TLSv1.3"):
        assert Talk(STARTTLS, tls=tls).greeting.startswith(b"* OK ")
        assert b"STARTTLS" not in Talk(STARTTLS, tls="TLSv1.3").greeting


@pytest.mark.parametrize("hidden", ["IDLE", "UNSELECT", "MOVE", "UIDPLUS", "ENABLE", "ID", "NAMESPACE", "REPLACE"])
def test_what_is_not_told_does_not_exist(hidden: str) -> None:
    """The list that is told is the one that is obeyed."""
    command = {
        "UIDPLUS": b"UID EXPUNGE 1",
        "MOVE": b"MOVE 1 x",
        "ENABLE": b"ENABLE CONDSTORE",
        "ID": b"ID NIL",
        "REPLACE": b"REPLACE 1 x {1}",
    }.get(hidden, hidden.encode())
    talk = selected(ImapSettings(hide=frozenset({hidden})))
    assert hidden not in talk.server.capabilities
    assert talk.last(b"a " + command + b"\r\n").startswith(b"a BAD there is no")
    assert not selected().last(b"a " + command + b"\r\n").startswith(b"a BAD")


@pytest.mark.parametrize(("hidden", "command"), [
    ("SASL-IR", b"AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0"), ("MULTIAPPEND", b"APPEND x {1+}\r\na {1+}\r\nb"),
    ("BINARY", b"APPEND x ~{1+}\r\na"),
    ("CONDSTORE", b"SELECT x (CONDSTORE)"), ("CONDSTORE", b"STORE 1 (UNCHANGEDSINCE 1) FLAGS ()"),
    ("UTF8=ACCEPT", b"APPEND x UTF8 (~{1+}\r\na)"),
    ("QRESYNC", b"SELECT x (QRESYNC (1 1))"),
])  # fmt: skip
def test_nor_does_what_modifies_a_command(hidden: str, command: bytes) -> None:
    """An argument of an extension that is not told is no argument."""
    settings = ImapSettings(hide=frozenset({hidden}), clear_auth=True)
    talk = Talk(settings) if hidden == "SASL-IR" else selected(settings)
    assert talk.last(b"a " + command + b"\r\n").startswith(b"a BAD ")


def test_an_exchange_that_goes_wrong_is_the_end_of_it_alone() -> None:
    """Bad base 64, no base 64, ``*``, and a megabyte: each is refused, and whoever does it often is hung up on."""
    for response in (b"*", b"====", b"x", b"\xff\xff", b"AHVzZXI=", b"", b"A" * 20_000):
        said, state = heard(Talk, b"a AUTHENTICATE PLAIN\r\n" + response + b"\r\nb NOOP\r\n")
        assert kinds(said) == [b"+ ", b"a BAD", b"b OK"]
        assert state is ImapState.STRANGER
    talk = Talk()
    assert kinds(lines(talk.say(b"a AUTHENTICATE PLAIN\r\n" + b"A" * 1_000_000 + b"\r\nb NOOP\r\n"))) == [b"+ ", b"a BAD", b"* BYE"]
    talk = Talk()
    said = lines(talk.say(b"a AUTHENTICATE PLAIN\r\n*\r\n" * 1000))
    assert kinds(said)[-1] == b"* BYE"
    assert len(said) == 2 * 21 + 1


def test_an_exchange_lets_somebody_in() -> None:
    """With a first response, without, and in two questions."""
    for octets in (
        b"a AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\r\n", b"a authenticate plain\r\nAHVzZXIAc2VjcmV0\r\n",
        b"a AUTHENTICATE LOGIN\r\ndXNlcg==\r\nc2VjcmV0\r\n", b"a AUTHENTICATE LOGIN dXNlcg==\r\nc2VjcmV0\r\n",
    ):  # fmt: skip
        made = lambda: Talk(ImapSettings(clear_auth=True, mechanisms=("PLAIN", "LOGIN")))  # noqa: E731
        said, state = heard(made, octets)
        assert said[-1].startswith(b"a OK [CAPABILITY ")
        assert state is ImapState.AUTHENTICATED


def test_guessing_has_an_end() -> None:
    """After three wrong passwords."""
    talk = Talk(answers={ask.ImapAuth: Answer("NO", "wrong", "AUTHENTICATIONFAILED")})
    said = lines(talk.say(LOGIN * 5))
    assert kinds(said) == [b"a NO", b"a NO", b"a NO", b"* BYE"]
    talk = Talk(answers={ask.ImapAuth: Answer("NO", "later", "UNAVAILABLE")})
    assert kinds(lines(talk.say(LOGIN * 5))) == [b"a NO"] * 5


def test_mistakes_and_idle_commands_have_an_end() -> None:
    """Twenty mistakes in a row, fifty commands of somebody who does not log in; whoever has logged in may say NOOP for ever."""
    said = lines(logged_in().say(b"a FOO\r\n" * 30))
    assert kinds(said) == [b"a BAD"] * 21 + [b"* BYE"]
    assert kinds(lines(logged_in().say((b"a FOO\r\n" * 20 + b"b NOOP\r\n") * 3))).count(b"b OK") == 3
    assert kinds(lines(Talk().say(b"a NOOP\r\n" * 60))) == [b"a OK"] * 50 + [b"* BYE"]
    assert kinds(lines(logged_in().say(b"a NOOP\r\n" * 1000))) == [b"a OK"] * 1000


@pytest.mark.parametrize(
    "username", [b"%s%n%x", b"a'; DROP TABLE users; --", b"*)(uid=*", b'"q\\"q"', b"x" * 8000, b"{5+}\r\n\xc3\xa4\xc3\xb6x"]
)
def test_a_name_is_what_was_said(username: bytes) -> None:
    """It goes on as text, and comes back in no answer."""
    talk = Talk(answers={ask.ImapAuth: Answer("NO", "the name or the password is wrong", "AUTHENTICATIONFAILED")})
    said = talk.say(b"a LOGIN " + username + b" x\r\n")
    if username.startswith((b"*", b"%", b"a'")):
        assert said.startswith(b"a BAD")
    else:
        assert said == b"a NO [AUTHENTICATIONFAILED] the name or the password is wrong\r\n"


@pytest.mark.parametrize("literal", [b"{4+}\r\na\0bc", b"{4+}\r\na\r\nb", b"{1+}\r\n\xff", b"{2+}\r\n\xed\xa0"])
def test_a_name_with_control_characters_is_none(literal: bytes) -> None:
    """No line that somebody else reads is begun by it."""
    said, _ = heard(Talk, b"a LOGIN " + literal + b" x\r\n")
    assert kinds(said) == [b"a BAD"]


@pytest.mark.parametrize(
    "sets", [b"1:4294967295", b"*:1", b"$", b",".join([b"1:*"] * 16000), b",".join(b"%d" % n for n in range(1, 12000))]
)
def test_huge_sets_are_commands_like_others(sets: bytes) -> None:
    """They cost what they are long; how many messages there are, the view knows."""
    talk = selected()
    began = time.process_time()
    assert talk.last(b"a UID FETCH " + sets + b" FLAGS\r\n") == b"a OK UID FETCH completed"
    command = talk.commands()[-1]
    found = talk.server.view.pairs(command.numbers, uid=True)  # type: ignore[union-attr]
    assert time.process_time() - began < 0.2
    assert len(found) <= 1


def test_within_idle_only_done_is_said() -> None:
    """Another line ends it with BAD; one that announces octets ends the session, for they would be commands."""
    assert heard(selected, b"a IDLE\r\nDONE\r\nb NOOP\r\n")[0] == [b"+ idling", b"a OK IDLE completed", b"b OK NOOP completed"]
    assert kinds(heard(selected, b"a IDLE\r\ndone\r\n")[0]) == [b"+ idling", b"a OK"]
    assert kinds(heard(selected, b"a IDLE\r\nb NOOP\r\nc NOOP\r\n")[0]) == [b"+ idling", b"a BAD", b"c OK"]
    said, state = heard(selected, b"a IDLE\r\nb LOGIN {9+}\r\nc LOGOUT\r\n")
    assert kinds(said) == [b"+ idling", b"a BAD", b"* BYE"]
    assert state is ImapState.CLOSED


def test_a_client_that_sends_octet_by_octet_is_read_in_time_that_is_linear() -> None:
    """A message of 200 kB, and a line of 60 kB."""
    server = ImapServer(CLEAR)
    talk = logged_in()
    server = talk.server
    talk.say(b"a APPEND x {200000}\r\n")
    began = time.process_time()
    for _ in range(200_000):
        server.feed(b"x")
        server.next()
    assert talk.last(b"\r\n") == b"a OK APPEND completed"
    for octet in b"b NOOP " + b"x" * 60_000:
        server.feed(bytes([octet]))
        server.next()
    assert talk.last(b"\r\n").startswith(b"b BAD")
    assert time.process_time() - began < 3
