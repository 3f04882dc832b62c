"""What users send: so many messages in a day, and so many recipients whom they have never written to before. Pure.

Nothing else bounds as well what somebody can do with a stolen password: his recipients are new ones. Those whom a user has written to
are kept as digests, for a list of whom somebody writes to is his own affair.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from .table import LimitTable

DAY: Final = 86400.0
_NONE = (0.0, 0.0, 0.0, 0.0)  # last, day begun, messages, new recipients


class OutgoingMail:
    """The mail of users, by the keys of these, of which each may send `messages` to `new_recipients` new ones in a day.

    Times are in seconds since the epoch. A day begins with the first message.
    """

    def __init__(self, messages: int = 1000, new_recipients: int = 200) -> None:
        self.days = LimitTable("day")
        self.recipients = LimitTable("recipient")
        self.change(messages, new_recipients)

    def change(self, messages: int, new_recipients: int) -> None:
        """Let other limits hold from now on; what was counted is not forgotten."""
        self._messages, self._new = messages, new_recipients

    def may_send(self, user: str, now: float) -> bool:
        """Whether `user` may send another message."""
        return self._row(user, now)[2] < self._messages

    def sends(self, user: str, now: float) -> bool:
        """Note that he sends one, if he may; whether he may."""
        _, day, messages, new = self._row(user, now)
        if messages >= self._messages:
            return False
        self.days.put(user, now, day, messages + 1, new)
        return True

    def writes_to(self, user: str, recipient: str, now: float) -> bool:
        """Note that he writes to `recipient`, the key of an address, if he may; whether he may."""
        key = f"{user} {blake2b(recipient.encode('utf-8', 'surrogateescape'), digest_size=12, key=user.encode()[:64]).hexdigest()}"
        if not self.recipients.get(key):
            _, day, messages, new = self._row(user, now)
            if new >= self._new:
                return False
            self.days.put(user, now, day, messages, new + 1)
        self.recipients.put(key, now)
        return True

    def _row(self, user: str, now: float) -> tuple[float, ...]:
        last, day, messages, new = self.days.get(user) or _NONE
        if not day <= now < day + DAY:
            day, messages, new = now, 0.0, 0.0
        return last, day, messages, new
