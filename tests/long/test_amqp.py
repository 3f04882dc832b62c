"""The journey of mail from a queue, on its whole scale: 3,000 messages of which 30 are poisonous, and everything dies on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.amqp.house import House
from tests.amqp.test_crashes import journey
from tests.peers.postfix import scratch
from tests.peers.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.peer("rabbitmq"), pytest.mark.slow]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A broker of its own, and a configuration for it."""
    with scratch("rabbit") as home, RabbitMQ(home) as rabbit:
        made = House(tmp_path, rabbit)
        yield made
        made.close()


def test_nothing_is_lost_and_nothing_twice(house: House) -> None:
    """The consumer is killed five times, and the broker once: 2,970 are in the spool, 30 are dead letters."""
    journey(house, 3000, 100, 5)
