"""What the doctor says of doors where users read their mail."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from mailer.check.finding import Finding
from mailer.config import Config
from mailer.config.file import config_of
from mailer.operate.doctor.access_doors import access_doors
from mailer.operate.doctor.serving import Running
from tests.fakes.processes import free_port
from tests.imapd.house import ImapHouse
from tests.popd.house import PopHouse

RUNS, RESTS = Running(True, 1, 1.0), Running(False, 0, 0.0)


async def looked(port: int, kind: str, state: Running = RUNS, tls: str = "none") -> Finding:
    """What is found of the one door."""
    shown = 'certificate_file = "/none.pem"\n' if tls != "none" else ""
    text = f'[mailer]\nspool = "/nowhere"\n[[listen]]\nkind = "{kind}"\naddress = "127.0.0.1:{port}"\ntls = "{tls}"\n{shown}'
    (found,) = await access_doors(config_of("/config.toml", text.encode()), state)
    return found


def test_where_no_door_is_nothing_is_said() -> None:
    assert asyncio.run(access_doors(Config(), RUNS)) == []


@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_doors_that_answer(kind: str) -> None:
    """In their own protocols; one that has no TLS, and should, is a fault."""

    async def run() -> None:
        async with AsyncExitStack() as open:
            if kind == "imap":
                port = (await open.enter_async_context(ImapHouse())).port
            else:
                port = (await open.enter_async_context(PopHouse().open())).port
            found = await looked(port, kind)
            assert (found.check, found.result) == ("door", "pass")
            assert f"answers ({kind}: " in found.evidence
            assert (await looked(port, kind, tls="starttls")).result == "fail"

    asyncio.run(run())


def test_a_door_that_is_shut(tmp_path: Path) -> None:
    """A fault where the daemon runs, which would have opened it."""

    async def run() -> None:
        port = free_port()
        assert (await looked(port, "imap")).result == "fail"
        assert (await looked(port, "pop3", RESTS)).result == "warn"

    asyncio.run(run())


@pytest.mark.parametrize("greeting", [b"* BYE too many\r\n", b"", b"220 mx.example.com ESMTP\r\n"])
def test_a_door_that_lets_nobody_in(greeting: bytes) -> None:
    """Or is somebody else's."""

    async def run() -> None:
        async def serve(_: Any, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            found = await looked(server.sockets[0].getsockname()[1], "imap")
        assert (found.result, "lets nobody in now" in found.evidence) == ("warn", True)

    asyncio.run(run())
