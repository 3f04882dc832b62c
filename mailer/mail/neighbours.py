"""The processes beside a daemon, by the names that they tell of themselves with: in the log, in notes, in the names of their locks."""

from __future__ import annotations

MOST_ACCESS = 16
"""The most processes by which users read their mail."""

ACCESS = ("access", *(f"access-{number}" for number in range(2, MOST_ACCESS + 1)))
NEIGHBOURS = ("web", "amqp", "hooks", *ACCESS)
