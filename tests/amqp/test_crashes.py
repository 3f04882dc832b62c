"""Whatever dies, and whenever: nothing is lost, and nothing with a request id is there twice."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import signal
import time

import aio_pika
import pytest

from tests.fakes.processes import wait_until

from .house import House, letter

pytestmark = [pytest.mark.peer("rabbitmq"), pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]


async def fill(house: House, count: int, poison: int) -> None:
    """Publish so many, of which every `poison`-th is wrong."""
    async with house.channel() as channel:
        for begin in range(0, count, 100):
            bodies = [b'{"to_adresses":1}' if n % poison == 0 else _text(n) for n in range(begin, min(begin + 100, count))]
            made = [aio_pika.Message(body, delivery_mode=2, message_id=f"m{begin + at}") for at, body in enumerate(bodies)]
            await asyncio.gather(*(channel.default_exchange.publish(one, house.queue) for one in made))


def _text(number: int) -> bytes:
    return json.dumps(letter(number)).encode()


def journey(house: House, count: int, poison: int, kills: int) -> None:
    """Fill the queue, kill the consumer so often and the broker once, and look whether all is there, once."""
    house.start().stop()
    house.rabbit.note()
    asyncio.run(fill(house, count, poison))
    bad = -(-count // poison)
    part = (count - bad) // (kills + 2)
    for kill in range(kills):
        program = house.start(until="")
        wait_until("it has put some", lambda kill=kill: len(house.files) >= part * (kill + 1))
        program.kill()
    program = house.start(until="")
    wait_until("it has put some more", lambda: len(house.files) >= part * (kills + 1))
    house.rabbit.kill()
    program.says('"what":"broker"')
    house.rabbit.start()
    house.has(count - bad, seconds=240)
    asyncio.run(house.settled())
    # A broker that is killed may do again what it has done last, and on a busy machine that is more: dead letters of that time can be there
    # twice, whatever we have said. It was killed once, so none is there more often.
    dead = asyncio.run(house.take(house.dead, asyncio.run(house.count(house.dead))))
    often = collections.Counter(message.message_id for message in dead)
    assert often.keys() == {f"m{n}" for n in range(0, count, poison)}
    assert max(often.values()) <= 2
    made = collections.Counter(one["request_id"] for one in house.envelopes())
    assert made == collections.Counter({f"r{n}": 1 for n in range(count) if n % poison})
    assert '"state":"end"' in program.said
    assert program.stop() == 0


def test_a_consumer_that_is_killed_and_a_broker_that_is_killed(house: House) -> None:
    """The journey, on a small scale. Many are dead letters, of which a broker loses the last ones unless it is told to keep them."""
    journey(house, 600, 3, 3)


def test_a_dead_letter_stays_in_its_queue_until_another_one_has_it(house: House) -> None:
    """It is no more for us to take, and not gone either, while there is no queue behind the exchange."""

    async def unbind() -> None:
        async with house.channel() as channel:
            dead = await channel.get_queue(house.dead)
            await dead.unbind(house.dead)

    program = house.start()
    asyncio.run(unbind())
    asyncio.run(house.publish(b"{"))
    program.says('"event":"dead-letter"')
    assert program.stop() == 0
    assert (asyncio.run(house.count(house.queue)), house.rabbit.messages()[house.queue]) == (0, 1)


def test_a_stop_lets_what_is_under_way_end(house: House) -> None:
    """SIGTERM in the middle: exit code 0, and each message is either in the spool or still in the queue."""
    program = house.start()
    asyncio.run(fill(house, 300, 1000))
    wait_until("it has begun", lambda: len(house.files) > 20)
    assert program.stop() == 0
    done = {one["request_id"] for one in house.envelopes()}
    assert len(done) == len(house.files)
    house.start()
    house.has(299)
    asyncio.run(house.settled())


def test_a_broker_that_is_away_is_called_again(house: House) -> None:
    """An alarm begins, and ends when it is back; the process goes on."""
    program = house.start()
    with house.rabbit.away():
        program.says('"what":"broker","state":"begin"')
    program.says('"what":"broker","state":"end"')
    asyncio.run(house.publish(letter(0)))
    house.has(1)


def test_a_broker_that_hangs_is_noticed(house: House) -> None:
    """One that has stopped, without a word: what is acknowledged meanwhile comes again, and is there once."""
    program = house.start()
    asyncio.run(house.publish(letter(0)))
    house.has(1)
    machine = int((house.rabbit.home / "pid").read_text())
    os.kill(machine, signal.SIGSTOP)
    try:
        time.sleep(0.5)
    finally:
        os.kill(machine, signal.SIGCONT)
    asyncio.run(house.publish(letter(0), letter(1)))
    house.has(2)
    assert program.running
