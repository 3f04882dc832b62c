"""A step: somebody has set the wall clock, and what waits goes with it.

What was to wait for five minutes more waits for five minutes more, whatever the clock shows now: no message is due a year early or
late, no destination rests for longer, no limit opens at once. That is done at once for what is in memory (`move`). What the files, their
records and the status database say of when they are due is put right a few at a time (`redate`), since that may be a hundred thousand.
Only what its sender wanted at a time of day keeps that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Settled
from mailer.mail.problem import Problem
from mailer.spool.api import CorruptMessage

from . import age

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry

    from .context import Context

FILES = 50  # looked at in one step
SLACK = 5.0  # seconds that are no difference
UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def move(context: Context, seconds: float) -> None:
    """Move all times in memory by so many seconds, for the clock was set: what is until or since a time is so by the new one."""
    context.scheduler.move(seconds)
    context.policy.router.forget()  # what was found is known until a time
    if context.policy.reactions is not None:
        context.policy.reactions.move(seconds)


def redate(context: Context) -> Iterator[None]:
    """Give the files of ``deferred/`` the time at which they are due, if that is another one now, `FILES` at a time. Raises `OSError`."""
    scheduler = context.scheduler
    for nth, (written, id) in enumerate([*context.spool.dues()], 1):
        due = scheduler.due_of(id)
        if due and abs(due - written) > SLACK and (due := _redated(context, id, due)):
            scheduler.expect(id, due)
        if not nth % FILES:
            yield


def _redated(context: Context, id: str, due: float) -> float:
    """Message `id` and its recipients are due at `due` now, or at the time that its sender named: on disk, and wherever people look.

    Returns when; 0.0 where somebody has it, or it cannot be read or written, which whoever tries it will say. Then the file keeps the old
    time, as after a crash, which the invariants find if it is far off.
    """
    try:
        with context.spool.claim(id, "deferred") as claim:
            entry, now = claim.entry, context.clock.now()
            due = entry.appointed or due
            waited = age.waited(entry, context.clock, context.policy.schedule.expire)
            outcomes = _moved(entry, due - entry.due, now, waited)
            context.spool.defer(claim, outcomes, due)
    except (Problem, CorruptMessage, OSError):
        return 0.0
    entry.history.add(outcomes)
    context.recorder.told(Settled(now, entry, "deferred", due))
    return due


def _moved(entry: Entry, by: float, now: float, waited: float) -> list[Outcome]:
    """What is known of the recipients that wait, with a time of the next try that is `by` seconds later. That is no attempt."""
    last = entry.history.last
    return [
        last[to]._replace(at=now, due=last[to].due + by, counts=False, waited=waited, seconds=0.0, moved=True)
        for to in entry.history.pending()
        if to in last and last[to].due
    ]


def deferred(context: Context, now: float) -> tuple[list[tuple[float, str]], int]:
    """When each message of ``deferred/`` is due at the start of a daemon, and how many were put off by a clock that was ahead of `now`.

    These wait for as long as they were to. Their files were last changed in the future: so the clock was set back since.
    """
    dues, ahead = [], 0
    for due, changed, id in context.spool.put_off():
        waits = _redated(context, id, now + max(due - changed, 0.0)) if changed > now + SLACK else 0.0
        ahead += waits > 0
        dues.append((waits or due, id))
    return dues, ahead


def words(seconds: float) -> str:
    """What happened to the clock, in words for people."""
    how = "ahead" if seconds > 0 else "back"
    size, unit = next((each for each in UNITS if abs(seconds) >= each[0]), UNITS[-1])
    return f"the clock of this machine was set {how} by {abs(seconds) / size:.1f} {unit}"
