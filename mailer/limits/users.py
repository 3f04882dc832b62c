"""All limits of users together: of those who fail to log in, and of those who have. They are in memory, and written down now and then.

What happened since the last time, some seconds ago, is lost with a process that dies: a limit is then a little wider for once. That is the
price of a login and a recipient that wait for no disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .failures import LoginFailures
from .familiar import FamiliarNetworks
from .outgoing import OutgoingMail
from .table import LimitRow

if TYPE_CHECKING:
    from .store.api import LimitStore

DAY: Final = 86400.0
SECRET: Final = "secret"


class UserLimits:
    """The limits of users, with what they are now.

    `secret` is what salts are made from for users who are not there. It is written down as well: a salt that was another one after each
    start would tell that its user is made up.
    """

    def __init__(self, failures: LoginFailures, familiar: FamiliarNetworks, outgoing: OutgoingMail, secret: bytes) -> None:
        """`secret` is of chance, for the first start of all."""
        self.secret = secret
        self._known = False  # whether the secret is written down
        self.failures = failures
        self.familiar = familiar
        self.outgoing = outgoing
        self._tables = (failures.table, familiar.table, outgoing.days, outgoing.recipients)

    @classmethod
    def of(cls, per_minute: int, per_day: int, messages: int, new_recipients: int, *, secret: bytes = b"") -> UserLimits:
        """Limits with these numbers, and nothing counted."""
        return cls(LoginFailures(per_minute, per_day), FamiliarNetworks(), OutgoingMail(messages, new_recipients), secret)

    def change(self, per_minute: int, per_day: int, messages: int, new_recipients: int) -> None:
        """Let other numbers hold from now on."""
        self.failures.change(per_minute, per_day)
        self.outgoing.change(messages, new_recipients)

    async def load(self, store: LimitStore) -> None:
        """Have what was written down. Raises `Problem`."""
        rows = await store.load()
        for row in rows:
            if row.table == SECRET:
                self.secret, self._known = bytes.fromhex(row.key), True
        self.familiar.restore(rows)
        for table in self._tables:
            if table is not self.familiar.table:
                table.restore(rows)

    async def keep(self, store: LimitStore, now: float) -> None:
        """Write down what has changed, and let go of what is over. Raises `Problem`; then it is written another time."""
        self.familiar.expire(now)
        self.failures.table.expire(now - DAY)
        self.outgoing.days.expire(now - DAY)
        rows = [row for table in self._tables for row in table.changes()]
        if self.secret and not self._known:
            rows.append(LimitRow(SECRET, self.secret.hex(), (now,)))
        if not rows:
            return
        try:
            await store.keep(rows)
            self._known = True
        except BaseException:
            for table in self._tables:
                table.unkept(rows)
            raise
