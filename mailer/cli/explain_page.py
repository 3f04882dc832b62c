"""What ``mailer explain`` shows: the story of a message for a person, and the same for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.dsn.explain import explain
from mailer.machine.users import called
from mailer.mail.history import RECIPIENT_STATUS
from mailer.mail.outcome import PHASES
from mailer.mail.when import rfc3339

from . import pages, show
from .show import BLANK, Cell, Fields, Line, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.delivery.finder import Itinerary
    from mailer.delivery.obstacle import Obstacle
    from mailer.mail.cause import Cause
    from mailer.status.attempts import Attempted
    from mailer.status.attempts import Line as Said
    from mailer.status.daemon import Daemon
    from mailer.status.record import Record
    from mailer.status.story import Story

    from .explain import Explanation, Standing
    from .show import Block, Piece

NAMED = 5  # recipients that are named where many share a fate
SHOWN = 20  # attempts that are shown in full
ARROWS = {"us": "> ", "host": "< ", "note": "· "}
"""What stands before a line of a dialog: what we said, what the host said, what we noticed."""

CONNECTION = ("connect", "greeting", "ehlo", "starttls", "auth")
"""The steps that a connection takes once, however many messages it serves."""

Field = tuple[str, "Piece"]


def page(explanation: Explanation, now: float, *, whole: bool = False) -> Iterator[Block]:
    """The story for a person. `whole`: with all attempts and all names."""
    story = explanation.story
    yield from _head(story, now)
    yield from _attempts(story, now, whole)
    if explanation.blocked:
        yield from _blocked(explanation, now, whole)
        yield from _ways(explanation.facts.ways)
    if story.reports:
        yield from _reports(story.reports, now)
    if story.missing:
        yield BLANK
        yield Line([Cell("Not known", "strong")])
        yield from (Line([Cell("  " + text, "quiet")]) for text in story.missing)


# How it began


def _head(story: Story, now: float) -> Iterator[Block]:
    record = story.record
    step = pages.next_step(record, now)
    yield Line([Cell(record.id, "strong"), "  ", pages.status(record), *([Cell(f"  {step}", "quiet")] if step else [])])
    yield BLANK
    yield Fields([(label, value) for label, value in _facts(story, now) if value])


def _facts(story: Story, now: float) -> Iterator[Field]:
    record = story.record
    yield "Submitted", when(record.queued_at, now) + _by(story)
    yield "From", pages.sender(record.sender)
    yield "To", pages.recipients(record)
    yield "Subject", record.subject
    yield "Message-ID", record.message_id
    yield "Request", record.request_id
    yield "Size", show.size(record.size)
    yield "Priority", record.priority if record.priority != "normal" else ""
    yield "Asked for", ", ".join(f"{name} {value}" for name, value in story.told.items() if name != "uid")


def _by(story: Story) -> str:
    return "" if story.uid is None else f"  by {called(story.uid)}"


# What happened


def _attempts(story: Story, now: float, whole: bool) -> Iterator[Block]:
    yield BLANK
    yield Line([Cell("What happened", "strong")])
    tries = grouped(story.attempts)
    if not tries:
        nothing = "It was never tried." if story.record.status != "sent" else "How it was delivered is not known any more."
        yield Line([Cell("  " + nothing, "quiet")])
    left_out = 0 if whole else max(len(tries) - SHOWN, 0)
    if left_out:
        yield Line([Cell(f"  {left_out} earlier attempts are left out; --verbose shows them.", "quiet")])
    for number, attempts in enumerate(tries[left_out:], left_out + 1):
        yield from _attempt(story, number, attempts, now, whole)


def grouped(attempts: Sequence[Attempted]) -> list[list[Attempted]]:
    """The attempts that were one transaction are one."""
    groups: dict[tuple[object, ...], list[Attempted]] = {}
    for each in attempts:
        groups.setdefault((each.key, each.host), []).append(each)
    return list(groups.values())


def _attempt(story: Story, number: int, attempts: list[Attempted], now: float, whole: bool) -> Iterator[Block]:
    first = attempts[0]
    place = f"  at {first.host} [{first.ip}] port {first.port}" if first.ip else f"  at {first.host}" if first.host else "  not tried"
    if again := first.verdict == "expire" and not first.counts and first.host != "":  # the words are those of the last session there
        place = "  not tried again"
    yield Line([Cell(f"  #{number}  ", "quiet"), when(first.at, now), Cell(place, "strong" if first.host and not again else "quiet")])
    facts = [("TLS", _tls(first)), ("steps", _steps(first)), ("took", _ms(first.seconds * 1e3) if first.host and not first.steps else "")]
    yield Fields([(f"      {label:<8}", value) for label, value in facts if value and not again])
    alike: dict[tuple[str, str], list[Attempted]] = {}
    for each in attempts:
        alike.setdefault((each.verdict, each.told), []).append(each)
    for group in alike.values():
        yield Fields([(f"      {label:<8}", value) for label, value in _outcome(group, whole) if value])
    if lines := story.dialogs.get(first.key):
        yield from map(_said, lines)


def _outcome(attempts: list[Attempted], whole: bool) -> Iterator[Field]:
    """What came of it for some recipients."""
    first = attempts[0]
    status = RECIPIENT_STATUS[first.verdict]
    names = _names([each.recipient for each in attempts], whole)
    yield status, Cell(names, show.MOODS[status])
    said = "mailer" if first.ours else "reply"
    if _is_untried(first):
        yield said, first.reply
        return
    yield said, first.reply + (f"  ({_WHERE.get(first.phase, first.phase)})" if first.verdict != "delivered" and first.phase else "")
    yield "besides", first.besides
    if first.verdict in ("defer", "fail", "expire"):
        words = explain(first.code, first.enhanced_code, first.cause)
        yield "means", words.means
        yield "to do", words.do if first.verdict != "defer" else ""
    yield "there", f"known as {first.queue_id}" if first.queue_id else ""


def _is_untried(attempt: Attempted) -> bool:
    """Whether nobody was called: then the words are ours and say it all, and what their code means in general is something else."""
    return not attempt.host and not attempt.counts and attempt.phase == "connect"


_WHERE = {
    "dns": "when its hosts were looked up",
    "connect": "when it was called",
    "greeting": "in its greeting",
    "ehlo": "to EHLO",
    "starttls": "to STARTTLS",
    "auth": "to AUTH",
    "mail": "to MAIL",
    "rcpt": "to RCPT",
    "data": "to DATA",
    "body": "to the message",
}
"""Phase → where in the session that was, for a person."""


def _names(names: list[str], whole: bool) -> str:
    more = len(names) - NAMED
    return ", ".join(names) if whole or more <= 0 else ", ".join(names[:NAMED]) + f" and {more} more"


def _tls(attempt: Attempted) -> str:
    wanted = {"opportunistic": "if it is offered", "starttls": "required", "implicit": "required from the first byte"}
    if not attempt.host or not attempt.tls_wanted:
        return attempt.tls
    if attempt.tls_wanted == "none":
        return "none, as it was wanted"
    got = attempt.tls or ("none" if attempt.phase not in ("connect", "greeting", "ehlo", "starttls") else "not reached")
    return f"{wanted.get(attempt.tls_wanted, attempt.tls_wanted)}; {got}"


def _steps(attempt: Attempted) -> str:
    steps = attempt.steps
    own = [phase for phase in PHASES if phase in steps and not (attempt.reused and phase in CONNECTION)]
    text = ", ".join(f"{phase} {_ms(steps[phase])}" for phase in own)
    before = ", ".join(f"{phase} {_ms(steps[phase])}" for phase in CONNECTION if phase in steps) if attempt.reused else ""
    return text + (f"  (on a connection that was open already: {before})" if before else "")


def when(at: float, now: float) -> str:
    """A moment to the second, and how far away that is, for a person and for a file alike."""
    away = f"in {show.ahead(at - now)}" if at > now else f"{show.span(now - at)} ago"
    return f"{rfc3339(int(at))} ({away})"


def _ms(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def _said(line: Said) -> Line:
    at = "" if line.ms is None else _ms(line.ms)
    style = {"us": "", "host": "busy", "note": "quiet"}[line.who]
    return Line([Cell(f"      {at:>9} ", "quiet"), Cell(ARROWS[line.who], "quiet"), Cell(line.text, style)])


# What holds it up


def _blocked(explanation: Explanation, now: float, whole: bool) -> Iterator[Block]:
    yield BLANK
    yield Line([Cell("What it waits for", "strong")])
    alike: dict[tuple[object, ...], list[int]] = {}
    for to, standing in explanation.blocked.items():
        alike.setdefault((standing.due, *standing.obstacles), []).append(to)
    for group in alike.values():
        standing = explanation.blocked[group[0]]
        yield Line(["  " + _names([explanation.story.record.recipients[to].address for to in group], whole)])
        for obstacle in standing.obstacles:
            yield Fields(list(_obstacle(obstacle, now)))
        yield Fields([(label, value) for label, value in _next(explanation, standing, now) if value])


def _obstacle(obstacle: Obstacle, now: float) -> Iterator[Field]:
    until = f", until {when(obstacle.until, now)}" if obstacle.until and obstacle.kind != "retry" else ""  # that is the next try
    yield f"      {obstacle.kind:<11}", Cell(obstacle.detail + until, "wait")
    if obstacle.remedy:
        yield f"      {'':<11}", f"→ {obstacle.remedy}"


def _next(explanation: Explanation, standing: Standing, now: float) -> Iterator[Field]:
    if explanation.story.record.status == "deferred":
        label = "leaves" if explanation.story.record.scheduled else "next try"
        yield f"      {label:<11}", when(standing.due, now) if standing.due > now else "now"
    if standing.ours:
        yield f"      {'given up':<11}", "not while it waits for that"
    elif explanation.gives_up:
        late = explanation.gives_up <= now
        text = "with the next try that fails, for its time is up" if late else when(explanation.gives_up, now)
        yield f"      {'given up':<11}", f"{text} (retry.expire)"


def _ways(ways: Mapping[str, Itinerary]) -> Iterator[Block]:
    if not ways:
        return
    yield BLANK
    yield Line([Cell("Where it would go now", "strong")])
    yield Fields([(f"  {domain}", Cell(_way(way), "" if not way.trouble else "bad")) for domain, way in ways.items()])


def _way(way: Itinerary) -> str:
    from mailer.delivery.nexthop import NextHop

    if way.trouble:
        return f"nowhere: {way.trouble}"
    parts = []
    for leg in way.legs:
        if isinstance(leg.leads, NextHop):
            hosts = ", ".join(f"{target.host}:{target.port}" for target in leg.leads.hosts)
            parts.append(f"{leg.leads.key.partition(':')[0]} {hosts}")
    return "; then ".join(parts)


def _reports(reports: list[Record], now: float) -> Iterator[Block]:
    yield BLANK
    yield Line([Cell("Reports about it", "strong")])
    for report in reports:
        told = f"  to {report.recipients[0].address}, {moment(report.queued_at, now)}"
        yield Line(["  ", report.id, "  ", show.status(report.status), Cell(told, "quiet")])


# For programs


def as_json(explanation: Explanation, daemon: Daemon) -> dict[str, object]:
    """The story with stable names: that of ``mailer status --json``, and more."""
    story = explanation.story
    document = story.record.as_json()
    document["submitter"] = {"uid": story.uid}
    document["asked_for"] = {name: value for name, value in story.told.items() if name != "uid"}
    document["expires_at"] = rfc3339(explanation.gives_up) if explanation.gives_up else None
    document["recipients"] = [_recipient_json(explanation, to) for to in range(len(story.record.recipients))]
    document["tries"] = [_attempt_json(story, each) for each in story.attempts]
    document["ways"] = [_way_json(domain, way) for domain, way in explanation.facts.ways.items()]
    document["reports"] = [
        {"id": report.id, "to": report.recipients[0].address, "status": report.status, "queued_at": rfc3339(report.queued_at)}
        for report in story.reports
    ]
    document["daemon"] = {"running": daemon.running, "pid": daemon.pid or None}
    document["not_known"] = story.missing
    return document


def _recipient_json(explanation: Explanation, to: int) -> dict[str, object]:
    recipient = explanation.story.record.recipients[to]
    standing = explanation.blocked.get(to)
    waits = standing is not None and explanation.story.record.status == "deferred"
    last = explanation.story.last(to)
    bad = recipient.status in ("deferred", "failed", "expired", "bounced") and not (last and _is_untried(last))
    return {
        **recipient.as_json(),
        "means": _means(recipient.code, recipient.enhanced_code, recipient.cause, bad),
        "next_attempt_at": rfc3339(standing.due) if standing and standing.due and waits else None,
        "blocked_by": [obstacle.as_json() for obstacle in standing.obstacles] if standing else [],
    }


def _means(code: int, enhanced: str, cause: Cause | None, bad: bool) -> str | None:
    return explain(code, enhanced, cause).means if bad and (code or enhanced) else None


def _attempt_json(story: Story, attempt: Attempted) -> dict[str, object]:
    bad = attempt.verdict != "delivered"
    lines = story.dialogs.get(attempt.key) if bad else None
    return {
        "recipient": attempt.recipient,
        **attempt.as_json(),
        "means": _means(attempt.code, attempt.enhanced_code, attempt.cause, bad and not _is_untried(attempt)),
        "dialog": None if lines is None else [{"ms": line.ms, "from": line.who, "text": line.text} for line in lines],
    }


def _way_json(domain: str, way: Itinerary) -> dict[str, object]:
    from mailer.delivery.nexthop import NextHop

    hosts = [target for leg in way.legs if isinstance(leg.leads, NextHop) for target in leg.leads.hosts]
    return {
        "domain": domain,
        "destination": way.key or None,
        "hosts": [{"host": target.host, "port": target.port} for target in hosts],
        "error": str(way.trouble) if way.trouble else None,
    }
