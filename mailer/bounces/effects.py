"""What follows from a report that was matched: decided here, pure, and carried out by `mailer.bounces.hearing`, in this order.

1. the suppression list: the address, where the report shows that nobody is there, or that he wants no more of it
2. the journal: ``bounced`` or ``complained``
3. the status: the recipient is that from now on, and what the report said is kept
4. the sender of the message gets the report, as he would have without us
5. the report is settled: ``done``, or ``unmatched``

Each is idempotent, so a crash in between repeats those before it and nobody sees it: the list knows what was added by this evidence, the
journal is looked at for what was written before, rows of the status are keyed, and the message for the sender has an ID that follows from
the report. Who has bounced or complained already does so no second time, however often a report of it comes. The list is told of him all
the same, for the report before may have been one that could not put him there; it goes by the message, which proves an entry once.

How sure the match is says what may be done (`mailer.bounces.matching`). A reply of a machine changes nothing, and neither does that mail
is late or was passed on. What comes back for a reason that is not the address (a full mailbox, a blocklist, a policy) suppresses nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.dsn.classes import WhoseFault
from mailer.dsn.reported import ReportKind
from mailer.journal.api import JournalEvent
from mailer.journal.lines import cut
from mailer.mail.address_key import key_of
from mailer.status.story import HeardReport
from mailer.suppression.api import Reason, SuppressionEntry

from .matching import MatchedRecipient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.sections.suppress import Suppress
    from mailer.dsn.reported import Report, Reported
    from mailer.journal.api import EventType
    from mailer.reports.api import Facts, ReportState

    from .matching import ReportMatch, SentMessage, SentRecipient

FORWARDED = frozenset({ReportKind.BOUNCE, ReportKind.DELAY, ReportKind.DELIVERED, ReportKind.AUTO_REPLY})
"""What the sender of a message gets: what he would have got himself. A complaint is for whoever runs this host."""

MOST_STRANGERS = 20  # recipients of one report that are kept though they are nobody of ours; who writes one can name many thousands
BY = "report"


class FeedbackRules(NamedTuple):
    """What the configuration says: the bounce `address`, whether senders get reports, and what gets onto the suppression list by itself."""

    address: str
    forward: bool
    suppress: Suppress

    def trusts(self, trust: str) -> bool:
        """Whether a report of that trust may put an address on the list."""
        return trust == "token" or (trust == "ours" and self.suppress.trust == "message-id")


SUMS = frozenset({ReportKind.DMARC, ReportKind.TLSRPT})
"""What is about no message of ours: its sums are counted."""

COUNTED = "its sums are counted: mailer bounces dmarc and mailer bounces tlsrpt show them"


class Consequences(NamedTuple):
    """What follows from one report. `forward` is the address that it goes to, empty for nobody."""

    id: str
    suppress: Sequence[SuppressionEntry]
    events: Sequence[JournalEvent]
    heard: Sequence[HeardReport]
    forward: str
    sent: SentMessage | None
    state: ReportState
    trust: str
    kind: ReportKind
    left_out: int = 0
    """How many of its recipients are not in `heard`: they stand there already, or are nobody of ours and too many."""

    def note(self, forwarded: str) -> dict[str, object]:
        """What is written down beside the report, which `forwarded` has got besides."""
        people = [{"recipient": each.recipient or None, "class": each.class_ or None, "effect": each.effect} for each in self.heard[:20]]
        message = self.sent.id if self.sent else None
        more = self.left_out + len(self.heard) - len(people)
        note: dict[str, object] = {
            "kind": str(self.kind),
            "trust": self.trust,
            "message": message,
            "recipients": people,
            "forwarded": forwarded or None,
        }
        return {**note, "more_recipients": more} if more else note


def plan(id: str, report: Report, facts: Facts, match: ReportMatch, rules: FeedbackRules) -> Consequences:
    """What follows from the report `id`, which came as `facts` say and was matched as `match` says."""
    suppress: list[SuppressionEntry] = []
    events: list[JournalEvent] = []
    heard: list[HeardReport] = []
    done: set[tuple[int, str]] = set()
    told_of = _worth_keeping(match.found)
    for nth, each in told_of:
        row = _row(id, nth, report, facts, match, each)
        effect = COUNTED if report.kind in SUMS else each.why or match.why or "nothing: it is told and no more"
        if match.sent is not None and each.person is not None and row.makes is not None:
            told = (each.person.position, row.makes)
            entry = None if told in done else _suppression(id, facts, match, each.said, each.person, row.makes, rules)
            again = each.person.status in (row.makes, "complained") or told in done
            done.add(told)
            if entry is not None:
                suppress.append(entry)
            if not again:
                events.append(_event(row.makes, facts, match.sent, each.said, each.person, row))
            effect = _effect(row.makes, again, entry)
        heard.append(row._replace(effect=effect))
    forward = _forward(report, match, rules)
    state: ReportState = "done" if match.sent is not None else "unmatched"
    return Consequences(id, suppress, events, heard, forward, match.sent, state, match.trust, report.kind, len(match.found) - len(told_of))


def _worth_keeping(found: Sequence[MatchedRecipient]) -> list[tuple[int, MatchedRecipient]]:
    """The recipients of a report by their numbers in it: of ours each once for an action, and the first of those who are nobody of ours."""
    kept: list[tuple[int, MatchedRecipient]] = []
    seen: set[tuple[int, str]] = set()
    strangers = 0
    for nth, each in enumerate(found):
        if each.person is None:
            strangers += 1
            if strangers <= MOST_STRANGERS:
                kept.append((nth, each))
        elif (which := (each.person.position, each.said.action)) not in seen:
            seen.add(which)
            kept.append((nth, each))
    return kept


def _row(id: str, nth: int, report: Report, facts: Facts, match: ReportMatch, each: MatchedRecipient) -> HeardReport:
    said = each.said
    action = said.action or ("failed" if report.kind is ReportKind.BOUNCE else "")
    return HeardReport(
        id,
        nth,
        facts.at,
        facts.source,
        str(report.kind),
        match.trust,
        match.sent.id if match.sent is not None else "",
        each.person.position if each.person is not None else -1,
        each.person.address if each.person is not None else said.address or said.original,
        action,
        said.status,
        said.diagnostic,
        said.class_,
    )


def _suppression(
    id: str, facts: Facts, match: ReportMatch, said: Reported, person: SentRecipient, makes: str, rules: FeedbackRules
) -> SuppressionEntry | None:
    """The entry that the report is good for; None where it is for none. Of a hard bounce only what is the address' own fault counts."""
    sent = match.sent
    if sent is None or not rules.trusts(match.trust) or not (scope := rules.suppress.scope_for(sent.stream)):
        return None
    if makes == "bounced" and not (said.hard and said.fault is WhoseFault.RECIPIENT):
        return None
    reason = Reason.COMPLAINT if makes == "complained" else Reason.HARD
    note = f"report {id}: {said.status} {said.diagnostic}".strip()
    return SuppressionEntry(key_of(person.address), scope, reason, said.class_, BY, sent.id, facts.at, by=facts.source, note=note)


def _event(type: EventType, facts: Facts, sent: SentMessage, said: Reported, person: SentRecipient, row: HeardReport) -> JournalEvent:
    code, text = row.reply
    return JournalEvent(
        "",
        facts.at,
        type,
        sent.id,
        sent.request_id,
        sent.key,
        sent.stream,
        person.address,
        code,
        said.status,
        cut(text),
        said.remote,
        "",
        said.class_,
    )


def _effect(makes: str, again: bool, entry: SuppressionEntry | None) -> str:
    if entry is None:
        return f"nothing more: this recipient has {makes} already" if again else makes
    where = "" if entry.scope == "*" else f" with mail of {entry.scope}"
    if again:  # the list takes the proof of a message once, so what was undone stays so
        return f"this recipient has {makes} already, and is not mailed any more{where}, unless that was undone"
    return f"{makes}, and not mailed any more{where}"


def _forward(report: Report, match: ReportMatch, rules: FeedbackRules) -> str:
    """Who gets the report besides: the sender of the message, who is not the bounce address itself. RFC 5321 §4.5.5: nobody is nobody."""
    sent = match.sent
    if sent is None or not rules.forward or report.kind not in FORWARDED or not sent.sender:
        return ""
    name, _, domain = rules.address.lower().rpartition("@")
    own_name, _, own_domain = sent.sender.lower().rpartition("@")
    ours = own_domain == domain and (own_name == name or own_name.startswith(f"{name}+"))
    return "" if ours else sent.sender
