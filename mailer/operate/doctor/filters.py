"""The filters of incoming mail, each asked whether it answers. Used by `visit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.operate.filtering import states

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.operate.filtering import FilterState

CHECK = "filter"


async def filters(config: Config) -> list[Finding]:
    """What each filter answers; a list that is not believed is no great matter, since mail goes on without it."""
    return [_finding(each) for each in await states(config)]


def _finding(state: FilterState) -> Finding:
    subject = f"{state.name} at {state.place}" if state.kind != "blocklist" else state.place
    if not state.trouble:
        return Finding(CHECK, subject, PASS, state.well)
    if state.kind == "blocklist":
        remedy = "ask through a resolver of your own, or leave the list out"
        return Finding(CHECK, subject, WARN, f"{state.trouble}: {state.otherwise}", remedy)
    return Finding(
        CHECK, subject, FAIL, f"{state.trouble}: {state.otherwise}", "start it, or see its log; mailer filter list asks it again"
    )
