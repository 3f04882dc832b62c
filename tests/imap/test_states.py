"""What is known of commands by tables, and what lines of answers look like."""

from __future__ import annotations

import pytest

from mailer.imap import command as said
from mailer.imap import response
from mailer.imap.answer import Answer
from mailer.imap.capability import NEEDED, ImapSettings
from mailer.imap.states import WHEN, WHY, ImapState, ambiguous, enables_condstore, may_tell_expunges
from mailer.mail.flags import PLAIN
from mailer.mail.query import Every
from tests.imap.talk import selected

ONE = said.NumberSet(((1, 1),))
ALL = Every(())


def fetch(uid: bool, *names: str) -> said.Fetch:
    return said.Fetch(ONE, uid, [said.FetchItem(name) for name in names])


@pytest.mark.parametrize(("command", "by_number", "may_tell"), [
    (fetch(False), True, False), (fetch(True), False, True),
    (said.Store(ONE, False, "set", PLAIN), True, False), (said.Store(ONE, True, "set", PLAIN), False, True),
    (said.Search(ALL), True, False), (said.Search(ALL, uid=True), False, True), (said.Search(ALL, uid=True, numbered=True), True, False),
    (said.Sort([], said.Search(ALL)), True, False), (said.Sort([], said.Search(ALL, uid=True)), False, True),
    (said.Thread("REFERENCES", said.Search(ALL)), True, False), (said.Copy(ONE, False, "x"), True, True), (said.Copy(ONE, True, "x"),
    False, True),
    (said.NoOperation(), False, True), (said.Expunge(), False, True), (said.Idle(), False, True), (said.Status("x", []), False, True),
])  # fmt: skip
def test_expunges_are_not_told_where_numbers_are_said(command: said.Command, by_number: bool, may_tell: bool) -> None:
    """RFC 9051 §5.5, §7.5.1."""
    assert ambiguous(command) is by_number
    assert may_tell_expunges(command) is may_tell


@pytest.mark.parametrize(("command", "enables"), [
    (said.Enable(["CONDSTORE"]), True), (said.Enable(["QRESYNC"]), True), (said.Enable(["X"]), False), (said.Select("x"), False),
    (said.Select("x", condstore=True), True), (said.Select("x", qresync=said.KnownState(1, 1)), True), (said.Status("x",
    ["HIGHESTMODSEQ"]), True),
    (said.Status("x", ["MESSAGES"]), False), (fetch(True, "MODSEQ"), True), (fetch(True, "FLAGS"), False),
    (said.Fetch(ONE, True, [], changed_since=1), True), (said.Store(ONE, True, "set", PLAIN, unchanged_since=1), True),
    (said.Search(ALL, modseq=True), True), (said.Sort([], said.Search(ALL, modseq=True)), True), (said.NoOperation(), False),
])  # fmt: skip
def test_a_client_that_asks_for_modseq_knows_of_it(command: said.Command, enables: bool) -> None:
    """RFC 7162 §3.1, CONDSTORE enabling command."""
    assert enables_condstore(command) is enables


def test_every_state_in_which_commands_are_read_says_why_not() -> None:
    """A BAD for a command that is out of order tells how to go on."""
    assert set(WHY) == set(WHEN)
    assert WHEN[ImapState.AUTHENTICATED] < WHEN[ImapState.SELECTED]


@pytest.mark.parametrize("word", sorted({*NEEDED.values()} - {"STARTTLS"}))
def test_hiding_a_word_takes_its_commands_away(word: str) -> None:
    """The table that tells is the table that is obeyed, for each command that an extension brings."""
    talk = selected(ImapSettings(hide=frozenset({word})))
    for name in (name for name, needed in NEEDED.items() if needed == word):
        assert talk.last(f"a {name} x\r\n".encode()).startswith(b"a BAD there is no command")


@pytest.mark.parametrize(("text", "code", "line"), [
    ("fine", "", b"OK fine"), ("fine", "CLOSED", b"OK [CLOSED] fine"), ("", "", b"OK -"), ("[ALERT] x", "", b"OK ALERT] x"), ("a\r\nb",
    "X\r\n", b"OK [X??] a??b"),
    ("ä", "", b"OK ?"),
])  # fmt: skip
def test_what_others_wrote_begins_no_line_and_no_code(text: str, code: str, line: bytes) -> None:
    """The text of an answer may be anybody's."""
    assert response.status("OK", text, code) == line


def test_a_text_is_cut() -> None:
    """A line stays a line."""
    assert len(response.tagged("a", Answer("NO", "x" * 10_000))) < 500


def test_lines_of_answers() -> None:
    """As RFC 9051 §7 writes them."""
    assert response.enabled([]) == b"ENABLED"
    assert response.enabled(["CONDSTORE", "QRESYNC"]) == b"ENABLED CONDSTORE QRESYNC"
    assert response.identity({}) == b"ID NIL"
    assert response.identity({"name": "mailer", "version": '"1"'}) == rb'ID ("name" "mailer" "version" "\"1\"")'
    assert response.exists(3) == b"3 EXISTS"
    assert response.recent(3) == b"3 RECENT"
    assert response.expunge(3) == b"3 EXPUNGE"
    assert response.vanished([1, 2, 9], earlier=True) == b"VANISHED (EARLIER) 1:2,9"
    assert response.vanished([5]) == b"VANISHED 5"
    assert response.folder_flags(["$x"]) == rb"FLAGS (\Answered \Flagged \Deleted \Seen \Draft $x)"
    assert response.permanent_flags(readonly=True) == b"OK [PERMANENTFLAGS ()] none can be changed"
    assert rb"\Draft \*)] " in response.permanent_flags()
    assert response.code("UIDNEXT", 5) == b"OK [UIDNEXT 5] uidnext"
    assert response.copy_uid(1, [(1, 5), (2, 6), (9, 3)]) == "COPYUID 1 1:2,9 5:6,3"
    assert response.append_uid(1, [5, 6]) == "APPENDUID 1 5:6"
