"""What the doctor says of doors for HTTP."""

from __future__ import annotations

import asyncio
import datetime
import socket
import time
from pathlib import Path

import trustme

from mailer.check.finding import Finding
from mailer.config import Config
from mailer.config.file import config_of
from mailer.config.sections.doors import DoorPlace
from mailer.operate import api_keys
from mailer.operate.doctor import doors
from mailer.operate.doctor.serving import Running
from tests.web.served import Served

RUNS, RESTS = Running(True, 1, 1.0), Running(False, 0, 0.0)


def config_at(path: Path, port: int, more: str = "") -> Config:
    """With a door at `port`, and a place for keys."""
    text = f'[mailer]\nspool = "{path}"\n[[listen]]\nkind = "web"\naddress = "127.0.0.1:{port}"\n{more}\n'
    return config_of(str(path / "config.toml"), text.encode())


def looked(path: Path, more: str = "", *, serving: bool = True, state: Running = RUNS) -> list[Finding]:
    """What is found while a door is open, or while none is."""

    async def run() -> list[Finding]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            config = config_at(path, port, more)
            if not serving:
                listening.close()
                return await doors.doors(config, state)
            served = Served(config)
            (await served.server.listen(config, {DoorPlace("127.0.0.1", port): listening}))()
            try:
                return await doors.doors(config, state)
            finally:
                await served.server.close(1)
                served.desk.close()

    return asyncio.run(run())


def key(path: Path) -> None:
    """Make one."""
    keys = api_keys.keys_of(config_at(path, 1))
    asyncio.run(api_keys.add(keys, "app", api_keys.KeyTerms(), time.time()))


def test_where_no_door_is_nothing_is_said() -> None:
    """Nor about keys."""
    assert asyncio.run(doors.doors(Config(), RUNS)) == []


def test_a_door_that_is_open(tmp_path: Path) -> None:
    """With its keys, in the clear and with TLS."""
    for name in ("tmp", "queued"):
        (tmp_path / name).mkdir()
    key(tmp_path)
    assert [(each.check, each.result) for each in looked(tmp_path)] == [("keys", "pass"), ("door", "pass")]
    made = trustme.CA().issue_cert("localhost")
    made.private_key_and_cert_chain_pem.write_to_path(tmp_path / "web.pem")
    found = looked(tmp_path, f'tls = "implicit"\ncertificate_file = "{tmp_path}/web.pem"')
    assert [each.result for each in found] == ["pass", "pass"]
    assert "HTTPS" in found[1].evidence


def test_a_door_that_takes_no_mail(tmp_path: Path) -> None:
    """Its reason is said: here there is no spool."""
    found = looked(tmp_path)
    assert [(each.check, each.result) for each in found] == [("keys", "fail"), ("door", "fail")]
    assert "mailer api key add" in found[0].advice
    assert "the spool cannot be written" in found[1].evidence


def test_a_door_that_is_shut(tmp_path: Path) -> None:
    """A fault where the daemon runs, which would have opened it."""
    key(tmp_path)
    assert [looked(tmp_path, serving=False, state=state)[1].result for state in (RUNS, RESTS)] == ["fail", "warn"]


def test_a_certificate_that_ends(tmp_path: Path) -> None:
    """Two weeks before."""
    now = datetime.datetime.now(datetime.UTC)
    for days, result in ((100, "pass"), (10, "warn"), (-1, "fail")):
        made = trustme.CA().issue_cert(
            "localhost", not_before=now - datetime.timedelta(days=9), not_after=now + datetime.timedelta(days=days)
        )
        made.private_key_and_cert_chain_pem.write_to_path(tmp_path / "web.pem")
        config = config_at(tmp_path, 8025, f'tls = "implicit"\ncertificate_file = "{tmp_path}/web.pem"')
        (found,) = doors.certificates(config, time.time())
        assert found.result == result
        assert "127.0.0.1:8025" in found.subject
