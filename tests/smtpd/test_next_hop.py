"""The next hop is asked whether it takes mail for somebody: what it says is what strangers hear, remembered for a while and asked once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from mailer.alarms.book import AlarmBook
from mailer.config.file import config_of
from mailer.events import Alarm, Event, Mended
from mailer.sink import Moods, Sink
from mailer.smtp.server_events import MailFrom, Question, Rcpt
from mailer.smtpd import next_hop as module
from mailer.smtpd.next_hop import REFUSED, SOON, TAKEN, NextHops
from tests.fakes.mail import FakeClock
from tests.fakes.sockets import closed_port

CONFIG = """
[mailer]
hostname = "mx.example.com"
spool = "/srv/spool"
[relay.kept]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
tls = "none"
[[domain]]
name = "example.com"
via = "relay:kept"
"""


class Asked(Sink):
    """A server that counts whom it is asked about."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.named: list[str] = []
        self.senders: list[str] = []

    def decide(self, question: Question, session: object) -> object:  # type: ignore[override]
        if isinstance(question, Rcpt):
            self.named.append(question.address)
        if isinstance(question, MailFrom):
            self.senders.append(question.sender)
        return super().decide(question, session)  # type: ignore[arg-type]


class World:
    """Next hops that ask a server, a clock that is set, and the alarms that began or ended."""

    def __init__(self, sink: Asked, port: int, protocol: str) -> None:
        self.sink = sink
        self.clock = FakeClock()
        self.seconds = 0.0
        self.events: list[Event] = []
        self.book = AlarmBook()
        config = config_of("c.toml", CONFIG.format(port=port, protocol=protocol).encode())
        self.hops = NextHops(config, self._tell, self.clock, lambda: self.seconds)

    def _tell(self, event: Event) -> None:
        assert isinstance(event, Alarm | Mended)
        if self.book.heard(event) is not None:
            self.events.append(event)

    async def says(self, address: str) -> str:
        """The reply; empty where it is taken."""
        return str(await self.hops.refuses(address) or "")


Scenario = Callable[[World], Awaitable[None]]


def play(scenario: Scenario, moods: Moods | None = None, protocol: str = "smtp", port: int = 0) -> None:
    """Run it with a server, or with what is at `port`."""

    async def all_of_it() -> None:
        async with AsyncExitStack() as stack:
            sink = await stack.enter_async_context(Asked(moods=moods, lmtp=protocol == "lmtp"))
            world = World(sink, port or sink.port, protocol)
            stack.push_async_callback(world.hops.close)
            async with asyncio.timeout(240):
                await scenario(world)

    asyncio.run(all_of_it())


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_what_it_says_is_our_answer(protocol: str) -> None:
    """That somebody is taken, that nobody is there, and that a mailbox is full, by SMTP and by LMTP; nothing is sent."""

    async def scenario(world: World) -> None:
        assert await world.says("ann@example.com") == ""
        assert await world.says("550@example.com") == "550 5.1.1 the mailbox server says: no such mailbox"
        assert await world.says("452@example.com") == "452 4.2.2 the mailbox server says: the mailbox is full"
        assert await world.says("552@example.com") == "552 5.3.4 the mailbox server says: the message is too large"
        assert (world.sink.senders, world.sink.count) == ([""] * 4, 0)

    play(scenario, protocol=protocol)


def test_an_answer_is_remembered_for_a_while() -> None:
    """Longer that somebody is there than that he is not, and what may soon be over only for a moment; however an address is written."""

    async def scenario(world: World) -> None:
        named = world.sink.named
        for address, seconds in (("ann@example.com", TAKEN), ("550@example.com", REFUSED), ("452@example.com", SOON)):
            del named[:]
            first = await world.says(address)
            world.seconds += seconds - 1
            assert await world.says(address.upper()) == first
            assert named == [address]
            world.seconds += 2
            assert await world.says(address) == first
            assert named == [address, address]

    play(scenario)


def test_many_who_ask_the_same_are_one_question() -> None:
    """Those who come while it is asked wait for the answer; one who leaves takes it from nobody."""

    async def scenario(world: World) -> None:
        tasks = [asyncio.create_task(world.says("slow-0@example.com")) for _ in range(20)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert await asyncio.gather(*tasks[1:]) == [""] * 19
        assert world.sink.named == ["slow-0@example.com"]

    play(scenario)


def test_no_more_is_asked_at_once_than_a_server_bears() -> None:
    """However many strangers name however many people."""

    async def scenario(world: World) -> None:
        said = await asyncio.gather(*(world.says(f"user{nth}@example.com") for nth in range(50)))
        assert said == [""] * 50
        assert len(world.sink.named) == 50

    play(scenario, Moods(max_connections=module.AT_ONCE))


def test_where_it_cannot_be_asked_nobody_is_nobody() -> None:
    """451, an alarm until it answers again, and for a moment it is left alone."""

    async def scenario(world: World) -> None:
        assert await world.says("ann@example.com") == str(module.NOT_NOW)
        assert await world.says("ann@example.com") == str(module.NOT_NOW)
        assert [type(event) for event in world.events] == [Alarm]
        assert "no mail is taken for example.com: its next hop cannot be asked" in world.events[0].detail  # type: ignore[attr-defined]

    play(scenario, port=closed_port())


@pytest.mark.parametrize("phase", ["greeting", "mail"])
def test_a_server_that_will_not_talk_is_trouble(phase: str) -> None:
    """What it says before somebody is named is not about him; when it talks again, the alarm is over."""

    async def scenario(world: World) -> None:
        assert await world.says("ann@example.com") == str(module.NOT_NOW)
        world.sink.moods = Moods()
        world.seconds += SOON + 1
        assert await world.says("ann@example.com") == ""
        assert [type(event) for event in world.events] == [Alarm, Mended]

    play(scenario, Moods(replies={phase: "554 5.7.1 go away"}))


def test_a_session_that_is_over_is_no_answer() -> None:
    """It hung up after the last question: the next one opens another, and nobody hears of it."""

    async def scenario(world: World) -> None:
        for name in ("ann", "bob", "eve"):
            assert await world.says(f"{name}@example.com") == ""
        assert not world.events

    play(scenario, Moods(drops=["after-rset"]))


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bounded time, as trouble."""
    monkeypatch.setattr(module, "PATIENCE", 0.05)

    async def scenario(world: World) -> None:
        assert await world.says("timeout@example.com") == str(module.NOT_NOW)

    play(scenario)


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom nobody has asked about for longest is forgotten first."""
    monkeypatch.setattr(module, "MOST", 2)

    async def scenario(world: World) -> None:
        for name in ("a", "b", "a", "c", "a", "b"):
            await world.says(f"{name}@example.com")
        assert world.sink.named == [f"{name}@example.com" for name in "abcb"]

    play(scenario)


def test_another_configuration_forgets() -> None:
    """Its next hop may be another one."""

    async def scenario(world: World) -> None:
        assert await world.says("550@example.com") != ""
        async with Asked(moods=Moods(magic=False)) as other:
            world.hops.take(config_of("c.toml", CONFIG.format(port=other.port, protocol="smtp").encode()))
            assert await world.says("550@example.com") == ""

    play(scenario)


def test_an_address_beyond_ascii_needs_a_server_that_takes_such() -> None:
    """One that does not is not asked."""

    async def scenario(world: World) -> None:
        assert (await world.says("änn@example.com")).startswith("550 5.6.7")
        world.sink.moods = Moods()
        assert await world.says("önn@example.com") != ""  # the session knows what was offered

    play(scenario, Moods(hide=["SMTPUTF8"]))
