"""The peers of the session, of which each starts when the first test asks for it; each test marks its own messages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from .postfix import Postfix, scratch
from .servers import Servers
from .smtpsink import SmtpSink


class Peer(NamedTuple):
    """A Postfix that takes mail for ann, bob and mallory (who is greylisted) at peer.example, and who vouches for it."""

    postfix: Postfix
    ca_file: str


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """See `Servers`."""
    with scratch("peers") as home, contextlib.ExitStack() as stack:
        yield Servers(home, stack)


@pytest.fixture(scope="session")
def peer(servers: Servers) -> Peer:
    """See `Peer`. Its certificate is for ``localhost``, by an authority of our own."""
    return Peer(servers.postfix, servers.ca_file)


@pytest.fixture(scope="session")
def smtpsink() -> Iterator[SmtpSink]:
    """smtp-sink, keeping what it takes."""
    with scratch("sink") as home:
        dump = Path(home, "dump")
        dump.mkdir()
        with SmtpSink(dump=dump) as sink:
            yield sink
