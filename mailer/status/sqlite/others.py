"""What is written of events that are about something else than messages on their way, within a transaction of `writer`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import AlarmsOpen, Corrupt, ReportsHeard, Standings
from mailer.spool import is_id

from . import received, rows

if TYPE_CHECKING:
    import sqlite3

PUT_STANDING = "INSERT OR REPLACE INTO destinations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

PUT_ALARM = "INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

PUT_REPORT = """
INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, nth) DO NOTHING
"""

# Whoever has complained has had the mail. A second report of the same changes nothing.
MARK = """
UPDATE email_recipients SET status = :status, smtp_response_code = :code, enhanced_code = :enhanced, smtp_response_message = :text,
    last_update_time = max(:at, last_update_time), cause = NULL, besides = NULL
    WHERE email_id = :id AND position = :position AND status <> 'complained' AND status <> :status
"""

LOSE = "UPDATE emails SET status = 'failed', error_message = :why, next_attempt_time = NULL WHERE id = :id"
LOSE_RECIPIENTS = """
UPDATE email_recipients SET status = 'failed', smtp_response_message = :why, last_update_time = :at, cause = NULL, besides = NULL
    WHERE email_id = :id AND status NOT IN ('sent', 'failed', 'expired', 'cancelled', 'bounced', 'complained')
"""


def put(db: sqlite3.Connection, event: rows.Other) -> None:
    """Write down one event. Raises `sqlite3.Error`."""
    if isinstance(event, Standings):
        _put_standings(db, event)
    elif isinstance(event, AlarmsOpen):
        _put_alarms(db, event)
    elif isinstance(event, ReportsHeard):
        _put_reports(db, event)
    elif isinstance(event, Corrupt):
        if is_id(event.id):
            _lose(db, event)
    else:
        received.put(db, event)


def _put_standings(db: sqlite3.Connection, event: Standings) -> None:
    if event.first:
        db.execute("DELETE FROM destinations")
    db.executemany(PUT_STANDING, [rows.standing(standing, event.at) for standing in event.changed])
    db.executemany("DELETE FROM destinations WHERE key = ?", [(key,) for key in event.gone])


def _put_alarms(db: sqlite3.Connection, event: AlarmsOpen) -> None:
    db.execute("DELETE FROM alarms")
    db.executemany(PUT_ALARM, [rows.alarm(alarm, event.at) for alarm in event.alarms])


def _put_reports(db: sqlite3.Connection, event: ReportsHeard) -> None:
    db.executemany(PUT_REPORT, [rows.heard(each) for each in event.reports])
    db.executemany(MARK, [rows.marked(each) for each in event.reports if each.makes])


def _lose(db: sqlite3.Connection, event: Corrupt) -> None:
    """Whatever was to become of it: its file cannot be read, and no report is sent."""
    why = rows.clean(f"its file in the spool is damaged: {event.reason}")
    facts = {"id": event.id, "why": why, "at": rows.micros(event.at)}
    db.execute(LOSE, facts)
    db.execute(LOSE_RECIPIENTS, facts)
