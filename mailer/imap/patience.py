"""What a client may do in vain, counted for one session: mistakes, commands before it logs in, and wrong passwords.

Used by `ImapServer`; the limits are those of `ImapSettings`. When one is passed, the session ends with BYE, and the text says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .capability import ImapSettings

MISTAKES: Final = "too many mistakes"
IDLE: Final = "too many commands of somebody who does not log in"
GUESSES: Final = "too many wrong passwords"


class ImapPatience:
    """The counts of one session. A method that returns a text says what ends the session; an empty one, that nothing does."""

    __slots__ = ("_guesses", "_idle", "_mistakes", "_settings")

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self._guesses = self._idle = self._mistakes = 0

    def idle(self) -> str:
        """A command has come of somebody who has not logged in."""
        self._idle += 1
        return IDLE if 0 < self._settings.max_idle < self._idle else ""

    def progress(self) -> None:
        """A command was obeyed of somebody who has logged in."""
        self._idle = self._mistakes = 0

    def mistake(self) -> str:
        """A command was refused by the grammar, or the order of commands."""
        self._mistakes += 1
        return MISTAKES if 0 < self._settings.max_mistakes < self._mistakes else ""

    def guessed(self) -> str:
        """A name and a password were wrong."""
        self._guesses += 1
        return GUESSES if 0 < self._settings.max_guesses <= self._guesses else ""
