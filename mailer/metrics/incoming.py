"""What is counted of the doors: [001] §11.2. Told of every message that is taken and of every refusal, so it has to be quick.

A stranger decides how much of this there is, and none of what it is counted by: doors, verdicts and reasons are words of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import LoggedIn, LoginFailed, TakenIn, TurnedAway
from mailer.mail.arrival import DOORS
from mailer.mail.refusal_reason import REASONS

from .row import SECONDS, Buckets

if TYPE_CHECKING:
    from mailer.events import Event

VERDICTS = ("accept", "mark", "hold")
OTHER = "other"


class IncomingCounts:
    """Counts of what came: messages `taken` by door and verdict, their `octets`, how many were `mended`, `refused` by door and reason,
    `logins` by whether they led in, and how many `seconds` a client waited for the answer to its message.
    """

    def __init__(self) -> None:
        self.taken = {(door, verdict): 0 for door in DOORS for verdict in VERDICTS}
        self.octets = dict.fromkeys(DOORS, 0)
        self.mended = dict.fromkeys(DOORS, 0)
        self.refused = {(door, reason): 0 for door in DOORS for reason in (*REASONS, OTHER)}
        self.logins = {"success": 0, "failure": 0}
        self.seconds = {door: Buckets(SECONDS) for door in DOORS}

    def told(self, event: Event) -> None:
        """Count `event`, if it is one of a door."""
        if isinstance(event, TakenIn):
            self._take(event)
        elif isinstance(event, TurnedAway):
            reason = event.reason if event.reason in REASONS else OTHER
            if event.arrival.door in DOORS:
                self.refused[event.arrival.door, reason] += 1
        elif isinstance(event, LoggedIn | LoginFailed):
            self.logins["success" if isinstance(event, LoggedIn) else "failure"] += 1

    def _take(self, event: TakenIn) -> None:
        door = event.arrival.door
        if (door, event.verdict) in self.taken:
            self.taken[door, event.verdict] += 1
            self.octets[door] += event.size
            self.mended[door] += event.mended
            self.seconds[door].add(event.seconds)
