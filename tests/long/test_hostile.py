"""Two thousand clients who want to hurt a door, for five minutes, beside some who bring mail.

``TESTS_SOAK=60`` makes it a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from pathlib import Path

import pytest
import trustme

from tests.fakes.processes import free_port, listens, wait_until
from tests.journey.world import World

from .hostile import attack

SECONDS = float(os.environ.get("TESTS_SOAK", "300"))
HOSTILE = 2000
GOOD = 4
DESCRIPTORS = 6000

CONFIG = """
[[listen]]
kind = "mx"
address = ["127.0.0.1:{port}"]
tls = "starttls"
certificate_file = "{pem}"

[[domain]]
name = "there.example"
catch_all = "keeper@elsewhere.example"

[receiving]
max_connections = 4000
connections_per_network = 30
connections_per_neighbourhood = 1000
rate_per_neighbourhood = "10000/min"
idle_timeout = "1m"
max_memory = "100MB"
"""


class Watched:
    """What the daemon holds, second by second."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")
        self.memory: list[int] = []
        self.descriptors: list[int] = []

    def look(self) -> None:
        """Note KB of memory and descriptors as they are now."""
        status = (self._proc / "status").read_text().splitlines()
        self.memory.append(next(int(line.split()[1]) for line in status if line.startswith("VmRSS")))
        self.descriptors.append(len(os.listdir(self._proc / "fd")))

    def thirds(self, of: list[int]) -> tuple[int, int, int]:
        """The most of each third of the time."""
        third = len(of) // 3
        return max(of[:third]), max(of[third : 2 * third]), max(of[2 * third :])


@pytest.mark.timeout(SECONDS + 600)
def test_nobody_who_is_hostile_takes_more_and_more(world: World, tmp_path: Path) -> None:
    """Memory and descriptors stay as they are, whoever brings mail is served all the time, and when the others go all is given back."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pem, port, sink = tmp_path / "door.pem", free_port(), world.sink()
    trustme.CA().issue_cert("mx.there.example").private_key_and_cert_chain_pem.write_to_path(str(pem))
    world.configure(sink, more=CONFIG.format(port=port, pem=pem))
    daemon = world.start("run", descriptors=DESCRIPTORS)
    daemon.says('"what":"ready"')
    wait_until("the door is open", lambda: listens(port))
    watched = Watched(daemon.pid)
    watched.look()
    (before,) = watched.descriptors
    brought = asyncio.run(soak(port, watched))
    print(f"{brought} messages; KB {watched.thirds(watched.memory)}, descriptors {watched.thirds(watched.descriptors)}")
    assert brought >= SECONDS / 2
    _, middle, last = watched.thirds(watched.memory)
    assert last < middle * 1.1 + 10_000, watched.memory
    assert max(watched.descriptors) < 4100
    wait_until("what they had is free", lambda: watched.look() or watched.descriptors[-1] <= before + 20, 120, 0.5)
    sink.events("taken", brought, 120)
    assert '"what":"bug"' not in daemon.said
    assert daemon.stop() == 0


async def soak(port: int, watched: Watched) -> int:
    """Attack, and bring mail beside it; returns how many messages were taken."""
    attackers = [asyncio.ensure_future(attack(port, number)) for number in range(HOSTILE)]
    enough = asyncio.Event()
    bringing = [asyncio.ensure_future(bring(port, number, enough)) for number in range(GOOD)]
    loop = asyncio.get_running_loop()
    end = loop.time() + SECONDS
    while loop.time() < end:
        await asyncio.sleep(1)
        watched.look()
        ended = [each for each in (*attackers, *bringing) if each.done()]
        assert not ended
    enough.set()
    brought = sum(await asyncio.gather(*bringing))
    for each in attackers:
        each.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return brought


async def bring(port: int, number: int, enough: asyncio.Event) -> int:
    """Bring one message after the other until it is enough; returns how many were taken. Raises `AssertionError` where one is not."""
    count = 0
    while not enough.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.2.{number}.1", 0))
        try:
            await said(reader, "220")
            for line, code in SESSION:
                writer.write(line)
                await said(reader, code)
            count += 1
        finally:
            writer.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), 0.3)
    return count


SESSION = [
    (b"EHLO good.example\r\n", "250"),
    (b"MAIL FROM:<ann@good.example>\r\n", "250"),
    (b"RCPT TO:<you@there.example>\r\n", "250"),
    (b"DATA\r\n", "354"),
    (b"From: ann@good.example\r\nSubject: x\r\n\r\n" + b"hello\r\n" * 200 + b".\r\n", "250"),
    (b"QUIT\r\n", "221"),
]


async def said(reader: asyncio.StreamReader, code: str) -> None:
    """Hear a reply, in time."""
    async with asyncio.timeout(30):
        while True:
            line = (await reader.readline()).decode()
            assert line.startswith(code), line
            if line[3:4] == " ":
                return
