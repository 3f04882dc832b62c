"""The traceparent of W3C Trace Context, §3.2: which step of which trace caused something, as one text that travels along."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
"""Version 00. What a later version writes behind it is for those who know that version."""


class TraceParent(NamedTuple):
    """The span `span_id` of the trace `trace_id`, and whether whoever made it has `sampled` it."""

    trace_id: int
    span_id: int
    sampled: bool


def parse(text: str) -> TraceParent | None:
    """What `text` names; None for what is no traceparent, which is to be ignored (§3.2.2)."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    trace, span, flags = (int(each, 16) for each in found.groups())
    return TraceParent(trace, span, bool(flags & 1)) if trace and span else None
