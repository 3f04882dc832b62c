"""From what a door tells to the record of it (`mailer.status.received`). Used by every status that keeps such records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import LoginFailed, TakenIn, TurnedAway
from mailer.mail.arrival import DOORS, Arrival
from mailer.mail.ip_network import neighbourhood

from .received import TEXT, ReceivedRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.spool.api import Entry

LOGIN = "login"
"""The reason of a refusal to somebody who could not log in."""

Incoming = TakenIn | TurnedAway | LoginFailed
"""An event of which there is a record."""


def of(event: Incoming) -> ReceivedRecord:
    """The record of what happened."""
    arrival = event.arrival
    if isinstance(event, TakenIn):
        people = [_short(each) for each in event.recipients]
        made = _record(event.at, arrival, event.sender, people, "", event.verdict)
        return made._replace(id=event.id, size=event.size, why=_short(event.why))
    if isinstance(event, TurnedAway):
        people = [_short(event.recipient)] if event.recipient else []
        made = _record(event.at, arrival, event.sender, people, event.reason, "refuse")
        return made._replace(phase=event.phase, reply=_short(event.reply), why=_short(event.why))
    made = _record(event.at, arrival, "", (), LOGIN, "refuse")
    return made._replace(user=_short(event.shown), phase="auth", reply=_short(event.reason))


def of_entry(entry: Entry) -> ReceivedRecord | None:
    """The record of a message as its file has it; None of one that came by no door of these."""
    envelope = entry.envelope
    if envelope.submitter.get("via") not in DOORS:
        return None
    words = ("via", "ip", "hello", "name", "tls", "user", "proxy")
    door, ip, hello, name, tls, user, proxy = (str(envelope.submitter.get(word, "")) for word in words)
    people = list(dict.fromkeys(recipient.behalf or recipient.address for recipient in envelope.recipients))
    verdict = "hold" if entry.state == "held" else "accept"
    arrival = Arrival(door, ip, hello, "", tls, name, user, proxy=proxy)
    made = _record(entry.arrived, arrival, envelope.sender, people, "", verdict)
    return made._replace(id=entry.id, size=entry.size, why=_short(envelope.against))


def _record(at: float, arrival: Arrival, sender: str, people: Sequence[str], reason: str, verdict: str) -> ReceivedRecord:
    client = arrival.ip, neighbourhood(arrival.ip), _short(arrival.name), _short(arrival.hello), arrival.protocol, arrival.tls
    made = ReceivedRecord(at, at, 1, arrival.door, *client, _short(arrival.user), _short(sender), people, _short(reason), verdict)
    return made._replace(proxy=arrival.proxy)


def _short(text: str) -> str:
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
