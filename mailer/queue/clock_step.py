"""A step: somebody has set the wall clock, and what waits goes with it.

What was to wait for five minutes more waits for five minutes more, whatever the clock shows now: no message is due a year early or
late, no destination rests for longer, no limit opens at once. That is done at once for what is in memory (`move`). What the files, their
records and the status database say of when they are due is put right a few at a time (`redate`), since that may be a hundred thousand.
Only what its sender wanted at a time of day keeps that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Settled
from mailer.spool.api import Defer, Due, End, GiveBack, Trouble

from . import age

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry

    from .context import Context

SLACK = 5.0  # seconds that are no difference
UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def move(context: Context, seconds: float) -> None:
    """Move all times in memory by so many seconds, for the clock was set: what is until or since a time is so by the new one."""
    context.scheduler.move(seconds)
    context.policy.router.forget()  # what was found is known until a time
    if context.policy.reactions is not None:
        context.policy.reactions.move(seconds)


async def redate(context: Context) -> AsyncIterator[None]:
    """Give what is put off the time at which it is due, if that is another one now, in portions. Raises `OSError`."""
    scheduler = context.scheduler
    async for portion in context.spool.due(frozenset[str]().__contains__):
        for found in portion:
            if isinstance(found, Due) and found.state == "deferred":
                due = scheduler.due_of(found.id)
                if due and abs(due - found.due) > SLACK and (due := await _redated(context, found.id, due)):
                    scheduler.expect(found.id, due)
        yield


async def _redated(context: Context, id: str, due: float) -> float:
    """Message `id` and its recipients are due at `due` now, or at the time that its sender named: in the spool, and wherever people look.

    Returns when; 0.0 where somebody has it, or it cannot be read or written, which whoever tries it will say. Then the spool keeps the old
    time, as after a crash, which the invariants find if it is far off.
    """
    spool, now = context.spool, context.clock.now()
    [entry] = await spool.load([id])
    if isinstance(entry, Trouble):
        return 0.0
    try:
        if entry.state != "deferred":
            return 0.0
        [lease] = await spool.lease([entry])
        if isinstance(lease, Trouble):
            return 0.0
        due = entry.appointed or due
        waited = age.waited(entry, context.clock, context.policy.schedule.expire)
        outcomes = _moved(entry, due - entry.due, now, waited)
        [done] = await spool.settle([End(lease, outcomes, Defer(due))])
        if isinstance(done, Trouble):
            await spool.settle([End(lease, (), GiveBack())])
            return 0.0
    finally:
        spool.forget([entry])
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


async def waiting(context: Context, now: float) -> tuple[list[Due | Trouble], int]:
    """All that waits at the start of a daemon, and how many were put off by a clock that was ahead of `now`.

    These wait for as long as they were to. They were put off in the future: so the clock was set back since.
    """
    found: list[Due | Trouble] = []
    ahead = 0
    async for portion in context.spool.due(frozenset[str]().__contains__):
        for each in portion:
            if isinstance(each, Due) and each.changed > now + SLACK:
                waits = await _redated(context, each.id, now + max(each.due - each.changed, 0.0))
                ahead += waits > 0
                found.append(each._replace(due=waits or each.due))
            else:
                found.append(each)
    return found, ahead


def words(seconds: float) -> str:
    """What happened to the clock, in words for people."""
    how = "ahead" if seconds > 0 else "back"
    size, unit = next((each for each in UNITS if abs(seconds) >= each[0]), UNITS[-1])
    return f"the clock of this machine was set {how} by {abs(seconds) / size:.1f} {unit}"
