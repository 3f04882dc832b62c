"""What a pool tells of its sessions to somebody who counts them. Nobody does unless figures are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .connection import Connection
    from .errors import SessionError


class Meter(Protocol):
    """One that hears of sessions. It must be quick, and raise nothing."""

    def lent(self, connection: Connection, seconds: float, *, new: bool) -> None:
        """A session was lent after so many seconds; it is a `new` one, or had waited for the next message."""

    def failed(self, error: SessionError) -> None:
        """A session did not come about."""

    def returned(self, connection: Connection) -> None:
        """A session is back, and waits for the next message."""

    def over(self, connection: Connection) -> None:
        """A session has come to its end, or takes its leave."""
