"""The grammar of commands about folders."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.command import Command, Create, Delete, Listing, Rename, Status, Subscribe
from mailer.imap.lexer import Tokens
from mailer.imap.listing import (
    MOST_PATTERNS,
    MOST_WILD,
    parse_create,
    parse_delete,
    parse_list,
    parse_lsub,
    parse_rename,
    parse_status,
    parse_subscribe,
    parse_unsubscribe,
)


@pytest.mark.parametrize(
    ("parse", "said", "command"),
    [
        (parse_create, b" a/b/", Create("a/b")),
        (parse_create, b' "Sent Messages" (USE (\\Sent))', Create("Sent Messages", ["\\Sent"])),
        (parse_create, b" x (use (\\Drafts \\Archive))", Create("x", ["\\Drafts", "\\Archive"])),
        (parse_create, b" ..", Create("..")),
        (parse_create, b" /", Create("/")),
        (parse_delete, b" inbox/x", Delete("INBOX/x")),
        (parse_rename, b' "a b" c/', Rename("a b", "c")),
        (parse_subscribe, b" &AOk-t&AOk-", Subscribe("\xe9t\xe9")),
        (parse_unsubscribe, b" a/", Subscribe("a", on=False)),
        (parse_status, b" inbox (messages UIDNEXT messages deleted-storage)", Status("INBOX", ("MESSAGES", "UIDNEXT", "DELETED-STORAGE"))),
        (parse_lsub, b' "" %', Listing("", ("%",), lsub=True)),
        (parse_list, b' "" ""', Listing("", ("",))),
        (parse_list, b" a/ *", Listing("a/", ("*",))),
        (parse_list, b' "" (a "b*")', Listing("", ["a", "b*"], extended=True)),
        (parse_list, b' () "" %', Listing("", ("%",), extended=True)),
        (parse_list, b' (subscribed REMOTE SUBSCRIBED) "" %', Listing("", ("%",), frozenset({"SUBSCRIBED", "REMOTE"}), extended=True)),
        (
            parse_list,
            b' "" % RETURN (CHILDREN STATUS (MESSAGES SIZE) SPECIAL-USE METADATA ("/private/comment"))',
            Listing(
                "", ("%",), frozenset(), frozenset({"CHILDREN", "STATUS", "SPECIAL-USE", "METADATA"}), ("MESSAGES", "SIZE"),
                ["/private/comment"], extended=True,
            ),
        ),
        (parse_list, b' "" % RETURN ()', Listing("", ("%",), extended=True)),
    ],
)  # fmt: skip
def test_a_command_is_read(parse: Callable[[Tokens, bool], Command], said: bytes, command: Command) -> None:
    """With everything that it says."""
    assert parse(Tokens([said]), False) == command


@pytest.mark.parametrize(
    ("parse", "said"),
    [
        (parse_create, b""),
        (parse_create, b" "),
        (parse_create, b" a b"),
        (parse_create, b" a (USE ())"),
        (parse_create, b" a (USE (Sent))"),
        (parse_create, b" a (COLOUR (red))"),
        (parse_create, b" &AAA-"),
        (parse_create, b" &broken"),
        (parse_create, b" \xc3\xa9"),
        (parse_delete, b" a "),
        (parse_rename, b" a"),
        (parse_rename, b" a b c"),
        (parse_subscribe, b' "a'),
        (parse_status, b" a"),
        (parse_status, b" a ()"),
        (parse_status, b" a MESSAGES"),
        (parse_status, b" a (COLOUR)"),
        (parse_status, b" a (MESSAGES) "),
        (parse_lsub, b' "" (a b)'),
        (parse_list, b' ""'),
        (parse_list, b' "" ()'),
        (parse_list, b' (RECURSIVEMATCH) "" %'),
        (parse_list, b' (REMOTE RECURSIVEMATCH) "" %'),
        (parse_list, b' (COLOUR) "" %'),
        (parse_list, b' "" % RETURN'),
        (parse_list, b' "" % RETURN (COLOUR)'),
        (parse_list, b' "" % RETURN (STATUS)'),
        (parse_list, b' "" % RETURN (STATUS ())'),
        (parse_list, b' "" % RETURN (METADATA (comment))'),
        (parse_list, b' "" % RETURN (CHILDREN'),
        (parse_list, b' "" % x'),
        (parse_list, b' "" (' + b"a " * MOST_PATTERNS + b"a)"),
        (parse_list, b' "" (' + b"a% " * MOST_WILD + b"%)"),
        (parse_list, b"(" * 50_000),
    ],
)  # fmt: skip
def test_what_no_grammar_has_is_refused(parse: Callable[[Tokens, bool], Command], said: bytes) -> None:
    """Before anything is done."""
    with pytest.raises(BadCommand):
        parse(Tokens([said]), False)


def test_names_are_in_utf_8_where_that_is_enabled() -> None:
    """RFC 9051 §5.1, RFC 6855 §3: there & is a sign like others; and a literal has them too."""
    assert parse_create(Tokens([' "été&-"'.encode()], utf8=True), False) == Create("\xe9t\xe9&-")
    assert parse_rename(Tokens([b" ", "é".encode(), b" ", b"b", b""], utf8=True), False) == Rename("\xe9", "b")
    with pytest.raises(BadCommand, match="control"):
        parse_create(Tokens(['"a\u2028b"'.encode().join([b" ", b""])], utf8=True), False)
