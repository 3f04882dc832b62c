"""What the sessions of all doors of a process share: memory for messages, turns for handshakes, and how long clients may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.net.handshakes import Handshakes

from .pace import Pace
from .room import MessageRoom

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from mailer.net.stream import Stream


class Common:
    """What they share; without anything said, as much as there is by default."""

    def __init__(self, room: MessageRoom | None = None, handshakes: Handshakes | None = None, pace: Pace | None = None) -> None:
        self.room = room or MessageRoom()
        self.handshakes = handshakes or Handshakes()
        self.pace = pace or Pace()

    async def secure(self, stream: Stream, context: ssl.SSLContext | None, go_ahead: Callable[[], object]) -> bool:
        """Make the handshake that a client asked for, as soon as there is a turn for it: `go_ahead` tells him to begin. False where there
        was no turn in time. Raises `OSError`."""
        try:
            async with self.handshakes.turn() as seconds:
                go_ahead()
                assert context is not None
                await stream.answer_tls(context, seconds)
        except TimeoutError:
            if stream.gone:  # in the midst of it
                raise
            return False
        return True
