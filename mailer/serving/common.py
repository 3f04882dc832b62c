"""What the sessions of all doors of a process share: memory for messages, turns for handshakes, and how long clients may take."""

from __future__ import annotations

from mailer.net.handshakes import Handshakes

from .pace import Pace
from .room import MessageRoom


class Common:
    """What they share; without anything said, as much as there is by default."""

    def __init__(self, room: MessageRoom | None = None, handshakes: Handshakes | None = None, pace: Pace | None = None) -> None:
        self.room = room or MessageRoom()
        self.handshakes = handshakes or Handshakes()
        self.pace = pace or Pace()
