"""Python's collector of garbage, for a process that lasts."""

from __future__ import annotations

import gc


def quieten_collector() -> None:
    """Look for garbage rarely: what was imported stays, and messages come and go without cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
