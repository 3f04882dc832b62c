"""Asking the next hop whether it takes mail for somebody, before we take it: for domains of ours whose mailboxes are elsewhere.

A gateway that takes mail for whoever is named has to send reports about those who do not exist, to senders who are forged. So where a
domain says ``verify``, its relay is asked as if there were a message (MAIL with the null reverse-path, RCPT, RSET), and its answer is ours:
that nobody of that name lives there, or that the mailbox is full. Where it cannot be asked, that is 451, and never "nobody".

An answer is remembered for a while, by the form in which addresses are compared: that somebody is taken for `TAKEN` seconds, that nobody is
there for `REFUSED`, and whatever may soon be over for `SOON`. At most `MOST` are; what was asked for longest ago goes first. Who asks what
is being asked already waits for that answer. No more than `AT_ONCE` questions are under way with one next hop, and each has `PATIENCE`
seconds, however many hosts there are.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.events import Alarm, Mended
from mailer.mail.address import domain_of
from mailer.mail.address_key import key_of
from mailer.net.dns import Resolver
from mailer.routing.resolve import Finder, Router
from mailer.smtp import command
from mailer.smtp.reply import CommandError, Reply
from mailer.transport.errors import SessionError
from mailer.transport.pool import Pool
from mailer.transport.route import Timeouts, Unroutable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.transport.connection import Connection
    from mailer.transport.route import NextHop, Route

MOST: Final = 100_000  # answers
TAKEN: Final = 1800.0  # seconds
REFUSED: Final = 300.0  # seconds
SOON: Final = 30.0  # seconds
AT_ONCE: Final = 8  # questions
PATIENCE: Final = 30.0  # seconds
TIMEOUTS: Final = Timeouts(connect=10.0, greeting=20.0, ehlo=20.0, mail=20.0, rcpt=20.0)

NOT_NOW = Reply.own(451, "4.4.1", "whether that mailbox is there cannot be found out for now, come back later")


class _Answer(NamedTuple):
    """What is known of an address: None is that it is taken. `until` is by the monotonic clock."""

    reply: Reply | None
    until: float


class _Trouble(Exception):
    """The next hop cannot be asked; `str()` says why."""


class NextHops:
    """The next hops of the domains of `config` that are asked about recipients. `now` is the monotonic time in seconds."""

    def __init__(self, config: Config, tell: Callable[[Event], None], clock: Clock, now: Callable[[], float] = monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._now = now
        self._known: OrderedDict[str, _Answer] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Reply | None]] = {}
        self._pool = Pool(TIMEOUTS)
        self.take(config)

    def take(self, config: Config) -> None:
        """Go by another configuration: what was found out by the one before is forgotten."""
        dns = config.dns
        resolver = Resolver(dns.nameservers, dns.timeout, dns.lifetime, dns.cache_size, config.delivery.family)
        self._router = Router(Finder(config, resolver, random.shuffle).find)
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._known.clear()

    async def close(self) -> None:
        """Take leave of all of them."""
        for task in [*self._asked.values()]:
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        await self._pool.close_all()

    async def refuses(self, address: str) -> Reply | None:
        """The reply to whoever names `address`, of a domain of ours, as a recipient; None where the next hop takes it."""
        key = key_of(address)
        known = self._known.get(key)
        if known is not None and known.until > self._now():
            self._known.move_to_end(key)
            return known.reply
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.ensure_future(self._find_out(key, address))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(task)

    async def _find_out(self, key: str, address: str) -> Reply | None:
        """Ask, remember the answer, and tell of trouble."""
        domain = domain_of(address)
        try:
            async with asyncio.timeout(PATIENCE):
                reply = await self._ask(address, domain)
        except (TimeoutError, _Trouble) as error:
            why = str(error) or f"it did not answer within {PATIENCE:.0f} seconds"
            text = f"no mail is taken for {domain}: its next hop cannot be asked: {why}"
            self._tell(Alarm(self._clock.now(), "destination", text, domain))
            reply = NOT_NOW
        else:
            self._tell(Mended(self._clock.now(), "destination", domain, "the next hop answers"))
        self._remember(key, reply)
        return reply

    def _remember(self, key: str, reply: Reply | None) -> None:
        seconds = TAKEN if reply is None else REFUSED if reply.permanent else SOON
        self._known[key] = _Answer(reply, self._now() + seconds)
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    async def _ask(self, address: str, domain: str) -> Reply | None:
        """What the next hop says, by any of its hosts. Raises `_Trouble`."""
        route = await self._route(domain)
        async with self._turns.setdefault(route.key, asyncio.Semaphore(AT_ONCE)):
            troubles = ["no host is known"]
            for hop in route.hops:
                try:
                    return await self._ask_host(hop, address)
                except SessionError as error:
                    troubles.append(str(error.reply))
        raise _Trouble(troubles[-1])

    async def _route(self, domain: str) -> Route:
        found = self._router.known(domain, self._now())
        try:
            return found or await self._router.find(domain, self._now())
        except Unroutable as trouble:
            raise _Trouble(str(trouble)) from None

    async def _ask_host(self, hop: NextHop, address: str) -> Reply | None:
        """What one host says. A session of before that is over by now is no answer. Raises `SessionError`, `_Trouble`."""
        while True:
            connection = await self._pool.lend(hop.endpoint, hop.addresses)
            stale = connection.last_used > connection.opened_at
            try:
                return await self._try(connection, address)
            except SessionError:
                if not stale:
                    raise
            finally:
                self._pool.give_back(connection)

    async def _try(self, connection: Connection, address: str) -> Reply | None:
        utf8 = not address.isascii()
        if utf8 and not connection.extensions.smtputf8:
            return Reply.own(550, "5.6.7", "the mailbox server takes no address beyond ASCII")
        begun = await connection.say(command.mail("", utf8=utf8))
        if not begun.positive:
            raise _Trouble(f"{connection.endpoint.host} refuses the null sender: {begun}")
        try:
            said = await connection.say(command.rcpt(address))
        except CommandError:
            said = Reply.own(550, "5.1.3", "no next hop takes such an address")
        with suppress(SessionError):  # it has answered
            await connection.say(command.RSET)
        return None if said.positive else _as_ours(said)


def _as_ours(said: Reply) -> Reply:
    """The refusal of the next hop as we say it: its code, and its words within ours."""
    code = said.code if said.code != 421 else 451
    enhanced = said.enhanced or ("5.1.1" if said.permanent else "4.2.0")
    text = " ".join(said.text.encode("ascii", "replace").decode().split())[:200]
    return Reply.own(code, enhanced, f"the mailbox server says: {text}")
