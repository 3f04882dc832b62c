"""A disk that says no: each system call on a message's file and its directories, with each error, in a pass over three messages."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mailer.sink import SinkThread
from mailer.spool.files.store import SpoolDirectory
from tests.crash.injected import Victim, side_by_side
from tests.fakes.processes import MAILER, Program, wait_until, which
from tests.journey.world import STATES, World

pytestmark = pytest.mark.peer("strace")

PEOPLE = ("you", "451", "550")
"""One who gets it, one who is to get it later, one who is not there."""
ENDS = ["", "deferred", "failed"]

ERRORS = {
    "openat": ("EIO", "EROFS", "EACCES", "EMFILE", "ENOMEM", "EINTR"),
    "close": ("EIO", "ENOSPC", "EINTR"),
    "read": ("EIO", "ENOMEM", "EINTR"),
    "write": ("EIO", "ENOSPC", "EROFS", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EINTR"),
    "fdatasync": ("EIO", "ENOSPC", "EROFS", "EINTR"),
    "rename": ("EIO", "ENOSPC", "EROFS", "EACCES", "ENOMEM"),
    "unlink": ("EIO", "EROFS", "EACCES", "ENOMEM"),
    "utimensat": ("EIO", "EROFS", "EACCES"),
    "newfstatat": ("EIO", "EACCES", "ENOMEM"),
    "getdents64": ("EIO", "ENOMEM"),
    "flock": ("EIO", "ENOMEM", "EINTR"),
}


CALLS = ("unlink", "unlink,fdatasync", "rename", "fdatasync", "utimensat", "flock", "close,close_range", "openat")


class Disk:
    """A spool with three messages, to be copied for each case."""

    def __init__(self, home: Path) -> None:
        self.template = World(home / "template")
        self.template.home.mkdir()
        self.template.configure(1)
        self.ids = [self.template.send(f"{who}@there.example") for who in PEOPLE]
        self.home = home

    def copy(self, name: str) -> World:
        shutil.copytree(self.template.spool, self.home / name / "spool")
        return World(self.home / name)

    def struck(self, world: World, what: str, *options: str) -> tuple[int, list[str]]:
        """A pass under strace, which watches nothing but the messages and their directories: its exit code, and the calls."""
        paths = [world.spool / state for state in (*STATES, "corrupt")]
        paths += [path / id for path in paths for id in self.ids]
        seen = Victim([*MAILER, "run", "--once"], world.home / "trace", env=world.env)
        watched = [word for path in paths for word in ("-P", str(path))]
        done = seen.strace("-e", f"trace={what}", *options, *watched)
        return done.code, (world.home / "trace").read_text().splitlines()


@pytest.mark.timeout(1800)
def test_an_error_at_any_call_delivers_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """The pass ends; the next one, on a disk that is right again, finishes what is left. Nobody gets anything twice, nor is told twice."""
    disk = Disk(tmp_path)
    with SinkThread() as sink:
        world = disk.copy("watched")
        world.configure(sink.port, schedule=("1h",))
        code, lines = disk.struck(world, ",".join(ERRORS))
        assert code == 0
    counts = Counter((found[1], found[2]) for line in lines if (found := re.match(r"(\d+) +(\w+)\(", line)))
    most = {name: max(count for (_, called), count in counts.items() if called == name) for name in {name for _, name in counts}}
    cases = [(name, nth, error) for name in most for nth in range(1, most[name] + 1) for error in ERRORS[name]]
    assert len(cases) > 100

    def fails(case: tuple[str, int, str]) -> None:
        name, nth, error = case
        world = disk.copy(f"{name}-{nth}-{error}")
        with SinkThread() as sink:
            world.configure(sink.port, schedule=("1h",))
            code, _ = disk.struck(world, name, "-e", f"inject={name}:error={error}:when={nth}")
            assert code in (0, 69, 73, 74, 75, 77), case  # EACCES is 77
            world.once()
            world.once()
            assert [world.where(id) for id in disk.ids] == ENDS, case
            assert list((world.spool / "corrupt").iterdir()) == [], case
            told = world.mailer("status", "--json", *disk.ids).out.splitlines()
            assert [json.loads(line)["status"] for line in told] == ["sent", "deferred", "failed"], case
            assert sorted(message.recipients[0] for message in sink.messages) == ["me@here.example", "you@there.example"], case
        shutil.rmtree(world.home)

    side_by_side(fails, cases)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "calls", ["unlink", "unlink,fdatasync", "rename", "fdatasync", "utimensat", "flock", "close,close_range", "openat"]
)
def test_a_daemon_on_a_disk_that_refuses_goes_on_when_it_is_right_again(world: World, calls: str) -> None:
    """For some seconds each of these calls fails, whatever it is for; afterwards all is settled without a restart, and once."""
    error = "ENOMEM" if calls == "flock" else "EMFILE" if calls == "openat" else "EIO"
    sink = world.sink()
    world.configure(sink, schedule=("1h",))
    daemon = world.daemon()
    trace = world.home / "trace"
    options = ["-f", "-qq", "-o", str(trace), "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    with Program([which("strace"), *options, "-p", str(daemon.pid)], world.home / "strace.log"):
        wait_until("strace is there", lambda: (Path(f"/proc/{daemon.pid}/status").read_text().partition("TracerPid:\t")[2][:1]) != "0")
        ids = [world.send(f"{who}@there.example") for who in PEOPLE]
        wait_until("a call failed", lambda: "INJECTED" in trace.read_text(), 30)
        wait_until("the disk refuses", lambda: trace.read_text().count("INJECTED") > 1 or [world.where(id) for id in ids] == ENDS, 30)
    world.until("all is settled", lambda: [world.where(id) for id in ids] == ENDS, 60)
    sink.received(2)
    assert daemon.stop() == 0
    world.once()
    assert sorted(kept.recipients[0] for kept in sink.kept) == ["me@here.example", "you@there.example"]


def test_a_record_with_a_flipped_bit_loses_nobody_and_delivers_to_nobody_twice(world: World) -> None:
    """Every bit of every record. Either it is told, and the message waits for a person, or the record says what it said."""
    sink = world.sink()
    world.configure(sink, schedule=("1h",))
    id = world.send("a@there.example", "451@there.example", "b@there.example", "550@there.example")
    whole = (world.spool / "queued" / id).stat().st_size
    world.once()
    path = world.spool / "deferred" / id
    data = path.read_bytes()
    spool = SpoolDirectory(str(world.spool))
    verdicts = {to: last.verdict for to, last in spool.read(id).history.last.items()}
    assert verdicts == {0: "delivered", 1: "defer", 2: "delivered", 3: "fail"}
    damaged = 0
    for at in range(whole, len(data)):
        for bit in range(8):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            entry = spool.read(id)
            damaged += entry.damaged
            assert entry.damaged or {to: last.verdict for to, last in entry.history.last.items()} == verdicts
    assert damaged > 0.98 * 8 * (len(data) - whole)
    path.write_bytes(data[:-100] + b"!" + data[-99:])
    world.mailer("queue", "retry", id)
    before = len(sink.kept)
    assert '"what":"damaged"' in world.once().err
    assert (world.where(id), len(sink.kept)) == ("held", before)
