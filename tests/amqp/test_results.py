"""Results: what the journal has, as somebody at the broker hears it."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Callable, Sequence

import pytest

from mailer.amqp import results
from mailer.amqp.figures import AmqpFigures
from mailer.amqp.results import CURSOR, key
from mailer.config.file import config_of
from mailer.events import Event
from mailer.journal.api import JournalEvent
from mailer.journal.files import journal_of
from mailer.journal.memory import MemoryJournal
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import FakeClock
from tests.fakes.processes import wait_until

from .house import House


def real(test: Callable[..., None]) -> Callable[..., None]:
    """A test that a real broker is asked in."""
    for mark in (pytest.mark.peer("rabbitmq"), pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")):
        test = mark(test)
    return test


def event(to: str, type: str = "delivered", **more: object) -> JournalEvent:
    """Something happened to a recipient."""
    return JournalEvent("", 1e9, type, message="01M7", request_id="r1", to=to, code=250, **more)  # type: ignore[arg-type]


def written(house: House, events: Sequence[JournalEvent]) -> list[str]:
    """Have these in the journal; their IDs."""

    async def write() -> list[str]:
        return [one.id for one in await journal_of(spool).append(events)]

    spool = SpoolDirectory(str(house.spool))
    spool.prepare()
    return asyncio.run(write())


def cursor(house: House) -> str:
    """How far the broker has confirmed."""
    return asyncio.run(journal_of(SpoolDirectory(str(house.spool))).cursor(CURSOR))


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("a@Example.NET", "delivered.example.net"),
        ("a@bücher.example", "delivered.xn--bcher-kva.example"),
        ("", "delivered"),
        ("a@" + "x" * 300, "delivered"),
    ],
)
def test_a_key_has_the_type_and_the_domain(to: str, expected: str) -> None:
    """As the DNS writes it; what no key can have is left out."""
    assert key(event(to)) == expected


@pytest.fixture
def subscribed(house: House) -> House:
    """A house whose results go to a queue, all of them."""
    house.configure(amqp=f'events = "{house.events}"')
    return house


async def _bind(house: House, pattern: str) -> str:
    async with house.channel() as channel:
        made = await channel.declare_queue(f"{house.mark}.results", durable=True)
        exchange = await channel.declare_exchange(house.events, "topic", durable=True)
        await made.bind(exchange, pattern)
    house.queues.append(made.name)
    return made.name


@real
def test_what_happened_is_published_and_remembered(subscribed: House) -> None:
    """By its key, persistent, with the event's ID; the cursor is where the broker has confirmed."""
    queue = asyncio.run(_bind(subscribed, "delivered.example.net"))
    subscribed.queues.remove(queue)
    ids = written(subscribed, [event("a@example.net"), event("b@example.org"), event("c@example.net")])
    subscribed.start()
    found = asyncio.run(subscribed.take(queue, 2))
    assert [message.message_id for message in found] == [ids[0], ids[2]]
    assert {(message.delivery_mode, message.routing_key, message.type) for message in found} == {(2, "delivered.example.net", "delivered")}
    document = json.loads(found[0].body)
    assert (document["id"], document["to"], document["request_id"], document["code"]) == (ids[0], "a@example.net", "r1", 250)
    wait_until("the cursor has moved", lambda: cursor(subscribed) == ids[-1])
    later = written(subscribed, [event("d@example.net")])
    (heard,) = asyncio.run(subscribed.take(queue))
    assert [heard.message_id] == later
    subscribed.queues.append(queue)


@real
def test_a_request_id_that_no_property_can_hold_stops_no_result(subscribed: House) -> None:
    """255 characters may be more octets than that: the event says it all the same, and what comes after it is published."""
    long = "é" * 200
    failed = event("a@example.net", "failed")._replace(request_id=long)
    ids = written(subscribed, [failed, event("b@example.net", "failed")])
    subscribed.start()
    found = asyncio.run(subscribed.take(subscribed.failed, 2))
    assert [message.message_id for message in found] == ids
    assert (json.loads(found[0].body)["request_id"], found[0].correlation_id) == (long, "01M7")
    assert found[1].correlation_id == "r1"


class _Publisher:
    """A broker that stores what it is given."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def publish(self, _key: str, document: dict[str, object], **_more: object) -> None:
        """Store it."""
        self.ids.append(str(document["id"]))


def test_trouble_with_the_journal_is_told_and_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no loss of the broker: the alarm says what it is, nothing else is broken off, and it is over when the disk is well again."""
    monkeypatch.setattr(results, "RETRY", 0.01)
    told: list[Event] = []

    class Ill(MemoryJournal):
        ill = 3

        async def move(self, name: str, to: str) -> None:
            """Note it, but not at first."""
            self.ill -= 1
            if self.ill >= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            await super().move(name, to)

    async def publish() -> Ill:
        journal = Ill(lambda: 1e9)
        await journal.append([event("a@example.net"), event("b@example.net")])
        section = config_of("config.toml", b'[amqp]\nevents = "mailer.events"\nfailed = ""\n').amqp
        made = results.Results(journal, section, told.append, FakeClock())
        work = asyncio.create_task(made.publish(publisher, AmqpFigures()))  # type: ignore[arg-type]
        while not await journal.cursor(CURSOR):
            await asyncio.sleep(0.01)
            assert not work.done()
        work.cancel()
        return journal

    publisher = _Publisher()
    journal = asyncio.run(publish())
    assert len(publisher.ids) == 2
    assert asyncio.run(journal.cursor(CURSOR)) == publisher.ids[-1]
    assert [type(one).__name__ for one in told] == ["Alarm"] * 3 + ["Mended"]
    assert "No space left" in str(told[0])


@real
def test_permanent_failures_have_a_queue_of_their_own(subscribed: House) -> None:
    """What failed or expired, whether or not anybody hears the exchange."""
    written(subscribed, [event("a@example.net"), event("b@example.net", "failed"), event("c@example.net", "expired")])
    subscribed.start()
    found = asyncio.run(subscribed.take(subscribed.failed, 2))
    assert {json.loads(message.body)["type"] for message in found} == {"failed", "expired"}


@real
def test_each_result_comes_though_the_process_dies_and_the_broker_goes_away(subscribed: House) -> None:
    """At least once, with stable IDs, and the cursor is behind none that was not confirmed."""
    queue = asyncio.run(_bind(subscribed, "#"))
    ids = written(subscribed, [event(f"a{n}@example.net") for n in range(3000)])
    for _ in range(3):
        program = subscribed.start(until="")
        before = cursor(subscribed)
        wait_until("some are confirmed", lambda before=before: cursor(subscribed) > before)
        program.kill()
    subscribed.start()
    with subscribed.rabbit.away():
        pass
    wait_until("all are confirmed", lambda: cursor(subscribed) == ids[-1], seconds=120)
    subscribed.queues.remove(queue)
    heard = asyncio.run(subscribed.take(queue, asyncio.run(subscribed.count(queue))))
    assert {message.message_id for message in heard} == set(ids)
    subscribed.queues.append(queue)


@real
def test_a_result_that_nobody_stores_is_an_alarm(subscribed: House) -> None:
    """A queue of failures that somebody has deleted: the library says nothing of that by itself. The cursor waits, and goes on."""
    program = subscribed.start()

    async def delete() -> None:
        async with subscribed.channel() as channel:
            await channel.queue_delete(subscribed.failed)

    async def make() -> None:
        async with subscribed.channel() as channel:
            await channel.declare_queue(subscribed.failed, durable=True)

    asyncio.run(delete())
    (id,) = written(subscribed, [event("b@example.net", "failed")])
    program.says('"what":"unheard"')
    assert cursor(subscribed) != id
    asyncio.run(make())
    wait_until("it is confirmed", lambda: cursor(subscribed) == id)
