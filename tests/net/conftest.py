"""Certificates for the tests: an authority that they trust, one that they do not, and a server of each; a name server, and who asks it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from mailer.net.dns import Resolver
from tests.fakes.nameserver import Nameserver
from tests.net.questions import RECORDS, Clock

NAME = "mx.example.com"


@dataclass
class Certificates:
    """`ca_file` knows `good` and `other_name`; nobody knows `unknown`."""

    ca_file: str
    good: ssl.SSLContext
    other_name: ssl.SSLContext
    unknown: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made once."""
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    known, stranger = trustme.CA(), trustme.CA()
    known.cert_pem.write_to_path(str(path))
    return Certificates(str(path), _server(known, NAME), _server(known, "other.example.com"), _server(stranger, NAME))


def _server(ca: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with Nameserver(RECORDS) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resolver(server: Nameserver, clock: Clock) -> Resolver:
    return Resolver([server.address], clock=clock)
