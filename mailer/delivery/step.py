"""A step: somebody has set the wall clock, and what waits goes with it.

What was to wait for five minutes more waits for five minutes more, whatever the clock shows now: no message is due a year early or
late, no destination rests for longer, no limit opens at once. That is done at once for what is in memory (`move`). What the files
say of when they are due is put right a few at a time (`redate`), since that may be a hundred thousand. Only what its sender wanted at
a time of day keeps that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.failure import Failure
from mailer.spool.file import CorruptFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.spool import Spool

    from .engine import Engine

FILES = 50  # looked at in one step
SLACK = 5.0  # seconds that are no difference
UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def move(engine: Engine, seconds: float) -> None:
    """The clock of `engine` shows so many seconds more, or less."""
    engine.scheduler.move(seconds)
    for line in engine.lines:
        line.began += seconds
    engine.policy.router.forget()  # what was found is known until a time
    if engine.policy.reactions is not None:
        engine.policy.reactions.move(seconds)


def redate(engine: Engine) -> Iterator[None]:
    """Give the files of ``deferred/`` the time at which they are due, if that is another one now, `FILES` at a time. Raises `OSError`."""
    spool, scheduler = engine.spool, engine.scheduler
    for nth, (written, id) in enumerate([*spool.dues()], 1):
        due = scheduler.due_of(id)
        if due and abs(due - written) > SLACK:
            try:
                scheduler.expect(id, spool.redate(id, due))
            except (Failure, CorruptFile):  # somebody has it; or it cannot be read, which whoever tries it will say
                pass
        if not nth % FILES:
            yield


def deferred(spool: Spool, now: float) -> tuple[list[tuple[float, str]], int]:
    """When each message of ``deferred/`` is due at the start of a daemon, and how many were put off by a clock that was ahead of `now`.

    These wait for as long as they were to. Their files were last changed in the future: so the clock was set back since.
    """
    dues, ahead = [], 0
    for due, changed, id in spool.put_off():
        if changed > now + SLACK and (waits := spool.redated(id, now + max(due - changed, 0.0))):
            dues.append((waits, id))
            ahead += 1
        else:
            dues.append((due, id))
    return dues, ahead


def words(seconds: float) -> str:
    """What happened, for people."""
    how = "ahead" if seconds > 0 else "back"
    size, unit = next((each for each in UNITS if abs(seconds) >= each[0]), UNITS[-1])
    return f"the clock of this machine was set {how} by {abs(seconds) / size:.1f} {unit}"
