"""Reactions: what a refusal leads to besides what its code says, as the configuration and a table that is shipped have it.

The rules are data (``[[reaction]]``; ``reactions.toml`` and ``meanings.toml`` beside this file). What a reply means is found out here for
`verdict`, which judges by it. And here is what the five actions do:

========  ====================================================================================================
pause     nothing goes to the destination for the time; what waits for it is put off, this message too
slow      half the sessions, and half of its rates, for the time; the message is tried again when its schedule says
source    our source rests there for the time, and the message leaves by another one soon; nothing where there is none
defer     this message is tried again after the time, the first `PATIENT` times; then when its schedule says
fail      this message is given up
========  ====================================================================================================

Looked at is what was not delivered, and nothing else: a message that is taken costs nothing here. What we wrote ourselves, because
nobody said anything, is no reply. From which source a job leaves, and whether one has room, is asked for when it is
taken on (`held`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mailer.config.expression import LONGEST, says
from mailer.config.file import config_of
from mailer.limits.backoff import Schedule
from mailer.mail.outcome import CAUSES, REFUSALS, Cause
from mailer.transport.verdict import source_exhausted

from .sources import PAUSE, Wait
from .table import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.config.sections.shaping import Reaction
    from mailer.limits.window import Window
    from mailer.mail.outcome import Outcome, Phase
    from mailer.smtp.reply import Reply
    from mailer.spool.api import Entry
    from mailer.transport.route import Route

    from .sources import Sources
    from .table import TermsTable, Throttle

PATIENT = 3  # tries that are put off by a rule; who says for ever that we should come back soon is not believed
MOST = 1000  # destinations that are slowed down, before those are forgotten that were
BREATH = 30.0  # seconds before a destination that was slowed down is slowed down again
AGAIN = 30.0  # seconds until a message leaves by another source
MENDED = 900.0  # seconds until it is looked whether what a relay refuses of ours has been mended
QUOTA = 3600.0  # the same for what an account may send in a day
LOGIN = (Cause.LOGIN_REFUSED, Cause.LOGIN_WANTED)
_QUOTE = re.compile(r" said: \d{3}|callout verification failed:", re.IGNORECASE)


class Reacting(Protocol):
    """A destination, as far as its replies change it: `paused_until` (seconds since the epoch) it rests, for `pause_reason`."""

    key: str
    window: Window
    paused_until: float
    pause_reason: str


class Leaving(Protocol):
    """Recipients (numbers in the envelope of `entry`) that go by one `route`, from the `source` of that name, where there are some."""

    route: Route
    recipients: Sequence[int]
    source: str

    @property
    def entry(self) -> Entry:
        """The message."""


class Slowed(NamedTuple):
    """A destination has had less `since` then, and has it `until` then; `cap` is what its window may have otherwise."""

    since: float
    until: float
    destination: Reacting
    cap: int


@lru_cache(1)
def shipped() -> tuple[Reaction, ...]:
    """The reactions that mailer comes with: what is known of the replies of others."""
    found = [(name, files(__package__).joinpath(name).read_bytes()) for name in ("reactions.toml", "meanings.toml")]
    return tuple(rule for name, data in found for rule in config_of(name, data, only=("reaction",)).reactions)


class Reactions:
    """The rules in their order, with the destinations that they have `slowed` so far, which outlive a reload."""

    def __init__(self, table: TermsTable, sources: Sources | None = None, slowed: dict[str, Slowed] | None = None) -> None:
        config = table.config
        self.table = table
        self.sources = sources
        self.slowed: dict[str, Slowed] = {} if slowed is None else slowed
        rules = (*config.reactions, *(shipped() if config.delivery.known_replies else ()))
        formed = [(rule, tuple(pattern.form for pattern in rule.match)) for rule in rules]
        self.rules = [each for each in formed if each[0].action]
        own = len(config.reactions)
        self.meanings = [each for each in formed[:own] if each[0].means], [each for each in formed[own:] if each[0].means]
        """Those of the configuration, and those that come with the program."""

    # Before a job is taken on

    def held(self, job: Leaving, now: float, random: Callable[[], float]) -> list[Outcome]:
        """Outcomes where the job cannot begin now; none where it may, from the source and the way that the job has then.

        Nothing holds a job up where there are no `sources` and nothing is `slowed`.
        """
        if self.slowed:
            self._speed_up(job.route.key, now)
        if self.sources is None or job.source:  # one that had to wait for its turn once more leaves from where it was to leave
            return []
        entry = job.entry
        last = next((past.source for past in reversed(entry.history.outcomes) if past.source and past.to in job.recipients), "")
        chosen = self.sources.choose(job.route, len(job.recipients) if entry.envelope.sender else 0, now, last)
        if isinstance(chosen, Wait):
            return source_exhausted(job.recipients, chosen.reason, now, chosen.until + PAUSE * random())
        job.source, job.route = chosen
        return []

    # After it was not delivered

    def react(
        self, destination: Reacting, job: Leaving, outcomes: Iterable[Outcome], now: float, random: Callable[[], float]
    ) -> list[Outcome]:
        """Do what the rules say; the outcomes as they are then."""
        return [outcome if outcome.verdict == "delivered" else self._react(destination, job, outcome, now, random) for outcome in outcomes]

    def _react(self, destination: Reacting, job: Leaving, outcome: Outcome, now: float, random: Callable[[], float]) -> Outcome:
        if job.source:
            outcome = outcome._replace(source=job.source)
        rule = self.rule(job.route.key, outcome)
        if rule is not None:
            outcome = self._done(rule, destination, job, outcome, now)
        if outcome.scope == "us" and not outcome.due and outcome.cause in REFUSALS:
            return outcome._replace(due=now + (QUOTA if outcome.cause is Cause.QUOTA_USED_UP else MENDED) * (1 + 0.2 * random()))
        steps = self.table(job.route).retry_schedule
        if steps and outcome.verdict == "defer" and not outcome.due and outcome.scope != "us":
            tries = job.entry.history.tries.get(outcome.to, 0) + outcome.counts
            schedule = Schedule(steps, 1.0, self.table.config.retry.jitter)
            outcome = outcome._replace(due=schedule.next_due(tries, now, random))
        return outcome

    def move(self, seconds: float) -> None:
        """Move all times by so many seconds, for the clock was set: what is until a time is so by the new one."""
        for key, slowed in self.slowed.items():
            self.slowed[key] = slowed._replace(since=slowed.since + seconds, until=slowed.until + seconds)
        if self.sources is not None:
            self.sources.move(seconds)

    def _slow_down(self, destination: Reacting, throttle: Throttle, now: float, until: float) -> None:
        """Half of what there is now. What all sessions hear at once is said once."""
        known = self.slowed.get(destination.key)
        if known is not None and now < known.since + BREATH:
            return
        if len(self.slowed) >= MOST:
            for key in [key for key, each in self.slowed.items() if now >= each.until]:
                del self.slowed[key]
        window = destination.window
        self.slowed[destination.key] = Slowed(now, until, destination, known.cap if known else window.cap)
        window.size = window.cap = max(int(window.size) // 2, 1)
        throttle.slow(until)

    def _speed_up(self, key: str, now: float) -> None:
        slowed = self.slowed.get(key)
        if slowed is not None and slowed.until <= now:
            del self.slowed[key]
            slowed.destination.window.cap = max(slowed.cap, slowed.destination.window.cap)

    def rule(self, key: str, outcome: Outcome) -> Reaction | None:
        """The first rule that holds for what the destination `key` said."""
        if outcome.ours or not outcome.code:
            return None
        if outcome.scope == "us" and (outcome.phase == "auth" or outcome.cause in LOGIN):  # a wrong password gives up nobody's mail
            return None
        return _first(self.rules, key, outcome.phase, outcome.code, outcome.reply)

    def meaning(self, key: str, phase: Phase, reply: Reply) -> Cause | None:
        """What a refusal by the destination `key` is known to mean."""
        own, known = self.meanings
        said = str(reply)
        rule = _first(own, key, phase, reply.code, said) or _first(known, key, phase, reply.code, _without_quote(said))
        return CAUSES[rule.means] if rule else None

    def _done(self, rule: Reaction, destination: Reacting, job: Leaving, outcome: Outcome, now: float) -> Outcome:
        until = now + (rule.duration or 0.0)
        key = job.route.key
        if rule.action == "fail":
            return outcome._replace(verdict="fail", due=0.0)
        if rule.action == "slow":
            self._slow_down(destination, self.table(job.route).throttle, now, until)
            return outcome
        if rule.action == "source":
            if not job.source or self.sources is None:
                return outcome
            other = self.sources.rest(key, job.source, until, outcome.reply, now)
            return outcome._replace(verdict="defer", due=now + AGAIN) if other else outcome
        if rule.action == "pause":
            destination.paused_until = max(destination.paused_until, until)
            destination.pause_reason = f"the destination rests because of its reply {outcome.reply}"
            return outcome._replace(verdict="defer", due=until)
        patient = job.entry.history.tries.get(outcome.to, 0) < PATIENT
        return outcome._replace(verdict="defer", due=until) if patient else outcome


def _without_quote(said: str) -> str:
    """Without what another host said of whoever asked about the recipient: it is not about us. As Postfix and Exim write it."""
    return _QUOTE.split(said, maxsplit=1)[0]


def _first(rules: Iterable[tuple[Reaction, tuple[str, ...]]], key: str, phase: Phase, code: int, reply: str) -> Reaction | None:
    return next((rule for rule, patterns in rules if _holds(rule, patterns, key, phase, code, reply)), None)


def _holds(rule: Reaction, patterns: Sequence[str], key: str, phase: Phase, code: int, reply: str) -> bool:
    if (rule.codes and code not in rule.codes) or (rule.phases and phase not in rule.phases):
        return False
    if patterns and not any(matches(pattern, key) for pattern in patterns):
        return False
    if rule.words:
        small = reply[:LONGEST].lower()
        if any(says(phrase, small) for phrase in rule.words):
            return True
    return rule.reply is not None and rule.reply.found(reply)
