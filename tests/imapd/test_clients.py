"""Clients of other people, over a real socket, against mailboxes in files."""

from __future__ import annotations

import asyncio
import imaplib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailer.imap.command import Fetch
from mailer.imapd.handlers import HANDLERS
from tests.mailbox.premises import message

from .house import SECRET, ImapHouse

fetches = pytest.mark.skipif(Fetch not in HANDLERS, reason="nobody answers FETCH")


def with_client(home: Path, use: Callable[[int], None]) -> None:
    """A house in files, and `use` of its port in a thread."""

    async def run() -> None:
        async with ImapHouse(home) as house:
            await asyncio.to_thread(use, house.port)

    asyncio.run(run())


@fetches
def test_imaplib(tmp_path: Path) -> None:
    """Python's own: it logs in, puts, opens, stores, looks, and takes out."""

    def use(port: int) -> None:
        client = imaplib.IMAP4("127.0.0.1", port, timeout=10)
        assert "IMAP4REV1" in client.capabilities
        assert client.login("ann@example.com", SECRET)[0] == "OK"
        for number in range(3):
            kind, _ = client.append("INBOX", r"(\Flagged)", imaplib.Time2Internaldate(1_796_127_000), message(f"number {number}"))
            assert kind == "OK"
        assert client.select("INBOX") == ("OK", [b"3"])
        assert client.fetch("1:3", "(FLAGS)")[1] == [rb"%d (FLAGS (\Flagged \Recent))" % number for number in (1, 2, 3)]
        assert client.store("2", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert client.expunge() == ("OK", [b"2"])
        assert client.copy("1", "Archive")[0] == "OK"
        assert client.fetch("1", "(BODY[])")[1][0][1] == message("number 0")
        assert client.close()[0] == "OK"
        assert client.logout()[0] == "BYE"

    with_client(tmp_path, use)


@fetches
def test_imapclient(tmp_path: Path) -> None:
    """IMAPClient: with CONDSTORE, MOVE and IDLE."""
    imapclient = pytest.importorskip("imapclient", reason="IMAPClient is not installed")

    def use(port: int) -> None:
        with imapclient.IMAPClient("127.0.0.1", port, ssl=False, timeout=10) as client:
            client.login("ann@example.com", SECRET)
            client.append("INBOX", message("one"), [imapclient.SEEN])
            client.multiappend("INBOX", [message("two"), {"msg": message("three"), "flags": [imapclient.DRAFT]}])
            folder = client.select_folder("INBOX")
            assert (folder[b"EXISTS"], folder[b"UIDNEXT"], folder[b"READ-WRITE"]) == (3, 4, True)
            assert client.fetch([1, 3], ["FLAGS"])[3][b"FLAGS"] == (b"\\Draft", b"\\Recent")
            client.add_flags([2], [imapclient.DELETED])
            client.move([1], "Archive")
            client.expunge()
            assert client.search() == [3]
            client.idle()
            other = imapclient.IMAPClient("127.0.0.1", port, ssl=False, timeout=10)
            other.login("ann@example.com", SECRET)
            other.append("INBOX", message("four"))
            assert (2, b"EXISTS") in client.idle_check(timeout=10)
            client.idle_done()
            other.logout()

    with_client(tmp_path, use)


def test_aioimaplib(tmp_path: Path) -> None:
    """aioimaplib: it waits, and hears."""
    aioimaplib = pytest.importorskip("aioimaplib", reason="aioimaplib is not installed")

    async def ready(port: int) -> Any:
        client = aioimaplib.IMAP4(host="127.0.0.1", port=port, timeout=10)
        await client.wait_hello_from_server()
        assert (await client.login("ann@example.com", SECRET)).result == "OK"
        assert (await client.select("INBOX")).result == "OK"
        return client

    async def run() -> None:
        async with ImapHouse(tmp_path) as house:
            client, other = await ready(house.port), await ready(house.port)
            idle = await client.idle_start(timeout=60)
            assert (await other.append(message("one"), "INBOX", r"\Seen")).result == "OK"
            assert b"1 EXISTS" in await client.wait_server_push(10)
            client.idle_done()
            await asyncio.wait_for(idle, 10)
            assert (await client.uid("store", "1", "+FLAGS", r"(\Deleted)")).result == "OK"
            assert (await client.expunge()).result == "OK"
            for each in (client, other):
                await each.logout()

    asyncio.run(run())


def test_a_hundred_clients_at_once(tmp_path: Path) -> None:
    """Each of a hundred threads puts a message and sees it; all are there in the end."""
    errors: list[BaseException] = []

    def one(port: int, number: int) -> None:
        try:
            client = imaplib.IMAP4("127.0.0.1", port, timeout=30)
            client.login("ann@example.com", SECRET)
            assert client.append("INBOX", "", "", message(f"number {number}"))[0] == "OK"
            assert int(client.select("INBOX")[1][0] or b"0") >= 1
            client.logout()
        except BaseException as error:
            errors.append(error)

    def use(port: int) -> None:
        threads = [threading.Thread(target=one, args=(port, number)) for number in range(100)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert errors == []
        client = imaplib.IMAP4("127.0.0.1", port, timeout=10)
        client.login("ann@example.com", SECRET)
        assert client.select("INBOX") == ("OK", [b"100"])
        client.logout()

    with_client(tmp_path, use)
