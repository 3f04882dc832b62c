"""Whether the database of a status can be used, and a new one in the place of one that cannot: for whoever examines a machine.

The daemon finds out by itself where it meets the damage, and begins anew. Here all of the file is looked at, and nobody has to run.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from ..catchup import catch_up
from . import file, schema
from .writer import SqliteRecorder

if TYPE_CHECKING:
    from mailer.spool.files.store import SpoolDirectory

LARGE = 1 << 30  # bytes of a file of which only a part is looked at: the whole takes minutes
WAL = 1 << 28  # bytes beside the file; the daemon puts them into it when it closes, and long before


class DatabaseHealth(NamedTuple):
    """How it stands with a database: whether it is `there`, its bytes and those beside it, and the `trouble`, empty if it can be used."""

    there: bool
    size: int = 0
    beside: int = 0
    trouble: str = ""
    busy: bool = False
    """Whether the trouble is that it could not be looked at, so that nothing is known."""


def health(path: str) -> DatabaseHealth:
    """Look at the database at `path`. Raises nothing for what is wrong with it."""
    try:
        size = os.stat(path).st_size
    except FileNotFoundError:
        return DatabaseHealth(False)
    except OSError as error:
        return DatabaseHealth(True, trouble=error.strerror or "it cannot be read", busy=True)
    beside = os.path.getsize(f"{path}-wal") if os.path.exists(f"{path}-wal") else 0
    try:
        db = file.open_to_read(path)
        if db is None:
            return DatabaseHealth(True, size, beside)
        try:
            said = "ok" if size > LARGE else db.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            db.close()
    except schema.Unusable as error:
        return DatabaseHealth(True, size, beside, str(error))
    except (sqlite3.Error, OSError) as error:
        return DatabaseHealth(True, size, beside, str(error), busy=not file.unusable(error))
    return DatabaseHealth(True, size, beside, "" if said == "ok" else f"it is damaged: {said}")


async def filled(path: str, spool: SpoolDirectory) -> list[str]:
    """Make a database at `path`, where there is none, and fill it from `spool`; returns what was done, line by line."""
    said: list[str] = []
    recorder = SqliteRecorder(path, said.append)
    try:
        await catch_up(recorder, spool, said.append)
    finally:
        await recorder.close()
    return [*said, f"began {path} anew with what is in the spool; of mail that had left it, nothing is known any more"]
