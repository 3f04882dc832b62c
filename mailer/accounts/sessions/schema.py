"""The tables of ``sessions.sqlite3``, and every statement about them. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Final

FIRST: Final = """
BEGIN IMMEDIATE;

CREATE TABLE login (
    id        INTEGER PRIMARY KEY,
    key       TEXT NOT NULL,      -- the user's address as it is compared
    user      TEXT NOT NULL,      -- as it was written
    door      TEXT NOT NULL,
    ip        TEXT NOT NULL,
    mechanism TEXT NOT NULL,
    app       TEXT NOT NULL,      -- the name of the app password, empty for his own
    why       TEXT NOT NULL,      -- he was not let in; empty where he was
    first     REAL NOT NULL,
    last      REAL NOT NULL,
    many      INTEGER NOT NULL
);

CREATE INDEX login_of ON login (key, why = '', last);
CREATE INDEX login_last ON login (why = '', last);

CREATE TABLE used (
    key  TEXT NOT NULL,
    app  TEXT NOT NULL,
    at   REAL NOT NULL,
    ip   TEXT NOT NULL,
    door TEXT NOT NULL,
    PRIMARY KEY (key, app)
) WITHOUT ROWID;

CREATE TABLE process (
    name TEXT PRIMARY KEY,
    seen REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE session (
    id      TEXT PRIMARY KEY,
    key     TEXT NOT NULL,
    user    TEXT NOT NULL,
    door    TEXT NOT NULL,
    ip      TEXT NOT NULL,
    app     TEXT NOT NULL,
    since   REAL NOT NULL,
    process TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX session_of ON session (key, since);
CREATE INDEX session_at ON session (process);

CREATE TABLE ending (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    user    TEXT NOT NULL,
    at      REAL NOT NULL,
    session TEXT NOT NULL,
    app     TEXT                  -- none: whatever the password
);

PRAGMA user_version = 1;

COMMIT;
"""

STEPS: Final = (FIRST,)

ALIKE: Final = """SELECT id FROM login WHERE key = ? AND (why = '') = ? AND last > ? AND door = ? AND ip = ? AND mechanism = ? AND app = ?
    AND why = ? AND first > ? ORDER BY last DESC LIMIT 1"""
COUNTED: Final = "UPDATE login SET many = many + ?, last = max(last, ?) WHERE id = ?"
WRITTEN: Final = "INSERT INTO login (key, user, door, ip, mechanism, app, why, first, last, many) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
USED: Final = """INSERT INTO used (key, app, at, ip, door) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (key, app) DO UPDATE SET at = excluded.at, ip = excluded.ip, door = excluded.door WHERE excluded.at >= used.at"""
LOGINS: Final = """SELECT user, door, ip, mechanism, app, why, first, last, many FROM login
    WHERE last >= ? AND (NOT ? OR why != '') ORDER BY last DESC, id DESC LIMIT ?"""
LOGINS_OF: Final = """SELECT user, door, ip, mechanism, app, why, first, last, many FROM login
    WHERE key = ? AND last >= ? AND (NOT ? OR why != '') ORDER BY last DESC, id DESC LIMIT ?"""
FORGET: Final = "DELETE FROM used WHERE key = ?"
USES: Final = "SELECT app, at, ip, door FROM used WHERE key = ? ORDER BY app"

ALIVE: Final = "INSERT OR REPLACE INTO process (name, seen) VALUES (?, ?)"
BEGUN: Final = "INSERT OR REPLACE INTO session (id, key, user, door, ip, app, since, process) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
OVER: Final = "DELETE FROM session WHERE id = ?"
OPEN: Final = """SELECT id, user, door, ip, app, since, process FROM session JOIN process ON name = process WHERE seen > ?
    ORDER BY since, id LIMIT ?"""
OPEN_OF: Final = """SELECT id, user, door, ip, app, since, process FROM session JOIN process ON name = process WHERE key = ? AND seen > ?
    ORDER BY since, id LIMIT ?"""
LEAVE: Final = "DELETE FROM session WHERE process = ?"
GONE: Final = "DELETE FROM process WHERE name = ?"
END: Final = "INSERT INTO ending (user, at, session, app) VALUES (?, ?, ?, ?)"
ENDED: Final = """SELECT count(*) FROM session JOIN process ON name = process
    WHERE key = ?1 AND since <= ?2 AND (?3 = '' OR id = ?3) AND (?4 IS NULL OR app = ?4) AND seen > ?5"""
ENDINGS: Final = "SELECT number, user, at, session, app FROM ending WHERE number > ? ORDER BY number"

OLD: Final = "DELETE FROM login WHERE last < ?"
CROWDED: Final = "SELECT key FROM login WHERE (why = '') = ? GROUP BY key HAVING count(*) > ?"
MANY_OF_ONE: Final = """DELETE FROM login WHERE id IN
    (SELECT id FROM login WHERE key = ? AND (why = '') = ? ORDER BY last DESC, id DESC LIMIT -1 OFFSET ?)"""
MANY: Final = "DELETE FROM login WHERE id IN (SELECT id FROM login WHERE (why = '') = ? ORDER BY last DESC, id DESC LIMIT -1 OFFSET ?)"
LOST: Final = "DELETE FROM session WHERE process NOT IN (SELECT name FROM process WHERE seen > ?)"
DEAD: Final = "DELETE FROM process WHERE seen <= ?"
HEARD: Final = "DELETE FROM ending WHERE at < ?"
