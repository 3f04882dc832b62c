"""Quotas of mailboxes on this machine: who has used up his gets no more mail, and whoever brings some is told to come again.

That is said before a message is taken, for the mailbox and for each that an alias leads to: a report about it would go to senders who may
be forged. Mail of our own people is not asked about; nobody here is told that he may not write to a colleague.

What a Maildir has is counted from its files, in a thread, and remembered for `FRESH` seconds, or for as long as counting it takes many
times over; `MOST` of them are. So a mailbox gets larger than its quota by what comes in that time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.io.maildir import size_of
from mailer.mail.address_key import key_of
from mailer.smtp.reply import Reply
from mailer.transport.maildir import NoMailboxName, mailbox_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mailer.accounts.users.api import User, Users
    from mailer.config import Config
    from mailer.mail.envelope import Recipient

FRESH: Final = 60.0  # seconds
LONGER: Final = 50.0  # times as long as counting took
MOST: Final = 10_000  # mailboxes

FULL_MAILBOX = Reply.own(452, "4.2.2", "the mailbox has no more room, come back later")  # RFC 3463 §3.3


class _Counted(NamedTuple):
    """How many octets a Maildir has; `until` is by the monotonic clock."""

    octets: int
    until: float


class MailboxQuotas:
    """The quotas of those who have Maildirs by `config`. `now` is the monotonic time in seconds."""

    def __init__(self, config: Config, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, _Counted] = OrderedDict()
        self._counting: dict[str, asyncio.Future[int]] = {}
        self.take(config)

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        ways = {section.name: section.via[0] for section in config.domains if section.via}
        self._templates = {name: way.name for name, way in ways.items() if way.kind == "maildir"}

    @property
    def domains(self) -> Collection[str]:
        """The domains whose mailboxes are Maildirs of this machine."""
        return self._templates.keys()

    async def refuses(self, users: Users, people: Sequence[Recipient]) -> Reply | None:
        """The reply to whoever brings mail for `people`, if one of their mailboxes is full. Raises `Problem`."""
        local = [one.address for one in people if not one.behalf and one.outcome is None and one.domain in self._templates]
        if not local:
            return None
        names = [key_of(address) for address in local]
        found = await users.find([*names, *map(_untagged, names)])
        for nth, address in enumerate(local):
            user: User | None = found[nth] or found[len(local) + nth]
            if user is not None and user.quota and await self._used(address) >= user.quota:
                return FULL_MAILBOX
        return None

    async def _used(self, address: str) -> int:
        """The octets in the mailbox of `address`."""
        try:
            root = mailbox_path(self._templates[address.rpartition("@")[2].lower()], address)
        except NoMailboxName:
            return 0
        known = self._known.get(root)
        if known is not None and known.until > self._now():
            return known.octets
        counting = self._counting.get(root)
        if counting is None:
            counting = self._counting[root] = asyncio.ensure_future(self._count(root))
            counting.add_done_callback(lambda _: self._counting.pop(root, None))
        return await asyncio.shield(counting)

    async def _count(self, root: str) -> int:
        began = self._now()
        octets = await asyncio.to_thread(size_of, root)
        took = self._now() - began
        self._known[root] = _Counted(octets, self._now() + max(FRESH, took * LONGER))
        self._known.move_to_end(root)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return octets


def _untagged(key: str) -> str:
    """The address without its tag."""
    local, _, domain = key.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"
