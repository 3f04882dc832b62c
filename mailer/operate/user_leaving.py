"""Users who leave, and come back: an address that is free, and a mailbox that waits for a while and is nobody else's meanwhile.

The user goes first, so that no mail is taken for him any more, then his mailbox from under his address; whoever gets the address next
begins with an empty one. Killed in between, it is done again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address_key import key_of
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem

from . import users as operate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.accounts.sessions.api import UserSessions
    from mailer.accounts.users.api import UserBook
    from mailer.mailbox.mailboxes import Mailboxes
    from mailer.mailbox.owners.api import Owner, Owners

    from .users import UserPassword, UserTerms


class UserRemoved(NamedTuple):
    """Somebody who is no user any more; his mailbox, if he had one, is kept `until` then (seconds since the epoch, 0 for none)."""

    address: str
    until: float = 0.0

    def as_json(self) -> dict[str, object]:
        """As ``mailer user remove --json`` prints it."""
        return {"address": self.address, "removed": True, "mailbox_kept_until": rfc3339(self.until) if self.until else None}


async def remove(users: UserBook, sessions: UserSessions, boxes: Mailboxes | None, address: str, now: float) -> UserRemoved:
    """Forget a user, log him out, and let nobody find his mailbox by his address any more. Raises `Problem` (no-such).

    Where there is no such user, but a mailbox of his address, that is done with the mailbox.
    """
    owner = None if boxes is None else (await asyncio.to_thread(boxes.owners.find, [address]))[0]
    try:
        gone = (await operate.named(users, address)).address
    except Problem:
        if owner is None:
            raise
        gone = owner.address
    await users.remove([gone])
    await sessions.end(gone, now)
    await sessions.forget([gone])
    if boxes is None or owner is None:
        return UserRemoved(gone)
    return UserRemoved(gone, (await asyncio.to_thread(boxes.remove, gone)).until)


async def restore(
    users: UserBook, boxes: Mailboxes, address: str, terms: UserTerms, now: float, *, password: str = "", scram: bool = True
) -> UserPassword:
    """Make somebody a user again, with the mailbox that he had; of several the one that was removed last.

    Raises `Problem`: no-such where none is kept, usage where somebody has the address.
    """
    if (await users.find([address]))[0] is not None:
        raise Problem(f"there is a user {address}, who has a mailbox of his own; mailer user remove {address} makes room", "usage")
    owner = await asyncio.to_thread(_opened, boxes, address)
    try:
        return await operate.add(users, owner.address, terms, now, password=password, scram=scram)
    except Problem:
        await asyncio.to_thread(boxes.remove, owner.address)
        raise


def _opened(boxes: Mailboxes, address: str) -> Owner:
    """The mailbox that was removed last under this address, to be found by it again. Raises `Problem`."""
    kept = max(_removed(boxes.owners, address), key=lambda owner: owner.until, default=None)
    if kept is None:
        raise Problem(f"no mailbox of {address} is kept; mailer user add makes a user with a new one", "no-such")
    present = boxes.owners.find([address])[0]
    if present is not None:
        with boxes.opened(present) as box:
            if many := box.usage().messages:
                raise Problem(f"{address} has another mailbox, with {many} messages; mailer user add makes a user with that", "usage")
        boxes.remove(address)
    return boxes.restore(kept)


def _removed(owners: Owners, address: str) -> Iterator[Owner]:
    after = ""
    while some := owners.listing(after=after, removed=True):
        yield from (owner for owner in some if key_of(owner.address) == key_of(address))
        after = some[-1].id
