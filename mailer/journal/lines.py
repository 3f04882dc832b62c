"""What the events of the daemon come to in the journal: one line for each recipient whom they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.outcome import Cause

from .api import LONGEST_REPLY, JournalEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailer.events import Unsubscribed
    from mailer.mail.alarm import OpenAlarm
    from mailer.mail.outcome import Outcome, Verdict
    from mailer.spool.api import Entry

    from .api import EventType

TYPE_OF_VERDICT: dict[Verdict, EventType] = {
    "delivered": "delivered",
    "defer": "deferred",
    "fail": "failed",
    "expire": "expired",
    "cancel": "cancelled",
}


def submitter_of(entry: Entry) -> tuple[str, str]:
    """The API key by whose word a message was submitted, and the stream that it belongs to, each empty where there is none."""
    submitter = entry.envelope.submitter
    principal, stream = submitter.get("principal"), submitter.get("stream")
    key = principal[4:] if isinstance(principal, str) and principal.startswith("key:") else ""
    return key, stream if isinstance(stream, str) else ""


def accepted(entry: Entry) -> Iterator[JournalEvent]:
    """Lines that say that the message is ours, one a recipient."""
    key, stream = submitter_of(entry)
    for recipient in entry.envelope.recipients:
        yield JournalEvent("", entry.arrived, "accepted", entry.id, entry.envelope.request_id, key, stream, recipient.address)


def tried(entry: Entry, outcomes: Iterable[Outcome]) -> list[JournalEvent]:
    """What an attempt has taught, of which the history of `entry` knows."""
    tries = entry.history.tries
    return [_of(entry, outcome, tries.get(outcome.to, 0)) for outcome in outcomes]


def before(entry: Entry, since: float, until: float) -> list[JournalEvent]:
    """What was learned between two times, in seconds since the epoch, as the records of the message say."""
    tries: dict[int, int] = {}
    found = []
    for outcome in entry.history.outcomes:
        tries[outcome.to] = tries.get(outcome.to, 0) + outcome.counts
        if since <= outcome.at < until:
            found.append(_of(entry, outcome, tries[outcome.to]))
    return found


def unsubscribed(event: Unsubscribed) -> JournalEvent:
    """Somebody wants no more mail of a stream."""
    return JournalEvent("", event.at, "unsubscribed", event.message, stream=event.stream, to=event.address)


def cancelled(entry: Entry) -> list[JournalEvent]:
    """Recipients from whom an operator has withdrawn the message."""
    return tried(entry, [outcome for outcome in entry.history.last.values() if outcome.verdict == "cancel"])


def alarm(at: float, alarm: OpenAlarm, text: str, to: str) -> JournalEvent:
    """An alarm has ``begun``, or is ``over``."""
    return JournalEvent("", at, "alarm", to=to, reply=cut(text), host=alarm.key, class_=alarm.kind)


def _of(entry: Entry, outcome: Outcome, attempt: int) -> JournalEvent:
    envelope = entry.envelope
    key, stream = submitter_of(entry)
    return JournalEvent(
        "",
        outcome.at,
        "suppressed" if outcome.cause is Cause.SUPPRESSED else TYPE_OF_VERDICT[outcome.verdict],
        entry.id,
        envelope.request_id,
        key,
        stream,
        envelope.recipients[outcome.to].address,
        outcome.code,
        outcome.enhanced,
        cut(outcome.text),
        outcome.hop.host,
        outcome.hop.tls,
        outcome.cause or "",
        attempt,
        outcome.due if outcome.verdict == "defer" else 0.0,
    )


def cut(text: str) -> str:
    """A text as long as a line bears."""
    return text if len(text) <= LONGEST_REPLY else text[: LONGEST_REPLY - 1] + "…"
