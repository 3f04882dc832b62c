"""The daemon's own life: starting twice, stopping, reading its configuration again, coming back after anything."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import put
from tests.fakes.processes import MAILER, free_port, wait_until

from .world import World

ROOT = Path(__file__).parents[2]


def test_a_second_daemon_is_refused(world: World) -> None:
    """One daemon a spool: the second exits with 75 and one line, and the first goes on."""
    sink = world.sink()
    world.configure(sink)
    first = world.daemon()
    second = world.mailer("run")
    assert second.code == 75
    assert "another daemon" in second.err
    assert first.running
    world.send("you@there.example")
    sink.received(1)


def test_a_daemon_that_was_killed_leaves_its_place_to_the_next(world: World) -> None:
    """SIGKILL leaves no lock and no doorbell that would keep the next one from starting and hearing."""
    sink = world.sink()
    world.configure(sink)
    world.daemon().kill()
    world.daemon()
    world.send("you@there.example")
    sink.received(1)


def test_a_broken_configuration_is_told_and_the_old_one_stays(world: World) -> None:
    """SIGHUP with a mistake in the file is an alarm that names the place; mail goes on. A mended file is taken."""
    sink = world.sink()
    world.configure(sink)
    daemon = world.daemon()
    good = world.config.read_text()
    world.config.write_text(good + "[delivery]\nmax_conections = 3\n")
    daemon.signal(signal.SIGHUP)
    daemon.says('"what":"config"')
    assert "max_connections" in daemon.said
    world.send("you@there.example")
    sink.received(1)
    other = world.sink()
    world.configure(other)
    daemon.signal(signal.SIGHUP)
    daemon.says('"what":"reloaded"')
    world.send("you@there.example")
    other.received(1)
    assert len(sink.kept) == 1


def test_a_log_that_nobody_reads_stops_no_mail_and_no_stop(world: World) -> None:
    """It is a FIFO without room for another octet: mail goes on, a reload opens it again, and SIGTERM ends the daemon."""
    sink = world.sink()
    fifo = world.config.with_name("log")
    os.mkfifo(fifo)
    end = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(end, b"x" * 512)
    world.configure(sink, more=f'[log]\nfile = "{fifo}"\n')
    daemon = world.start("run")
    world.becomes(world.send("you@there.example"), "sent")
    daemon.signal(signal.SIGHUP)
    world.becomes(world.send("you@there.example"), "sent")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    os.close(end)


def test_a_reload_that_comes_while_the_daemon_starts(world: World) -> None:
    """It is none to die of, which systemd would take for a clean end; the daemon reads its configuration again when it is ready."""
    sink = world.sink()
    world.configure(sink)
    text = world.config.read_text()
    world.config.unlink()
    os.mkfifo(world.config)
    daemon = world.start("run")
    with open(world.config, "w") as reading:  # until the daemon opens it to read
        (world.home / "new.toml").write_text(text)
        (world.home / "new.toml").replace(world.config)
        daemon.signal(signal.SIGHUP)
        reading.write(text)
    daemon.says('"what":"reloaded"')
    world.send("you@there.example")
    sink.received(1)


def test_a_reload_that_comes_while_the_daemon_ends(world: World) -> None:
    """Not even after its loop is gone is a SIGHUP anything to die of: what was asked for is done, and 0 says so."""
    world.configure(world.sink())
    late = "import os, signal, sys, mailer.cli; code = mailer.cli.main(sys.argv); os.kill(os.getpid(), signal.SIGHUP); sys.exit(code)"
    command = [sys.executable, "-c", late, "run", "--once"]
    done = subprocess.run(command, env=world.env | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60)
    assert done.returncode == 0, done


def test_a_relay_that_was_mended_gets_the_mail_that_waited(world: World) -> None:
    """What was put off goes at the reload, tried or not, long before the host that was named before would be called again."""
    stubborn = '[breaker]\nthreshold = 1\nfirst = "1h"\nlongest = "1h"\n[delivery]\ninitial_connections_relay = 1\n'
    world.configure(free_port(), schedule=("1h",), more=stubborn)
    daemon = world.daemon()
    world.send("you@there.example")
    daemon.says('"deferred"')
    id = world.send("you@there.example", subject="this one")
    wait_until("it waits", lambda: id in world.in_spool("deferred"))
    sink = world.sink()
    world.configure(sink, schedule=("1h",))
    daemon.signal(signal.SIGHUP)
    assert "this one" in {kept.subject for kept in sink.received(2)}


def test_a_relay_that_answers_again_gets_the_mail_that_waited_when_the_daemon_is_restarted(world: World) -> None:
    """What was put off without a try does not wait for the end of an outage that only the daemon before knew of."""
    port = free_port()
    stubborn = '[breaker]\nthreshold = 1\nfirst = "1h"\nlongest = "1h"\n[delivery]\ninitial_connections_relay = 1\n'
    world.configure(port, schedule=("1h",), more=stubborn)
    daemon = world.daemon()
    world.send("you@there.example", subject="tried")
    daemon.says('"deferred"')
    ids = [world.send("you@there.example", subject=str(nth)) for nth in range(3)]
    for id in ids:
        world.becomes(id, "deferred")
    assert daemon.stop() == 0
    sink = world.sink(port=port)
    world.daemon()
    assert {kept.subject for kept in sink.received(3)} == {"0", "1", "2"}


@pytest.mark.parametrize(("limit", "sessions"), [(64, 2), (256, 25)])
def test_few_descriptors_are_enough(world: World, limit: int, sessions: int) -> None:
    """All is delivered, no host is blamed, and an alarm says how many sessions the limit is enough for."""
    sink = world.sink()
    world.configure(sink, more="[delivery]\nmax_connections_per_destination = 100\ninitial_connections_relay = 100\n")
    spool = SpoolDirectory(str(world.spool))
    spool.prepare()
    for nth in range(100):
        put(spool, f"{nth}@there.example")
    daemon = world.start("run", descriptors=limit)
    assert len({mail.recipients[0] for mail in sink.received(100)}) == 100
    daemon.says(f"enough for {sessions} sessions at once")
    assert '"deferred"' not in daemon.said


def test_a_stop_lets_what_is_under_way_finish_and_begins_nothing(world: World) -> None:
    """SIGTERM during a delivery: that message is delivered, once; what was not begun stays queued; the exit code is 0."""
    sink = world.sink("--delay", "body=0.5")
    world.configure(sink, more="[delivery]\nmax_connections = 1\n")
    spool = SpoolDirectory(str(world.spool))
    spool.prepare()
    ids = [put(spool, "you@there.example") for _ in range(20)]  # ten seconds' work
    daemon = world.daemon()
    daemon.says('"sent"')
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    daemon.says('"what":"stopped"')
    left = world.in_spool("queued")
    assert 1 <= len(left) <= len(ids) - 2
    assert len(sink.kept) + len(left) == len(ids)
    assert world.in_spool("deferred", "failed") == []


def test_a_restart_in_the_middle_delivers_the_rest_and_nothing_twice(world: World) -> None:
    """Stopped and started again half-way, each message arrives exactly once."""
    sink = world.sink("--delay", "body=0.5")
    world.configure(sink, more="[delivery]\nmax_connections = 2\n")
    for number in range(20):
        world.send("you@there.example", subject=str(number))
    daemon = world.daemon()
    sink.received(5)
    assert daemon.stop() == 0
    assert world.in_spool("queued")  # what four seconds are needed for
    world.configure(sink, more="[delivery]\nmax_connections = 20\ninitial_connections_relay = 20\n")
    world.daemon()
    kept = sink.received(20)
    assert sorted(int(one.subject) for one in kept) == list(range(20))
    world.until("the spool is empty", lambda: not world.in_spool())
    assert len(sink.kept) == 20


def test_mail_waits_for_a_server_that_is_down(world: World) -> None:
    """Nobody listens: it is put off with a reply of our own; when the server is up the next try delivers."""
    port = free_port()
    world.configure(port, schedule=("1s",))
    world.daemon()
    id = world.send("you@there.example")
    (recipient,) = world.becomes(id, "deferred")["recipients"]
    assert recipient["enhanced_code"].startswith("4.4.")
    sink = world.sink(port=port)
    sink.received(1)
    world.becomes(id, "sent")


def test_the_status_database_can_be_deleted(world: World) -> None:
    """With the daemon down, deleting it loses history only: what is in the spool is shown, and delivered, as before."""
    sink = world.sink("--greylist=0")
    world.configure(sink, schedule=("1h",))
    daemon = world.daemon()
    id = world.send("you@there.example", subject="kept")
    world.becomes(id, "deferred")
    assert daemon.stop() == 0
    for path in world.spool.glob("status.sqlite3*"):
        path.unlink()
    assert world.status(id)["status"] == "deferred"
    world.daemon()
    told = world.becomes(id, "deferred")
    assert (told["subject"], told["recipients"][0]["code"]) == ("kept", 451)
    assert world.mailer("queue", "retry", id).code == 0
    world.becomes(id, "sent")


def test_the_status_database_can_be_deleted_under_a_running_daemon(world: World) -> None:
    """It begins another one, with what waits in the spool and with all that is delivered from then on."""
    sink = world.sink("--greylist=0")
    world.configure(sink, schedule=("1h",))
    daemon = world.daemon()
    waits = world.send("you@there.example")
    world.becomes(waits, "deferred")
    for path in world.spool.glob("status.sqlite3*"):
        path.unlink()
    world.send("you@there.example")
    daemon.says("was removed or replaced")

    def known() -> set[str]:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{world.spool}/status.sqlite3?mode=ro", uri=True)) as db:
                return {id for (id,) in db.execute("SELECT id FROM emails")}
        except sqlite3.OperationalError:  # it is being made
            return set()

    world.until("told again", lambda: waits in known())


def test_a_spool_that_takes_no_sockets_is_looked_through_from_time_to_time(world: World) -> None:
    """No doorbell can be hung: an alarm that names it, and the mail is found all the same."""
    sink = world.sink()
    world.configure(sink, more='[delivery]\nrescan = "0.2s"\n')
    (world.spool / "doorbell").mkdir(parents=True, mode=0o700)
    world.spool.chmod(0o700)
    daemon = world.daemon()
    daemon.says("/doorbell: ")
    world.send("you@there.example")
    sink.received(1)


def test_a_corrupt_file_is_set_aside_and_stops_nothing_else(world: World) -> None:
    """A damaged message goes to corrupt/ with an alarm; the others are delivered."""
    sink = world.sink()
    world.configure(sink)
    bad, good = world.send("bad@there.example"), world.send("good@there.example")
    path = world.spool / "queued" / bad
    path.write_bytes(path.read_bytes().replace(b"The text", b"An other"))
    world.daemon()
    world.becomes(good, "sent")
    world.until("it is set aside", (world.spool / "corrupt" / bad).exists)
    assert [kept.recipients for kept in sink.kept] == [["good@there.example"]]


def test_an_interrupted_sender_queues_nothing(world: World) -> None:
    """SIGTERM while the message is still being read: one line, 75, and nothing in queued/."""
    world.configure(free_port())
    argv = [*MAILER, "send", "-f", "me@here.example", "you@there.example"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=world.env) as sender:
        assert sender.stdin
        assert sender.stderr
        sender.stdin.write(b"Subject: half of a mess")
        sender.stdin.flush()
        # It is reading once it has blocked in read(2) with our bytes taken out of the pipe.
        world.until("it has read what there is", lambda: _empty(sender.stdin.fileno()))
        sender.terminate()
        sender.wait(60)
        assert sender.returncode == 75
        assert len(sender.stderr.read().splitlines()) == 1
    assert world.in_spool() == []


def _empty(pipe: int) -> bool:
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)) == (0,)


def test_a_reload_by_command_says_what_came_of_it(world: World) -> None:
    """0 when the configuration was taken, 78 with the mistake when it was not; a stop ends the daemon, and then there is none to tell."""
    sink = world.sink()
    world.configure(sink)
    daemon = world.daemon()
    assert world.mailer("reload").code == 0
    daemon.says('"what":"reloaded"')
    good = world.config.read_text()
    world.config.write_text(good + "[delivery]\nmax_conections = 3\n")
    refused = world.mailer("reload")
    assert refused.code == 78
    assert f"{world.config}:" in refused.err
    assert "max_connections" in refused.err
    world.config.write_text(good)
    stopped = world.mailer("stop", "--spool", world.spool)
    assert (stopped.code, "has ended" in stopped.out) == (0, True)
    assert not daemon.running
    assert "no daemon runs" in world.mailer("stop", "--spool", world.spool).out
    assert world.mailer("reload").code == 69
