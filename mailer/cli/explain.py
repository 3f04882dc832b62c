"""``mailer explain``: the whole story of a message: every attempt and what was said, what holds it up now, and what would help."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mailer.dsn.explain import explain
from mailer.intake.view import view_of
from mailer.io.machine import called
from mailer.mail.history import RECIPIENT_STATUS
from mailer.mail.outcome import PHASES
from mailer.mail.problem import Problem
from mailer.mail.text import human_size
from mailer.operate.explain import diagnose
from mailer.operate.selection import meant
from mailer.status.judged import judged_attempt

from . import NO_SUCH, OK, pages, show
from .options import JSON, Option, Subcommand, usage
from .selectors import banner, expanded, messages, sandbox_of, spool_of
from .show import BLANK, Cell, Fields, Line, local, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.config import Config
    from mailer.dsn.classes import Class
    from mailer.operate.blockers import Blocker
    from mailer.operate.explain import Blocked, Diagnosis
    from mailer.routing.resolve import Resolution
    from mailer.status.received import ReceivedRecord
    from mailer.status.record import Record
    from mailer.status.story import Attempted, DialogLine, HeardReport, Story

    from .options import Given
    from .show import Block, Piece

NAMED = 5  # recipients that are named where many share a fate
SHOWN = 20  # attempts that are shown in full
ARROWS = {"us": "> ", "host": "< ", "note": "· "}
"""What stands before a line of a dialog: what we said, what the host said, what we noticed."""

CONNECTION = ("connect", "greeting", "ehlo", "starttls", "auth")
"""The steps that a connection takes once, however many messages it serves."""

Field = tuple[str, "Piece"]


def run(asked: Given) -> int:
    """Tell the story of each message that is named; 67 if one is unknown."""
    given = expanded(asked)
    if given is None:
        return OK
    if not given.operands:
        raise usage("it needs the ID of a message, its Message-ID or its request id", "explain")
    config, trouble = _config(given)
    head = banner(sandbox_of(given))
    missing = []
    with view_of(spool_of(given)) as view:
        told = 0
        for name in given.operands:
            found, why = meant(view, name)
            if why:
                missing.append(why)
            for record in found:
                found_out = asyncio.run(diagnose(view, record, config, ask=not given.flag("--no-dns")))
                found_out.story.missing.extend([trouble] if trouble else [])
                if told and not (given.flag("--json") or given.flag("--quiet")):
                    show.show([show.BLANK, show.BLANK])
                _print(given, found_out, head)
                told += 1
        notes = view.notes
    show.note(*notes, *missing)
    return NO_SUCH if missing else OK


def _print(given: Given, what: Diagnosis, head: list[Block]) -> None:
    if given.flag("--json"):
        show.json_line(what.as_json())
    elif not given.flag("--quiet"):
        show.show([*head, *_page(what, time.time(), whole=given.flag("--verbose"))])


def _config(given: Given) -> tuple[Config | None, str]:
    """The configuration; without one, why. A mistake in it is a reason why mail waits, and none to say nothing."""
    from mailer.config import load

    try:
        return load(given.text("--config"), given.text("--spool")), ""
    except Problem as problem:
        return None, f"the configuration cannot be read, so it is not known where mail would go: {problem}"


# What it shows a person


def _page(what: Diagnosis, now: float, *, whole: bool = False) -> Iterator[Block]:
    """The story for a person. `whole`: with all attempts and all names."""
    story = what.story
    yield from _head(story, now)
    yield from _attempts(story, now, whole)
    if what.blocked:
        yield from _blocked(what, now, whole)
        yield from _ways(what.facts.ways)
    if story.reports:
        yield from _reports(story.reports, now)
    if story.heard:
        yield from _heard(story.heard, now, whole)
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
    came = story.arrival
    yield ("Came" if came else "Submitted"), _when(record.queued_at, now) + (f"  by {client(came)}" if came else _by(story))
    if came:
        yield from _arrival(came)
    yield "From", pages.sender(record.sender)
    yield "To", pages.recipients(record)
    yield "Passed on", _passed_on(story)
    yield "Subject", record.subject
    yield "Message-ID", record.message_id
    yield "Request", record.request_id
    yield "Size", human_size(record.size)
    yield "Priority", record.priority if record.priority != "normal" else ""
    yield "Asked for", ", ".join(f"{name} {value}" for name, value in story.told.items())


def _passed_on(story: Story) -> str:
    """The addresses of ours that pass it on, and to whom; empty where none does."""
    whom: dict[str, list[str]] = {}
    for to, behalf in story.behalf.items():
        whom.setdefault(behalf, []).append(story.record.recipients[to].address)
    return "; ".join(f"by {behalf} to {_some(people)}" for behalf, people in [*whom.items()][:NAMED])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def client(came: ReceivedRecord) -> str:
    """The door that a message came by, and who brought it, as far as we saw it ourselves."""
    host = f"{came.ip or 'a unix socket'}{f' {came.name}' if came.name else ''}"
    return f"{came.door} from {host}{f', {came.tls}' if came.tls else ''}"


def _arrival(came: ReceivedRecord) -> Iterator[Field]:
    """What else is known of how it came: what the client called itself, who had logged in, for whom it was, and what was found."""
    yield "Proxy", came.proxy
    yield "Hello", came.hello
    yield "User", came.user
    yield "For", _some(came.recipients)
    found = came.verdict if came.verdict != "accept" else ""
    yield "Filters", ": ".join(filter(None, ({"mark": "marked", "hold": "held"}.get(found, found), came.why)))


def _by(story: Story) -> str:
    if story.who is None:
        return ""
    return f"  by {story.who if story.who.uid is None else called(story.who.uid)}"


# What happened


def _attempts(story: Story, now: float, whole: bool) -> Iterator[Block]:
    yield BLANK
    yield Line([Cell("What happened", "strong")])
    tries = _grouped(story.attempts)
    if not tries:
        nothing = "It was never tried." if story.record.status != "sent" else "How it was delivered is not known any more."
        yield Line([Cell("  " + nothing, "quiet")])
    left_out = 0 if whole else max(len(tries) - SHOWN, 0)
    if left_out:
        yield Line([Cell(f"  {left_out} earlier attempts are left out; --verbose shows them.", "quiet")])
    for number, attempts in enumerate(tries[left_out:], left_out + 1):
        yield from _attempt(story, number, attempts, now, whole)


def _grouped(attempts: Sequence[Attempted]) -> list[list[Attempted]]:
    """The attempts that were one transaction are one."""
    groups: dict[tuple[object, ...], list[Attempted]] = {}
    for each in attempts:
        groups.setdefault((each.key, each.host), []).append(each)
    return list(groups.values())


def _place(attempt: Attempted) -> str:
    """Where that was; mail reaches a mailbox of this machine without a host."""
    if attempt.host:
        return f"  at {attempt.host}" + (f" [{attempt.ip}] port {attempt.port}" if attempt.ip else "")
    if attempt.ip:
        return f"  at [{attempt.ip}] port {attempt.port}"
    return "" if attempt.verdict == "delivered" or (attempt.counts and attempt.phase in ("rcpt", "body")) else "  not tried"


def _attempt(story: Story, number: int, attempts: list[Attempted], now: float, whole: bool) -> Iterator[Block]:
    first = attempts[0]
    place = _place(first)
    if again := first.verdict == "expire" and not first.counts and first.host != "":  # the words are those of the last session there
        place = "  not tried again"
    yield Line([Cell(f"  #{number}  ", "quiet"), _when(first.at, now), Cell(place, "strong" if first.host and not again else "quiet")])
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
    if first.untried:
        yield said, first.reply
        return
    yield said, first.reply + (f"  ({_WHERE.get(first.phase, first.phase)})" if first.verdict != "delivered" and first.phase else "")
    yield "besides", first.besides
    if first.verdict in ("defer", "fail", "expire"):
        words = explain(first.code, first.enhanced_code, first.cause)
        yield "means", words.means
        yield "class", _class(judged_attempt(first))
        yield "to do", words.do if first.verdict != "defer" else ""
    yield "there", f"known as {first.queue_id}" if first.queue_id else ""


def _class(judged: Class) -> str:
    return f"{judged.name}, for good" if judged.hard else judged.name


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


def _when(at: float, now: float) -> str:
    """A moment to the second, and how far away that is, for a person and for a file alike."""
    away = f"in {show.ahead(at - now)}" if at > now else f"{show.span(now - at)} ago"
    return f"{local(at)} ({away})"


def _ms(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def _said(line: DialogLine) -> Line:
    at = "" if line.ms is None else _ms(line.ms)
    style = {"us": "", "host": "busy", "note": "quiet"}[line.who]
    return Line([Cell(f"      {at:>9} ", "quiet"), Cell(ARROWS[line.who], "quiet"), Cell(line.text, style)])


# What holds it up


def _blocked(what: Diagnosis, now: float, whole: bool) -> Iterator[Block]:
    yield BLANK
    yield Line([Cell("What it waits for", "strong")])
    alike: dict[tuple[object, ...], list[int]] = {}
    for to, blocked in what.blocked.items():
        alike.setdefault((blocked.due, *blocked.blockers), []).append(to)
    for group in alike.values():
        blocked = what.blocked[group[0]]
        yield Line(["  " + _names([what.story.record.recipients[to].address for to in group], whole)])
        for blocker in blocked.blockers:
            yield Fields(list(_blocker(blocker, now)))
        yield Fields([(label, value) for label, value in _next(what, blocked, now) if value])


def _blocker(blocker: Blocker, now: float) -> Iterator[Field]:
    until = f", until {_when(blocker.until, now)}" if blocker.until and blocker.kind != "retry" else ""  # that is the next try
    yield f"      {blocker.kind:<11}", Cell(blocker.detail + until, "wait")
    if blocker.remedy:
        yield f"      {'':<11}", f"→ {blocker.remedy}"


def _next(what: Diagnosis, blocked: Blocked, now: float) -> Iterator[Field]:
    if what.story.record.status == "deferred":
        label = "leaves" if what.story.record.scheduled else "next try"
        yield f"      {label:<11}", _when(blocked.due, now) if blocked.due > now else "now"
    if blocked.ours:
        yield f"      {'given up':<11}", "not while it waits for that"
    elif what.story.record.status == "held":
        yield f"      {'given up':<11}", "not while it is held"
    elif what.gives_up:
        late = what.gives_up <= now
        text = "with the next try that fails, for its time is up" if late else _when(what.gives_up, now)
        yield f"      {'given up':<11}", f"{text} (retry.expire)"


def _ways(ways: Mapping[str, Resolution]) -> Iterator[Block]:
    if not ways:
        return
    yield BLANK
    yield Line([Cell("Where it would go now", "strong")])
    yield Fields([(f"  {domain}", Cell(_way(way), "" if not way.trouble else "bad")) for domain, way in ways.items()])


def _way(way: Resolution) -> str:
    if way.trouble:
        return f"nowhere: {way.trouble}"
    hosts = [", ".join(f"{target.host}:{target.port}" for target in found.hosts) for found in way.found]
    return "; then ".join(f"{found.key.partition(':')[0]} {each}" for found, each in zip(way.found, hosts, strict=True))


def _reports(reports: Sequence[Record], now: float) -> Iterator[Block]:
    yield BLANK
    yield Line([Cell("Reports about it", "strong")])
    for report in reports:
        told = f"  to {report.recipients[0].address}, {moment(report.queued_at, now)}"
        yield Line(["  ", report.id, "  ", show.status(report.status), Cell(told, "quiet")])


TRUSTED = {
    "token": "proved by the token in the address that it came to",
    "ours": "known by the name of the message alone, which others may have read",
    "none": "nothing shows that it is about this message",
}


def _heard(reports: Sequence[HeardReport], now: float, whole: bool) -> Iterator[Block]:
    """What other hosts reported later, the last of it unless the `whole` story is told."""
    yield BLANK
    yield Line([Cell("What came back", "strong")])
    left_out = 0 if whole else max(len(reports) - SHOWN, 0)
    if left_out:
        yield Line([Cell(f"  {left_out} earlier ones are not shown; --verbose shows them", "quiet")])
    for report in reports[left_out:]:
        yield Line(["  ", _when(report.at, now), "  ", Cell(f"{report.kind} about {report.recipient or 'nobody in particular'}", "strong")])
        said = " ".join(part for part in (report.status, report.reply[1]) if part)
        found: list[tuple[str, str]] = [
            ("says", said),
            ("means", report.class_),
            ("trust", TRUSTED.get(report.trust, report.trust)),
            ("so", report.effect),
            ("report", f"{report.id} from {report.source}"),
        ]
        yield Fields([(f"      {label:<8}", value) for label, value in found if value])


COMMAND = Subcommand(
    "explain",
    run,
    summary="the whole story of a message: what happened, what blocks it, what to change",
    about=(
        "Tells of each message that is named, by ID (or as many of its first symbols as no other ID begins with), Message-ID or "
        "request id: when it was submitted and by whom; each attempt, with the "
        "host, the TLS that was wanted and achieved, how long each step took, what the host said and what that means; of the last "
        "attempts that failed also what was said to and fro, without passwords and without the message. Then, for each recipient who "
        "waits: what it waits for, until when, and what would take that away; the reports that were sent about it, and what "
        "other hosts reported later.\n\n"
        "The answer comes from the spool, the status database and the daemon's own account of its destinations. Without a "
        "daemon, or without the database, it says what is left and what is not known. To say where the mail would go now, it asks "
        "the DNS, for three seconds at most.\n\n"
        "Recipients who share an attempt are told of together, and of many only the first are named; --verbose names all of them."
    ),
    operands="ID… | -",
    words=messages,
    options=(Option("--no-dns", help="do not ask the DNS where the mail would go now"), JSON),
    examples=(
        "mailer explain 01KAHGWV7J5ZQ0C9XK3M2T8B4R",
        "mailer explain --json '<20261121.1@example.com>' | jq -r '.recipients[].blocked_by[].what_would_unblock'",
    ),
    epilog="""\
What a recipient waits for has one of these names: hold, sending, daemon, disk, schedule, pause, offline, route, login, refused,
breaker, limit, retry, rate, window, connections, queue. mailer-delivery(7) says what each means.

exit codes: 0 · 64 usage · 67 a message that was named is not known · 77 no permission""",
)
