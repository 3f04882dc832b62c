"""What is taken at a door of the kind reports: messages for the bounce address and its extensions, and nothing else (550).

What each stranger may have of us is bounded: sessions (`AcceptLoop`), messages an hour, octets of a message, and octets of all messages
that are under way, for each is in memory until it is on disk. One peer has a quarter of that room. It is counted as it is filled, so that
a peer that drips has what it dripped; and where it is full, a message that has been under way for longer than `FAIR` seconds ends for one
that comes. Who finds no room is told to come back (4xx), and so is everybody while the disk is in trouble: nothing is refused for good
that could be a report.

A message for several recipients is a report for each. All but the first get a ``Delivered-To`` in front, as a mailbox would give it, so
that they are reports of their own.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from time import monotonic
from typing import TYPE_CHECKING

from mailer.dsn.return_token import is_marked
from mailer.events import Alarm
from mailer.limits.rate import TokenBucket
from mailer.mail.problem import Problem
from mailer.mail.trace import delivered_to
from mailer.reports.api import MAX_REPORT, Facts
from mailer.serving.kinds import DoorLimits
from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply
from mailer.smtp.server import ServerSettings

from .kinds import SmtpDoorKind
from .session import SessionPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.net.peer import Peer
    from mailer.net.stream import Stream
    from mailer.reports.api import Reports

MOST = 200  # sessions at a time
EACH = 20  # of one peer
SECONDS = 3600.0  # of one session
MAX_RECIPIENTS = 10  # of a message: a report has one
PER_HOUR = 3600  # messages that one peer may bring; a burst of a tenth
ROOM = 8 * MAX_REPORT  # octets of all messages that are under way
OF_ONE = ROOM // 4  # of them, of one peer
PIECE_COST = 64  # octets that a piece of a message takes beside its own, however small it is
FAIR = 60.0  # seconds that a message may take while others find no room
PEERS = 10_000  # peers that are remembered

_BUSY = Reply.own(451, "4.3.2", "too many messages are under way, come back later")
_CROWDED = Reply.own(421, "4.3.2", "there is no room for so much at a time, come back later")
FAST = Reply.own(450, "4.7.1", "you bring too many messages, come back later")
_NOBODY = Reply.own(550, "5.1.1", "only reports about our mail are taken here, at the address that it came from")
_DISK = Reply.own(451, "4.3.0", "it could not be kept, come back later")
_FULL = Reply.own(452, "4.3.1", "there is no room for it now, come back later")


class Incoming:
    """A message that is under way: whose it is, since when, how much of it has come, and the octets that it has in memory.

    `leave` ends its session.
    """

    def __init__(self, share: str, since: float, leave: Callable[[], object]) -> None:
        self.share = share
        self.since = since
        self.leave = leave
        self.size = 0
        self.octets = 0


class ReportCounter:
    """What all sessions of these doors share: the place of `reports`, the bounce `address`, who may bring how much.

    `monotonic` gives seconds for rates and `now` those since the epoch; `trouble` is told of an error of our disk, and
    `arrived` that there is a report.
    """

    def __init__(
        self,
        reports: Reports,
        address: str,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        trouble: Callable[[OSError], object],
        arrived: Callable[[], object],
    ) -> None:
        self.reports = reports
        self.address = address
        self.now = now
        self.trouble = trouble
        self.arrived = arrived
        self._monotonic = monotonic
        self._rates: OrderedDict[str, TokenBucket] = OrderedDict()
        self._under_way: dict[Incoming, None] = {}  # by when they began
        self._octets: Counter[str] = Counter()  # of them, of each peer

    def is_ours(self, recipient: str) -> bool:
        """Whether `recipient` is the bounce address, with an extension or without."""
        return bool(self.address) and (recipient.lower() == self.address.lower() or is_marked(recipient, self.address))

    async def keep(self, body: ask.Body, recipients: Sequence[str], place: str, peer: Peer, tls: str, before: int = 0) -> Reply:
        """Take the message for each of `recipients`, by the door that `place` names, of whom so many have had theirs `before`."""
        who, ids = peer.host or peer.share, []
        try:
            for nth, recipient in enumerate(recipients, before):
                came = Facts(place, recipient, body.sender, who, tls, self.now())
                ids.append(await self.reports.take((delivered_to(recipient) if nth else b"") + body.content, came))
        except OSError as error:
            self.trouble(error)
            return _DISK
        except Problem as problem:
            return _FULL if problem.kind == "try-again" else _DISK
        self.arrived()
        return Reply.own(250, "2.0.0", f"taken as {' '.join(ids)}")

    def may_bring(self, share: str) -> bool:
        """Whether this peer may bring one more message; counts it."""
        bucket = self._rates.pop(share, None) or TokenBucket(PER_HOUR // 10, 360.0)
        self._rates[share] = bucket
        if len(self._rates) > PEERS:
            self._rates.popitem(last=False)
        now = self._monotonic()
        if bucket.wait(now) > 0:
            return False
        bucket.reserve(now)
        return True

    def begin(self, share: str, leave: Callable[[], object]) -> Incoming | None:
        """Let a message begin, if this peer has any room left; `leave` is called where it has to go for another."""
        if self._octets[share] >= OF_ONE:
            return None
        arrival = Incoming(share, self._monotonic(), leave)
        self._under_way[arrival] = None
        return arrival

    def grow(self, arrival: Incoming, octets: int) -> bool:
        """Have room for a piece of so many octets; False where there is none. Those that take too long make room.

        Of a message that is too large nothing more is kept, and it is heard to its end, so that it is refused for good.
        """
        arrival.size += octets
        if arrival.size > MAX_REPORT:
            return True
        octets += PIECE_COST
        if arrival not in self._under_way or self._octets[arrival.share] + octets > OF_ONE:
            return False
        while self._octets.total() + octets > ROOM:
            oldest = next(iter(self._under_way))
            if oldest is arrival or self._monotonic() - oldest.since < FAIR:
                return False
            self.end(oldest)
            oldest.leave()
        arrival.octets += octets
        self._octets[arrival.share] += octets
        return True

    def end(self, arrival: Incoming) -> None:
        """The message is no more in memory."""
        if arrival not in self._under_way:
            return
        del self._under_way[arrival]
        self._octets[arrival.share] -= arrival.octets
        if self._octets[arrival.share] <= 0:
            del self._octets[arrival.share]


class ReportPolicy(SessionPolicy):
    """The policy of one session, of the door that `place` names."""

    def __init__(self, counter: ReportCounter, place: str, peer: Peer, stream: Stream) -> None:
        self.counter = counter
        self.place = place
        self.peer = peer
        self.stream = stream
        self._arrival: Incoming | None = None
        self._wanted = 0  # recipients of the transaction
        self._taken = 0  # of them, those who have their report

    async def answer(self, question: ask.Question) -> Reply | None:
        """See `SessionPolicy`."""
        share = self.peer.share
        if isinstance(question, ask.Body):
            return await self._take(question)
        if isinstance(question, ask.Rcpt):
            ours = self.counter.is_ours(question.address)
            self._wanted += ours
            return None if ours else _NOBODY
        self.ended()  # whatever else comes, no message is in memory any more
        if isinstance(question, ask.MailFrom):
            self._wanted = self._taken = 0
            return None if self.counter.may_bring(share) else FAST
        if isinstance(question, ask.Data):
            self._arrival = self.counter.begin(share, lambda: self.stream.allow(0.0))
            return None if self._arrival else _BUSY
        return None

    def arrived(self, octets: int) -> Reply | None:
        """See `SessionPolicy`."""
        if self._arrival is None or self.counter.grow(self._arrival, octets):
            return None
        return _CROWDED

    def ended(self) -> None:
        """See `SessionPolicy`."""
        if self._arrival is not None:
            self.counter.end(self._arrival)
            self._arrival = None

    async def _take(self, body: ask.Body) -> Reply:
        """Take the message for the next of its recipients: all of them in SMTP, one in LMTP."""
        before, self._taken = self._taken, self._taken + len(body.recipients)
        try:
            return await self.counter.keep(body, body.recipients, self.place, self.peer, self.stream.tls_version, before)
        finally:
            if self._taken >= self._wanted:
                self.ended()


class ReportDoorKind(SmtpDoorKind):
    """The kind reports, as `DoorKind` has it: doors where reports are taken into `reports`.

    `arrived` is called when there are new ones.
    """

    name = what = "reports"

    def __init__(
        self, config: Config, reports: Reports, tell: Callable[[Event], None], clock: Clock, arrived: Callable[[], object]
    ) -> None:
        self._config = config
        self._tell = tell
        self._clock = clock
        self.counter = ReportCounter(reports, config.bounce.address, clock.now, monotonic, self._disk, arrived)

    async def start(self) -> None:
        """Nothing has to be begun."""

    def take(self, config: Config) -> None:
        """Take reports for another address, if that is so."""
        self._config = config
        self.counter.address = config.bounce.address

    async def stop(self) -> None:
        """Nothing is left."""

    @property
    def config(self) -> Config:
        """The configuration that is in force."""
        return self._config

    def limits(self, _: Config) -> DoorLimits:
        """Few sessions at a time, for reports are few."""
        return DoorLimits(MOST, EACH, SECONDS)

    def settings(self, config: Config, section: Listen) -> ServerSettings:
        """A server that takes a message as it came."""
        return ServerSettings(
            config.hostname,
            lmtp=section.protocol == "lmtp",
            max_size=MAX_REPORT,
            max_recipients=MAX_RECIPIENTS,
            starttls=section.tls == "starttls",
            verbatim=True,
        )

    def policy(self, _: Listen, place: str, peer: Peer, stream: Stream) -> ReportPolicy:
        """The policy of one session."""
        return ReportPolicy(self.counter, f"listen {place}", peer, stream)

    def _disk(self, error: OSError) -> None:
        text = f"reports cannot be kept: {error.filename or 'the spool'}: {error.strerror or error}"
        self._tell(Alarm(self._clock.now(), "spool", text))
