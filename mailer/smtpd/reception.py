"""The reception: what all doors for mail share, of strangers and of users, and the way from there into the spool."""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from mailer.accounts.residence import NOT_NOW, Residence
from mailer.auth.iprev import confirmed_name
from mailer.events import Alarm, Mended
from mailer.mail.problem import Problem
from mailer.net.records import answered
from mailer.smtp.reply import Reply
from mailer.spool.files import layout
from mailer.submit.accept import made
from mailer.submit.together import put_alone
from mailer.submit.tray import SMALL, Tray

from .next_hop import NextHops
from .quota import MailboxQuotas

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mailer.accounts.residents import Residents
    from mailer.auth.records import DnsRecords
    from mailer.config import Config
    from mailer.config.sections import SubmissionSettings
    from mailer.events import Event
    from mailer.filtering.api import Panel
    from mailer.io.clock import Clock
    from mailer.mail.arrival import Arrival
    from mailer.serving.login import LoginDesk
    from mailer.submit import Prepared
    from mailer.submit.accept import Inbound
    from mailer.submit.together import Ready
    from mailer.transport.writers import MailboxOpener

    from .reports import ReportCounter

FRESH = 1.0  # seconds: what is put looks at the disk again, and a message that it has no room for is refused then
FULL = Reply.own(452, "4.3.1", "there is no room for it now, come back later")
DISK = Reply.own(451, "4.3.0", "it could not be kept, come back later")


class Reception:
    """What all sessions of these doors share: who lives there (`residents`), who judges (`panel`), and the way into the spool.

    `reports` takes those about our mail, and `records` asks the DNS, as `mailer.net.records.answered` wants it. Without a panel nobody
    judges, and without records no client has a name. `boxes` are mailboxes of our own. `desk` is where users log in, if somewhere they can.
    """

    def __init__(
        self,
        config: Config,
        residents: Residents,
        reports: ReportCounter,
        tell: Callable[[Event], None],
        clock: Clock,
        panel: Panel | None = None,
        records: Callable[[str, str], Awaitable[DnsRecords]] | None = None,
        boxes: MailboxOpener | None = None,
    ) -> None:
        self.config = config
        self.residents = residents
        self.reports = reports
        self.panel = panel
        self.tell = tell
        self.clock = clock
        self.desk: LoginDesk | None = None
        self.next_hops = NextHops(config, tell, clock)
        self.quotas = MailboxQuotas(config, boxes=boxes)
        self._records = records
        self._asked_for, self._roomy_until, self._lacking = 0, 0.0, False
        self._tray: Tray | None = None
        self._ending: set[asyncio.Future[None]] = set()

    def guessed(self, arrival: Arrival) -> None:
        """Note that somebody tried to log in where nobody can."""
        if self.desk is not None:
            self.desk.miss(arrival, "", "", "nobody can log in there")

    def naming(self, ip: str) -> asyncio.Future[str] | None:
        """Look for the name of the client at `ip` by the DNS; None where there is nothing to look for, or nobody to ask."""
        if not ip or self._records is None:
            return None
        return asyncio.ensure_future(answered(confirmed_name(ip), self._records))

    async def resolve(self, address: str, octets: int = 0) -> Residence:
        """What becomes of mail of `octets` for `address`, confirmed by the next hop where it has the last word; a full mailbox takes none
        for now."""
        residence = await self._confirmed(address)
        if residence.reply is None and (full := await self._full(residence, octets)) is not None:
            return Residence("trouble", reply=full)
        return residence

    async def _full(self, residence: Residence, octets: int) -> Reply | None:
        try:
            return await self.quotas.refuses(self.residents.users, residence.recipients, octets)
        except Problem:
            return NOT_NOW

    async def _confirmed(self, address: str) -> Residence:
        residence = await self.residents.resolve(address)
        if residence.reply is not None or not residence.asks:
            return residence
        asked = [*residence.asks]
        answers = zip(asked, await asyncio.gather(*map(self.next_hops.refuses, asked)), strict=True)
        refused = {each: reply for each, reply in answers if reply is not None}
        return await self._without(residence, address, refused) if refused else residence

    async def _without(self, residence: Residence, address: str, refused: Mapping[str, Reply]) -> Residence:
        """The residence, where the next hop refuses some: for now, then all have to wait, for there is one answer; or for good."""
        replies = [*refused.values()]
        if waits := next((reply for reply in replies if reply.transient), None):
            return Residence("trouble", reply=waits)
        if left := [one for one in residence.recipients if one.address not in refused]:
            return residence._replace(recipients=left, asks=())
        otherwise = await self.residents.resolve(address, denied=True)
        return otherwise if otherwise.reply is None else Residence("unknown", reply=replies[0])

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        self.next_hops.take(config)
        self.quotas.take(config)
        self.config = config

    async def put(self, inbound: Inbound) -> Prepared:
        """Make the message durable. Raises `Problem`."""
        return await self.hand_in(partial(made, inbound), len(inbound.content))

    async def hand_in(self, make: Callable[[SubmissionSettings], Ready], size: int) -> Prepared:
        """Make a message of about `size` octets durable, which `make` makes in a thread; small ones share the waits for the disk.

        Raises `Problem`, as `make` does.
        """
        if size > SMALL:
            settings = self.config.submitting
            return await asyncio.to_thread(lambda: put_alone(make(settings), settings))
        if self._tray is None:
            self._tray = Tray(lambda: self.config.submitting)
        return await self._tray.hand_in(make)

    def lacks_room(self, size: int) -> bool:
        """Whether the disk has none for so many octets; that is an alarm. Where it had some, it is not asked again for a second."""
        if size <= self._asked_for and monotonic() < self._roomy_until:
            return False
        kept = self.config.submission
        lack = layout.shortage(self.config.spool, kept.min_free_space, kept.min_free_inodes, size)
        if lack:
            self.tell(Alarm(self.clock.now(), "disk", f"no mail is taken in: the disk of the spool has {lack}", "doors"))
        else:
            self._asked_for, self._roomy_until = size, monotonic() + FRESH
            if self._lacking:
                self.tell(Mended(self.clock.now(), "disk", "doors", "there is room; mail is taken in again"))
        self._lacking = bool(lack)
        return bool(lack)

    def trouble(self, problem: Problem) -> Reply:
        """What is said where a message could not be kept."""
        self.tell(Alarm(self.clock.now(), "spool", f"mail could not be taken in: {problem}"))
        return FULL if problem.kind == "try-again" else DISK

    def finish(self, ending: Awaitable[None]) -> None:
        """Let somebody end by himself, whom nobody waits for."""
        task = asyncio.ensure_future(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait for what was begun."""
        if self._ending:
            await asyncio.wait(self._ending)
        if self._tray is not None:
            await asyncio.to_thread(self._tray.close)
        await self.next_hops.close()
