"""Quotas of mailboxes on this machine: who has used up his gets no more mail, and whoever brings some is told to come again.

That is said before a message is taken, for the mailbox and for each that an alias leads to: a report about it would go to senders who may
be forged. Mail of our own people is not asked about; nobody here is told that he may not write to a colleague.

What a Maildir has is counted from its files, in a thread, and remembered for `FRESH` seconds, or for as long as counting it takes many
times over; `MOST` of them are. So a mailbox gets larger than its quota by what comes in that time. One of our own knows what it has, in
octets and in messages, and a message that says its size (RFC 1870) is counted to it before it is taken.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.io.maildir import size_of
from mailer.mail.address_key import key_of, split_tag
from mailer.mail.problem import Problem
from mailer.mailbox.api import Usage
from mailer.smtp.reply import Reply
from mailer.transport.local import quota_of
from mailer.transport.maildir import NoMailboxName, mailbox_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mailer.accounts.users.api import User, Users
    from mailer.config import Config
    from mailer.mail.envelope import Recipient
    from mailer.transport.writers import MailboxOpener

FRESH: Final = 60.0  # seconds
FRESH_OWN: Final = 1.0  # the same for a mailbox of our own, which is asked and not counted
LONGER: Final = 50.0  # times as long as counting took
MOST: Final = 10_000  # mailboxes

FULL_MAILBOX = Reply.own(452, "4.2.2", "the mailbox has no more room, come back later")  # RFC 3463 §3.3


class _Counted(NamedTuple):
    """What a mailbox has; `until` is by the monotonic clock."""

    usage: Usage
    until: float


class MailboxQuotas:
    """The quotas of those who have mailboxes here by `config`; our own are opened by `boxes`. `now` is the monotonic time in seconds."""

    def __init__(self, config: Config, now: Callable[[], float] = monotonic, boxes: MailboxOpener | None = None) -> None:
        self._now = now
        self._boxes = boxes
        self._known: OrderedDict[str, _Counted] = OrderedDict()
        self._counting: dict[str, asyncio.Future[Usage]] = {}
        self.take(config)

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        ways = {section.name: section.via[0] for section in config.domains if section.via}
        self._templates = {name: way.name for name, way in ways.items() if way.kind in ("local", "maildir")}

    @property
    def domains(self) -> Collection[str]:
        """The domains whose mailboxes are on this machine."""
        return self._templates.keys()

    async def refuses(self, users: Users, people: Sequence[Recipient], octets: int = 0) -> Reply | None:
        """The reply to whoever brings mail of `octets` for `people`, if one of their mailboxes has no room for it. Raises `Problem`."""
        local = [one.address for one in people if not one.behalf and one.outcome is None and one.domain in self._templates]
        if not local:
            return None
        names = [key_of(address) for address in local]
        found = await users.find([*names, *(split_tag(name)[0] for name in names)])
        for nth, address in enumerate(local):
            user: User | None = found[nth] or found[len(local) + nth]
            if user is not None and not await self._would_take(user, address, octets):
                return FULL_MAILBOX
        return None

    async def _would_take(self, user: User, address: str, octets: int) -> bool:
        """Whether the mailbox of `user`, which `address` leads to, has room for a message of so many octets."""
        template, quota = self._templates[address.rpartition("@")[2].lower()], quota_of(user)
        if template and quota.octets:
            return await self._used_at(template, address) < quota.octets
        if template or self._boxes is None or not any(quota):
            return True
        return not (await self._usage(user.key, partial(usage_of, self._boxes, user.key), FRESH_OWN)).over(quota, max(octets, 1), 1)

    async def _used_at(self, template: str, address: str) -> int:
        """The octets in the Maildir of `address`."""
        try:
            root = mailbox_path(template, address)
        except NoMailboxName:
            return 0
        return (await self._usage(root, lambda: Usage(size_of(root), 0), FRESH)).octets

    async def _usage(self, name: str, count: Callable[[], Usage], fresh: float) -> Usage:
        """What the mailbox called `name` has, as `count` says in a thread, or said a while ago."""
        known = self._known.get(name)
        if known is not None and known.until > self._now():
            return known.usage
        counting = self._counting.get(name)
        if counting is None:
            counting = self._counting[name] = asyncio.ensure_future(self._count(name, count, fresh))
            counting.add_done_callback(lambda _: self._counting.pop(name, None))
        return await asyncio.shield(counting)

    async def _count(self, name: str, count: Callable[[], Usage], fresh: float) -> Usage:
        began = self._now()
        usage = await asyncio.to_thread(count)
        took = self._now() - began
        self._known[name] = _Counted(usage, self._now() + max(fresh, took * LONGER))
        self._known.move_to_end(name)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return usage


def usage_of(boxes: MailboxOpener, address: str) -> Usage:
    """What the mailbox of `address` has, one of our own; nothing where there is none yet. Raises `Problem`."""
    try:
        with boxes.of(address) as mailbox:
            return mailbox.usage()
    except Problem as problem:
        if problem.kind == "no-such":
            return Usage(0, 0)
        raise
