"""From what a door tells to the record of it (`mailer.status.received`). Used by every status that keeps such records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import LoginFailed, TakenIn, TurnedAway
from mailer.mail.ip_network import neighbourhood

from .received import TEXT, ReceivedRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.arrival import Arrival

LOGIN = "login"
"""The reason of a refusal to somebody who could not log in."""

Incoming = TakenIn | TurnedAway | LoginFailed
"""An event of which there is a record."""


def of(event: Incoming) -> ReceivedRecord:
    """The record of what happened."""
    arrival = event.arrival
    if isinstance(event, TakenIn):
        people = [_short(each) for each in event.recipients]
        return _record(event.at, arrival, event.sender, people, event.why, event.verdict)._replace(id=event.id, size=event.size)
    if isinstance(event, TurnedAway):
        people = [_short(event.recipient)] if event.recipient else []
        made = _record(event.at, arrival, event.sender, people, event.reason, "refuse")
        return made._replace(phase=event.phase, reply=_short(event.reply))
    made = _record(event.at, arrival, "", (), LOGIN, "refuse")
    return made._replace(user=_short(event.user), phase="auth", reply=_short(event.reason))


def _record(at: float, arrival: Arrival, sender: str, people: Sequence[str], reason: str, verdict: str) -> ReceivedRecord:
    client = arrival.ip, neighbourhood(arrival.ip), _short(arrival.name), _short(arrival.hello), arrival.protocol, arrival.tls
    return ReceivedRecord(at, at, 1, arrival.door, *client, _short(arrival.user), _short(sender), people, _short(reason), verdict)


def _short(text: str) -> str:
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
