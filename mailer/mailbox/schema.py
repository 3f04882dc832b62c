"""The tables of a mailbox, the same for all engines, and how one version of them becomes the next.

Every key begins with `owner`, who is a number: a file of SQLite is one owner's and has one number in all of its rows, a database of
PostgreSQL has many. What is here of a message never changes, but for what its body is encrypted with. Where it is, its flags and numbers
are in `entry`, which is narrow, for those change all the time. Times are seconds since the epoch.

No trigger keeps anything: what changes counts says so itself (`mailer.mailbox.ledger`), and `mailer.mailbox.checking` counts again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

ACCOUNT: Final = """
CREATE TABLE account (
    owner            BIGINT NOT NULL,
    epoch            BIGINT NOT NULL,      -- of whoever may write; an older one may not
    modseq           BIGINT NOT NULL,      -- the highest that was given
    next_uidvalidity BIGINT NOT NULL,
    next_folder      BIGINT NOT NULL,
    octets           BIGINT NOT NULL,      -- of all messages that are in a folder
    messages         BIGINT NOT NULL,
    searched         DOUBLE PRECISION NOT NULL,  -- when files without a row were looked for
    PRIMARY KEY (owner)
) WITHOUT ROWID;

CREATE TABLE folder (
    owner       BIGINT NOT NULL,
    id          BIGINT NOT NULL,
    name        TEXT NOT NULL,
    name_key    TEXT NOT NULL,             -- the name as it is compared
    role        TEXT NOT NULL,
    uidvalidity BIGINT NOT NULL,
    uidnext     BIGINT NOT NULL,
    modseq      BIGINT NOT NULL,           -- of the newest change
    floor       BIGINT NOT NULL,           -- of what went up to this one, nothing is known any more
    subscribed  BIGINT NOT NULL,
    messages    BIGINT NOT NULL,
    unseen      BIGINT NOT NULL,
    deleted     BIGINT NOT NULL,
    octets      BIGINT NOT NULL,
    gone        DOUBLE PRECISION NOT NULL, -- when it was deleted, 0 for one that is there
    PRIMARY KEY (owner, id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX folder_name ON folder (owner, name_key) WHERE gone = 0;

CREATE TABLE keyword (
    owner  BIGINT NOT NULL,
    folder BIGINT NOT NULL,
    word   TEXT NOT NULL,                  -- in small letters
    name   TEXT NOT NULL,                  -- as it was written first
    PRIMARY KEY (owner, folder, word)
) WITHOUT ROWID;
"""

MESSAGES: Final = """
CREATE TABLE mail (
    owner        BIGINT NOT NULL,
    id           TEXT NOT NULL,
    size         BIGINT NOT NULL,          -- of the prefix and the body, as a reader gets them
    prefix       BLOB NOT NULL,
    received     DOUBLE PRECISION NOT NULL,
    sent         DOUBLE PRECISION NOT NULL,
    day          BIGINT NOT NULL,          -- of the Date field, in the calendar of its writer, since the epoch
    message_id   TEXT NOT NULL,
    thread       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    subject_base TEXT NOT NULL,
    sender       TEXT NOT NULL,
    recipients   TEXT NOT NULL,
    envelope     BLOB NOT NULL,
    structure    BLOB NOT NULL,
    tree         BLOB NOT NULL,
    preview      TEXT NOT NULL,
    attachments  TEXT NOT NULL,            -- a JSON array of names
    list_id      TEXT NOT NULL,
    key_number   BIGINT NOT NULL,
    digest       BLOB NOT NULL,            -- SHA-256 of the body before it was encrypted
    uidl         TEXT NOT NULL,            -- what it was called elsewhere, RFC 1939 §7
    modseq       BIGINT NOT NULL,          -- of the newest change of this row
    PRIMARY KEY (owner, id)
);

CREATE INDEX mail_thread ON mail (owner, thread);
CREATE INDEX mail_subject ON mail (owner, subject_base, received);

CREATE TABLE entry (
    owner    BIGINT NOT NULL,
    folder   BIGINT NOT NULL,
    uid      BIGINT NOT NULL,
    mail     TEXT NOT NULL,
    flags    BIGINT NOT NULL,
    keywords TEXT NOT NULL,                -- with a blank between them
    modseq   BIGINT NOT NULL,
    saved    DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (owner, folder, uid)
) WITHOUT ROWID;

CREATE INDEX entry_modseq ON entry (owner, folder, modseq);
CREATE INDEX entry_mail ON entry (owner, mail);

CREATE TABLE reference (
    owner      BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    thread     TEXT NOT NULL,
    PRIMARY KEY (owner, message_id)
) WITHOUT ROWID;

CREATE INDEX reference_thread ON reference (owner, thread);

CREATE TABLE text (
    owner BIGINT NOT NULL,
    mail  TEXT NOT NULL,
    body  BLOB NOT NULL,                   -- what is searched, as `mailer.mailbox.texts` has it
    PRIMARY KEY (owner, mail)
);

CREATE TABLE heading (
    owner     BIGINT NOT NULL,
    mail      TEXT NOT NULL,
    subject   TEXT,                        -- values of fields, decoded and without case; NULL for one that is not there
    day       BIGINT,
    received  DOUBLE PRECISION NOT NULL,
    size      BIGINT NOT NULL,
    files     TEXT NOT NULL,               -- names of files, in lines
    sender    TEXT,
    recipient TEXT,
    copied    TEXT,
    PRIMARY KEY (owner, mail)
) WITHOUT ROWID;
"""

MEMORY: Final = """
CREATE TABLE expunged (
    owner  BIGINT NOT NULL,
    folder BIGINT NOT NULL,
    uid    BIGINT NOT NULL,
    mail   TEXT NOT NULL,
    modseq BIGINT NOT NULL,
    at     DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (owner, folder, uid)
) WITHOUT ROWID;

CREATE INDEX expunged_modseq ON expunged (owner, folder, modseq);
CREATE INDEX expunged_at ON expunged (owner, at);

CREATE TABLE delivered (
    owner     BIGINT NOT NULL,
    spool_id  TEXT NOT NULL,
    recipient TEXT NOT NULL,
    place     BIGINT NOT NULL,             -- one message can be put into several folders
    folder    BIGINT NOT NULL,
    uid       BIGINT NOT NULL,
    mail      TEXT NOT NULL,
    at        DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (owner, spool_id, recipient, place)
) WITHOUT ROWID;

CREATE TABLE erase (
    owner BIGINT NOT NULL,
    mail  TEXT NOT NULL,
    after DOUBLE PRECISION NOT NULL,       -- 0 for one whose row is gone, and whose file goes
    PRIMARY KEY (owner, mail)
) WITHOUT ROWID;

CREATE INDEX erase_after ON erase (owner, after);

CREATE TABLE judged (
    owner   BIGINT NOT NULL,
    mail    TEXT NOT NULL,
    verdict TEXT NOT NULL,
    PRIMARY KEY (owner, mail, verdict)
) WITHOUT ROWID;
"""

RULES: Final = """
CREATE TABLE script (
    owner  BIGINT NOT NULL,
    name   TEXT NOT NULL,
    source TEXT NOT NULL,                  -- Sieve
    active BIGINT NOT NULL,                -- of one script at most
    at     DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (owner, name)
) WITHOUT ROWID;

CREATE TABLE rule (
    owner BIGINT NOT NULL,
    place BIGINT NOT NULL,                 -- in the order in which they are asked
    data  TEXT NOT NULL,                   -- JSON, as `mailer.filing.rules` has it
    PRIMARY KEY (owner, place)
) WITHOUT ROWID;

CREATE TABLE vacation (
    owner BIGINT NOT NULL,
    data  TEXT NOT NULL,                   -- JSON, as `mailer.filing.rules` has it
    PRIMARY KEY (owner)
) WITHOUT ROWID;

CREATE TABLE forward (
    owner     BIGINT NOT NULL,
    target    TEXT NOT NULL,               -- as addresses are compared
    address   TEXT NOT NULL,
    kind      TEXT NOT NULL,               -- copy, move, rules
    confirmed DOUBLE PRECISION NOT NULL,   -- 0 for one that is not
    code      TEXT NOT NULL,               -- SHA-256 of what confirms it
    asked     DOUBLE PRECISION NOT NULL,
    tries     BIGINT NOT NULL,
    PRIMARY KEY (owner, target)
) WITHOUT ROWID;

CREATE TABLE answered (
    owner  BIGINT NOT NULL,
    handle TEXT NOT NULL,                  -- which answer
    sender TEXT NOT NULL,                  -- who got it
    at     DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (owner, handle, sender)
) WITHOUT ROWID;

CREATE INDEX answered_at ON answered (owner, at);

CREATE TABLE carried (
    owner BIGINT NOT NULL,
    id    TEXT NOT NULL,                   -- of a message that a rule has sent
    at    DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (owner, id)
) WITHOUT ROWID;
"""

SETTINGS: Final = """
CREATE TABLE setting (
    owner BIGINT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (owner, name)
) WITHOUT ROWID;
"""

WORDS: Final = """
CREATE TABLE word (
    owner BIGINT NOT NULL,
    mail  TEXT NOT NULL,
    words TSVECTOR NOT NULL,               -- each with the number of its owner before it, as `mailer.mailbox.ranking` has it
    PRIMARY KEY (owner, mail)
);

CREATE INDEX word_words ON word USING gin (words);
"""
"""What only PostgreSQL has: the index of words, which SQLite has in tables of its own when somebody asks for it."""

CLIENTS: Final = """
CREATE TABLE wanted (
    owner    BIGINT NOT NULL,
    name_key TEXT NOT NULL,                -- the name as it is compared
    name     TEXT NOT NULL,                -- of no folder, and subscribed all the same
    PRIMARY KEY (owner, name_key)
) WITHOUT ROWID;

CREATE TABLE annotation (
    owner  BIGINT NOT NULL,
    folder BIGINT NOT NULL,                -- 0 for the mailbox as a whole
    word   TEXT NOT NULL,                  -- the entry as it is compared
    entry  TEXT NOT NULL,                  -- as it was written first
    value  BLOB NOT NULL,
    modseq BIGINT NOT NULL,                -- of the newest change
    PRIMARY KEY (owner, folder, word)
) WITHOUT ROWID;
"""
"""What clients keep here besides mail, which the first version did not have."""

LINES: Final = """
CREATE TABLE uneven (
    owner  BIGINT NOT NULL,
    mail   TEXT NOT NULL,                  -- one that has lines which do not end in CRLF
    octets BIGINT NOT NULL,                -- that it gets more on its way to a client that wants them to, RFC 1939 §11
    PRIMARY KEY (owner, mail)
) WITHOUT ROWID;
"""
"""Of the few messages that were put here so by clients; the second version did not have it."""

COLLATED: Final = """
CREATE TABLE collated (
    owner           BIGINT NOT NULL,
    mail            TEXT NOT NULL,
    sent            DOUBLE PRECISION NOT NULL,  -- or when it was received, for one that does not say
    received        DOUBLE PRECISION NOT NULL,
    size            BIGINT NOT NULL,
    subject         TEXT NOT NULL,              -- the base subject; this and what follows as `mailer.imap.collation` compares it
    sender          TEXT NOT NULL,              -- the first of the field, what is before the @
    recipient       TEXT NOT NULL,
    copied          TEXT NOT NULL,
    shown_sender    TEXT NOT NULL,              -- the first of the field, as it is shown
    shown_recipient TEXT NOT NULL,
    answers         BIGINT NOT NULL,            -- whether the subject is that of a reply or a forward
    ids             BLOB NOT NULL,
    PRIMARY KEY (owner, mail)
) WITHOUT ROWID;
"""
"""What messages are sorted and threaded by, made when they come, as `mailer.mailbox.collating` has it."""

COLLATED_LARGE: Final = """
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('collated', 'collated', '1000000 1000000 1');

ANALYZE sqlite_schema;
"""

HEADS: Final = """
CREATE TABLE head (
    owner  BIGINT NOT NULL,
    mail   TEXT NOT NULL,
    header BLOB NOT NULL,                  -- with the fields of the prefix, and the empty line
    PRIMARY KEY (owner, mail)
);
"""
"""The headers of messages as they are written, as `mailer.mailbox.heads` has it."""

HEADS_LARGE: Final = """
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('head', 'sqlite_autoindex_head_1', '1000000 1000000 1');

ANALYZE sqlite_schema;
"""

TWINS: Final = """
CREATE TABLE twin (
    owner  BIGINT NOT NULL,
    folder BIGINT NOT NULL,
    uid    BIGINT NOT NULL,                -- of an entry that is not called as its message is
    name   TEXT NOT NULL,                  -- what it is called as long as it is there, RFC 1939 §7
    PRIMARY KEY (owner, folder, uid)
) WITHOUT ROWID;

CREATE INDEX twin_name ON twin (owner, folder, name);
CREATE INDEX mail_uidl ON mail (owner, uidl) WHERE uidl <> '';
"""
"""Names of entries, as `mailer.mailbox.twins` has them."""

TWINS_LARGE: Final = """
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('twin', 'twin', '1000000 1000000 10000 1'),
    ('twin', 'twin_name', '1000000 1000000 10000 1 1'),
    ('mail', 'mail_uidl', '1000000 1000000 1');

ANALYZE sqlite_schema;
"""

_TWINS_FOUND: Final = """
INSERT INTO twin (owner, folder, uid, name)
SELECT owner, folder, uid, CASE
    WHEN mail <> called AND ROW_NUMBER() OVER (PARTITION BY owner, folder, mail ORDER BY uid) = 1 THEN mail
    ELSE {numbers} END
FROM (
    SELECT e.owner, e.folder, e.uid, e.mail, f.uidvalidity, c.called,
        ROW_NUMBER() OVER (PARTITION BY e.owner, e.folder, c.called ORDER BY e.uid) AS nth
    FROM entry e
    JOIN folder f ON f.owner = e.owner AND f.id = e.folder
    JOIN (SELECT owner, id, CASE WHEN {sayable} THEN uidl ELSE id END AS called FROM mail) c ON c.owner = e.owner AND c.id = e.mail
) AS each_one
WHERE nth > 1;
"""
TWINS_FOUND: Final = {
    "sqlite": _TWINS_FOUND.format(
        numbers="printf('%08x%08x', uidvalidity, uid)", sayable="LENGTH(uidl) BETWEEN 1 AND 70 AND uidl NOT GLOB '*[^!-~]*'"
    ),
    "postgresql": _TWINS_FOUND.format(
        numbers="LPAD(TO_HEX(uidvalidity), 8, '0') || LPAD(TO_HEX(uid), 8, '0')", sayable="uidl ~ '^[!-~]{1,70}$'"
    ),
}
"""What writes the names that the twins of earlier versions have, which were counted from what was there each time."""

RECENT: Final = """
ALTER TABLE folder ADD COLUMN recent BIGINT NOT NULL DEFAULT 1;  -- UIDs from here on were told as recent to nobody

UPDATE folder SET recent = uidnext;
"""
"""What is recent, RFC 3501 §2.3.2; what was there before the seventh version came is not."""

FIRST_TABLES: Final = (ACCOUNT, MESSAGES, MEMORY, RULES, SETTINGS)
TABLES: Final = (*FIRST_TABLES, CLIENTS, LINES, COLLATED, HEADS, TWINS, RECENT)
"""What an engine has; another room of rows is one more text, and a step."""

NAMES: Final = frozenset({"account", "folder", "mail", "entry"})
"""By these tables a file is known as one of ours."""

LARGE: Final = """
ANALYZE;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('entry', 'entry', '1000000 1000000 10000 1'),
    ('entry', 'entry_modseq', '1000000 1000000 10000 2 1'),
    ('entry', 'entry_mail', '1000000 1000000 1 1 1'),
    ('mail', 'sqlite_autoindex_mail_1', '1000000 1000000 1'),
    ('mail', 'mail_thread', '1000000 1000000 4'),
    ('mail', 'mail_subject', '1000000 1000000 4 1'),
    ('reference', 'reference', '1000000 1000000 1'),
    ('reference', 'reference_thread', '1000000 1000000 4 1'),
    ('expunged', 'expunged', '1000000 1000000 10000 1'),
    ('expunged', 'expunged_modseq', '1000000 1000000 10000 2 1'),
    ('expunged', 'expunged_at', '1000000 1000000 2 1 1'),
    ('delivered', 'delivered', '1000000 1000000 1 1 1'),
    ('erase', 'erase', '1000000 1000000 1'),
    ('erase', 'erase_after', '1000000 1000000 2 1');

ANALYZE sqlite_schema;
"""
"""How SQLite is to think of the tables: as of large ones, whatever is in them yet. Without that it takes the rows of an owner for ten, and
reads all of them where an index would tell."""

FIRST: Final = f"BEGIN IMMEDIATE;\n{''.join(FIRST_TABLES)}{LARGE}\nPRAGMA user_version = 1;\n\nCOMMIT;\n"
SECOND: Final = f"BEGIN IMMEDIATE;\n{CLIENTS}\nPRAGMA user_version = 2;\n\nCOMMIT;\n"
THIRD: Final = f"BEGIN IMMEDIATE;\n{LINES}\nPRAGMA user_version = 3;\n\nCOMMIT;\n"
FOURTH: Final = f"BEGIN IMMEDIATE;\n{COLLATED}{COLLATED_LARGE}\nPRAGMA user_version = 4;\n\nCOMMIT;\n"
FIFTH: Final = f"BEGIN IMMEDIATE;\n{HEADS}{HEADS_LARGE}\nPRAGMA user_version = 5;\n\nCOMMIT;\n"
SIXTH: Final = f"BEGIN IMMEDIATE;\n{TWINS}{TWINS_FOUND['sqlite']}{TWINS_LARGE}\nPRAGMA user_version = 6;\n\nCOMMIT;\n"
SEVENTH: Final = f"BEGIN IMMEDIATE;\n{RECENT}\nPRAGMA user_version = 7;\n\nCOMMIT;\n"
STEPS: Final = (FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH)
"""Step n makes version n + 1 out of version n, as one transaction; one that was released is never changed."""

_TYPES: Final = ((" BLOB ", " BYTEA "), (" TEXT ", ' TEXT COLLATE "C" '), (") WITHOUT ROWID;", ");"))  # texts as SQLite orders them


def ddl(dialect: Literal["sqlite", "postgresql"], tables: Sequence[str] = (*TABLES, WORDS)) -> str:
    """The statements that make `tables`, in the words of a dialect of SQL; `WORDS` only PostgreSQL has."""
    text = "".join(each for each in tables if dialect == "postgresql" or each is not WORDS)
    if dialect == "postgresql":
        for ours, theirs in _TYPES:
            text = text.replace(ours, theirs)
    return text


POSTGRESQL: Final = (
    ddl("postgresql", (*FIRST_TABLES, WORDS)),
    ddl("postgresql", (CLIENTS,)),
    ddl("postgresql", (LINES,)),
    ddl("postgresql", (COLLATED,)),
    ddl("postgresql", (HEADS,)),
    ddl("postgresql", (TWINS,)) + TWINS_FOUND["postgresql"],
    ddl("postgresql", (RECENT,)),
)
"""What `STEPS` are for SQLite."""


def _parts() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """The columns of each table and its key, in the order of the tables."""
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for statement in "".join(TABLES).split("CREATE TABLE ")[1:]:
        head, _, body = statement.partition(" (\n")
        lines = body.partition("\n)")[0].splitlines()
        words = (line.split(maxsplit=1)[0] for line in lines)
        key = lines[-1].partition("PRIMARY KEY (")[2].rstrip(")").split(", ")
        found[head] = tuple(word for word in words if word.islower()), tuple(key)
    for statement in "".join(TABLES).split("ALTER TABLE ")[1:]:
        table, _, column = statement.partition(" ADD COLUMN ")
        columns, keys = found[table]
        found[table] = (*columns, column.split(maxsplit=1)[0]), keys
    return found


PARTS: Final = _parts()
"""The columns and the key of each table, both with `owner` first."""
FORGET: Final = tuple(f"DELETE FROM {table} WHERE owner = ?" for table in PARTS)
"""What removes all rows of an owner; and in PostgreSQL `FORGET_WORDS`."""
FORGET_WORDS: Final = "DELETE FROM word WHERE owner = ?"
