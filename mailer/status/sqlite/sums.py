"""What others report in sums, in the tables: each report once, added to what is there of its day.

Used by `writer` and `reader`. Anybody may write to the address of reports, and no report proves who made it. So there is an end to what is
kept, `MOST` rows; of domains that were not ours when the report came, `MOST_FOREIGN`. Beyond that a report is not counted:
to delete older ones would let whoever sends enough false reports do away with the true ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.aggregate.summary import DAY, DmarcReport, DmarcSource, TlsResult, day_of

from ..api import DmarcSum, SumReport, TlsSum
from .rows import micros
from .values import BadRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from mailer.aggregate.summary import AggregateReport, TlsReport

    from ..api import Counted

MOST = 500_000  # rows of all reports, of about 150 bytes each
MOST_FOREIGN = 50_000

PUT_REPORT = "INSERT OR IGNORE INTO aggregate_reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
ADD_DMARC = """
INSERT INTO dmarc_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, ours = max(ours, excluded.ours)
"""
ADD_TLS = """
INSERT INTO tlsrpt_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET sessions = sessions + excluded.sessions, ours = max(ours, excluded.ours)
"""
ROWS = """
SELECT (SELECT count(*) FROM aggregate_reports WHERE ours >= :ours) + (SELECT count(*) FROM dmarc_rows WHERE ours >= :ours)
    + (SELECT count(*) FROM tlsrpt_rows WHERE ours >= :ours)
"""
FORGET = (
    "DELETE FROM dmarc_rows WHERE day < :day",
    "DELETE FROM tlsrpt_rows WHERE day < :day",
    "DELETE FROM aggregate_reports WHERE max(end_time, received_time) < :day * 86400000000",
)

DMARC_SUMS = """
SELECT day, domain, reporter, author, source, disposition, dkim, spf, signer, signed, path, allowed, override, messages
    FROM dmarc_rows WHERE day >= ? ORDER BY day, domain, reporter
"""
TLS_SUMS = (
    "SELECT day, reporter, domain, policy, result, host, reason, sessions FROM tlsrpt_rows WHERE day >= ? ORDER BY day, domain, reporter"
)
REPORTS = """
SELECT kind, reporter, report_id, domain, begin_time, end_time, received_time, policy, bad, trouble, ours
    FROM aggregate_reports WHERE end_time >= ? ORDER BY end_time DESC, kind, reporter, report_id, domain
"""


class RowCounts(NamedTuple):
    """How many rows there are in all, and of domains that were not ours; no fewer, for rows that were there already count twice."""

    all: int
    foreign: int


def counts(db: sqlite3.Connection) -> RowCounts:
    """How many rows there are. It takes a tenth of a second where there are very many. Raises `sqlite3.Error`."""
    (all_rows,), (own_rows,) = (db.execute(ROWS, {"ours": least}).fetchone() for least in (0, 1))
    return RowCounts(all_rows, all_rows - own_rows)


def put(
    db: sqlite3.Connection, reports: Sequence[AggregateReport], at: float, ours: Callable[[str], bool], before: RowCounts
) -> tuple[list[Counted], RowCounts]:
    """Count `reports`, within a transaction of the caller's, where there were so many rows `before`; returns how many there are after it.

    Raises `sqlite3.Error`.
    """
    all_rows, foreign_rows = before
    became: list[Counted] = []
    for report in reports:
        rows = len(report.counts) + 1
        own = ours(report.domain) if isinstance(report, DmarcReport) else any(ours(what.domain) for what in report.counts)
        if all_rows + rows > MOST or (not own and foreign_rows + rows > MOST_FOREIGN):
            became.append("full")
        elif not _put_report(db, report, at, own=own):
            became.append("known")
        else:
            _add(db, report, ours, own=own)
            all_rows, foreign_rows = all_rows + rows, foreign_rows + (0 if own else rows)
            became.append("new")
    return became, RowCounts(all_rows, foreign_rows)


def _put_report(db: sqlite3.Connection, report: AggregateReport, at: float, *, own: bool) -> bool:
    """Whether it was not known."""
    if isinstance(report, DmarcReport):
        kind, domain, policy, trouble = "dmarc", report.domain, report.policy or None, report.trouble or None
    else:
        kind, domain, policy, trouble = "tlsrpt", "", None, None
    times = (micros(report.begin), micros(report.end), micros(at))
    row = (kind, report.reporter, report.report_id, domain, *times, own, policy, report.bad, trouble, report.contact or None)
    return db.execute(PUT_REPORT, row).rowcount > 0


def _add(db: sqlite3.Connection, report: AggregateReport, ours: Callable[[str], bool], *, own: bool) -> None:
    day = day_of(report.begin, report.end)
    if isinstance(report, DmarcReport):
        db.executemany(ADD_DMARC, [(day, report.domain, report.reporter, *what, own, count) for what, count in report.counts.items()])
    else:
        db.executemany(ADD_TLS, _tls_rows(report, day, ours))


def _tls_rows(report: TlsReport, day: int, ours: Callable[[str], bool]) -> list[tuple[object, ...]]:
    return [(day, what.domain, report.reporter, *what[1:], ours(what.domain), count) for what, count in report.counts.items()]


def forget(db: sqlite3.Connection, before: float) -> None:
    """Delete what is about days before then (seconds since the epoch), within a transaction of the caller's. Raises `sqlite3.Error`."""
    for statement in FORGET:
        db.execute(statement, {"day": int(before // DAY)})


def dmarc_sum(row: Sequence[object]) -> DmarcSum:
    """A row of `DMARC_SUMS`. Raises `BadRow`."""
    day, domain, reporter, author, source, disposition, dkim, spf, *texts, messages = row
    signer, signed, path, allowed, override = map(_text, texts)
    what = DmarcSource(
        _text(author), _text(source), _text(disposition), bool(_number(dkim)), bool(_number(spf)), signer, signed, path, allowed, override
    )
    return DmarcSum(_day(day), _text(domain), _text(reporter), what, _number(messages))


def tls_sum(row: Sequence[object]) -> TlsSum:
    """A row of `TLS_SUMS`. Raises `BadRow`."""
    day, reporter, domain, policy, result, host, reason, sessions = row
    what = TlsResult(_text(domain), _text(policy), _text(result), _text(host), _text(reason))
    return TlsSum(_day(day), _text(reporter), what, _number(sessions))


def report(row: Sequence[object]) -> SumReport:
    """A row of `REPORTS`. Raises `BadRow`."""
    kind, reporter, report_id, domain, begin, end, received, policy, bad, trouble, ours = row
    words = _text(kind), _text(reporter), _text(report_id), _text(domain)
    times = _time(begin), _time(end), _time(received)
    return SumReport(*words, *times, _text(policy), _number(bad), _text(trouble), bool(_number(ours)))


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise BadRow("no text")


def _number(value: object) -> int:
    if isinstance(value, int) and value >= 0:
        return value
    raise BadRow("no count")


def _time(value: object) -> float:
    return _number(value) / 1e6


def _day(value: object) -> int:
    day = _number(value)
    if day > 2932896:  # the last one of the year 9999
        raise BadRow("no day")
    return day
