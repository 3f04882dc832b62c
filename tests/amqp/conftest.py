"""One RabbitMQ for the tests of this room, started with the first that asks; each test has queues of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.amqp.house import House
from tests.peers.postfix import scratch
from tests.peers.rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def rabbit() -> Iterator[RabbitMQ]:
    """See `RabbitMQ`."""
    with scratch("rabbit") as home, RabbitMQ(home) as running:
        yield running


@pytest.fixture
def house(rabbit: RabbitMQ, tmp_path: Path) -> Iterator[House]:
    """A configuration with queues of its own at the broker, which are gone afterwards."""
    made = House(tmp_path, rabbit)
    yield made
    made.close()
    asyncio.run(made.sweep())
