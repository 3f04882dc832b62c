"""Verbs find their grammars, and the grammars of logging in, selecting, storing and appending read what RFC 9051 §9 has, and no more."""

from __future__ import annotations

import pytest

from mailer.imap import command as said
from mailer.imap.answer import Answer, BadCommand, RefusedCommand
from mailer.imap.capability import NEEDED, TOLD
from mailer.imap.grammar import BY_UID, COMMANDS, opened, verb
from mailer.imap.lexer import Tokens
from mailer.imap.reader import RawCommand
from mailer.imap.states import WHEN
from mailer.mail.flags import PLAIN, Flag

SET = said.NumberSet


def parsed(octets: bytes, *literals: bytes, utf8: bool = False, binary: frozenset[int] = frozenset()) -> said.Command:
    """The command of a line in which each ``{}`` stands for one of the literals."""
    parts = [each for pair in zip(octets.split(b"{}"), [*literals, b""], strict=True) for each in pair][:-1]
    tokens = opened(RawCommand("a", (b"a " + parts[0], *parts[1:]), binary), utf8=utf8)
    name, uid = verb(tokens)
    return COMMANDS[name](tokens, uid)


GOOD: list[tuple[bytes, said.Command]] = [
    (b"capability", said.Capability()),
    (b"NOOP", said.NoOperation()),
    (b"Logout", said.Logout()),
    (b"LOGIN user pass", said.LogIn("user", "pass")),
    (b'LOGIN "u\\"s" ""', said.LogIn('u"s', "")),
    (b"LOGIN a]b c", said.LogIn("a]b", "c")),
    (b"AUTHENTICATE plain", said.Authenticate("PLAIN")),
    (b"AUTHENTICATE PLAIN =", said.Authenticate("PLAIN", b"")),
    (b"AUTHENTICATE SCRAM-SHA-256 YWI=", said.Authenticate("SCRAM-SHA-256", b"YWI=")),
    (b"ID NIL", said.Identify({})),
    (b'ID ("Name" "x" "os" NIL)', said.Identify({"name": "x"})),
    (b"ENABLE condstore x-y", said.Enable(["CONDSTORE", "X-Y"])),
    (b"SELECT inbox", said.Select("INBOX")),
    (b"EXAMINE x (CONDSTORE)", said.Select("x", readonly=True, condstore=True)),
    (b"SELECT x (QRESYNC (1 2))", said.Select("x", qresync=said.KnownState(1, 2))),
    (b"SELECT x (QRESYNC (1 2 1:3,5))", said.Select("x", qresync=said.KnownState(1, 2, SET(((1, 3), (5, 5)))))),
    (
        b"SELECT x (CONDSTORE QRESYNC (1 2 1:3 (1 3)))",
        said.Select("x", condstore=True, qresync=said.KnownState(1, 2, SET(((1, 3),)), SET(((1, 1),)), SET(((3, 3),)))),
    ),
    (
        b"SELECT x (QRESYNC (1 2 (1,2 3,4)))",
        said.Select("x", qresync=said.KnownState(1, 2, None, SET(((1, 1), (2, 2))), SET(((3, 3), (4, 4))))),
    ),
    (b"EXPUNGE", said.Expunge()),
    (b"UID EXPUNGE 1:*", said.Expunge(SET(((1, 0),)))),
    (b"COPY $ x", said.Copy(SET(saved=True), uid=False, to="x")),
    (b"UID MOVE 1 inbox", said.Copy(SET(((1, 1),)), uid=True, to="INBOX", move=True)),
    (b"STORE 1 FLAGS (\\Seen)", said.Store(SET(((1, 1),)), False, "set", Flag.SEEN)),
    (b"UID STORE 1 +flags.silent \\Seen x", said.Store(SET(((1, 1),)), True, "add", Flag.SEEN, ("x",), silent=True)),
    (b"STORE 1 (UNCHANGEDSINCE 0) -FLAGS ()", said.Store(SET(((1, 1),)), False, "remove", PLAIN, (), False, 0)),
    (b"IDLE", said.Idle()),
    (b"NAMESPACE", said.Namespace()),
    (b"CHECK", said.Check()),
    (b"CLOSE", said.Close()),
    (b"UNSELECT", said.Unselect()),
    (b"STARTTLS", said.BeginTls()),
]

BAD = [
    b"", b" ", b"(", b"UID", b"UID ", b"UID NOOP", b"UID SELECT x", b"FOO", b"NOOP ", b"NOOP x", b"LOGIN", b"LOGIN x", b"LOGIN x ",
    b"LOGIN  x y",
    b"LOGIN x y z", b'LOGIN "\x01" y', b'LOGIN x "\x7f"', b"AUTHENTICATE", b"AUTHENTICATE PLAIN ", b"AUTHENTICATE PLAIN !",
    b"AUTHENTICATE PLAIN = =",
    b"ID", b"ID x", b'ID ("a")', b'ID ("a" "b" "c")', b'ID ("a" "b"', b'ID ("a""b")', b"ENABLE", b"ENABLE ", b"ENABLE (CONDSTORE)",
    b"SELECT",
    b"SELECT x y", b"SELECT x ()", b"SELECT x (FOO)", b"SELECT x (CONDSTORE", b"SELECT x (QRESYNC)", b"SELECT x (QRESYNC (1))",
    b"SELECT x (QRESYNC (0 1))", b"SELECT x (QRESYNC (1 0))", b"SELECT x (QRESYNC (1 1 *))", b"SELECT x (QRESYNC (1 1 $))",
    b"SELECT x (QRESYNC (1 1 1 2))", b"SELECT x (QRESYNC (1 1 (1)))", b"SELECT x (QRESYNC (1 1 (1 2) 3))",
    b"SELECT x (QRESYNC (1 9223372036854775808))",
    b"EXPUNGE 1", b"UID EXPUNGE", b"COPY 1", b"COPY x y", b"COPY 1 x y", b"MOVE 0 x", b"STORE 1", b"STORE 1 FLAGS", b"STORE 1 +FLAGS ",
    b"STORE 1 *FLAGS (x)",
    b"STORE 1 +FOO (x)", b"STORE 1 FLAGS.LOUD (x)", b"STORE 1 (UNCHANGEDSINCE x) FLAGS ()", b"STORE 1 (FOO 1) FLAGS ()",
    b"STORE 1 () FLAGS ()",
    b"STORE 1 FLAGS (\\Recent)", b"STORE 1 FLAGS (x) y", b"APPEND x", b'APPEND x "y"', b"APPEND x (y)", b"REPLACE x y", b"REPLACE 0 x",
    b"IDLE x",
]  # fmt: skip


@pytest.mark.parametrize(("octets", "command"), GOOD)
def test_a_command_is_read(octets: bytes, command: said.Command) -> None:
    """Whatever the case of its words."""
    assert parsed(octets) == command


@pytest.mark.parametrize("octets", BAD)
def test_what_is_no_command_is_refused(octets: bytes) -> None:
    """In a line that can be said to whoever sent it."""
    with pytest.raises((BadCommand, KeyError)) as refused:
        parsed(octets)
    assert str(refused.value).isprintable()


def test_messages_come_as_literals() -> None:
    """With flags, a date, both or neither; several; binary ones, and those in UTF8 (…)."""
    message = said.AppendedMessage
    assert parsed(b"APPEND x {}", b"abc") == said.Append("x", [message(b"abc")])
    assert parsed(b"APPEND {} (\\Seen y) {}", b"z", b"abc") == said.Append("z", [message(b"abc", Flag.SEEN, ("y",))])
    dated = parsed(b'APPEND x () "01-Jan-1970 00:00:10 +0000" {}', b"abc")
    assert dated == said.Append("x", [message(b"abc", received=10.0)])
    assert parsed(b"APPEND x {} (a) {}", b"1", b"2") == said.Append("x", [message(b"1"), message(b"2", keywords=("a",))])
    assert parsed(b"APPEND x {}", b"\0", binary=frozenset({1})) == said.Append("x", [message(b"\0", binary=True)])
    assert parsed(b"APPEND x UTF8 ({})", b"1", utf8=True, binary=frozenset({1})) == said.Append("x", [message(b"1", utf8=True)])
    assert parsed(b"UID REPLACE 7 x (a) {}", b"1") == said.Replace(7, True, "x", message(b"1", keywords=("a",)))
    assert parsed(b"REPLACE * x {}", b"1") == said.Replace(said.STAR, False, "x", message(b"1"))


@pytest.mark.parametrize(("octets", "binary", "utf8"), [
    (b"APPEND x {} ", False, False), (b"APPEND x {}x", False, False), (b"APPEND x  {}", False, False), (b"APPEND x{}", False, False),
    (b"APPEND x UTF8 ({})", True, False), (b"APPEND x UTF8 ({})", False, True), (b"APPEND x UTF8 {}", True, True), (b"APPEND x UTF8 ({}",
    True, True),
    (b'APPEND x "01-Jan-1970 00:00:10 +0000" () {}', False, False), (b"REPLACE 1 x {} {}", False, False), (b"APPEND x (\\Foo) {}", False,
    False),
])  # fmt: skip
def test_other_forms_of_them_are_refused(octets: bytes, binary: bool, utf8: bool) -> None:
    """What is out of its order, or not enabled."""
    with pytest.raises(BadCommand):
        parsed(octets, *[b"abc"] * octets.count(b"{}"), utf8=utf8, binary=frozenset({1}) if binary else frozenset())


def test_an_empty_message_gives_up() -> None:
    """With NO, for it is well said. RFC 3502 §6.3.11"""
    with pytest.raises(RefusedCommand) as refused:
        parsed(b"APPEND x {} {}", b"abc", b"")
    assert refused.value.answer == Answer("NO", "a message has at least one octet")


def test_what_a_client_says_of_itself_has_a_bound() -> None:
    """Values are cut, and what is behind the thirtieth field is left out: a client is not refused for talking much. RFC 2971 §3.3"""
    fields = b" ".join(b'"f%d" "%b"' % (number, b"x" * 2000) for number in range(40))
    command = parsed(b"ID (" + fields + b")")
    assert isinstance(command, said.Identify)
    assert len(command.fields) == 30
    assert {len(value) for value in command.fields.values()} == {1024}


def test_whatever_can_be_said_can_be_said_somewhere() -> None:
    """Each verb has a grammar and a state in which it is legal, and each that an extension brings has a capability that is told."""
    assert set(COMMANDS) == set().union(*WHEN.values())
    assert set(COMMANDS) >= BY_UID
    assert {name.removeprefix("UID ") for name in NEEDED} <= set(COMMANDS)
    assert set(NEEDED.values()) - {"STARTTLS", "NOTIFY"} <= set(TOLD)


def test_no_grammar_takes_what_is_behind_the_end() -> None:
    """Each refuses a command with something more behind it."""
    for octets, _ in GOOD:
        if octets.upper().startswith((b"ENABLE", b"STORE", b"UID STORE")) and not octets.endswith(b")"):
            continue
        with pytest.raises(BadCommand):
            parsed(octets + b" (")


def test_tokens_say_what_is_here_instead() -> None:
    """Cut short, and without what could not be shown."""
    with pytest.raises(BadCommand, match="a space is expected, and here is \\?\\?x"):
        Tokens([b"\x1b\xffx" + b"y" * 100]).space()
