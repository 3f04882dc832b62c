"""Reports about mail: those that are written here, of what was given up or is late, and what those of others come to.

`reports`   whether one is due, what it says, and how many one sender gets; it enters by the one door, `submit`
`keys`      the keys that sign return tokens
`matching`  which message of ours a report is about, and how sure that is
`aggregates`  what reports in sums (DMARC, TLS) come to
"""

from __future__ import annotations

from .reports import REPORTED, OwnReport, Quota, Reports, due_report, report_id

__all__ = ["REPORTED", "OwnReport", "Quota", "Reports", "due_report", "report_id"]
