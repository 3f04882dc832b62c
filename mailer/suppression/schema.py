"""The tables of ``suppress.sqlite3``, how one version of them becomes the next, and every statement about them.

``PRAGMA user_version`` says which version a file has; `STEPS` brings it from each to the next, one transaction a step. Times are whole
microseconds since the epoch in UTC, as in the status database.
"""

# ruff: noqa: S608 - statements are made of constants that stand here

from __future__ import annotations

from typing import Final

FIRST: Final = """
BEGIN IMMEDIATE;

CREATE TABLE entries (
    address  TEXT NOT NULL COLLATE NOCASE,  -- small letters, the domain in A-labels; @example.org is all of it
    scope    TEXT NOT NULL,                 -- a stream, or * for all mail
    reason   TEXT NOT NULL,                 -- hard, complaint, unsubscribe, manual, import
    class    TEXT NOT NULL,
    source   TEXT NOT NULL,
    evidence TEXT NOT NULL,                 -- the ID of a report or of a message
    at       INTEGER NOT NULL,              -- microseconds since the epoch
    until    INTEGER,                       -- NULL: for ever
    by       TEXT NOT NULL,
    note     TEXT NOT NULL,
    PRIMARY KEY (address, scope)
) WITHOUT ROWID;

CREATE INDEX entries_until ON entries (until) WHERE until IS NOT NULL;

CREATE TABLE log (                          -- only appended
    serial   INTEGER PRIMARY KEY AUTOINCREMENT,
    change   INTEGER NOT NULL,              -- what was done at once has one number
    at       INTEGER NOT NULL,
    act      TEXT NOT NULL,                 -- add, remove, expire
    address  TEXT NOT NULL COLLATE NOCASE,
    scope    TEXT NOT NULL,
    by       TEXT NOT NULL,
    note     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    evidence TEXT NOT NULL,
    before   TEXT,                          -- the entry, a JSON array in the order of its columns; NULL: none
    after    TEXT
);

CREATE INDEX log_address ON log (address, scope);
CREATE INDEX log_change ON log (change);

CREATE TABLE told (serial INTEGER NOT NULL);  -- one row: the last line of the log that became an event
INSERT INTO told VALUES (0);

PRAGMA user_version = 1;

COMMIT;
"""

STEPS: Final = (FIRST,)
"""Step n makes version n + 1 out of version n, as one transaction; one that was released is never changed."""

VERSION: Final = len(STEPS)

COLUMNS: Final = "address, scope, reason, class, source, evidence, at, until, by, note"
LINE: Final = "serial, change, at, act, address, scope, by, note, before, after, reason, evidence"

# Looking

KINDS: Final = "SELECT NOT EXISTS (SELECT 1 FROM entries), EXISTS (SELECT 1 FROM entries WHERE address > '@' AND address < '@{')"
"""Whether there are no entries, and whether there are some of whole domains, which have no character behind z."""

OF_ADDRESS: Final = f"SELECT {COLUMNS} FROM entries WHERE address = ?1 AND (until IS NULL OR until > ?2)"
FITTING: Final = """(?1 = '' OR scope = ?1) AND (?2 = '' OR reason = ?2) AND (?3 = '' OR class = ?3) AND (?4 = '' OR source = ?4)
    AND at >= ?5 AND (?6 IS NULL OR until IS NULL OR until > ?6) AND (address, scope) > (?7, ?8)"""
"""Scope, reason, class, source, since, a time at which it holds, and the key behind which to go on."""

LISTING: Final = f"SELECT {COLUMNS} FROM entries WHERE {FITTING} AND (?9 = '' OR fits(?9, address)) ORDER BY address, scope LIMIT ?10"
LISTING_OF_ADDRESS: Final = f"SELECT {COLUMNS} FROM entries WHERE address = ?9 AND {FITTING} ORDER BY scope LIMIT ?10"
COUNT: Final = "SELECT count(*) FROM entries"
LOG: Final = f"SELECT {LINE} FROM log WHERE at >= ?1 ORDER BY serial DESC LIMIT ?2"
LOG_OF_ADDRESS: Final = f"SELECT {LINE} FROM log WHERE at >= ?1 AND address IN (?3, ?4) ORDER BY serial DESC LIMIT ?2"
NEWEST: Final = "SELECT coalesce(max(serial), 0) FROM log"
NEWS: Final = f"SELECT {LINE} FROM log WHERE serial > ? ORDER BY serial LIMIT ?"

TOLD: Final = "SELECT serial FROM told"

# In a transaction

NOTE_TOLD: Final = "UPDATE told SET serial = ?"

ENTRY: Final = f"SELECT {COLUMNS} FROM entries WHERE address = ? AND scope = ?"
KEEP: Final = f"INSERT OR REPLACE INTO entries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
DROP: Final = "DELETE FROM entries WHERE address = ? AND scope = ?"
OVER: Final = f"SELECT {COLUMNS} FROM entries WHERE until <= ?"
FORGET: Final = "DELETE FROM log WHERE at < ?"
NEWEST_CHANGE: Final = "SELECT coalesce(max(change), 0) FROM log"
NOTE: Final = f"INSERT INTO log ({LINE}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
PROVED: Final = "SELECT 1 FROM log WHERE address = ? AND scope = ? AND act = 'add' AND reason = ? AND evidence = ? LIMIT 1"
RAN_OUT: Final = "SELECT count(*) FROM log WHERE address = ? AND scope = ? AND act = 'expire' AND reason = ?"
LINES: Final = f"SELECT {LINE} FROM log WHERE change = ? ORDER BY serial"
