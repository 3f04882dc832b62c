"""The age of a message: for how long it has really been waited for, and when it is given up.

By no clock that can be set. What the last records say was waited by then, and what has passed since. Whoever has run since then has
seen that pass; of the time before he was started, the wall clock alone says how long it was, and it may be wrong: of that no more
counts than half of the time to expire, or what was planned when it began. So passes of ``run --once`` give up in time, and neither a
clock that is put right by three weeks nor a week without a daemon makes mail expire that has hardly been tried.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from mailer.bounces.reports import asked_of
from mailer.mail.delivery_options import MAX_SECONDS, Request

if TYPE_CHECKING:
    from mailer.io.clock import SteadyClock
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry

    from .attempt import Attempt


def deadline(entry: Entry, clock: SteadyClock, expire: float, waited: float) -> float:
    """When a message that was `waited` for so long is given up, in seconds since the epoch: `expire` seconds after it could leave."""
    asked = asked_of(entry.envelope)
    if asked.by is not None and asked.by_return:  # RFC 2852 §4.2
        return clock.now() + min(asked.by, expire) - since(entry, clock)
    return clock.now() + expire - waited


def waited_in(attempt: Attempt, clock: SteadyClock, expire: float) -> float:
    """How long its message has waited, in seconds; its records, which may be very many, are read once for all parts of the attempt."""
    if attempt.age is None:
        attempt.age = clock.now(), waited(attempt.entry, clock, expire)
    then, waited_then = attempt.age
    return waited_then + clock.waited(then, inf)


def deadline_of(attempt: Attempt, clock: SteadyClock, expire: float) -> float:
    """When the message of an attempt is given up, in seconds since the epoch."""
    return deadline(attempt.entry, clock, expire, waited_in(attempt, clock, expire))


def overdue(attempt: Attempt, clock: SteadyClock, expire: float) -> bool:
    """Whether the sender wants the message back by now rather than delivered."""
    asked = asked_of(attempt.entry.envelope)
    return asked.by is not None and asked.by_return and clock.now() >= deadline_of(attempt, clock, expire)


def since(entry: Entry, clock: SteadyClock) -> float:
    """For how many seconds it could have left, as far as any clock can say: a sender who wants it there in time counts all of it."""
    return clock.waited(_began(entry), inf)


def asked(entry: Entry, clock: SteadyClock) -> Request:
    """What the sender asks of the hosts on the way, who get what is left of his time. RFC 2852 §4.1.4

    What nobody could ask, in a file that somebody else wrote, is not asked.
    """
    found = asked_of(entry.envelope)
    if found.by is None:
        return found
    left = found.by - int(since(entry, clock))
    return replace(found, by=max(left, 1) if found.by_return else max(left, -MAX_SECONDS))


def waited(entry: Entry, clock: SteadyClock, expire: float) -> float:
    """For how many seconds somebody has really waited for it, of the `expire` that it has."""
    lasts = {(last.at, last.due, last.waited): last for last in entry.history.last.values() if last.verdict == "defer"}
    if not lasts:
        return clock.waited(_began(entry), 0.0)
    return max(_by(entry, last) + clock.waited(last.at, max(last.due - last.at, expire / 2)) for last in lasts.values())


def _by(entry: Entry, last: Outcome) -> float:
    """How much of that was over when `last` was learned."""
    return max(last.at - _began(entry), 0.0) if last.waited is None else last.waited


def _began(entry: Entry) -> float:
    """Since when it could have left: what was to wait has its whole time after that."""
    return max(entry.arrived, entry.envelope.due)
