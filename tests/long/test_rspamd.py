"""Rspamd itself, over HTTP and as a milter: without a name server, Redis or the Internet. Its start takes a minute or two."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mailer.config.kinds import HostPort
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import free_port
from tests.filtering.scene import MAIL, Scene, section
from tests.peers import install
from tests.peers.filters import GTUBE
from tests.peers.postfix import scratch
from tests.peers.root import Root

pytestmark = pytest.mark.peer(root=True)

OFF = ("rbl", "surbl", "fuzzy_check", "asn", "mx_check", "phishing", "url_redirector", "neural", "history_redis")


class RunningRspamd(NamedTuple):
    """Where it listens."""

    http: str
    milter: str


@pytest.fixture(scope="module")
def rspamd() -> Iterator[RunningRspamd]:
    try:
        install.rspamd()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"Rspamd cannot be fetched: {error}")
    with Nameserver() as server, scratch("rspamd") as home:
        root = Root(home / "root", install.RSPAMD)
        ports = [free_port(), free_port()]
        configure(root.path, server.address, *ports)
        program = root.start("/usr/bin/rspamd", "-f", "-i", "-c", "/etc/rspamd/rspamd.conf", ports=ports)
        try:
            yield RunningRspamd(*(f"127.0.0.1:{port}" for port in ports))
        finally:
            root.stop(program)


def configure(root: Path, nameserver: HostPort, http: int, milter: int) -> None:
    """Everything that asks others is off."""
    for name in ("run/rspamd", "var/lib/rspamd", "var/log/rspamd", "etc/rspamd/local.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    local = root / "etc/rspamd/local.d"
    dns = f'dns {{ nameserver = ["{nameserver}"]; timeout = 0.2s; retransmits = 1; }}\ntask_timeout = 8s;\n'
    (local / "options.inc").write_text(dns)
    (local / "worker-normal.inc").write_text(f'bind_socket = "127.0.0.1:{http}";\ncount = 1;\n')
    proxy = 'upstream "local" { default = yes; self_scan = yes; }'
    (local / "worker-proxy.inc").write_text(f'bind_socket = "127.0.0.1:{milter}";\nmilter = yes;\ntimeout = 20s;\n{proxy}\ncount = 1;\n')
    for name in (*OFF, "worker-controller", "worker-fuzzy"):
        (local / f"{name}.{'inc' if name.startswith('worker') else 'conf'}").write_text("enabled = false;\n")


def judged(*filters: Any, content: bytes = MAIL) -> Any:
    return asyncio.run(Scene(*filters).judged(content))


def test_it_is_asked_over_http(rspamd: RunningRspamd) -> None:
    """Its own test of spam is refused in its words; a plain letter has a score."""
    filter = section("rspamd", rspamd.http, timeout=30.0)
    spam = judged(filter, content=MAIL + GTUBE + b"\r\n")
    assert (spam.verdict, str(spam.reply)) == ("refuse", "550 5.7.1 Gtube pattern")
    ham = judged(filter)
    assert ham.verdict in ("accept", "mark")
    assert b"X-Spam-Score: " in ham.fields
    assert asyncio.run(Scene(filter).panel.pinged())[0][1] == "it answers pong"


def test_it_is_asked_as_a_milter(rspamd: RunningRspamd) -> None:
    """It answers to nothing but the end of a message, and says what it thinks then."""
    filter = section("milter", rspamd.milter, timeout=30.0)
    spam = judged(filter, content=MAIL + GTUBE + b"\r\n")
    assert (spam.verdict, str(spam.reply)) == ("refuse", "554 5.7.1 Gtube pattern")
    assert judged(filter).verdict == "accept"
