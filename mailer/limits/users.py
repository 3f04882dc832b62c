"""All limits of users together: of those who fail to log in, and of those who have. They are in memory, and written down now and then.

Several processes have doors where users log in. Each counts for itself, says what it has counted, and counts what the others say
(`UserLimits.share`): so a guesser has as many guesses as if there were one door, but for those of the moment until the others have heard.

What happened since the last time, some seconds ago, is lost with a process that dies: a limit is then a little wider for once. That is the
price of a login and a recipient that wait for no disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .failures import LoginFailures
from .familiar import FamiliarNetworks
from .outgoing import OutgoingMail
from .table import Happening, LimitRow

if TYPE_CHECKING:
    from .store.api import LimitStore

DAY: Final = 86400.0
SECRET: Final = "secret"
UNSAID: Final = 10_000  # things that happened and that others have not heard of: what comes then is counted here alone


class UserLimits:
    """The limits of users, with what they are now.

    `secret` is what salts are made from for users who are not there. It is written down as well: a salt that was another one after each
    start would tell that its user is made up.
    """

    def __init__(
        self, failures: LoginFailures, familiar: FamiliarNetworks, outgoing: OutgoingMail, secret: bytes, *, sends: bool = True
    ) -> None:
        """`secret` is of chance, for the first start of all. Without `sends`, what users send is another process's to count."""
        self.secret = secret
        self._known = False  # whether it is written down
        self.failures = failures
        self.familiar = familiar
        self.outgoing = outgoing
        self._sent = (outgoing.days, outgoing.recipients) if sends else ()
        self._tables = (failures.table, familiar.table, *self._sent)
        self._unsaid: list[Happening] = []
        self._after = 0  # the number of the last thing that was heard

    @classmethod
    def of(
        cls, per_minute: int, per_day: int, messages: int, new_recipients: int, *, secret: bytes = b"", sends: bool = True
    ) -> UserLimits:
        """Limits with these numbers, and nothing counted."""
        return cls(LoginFailures(per_minute, per_day), FamiliarNetworks(), OutgoingMail(messages, new_recipients), secret, sends=sends)

    def failed(self, ip: str, now: float) -> None:
        """Note that a login from `ip` has failed; other processes hear of it."""
        if not self.failures.wait(ip, now):
            self.failures.failed(ip, now)
            self._say(Happening("failed", ip, "", now))

    def came(self, user: str, ip: str, now: float) -> None:
        """Note that the user with this key has logged in from `ip`; other processes hear of it."""
        if self.familiar.note(user, ip, now):
            self._say(Happening("came", ip, user, now))

    async def share(self, store: LimitStore, process: str) -> None:
        """Say what has happened in this `process` since the last time, and hear what has in others. Raises `Problem`."""
        unsaid, self._unsaid = self._unsaid, []
        if unsaid:
            try:
                await store.say(process, unsaid)
            except BaseException:
                self._unsaid = (unsaid + self._unsaid)[:UNSAID]
                raise
        self._after, heard = await store.heard(self._after, process)
        for happening in heard:
            self._hear(happening)

    def _say(self, happening: Happening) -> None:
        if len(self._unsaid) < UNSAID:
            self._unsaid.append(happening)

    def _hear(self, happening: Happening) -> None:
        if happening.what == "failed":
            self.failures.failed(happening.ip, happening.at)
        else:
            self.familiar.note(happening.user, happening.ip, happening.at)

    def change(self, per_minute: int, per_day: int, messages: int, new_recipients: int) -> None:
        """Let other numbers hold from now on."""
        self.failures.change(per_minute, per_day)
        self.outgoing.change(messages, new_recipients)

    async def load(self, store: LimitStore) -> None:
        """Have what was written down; what happens from now on elsewhere is for `share`. Raises `Problem`."""
        self._after = await store.last()
        if self.secret:
            await store.keep([LimitRow(SECRET, self.secret.hex(), (0.0,))])  # where there is one already it stays
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
        for table in self._sent[:1]:
            table.expire(now - DAY)
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
