"""``mailer status --check``: one line and an exit code for a monitoring system or a timer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.config import values
from mailer.intake.view import view_of
from mailer.operate.health import Bounds, examine

from . import show
from .options import usage
from .selectors import lack_of, sandbox_of, spool_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.operate.health import CheckedHealth
    from mailer.spool.files.store import SpoolDirectory

    from .options import Given

SIGNS = {"ok": "OK", "warning": "WARNING", "critical": "CRITICAL"}


def check(given: Given) -> int:
    """Say whether all is well: 0, 1 for a warning, 2 for what is critical."""
    if given.operands:
        raise usage("--check asks about the whole spool; name no message", "status")
    older = _bounds(given, "--older", values.duration)
    depth = _bounds(given, "--depth", _count)
    spool = spool_of(given)
    with view_of(spool) as view:
        found = examine(view.summary(0), view.alarms(), lack_of(given, view), older, depth, time.time())._replace(sandbox=sandbox_of(given))
    if given.flag("--json"):
        show.json_line(found.as_json())
    elif not given.flag("--quiet"):
        _print(found, spool)
    return found.code


def _print(found: CheckedHealth, spool: SpoolDirectory) -> None:
    """The first line says it; what Nagios takes for figures stands behind the bar."""
    now = time.time()
    what = show.localized(found.symptoms[0].text, now) if found.symptoms else f"all is well with {spool.place}"
    more = f" (and {len(found.symptoms) - 1} more)" if len(found.symptoms) > 1 else ""
    boxed = f" (SANDBOX: {found.sandbox.words})" if found.sandbox and found.sandbox.holds else ""
    figures = f"waiting={found.waiting} oldest={round(found.oldest)}s alarms={len(found.alarms)}"
    lines = [f"MAILER {SIGNS[found.health]} - {what}{more}{boxed} | {figures}"]
    lines += [
        f"{SIGNS[each.health]}: {show.localized(each.text, now)}{f'; to mend it: {each.remedy}' if each.remedy else ''}"
        for each in found.symptoms
    ]
    show.show([show.Line([line]) for line in lines])


def _bounds(given: Given, option: str, read: Callable[[object], float]) -> Bounds:
    """``15m`` is a warning beyond that, ``15m,2h`` is critical beyond the second. Raises `Problem` (usage)."""
    text = given.text(option)
    if not text:
        return Bounds()
    try:
        found = [read(part.strip()) for part in text.split(",")]
        if len(found) > 2 or found != sorted(found):
            raise ValueError
    except ValueError:
        raise usage(f"{option} takes a bound, or two with a comma between, the smaller first; not {text!r}", "status") from None
    return Bounds(*found)


def _count(text: object) -> float:
    return float(int(str(text)))
