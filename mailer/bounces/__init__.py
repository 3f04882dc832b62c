"""Reports about mail that was given up, or is late: whether one is due, what it says, and how many one sender gets.

`reports` decides and writes, `quota` counts. The engine's `delivery.settle` puts what comes out of it through the one door, `submit`.
"""

from __future__ import annotations

from .quota import Quota
from .reports import REPORTED, Report, Reports, due_report, report_id

__all__ = ["REPORTED", "Quota", "Report", "Reports", "due_report", "report_id"]
