"""Octets that nobody sends, of the words that a server of IMAP knows: for tests that send whatever comes to mind."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from mailer.imap.grammar import BY_UID, COMMANDS

WORDS = [
    *(verb.encode() for verb in COMMANDS), *(b"UID " + verb.encode() for verb in BY_UID), b"INBOX", b"x", b"1", b"1:*", b"*", b"$",
    b"NIL", b'""',
    b'"a"', b'"\\""', b"(", b")", b" ", b" ", b" ", b" (", b") ", b"\r\n", b"\r\n", b"\r\na ", b"\r\nb ", b"{3+}\r\nabc", b"{3}\r\n",
    b"{0+}\r\n", b"~{1+}\r\n\0",
    b"\\Seen", b"+FLAGS", b"FLAGS", b"-FLAGS.SILENT", b"BODY[", b"]", b"BODY.PEEK[HEADER.FIELDS (x)]", b"<0.1>", b"ENVELOPE", b"RETURN",
    b"SAVE", b"NOT",
    b"OR", b"CHARSET", b"UTF-8", b"SUBJECT", b"MODSEQ", b"(QRESYNC (1 1 1:3 (1 1)))", b"(CONDSTORE)", b"(CHANGEDSINCE 1 VANISHED)",
    b"(UNCHANGEDSINCE 1)",
    b"1-Jan-2026", b'"17-Jul-2026 02:44:25 +0200"', b"UTF8 (~{1+}\r\na)", b"DONE", b"\0", b"\n", b"\r", b"\xff", b"\xc3\xa4", b"&AOQ-",
    b"&", b"%", b'"',
    b"{", b"}", b"9" * 25, b"PLAIN", b"REFERENCES", b"SET", b"PERSONAL", b"MessageNew", b"STATUS", b"/private/comment", b"STORAGE",
    b"IMAP4rev2", b"QRESYNC",
]  # fmt: skip

SOUP = st.lists(st.sampled_from(WORDS) | st.binary(max_size=6), max_size=60).map(b"".join)

VERBS = [*(verb.encode() for verb in COMMANDS), *(b"UID " + verb.encode() for verb in BY_UID)]


def command(dice: random.Random, number: int) -> bytes:
    """A command that begins well: with its tag and a verb."""
    return b"t%d %b " % (number, dice.choice(VERBS)) + b" ".join(dice.choice(WORDS) for _ in range(dice.randrange(6))) + b"\r\n"


FORMS = [
    b"FETCH %s (%i)", b"UID FETCH %s (%i %i)", b"FETCH %s %i", b"UID FETCH %s (FLAGS) (CHANGEDSINCE %n)",
    b"UID FETCH %s (UID) (CHANGEDSINCE %n VANISHED)",
    b"STORE %s +FLAGS (%f)", b"UID STORE %s -FLAGS.SILENT (%f)", b"STORE %s (UNCHANGEDSINCE %n) FLAGS (%f)", b"SEARCH %k",
    b"UID SEARCH %k %k",
    b"SEARCH RETURN (%r) %k", b"UID SEARCH RETURN (SAVE %r) NOT %k", b"SORT (%o) UTF-8 %k", b"UID SORT RETURN (%r) (REVERSE %o) UTF-8 %k",
    b"THREAD REFERENCES UTF-8 %k", b"UID THREAD ORDEREDSUBJECT UTF-8 OR %k %k", b"COPY %s %b", b"UID MOVE %s %b", b"EXPUNGE",
    b"UID EXPUNGE %s",
    b"APPEND %b (%f) {3+}\r\nabc", b"APPEND %b {1+}\r\na {2+}\r\nbc", b"REPLACE %n %b {1+}\r\nx", b"CREATE %b", b"DELETE %b",
    b"RENAME %b %b",
    b"SUBSCRIBE %b", b"UNSUBSCRIBE %b", b'LIST "" %b', b'LIST (SUBSCRIBED) "" (%b *) RETURN (CHILDREN STATUS (%t))', b'LSUB "" *',
    b"STATUS %b (%t %t)",
    *[b"SELECT INBOX"] * 12, b"SELECT %b", b"EXAMINE %b", b"SELECT %b (CONDSTORE)", b"SELECT %b (QRESYNC (%n %n %s))", b"CLOSE",
    b"UNSELECT", b"CHECK", b"NOOP",
    b"NAMESPACE",
    b"ENABLE CONDSTORE", b"ENABLE QRESYNC", b"ENABLE UTF8=ACCEPT", b"ENABLE IMAP4rev2", b"IDLE\r\nDONE", b"GETQUOTAROOT %b",
    b'GETQUOTA ""', b'ID ("name" "x")',
    b"GETMETADATA %b /private/comment", b'SETMETADATA %b (/private/comment "x")', b'SETMETADATA "" (/private/comment NIL)',
    b"NOTIFY NONE", b"CAPABILITY",
    b"NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge FlagChange))",
    b"NOTIFY SET STATUS (PERSONAL (MessageNew MessageExpunge MailboxName))",
]  # fmt: skip
HOLES = {
    b"%s": [b"1", b"1:*", b"*", b"2,4", b"$", b"3:1", b"1:3,2:5,*", b"4294967295", b"9", b"7:20"],
    b"%i": [
        b"FLAGS", b"UID", b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"INTERNALDATE", b"RFC822.SIZE", b"RFC822", b"RFC822.HEADER",
        b"RFC822.TEXT", b"MODSEQ",
        b"BODY[]", b"BODY.PEEK[HEADER]", b"BODY[TEXT]<2.5>", b"BODY[1]", b"BODY[1.MIME]", b"BODY.PEEK[HEADER.FIELDS (Subject To)]",
        b"BINARY[1]", b"BINARY.SIZE[1]",
        b"BINARY.PEEK[]<0.2>", b"EMAILID", b"THREADID", b"PREVIEW", b"PREVIEW (LAZY)", b"SAVEDATE", b"BODY[9.9.9]",
        b"BODY.PEEK[HEADER.FIELDS.NOT (x)]<0.0>",
    ],
    b"%f": [b"", b"\\Seen", b"\\Deleted", b"\\Flagged $x", b"a b c", b"\\Draft \\Answered"],
    b"%n": [b"0", b"1", b"2", b"5", b"20", b"1796127000", b"9223372036854775807"],
    b"%k": [
        b"ALL", b"SEEN", b"UNDELETED", b"KEYWORD $x", b"SUBJECT number", b"TEXT x", b"BODY words", b"FROM bob", b"HEADER X \"\"",
        b"LARGER 10", b"SMALLER 9999",
        b"SINCE 1-Jan-2026", b"SENTBEFORE 1-Jan-2030", b"ON 1-Dec-2026", b"UID 1:*", b"1:2", b"$", b"(SEEN (OR 1 2))",
        b"NOT (NOT FLAGGED)", b"MODSEQ 3",
        b'MODSEQ "/flags/\\\\draft" all 5', b"OLDER 10", b"YOUNGER 10", b"NEW", b"OLD", b"RECENT", b"SAVEDSINCE 1-Jan-2026", b"EMAILID x",
        b"THREADID y",
    ],
    b"%r": [b"", b"MIN", b"MAX", b"COUNT ALL", b"MIN MAX", b"PARTIAL 1:2"],
    b"%o": [b"DATE", b"SUBJECT", b"ARRIVAL FROM", b"SIZE CC TO", b"DISPLAYFROM", b"REVERSE ARRIVAL"],
    b"%b": [b"INBOX", b"x", b"y", b"x/y", b'"a b"', b"Entw&APw-rfe", b"Trash", b"inbox/z", b"*", b'""', b"..", b'"/"', b"nobody"],
    b"%t": [b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"SIZE", b"DELETED", b"HIGHESTMODSEQ", b"MAILBOXID", b"RECENT",
    b"APPENDLIMIT"],
}  # fmt: skip


def sentence(dice: random.Random, number: int) -> bytes:
    """A command that a client could say."""
    said = dice.choice(FORMS)
    for hole, words in HOLES.items():
        while hole in said:
            said = said.replace(hole, dice.choice(words), 1)
    return b"t%d %b\r\n" % (number, said)
