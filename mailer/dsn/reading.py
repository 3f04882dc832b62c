"""Reads what came back: which kind of report it is, and what it says of whom."""

from __future__ import annotations

from .reported import Report, Reported, ReportKind

__all__ = ["Report", "ReportKind", "Reported", "read"]


def read(content: bytes) -> Report:
    """The report that the message `content` is; any octets are one, if only of the kind ``none``."""
    return Report(ReportKind.NONE, header=content[:0])
