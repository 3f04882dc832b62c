"""What the doctor says of doors for SMTP and LMTP."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from mailer.check.finding import Finding
from mailer.config import Config
from mailer.config.file import config_of
from mailer.operate.doctor import smtp_doors
from mailer.operate.doctor.serving import Running
from mailer.sink import SinkThread

RUNS, RESTS = Running(True, 1, 1.0), Running(False, 0, 0.0)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key."""
    path = tmp_path_factory.mktemp("door") / "door.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def looked(port: int, pem: Path, kind: str = "mx", tls: str = "none", state: Running = RUNS) -> Finding:
    """What is found of the one door."""
    shown = f'certificate_file = "{pem}"\n' if tls != "none" else ""
    text = (
        f'[mailer]\nspool = "{pem.parent}"\n[[domain]]\nname = "example.com"\naliases_file = "/none"\n'
        f'[[listen]]\nkind = "{kind}"\naddress = "127.0.0.1:{port}"\ntls = "{tls}"\n{shown}'
    )
    (found,) = asyncio.run(smtp_doors.smtp_doors(config_of(str(pem.parent / "config.toml"), text.encode()), state))
    return found


def context(pem: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made


def test_where_no_door_is_nothing_is_said() -> None:
    assert asyncio.run(smtp_doors.smtp_doors(Config(), RUNS)) == []


@pytest.mark.parametrize(("kind", "tls"), [("mx", "none"), ("mx", "starttls"), ("submission", "implicit"), ("lmtp", "none")])
def test_a_door_that_answers(kind: str, tls: str, pem: Path) -> None:
    """In its own protocol, and with TLS from the first byte where it is so; it is left without a mail."""
    with SinkThread(tls=context(pem) if tls != "none" else None, implicit_tls=tls == "implicit", lmtp=kind == "lmtp") as door:
        found = looked(door.port, pem, kind, tls)
        assert door.count == 0
    assert (found.check, found.result) == ("door", "pass")
    assert f"answers ({kind}: 220 sink.localhost" in found.evidence


def test_a_door_without_the_tls_that_it_shall_have(pem: Path) -> None:
    """Whoever insists on TLS brings no mail there."""
    with SinkThread() as door:
        found = looked(door.port, pem, tls="starttls")
    assert (found.result, "offers no STARTTLS" in found.evidence) == ("fail", True)


def test_a_door_that_is_shut(pem: Path) -> None:
    """A fault where the daemon runs, which would have opened it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert [looked(port, pem, state=state).result for state in (RUNS, RESTS)] == ["fail", "warn"]


@pytest.mark.parametrize(
    ("said", "result", "evidence"),
    [
        (b"421 4.3.2 too many connections\r\n", "warn", "takes no mail now (mx): 421 4.3.2 too many connections"),
        (b"", "warn", "it hung up"),
        (b"x" * 100_000, "fail", "does not answer"),
        (b"220 \x1b[2J\r\n250 \xff\r\n", "pass", "answers (mx: 220 \ufffd[2J)"),
        (b"220-" + b"a\r\n220-" * 1000, "pass", "answers (mx: 220-a)"),
    ],
)
def test_whatever_answers_there_is_shown_and_no_more(said: bytes, result: str, evidence: str, pem: Path) -> None:
    """Also where somebody else has the port."""

    async def run() -> Finding:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            return await asyncio.to_thread(looked, server.sockets[0].getsockname()[1], pem)

    found = asyncio.run(run())
    assert (found.result, evidence in found.evidence) == (result, True), found
