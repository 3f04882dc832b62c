"""Programs that are started warm are what programs are that are started cold."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.fakes import warm
from tests.fakes.processes import MAILER
from tests.journey.world import World

pytestmark = [pytest.mark.slow, pytest.mark.skipif(warm.COLD, reason="all are started cold (TESTS_COLD)")]


@pytest.mark.parametrize("words", [("config", "show"), ("--version",), ("send", "nobody"), ("no-such-command",), ("queue", "list")])
def test_a_command_says_and_ends_with_the_same(world: World, words: tuple[str, ...]) -> None:
    """On both streams, and by its exit code."""
    world.configure(9)
    argv = [*MAILER, *words]
    cold = subprocess.run(argv, input=b"Subject: x\n\nhello\n", capture_output=True, env=world.env, cwd=world.home)
    found = warm.run(argv, input=b"Subject: x\n\nhello\n", env=world.env, cwd=world.home, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (cold.returncode, cold.stdout, cold.stderr)


def test_a_process_has_its_own_place_and_nothing_of_others(world: World) -> None:
    """Environment, directory and session are its own, and no descriptor but its streams is left in it when it begins."""
    world.configure(9)
    with warm.Warm(
        [*MAILER, "run"], env=world.env, cwd=world.home, stderr=subprocess.PIPE, start_new_session=True, stopped=True
    ) as process:
        place = Path(f"/proc/{process.pid}")
        assert os.environ["MAILER_CONFIG"] != str(world.config)
        assert (place / "cwd").readlink() == world.home
        assert os.getsid(process.pid) == process.pid
        assert sorted(int(each.name) for each in (place / "fd").iterdir()) == [0, 1, 2]
        process.send_signal(signal.SIGCONT)
        assert process.stderr is not None
        assert str(world.config).encode() in process.stderr.readline()
        process.terminate()
        assert process.wait(60) == 0


def test_who_is_killed_ends_by_that_signal(world: World) -> None:
    """And whoever waits for an end that does not come is told so."""
    world.configure(9)
    daemon = world.daemon()
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(0.01)
    daemon.signal(signal.SIGKILL)
    assert daemon.wait() == -signal.SIGKILL
    assert not daemon.running


def test_what_an_interpreter_would_read_differently_is_started_cold(world: World) -> None:
    """Its settings hold: here, that a warning is an error."""
    with warm.Warm([*MAILER, "--version"], env={**world.env, "PYTHONWARNINGS": "error"}, stdout=subprocess.PIPE) as process:
        assert process.communicate()[0].startswith(b"mailer ")
    assert process._ready is None
