"""The fields that say what was thought of a message: X-Spam-Flag, by which it is sorted, and its score; what nobody has looked at.

Those of strangers are cut out before, so a reader may believe them.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .api import Verdict
    from .attended import FilterFinding

WIDTH = 78
MOST_TESTS = 50


def written(findings: Sequence[FilterFinding], listed: Sequence[str], score: float, mark: float, verdict: Verdict) -> bytes:
    """The fields, each with its line end, for a message that is taken. `listed` are names of what else has spoken against it."""
    why = {each.name: "it does not answer" if each.failure else each.opinion.unscanned for each in findings}
    unchecked = [f"{name} ({text})" for name, text in why.items() if text]
    tests = [*listed, *(test for each in findings for test in each.opinion.tests)][:MOST_TESTS]
    is_spam = verdict in ("mark", "hold")
    fields = [("X-Spam-Flag", "YES")] if is_spam else []
    said = f"{'Yes' if is_spam else 'No'}, score={score:.1f} required={mark:.1f} tests={','.join(tests) or 'none'}"
    fields += [("X-Spam-Score", f"{score:.1f}"), ("X-Spam-Status", said)]
    if unchecked:
        fields.append(("X-Spam-Unchecked", ", ".join(unchecked)))
    return b"".join(_field(name, value) for name, value in fields)


def _field(name: str, value: str) -> bytes:
    """One field, folded at blanks and behind commas. RFC 5322 §2.2.3"""
    shown = "".join(char if char.isascii() and char.isprintable() else "?" for char in value)
    lines = wrap(f"{name}: {shown.replace(',', ', ').replace(',  ', ', ')}", WIDTH, subsequent_indent="\t", break_on_hyphens=False)
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
