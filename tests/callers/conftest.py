"""A machine for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailer.sink import SinkThread
from tests.peers.postfix import scratch

from .machine import Machine


@pytest.fixture
def machine() -> Iterator[Machine]:
    """See `Machine`."""
    with scratch("caller") as home, SinkThread() as sink:
        yield Machine(home, sink)
