"""Mail straight to MX hosts, found at a real name server on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.nameserver import Nameserver

from .world import Sink, World

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = """
example.com.      60 IN MX 10 dead.example.com.
example.com.      60 IN MX 20 mx.example.com.
dead.example.com. 60 IN A  127.0.0.2
mx.example.com.   60 IN A  127.0.0.1
nomail.example.   60 IN MX 0 .
"""


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with Nameserver(RECORDS) as running:
        yield running


def configure(world: World, nameserver: str, port: int, *, private: bool = True) -> None:
    """All mail goes to MX hosts, which may be here."""
    world.config.write_text(
        f'[mailer]\nhostname = "here.example"\nspool = "{world.spool}"\n'
        f'[dns]\nnameservers = ["{nameserver}"]\n'
        f"[delivery]\nmx_port = {port}\nallow_private = {str(private).lower()}\n"
        '[retry]\nschedule = ["1s"]\njitter = 0.0\n'
    )


def sink(world: World, server: Nameserver) -> Sink:
    """A sink that the MX records lead to."""
    running = world.sink()
    configure(world, server.address, running.port)
    return running


def test_the_next_host_takes_what_the_first_does_not(world: World, server: Nameserver) -> None:
    """Where nobody listens at the best MX host, the next one gets the message in the same attempt."""
    taken = sink(world, server)
    id = world.send("you@example.com")
    world.once()
    assert [kept.recipients for kept in taken.kept] == [["you@example.com"]]
    told = world.status(id)
    assert (told["status"], told["attempts"]) == ("sent", 1)
    assert told["recipients"][0]["host"] == "mx.example.com"


@pytest.mark.parametrize(("domain", "code", "enhanced"), [("nowhere.example", 550, "5.1.2"), ("nomail.example", 556, "5.1.10")])
def test_a_domain_that_takes_no_mail(world: World, server: Nameserver, domain: str, code: int, enhanced: str) -> None:
    """A domain that does not exist, or says that it takes no mail, is a failure at once, and the sender is told."""
    taken = sink(world, server)
    server.serve(RECORDS + "here.example. 60 IN MX 1 mx.example.com.\n")
    configure_name(world, "host.here.example")
    id = world.send(f"you@{domain}", sender="me@here.example")
    world.once()
    world.once()
    told = world.status(id)
    assert told["status"] == "failed"
    assert (told["recipients"][0]["code"], told["recipients"][0]["enhanced_code"]) == (code, enhanced)
    assert [kept.recipients for kept in taken.kept] == [["me@here.example"]]


def configure_name(world: World, name: str) -> None:
    """Give this host a name that is not the domain of the sender: mail to oneself would be a loop."""
    world.config.write_text(world.config.read_text().replace('"here.example"', f'"{name}"'))


def test_a_failing_dns_loses_nothing(world: World, server: Nameserver) -> None:
    """While the name server fails, mail waits; when it works again, mail is delivered."""
    taken = sink(world, server)
    server.misbehave("*", "servfail")
    id = world.send("you@example.com")
    world.daemon()
    told = world.becomes(id, "deferred")
    assert (told["recipients"][0]["code"], told["recipients"][0]["enhanced_code"]) == (451, "4.4.3")
    server.behave()
    taken.received(1)
    world.becomes(id, "sent")


def test_being_offline_is_no_attempt(world: World) -> None:
    """Where no name server can be reached, the message waits and no attempt is counted."""
    with Nameserver() as gone:
        address = gone.address
    configure(world, address, 25)
    id = world.send("you@example.com")
    world.once()
    told = world.status(id)
    assert (told["status"], told["attempts"]) == ("deferred", 0)


def test_mail_does_not_go_to_private_addresses(world: World, server: Nameserver) -> None:
    """An MX host at a loopback address is refused unless the configuration allows it."""
    taken = world.sink()
    configure(world, server.address, taken.port, private=False)
    id = world.send("you@example.com", sender="")
    world.once()
    told = world.status(id)
    assert told["status"] == "failed"
    assert told["recipients"][0]["enhanced_code"] == "5.4.4"
    assert not taken.told("connected")
    assert not taken.kept
