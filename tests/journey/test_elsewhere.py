"""Mail that leads back to this host, or to where mail for others must not go: it is given up, and its sender is told why."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mailer.mail.ip_filter import allowed
from tests.fakes.nameserver import Nameserver

from .world import World

RECORDS = """
loop.example.    60 IN MX 10 Host.Here.Example.
loop.example.    60 IN MX 20 backup.loop.example.
own.example.     60 IN MX 10 mx.own.example.
inside.example.  60 IN MX 10 mx.inside.example.
mx.inside.example. 60 IN A 10.0.0.1
mx.inside.example. 60 IN AAAA fe80::1
alias.example.   60 IN MX 10 www.alias.example.
www.alias.example. 60 IN CNAME mx.inside.example.
named.example.   60 IN MX 10 localhost.
"""


def own_address() -> str:
    """An address of this machine that others could know; empty if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 25))
        except OSError:
            return ""
        address = str(probe.getsockname()[0])
        return address if allowed(address) else ""


@pytest.fixture
def server() -> Iterator[Nameserver]:
    own = own_address()
    with Nameserver(RECORDS + (f"mx.own.example. 60 IN A {own}\n" if own else "")) as running:
        yield running


@pytest.mark.parametrize(
    ("domain", "enhanced", "words"),
    [
        ("loop.example", "5.4.6", "would come back to this host"),
        ("own.example", "5.4.6", "would come back to this host"),
        ("inside.example", "5.4.4", "10.0.0.1"),
        ("alias.example", "5.4.4", "10.0.0.1"),
        ("named.example", "5.4.4", "127.0.0.1"),
        ("[127.0.0.1]", "5.4.4", "127.0.0.1"),
        ("[IPv6:::1]", "5.4.4", "::1"),
    ],
)
def test_the_sender_is_told(world: World, server: Nameserver, domain: str, enhanced: str, words: str) -> None:
    """One pass gives the message up, a second one delivers the report, which has the code and the reason."""
    if domain == "own.example" and not own_address():
        pytest.skip("this machine has no address that others could know")
    taken = world.sink()
    world.config.write_text(
        f'[mailer]\nhostname = "host.here.example"\nspool = "{world.spool}"\n'
        f'[dns]\nnameservers = ["{server.address}"]\n'
        f'[relay.sink]\nhost = "127.0.0.1"\nport = {taken.port}\ntls = "none"\n'
        '[[route]]\nmatch = "here.example"\nvia = ["relay:sink"]\n'
    )
    id = world.send(f"you@{domain}", sender="me@here.example")
    world.once()
    world.once()
    told = world.status(id)
    assert (told["status"], told["recipients"][0]["enhanced_code"]) == ("failed", enhanced)
    assert words in told["recipients"][0]["reply"]
    (report,) = taken.received(1)
    assert (report.sender, report.recipients) == ("", ["me@here.example"])
    assert f"Status: {enhanced}".encode() in report.content
