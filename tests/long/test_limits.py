"""A daemon that has little: memory, descriptors, a reader of its log, a password command that answers, a database that it may write."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.processes import MAILER, Program, free_port, wait_until
from tests.journey.world import World

from .filled import fill


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mebibytes", [80, 120])
def test_a_message_that_does_not_fit_into_memory_stops_no_other(world: World, mebibytes: int) -> None:
    """It waits, told by an alarm, until a daemon has more."""
    sink = world.sink()
    world.configure(sink, schedule=("1s",), more='[submission]\nmax_message_size = "400MiB"\n')
    big = world.mailer("send", "-f", "me@here.example", "big@there.example", input=b"Subject: big\n\n" + b"%075d\n" % 0 * 1_000_000)
    assert big.code == 0
    fill(world, [f"u{nth}@there.example" for nth in range(5)])
    argv = ["sh", "-c", f'ulimit -v {mebibytes * 1024} && exec "$@"', "sh", *MAILER, "run"]
    with Program(argv, world.home / "short.log", env=world.env) as daemon:
        sink.received(5, 60)
        world.send("late@there.example", subject="late")
        sink.received(6, 60)
        daemon.says('"what":"memory"', 60)
        assert daemon.stop() == 0
    assert world.in_spool() == [big.out.strip()]
    world.once()
    assert world.in_spool() == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("descriptors", [256, 64, 50])
def test_mail_is_delivered_with_few_descriptors(world: World, descriptors: int) -> None:
    """All of it, and nobody is blamed."""
    sink = world.sink()
    world.configure(sink, schedule=("1h",))
    fill(world, [f"you@there{nth}.example" for nth in range(1000)])
    daemon = world.start("run", descriptors=descriptors)
    sink.received(1000, 120)
    assert '"event":"deferred"' not in daemon.said
    assert daemon.stop() == 0


@pytest.mark.timeout(300)
def test_a_log_that_nobody_reads_stops_nothing_however_often_it_is_reloaded(world: World) -> None:
    """A FIFO: before anybody opens it, while its reader sleeps, after fifty reloads; and the end comes in time."""
    sink = world.sink()
    fifo = world.home / "log"
    os.mkfifo(fifo)
    world.configure(sink, more=f'[log]\nfile = "{fifo}"\n')
    daemon = world.start("run")
    fill(world, ["first@there.example"])
    sink.received(1)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fill(world, [f"you@there{nth}.example" for nth in range(2000)])
        sink.received(2001, 120)
        before = len(os.listdir(f"/proc/{daemon.pid}/fd")), len(os.listdir(f"/proc/{daemon.pid}/task"))
        for _ in range(50):
            daemon.signal(signal.SIGHUP)
            time.sleep(0.05)
        world.send("late@there.example")
        sink.received(2002)
        after = len(os.listdir(f"/proc/{daemon.pid}/fd")), len(os.listdir(f"/proc/{daemon.pid}/task"))
        assert after[0] <= before[0] + 10
        assert after[1] <= before[1] + 5
        daemon.signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
    finally:
        os.close(reader)


@pytest.mark.timeout(300)
def test_readers_of_the_metrics_that_drip_keep_nobody_out(world: World) -> None:
    """Fifty that ask an octet at a time, and come again whenever they are hung up on."""
    pytest.importorskip("prometheus_client")
    sink, port = world.sink(), free_port()
    world.configure(sink, more=f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    daemon = world.daemon()
    before = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    drips: list[socket.socket] = []
    try:
        for turn in range(10):
            for drip in [*drips]:
                try:
                    drip.send(b"G" if not turn else b"x")
                except OSError:
                    drips.remove(drip)
                    drip.close()
            while len(drips) < 50:
                drips.append(socket.create_connection(("127.0.0.1", port), 5))
            time.sleep(0.05)
            assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < before + 40
        world.send("you@there.example")
        sink.received(1)
    finally:
        for drip in drips:
            drip.close()
    with socket.create_connection(("127.0.0.1", port), 5) as reader:
        reader.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert reader.recv(15).startswith(b"HTTP/1.0 200")
    assert daemon.stop() == 0


def running(mark: str) -> list[int]:
    """The processes whose command line has `mark`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [int(path.parent.name)] * (mark.encode() in path.read_bytes())
        except OSError:
            continue
    return found


def test_password_commands_that_hang_stop_no_other_mail_and_end_with_the_daemon(world: World) -> None:
    """Two of them, one with a child and one that hears no SIGTERM; the stop keeps its time, and none of theirs is left."""
    sink = world.sink()
    mark = f"31{os.getpid()}"
    commands = {"a": f"sleep {mark} & sleep {mark}", "b": f"trap '' TERM; while :; do sleep {mark}; done"}
    relays = [
        f'[relay.{name}]\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\nallow_plaintext_auth = true\nusername = "x"\n'
        f'password_command = ["sh", "-c", "{command}"]\n'
        for name, command in commands.items()
    ]
    routes = [f'[[route]]\nmatch = "{name}.example"\nvia = ["relay:{name}"]\n' for name in commands]
    world.config.write_text(
        f'[mailer]\nhostname = "here.example"\nspool = "{world.spool}"\n{"".join(relays)}'
        f'[relay.sink]\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
        f'{"".join(routes)}[[route]]\nmatch = "*"\nvia = ["relay:sink"]\n[delivery]\nstop_timeout = "2s"\n'
    )
    fill(world, [f"u{nth}@{name}.example" for nth in range(10) for name in commands])
    daemon = world.daemon()
    wait_until("both hang", lambda: len(running(mark)) >= 4)
    world.send("you@there.example")
    sink.received(1)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    wait_until("nothing of theirs is left", lambda: not running(mark))
    assert len(world.in_spool("queued")) == 20


@pytest.mark.timeout(300)
def test_a_database_that_is_locked_for_long_learns_of_everything_afterwards(world: World) -> None:
    """Forty seconds, and two thousand messages that are delivered or put off meanwhile."""
    sink = world.sink()
    world.configure(sink, schedule=("1h",))
    daemon = world.daemon()
    database = world.spool / "status.sqlite3"
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        ids = fill(world, ["you@there.example"] * 1900 + ["451@there.example"] * 100)
        sink.events("taken", 1900, 120)
        while time.monotonic() - began < 40:
            time.sleep(0.5)
        other.execute("ROLLBACK")

    def recorded() -> Counter[str]:
        with closing(sqlite3.connect(database, timeout=30)) as reader:
            known = dict(reader.execute("SELECT id, status FROM emails"))
        return Counter(known.get(id, "") for id in ids)

    wait_until("all is recorded", lambda: recorded() == {"sent": 1900, "deferred": 100}, 60, every=0.5)
    assert daemon.stop() == 0
    assert len(sink.kept) == 1900


def test_a_database_that_is_deleted_is_begun_anew(world: World) -> None:
    """What is in the spool is known again, and what comes from then on; who uses it is told."""
    sink = world.sink()
    world.configure(sink, schedule=("1h",))
    daemon = world.daemon()
    before = fill(world, ["you@there.example"] * 20 + ["451@there.example"] * 5)
    world.until("all is through", lambda: not world.in_spool("queued"), 60)
    for path in world.spool.glob("status.sqlite3*"):
        path.unlink()
    after = fill(world, ["you@there.example"] * 20)
    wait_until("what was put off", lambda: world.status(before[-1])["status"] == "deferred", 60, every=0.3)
    wait_until("what came since", lambda: all(world.status(id)["status"] == "sent" for id in after[-2:]), 60, every=0.3)
    assert "was removed or replaced while it was in use" in daemon.said
    assert daemon.stop() == 0
