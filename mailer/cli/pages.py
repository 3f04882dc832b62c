"""What ``status``, ``bounces`` and ``queue`` show of messages, as blocks for `show`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.mail.history import DONE, PENDING, SCHEDULED
from mailer.mail.outcome import DIVERTED
from mailer.mail.text import human_size
from mailer.status.standing import FOREVER

from . import show
from .show import BLANK, Cell, Column, Fields, Line, Table, clock, exact, moment, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mailer.dsn.reported import Reported
    from mailer.operate.overview import Overview
    from mailer.operate.reports import Understood
    from mailer.operate.selection import Heap
    from mailer.operate.status import Group
    from mailer.operate.subscribers import JournalSubscriber
    from mailer.operate.waits import WaitingFor
    from mailer.status.api import Summary, Undelivered
    from mailer.status.record import RecipientRecord, Record

    from .show import Block, Piece, Value


MOST_WAITS = 5  # destinations at a glance
LATE = 60.0  # seconds that a subscriber may be behind without a word of warning


def sender(address: str) -> str:
    """An envelope sender for a person."""
    return address or "<>"


def recipients(record: Record) -> str:
    """The recipients in a few words: the first two, and how many more."""
    names = [recipient.address for recipient in record.recipients]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def status(record: Record) -> Cell:
    """The status of a message for a person. What was sent to leave later is not put off: nobody was asked yet."""
    return show.status(record.word)


def _mood(recipient: RecipientRecord) -> str:
    """The style of what is said of a recipient; one whose mail a sandbox has is no success to rely on."""
    if recipient.status == "sent":
        return "wait" if recipient.cause in DIVERTED else ""
    return show.MOODS.get(recipient.status, "")


def why(record: Record) -> str:
    """Why the message is where it is; empty where nothing went wrong, and whom it names has it."""
    if record.status == "sent":
        return next((recipient.why for recipient in record.recipients if recipient.cause in DIVERTED), "")
    return record.error


def next_step(record: Record, now: float) -> str:
    """What happens next, in words."""
    at = record.next_attempt_at
    if record.scheduled and at is not None and at > now:
        return f"scheduled for {exact(at, now)}"
    if record.status == "deferred":
        return "next try now" if at is None or at <= now else f"next try {moment(at, now)}"
    if record.status in ("failed", "expired") and len(record.recipients) > 1:
        without = sum(1 for recipient in record.recipients if recipient.status != "sent")
        return f"{without} of {len(record.recipients)} recipients did not get it"
    return {"held": "held until it is released", "queued": "due now"}.get(record.status, "")


# Lists


def messages(records: Iterable[Record], now: float) -> Table:
    """A list of messages: one line each where it is read by programs, with the reason below it on a terminal."""
    if not show.terminal():
        columns = [Column(word) for word in ("STATUS", "ID", "QUEUED", "NEXT", "FROM", "TO", "WHY")]
        return Table(columns, [_plain_row(record, now) for record in records])
    if show.width() >= show.ROOMY:
        columns = [Column("STATUS", cut=True), Column("QUEUED", right=True), Column("ID", cut=True), Column("MESSAGE")]
        rows: list[Sequence[Value]] = [[*_start(record, now), Cell(record.id, "quiet"), _story(record, now)] for record in records]
        return Table(columns, rows, apart=True)
    columns = [Column("STATUS", cut=True), Column("QUEUED", right=True), Column("MESSAGE")]
    return Table(columns, [[*_start(record, now), _story_with_id(record, now)] for record in records], apart=True)


def _plain_row(record: Record, now: float) -> list[Value]:
    due = moment(record.next_attempt_at, now)
    return [status(record), record.id, moment(record.queued_at, now), due, sender(record.sender), _all(record), why(record) or "-"]


def _all(record: Record) -> str:
    """The recipients as one word, for awk; of a mailing to thousands only the first ones."""
    names = [recipient.address for recipient in record.recipients]
    return ",".join([*names[:5], f"+{len(names) - 5}"] if len(names) > 5 else names)


def _start(record: Record, now: float) -> tuple[Cell, Cell]:
    return status(record), Cell(moment(record.queued_at, now), "quiet")


def _story(record: Record, now: float) -> list[Line]:
    route: list[Piece] = [sender(record.sender), Cell(" → ", "quiet"), recipients(record)]
    lines = [Line([*route, Cell(f"  {record.subject}", "quiet")] if record.subject else route)]
    if reason := why(record):
        lines.append(Line([Cell(reason, "wait" if record.status == "sent" else show.MOODS[record.status])]))
    if record.status != "queued" and (step := next_step(record, now)):
        lines.append(Line([Cell(_tries(record) + step, "quiet")]))
    return lines


def _story_with_id(record: Record, now: float) -> list[Line]:
    return [*_story(record, now), Line([Cell(record.id, "quiet")])]


def _tries(record: Record) -> str:
    if record.status in DONE:
        return ""
    return {0: "", 1: "tried once, "}.get(record.attempts, f"tried {record.attempts} times, ")


def queue(records: Iterable[Record], now: float) -> Table:
    """The queue as mailq(1) shows it: age, size, sender, recipients, why, and when next."""
    if show.terminal():
        columns = [Column("STATUS", cut=True), Column("AGE", right=True), Column("SIZE", right=True), Column("MESSAGE")]
        rows: list[Sequence[Value]] = [[*_start_of_queue(record, now), _story_with_id(record, now)] for record in records]
        return Table(columns, rows, apart=True)
    columns = [Column(word, right=word in ("AGE", "SIZE")) for word in ("STATUS", "ID", "AGE", "SIZE", "NEXT", "FROM", "TO", "WHY")]
    return Table(columns, [_plain_queue_row(record, now) for record in records])


def _start_of_queue(record: Record, now: float) -> tuple[Cell, Cell, Cell]:
    return status(record), Cell(span(now - record.queued_at), "quiet"), Cell(human_size(record.size), "quiet")


def _plain_queue_row(record: Record, now: float) -> list[Value]:
    word, id, _, due, *rest = _plain_row(record, now)
    return [word, id, span(now - record.queued_at), str(record.size), due, *rest]


def heaps(found: Sequence[Heap], now: float) -> Table:
    """Counts, sizes, since when, and what they count."""
    columns = [
        Column("COUNT", right=True),
        Column("SIZE", right=True),
        Column("OLDEST", right=True),
        Column(found[0].by.upper()),
        Column("FOR EXAMPLE"),
    ]
    size = human_size if show.terminal() else str
    rows: list[Sequence[Value]] = [
        [str(each.many), size(each.size), span(now - each.oldest), Cell(each.name, "strong"), Cell(each.example, "quiet")] for each in found
    ]
    return Table(columns, rows)


# One message


def message(record: Record, now: float) -> Iterator[Block]:
    """Everything about one message."""
    yield Line([Cell(record.id, "strong"), "  ", status(record), *_headline(record, now)])
    yield BLANK
    yield Fields([(label, value) for label, value in _facts(record, now) if value])
    yield BLANK
    yield recipients_table(record, now)


def _headline(record: Record, now: float) -> list[Piece]:
    step = next_step(record, now)
    return [Cell(f"  {_tries(record)}{step}", "quiet")] if step else []


def _facts(record: Record, now: float) -> Iterator[tuple[str, str]]:
    yield "From", sender(record.sender)
    yield "Subject", record.subject
    yield "Message-ID", record.message_id
    yield "Request", record.request_id
    yield "Size", human_size(record.size)
    yield "Priority", record.priority if record.priority != "normal" else ""
    yield "Queued", exact(record.queued_at, now)
    yield "Last try", exact(record.last_attempt_at, now) if record.last_attempt_at and not record.sent_at else ""
    yield "Scheduled" if record.scheduled else "Next try", exact(record.next_attempt_at, now) if record.next_attempt_at else ""
    yield "Sent", exact(record.sent_at, now) if record.sent_at else ""
    yield "Attempts", str(record.attempts) if record.attempts > 1 else ""
    yield "Because", record.error if record.error and record.error not in {r.why for r in record.recipients} else ""


def recipients_table(record: Record, now: float) -> Table:
    """The recipients, and what the last host said about each."""
    columns = [Column("RECIPIENT"), Column("STATUS", cut=True), Column("REPLY"), Column("HOST"), Column("WHEN", cut=True)]
    rows: list[Sequence[Value]] = []
    for recipient in record.recipients:
        name = recipient.address if recipient.type == "to" else f"{recipient.address} ({recipient.type})"
        reply = Cell(_with_besides(recipient) or "-", _mood(recipient))
        when = moment(recipient.updated_at, now)
        rows.append([name, show.status(recipient.status), reply, recipient.host or "-", Cell(when, "quiet")])
    return Table(columns, rows)


def _with_besides(recipient: RecipientRecord) -> str:
    return f"{recipient.why} (besides, {recipient.besides})" if recipient.besides else recipient.why


# The summary


def overview(found: Overview, now: float) -> Iterator[Block]:
    """The spool at a glance."""
    what, elsewhere = found.summary, found.elsewhere
    rows: list[tuple[str, Piece]] = [("Spool", what.spool), ("Daemon", _daemon(what, elsewhere))]
    if found.subscribers:
        rows.append(("Journal", _journal(found.subscribers)))
    if found.incoming:
        rows.append(("Doors", _incoming(found.incoming)))
    yield Fields(rows)
    yield BLANK
    words = (*PENDING, SCHEDULED, *DONE)
    shown = [word for word in words if what.counts[word] or word in ("queued", "deferred", "sent", "failed")]
    counts: list[Sequence[Value]] = []
    for word in shown:
        count = what.counts[word]
        mood = show.MOODS[word] if count else "quiet"
        counts.append([Cell(word, mood), Cell(str(count), mood), Cell(_detail(what, word, now), "quiet")])
    yield Table([Column("STATUS", cut=True), Column("MESSAGES", right=True), Column("")], counts)
    yield from _warnings(what)
    yield from _trouble(found, now)
    if what.failures:
        yield BLANK
        yield Line([Cell("Last failures", "strong")])
        yield undelivered(what.failures, now)


def _incoming(counts: Mapping[str, int]) -> str:
    """What came by the doors within a day, on one line."""
    taken = sum(counts.get(word, 0) for word in ("accept", "mark", "hold"))
    also = [f"{counts[word]:,} {name}" for word, name in (("mark", "marked"), ("hold", "held")) if counts.get(word)]
    more = f" ({', '.join(also)})" if also else ""
    return f"{taken:,} taken{more}, {counts.get('refuse', 0):,} refused within a day: mailer received"


def _trouble(found: Overview, now: float) -> Iterator[Block]:
    """Why mail waits, a line for each destination, and the alarms that say more than that."""
    shown = {wait.destination for wait in found.waits}
    alarms = [alarm for alarm in found.alarms if alarm.key not in shown and alarm.severity != "notice"]
    if found.lack and not any(alarm.kind == "disk" for alarm in alarms):
        yield BLANK
        yield Line([Cell(f"It takes no mail: the disk of the spool has {found.lack}.", "bad")])
    if alarms:
        yield BLANK
        yield Line([Cell("Alarms", "strong")])
        for alarm in alarms:
            since = f"since {clock(alarm.since, now)}: "
            yield Line([Cell(f"{since}{show.localized(alarm.text, now)}", "bad" if alarm.severity == "critical" else "wait")])
            if alarm.remedy:
                yield Line([Cell(f"  to mend it: {alarm.remedy}", "quiet")])
    if found.waits:
        yield BLANK
        yield Line([Cell("Why mail waits", "strong")])
        for wait in found.waits[:MOST_WAITS]:
            yield Line([Cell(wait.destination, "strong"), Cell(f"  {wait_line(wait, now)}")])
        if len(found.waits) > MOST_WAITS:
            yield Line([Cell(f"and {len(found.waits) - MOST_WAITS} more: mailer status --destinations", "quiet")])


def wait_line(wait: WaitingFor, now: float) -> str:
    """How much waits since when, why, and until when: ``2,000 wait since 21:27: Connection refused; next look 21:28``."""
    many = f"{wait.many:,} {'waits' if wait.many == 1 else 'wait'}" if wait.many else "waits"
    since = f" since {clock(wait.since, now)}" if wait.since else ""
    look = f"; next look {clock(wait.until, now)}" if now < wait.until < FOREVER else "; next look now" if 0 < wait.until <= now else ""
    return f"{many}{since}: {wait.reason}{look}"


def _journal(subscribers: Sequence[JournalSubscriber]) -> Cell:
    """Who hears of each event, and how far behind the one is that is behind most."""
    last = max(subscribers, key=lambda each: each.seconds)
    if not last.events:
        return Cell(f"{', '.join(each.name for each in subscribers)}: nobody is behind", "good")
    words = f"{last.name} is {last.events:,} {'event' if last.events == 1 else 'events'} behind, the oldest of {span(last.seconds)} ago"
    many = sum(each.events > 0 for each in subscribers) - 1
    return Cell(f"{words}{f'; so are {many} more' if many else ''}", "wait" if last.seconds > LATE else "quiet")


def _daemon(what: Summary, elsewhere: Sequence[str]) -> Cell:
    if what.daemon.running:
        return Cell(f"running (pid {what.daemon.pid})" if what.daemon.pid else "running", "good")
    waiting = sum(count for word, count in what.counts.items() if word not in DONE and word != "held") + what.handed_in
    advice = "; `mailer run` delivers what waits" if waiting else ""
    if elsewhere:
        advice = f" here, but on {', '.join(elsewhere)}: is that the spool that is meant? (--config, --spool, mailer.spool)"
    return Cell(f"not running{advice}", "wait" if waiting or elsewhere else "quiet")


def _detail(what: Summary, word: str, now: float) -> str:
    parts = [f"oldest {moment(what.oldest[word], now)}"] if word in what.oldest and what.counts[word] else []
    if word == "deferred" and what.next_attempt_at is not None and what.counts[word]:
        parts.append("next try now" if what.next_attempt_at <= now else f"next try {moment(what.next_attempt_at, now)}")
    if word == SCHEDULED and what.leaves_at is not None and what.counts[word]:
        parts.append(f"the first leaves {moment(what.leaves_at, now)}")
    return ", ".join(parts)


def _warnings(what: Summary) -> Iterator[Block]:
    if what.handed_in:
        yield BLANK
        messages = "1 message waits" if what.handed_in == 1 else f"{what.handed_in} messages wait"
        yield Line([Cell(f"{messages} in {what.spool}/drop, where other users left them, for a daemon to take them in.", "wait")])
    elif not any(what.counts.values()) and what.whole:
        yield BLANK
        there = "" if os.path.isdir(what.spool) else " There is no such directory yet: the first message, or `mailer run`, makes it."
        yield Line([f"Nothing is queued, and nothing was sent yet.{there}"])
    if what.corrupt:
        yield BLANK
        names = "1 file is" if what.corrupt == 1 else f"{what.corrupt} files are"
        yield Line([Cell(f"{names} no message and set aside in {what.spool}/corrupt; the daemon's log says why.", "bad")])


# Bounces


def undelivered(found: Iterable[Undelivered], now: float) -> Table:
    """Recipients that did not get their message."""
    if not show.terminal():
        columns = [Column(word) for word in ("WHEN", "STATUS", "ADDRESS", "ID", "FROM", "REASON")]
        return Table(columns, [_plain_bounce(item, now) for item in found])
    columns = [Column("WHEN", right=True), Column("STATUS", cut=True), Column("RECIPIENT")]
    return Table(columns, [_bounce(item, now) for item in found], apart=True)


def _plain_bounce(item: Undelivered, now: float) -> list[Value]:
    recipient = item.recipient
    return [
        moment(recipient.updated_at, now),
        recipient.status,
        recipient.address,
        item.id,
        sender(item.sender),
        _with_besides(recipient) or "-",
    ]


def _bounce(item: Undelivered, now: float) -> list[Value]:
    recipient = item.recipient
    told = f" ({'calling' if recipient.ours else 'said'} {recipient.host})" if recipient.host else ""
    lines = [
        Line([recipient.address, Cell(f"  from {sender(item.sender)}", "quiet")]),
        Line([Cell(_with_besides(recipient) or "no reason is known", "bad"), Cell(told, "quiet")]),
        Line([Cell(item.id, "quiet")]),
    ]
    return [Cell(moment(recipient.updated_at, now), "quiet"), show.status(recipient.status), lines]


def groups(found: Sequence[Group]) -> Table:
    """Counts, what they count, and an example of each."""
    columns = [Column("COUNT", right=True), Column(found[0].by.upper()), Column("FOR EXAMPLE")]
    return Table(columns, [[str(each.many), Cell(each.name, "strong"), Cell(each.example, "quiet")] for each in found])


def understood(found: Understood) -> Iterator[Block]:
    """How a report is read: its kind, the message that it is about, and each recipient with the reason."""
    report = found.report
    facts = [("Kind", str(report.kind)), ("Written by", report.sender or "-"), ("Message-ID", report.message_id or "-")]
    yield Fields([*facts, ("Message of ours", found.matched or "none that is known")])
    if report.recipients:
        yield BLANK
        columns = [Column(word) for word in ("RECIPIENT", "ACTION", "STATUS", "CLASS", "REASON")]
        yield Table(columns, [_understood(each) for each in report.recipients])
    if report.unread:
        yield Line([f"It names {report.unread} more."])


def _understood(each: Reported) -> list[Value]:
    return [text or "-" for text in (each.address, each.action, each.status, each.class_, each.diagnostic)]
