"""The longest that there is to deliver: very many recipients, each with a reply of its own, and very large messages. Neither keeps
the loop from other work for long, nor the interpreter."""

from __future__ import annotations

import asyncio
import io
import random
import time
from asyncio import run
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailer.alarms.book import AlarmBook
from mailer.bounces import OwnReport, OwnReports
from mailer.config import load
from mailer.dkim.sign import sign
from mailer.dkim.verify import claims
from mailer.events import Event, Events, Settled, Tried
from mailer.io.clock import SystemClock
from mailer.log import Log
from mailer.mail.history import History
from mailer.mail.outcome import Verdict
from mailer.queue.component import policy_of, pool_of
from mailer.queue.manager import QueueManager
from mailer.queue.recorder import Recorder
from mailer.queue.scheduler import QueueLimits, Scheduler
from mailer.shaping.replies import Reactions
from mailer.shaping.table import TermsTable
from mailer.smtp.extension import Extensions
from mailer.smtp.reply import Reply
from mailer.smtp.transaction import Transaction
from mailer.spool.api import Entry
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.status.sqlite import NAME
from mailer.status.sqlite.reader import Reader
from mailer.status.sqlite.writer import SqliteRecorder
from mailer.testing import LoopbackServer
from mailer.transport.courier import SmtpCourier
from tests.dkim.keys import key, pem, seal
from tests.fakes.mail import NOW, envelope, outcome, put
from tests.fakes.pauses import LONGEST, longest_pause, longest_turn

from .post import HOP

pytestmark = pytest.mark.slow

MANY, SIZE = 10_000, 25_000_000
WORDS = "w" * 400  # more than most replies have
EXTENSIONS = ("PIPELINING", "ENHANCEDSTATUSCODES")
HEADER = b"From: me@example.com\r\nSubject: x\r\n\r\n"
PLAIN = b"Lines  with blanks, as bases of 64 have none. \r\n"
EIGHT = "Grüße, \t die nicht jeder nimmt.\r\n".encode()
SHORT = b".\r\n"


class Judge(LoopbackServer):
    """Answers about each recipient by the first letter of its address: refused, put off, or taken; each time in other words."""

    def __init__(self, *offers: str) -> None:
        super().__init__()
        self.offers = (*EXTENSIONS, *offers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        taken = False
        writer.write(b"220 mx.example.net\r\n")
        while line := await reader.readline():
            verb, person = line[:4], line.partition(b"<")[2].partition(b">")[0]
            if verb == b"EHLO":
                writer.write("".join(f"250-{offer}\r\n" for offer in ("mx.example.net", *self.offers)).encode() + b"250 HELP\r\n")
            elif verb == b"RCPT" and person.startswith(b"refused"):
                writer.write(b"550 5.1.1 %b is nobody here %b\r\n" % (person, WORDS.encode()))
            elif verb == b"RCPT" and person.startswith(b"late"):
                writer.write(b"451 4.2.1 %b is not there now %b\r\n" % (person, WORDS.encode()))
            elif verb == b"BDAT":
                await reader.readexactly(int(line.split()[1]))
                writer.write(b"250 2.0.0 taken\r\n")
            elif verb == b"DATA" and not taken:
                writer.write(b"554 5.5.1 nobody wants it\r\n")
            elif verb == b"DATA":
                taken = False
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 2.0.0 taken\r\n")
            else:
                taken = taken or verb == b"RCPT"
                writer.write(b"250 2.0.0 yes\r\n")


class House:
    """All that takes part in a delivery, with its log and its status database, on the spool at `root`; all mail goes to `port`."""

    def __init__(self, root: Path, port: int, key_file: Path | None = None) -> None:
        settings = f"""
            [mailer]
            hostname = "host.example"
            spool = "{root}/spool"
            [relay.out]
            host = "127.0.0.1"
            port = {port}
            tls = "none"
            [[route]]
            match = "*"
            via = ["relay:out"]
        """
        if key_file is not None:
            settings += f'[[dkim]]\ndomain = "example.com"\nselector = "s"\nkey_file = "{key_file}"\n'
        root.mkdir()
        path = root / "config.toml"
        path.write_text(settings)
        config = load(str(path), None)
        self.spool = SpoolDirectory(config.spool)
        self.spool.prepare()
        self.status = SqliteRecorder(f"{self.spool.root}/{NAME}")
        self.events: list[Event] = []
        self.clock = SystemClock()
        self.kept = FileSpool(self.spool, 600)
        self.recorder = Recorder(self.kept, self.status, self._left)
        log = Log(io.StringIO(), form="json", later=lambda call: asyncio.get_running_loop().call_soon(call))
        listeners = Events([self.recorder, log, self], self._bug, AlarmBook())
        reactions = Reactions(TermsTable(config))
        self.manager = QueueManager(
            self.kept,
            Scheduler(QueueLimits(), reactions.table),
            {"smtp": SmtpCourier(pool_of(config), self.clock, reactions.meaning)},
            policy_of(config, listeners.tell, self.clock.now(), reactions),
            self.recorder,
            self.clock,
            listeners.tell,
            random.random,
        )

    def _left(self, ids: list[str], problems: list[tuple[str, Exception]]) -> None:
        self.manager.left(ids, problems)

    @staticmethod
    def _bug(error: Exception) -> None:
        raise error

    def told(self, event: Event) -> None:
        """A listener, too."""
        self.events.append(event)

    async def deliver(self, id: str) -> str:
        """Deliver what is in the spool until message `id` was tried; what was told of it at last."""
        manager = asyncio.create_task(self.manager.run())
        await self.manager.look([id])
        try:
            while not (settled := [event for event in self.events if isinstance(event, Settled) and event.entry.id == id]):
                await asyncio.sleep(0.001)
        finally:
            await self.manager.stop(10.0)
            await manager
            await self.recorder.close()
            await self.manager.current.context.couriers["smtp"].close()
            self.manager.current.context.policy.close()
        return settled[-1].status

    def close(self) -> None:
        """The end."""
        run(self.status.close())


def longest_of(prepared: Callable[[int], tuple[House, str]], status: str, *, first: int, then: int) -> float:
    """The longest turn while a message of the size `then` is delivered, after one of the size `first`; `status` is what becomes of both."""

    def ready(size: int) -> Callable[[], Awaitable[None]]:
        house, id = prepared(size)

        async def work() -> None:
            assert await house.deliver(id) == status

        return work

    return longest_turn(lambda: ready(then), lambda: ready(first))


def people(kind: str, many: int) -> list[str]:
    kinds = ("sent", "refused", "late") if kind == "mixed" else (kind,)
    return [f"{kinds[at % len(kinds)]}{at}@example.net" for at in range(many)]


@pytest.mark.parametrize(
    ("kind", "status"), [("sent", "sent"), ("refused", "failed"), ("late", "deferred"), ("mixed", "deferred")], ids=lambda word: word
)
def test_very_many_recipients_hold_up_nobody(tmp_path: Path, kind: str, status: str) -> None:
    """Each has an answer of its own, which goes into the file, the log, the status database and the report; each is told once."""
    houses: list[tuple[House, str, int]] = []
    with Judge("8BITMIME", "CHUNKING") as server:

        def prepared(many: int) -> tuple[House, str]:
            house = House(tmp_path / str(len(houses)), server.port)
            houses.append((house, put(house.spool, *people(kind, many), at=time.time()), many))
            return houses[-1][:2]

        assert longest_of(prepared, status, first=3, then=MANY) < LONGEST
    for house, id, many in houses:
        house.close()
        told = [event for event in house.events if isinstance(event, Tried) and event.entry.id == id]
        assert sorted(outcome.to for event in told for outcome in event.outcomes) == [*range(many)]
        with Reader(f"{house.spool.root}/{NAME}") as reader:
            record = reader.record(id)
        assert record is not None
        assert record.status == status
        assert len(record.recipients) == many
        assert not [person.address for person in record.recipients if person.status == "queued"]


def test_what_was_put_off_for_very_many_is_tried_again_and_holds_up_nobody(tmp_path: Path) -> None:
    """Their records are read first."""
    houses: list[tuple[House, str]] = []
    with Judge("8BITMIME") as server:

        def prepared(many: int) -> tuple[House, str]:
            house = House(tmp_path / str(len(houses)), server.port)
            id = put(house.spool, *people("late", many), at=time.time() - 60)
            late = [outcome(to, "defer", text=f"{to} {WORDS}", at=time.time() - 50, due=time.time() - 1) for to in range(many)]
            with house.spool.claim(id) as claim:
                house.spool.defer(claim, late, time.time() - 1)
            houses.append((house, id))
            return house, id

        assert longest_of(prepared, "deferred", first=3, then=MANY) < LONGEST
    for house, id in houses:
        house.close()
        assert house.spool.read(id).history.attempts == 2


@pytest.mark.parametrize(
    ("line", "offers", "signed"),
    [(PLAIN, ("8BITMIME", "CHUNKING"), False), (PLAIN, (), True), (EIGHT, (), True), (EIGHT, ("8BITMIME",), False), (SHORT, (), False)],
    ids=["plain", "signed", "signed, and encoded for a host that takes 7 bits", "8 bits", "dots"],
)
def test_a_large_message_holds_up_nobody(tmp_path: Path, line: bytes, offers: tuple[str, ...], signed: bool) -> None:
    """It is read, looked through, signed, encoded, and said."""
    houses: list[House] = []
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(pem("rsa"))
    key_file.chmod(0o600)
    with Judge(*offers) as server:

        def prepared(size: int) -> tuple[House, str]:
            house = House(tmp_path / str(len(houses)), server.port, key_file if signed else None)
            houses.append(house)
            return house, put(house.spool, body=HEADER + line * (size // len(line)), at=time.time())

        assert longest_of(prepared, "sent", first=1000, then=SIZE) < LONGEST
    for house in houses:
        house.close()


LARGE: dict[str, bytes] = {
    "plain": PLAIN,
    "8 bits": EIGHT,
    "dots": SHORT,
    "empty lines": b"\r\n",
    "blanks": b" " * 998 + b"\r\n",
    "one line": b"x " * (SIZE // 2) + b"\r\n",
}


@pytest.fixture(params=LARGE.values(), ids=LARGE)
def content(request: pytest.FixtureRequest) -> bytes:
    """A large message."""
    return HEADER + request.param * (SIZE // len(request.param)) + b"\r\nx\r\n"


def test_to_read_a_large_message_holds_up_nothing(tmp_path: Path, content: bytes) -> None:
    """What is done in a thread leaves the interpreter to others, too."""
    spool = SpoolDirectory(str(tmp_path))
    spool.prepare()
    id = put(spool, body=content)
    assert longest_pause(lambda: lambda: spool.load(id)) < LONGEST
    assert spool.load(id).content == content


def test_to_sign_a_large_message_holds_up_nothing(content: bytes) -> None:
    """Nor does that."""
    made: list[bytes] = []
    assert longest_pause(lambda: lambda: made.append(sign(content, [seal()], time.time()))) < LONGEST
    (claim,) = claims(made[0], time.time())
    assert claim.check([key("rsa").record]).word == "pass"


@pytest.mark.parametrize("offers", ["8BITMIME", "HELP"])
def test_to_look_through_a_large_message_holds_up_nothing(content: bytes, offers: str) -> None:
    """Nor whether it is fit for a host, and to make it so."""
    offered = Extensions.parse(Reply(250, "", ("mx.example.net", offers)))
    assert longest_pause(lambda: lambda: Transaction("me@example.com", ["you@example.net"], content, offered)) < LONGEST


@pytest.mark.parametrize("kind", ["fail", "expire", "defer"])
def test_to_report_on_very_many_recipients_holds_up_nothing(kind: Verdict) -> None:
    """Each with a reply of its own, and the header of a message that has a large one."""
    reports = OwnReports("host.example", "postmaster@host.example")
    letter = envelope(*people("refused", MANY))
    entry = Entry(letter.id, "queued", letter, 1, History(MANY), 0.0, NOW)
    outcomes = [outcome(to, kind, text=f"{to} is nobody here {WORDS}", hop=HOP) for to in range(MANY)]
    header = b"From: me@example.com\r\n" + b"a:b\r\n" * 60_000 + b"\r\nx\r\n"
    made: list[OwnReport | None] = []

    def work() -> None:
        if kind == "defer":
            made.append(reports.warning_for(entry, outcomes, header, NOW))
        else:
            made.append(reports.report_for(entry, outcomes, header))

    assert longest_pause(lambda: work) < LONGEST
    assert made[0] is not None
    assert made[0].message.count(b"Final-Recipient") == MANY
