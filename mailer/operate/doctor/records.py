"""What is kept beside the mail: the status database, the suppression list, notes of request ids, the list of pauses. Used by `visit`."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.spool.files import suspensions
from mailer.status import sqlite
from mailer.suppression import sqlite as suppression
from mailer.suppression.sqlite import PUT_BACK

from .place import REPAIR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.spool.files.condition import Flaw

HEAVY = 1 << 28  # bytes beside the database


def database(place: str, *, running: bool) -> Iterator[Finding]:
    """Whether the status can be read. Mail goes on without it; what became of mail is not known then."""
    found, name = sqlite.health(place), f"{place}/{sqlite.NAME}"
    if not found.there:
        text = "there is none yet; the daemon makes it when it starts"
        yield Finding("status", name, PASS, text)
    elif found.trouble:
        what = "cannot be looked at" if found.busy else "cannot be used"
        again = "the daemon begins it anew from the spool within a minute; else restart it" if running else f"{REPAIR} begins it anew"
        yield Finding("status", name, FAIL, f"{what}: {found.trouble}", "try again" if found.busy else f"{again}; no mail is lost by that")
    elif found.beside > HEAVY:
        text = f"{found.beside / 1e6:.0f} MB wait beside it to be put into it: somebody keeps it from that"
        yield Finding("status", name, WARN, text, "end whoever has it open for long (`fuser`); else restart the daemon")
    else:
        yield Finding("status", name, PASS, f"whole, {found.size / 1e6:.1f} MB")


def suppressed(place: str) -> Iterator[Finding]:
    """Whether the list of those who are not mailed can be read. While it cannot, no mail leaves."""
    name = f"{place}/{suppression.NAME}"
    found = suppression.health(place)
    if found.busy:
        yield Finding("suppression", name, WARN, found.trouble, "try again; `fuser` says who has it open")
    elif found.trouble:
        text, _, hint = found.trouble.partition("; ")
        yield Finding("suppression", name, FAIL, f"{text}: mail waits until it can be read", hint or PUT_BACK)
    elif found.there:
        yield Finding("suppression", name, PASS, f"whole, {found.entries} entries")
    else:
        yield Finding("suppression", name, PASS, "there is none: nobody is kept from being mailed")


def requests(place: str, flaws: Callable[[], Sequence[Flaw]]) -> Iterator[Finding]:
    """The notes of request ids, by which what is asked for twice is queued once."""
    damaged = [each.path for each in flaws() if each.kind == "key"]
    if damaged:
        text = f"{len(damaged)} notes are damaged, so that their requests are refused"
        yield Finding("request ids", damaged[0], FAIL, text, f"rm {damaged[0]}, if its message was sent; else it may be sent twice")
        return
    try:
        many = len(os.listdir(f"{place}/keys"))
    except FileNotFoundError:
        many = 0
    yield Finding("request ids", f"{place}/keys", PASS, f"{many} are known")


def pauses(place: str, now: float | None = None) -> Iterator[Finding]:
    """The destinations that an operator lets wait, which is easily forgotten."""
    moment = time.time() if now is None else now
    try:
        known = suspensions.read(place)
    except Problem as problem:
        yield Finding("pauses", f"{place}/{suspensions.NAME}", FAIL, str(problem), f"rm {place}/{suspensions.NAME}, and pause again")
        return
    holding = [each for each in known if each.holds(moment)]
    for each in holding:
        until = "until somebody resumes it" if math.isinf(each.until) else f"until {rfc3339(int(each.until))}"
        why = f": {each.why}" if each.why else ""
        yield Finding("pauses", each.target, WARN, f"waits {until}{why}", f"mailer queue resume {each.target}")
    if not holding:
        yield Finding("pauses", place, PASS, "no destination is paused")
