"""The whole story of a message and what follows from it: what holds up each recipient now, until when, and what would help.

It can be told with the daemon stopped and with the database deleted, from what is left; what is not known is said. Where the mail would
go now is asked of the DNS, as `mailer.operate.route` does, for a moment only.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.dsn.explain import explain
from mailer.io.clock import SystemClock
from mailer.mail.address import domain_of
from mailer.mail.dates import rfc3339
from mailer.mail.history import UNDELIVERED
from mailer.mail.problem import Problem
from mailer.spool.api import Reserve, at_once
from mailer.spool.suspensions import Suspensions
from mailer.status.api import every
from mailer.status.judged import judged_attempt, judged_recipient
from mailer.status.story import classes_of

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.dsn.classes import Class
    from mailer.mail.outcome import Cause
    from mailer.routing.resolve import Resolution
    from mailer.status.api import DaemonState, MailView
    from mailer.status.record import RecipientRecord, Record
    from mailer.status.story import Attempted, Story

    from .blockers import Blocker, BlockerFacts

PATIENCE = 3.0  # seconds for the DNS
MAX_DOMAINS = 20  # whose way is looked up


class Blocked(NamedTuple):
    """What holds up one recipient until `due` (seconds since the epoch, 0.0 is now), or however long it takes where it is `ours`."""

    due: float
    blockers: list[Blocker]
    ours: bool


class Diagnosis(NamedTuple):
    """A story, and what follows from it: where its mail would go now, when it is given up, and what holds up each recipient.

    `blocked` goes by the number of the recipient. What waits for something of ours is not given up; `gives_up` (seconds since the epoch)
    is 0.0 where all do.
    """

    story: Story
    facts: BlockerFacts
    daemon: DaemonState
    gives_up: float
    blocked: dict[int, Blocked]

    def as_json(self) -> dict[str, object]:
        """The story with stable names: those of a message (`Record.as_json`), and more."""
        story = self.story
        document = story.record.as_json()
        document["submitter"] = {"uid": story.who and story.who.uid}
        document["arrival"] = story.arrival and story.arrival.as_json()
        document["asked_for"] = story.told
        document["expires_at"] = rfc3339(self.gives_up) if self.gives_up else None
        classes = classes_of(story.heard)
        document["recipients"] = [self._recipient(to, classes.get(to, "")) for to in range(len(story.record.recipients))]
        document["tries"] = [_attempt(story, each) for each in story.attempts]
        document["ways"] = [_way(domain, way) for domain, way in self.facts.ways.items()]
        document["reports"] = [
            {"id": report.id, "to": report.recipients[0].address, "status": report.status, "queued_at": rfc3339(report.queued_at)}
            for report in story.reports
        ]
        document["heard"] = [report.as_json() for report in story.heard]
        document["daemon"] = {"running": self.daemon.running, "pid": self.daemon.pid or None}
        document["sandbox"] = self.facts.config and self.facts.config.sandbox.as_json()
        document["not_known"] = story.missing
        return document

    def _recipient(self, to: int, reported: str) -> dict[str, object]:
        recipient = self.story.record.recipients[to]
        blocked = self.blocked.get(to)
        waits = blocked is not None and self.story.record.status == "deferred"
        last = self.story.last(to)
        bad = recipient.status in ("deferred", "failed", "expired", "bounced") and not (last and last.untried)
        judged = judged_recipient(recipient, reported) if recipient.status in UNDELIVERED else None
        return {
            **recipient.as_json(),
            "for": self.story.behalf.get(to),
            **_class(judged),
            "means": _means(recipient.code, recipient.enhanced_code, recipient.cause, bad),
            "next_attempt_at": rfc3339(blocked.due) if blocked and blocked.due and waits else None,
            "blocked_by": [blocker.as_json() for blocker in blocked.blockers] if blocked else [],
        }


def _class(judged: Class | None) -> dict[str, object]:
    return {"class": judged and judged.name, "hard": judged and judged.hard}


def _means(code: int, enhanced: str, cause: Cause | None, bad: bool) -> str | None:
    return explain(code, enhanced, cause).means if bad and (code or enhanced) else None


def _attempt(story: Story, attempt: Attempted) -> dict[str, object]:
    bad = attempt.verdict != "delivered"
    lines = story.dialogs.get(attempt.key) if bad else None
    return {
        "recipient": attempt.recipient,
        **attempt.as_json(),
        **_class(judged_attempt(attempt) if bad and not attempt.untried else None),
        "means": _means(attempt.code, attempt.enhanced_code, attempt.cause, bad and not attempt.untried),
        "dialog": None if lines is None else [{"ms": line.ms, "from": line.who, "text": line.text} for line in lines],
    }


def _way(domain: str, way: Resolution) -> dict[str, object]:
    hosts = [host for found in way.found for host in found.hosts]
    return {
        "domain": domain,
        "destination": way.key or None,
        "hosts": [{"host": host.host, "port": host.port} for host in hosts],
        "error": str(way.trouble) if way.trouble else None,
    }


async def diagnose(view: MailView, record: Record, config: Config | None, *, ask: bool = True) -> Diagnosis:
    """The diagnosis of the message of `record`; without a `config` less is known, and without `ask` the DNS is left alone."""
    from mailer.routing.sandbox import diverts

    from .blockers import blockers

    story = view.story(record)
    waiting = [(to, recipient) for to, recipient in enumerate(story.record.recipients) if _waits(recipient)]
    facts = _facts(view, story, config)
    if waiting and config:
        leave = [recipient for _, recipient in waiting if not diverts(config.sandbox, recipient.address)]
        domains = dict.fromkeys(map(_domain, leave))
        facts.ways = await _look_up(config, list(domains)[:MAX_DOMAINS]) if ask and domains else {}
    blocked = {}
    for to, recipient in waiting:
        due, last = _due(story, to), story.last(to)
        blocked[to] = Blocked(due, blockers(facts, _domain(recipient), due, last), last is not None and last.scope == "us")
    waits = config and not all(each.ours for each in blocked.values())
    return Diagnosis(story, facts, view.daemon, _gives_up(story, config.retry.expire) if config and waits else 0.0, blocked)


def _gives_up(story: Story, expire: float) -> float:
    """When it is given up: what was really waited is in its records, as far as there are any."""
    from mailer.queue.age import deadline, waited

    entry = story.entry
    if entry is not None and entry.history.last:
        clock = SystemClock()
        return deadline(entry, clock, expire, waited(entry, clock, expire))
    return max(story.record.queued_at, entry.envelope.due if entry else 0.0) + expire


def _waits(recipient: RecipientRecord) -> bool:
    return recipient.status in ("queued", "sending", "deferred", "held")


def _domain(recipient: RecipientRecord) -> str:
    return domain_of(recipient.address)


def _due(story: Story, to: int) -> float:
    """When this recipient is tried next."""
    entry = story.entry
    if entry is None or story.record.status != "deferred":
        return 0.0
    last = entry.history.last.get(to)
    if last is None or last.due == 0.0:
        return max(entry.due, entry.envelope.due)
    return min(last.due, entry.due) if entry.due else last.due  # an operator may have moved the file's time, never the record's


def _facts(view: MailView, story: Story, config: Config | None) -> BlockerFacts:
    from .blockers import BlockerFacts

    submission = config.submission if config else None
    try:
        paused = at_once(view.spool.suspensions())
    except (Problem, OSError) as error:
        story.missing.append(f"which destinations are paused is not known: {error}")
        paused = Suspensions()
    entry, now = story.entry, time.time()
    return BlockerFacts(
        story.record.id,
        story.record.status,
        now,
        view.daemon.running,
        boxed=entry is not None and entry.boxed,
        leaves=entry.envelope.due if entry and not entry.history.outcomes and entry.due > now else 0.0,
        shortage=at_once(view.spool.room(Reserve(submission.min_free_space, submission.min_free_inodes))) if submission else "",
        pauses=paused,
        standings={standing.key: standing for standing in every(view.destinations)},
        config=config,
    )


async def _look_up(config: Config, domains: list[str]) -> dict[str, Resolution]:
    """Where mail for each domain would go now. What is not found out in time is left out."""
    from .route import finder_of

    finder = finder_of(config, PATIENCE)
    tasks = {domain: asyncio.ensure_future(finder.resolve(domain)) for domain in domains}
    await asyncio.wait(tasks.values(), timeout=PATIENCE)
    found = {domain: task.result() for domain, task in tasks.items() if task.done()}
    for task in tasks.values():
        task.cancel()
    return found
