"""What a client may do in vain, counted for one session: mistakes, commands that get no message further, and wrong passwords.

Used by `Server`; the limits are those of `ServerSettings`. When one is passed, the answer is 421, and the session is over.
"""

from __future__ import annotations

from .reply import Reply
from .server_state import ServerSettings

TOO_MANY_CHUNKS = Reply.own(421, "4.7.0", "the message comes in too many chunks")

_IDLE = Reply.own(421, "4.7.0", "too many commands without a message")
_MISTAKES = Reply.own(421, "4.7.0", "too many mistakes")
_GUESSES = Reply.own(421, "4.7.0", "too many wrong passwords")
_MESSAGES = Reply.own(421, "4.7.0", "so many messages are enough for one session, open another one")

_CROWD = ("RCPT", "DATA", "BDAT")  # what arrives in crowds behind a MAIL, wanted or not


class Patience:
    """The counts of one session. A method that returns a reply says what ends the session, or that nothing does."""

    __slots__ = ("_guesses", "_idle", "_messages", "_mistakes", "_service")

    def __init__(self, service: ServerSettings) -> None:
        self._service = service
        self._idle = self._mistakes = self._guesses = self._messages = 0

    def idle(self, verb: str) -> Reply | None:
        """A command has come that may get no message further: it costs us and brings nobody anything."""
        self._idle += verb not in _CROWD
        return _IDLE if 0 < self._service.max_idle < self._idle else None

    def useless_chunk(self) -> Reply | None:
        """A chunk has come that is thrown away: as many may be under way when a transaction is refused."""
        self._idle += 1
        return self.idle("BDAT")

    def progress(self) -> None:
        """A message has got further."""
        self._idle = 0

    def mistake(self, verb: str, reply: Reply) -> Reply:
        """The reply to a command that was refused with `reply` by the grammar or the order of commands.

        What is out of order behind a refused MAIL does not count: a pipelining client has sent it already when it hears
        that its MAIL or all its recipients are refused (RFC 2920 §3.1).
        """
        if not reply.permanent or (reply.code in (503, 554) and verb in _CROWD):
            return reply
        self._mistakes += 1
        return _MISTAKES if 0 < self._service.max_mistakes < self._mistakes else reply

    def guessed(self) -> None:
        """A name and a password were wrong."""
        self._guesses += 1

    def another_guess(self) -> Reply | None:
        """One more is tried."""
        return _GUESSES if 0 < self._service.max_guesses <= self._guesses else None

    def another_message(self) -> Reply | None:
        """One more transaction begins."""
        return _MESSAGES if 0 < self._service.max_messages <= self._messages else None

    def begun(self) -> None:
        """A transaction has begun."""
        self._messages += 1
