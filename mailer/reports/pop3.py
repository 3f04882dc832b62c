"""A mailbox of a POP3 server that reports come to: `mailer.pop3` driven over a stream.

One session is one look. Reports are taken batch by batch, and marked (DELE) when they are on disk; the server deletes what is marked at
QUIT and not before, so a session that is lost deletes nothing, and all comes again to the same IDs. Of what is kept, and of what is no
report, the name that UIDL tells is remembered. A server without UIDL cannot be asked to keep.

A message that is larger than it may be is not fetched, and remembered so; one that turns out to be larger than LIST has said ends the
session, for nothing that follows it can be found.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mailer.mail.text import one_line
from mailer.net import tls
from mailer.net.stream import Stream
from mailer.pop3.client import LISTED, Pop3Answer, Pop3Client, Pop3Violation
from mailer.pop3.listing import capabilities, names, sizes

from .sources import A_LOOK, REMEMBERED, SHOWN, FetchedMessage, MailboxLooked, MailboxProbed, SourceTrouble, batches, chosen, names_in

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from mailer.sasl.mechanism import Mechanism

    from .sources import MailboxServer, ReportTaker

T = TypeVar("T")

CONNECT = 30.0  # seconds
SPARE = 64 << 10  # octets that a message may have more than LIST has said: servers count line ends differently
A_MESSAGE = 10  # times as long as one answer that all of a message may take


class Pop3Source:
    """The mailbox at `server`. With `delete` a report that was taken is deleted, else it is kept. A message may have `most` octets."""

    def __init__(self, server: MailboxServer, *, delete: bool, most: int) -> None:
        self.server = server
        self.delete = delete
        self.most = most

    async def probe(self) -> MailboxProbed:
        """See `MailboxSource`."""
        session = await self._talk(Pop3Session.open(self.server))
        try:
            listed, named = await self._talk(session.listed())
            messages = len(sizes(listed.content))
            self._check_names(bool(names(named.content)) or not messages)
            await self._talk(session.quit())
        finally:
            session.stream.abort()
        return MailboxProbed(messages, session.stream.tls_version)

    async def look(self, taker: ReportTaker) -> MailboxLooked:
        """See `MailboxSource`."""
        session = await self._talk(Pop3Session.open(self.server))
        try:
            return await self._looked(session, taker)
        finally:
            session.stream.abort()

    async def _looked(self, session: Pop3Session, taker: ReportTaker) -> MailboxLooked:
        mark = await taker.bookmark()
        listed, named = await self._talk(session.listed())
        seen, uids, wanted, larger, more = await asyncio.to_thread(_chosen, listed, named, names_in(mark, "seen"), self.most)
        self._check_names(bool(uids) or not wanted)
        octets = dict(wanted)
        taken = 0
        for batch in batches(wanted):
            fetched = await self._talk(self._fetched(session, batch, octets))
            kept = await taker.take(fetched, self.server.host, session.stream.tls_version)
            for key in batch:
                if key not in kept or not self.delete:
                    _remember(seen, uids.get(key))
            if self.delete:
                await self._talk(session.delete([int(key) for key in batch if key in kept]))
            taken += len(kept)
        await self._talk(session.quit())
        await taker.remember({"seen": [*seen]})
        return MailboxLooked(taken, len(wanted) - taken, larger, more)

    def _check_names(self, known: bool) -> None:
        """Raises `SourceTrouble` where what is kept could not be told from what is new."""
        if not known and not self.delete:
            raise SourceTrouble(f'{self.server.host} has no UIDL, so nothing can be kept there; write done = "delete"', ours=True)

    async def _fetched(self, session: Pop3Session, batch: list[str], octets: dict[str, int]) -> list[FetchedMessage]:
        found: list[tuple[str, Pop3Answer]] = []
        for key in batch:
            session.stream.allow(self.server.seconds * A_MESSAGE)
            answer = await session.ask(f"RETR {key}", octets[key] + SPARE, lasting=True)
            if answer.ok:  # else it is gone
                found.append((key, answer))
        return await asyncio.to_thread(lambda: [FetchedMessage(key, answer.content) for key, answer in found])

    async def _talk(self, talk: Awaitable[T]) -> T:
        """What the server says. Its trouble is told from that of our own disk. Raises `SourceTrouble`."""
        try:
            return await talk
        except (OSError, Pop3Violation) as error:
            raise SourceTrouble.of(self.server, error) from None


class _Chosen(NamedTuple):
    """What of a mailbox was `seen` before and is still there, what is `wanted`, and by what names those last; how many are `larger`."""

    seen: dict[str, None]
    uids: dict[str, str]
    wanted: list[tuple[str, int]]
    larger: int
    more: bool


def _chosen(listed: Pop3Answer, named: Pop3Answer, marked: list[str], most: int) -> _Chosen:
    """What there is to look at, by LIST and UIDL. In a thread: a server may have hundreds of thousands of lines in them."""
    uids, remembered = names(named.content) if named.ok else {}, set(marked)
    there = set(uids.values())
    new = [(number, size) for number, size in sorted(sizes(listed.content).items()) if uids.get(number) not in remembered]
    larger = [number for number, size in new if size > most]
    fitting = [(number, size) for number, size in new if size <= most]
    seen = [name for name in marked if name in there] + [uids[number] for number in larger if number in uids]
    wanted = fitting[:A_LOOK]
    named_now = {str(number): uids[number] for number, _ in wanted if number in uids}
    return _Chosen(
        dict.fromkeys(seen[-REMEMBERED:]), named_now, [(str(number), size) for number, size in wanted], len(larger), len(fitting) > A_LOOK
    )


def _remember(seen: dict[str, None], name: str | None) -> None:
    if name:
        seen[name] = None
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]


class Pop3Session:
    """One session with a server, whose mailbox is open."""

    def __init__(self, server: MailboxServer, stream: Stream) -> None:
        self.server = server
        self.stream = stream
        self.client = Pop3Client()
        self.offers: dict[str, tuple[str, ...]] = {}

    @classmethod
    async def open(cls, server: MailboxServer) -> Pop3Session:
        """Connect, make TLS and log in. Raises `SourceTrouble`, `OSError`, `Pop3Violation`, `Problem`."""
        stream = await _connected(server)
        try:
            session = cls(server, stream)
            if server.requirement.mode == "implicit":
                await session._shake_hands()
            await session._greeted()
            if server.requirement.mode == "starttls":
                await session._start_tls()
            await session._log_in()
        except BaseException:
            stream.abort()
            raise
        return session

    async def ask(self, line: str, most: int = LISTED, *, lasting: bool = False) -> Pop3Answer:
        """The answer to a command. `lasting` leaves the deadline as it is. Raises `OSError`, `Pop3Violation`."""
        if not lasting:
            self.stream.allow(self.server.seconds)
        self.stream.write(self.client.send(line, most))
        return await self._answer()

    async def listed(self) -> tuple[Pop3Answer, Pop3Answer]:
        """What there is: the answers to LIST and UIDL. Raises `Pop3Violation`."""
        nothing = Pop3Answer(True, "")
        stat = await self.ask("STAT")
        if stat.ok and stat.text.split(" ")[:1] == ["0"]:
            return nothing, nothing
        listed = await self.ask("LIST")
        if not listed.ok:
            raise Pop3Violation("the server does not list its mailbox")
        return listed, await self.ask("UIDL")

    async def delete(self, numbers: list[int]) -> None:
        """Mark these. What cannot be marked comes again."""
        for number in numbers:
            await self.ask(f"DELE {number}")

    async def quit(self) -> None:
        """End the session; the server deletes now. Raises `SourceTrouble` where it says that it could not."""
        answer = await self.ask("QUIT")
        if not answer.ok:
            raise SourceTrouble(f"{self.server.host} could not delete all that was taken: {_said(answer)}")

    async def _answer(self) -> Pop3Answer:
        while (answer := self.client.next()) is None:
            self.client.feed(await self.stream.read())
        return answer

    async def _greeted(self) -> None:
        self.stream.allow(self.server.seconds)
        greeting = await self._answer()
        if not greeting.ok:
            raise SourceTrouble(f"{self.server.host} refuses the session: {_said(greeting)}")
        await self._read_offers()

    async def _read_offers(self) -> None:
        """They change behind TLS. A server without CAPA offers what RFC 1939 has."""
        answer = await self.ask("CAPA", 65536)
        self.offers = capabilities(answer.content) if answer.ok else {}

    async def _start_tls(self) -> None:
        if "STLS" not in self.offers:
            raise SourceTrouble(
                f'{self.server.host} offers no STARTTLS, and nothing is said there without; try tls = "implicit"', ours=True
            )
        answer = await self.ask("STLS")
        if not answer.ok:
            raise SourceTrouble(f"{self.server.host} refuses STARTTLS: {_said(answer)}")
        self.client.secured()
        await self._shake_hands()
        await self._read_offers()

    async def _shake_hands(self) -> None:
        requirement, host = self.server.requirement, self.server.host
        await self.stream.start_tls(tls.context(requirement), tls.server_name(requirement, host), CONNECT)
        tls.check(requirement, self.stream.peer_certificates)

    async def _log_in(self) -> None:
        """RFC 5034 where it is offered, for it takes any letters; else USER and PASS."""
        login = self.server.login
        if not (self.stream.tls_version or self.server.clear_login):
            raise SourceTrouble(f"the password would travel to {self.server.host} unencrypted", ours=True)
        secret = await asyncio.to_thread(login.secret)
        offered = self.offers.get("SASL", ())
        if mechanism := chosen(login, secret, offered):
            answer = await self._authenticate(mechanism)
        else:
            try:
                answer = await self.ask(f"USER {login.username}")
                answer = await self.ask(f"PASS {secret}") if answer.ok else answer
            except ValueError:
                raise SourceTrouble(f"the password for {self.server.host} has letters that USER and PASS cannot say", ours=True) from None
        if not answer.ok:
            if login.refused is not None:
                await asyncio.to_thread(login.refused)
            raise SourceTrouble(f"{self.server.host} does not let {login.username} in: {_said(answer)}", ours=True)

    async def _authenticate(self, mechanism: Mechanism) -> Pop3Answer:
        answer = await self.ask(f"AUTH {mechanism.name}")
        for _ in range(3):
            if not answer.more:
                break
            response = mechanism.answer(_decoded(answer.text))
            self.stream.write(self.client.respond(b"*" if response is None else base64.b64encode(response)))
            answer = await self._answer()
        return answer


def _decoded(text: str) -> bytes:
    """A challenge. What is no base64 is none."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


async def _connected(server: MailboxServer) -> Stream:
    """The addresses of the host one after the other, as the system has them. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    trouble: OSError | None = None
    for found in await loop.getaddrinfo(server.host, server.port, type=1):
        try:
            return await Stream.connect(str(found[4][0]), server.port, seconds=CONNECT)
        except OSError as error:
            trouble = error
    raise trouble or OSError("it has no address")


def _said(answer: Pop3Answer) -> str:
    return one_line(answer.text)[:SHOWN] or "nothing is said of why"
