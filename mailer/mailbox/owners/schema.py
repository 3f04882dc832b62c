"""The table of owners, for SQLite and for PostgreSQL, and every statement about it.

Times are seconds since the epoch. A `number` is never given again, whoever is forgotten. Of an address that is compared (`key`) one owner
at most is not removed, which the index holds, whoever writes.
"""

from __future__ import annotations

from typing import Final

TABLE: Final = """
CREATE TABLE owner (
    number            {number},
    id                TEXT NOT NULL UNIQUE,     -- a ULID
    key               TEXT NOT NULL,            -- the address as it is compared
    address           TEXT NOT NULL,            -- as it was written
    created           DOUBLE PRECISION NOT NULL,
    state             TEXT NOT NULL,            -- open, frozen or removed
    until             DOUBLE PRECISION NOT NULL,
    store             TEXT NOT NULL,
    epoch             BIGINT NOT NULL,
    public_key        TEXT NOT NULL,
    wrapped_private   {octets} NOT NULL,
    wrapped_index_key {octets} NOT NULL,
    key_number        BIGINT NOT NULL
);

CREATE UNIQUE INDEX owner_key ON owner (key) WHERE state <> 'removed';
"""

SQLITE: Final = (
    f"""
BEGIN IMMEDIATE;
{TABLE.format(number="INTEGER PRIMARY KEY AUTOINCREMENT", octets="BLOB")}
PRAGMA user_version = 1;

COMMIT;
""",
)
"""Step n makes version n + 1 out of version n, as one transaction; one that was released is never changed."""

POSTGRESQL: Final = (
    TABLE.format(number="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", octets="BYTEA").replace(" TEXT ", ' TEXT COLLATE "C" '),
)
"""The same for PostgreSQL, where whoever takes a step has a transaction."""

COLUMNS: Final = (
    "id, number, address, created, state, until, store, epoch, public_key, wrapped_private, wrapped_index_key, key_number"  # as in `Owner`
)
SOME: Final = 50  # keys of one statement that asks for several
BY_KEY, BY_ID = (  # each for one key, and for `SOME`
    {many: f"SELECT {name}, {COLUMNS} FROM owner WHERE {those} AND {name} IN ({','.join('?' * many)})" for many in (1, SOME)}
    for name, those in (("key", "state <> 'removed'"), ("id", "number > 0"))
)
LISTING: Final = f"SELECT {COLUMNS} FROM owner WHERE (state = 'removed') = (? = 1) AND id > ? ORDER BY id LIMIT ?"
MAKE: Final = f"""INSERT INTO owner (id, key, address, created, state, until, store, epoch, public_key, wrapped_private, wrapped_index_key,
    key_number) VALUES (?, ?, ?, ?, 'open', 0, ?, 1, '', ?, ?, 0)
    ON CONFLICT (key) WHERE state <> 'removed' DO NOTHING RETURNING {COLUMNS}"""
PUT: Final = f"""UPDATE owner SET key = ?, address = ?, state = ?, until = ?, store = ?, epoch = epoch + 1, public_key = ?,
    wrapped_private = ?, wrapped_index_key = ?, key_number = ? WHERE id = ? AND epoch = ? RETURNING {COLUMNS}"""
FORGET: Final = "DELETE FROM owner WHERE id = ? AND state = 'removed'"
