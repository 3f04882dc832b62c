"""``mailq``, ``sendmail -bp`` and ``sendmail -q``: the queue in the shape that scripts and monitors of decades expect.

Each message is a line with its ID, size, time and sender, then the reason if it waits for one, then whoever is still to
get it, indented; the last line counts: ``-- 3 Kbytes in 2 Requests.``, or ``Mail queue is empty``. An ID has ``*`` behind it while the
message is being delivered, and ``!`` while it is held. `mailer queue` says more, to people and in JSON.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from mailer.config.quick import submission
from mailer.intake.view import view_of
from mailer.mail.history import PENDING, SCHEDULED
from mailer.mail.text import safe
from mailer.spool.files.store import SpoolDirectory
from mailer.status.api import Filter, every

from . import OK
from .options import Given

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.status.record import Record

HEADING = f"{'-------- ID --------':<27} {'-Size-':>9} {'-- Arrival Time --':<20} Sender/Recipient"
MARKS = {"sending": "*", "held": "!"}
UNSENT = frozenset({"queued", "deferred", "sending", "held"})  # a recipient that is still to get it


def listing() -> int:
    """Print the queue, oldest first."""
    with view_of(SpoolDirectory(submission().spool)) as view:
        records = list(every(partial(view.queue, Filter(states=frozenset((*PENDING, SCHEDULED))))))
    if not records:
        print("Mail queue is empty")
        return OK
    print(HEADING)
    for record in records:
        print("\n".join(_lines(record)), end="\n\n")
    size = (sum(record.size for record in records) + 1023) // 1024
    print(f"-- {size} Kbytes in {len(records)} Request{'s' if len(records) > 1 else ''}.")
    return OK


def _lines(record: Record) -> Iterator[str]:
    at = _time(record.queued_at)
    yield f"{record.id + MARKS.get(record.status, ''):<27} {record.size:>9} {at:<20} {safe(record.sender) or 'MAILER-DAEMON'}"
    if record.scheduled and record.next_attempt_at:
        yield f"(scheduled for {_time(record.next_attempt_at)})"
    reason = ""
    for recipient in sorted((one for one in record.recipients if one.status in UNSENT), key=lambda one: one.why):
        if recipient.why != reason:
            reason = recipient.why
            yield f"({safe(reason)})"
        yield f"{'':<58} {safe(recipient.address)}"


def _time(at: float) -> str:
    return time.strftime("%a %b %e %H:%M:%S", time.localtime(at))


def flush(what: str) -> int:
    """Make due now what was put off: everything, or after ``I`` the message with an ID, after ``R`` all for a domain.

    Mail that is to leave later was not put off, and keeps its time unless it is named.
    """
    from .queue import COMMANDS

    values = {"--quiet": [""]}
    if what[:1] != "I":
        values |= {"--domain": [what[1:]]} if what else {"--all": [""]}
    return COMMANDS["retry"].run(Given(COMMANDS["retry"], values, [what[1:]] if what[:1] == "I" else []))
