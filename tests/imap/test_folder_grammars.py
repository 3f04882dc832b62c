"""Whatever a client says of folders, the grammars understand it or refuse it as a mistake, in no time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.answer import BadCommand
from mailer.imap.command import Command
from mailer.imap.lexer import Tokens
from mailer.imap.listing import parse_create, parse_list, parse_lsub, parse_rename, parse_status, parse_subscribe
from mailer.imap.metadata import parse_getmetadata, parse_setmetadata
from mailer.imap.notifying import parse_notify
from mailer.imap.quotas import parse_getquota, parse_getquotaroot, parse_setquota

PARSERS = (
    parse_create, parse_list, parse_lsub, parse_rename, parse_status, parse_subscribe, parse_getmetadata, parse_setmetadata, parse_notify,
    parse_getquota, parse_getquotaroot, parse_setquota,
)  # fmt: skip
PIECES = (
    " ", " ", " ", "(", ")", '"', '""', '"a b"', "a", "INBOX", "*", "%", "&AOk-", "&", "\\", "{", "}", "USE", "\\Sent", "RETURN", "STATUS",
    "MESSAGES",
    "SUBSCRIBED", "RECURSIVEMATCH", "METADATA", "/private/comment", "/shared", "MAXSIZE", "DEPTH", "infinity", "1",
    "99999999999999999999", "NIL",
    "SET", "NONE", "selected", "subtree", "MessageNew", "MessageExpunge", "UID", "BODY.PEEK[]", "STORAGE", "\x7f", "é", "\0",
)  # fmt: skip


@given(st.sampled_from(PARSERS), st.lists(st.sampled_from(PIECES), max_size=14), st.lists(st.binary(max_size=4), max_size=2), st.booleans())
def test_it_is_understood_or_refused(
    parse: Callable[[Tokens, bool], Command], pieces: list[str], literals: list[bytes], utf8: bool
) -> None:
    """And nothing else is raised."""
    parts = ["".join([" ", *pieces]).encode()]
    for literal in literals:
        parts += [literal, b" a)"]
    try:
        parse(Tokens(parts, utf8=utf8, binary=frozenset({1})), False)
    except BadCommand:
        pass


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text", ["(" * 65_000, " (" * 32_000, "a " * 32_000, '"' * 65_000, "(a " * 20_000, "&" * 65_000, "/private" * 8000]
)
def test_it_takes_no_time(parse: Callable[[Tokens, bool], Command], text: str) -> None:
    """The longest line that there is, of what grammars are slow with. The bound is twenty times what it takes."""
    began = time.process_time()
    for before in ("", "a ", '"" ', "SET ", "a (/private/a "):
        try:
            parse(Tokens([f" {before}{text}".encode()]), False)
        except BadCommand:
            pass
    assert time.process_time() - began < 1
