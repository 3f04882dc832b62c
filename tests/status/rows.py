"""What stands in a status database."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from mailer.mail.history import History
from mailer.mail.outcome import Hop, Outcome
from mailer.spool.api import Entry
from tests.fakes.mail import NOW, envelope

HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic", "TLSv1.3 unverified")
TABLES = ("emails", "email_recipients", "attempts")


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    db = sqlite3.connect(path)
    try:
        return {
            "emails": db.execute("SELECT * FROM emails ORDER BY id").fetchall(),
            "email_recipients": db.execute("SELECT * FROM email_recipients ORDER BY 1, 2").fetchall(),
            "attempts": db.execute("SELECT * FROM attempts ORDER BY 1, 2, 3").fetchall(),
        }
    finally:
        db.close()


def one(path: Path, table: str) -> dict[str, Any]:
    """The one row of `table`, by column."""
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    try:
        statements = {
            "emails": "SELECT * FROM emails",
            "email_recipients": "SELECT * FROM email_recipients",
            "attempts": "SELECT * FROM attempts",
        }
        (row,) = db.execute(statements[table]).fetchall()
        return dict(row)
    finally:
        db.close()


def entry(*outcomes: Outcome, recipients: tuple[str, ...] = ("you@example.net",), state: str = "queued", **more: Any) -> Entry:
    letter = envelope(*recipients, **more)
    return Entry(letter.id, state, letter, 1024, History(len(recipients), outcomes), 0.0, NOW)
