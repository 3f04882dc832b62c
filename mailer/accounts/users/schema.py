"""The tables of the database of users, how one version of them becomes the next, and every statement about them.

``PRAGMA user_version`` says which version a file has. Times are whole microseconds since the epoch in UTC.
"""

from __future__ import annotations

from typing import Final

FIRST: Final = """
BEGIN IMMEDIATE;

CREATE TABLE users (
    key           TEXT PRIMARY KEY,      -- the address as it is compared
    address       TEXT NOT NULL,         -- as it was written
    password      TEXT NOT NULL,         -- the record of it, empty for none
    stored_key    BLOB,                  -- SCRAM-SHA-256, RFC 5802
    server_key    BLOB,
    salt          BLOB NOT NULL,
    iterations    INTEGER NOT NULL,
    app_passwords TEXT NOT NULL,         -- a JSON array of objects
    sends_as      TEXT NOT NULL,         -- a JSON array of patterns
    quota         INTEGER NOT NULL,      -- octets, 0 for no limit
    disabled      INTEGER NOT NULL,
    created       INTEGER NOT NULL       -- microseconds since the epoch
) WITHOUT ROWID;

PRAGMA user_version = 1;

COMMIT;
"""

SECOND: Final = """
BEGIN IMMEDIATE;

ALTER TABLE users ADD COLUMN quota_messages INTEGER NOT NULL DEFAULT 0;  -- 0 for no limit

PRAGMA user_version = 2;

COMMIT;
"""

STEPS: Final = (FIRST, SECOND)
"""Step n makes version n + 1 out of version n, as one transaction; one that was released is never changed."""

FIND: Final = """SELECT address, password, stored_key, server_key, salt, iterations, app_passwords, sends_as, quota, disabled, created,
    quota_messages FROM users WHERE key = ?"""
LISTING: Final = """SELECT address, password, stored_key, server_key, salt, iterations, app_passwords, sends_as, quota, disabled, created,
    quota_messages FROM users WHERE key > ? ORDER BY key LIMIT ?"""
PUT: Final = """INSERT OR REPLACE INTO users
    (key, address, password, stored_key, server_key, salt, iterations, app_passwords, sends_as, quota, disabled, created, quota_messages)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
REMOVE: Final = "DELETE FROM users WHERE key = ?"
