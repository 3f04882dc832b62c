"""Notices of quotas: whose mailbox has used up 80 percent of its quota, and then 95, finds a letter about that in his inbox.

Each mark is told once when it is passed, and again only after the mailbox has fallen ten points below it. Where both are passed at once,
one letter tells of the higher. It is put into the inbox whatever the quota says; a crash, or another process that has the same thought,
makes no second one. What was told is a setting of the mailbox, and goes where that goes.

Called by whoever has put something into a mailbox that has a quota.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.dates import rfc5322
from mailer.mail.text import human_size

from .api import INBOX, NewMail, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .api import Mailbox, PutMail, Quota

MARKS: Final = (80, 95)  # percent
BELOW: Final = 10  # points under a mark, from which on it is told again
SETTING: Final = "quota notices"
REMEMBERED: Final = 10_000  # mailboxes of which it is known without a look what was told


class NoticesGiven(NamedTuple):
    """Which marks were told, and how many letters there were."""

    marks: frozenset[int] = frozenset()
    letters: int = 0

    @classmethod
    def of(cls, text: str) -> NoticesGiven:
        """As it is kept; what cannot be read is nothing."""
        try:
            said = json.loads(text)
            return cls(frozenset(map(int, said["marks"])), int(said["letters"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def __str__(self) -> str:
        return json.dumps({"marks": sorted(self.marks), "letters": self.letters})


def percent(usage: Usage, quota: Quota) -> float:
    """How much of a quota is used up, in percent: of the octets or of the messages, whichever is more."""
    octets = 100.0 * usage.octets / quota.octets if quota.octets else 0.0
    messages = 100.0 * usage.messages / quota.messages if quota.messages else 0.0
    return max(octets, messages)


def due(given: NoticesGiven, before: float, after: float) -> tuple[NoticesGiven, int]:
    """What was told then, and the mark that is to be told now, 0 for none, where a mailbox went from `before` to `after` percent."""
    still = frozenset(mark for mark in given.marks if before > mark - BELOW)
    passed = [mark for mark in MARKS if after >= mark and mark not in still]
    return NoticesGiven(still | {*passed}, given.letters + bool(passed)), max(passed, default=0)


class QuotaNotices:
    """The notices of all mailboxes. `now` gives seconds since the epoch. It may be used by several threads."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._given: OrderedDict[str, NoticesGiven] = OrderedDict()
        self._lock = Lock()

    def after(self, mailbox: Mailbox, quota: Quota, puts: Sequence[PutMail], octets: int) -> int:
        """Give notice after `puts`, of so many octets together; the mark that was told, 0 for none. Raises what a `Mailbox` raises."""
        fresh = [put for put in puts if put.fresh]
        if not fresh or not (quota.octets or quota.messages):
            return 0
        usage, id = fresh[-1].usage, mailbox.owner.id
        before = Usage(max(usage.octets - octets, 0), max(usage.messages - len(fresh), 0))
        given = self._known(mailbox)
        then, mark = due(given, percent(before, quota), percent(usage, quota))
        if then == given:
            return 0
        if mark:
            content = letter(mailbox.owner.address, mark, usage, quota, self._now(), f"quota-{then.letters}.{id}")
            once = f"{SETTING} {then.letters}", mailbox.owner.address
            mailbox.put([NewMail(INBOX, content, received=self._now(), once=once)])
        mailbox.keep_setting(SETTING, str(then))
        self._remember(id, then)
        return mark

    def _known(self, mailbox: Mailbox) -> NoticesGiven:
        with self._lock:
            known = self._given.get(mailbox.owner.id)
        if known is None:
            known = NoticesGiven.of(mailbox.setting(SETTING))
            self._remember(mailbox.owner.id, known)
        return known

    def _remember(self, id: str, given: NoticesGiven) -> None:
        with self._lock:
            self._given[id] = given
            self._given.move_to_end(id)
            if len(self._given) > REMEMBERED:
                self._given.popitem(last=False)


def letter(address: str, mark: int, usage: Usage, quota: Quota, now: float, id: str) -> bytes:
    """The letter to `address`, whose Message-ID begins with `id`, that so many percent of his quota are used up."""
    domain = address.rpartition("@")[2]
    used = [f"{human_size(usage.octets)} of {human_size(quota.octets)}"] if quota.octets else []
    used += [f"{usage.messages:,} of {quota.messages:,} messages"] if quota.messages else []
    full = "is full" if percent(usage, quota) >= 100 else f"is {mark} percent full"
    lines = [
        f"From: Mail system of {domain} <postmaster@{domain}>",
        f"To: {address}",
        f"Subject: Your mailbox {full}",
        f"Date: {rfc5322(now)}",
        f"Message-ID: <{id}@{domain}>",
        "Auto-Submitted: auto-generated",  # RFC 3834 §5
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        f"The mailbox of {address} has {' and '.join(used)}.",
        "",
        "When it is full, mail for you waits for some days, and then goes back to whoever",
        "sent it. To make room, delete what you need no more, also from Trash and Junk,",
        "or ask whoever looks after the mail of your domain for a larger quota.",
        "",
    ]
    return "\r\n".join(lines).encode()
