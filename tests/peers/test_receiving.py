"""Real servers and programs bring mail to our door of kind mx, and it arrives as it was written."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from mailer.accounts.users.api import User
from mailer.events import TakenIn
from mailer.sink.server import LoopThread
from tests.fakes.processes import free_port, wait_until, which
from tests.journey.world import World
from tests.smtpd.mx_house import MxHouse

from .cyrus import Cyrus
from .letters import letter
from .matrix import marks
from .postfix import scratch
from .relays import SERVERS, relays
from .servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HERE = '[[domain]]\nname = "here.example"\nvia = "maildir:/nowhere/{user}"\n'
PERSON = "bounces@here.example"


class Door:
    """A door in a thread of its own; `letters` are what has come by it, in order."""

    def __init__(self, home: Path, loop: LoopThread, house: MxHouse, port: int) -> None:
        self.home = home
        self.loop = loop
        self.house = house
        self.port = port

    def letters(self, count: int) -> list[bytes]:
        """Wait for so many, without what was written above their first field."""
        wait_until(f"{count} messages are taken: {self.house.told}", lambda: len(self.house.heard(TakenIn)) >= count)
        found = [self.house.content(entry) for entry in self.house.entries()]
        return [content[content.index(b"X-Test: ") :] for content in found]

    def spoken(self) -> set[str]:
        """What was spoken with those who have brought mail, and which TLS."""
        return {f"{event.arrival.protocol} {event.arrival.tls}".strip() for event in self.house.heard(TakenIn)}


@contextlib.contextmanager
def opened(home: Path, door: str = "mx") -> Iterator[Door]:
    """A door that shows a certificate where somebody asks for TLS."""
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(f"{home}/chain.pem")
    tls = f'tls = "starttls"\ncertificate_file = "{home}/chain.pem"\n'
    loop = LoopThread("door")

    async def made() -> MxHouse:
        house = MxHouse(home, door=door, listen=tls, more=HERE, people=[User(PERSON)])
        await house.doors.start()
        return house

    house = loop.run(made())
    try:
        yield Door(home, loop, house, house.port)
    finally:
        loop.run(house.doors.stop(0.0))
        loop.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with opened(tmp_path) as door:
        yield door


@pytest.mark.parametrize("name", relays())
def test_a_real_server_brings_mail(name: str) -> None:
    """What it was given, dots and all, below the fields that it has written; to chasquid's client we speak LMTP."""
    with scratch("brings") as home:
        home.joinpath("ours").mkdir()
        with opened(home / "ours", "lmtp" if name == "chasquid" else "mx") as door, SERVERS[name](home, door.port, free_port()) as port:
            sent = []
            for kind in ("dots", "a megabyte"):
                sent.append(letter(kind)[1])
                with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
                    client.sendmail("me@author.example", [PERSON], sent[-1])
            found = door.letters(2)
            assert sorted(map(len, found)) == sorted(map(len, sent))
            assert set(found) == set(sent)


@pytest.mark.parametrize("name", ["dots", "the end of data, quoted", "8 bit", "long lines", "every octet", "5 MB"])
def test_a_program_brings_mail(door: Door, name: str) -> None:
    """With TLS, and as in RFC 821, without any extension."""
    mark, content = letter(name)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", door.port, timeout=60) as client:
        client.starttls(context=context)
        assert client.sendmail("me@author.example", [PERSON], content) == {}
    with smtplib.SMTP("127.0.0.1", door.port, local_hostname="client.example", timeout=60) as client:
        client.helo()
        assert client.sendmail("me@author.example", [PERSON], content) == {}
    first, second = door.letters(2)
    assert first == second == content
    assert mark.encode() in first
    assert door.spoken() == {"SMTP", "ESMTPS TLSv1.3"}


@pytest.mark.peer("smtp-source")
def test_many_at_a_time_lose_nothing(door: Door) -> None:
    """Each 250 stands for a file."""
    words = [
        which("smtp-source"),
        "-d",
        "-s",
        "20",
        "-m",
        "400",
        "-l",
        "2000",
        "-f",
        "me@author.example",
        "-t",
        PERSON,
        f"127.0.0.1:{door.port}",
    ]
    subprocess.run(words, check=True, timeout=120, capture_output=True)
    assert len(door.house.heard(TakenIn)) == len(door.house.entries()) == 400


@pytest.mark.parametrize("name", [pytest.param("lmtp", marks=marks("lmtp"))])
def test_mailboxes_are_behind_lmtp(name: str, servers: Servers, tmp_path: Path) -> None:
    """Who lives there, the mailbox server says, before a message is taken; and then it gets it, with its line ends."""
    dovecot = servers[name]
    mark, content = letter("dots")
    with gateway(tmp_path, dovecot.ports["plain"]) as port:
        refused = brought(port, content, "ann", "nobody", "bob+x")
        assert {who: code for who, (code, _) in refused.items()} == {"nobody": 550}
        assert b"mailbox server says" in refused["nobody"][1]
        found = dovecot.mailboxes.arrived(mark, ["ann", "bob"])
        assert found == {"ann": [content], "bob": [content]}
        above = dovecot.mailboxes.above(mark, "ann")
        assert above.startswith("Return-Path: <me@author.example>\n")
        assert "by here.example (mailer) with ESMTP id" in above


@pytest.mark.peer("cyrus", root=True)
def test_mailboxes_of_cyrus_are_behind_lmtp(tmp_path: Path) -> None:
    """Its answer of several lines, that nobody of that name is there, is ours, and so is that a mailbox is full, before mail is taken."""
    mark, content = letter("dots")
    with Cyrus(tmp_path, ["ann", "bob"], full="full") as cyrus, gateway(tmp_path, cyrus.ports["lmtp"]) as port:
        refused = brought(port, content, "ann", "nobody", "bob+x", "full")
        assert {who: code for who, (code, _) in refused.items()} == {"nobody": 550, "full": 452}
        assert b"User unknown" in refused["nobody"][1]
        assert b"Over quota" in refused["full"][1]
        assert cyrus.mailboxes.arrived(mark, ["ann", "bob"]) == {"ann": [content], "bob": [content]}
        assert cyrus.mailboxes.above(mark, "ann").startswith("Return-Path: <me@author.example>\r\n")


@contextlib.contextmanager
def gateway(home: Path, mailboxes: int) -> Iterator[int]:
    """Our daemon with a door of kind mx, in front of an LMTP server at the port `mailboxes`; the port of the door."""
    port = free_port()
    world = World(home)
    try:
        world.configure(1, more=(
            f'[relay.mailboxes]\nhost = "127.0.0.1"\nport = {mailboxes}\nprotocol = "lmtp"\ntls = "none"\n'
            '[[domain]]\nname = "peer.example"\nvia = "relay:mailboxes"\n'
            f'[[listen]]\nkind = "mx"\naddress = "127.0.0.1:{port}"\n[dns]\nnameservers = ["127.0.0.1:9"]\nlifetime = "1s"\n'
        ))  # fmt: skip
        world.daemon()
        yield port
    finally:
        world.close()


def brought(port: int, content: bytes, *names: str) -> dict[str, tuple[int, bytes]]:
    """Bring it for these people at peer.example; the answers to those who are refused."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        refused = client.sendmail("me@author.example", [f"{name}@peer.example" for name in names], content)
    return {address.partition("@")[0]: answer for address, answer in refused.items()}
