"""What is answered about folders, octet by octet."""

from __future__ import annotations

from mailer.imap.listed import folder_name, list_line, mailbox_id, status_line


def test_names_are_quoted() -> None:
    """In modified UTF-7, or in UTF-8; what ends a quoted string is escaped."""
    assert folder_name('a"b\\c', utf8=False) == b'"a\\"b\\\\c"'
    assert folder_name("été & co", utf8=False) == b'"&AOk-t&AOk- &- co"'
    assert folder_name("été & co", utf8=True) == '"été & co"'.encode()


def test_list_says_all_of_a_name() -> None:
    """RFC 9051 §7.3.1, §6.3.9.6, §6.3.9.7."""
    assert list_line("a", (), utf8=False) == b'LIST () "/" "a"'
    assert list_line("a", ("\\Subscribed", "\\Sent"), utf8=False, lsub=True) == b'LSUB (\\Subscribed \\Sent) "/" "a"'
    assert list_line("a", (), utf8=False, childinfo=("SUBSCRIBED",)) == b'LIST () "/" "a" ("CHILDINFO" ("SUBSCRIBED"))'
    both = list_line("é", (), utf8=True, childinfo=("SUBSCRIBED", "SPECIAL-USE"), old_name="b")
    assert both == 'LIST () "/" "é" ("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE") "OLDNAME" ("b"))'.encode()


def test_status_says_what_was_asked() -> None:
    """RFC 9051 §7.3.4, RFC 7889 §5, RFC 8474 §4.3."""
    line = status_line("a", {"MESSAGES": 3, "APPENDLIMIT": None, "MAILBOXID": mailbox_id(7)}, utf8=False)
    assert line == b'STATUS "a" (MESSAGES 3 APPENDLIMIT NIL MAILBOXID (F7))'
