"""The exporter alone: who listens to events, which threads there are, what a reader may have."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from pathlib import Path

import pytest

from mailer.alarms.book import AlarmBook
from mailer.config import Config
from mailer.config.kinds import HostPort
from mailer.config.sections.daemon import Metrics
from mailer.config.sections.relay import Relay
from mailer.events import AlarmBegun, Daemon, Events, Tried
from mailer.mail.alarm import OpenAlarm
from mailer.mail.outcome import Hop
from mailer.mail.problem import Problem
from mailer.metrics import readers
from mailer.metrics.counts import Counts
from mailer.metrics.exporter import Exporter
from mailer.metrics.queue_figures import QueueFigures
from mailer.queue.invariants import Invariants
from tests.fakes.mail import NOW, entry_of, outcome
from tests.fakes.processes import free_port, listens
from tests.queue.post import Post


def bug(error: Exception) -> None:
    raise error


def exporter_of(root: Path) -> Exporter:
    """An exporter of a manager that does nothing."""
    post = Post(root)
    return Exporter(Config(), Counts(), Events([], bug, AlarmBook()), QueueFigures(post.manager), Invariants(post.manager), post.clock)


def test_nobody_listens_and_nothing_runs_unless_it_is_served(tmp_path: Path) -> None:
    """There is no listener before, one listener and one thread during, and neither afterwards."""

    async def scenario() -> None:
        exporter, port = exporter_of(tmp_path), free_port()
        await exporter.serve(None)
        assert exporter.events.listeners == []
        before = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")}
        await exporter.serve(HostPort("127.0.0.1", port))
        await exporter.serve(HostPort("127.0.0.1", port))
        assert exporter.events.listeners == [exporter.counts]
        await exporter.stop(0.0)
        after = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio")}
        assert (exporter.events.listeners, after) == ([], before)
        assert not listens(port)

    asyncio.run(scenario())


def test_the_last_of_many_changes_holds(tmp_path: Path) -> None:
    """Reloads that come faster than a server ends are carried out one after the other; so is the end."""

    async def scenario() -> None:
        exporter, ports = exporter_of(tmp_path), [free_port(), free_port()]
        last = HostPort("127.0.0.1", ports[0])
        for listen in (last, HostPort("127.0.0.1", ports[1]), None, last):
            exporter.change(listen)
        await asyncio.sleep(0)  # all stand in line
        await exporter.serve(last)
        assert [listens(port) for port in ports] == [True, False]
        exporter.change(f"127.0.0.1:{ports[1]}")
        await exporter.stop(0.0)
        assert [listens(port) for port in ports] == [False, False]
        assert asyncio.all_tasks() == {asyncio.current_task()}  # who would open it again

    asyncio.run(scenario())


def test_a_reload_may_name_relays_and_leave_less_room(tmp_path: Path) -> None:
    """From then on; whether anybody listens or not."""

    async def scenario() -> None:
        exporter = exporter_of(tmp_path)
        relay = Relay(name="out", host="relay.example", port=25, tls="none")
        with exporter.reload(Config(metrics=Metrics(hosts=1), relays={"out": relay})):
            pass
        hosts = exporter.counts.hosts
        assert [hosts.row(host, 25).label for host in ("relay.example", "mx.example.net")] == ["out", "other"]
        await exporter.stop(0.0)

    asyncio.run(scenario())


def test_a_reader_who_asks_nothing_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor on one who asks letter by letter, for a silence would be the end of him: his time is up, and that is no news."""
    monkeypatch.setattr(readers, "PATIENCE", 0.1)

    async def scenario() -> None:
        exporter, port = exporter_of(tmp_path), free_port()
        await exporter.serve(HostPort("127.0.0.1", port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        drip, dripping = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(60):
            with contextlib.suppress(OSError):
                for letter in itertools.cycle(b"GET /metrics HTTP/1.1\r\nX: "):
                    dripping.write(bytes([letter]))
                    await dripping.drain()
                    await asyncio.sleep(0.02)
                    if drip.at_eof():
                        break
            assert await reader.read() == b""
        writer.close()
        dripping.close()
        await exporter.stop(0.0)

    asyncio.run(scenario())
    assert capfd.readouterr().err == ""


def test_who_keeps_his_place_for_longest_loses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of readers have a bounded number of threads and descriptors, and whoever comes is answered."""
    monkeypatch.setattr(readers, "MOST", 3)

    async def scenario() -> None:
        exporter, port = exporter_of(tmp_path), free_port()
        await exporter.serve(HostPort("127.0.0.1", port))
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        async with asyncio.timeout(60):
            for reader, _ in idle[:7]:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert b"mailer_messages_seen_total" in await reader.read()
        for _, each in [*idle, (reader, writer)]:
            each.close()
        await exporter.stop(0.0)

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "x" * 64 + ".example"])
def test_an_address_that_is_not_ours_is_one_line(tmp_path: Path, host: str) -> None:
    """An address of another host, a name that does not exist, and one that cannot: 69, and what to change."""

    async def scenario() -> None:
        exporter = exporter_of(tmp_path)
        with pytest.raises(Problem) as caught:
            await exporter.serve(HostPort(host, 9925))
        assert caught.value.kind == "unavailable"
        assert str(caught.value).startswith(f"cannot serve metrics at {host}:9925: ")
        await exporter.stop(0.0)
        assert exporter.events.listeners == []

    asyncio.run(scenario())


def test_an_alarm_that_nobody_wrote_down_is_counted_too() -> None:
    """A word that the table does not have is a counter of its own; what is no message and no alarm is none."""
    counts = Counts()
    counts.told(AlarmBegun(1.0, OpenAlarm("new", "", 1.0, 1.0, 1, "warning", "")))  # type: ignore[arg-type]
    counts.told(AlarmBegun(1.0, OpenAlarm("new", "", 1.0, 1.0, 1, "warning", "")))  # type: ignore[arg-type]
    counts.told(Daemon(1.0, "ready"))
    assert (counts.alarms["new"], sum(counts.alarms.values()), counts.seen) == (2, 2, 0)


def test_a_reader_who_takes_nothing_holds_up_nobody(tmp_path: Path) -> None:
    """He has asked for more than his connection holds, and reads none of it; another one has his page meanwhile."""

    async def scenario() -> None:
        exporter, port = exporter_of(tmp_path), free_port()
        exporter.counts.hosts.change(1000, {})
        for number in range(1000):
            hop = Hop(f"mx.host{number}.example", "192.0.2.1", 25)
            exporter.counts.told(Tried(NOW, entry_of(), [outcome(hop=hop)]))
        await exporter.serve(HostPort("127.0.0.1", port))
        with socket.socket() as hanging:
            hanging.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            hanging.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(hanging, ("127.0.0.1", port))
            await loop.sock_sendall(hanging, b"GET /metrics HTTP/1.0\r\n\r\n")
            async with asyncio.timeout(60):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
                page = await reader.read()
            assert b'smtp_emails_sent_total{host="host999.example",status="success"} 1\n' in page
            writer.close()
        await exporter.stop(0.0)

    asyncio.run(scenario())
