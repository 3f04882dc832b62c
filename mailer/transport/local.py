"""The courier that puts mail into the mailboxes of this machine which are our own (`mailer.mailbox`), for ``[[domain]] via = "local"``.

What it answers is as good as a host's 250: the message is in the mailbox and on the disk. Above it stand two lines that say from whom it
is (Return-Path, RFC 5321 §4.4) and whose it is (Delivered-To, RFC 9228). Where in the mailbox it goes, a `Filing` says.

**Once.** The mailbox remembers by the ID of the message and the recipient what it was given. So after a crash between the mailbox and the
record of it, the next attempt is told where the message is, whatever its owner has done with it meanwhile.

**Safely.** Whose mailbox it is, is asked where users are: an address reaches a mailbox only as that of a user, with its tag or without.
Postmaster and abuse have one in any case (RFC 5321 §4.5.1, RFC 2142 §4). A mailbox that cannot be written is nobody else's trouble: others
of the same message get it. One that has used up its quota has `grace` seconds in which there may be room again; then its mail fails.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.accounts.residence import ALWAYS, NOBODY
from mailer.mail.address_key import key_of, split_tag
from mailer.mail.dates import parse_rfc3339
from mailer.mail.delivery_options import NOTHING
from mailer.mail.problem import Problem
from mailer.mail.trace import delivered_to, is_junk, reached, return_path
from mailer.mailbox.api import UNBOUNDED, Frozen, OverQuota, Quota
from mailer.mailbox.notices import QuotaNotices
from mailer.net.aside import LARGE

from . import verdict
from .filing import MailboxLetter
from .writers import Writers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.accounts.users.api import User, Users
    from mailer.dsn.fields import Kind
    from mailer.io.clock import SteadyClock
    from mailer.mail.outcome import Outcome, Phase
    from mailer.metrics.mailboxes import MailboxCounts

    from .courier import Load, Meaning
    from .filing import Filing
    from .pool import Pool
    from .writers import Filed, MailboxOpener

SHORT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENFILE, errno.EMFILE, errno.ENOMEM})


class Home(NamedTuple):
    """The mailbox that an address leads to: the address of its owner, its quota, and the tag that the address has besides."""

    address: str
    quota: Quota = UNBOUNDED
    detail: str = ""


class LocalCourier:
    """The courier of the mailboxes `boxes`, for those who are `users`, who files mail by `filing`. `grace` is how long mail waits for room,
    in seconds. Users and that are asked for anew at each message, for a reload may change them. Whose quota is nearly used up gets notice;
    what keeps him from that is told to `trouble`, in whatever thread. `counts` has what was put. `together` is as `Writers` has it."""

    def __init__(
        self,
        boxes: MailboxOpener,
        users: Callable[[], Users],
        filing: Filing,
        clock: SteadyClock,
        grace: Callable[[], float],
        trouble: Callable[[Exception], object] = id,
        counts: MailboxCounts | None = None,
        *,
        together: bool = True,
    ) -> None:
        self.users = users
        self.clock = clock
        self.grace = grace
        notices = QuotaNotices(clock.now)
        self.writers = Writers(
            boxes, filing, notices=notices, trouble=trouble, is_gone=self._is_gone, counts=counts, together=together
        )  # fmt: skip

    def _is_gone(self, address: str) -> bool:
        """Whether the user of that address was removed. Raises `Problem`."""
        return address.rpartition("@")[0] not in ALWAYS and self.users().is_gone(address)

    def session(self, stands: Callable[[], None]) -> LocalSession:  # noqa: ARG002 - nobody is called
        """A session."""
        return LocalSession(self)

    def change(self, pool: Pool, meaning: Meaning) -> None:
        """Go on as before: what changes is asked for each time."""

    async def close(self) -> None:
        """Wait for what is being put."""
        await asyncio.to_thread(self.writers.close)


class LocalSession:
    """One message after the other into mailboxes."""

    dialled = 0
    phase: Phase = "body"

    def __init__(self, courier: LocalCourier) -> None:
        self.unconfirmed: tuple[tuple[int, Kind], ...] = ()
        self._courier = courier

    def end(self) -> None:
        """Take leave of nobody."""

    async def deliver(self, load: Load[Any], ahead: Callable[[], Load[Any] | None]) -> list[Outcome]:  # noqa: ARG002 - one at a time
        """Put the message into the mailbox of each recipient; one that cannot be written keeps no other from his."""
        now, people = self._courier.clock.now(), load.envelope.recipients
        recipients: Sequence[int] = load.job.recipients
        try:
            homes = await homes_of(self._courier.users(), [people[to].address for to in recipients])
        except Problem:
            return [verdict.nobody_knows(to, now, 0.0) for to in recipients]
        outcomes = await self._put(load, dict(zip(recipients, homes, strict=True)), now)
        asked = load.asked() if load.asked else NOTHING
        taken = [each.to for each in outcomes if each.verdict == "delivered"]
        self.unconfirmed = tuple((to, "delivered") for to in taken if "SUCCESS" in asked.of(people[to].address).notify.split(","))
        return outcomes

    async def _put(self, load: Load[Any], homes: dict[int, Home | None], now: float) -> list[Outcome]:
        """Hand it to the writers for each recipient, and say what became of it; in the order of the recipients."""
        people, content = load.envelope.recipients, load.content
        addresses = [people[to].address for to in homes]
        look = _looked if len(content) <= LARGE else _looked_aside
        junk, been = await look(content, addresses)
        sender = return_path(load.returns.of(load.envelope, load.job.route, load.job.recipients))
        outcomes: dict[int, Outcome] = {}
        handed: dict[int, str] = {}
        filings: dict[str, asyncio.Future[Filed]] = {}  # by the recipient, who may be named twice, and gets it once
        for to, home in homes.items():
            address = people[to].address
            if home is None:
                outcomes[to] = verdict.nobody(to, NOBODY, now)
            elif address in been:
                text = f"it has been in the mailbox of {address} before, as its Delivered-To says"
                outcomes[to] = verdict.loop([to], text, now)[0]
            else:
                key = handed[to] = key_of(address)
                if key not in filings:
                    once, prefix = (load.envelope.id, key), sender + delivered_to(address)
                    letter = MailboxLetter(load.envelope, content, prefix, address, junk, once, home.detail, now, home.quota)
                    filings[key] = self._courier.writers.hand_in(home.address, letter)
        for to, key in handed.items():
            outcomes[to] = self._judged(load, to, await filings[key])
        return [outcomes[to] for to in homes]

    def _judged(self, load: Load[Any], to: int, filed: Filed) -> Outcome:
        """The outcome of a recipient whose letter the writers had."""
        now, person = self._courier.clock.now(), load.envelope.recipients[to]
        if filed.error is None:
            return verdict.filed(to, now, fresh=any(put.fresh for put in filed.puts) or not filed.puts)
        if isinstance(filed.error, OverQuota):
            late = now - _created(load.envelope.created, now) > self._courier.grace()
            return verdict.over_quota(to, str(filed.error), now, late=late)
        if isinstance(filed.error, Frozen):
            return verdict.frozen(to, str(filed.error), now)
        if isinstance(filed.error, Problem | OSError):
            return verdict.unwritable_mailbox(to, f"{person.address}: {filed.error}", now, short=is_short(filed.error))
        if isinstance(filed.error, MemoryError):
            return verdict.short_of_memory([to], "body", now, 0.0)[0]
        return verdict.bug([to], filed.error, "body", now)[0]


async def homes_of(users: Users, addresses: Sequence[str]) -> Sequence[Home | None]:
    """The mailbox that each address leads to; None for those of nobody. Raises `Problem`."""
    names = [key_of(address) for address in addresses]
    parted = [split_tag(name) for name in names]
    wanted = [*dict.fromkeys([*names, *(plain for plain, _ in parted)])]
    found = dict(zip(wanted, await users.find(wanted), strict=True))
    return [_home(each, found[name], found[each[0]]) for name, each in zip(names, parted, strict=True)]


def _home(parted: tuple[str, str], whole: User | None, untagged: User | None) -> Home | None:
    """As `mailer.accounts.residence` has it: a user as the address is written, else without its tag."""
    plain, detail = parted
    if whole is not None:
        return Home(whole.key, quota_of(whole))
    if untagged is not None:
        return Home(untagged.key, quota_of(untagged), detail)
    return Home(plain, detail=detail) if plain.rpartition("@")[0] in ALWAYS else None


def quota_of(user: User) -> Quota:
    """What the mailbox of `user` may have."""
    return Quota(user.quota, user.quota_messages)


def is_short(error: BaseException | None) -> bool:
    """Whether it is for want of room on the disk, or of descriptors."""
    while error is not None:
        if getattr(error, "errno", None) in SHORT or getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            return True
        error = error.__cause__ or error.__context__
    return False


async def _looked(content: bytes, addresses: Sequence[str]) -> tuple[bool, set[str]]:
    return _look(content, addresses)


async def _looked_aside(content: bytes, addresses: Sequence[str]) -> tuple[bool, set[str]]:
    return await asyncio.to_thread(_look, content, addresses)


def _look(content: bytes, addresses: Sequence[str]) -> tuple[bool, set[str]]:
    """Whether it is marked as unwanted, and which of `addresses` it has reached before."""
    junk = is_junk(content)
    return junk, reached(content, addresses)


def _created(text: str, now: float) -> float:
    try:
        return parse_rfc3339(text)
    except ValueError:
        return now
