"""``mailer explain``: the whole story of a message: every attempt and what was said, what holds it up now, and what would help.

It answers with the daemon stopped and with the database deleted, from what is left; what is not known is said. To say where the mail
would go now it asks the DNS, as ``mailer route`` does, and waits for the answer only a moment.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.failure import NO_SUCH, OK, Failure
from mailer.status.story import tell
from mailer.status.view import View

from . import explain_page, show
from .options import JSON, Command, Option, usage
from .selectors import spool_of, view_of

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.delivery.finder import Itinerary
    from mailer.delivery.obstacle import Facts, Obstacle
    from mailer.intake.remote import RemoteView
    from mailer.status.record import RecipientRecord, Record
    from mailer.status.story import Story

    from .options import Given

PATIENCE = 3.0  # seconds for the DNS
MAX_DOMAINS = 20  # whose way is looked up


class Standing(NamedTuple):
    """What holds up one recipient until `due` (seconds since the epoch, 0.0 is now), or however long it takes where it is `ours`."""

    due: float
    obstacles: list[Obstacle]
    ours: bool


class Explanation(NamedTuple):
    """A story, and what follows from it: where its mail would go now, when it is given up, and what holds up each recipient.

    What waits for something of ours is not given up; `gives_up` is 0.0 where all do.
    """

    story: Story
    facts: Facts
    gives_up: float
    blocked: dict[int, Standing]


def run(given: Given) -> int:
    """Tell the story of each message that is named; 67 if one is unknown."""
    if not given.operands:
        raise usage("it needs the ID of a message, its Message-ID or its request id", "explain")
    config, trouble = _config(given)
    missing = []
    with view_of(spool_of(given)) as view:
        told = 0
        for name in given.operands:
            found = view.find(name)
            if not found:
                missing.append(name)
            for record in found:
                explanation = _explained(view, _story(view, record), config, ask=not given.flag("--no-dns"))
                explanation.story.missing.extend([trouble] if trouble else [])
                if told and not (given.flag("--json") or given.flag("--quiet")):
                    show.show([show.BLANK, show.BLANK])
                _print(given, view, explanation)
                told += 1
        notes = view.notes
    for text in (*notes, *(f"no message {name!r} is known here" for name in missing)):
        show.note(text)
    return NO_SUCH if missing else OK


def _story(view: View | RemoteView, record: Record) -> Story:
    return tell(view, record) if isinstance(view, View) else view.story(record)


def _print(given: Given, view: View | RemoteView, explanation: Explanation) -> None:
    if given.flag("--json"):
        show.json_line(explain_page.as_json(explanation, view.daemon))
    elif not given.flag("--quiet"):
        show.show(explain_page.page(explanation, time.time(), whole=given.flag("--verbose")))


def _config(given: Given) -> tuple[Config | None, str]:
    """The configuration; without one, why. A mistake in it is a reason why mail waits, and none to say nothing."""
    from mailer.config import load

    try:
        return load(given.text("--config"), given.text("--spool")), ""
    except Failure as failure:
        return None, f"the configuration cannot be read, so it is not known where mail would go: {failure}"


def _explained(view: View | RemoteView, story: Story, config: Config | None, *, ask: bool) -> Explanation:
    from mailer.delivery.obstacle import obstacles

    waiting = [(to, recipient) for to, recipient in enumerate(story.record.recipients) if _waits(recipient)]
    facts = _facts(view, story, config)
    if waiting and config:
        domains = dict.fromkeys(_domain(recipient) for _, recipient in waiting)
        facts.ways = _ways(config, list(domains)[:MAX_DOMAINS]) if ask else {}
    blocked = {}
    for to, recipient in waiting:
        due, last = _due(story, to), story.last(to)
        blocked[to] = Standing(due, obstacles(facts, _domain(recipient), due, last), last is not None and last.scope == "us")
    waits = config and not all(standing.ours for standing in blocked.values())
    return Explanation(story, facts, _gives_up(story, config.retry.expire) if config and waits else 0.0, blocked)


def _gives_up(story: Story, expire: float) -> float:
    """When it is given up: what was really waited is in its records, as far as there are any."""
    from mailer.clock import SystemClock
    from mailer.delivery.age import deadline, waited

    entry = story.entry
    if entry is not None and entry.history.last:
        clock = SystemClock()
        return deadline(entry, clock, expire, waited(entry, clock, expire))
    return max(story.record.queued_at, entry.envelope.due if entry else 0.0) + expire


def _waits(recipient: RecipientRecord) -> bool:
    return recipient.status in ("queued", "sending", "deferred", "held")


def _domain(recipient: RecipientRecord) -> str:
    return recipient.address.rpartition("@")[2].lower()


def _due(story: Story, to: int) -> float:
    """When this recipient is tried next."""
    entry = story.entry
    if entry is None or story.record.status != "deferred":
        return 0.0
    last = entry.history.last.get(to)
    if last is None or last.due == 0.0:
        return max(entry.due, entry.envelope.due)
    return min(last.due, entry.due) if entry.due else last.due  # an operator may have moved the file's time, never the record's


def _facts(view: View | RemoteView, story: Story, config: Config | None) -> Facts:
    from mailer.delivery.obstacle import Facts
    from mailer.spool import layout, pauses

    submission = config.submission if config else None
    try:
        paused = pauses.read(view.spool.root)
    except (Failure, OSError) as error:
        story.missing.append(f"which destinations are paused is not known: {error}")
        paused = pauses.Pauses()
    entry, now = story.entry, time.time()
    return Facts(
        story.record.id,
        story.record.status,
        now,
        view.daemon.running,
        leaves=entry.envelope.due if entry and not entry.history.outcomes and entry.due > now else 0.0,
        shortage=layout.shortage(view.spool.root, submission.min_free_space, submission.min_free_inodes) if submission else "",
        pauses=paused,
        standings={standing.key: standing for standing in view.reader.standings()},
        config=config,
    )


def _ways(config: Config, domains: list[str]) -> dict[str, Itinerary]:
    """Where mail for each domain would go now. Who does not find out in time is left out."""
    return asyncio.run(_look_up(config, domains))


async def _look_up(config: Config, domains: list[str]) -> dict[str, Itinerary]:
    import random

    from mailer.delivery.finder import Finder
    from mailer.net.dns import Resolver

    dns = config.dns
    patience = min(PATIENCE, dns.lifetime)
    finder = Finder(config, Resolver(dns.nameservers, min(dns.timeout, patience), patience, family=config.delivery.family), random.shuffle)
    tasks = {domain: asyncio.ensure_future(finder.plan(domain)) for domain in domains}
    await asyncio.wait(tasks.values(), timeout=PATIENCE)
    found = {domain: task.result() for domain, task in tasks.items() if task.done()}
    for task in tasks.values():
        task.cancel()
    return found


COMMAND = Command(
    "explain",
    run,
    summary="the whole story of a message: what happened, what blocks it, what to change",
    about=(
        "Tells of each message that is named, by ID, Message-ID or request id: when it was submitted and by whom; each attempt, with the "
        "host, the TLS that was wanted and achieved, how long each step took, what the host said and what that means; of the last "
        "attempts that failed also what was said to and fro, without passwords and without the message. Then, for each recipient who "
        "waits: what it waits for, until when, and what would take that away; and the reports that were sent about it.\n\n"
        "The answer comes from the spool, the status database and the daemon's own account of its destinations. Without a "
        "daemon, or without the database, it says what is left and what is not known. To say where the mail would go now, it asks "
        "the DNS, for three seconds at most.\n\n"
        "Recipients who share an attempt are told of together, and of many only the first are named; --verbose names all of them."
    ),
    operands="ID…",
    options=(Option("--no-dns", help="do not ask the DNS where the mail would go now"), JSON),
    epilog="""\
examples:
  mailer explain 01KAHGWV7J5ZQ0C9XK3M2T8B4R
  mailer explain --json '<20261121.1@example.com>' | jq -r '.recipients[].blocked_by[].what_would_unblock'

What a recipient waits for has one of these names: hold, sending, daemon, disk, schedule, pause, offline, route, login, refused,
breaker, limit, retry, rate, window, connections, queue. mailer-delivery(7) says what each means.

exit codes: 0 · 64 usage · 67 a message that was named is not known · 77 no permission""",
)
