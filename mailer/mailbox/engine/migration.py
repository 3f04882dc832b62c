"""The tables of a database of PostgreSQL, made and brought up to the version of this program; several processes may begin at once.

Which version is there says a table ``mailer``, a row for each of the things that are kept. A step is taken in one transaction with the
row, by one process at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

LOCK_NUMBER: Final = 1835100012  # of ours, among the locks that programs may take in one database
ALONE: Final = "SELECT pg_advisory_xact_lock(%s, 0)"
ENCODING: Final = "SELECT current_setting('server_encoding')"
VERSIONS: Final = """CREATE TABLE IF NOT EXISTS mailer (
    what    TEXT PRIMARY KEY,
    version BIGINT NOT NULL
)"""
VERSION: Final = "SELECT version FROM mailer WHERE what = %s"
TAKEN: Final = "INSERT INTO mailer (what, version) VALUES (%s, %s) ON CONFLICT (what) DO UPDATE SET version = excluded.version"


def bring_up(db: psycopg.Connection[tuple[Any, ...]], tables: Mapping[str, Sequence[str]], where: str) -> None:
    """Make the `tables`, whose steps these are. Raises `Problem` (bad-config) for a later version, and for an encoding that is not ours."""
    found = db.execute(ENCODING).fetchone()
    if not found or found[0] != "UTF8":
        raise Problem(f"{where} has the encoding {found and found[0]}; make one with: createdb -E UTF8 -T template0 NAME", "bad-config")
    with db.transaction():
        db.execute(ALONE, (LOCK_NUMBER,))
        db.execute(VERSIONS)
        for what, steps in tables.items():
            _bring_up(db, what, steps, where)


def _bring_up(db: psycopg.Connection[tuple[Any, ...]], what: str, steps: Sequence[str], where: str) -> None:
    row = db.execute(VERSION, (what,)).fetchone()
    version = int(row[0]) if row else 0
    if version > len(steps):
        raise Problem(
            f"{where} has {what} of version {version}, and this mailer knows versions up to {len(steps)}; install the one that made them",
            "bad-config",
        )
    for STEP in steps[version:]:  # noqa: N806 - a constant of whoever has the tables
        db.execute(STEP)
    if version < len(steps):
        db.execute(TAKEN, (what, len(steps)))
