"""Reports about mail that was given up, or is late: whether one is due, what it says, and how many one sender gets.

In `reports`, `Reports` decides and writes, `Quota` counts. What comes out of it enters by the one door, `submit`.
"""

from __future__ import annotations

from .reports import REPORTED, Quota, Report, Reports, due_report, report_id

__all__ = ["REPORTED", "Quota", "Report", "Reports", "due_report", "report_id"]
