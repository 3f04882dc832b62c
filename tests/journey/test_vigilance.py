"""What keeps a queue safe, with real processes: pauses, replays, a disk that fills up, a manager that wants signs of life."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, put

from .world import World

TINY = "[submission]\nmin_free_space = 1\nmin_free_inodes = 1\n"


def test_a_pause_holds_across_restarts_and_ends_at_once(world: World) -> None:
    """One destination waits, the rest flows; the daemon hears of both ends, also of one that was said while it did not run."""
    sink, other = world.sink(), world.sink()
    world.configure(
        sink,
        more=f'[relay.other]\nhost = "127.0.0.1"\nport = {other.port}\ntls = "none"\n',
    )
    text = world.config.read_text()
    world.config.write_text(text.replace("[[route]]", '[[route]]\nmatch = "other.example"\nvia = ["relay:other"]\n[[route]]', 1))
    assert world.mailer("queue", "pause", "relay:other", "--why", "maintenance").code == 0
    daemon = world.daemon()
    waits, flows = world.send("you@other.example"), world.send("you@there.example")
    world.becomes(flows, "sent")
    told = world.becomes(waits, "deferred")
    assert "relay:other is paused: maintenance" in told["recipients"][0]["reply"]
    assert told["attempts"] == 0
    daemon.kill()
    daemon = world.daemon()
    second = world.send("you@other.example")
    world.becomes(second, "deferred")
    assert other.kept == []
    done = world.mailer("queue", "resume", "relay:other")
    assert (done.code, done.out) == (0, "resumed relay:other\n")
    world.becomes(second, "sent")
    daemon.says('"what":"resumed"')
    assert world.mailer("queue", "pause", "there.example").code == 0
    third = world.send("you@there.example")
    world.becomes(third, "deferred")
    assert world.mailer("queue", "resume", "there.example").code == 0
    world.becomes(third, "sent")


def test_what_failed_is_replayed_to_whom_it_was_meant_for(world: World) -> None:
    """The new message arrives with the bytes of the old one; the old one is replayed once."""
    sink = world.sink()
    world.configure(sink)
    world.daemon()
    old = world.send("550@there.example", sender="", subject="a slip")
    world.becomes(old, "failed")
    done = world.mailer("queue", "replay", old, "--to", "you@there.example")
    assert done.code == 0, done
    (kept,) = sink.received(1)
    assert (kept.recipients, kept.subject) == (["you@there.example"], "a slip")
    assert world.mailer("queue", "replay", old).code == 65
    assert world.where(old) == "failed"


def test_a_disk_that_runs_short_takes_no_mail_and_loses_none(world: World) -> None:
    """Senders get 75 and a line that says why; the daemon alarms and goes on delivering what it has."""
    sink = world.sink()
    world.configure(sink, more='[submission]\nmin_free_space = "1MB"\n')
    id = world.send("you@there.example")
    world.configure(sink, more='[submission]\nmin_free_space = "1000000GB"\n')
    refused = world.mailer("send", "you@there.example", input=b"Subject: x\n\nhello\n")
    assert (refused.code, refused.out, refused.err.count("\n")) == (75, "", 1)
    assert "submission.min_free_space" in refused.err
    daemon = world.daemon()
    daemon.says('"what":"disk"')
    world.becomes(id, "sent")
    assert world.in_spool() == []


@pytest.fixture
def small_disk(world: World) -> Iterator[Path]:
    """The world's spool on a file system of its own, of two megabytes."""
    world.spool.mkdir(mode=0o700)
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", world.spool], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield world.spool
    world.close()
    subprocess.run(["umount", "-l", world.spool], check=True)


def fill(spool: Path) -> Path:
    """Take all that is left."""
    ballast = spool / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return ballast


def test_one_pass_on_a_full_disk_ends_with_75(world: World, small_disk: Path) -> None:
    """What cannot be written down is left for the next pass, which finds room; nobody has to kill it, and nothing is lost."""
    world.configure(world.sink(), schedule=("1h",), more=TINY)  # what is put off is not due again in a pass that takes long
    spool = SpoolDirectory(str(small_disk))
    spool.prepare()
    ids = [put(spool, "451@there.example", body=BODY + b"x" * 164 * nth) for nth in range(25)]  # some end where a block of 4 KiB does
    ballast = fill(small_disk)
    done = world.mailer("run", "--once")
    assert done.code == 75, done
    assert done.err.count('"what":"spool"') == 1, done
    assert {world.where(id) for id in ids} == {"queued", "deferred"}
    ballast.unlink()
    assert world.mailer("run", "--once").code == 0
    assert {world.where(id) for id in ids} == {"deferred"}


def test_a_full_disk_delivers_what_it_has(world: World, small_disk: Path) -> None:
    """Delivery frees space: a message that arrives needs no room to leave."""
    sink = world.sink()
    world.configure(sink, more=TINY)
    ids = [world.send("you@there.example", subject=str(nth)) for nth in range(5)]
    fill(small_disk)
    assert world.mailer("send", "you@there.example", input=b"Subject: x\n\nhello\n").code == 75
    world.mailer("run", "--once")
    assert len(sink.kept) == 5
    assert [world.where(id) for id in ids] == [""] * 5


def test_the_manager_is_told_that_the_daemon_comes_on(world: World, tmp_path: Path) -> None:
    """A sign of life in each half of the time that it wants one."""
    sink = world.sink()
    world.configure(sink)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        world.env |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        world.daemon()
        said = [manager.recv(1000) for _ in range(4)]
        assert said.count(b"WATCHDOG=1") >= 2
