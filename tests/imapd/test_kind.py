"""Doors of the kind imap, as the configuration has them: in the clear, with STARTTLS, and with TLS from the beginning."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from mailer.config import Config
from mailer.config.sections import Mailer
from mailer.config.sections.doors import DoorPlace, Listen
from mailer.imapd.kind import ImapDoorKind
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.serving.component import ServedDoors

from .house import SECRET, ImapHouse


def at_a_door(tmp_path: Path, use: Callable[[int, ssl.SSLContext], None], **more: str) -> None:
    """A door, and `use` of its port in a thread, by whoever trusts its certificate."""
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    leaf = authority.issue_cert("localhost")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    if more.get("tls") != "none":
        more |= {"certificate_file": str(tmp_path / "certificate.pem"), "key_file": str(tmp_path / "key.pem")}

    def bug(error: object) -> None:
        raise AssertionError(error)

    async def run() -> None:
        async with ImapHouse() as house:
            door = Listen(kind="imap", address=(DoorPlace("127.0.0.1", 0),), **more)
            config, terms = Config(mailer=Mailer(hostname="mail.example.com"), listens=(door,)), house.terms
            kind = ImapDoorKind(config, terms.desk, terms.hold, terms.news, terms.tell, terms.now)
            doors = ServedDoors(config, [kind], terms.tell, SystemClock(), Chores(bug, bug))
            await doors.start()
            try:
                await asyncio.to_thread(use, next(iter(doors.ports.values())), trusting)
            finally:
                await doors.stop(0.0)

    asyncio.run(run())


def works(client: imaplib.IMAP4) -> None:
    """A client that has logged in has folders."""
    assert client.select("INBOX") == ("OK", [b"0"])
    client.logout()


def test_starttls(tmp_path: Path) -> None:
    """Before it nobody can log in, and is told so."""

    def use(port: int, trusting: ssl.SSLContext) -> None:
        client = imaplib.IMAP4("localhost", port, timeout=10)
        assert {"STARTTLS", "LOGINDISABLED"} <= {*client.capabilities}
        with pytest.raises(imaplib.IMAP4.error):
            client.login("ann@example.com", SECRET)
        client.starttls(trusting)
        assert "LOGINDISABLED" not in client.capabilities
        assert "AUTH=PLAIN" in client.capabilities
        client.login("ann@example.com", SECRET)
        works(client)

    at_a_door(tmp_path, use, tls="starttls")


def test_tls_from_the_beginning(tmp_path: Path) -> None:
    """Port 993."""

    def use(port: int, trusting: ssl.SSLContext) -> None:
        client = imaplib.IMAP4_SSL("localhost", port, ssl_context=trusting, timeout=10)
        assert "STARTTLS" not in client.capabilities
        client.authenticate("PLAIN", lambda _: f"\0ann@example.com\0{SECRET}".encode())
        works(client)

    at_a_door(tmp_path, use, tls="implicit")


def test_in_the_clear(tmp_path: Path) -> None:
    """At a loopback address."""

    def use(port: int, _: ssl.SSLContext) -> None:
        client = imaplib.IMAP4("127.0.0.1", port, timeout=10)
        client.login("ann@example.com", SECRET)
        works(client)

    at_a_door(tmp_path, use, tls="none")
