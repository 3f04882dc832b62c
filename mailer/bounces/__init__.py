"""Reports about mail: those that are written here, of what was given up or is late, and what those of others come to.

`reports`     whether one is due, what it says, and how many one sender gets; it enters by the one door, `submit`
`keys`        the keys that sign return tokens
`matching`    which message of ours a report is about, and how sure that is
`aggregates`  what reports in sums (DMARC, TLS) come to
`world`       what is known of messages that were sent
`effects`     what follows from a report, decided
`hearing`     a part of the daemon, which does that
`marking`     the mark of a report that the sender of a message gets
"""

from __future__ import annotations

from .reports import REPORTED, OwnReport, OwnReports, ReportQuota, due_report, report_id

__all__ = ["REPORTED", "OwnReport", "OwnReports", "ReportQuota", "due_report", "report_id"]
