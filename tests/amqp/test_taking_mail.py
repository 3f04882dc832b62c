"""Mail from a queue: by the program, from a real broker."""

from __future__ import annotations

import asyncio

import pytest

from .house import House, letter

pytestmark = [pytest.mark.peer("rabbitmq"), pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]


def test_what_a_queue_has_is_queued_for_its_submitter(house: House) -> None:
    """Each message is in the spool once, with its request id, as the mail of the queue."""
    program = house.start()
    asyncio.run(house.publish(*(letter(n) for n in range(20))))
    house.has(20)
    asyncio.run(house.settled())
    assert program.stop() == 0
    envelopes = house.envelopes()
    assert {one["request_id"] for one in envelopes} == {f"r{n}" for n in range(20)}
    assert {one["submitter"]["principal"] for one in envelopes} == {f"amqp:{house.queue}"}
