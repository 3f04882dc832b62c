"""The server of PostgreSQL that tests of mailboxes share; it starts when the first of them asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.postfix import scratch
from tests.peers.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """See `PostgreSQL`. A test that asks for it is marked with the peer of that name."""
    with scratch("postgresql") as home, PostgreSQL(home) as server:
        yield server
