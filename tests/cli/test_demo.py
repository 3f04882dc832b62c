"""``mailer demo`` as a process: it shows what it promises, ends what it starts, and says when it fails."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from mailer.demo import FATES, SENDER, Demo
from mailer.spool.files import daemons
from tests.fakes.processes import MAILER, Program, listens, wait_until

pytestmark = pytest.mark.slow

ENV = {**{name: value for name, value in os.environ.items() if not name.startswith("MAILER")}, "COLUMNS": "100", "TERM": "xterm"}


def ended(directory: Path) -> bool:
    """Whether neither sink nor daemon of a demo is left."""
    found = re.search(r"port = (\d+)", (directory / "config.toml").read_text())
    assert found
    return not listens(int(found[1])) and not daemons.look(str(directory / "spool"))[0]


def test_without_a_terminal(tmp_path: Path) -> None:
    """Plain lines, every fate fulfilled, the report, the commands; exit 0 before its patience is over, and nothing left running."""
    place = tmp_path / "demo"
    done = subprocess.run([*MAILER, "demo", "--keep", str(place)], capture_output=True, text=True, env=ENV, timeout=120)
    assert done.returncode == 0, done
    assert "\x1b" not in done.stdout
    for line in (
        "ann@demo.example, “Good morning”: sent",
        "greylist@demo.example, “Whoever comes twice is let in”: deferred, 451 4.7.1",
        "greylist@demo.example, “Whoever comes twice is let in”: sent",
        "nobody@demo.example, “To somebody who is not there”: failed, 550 5.1.1",
        "full@demo.example, “To a mailbox without room”: deferred, 452 4.2.2",
        "The report that you@demo.example got:",
        f"mailer status --config {place}/config.toml",
    ):
        assert line in done.stdout
    assert done.stderr == f"mailer: everything is in {place}\n"
    assert ended(place)
    status = subprocess.run([*MAILER, "status", "--config", str(place / "config.toml")], capture_output=True, text=True, env=ENV)
    assert status.returncode == 0


def test_on_a_terminal(tmp_path: Path) -> None:
    """A table that is drawn again and again, and with ``--clean`` nothing that stays."""
    said = bytearray()

    def read(fd: int) -> bytes:
        data = os.read(fd, 65536)
        said.extend(data)
        return data

    argv = [*MAILER, "demo", "--clean", "--keep", str(tmp_path / "demo")]
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, ENV)
    try:
        while read(fd):
            pass
    except OSError:  # the other side of the terminal has closed
        pass
    finally:
        os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said.decode()
    assert said.count(b"STATUS") > 3
    assert b"The report that" in said
    assert not (tmp_path / "demo").exists()


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    """Interrupted in the middle, or told to end, it ends its processes first, and says where its directory is."""
    for number in (signal.SIGINT, signal.SIGTERM):
        place = tmp_path / f"demo{number}"
        with Program([*MAILER, "demo", "--keep", str(place)], tmp_path / f"log{number}", env=ENV) as demo:
            demo.says("ann@demo.example, “Good morning”: sent")
            demo.signal(number)
            assert demo.wait() == 75
        assert f"everything is in {place}" in demo.said
        assert ended(place)


def test_a_process_that_dies_is_noticed(tmp_path: Path) -> None:
    """When the daemon is killed, the demo says so, ends the sink, and exits 69."""
    place = tmp_path / "demo"
    with Program([*MAILER, "demo", "--keep", str(place)], tmp_path / "log", env=ENV) as demo:
        demo.says("ann@demo.example, “Good morning”: sent")
        pid = wait_until("a daemon runs", lambda: daemons.look(str(place / "spool"))[1])
        os.kill(pid, signal.SIGKILL)
        assert demo.wait() == 69
    assert "the daemon did not stay" in demo.said
    assert ended(place)


def test_a_directory_that_is_in_use_is_refused(tmp_path: Path) -> None:
    """What is in somebody's directory is left alone."""
    (tmp_path / "file").write_text("mine")
    done = subprocess.run([*MAILER, "demo", "--clean", "--keep", str(tmp_path)], capture_output=True, text=True, env=ENV)
    assert done.returncode == 73
    assert "not empty" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_fates_that_are_not_fulfilled_are_named(tmp_path: Path) -> None:
    """Each letter without its status, and a missing report, is a shortfall."""
    assert len(Demo(str(tmp_path)).shortfalls([])) == len(FATES) + 1
    assert SENDER in Demo(str(tmp_path)).shortfalls([])[-1]
