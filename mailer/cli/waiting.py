"""``mailer send --wait``: what became of the message, as an exit code: 0 sent, 75 not yet, 69 given up.

Whoever may read the spool watches the message's file: it is gone when all have it, and elsewhere when something went wrong. Another
user asks the daemon.
"""

from __future__ import annotations

import os
import time

from mailer.mail.failure import NO_PERMISSION, NO_SUCH, OK, TRY_AGAIN, UNAVAILABLE, Failure

from .options import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.submit import Submitted

POLL = 0.02  # seconds between looks at the spool
ASK = 0.2  # seconds between questions to the daemon


def seconds_of(text: str | None) -> float | None:
    """How long to wait; None: not at all, infinite without a number. Raises `Failure` (64)."""
    if text is None:
        return None
    if not text:
        return float("inf")
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise usage(f"--wait takes a number of seconds, not {text!r}", "send")
    return seconds


def wait(spool: str, done: Submitted, seconds: float) -> int:
    """Wait up to `seconds` for the outcome. Raises `Failure` for every other than that all have it."""
    id, due = done.envelope.id, done.envelope.due
    if not done.heard and seconds == float("inf"):
        raise Failure(f"{id} is queued, but no daemon runs on {spool} to deliver it (`mailer run` starts one)", TRY_AGAIN)
    look = _look if os.access(f"{spool}/queued", os.X_OK) else _ask
    pause = POLL if look is _look else ASK
    end = time.monotonic() + seconds
    while True:
        status = look(spool, id, due)
        if status == "sent":
            return OK
        if status == "failed":
            raise Failure(f"{id} failed; `mailer status {id}` says why", UNAVAILABLE)
        if status == "deferred":
            raise Failure(f"{id} was put off for now; `mailer status {id}` says why", TRY_AGAIN)
        if time.monotonic() >= end:
            raise Failure(f"{id} is still queued after {seconds:g} seconds", TRY_AGAIN)
        time.sleep(pause)


def _look(spool: str, id: str, due: float) -> str:
    """Where its file is; one that is to leave later counts as queued. It may be renamed between two looks, so all are made twice."""
    for _ in range(2):
        for state in ("failed", "deferred", "queued", "held"):
            try:
                known = os.stat(f"{spool}/{state}/{id}")
            except FileNotFoundError:
                continue
            return "queued" if state == "deferred" and known.st_mtime <= due + 0.001 else state
    return "sent"


def _ask(spool: str, id: str, due: float) -> str:
    """What the daemon says. What is in ``drop/`` it does not know yet, and waits there."""
    from mailer.intake.remote import RemoteView

    try:
        record = RemoteView(spool).message(id)
    except Failure as failure:
        if failure.code not in (NO_PERMISSION, NO_SUCH):
            raise
        return "queued"
    if record is None or (record.status == "deferred" and (record.next_attempt_at or 0.0) <= due + 0.001):
        return "queued"
    return "failed" if record.status in ("expired", "cancelled") else record.status
