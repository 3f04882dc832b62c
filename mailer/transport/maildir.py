"""The courier that puts mail into Maildirs of this machine: for a domain of ours whose mailboxes are there (``[[domain]] via``).

What it answers is as good as a host's 250: the message is on disk, and so is its name. It lies there as it came, below two lines that say
from whom (Return-Path, RFC 5321 §4.4) and whose it is (Delivered-To, RFC 9228). What filters have marked as unwanted goes into the folder
``.Junk`` of Maildir++, which is made where it is missing.

**Once.** A message has the same name in a mailbox at each attempt, made of its ID and the number of the recipient. So after a crash
between the file and the record of it, the next attempt finds it in ``new/``, or in ``cur/`` where a reader has seen it; there it is looked
for only where there may have been an attempt before. What this does not cover: whoever has moved it to another folder, or deleted it, in
that moment, gets it again.

**Safely.** What stands for an address in a path is one name: small letters, without the ``+tag``; one that is no name of a file, such as
``..``, or has a ``/`` in it, is refused for good. The place that the operator wrote down is made when the daemon begins to go by it, and
not again: where it is gone later (a disk that is not mounted), mail waits. A mailbox that cannot be written is nobody else's trouble.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from mailer.io.maildir import JUNK, put_once
from mailer.mail.address import plain_local
from mailer.mail.address_key import key_of
from mailer.mail.dates import parse_rfc3339
from mailer.mail.delivery_options import NOTHING
from mailer.mail.trace import delivered_to, is_junk, reached, return_path

from . import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.dsn.fields import Kind
    from mailer.io.clock import SteadyClock
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Outcome, Phase

    from .courier import Load, Meaning
    from .pool import Pool

LONGEST = 255  # octets of a name in a directory
FRESH = 60.0  # seconds for which a message that has come since this process began can have had one attempt only
FULL = frozenset({errno.EDQUOT, errno.EFBIG})
SHORT = frozenset({errno.ENOSPC, errno.ENFILE, errno.EMFILE, errno.ENOMEM})
_WORD = re.compile(r"\{(?:user|domain|address)\}")


class NoMailboxName(ValueError):
    """An address that cannot be the name of a mailbox; `str()` says why."""


def mailbox_path(template: str, address: str) -> str:
    """The Maildir of `address`, where `template` has ``{user}``, ``{domain}`` and ``{address}`` in it. Raises `NoMailboxName`."""
    local, _, domain = key_of(address).rpartition("@")
    user = plain_local(local)
    name, _, _ = user.partition("+")
    user = name or user
    words = {"{user}": user, "{domain}": domain, "{address}": f"{user}@{domain}"}
    for word, text in words.items():
        if word in template and (not text or text[0] == "." or "/" in text or not text.isprintable() or len(text.encode()) > LONGEST):
            raise NoMailboxName("it cannot be the name of a mailbox")
    return _WORD.sub(lambda word: words[word[0]], template)


def base_of(template: str) -> str:
    """The directory of a template that has to be there: what stands before anything of an address."""
    return template[: template.index("{")].rpartition("/")[0] or "/"


def make_bases(templates: Iterable[str]) -> None:
    """Make the directories of these templates that have to be there. One that cannot be made is told of when mail comes for it."""
    for base in {base_of(template) for template in templates}:
        try:
            os.makedirs(base, mode=0o755, exist_ok=True)
        except OSError:
            continue


class MaildirCourier:
    """The courier of Maildirs; it has no connections, and its sessions only tell what they have to confirm."""

    def __init__(self, pool: Pool, clock: SteadyClock, meaning: Meaning) -> None:  # noqa: ARG002 - as all couriers are made
        self.clock = clock
        self.began = clock.now()

    def session(self, stands: Callable[[], None]) -> MaildirSession:  # noqa: ARG002 - nobody is called
        """A session."""
        return MaildirSession(self.clock, self.began)

    def change(self, pool: Pool, meaning: Meaning) -> None:
        """Go on as before: the route says where mailboxes are."""

    async def close(self) -> None:
        """Close nothing: nothing is open."""


class MaildirSession:
    """One message after the other into the mailboxes of a domain."""

    dialled = 0
    phase: Phase = "body"

    def __init__(self, clock: SteadyClock, began: float) -> None:
        self.unconfirmed: tuple[tuple[int, Kind], ...] = ()
        self._clock = clock
        self._began = began

    def end(self) -> None:
        """Take leave of nobody."""

    async def deliver(self, load: Load[Any], ahead: Callable[[], Load[Any] | None]) -> list[Outcome]:  # noqa: ARG002 - one at a time
        """Put the message into the mailbox of each recipient; one that cannot be written keeps no other from his."""
        outcomes = await asyncio.to_thread(self._put, load, self._clock.now())
        asked = load.asked() if load.asked else NOTHING
        taken = [each.to for each in outcomes if each.verdict == "delivered"]
        people = load.envelope.recipients
        self.unconfirmed = tuple((to, "delivered") for to in taken if "SUCCESS" in asked.of(people[to].address).notify.split(","))
        return outcomes

    def _put(self, load: Load[Any], now: float) -> list[Outcome]:
        sender = load.returns.of(load.envelope, load.job.route, load.job.recipients)
        body = load.content.replace(b"\r\n", b"\n")
        junk = is_junk(load.content)
        put = partial(self._put_one, load, body, sender, junk=junk, now=now)
        return [put(to) for to in load.job.recipients]

    def _put_one(self, load: Load[Any], body: bytes, sender: str, to: int, *, junk: bool, now: float) -> Outcome:
        address, template = load.envelope.recipients[to].address, load.job.route.place
        try:
            root = mailbox_path(template, address)
        except NoMailboxName as problem:
            return verdict.no_mailbox_name(to, address, str(problem), now)
        if reached(load.content, [address]):
            return verdict.loop([to], f"it has been in the mailbox of {address} before, as its Delivered-To says", now)[0]
        fields = (return_path(sender) + delivered_to(address)).replace(b"\r\n", b"\n")
        name, again = _name(load.envelope, to), self._may_be_there(load.envelope, now)
        try:
            fresh = put_once(base_of(template), root, name, [fields, body], folder=JUNK if junk else "", again=again)
        except OSError as error:
            return _unwritable(to, root, error, now)
        return verdict.in_mailbox(to, f"{root}/{JUNK}" if junk else root, now, fresh=fresh)

    def _may_be_there(self, envelope: Envelope, now: float) -> bool:
        """Whether there may have been an attempt before, of which nobody has told us."""
        created = _created(envelope)
        return not (self._began < created <= now < created + FRESH)


def _created(envelope: Envelope) -> float:
    try:
        return parse_rfc3339(envelope.created)
    except ValueError:
        return 0.0


def _name(envelope: Envelope, to: int) -> str:
    """The name of the message in the mailbox: that of a Maildir, whose middle is unique for ever."""
    return f"{int(_created(envelope))}.{envelope.id}R{to}.mailer"


def _unwritable(to: int, root: str, error: OSError, now: float) -> Outcome:
    why = f"{error.filename or root}: {error.strerror}"
    if error.errno == errno.ENAMETOOLONG:
        return verdict.no_mailbox_name(to, root, os.strerror(error.errno), now)
    if error.errno in FULL:
        return verdict.mailbox_full(to, why, now)
    return verdict.unwritable(to, why, now, short=error.errno in SHORT)
