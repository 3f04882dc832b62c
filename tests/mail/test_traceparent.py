"""Traceparent: what caused something, in the form of W3C Trace Context."""

from __future__ import annotations

import pytest

from mailer.mail.traceparent import TraceParent, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True)])
def test_it_names_a_span_of_a_trace(flags: str, sampled: bool) -> None:
    """And says whether that was sampled."""
    assert parse(f"00-{TRACE}-{SPAN}-{flags}") == TraceParent(int(TRACE, 16), int(SPAN, 16), sampled)


@pytest.mark.parametrize(
    "text",
    [
        "", "00", f"00-{TRACE}-{SPAN}", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"01-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-x", f"00-{TRACE}-{SPAN}-01\n", f" 00-{TRACE}-{SPAN}-01",
    ],
)  # fmt: skip
def test_what_is_none_is_ignored(text: str) -> None:
    """As the recommendation wants it."""
    assert parse(text) is None
