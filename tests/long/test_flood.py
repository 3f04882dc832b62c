"""What a stranger or a user can make any number of, beside mail for others, which has to go on at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import MAILER, wait_until
from tests.fakes.users import public_directory
from tests.journey.world import Sink, World

from .filled import fill

SOON = 5.0
"""Seconds within which mail for others leaves. It takes a tenth of a second on an idle machine, one or two while a flood is looked at."""


def arrives(world: World, sink: Sink, recipient: str) -> float:
    """Send to `recipient`, and say after how many seconds it was there."""
    began = time.monotonic()
    world.send(recipient, subject=recipient)
    world.until(f"mail for {recipient}", lambda: any(kept.subject == recipient for kept in sink.kept), 60)
    return time.monotonic() - began


@pytest.fixture
def shared() -> Iterator[World]:
    """A world that all users may see."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with public_directory() as home:
        world = World(home)
        try:
            yield world
        finally:
            world.close()


def as_user(uid: int, *argv: str, input: bytes = b"", world: World) -> None:
    become = ["setpriv", "--no-new-privs", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    subprocess.run(
        [*become, *argv], input=input, env={**world.env, "HOME": "/nonexistent"}, cwd=world.spool / "drop", check=True, timeout=120
    )


@pytest.mark.peer("setpriv")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("count", "content"), [(20_000, ""), (150_000, ""), (20_000, "x")])
def test_what_a_user_leaves_in_drop_holds_up_nobody(shared: World, count: int, content: str) -> None:
    """Neither the start, nor what is queued, nor another user's mail; and of empty files nothing is kept."""
    sink = shared.sink()
    shared.configure(sink, more="[intake]\nenabled = true\n")
    shared.config.chmod(0o644)
    shared.once()
    flood = f"for nth in range({count}):\n with open(f'0{{nth}}', 'w') as file: file.write({content!r})"
    as_user(64_002, sys.executable, "-c", flood, world=shared)
    shared.send("queued@there.example", subject="queued")
    letter = b"Subject: dropped\n\nx\n"
    as_user(64_003, *MAILER, "send", "-f", "a@here.example", "dropped@there.example", input=letter, world=shared)
    began = time.monotonic()
    daemon = shared.daemon()
    sink.received(2)
    assert time.monotonic() - began < SOON + count / 20_000
    assert {kept.subject for kept in sink.kept} == {"queued", "dropped"}
    assert arrives(shared, sink, "late@there.example") < SOON
    kept = shared.spool / "corrupt"
    if not content:
        wait_until("drop/ is empty", lambda: not os.listdir(shared.spool / "drop"), 300)
        assert os.listdir(kept) == []
    else:
        assert len(os.listdir(kept)) <= 1000
    assert daemon.stop() == 0


@pytest.mark.timeout(300)
def test_silent_name_servers_of_many_domains_hold_up_no_other(world: World) -> None:
    """1,500 domains, each a zone of its own; a new domain that is answered for is delivered to, from the first moment to the last."""
    sink = world.sink()
    good = "".join(f"good{nth}.example. 60 IN MX 10 mx.good{nth}.example.\nmx.good{nth}.example. 60 IN A 127.0.0.1\n" for nth in range(12))
    with Nameserver(good) as server:
        for nth in range(1500):
            server.misbehave(f"silent{nth}.example", "silent")
        world.config.write_text(
            f'[mailer]\nhostname = "here.example"\nspool = "{world.spool}"\n[dns]\nnameservers = ["{server.address}"]\n'
            f"[delivery]\nmx_port = {sink.port}\nallow_private = true\n"
        )
        fill(world, [f"you@silent{nth}.example" for nth in range(1500)])
        daemon = world.daemon()
        assert max(arrives(world, sink, f"you@good{nth}.example") for nth in range(12)) < SOON
        began = time.monotonic()
        assert daemon.stop(60) == 0
        assert time.monotonic() - began < 2 * SOON


@pytest.mark.timeout(300)
@pytest.mark.parametrize("spread", ["networks", "network", "address"])
def test_silent_hosts_of_many_domains_hold_up_no_other(tmp_path: Path, spread: str) -> None:
    """Sixty of them accept and say nothing. In a network namespace of its own, for hosts on this machine are nobody's attack."""
    argv = ["unshare", "-n"]
    if os.geteuid() != 0 or subprocess.run([*argv, "ip", "link", "set", "lo", "up"], capture_output=True).returncode != 0:
        pytest.skip("no network namespace can be made here (it takes root, unshare(1) and ip(8))")
    argv += [sys.executable, "-m", "tests.long.silent", str(tmp_path), spread]
    done = subprocess.run(argv, capture_output=True, cwd=Path(__file__).parents[2], text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert max(json.loads(done.stdout)) < SOON
