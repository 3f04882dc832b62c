"""A command has so many words that reading it holds nobody up."""

from __future__ import annotations

from time import process_time

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.grammar import COMMANDS, verb
from mailer.imap.lexer import MOST_WORDS, Tokens

LINE = 65000


def read(text: bytes) -> object:
    """The command, as the table of grammars has it."""
    tokens = Tokens((b" " + text,))
    name, uid = verb(tokens)
    return COMMANDS[name](tokens, uid)


@pytest.mark.parametrize(
    ("head", "each", "tail"),
    [
        (b"ENABLE", b" A", b""),
        (b'LIST "" (', b"a ", b"a)"),
        (b"FETCH 1 (BODY[HEADER.FIELDS (", b"a ", b"a)])"),
        (b"FETCH 1 (", b"UID ", b"UID)"),
        (b"STORE 1 FLAGS (", b"a ", b"a)"),
        (b"NOTIFY SET (MAILBOXES (", b"a ", b"a) (MessageNew MessageExpunge))"),
        (b"ID (", b'"a" NIL ', b'"a" NIL)'),
    ],
)
def test_a_line_of_words_is_refused_before_it_is_read_to_its_end(head: bytes, each: bytes, tail: bytes) -> None:
    """Whatever the words are."""
    text = head + each * (LINE // len(each)) + tail
    since = process_time()
    with pytest.raises(BadCommand, match="5000 words"):
        read(text)
    assert process_time() - since < 0.1


def test_what_clients_say_is_far_below_that() -> None:
    """A thousand keywords, and a text in quotes, however many words it has."""
    read(b"STORE 1 FLAGS (" + b" ".join(b"k%d" % number for number in range(1000)) + b")")
    read(b'SETMETADATA INBOX (/private/comment "' + b"a " * (MOST_WORDS + 1) + b'")')
    read(b"FETCH 1 (BODY[HEADER.FIELDS (" + b"a " * (MOST_WORDS - 4) + b"a)])")


@pytest.mark.parametrize("letter", [b"&AOQ-a", b"&-"])
def test_a_name_in_pieces_is_refused_before_it_is_decoded(letter: bytes) -> None:
    """Of modified UTF-7, each shift costs time; what can be the name of a folder is read."""
    since = process_time()
    with pytest.raises(BadCommand, match="not as long"):
        read(b'SELECT "' + letter * (LINE // len(letter)) + b'"')
    assert process_time() - since < 0.05
    read(b'SELECT "' + letter * 300 + b'"')
