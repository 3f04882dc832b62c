"""The signing agent: it makes signatures elsewhere, and whatever becomes of it, each signature is there when it is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from mailer.dkim.key import PrivateKey, public_key
from mailer.queue.signing_process import AGAIN, PLENTY, SignatureWanted, SigningProcess
from tests.dkim.keys import key
from tests.fakes.mail import NOW
from tests.fakes.processes import wait_until

pytestmark = pytest.mark.slow

COUNT = 200


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningProcess]:
    """As on a machine with two processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    others.clear()
    others.update(children())
    one = SigningProcess()
    yield one
    one.close()
    assert children() == set()


others: set[int] = set()
"""Processes that tests before this one have started for all of them."""


def children() -> set[int]:
    """The processes that this test has started."""
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()} - others


def data(nth: int) -> bytes:
    return b"number %d" % nth


def want(agent: SigningProcess, count: int, keys: tuple[PrivateKey, ...], at: float = NOW) -> list[SignatureWanted]:
    """So many signatures, by the keys in turn."""
    found = []
    for nth in range(count):
        found.append(SignatureWanted(keys[nth % len(keys)], sha256(data(nth)).digest()))
        agent.want(found[-1], at)
    return found


def check(agent: SigningProcess, wanted: list[SignatureWanted]) -> None:
    """All of them are right, in the order in which mail leaves."""
    for nth, one in enumerate(wanted):
        assert public_key(one.key.record).holds(agent.signature(one), data(nth))


def ask_until_made(agent: SigningProcess, wanted: list[SignatureWanted]) -> None:
    """Ask for the oldest ones, over and over, until the agent has made one of the others."""
    rest = wanted[PLENTY:]
    wait_until("the agent has made a signature", lambda: agent.signature(wanted[0]) and any(one.made for one in rest))


def test_signatures_are_made_elsewhere(agent: SigningProcess) -> None:
    """With keys of all kinds, which one process is given."""
    wanted = want(agent, COUNT, (key(), key("ed25519"), key("rsa", 3072)))
    assert len(children()) == 1
    ask_until_made(agent, wanted)
    check(agent, wanted)


def test_few_signatures_are_made_here(agent: SigningProcess) -> None:
    """No process is started for them."""
    wanted = want(agent, PLENTY - 1, (key(),))
    assert children() == set()
    check(agent, wanted)
    for _ in range(COUNT):
        check(agent, want(agent, 1, (key("ed25519"),)))
    assert children() == set()


def test_one_processor_does_it_alone(agent: SigningProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no second one, an agent would only be in the way."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    check(agent, want(agent, COUNT, (key(),)))
    assert children() == set()


def test_nobody_waits_for_an_agent_that_stands_still(agent: SigningProcess) -> None:
    """What it was asked for is made here; it can be ended all the same."""
    wanted = want(agent, COUNT, (key(),))
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    check(agent, wanted)
    os.kill(pid, signal.SIGCONT)


def test_an_agent_that_hangs_is_killed(agent: SigningProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon ends in time."""
    monkeypatch.setattr("mailer.queue.signing_process.PATIENCE", 0.05)
    want(agent, PLENTY, (key(),))
    (pid,) = children()
    os.kill(pid, signal.SIGSTOP)
    agent.close()
    assert children() == set()


def test_an_agent_that_dies_is_replaced(agent: SigningProcess) -> None:
    """Not at once, and no signature is missing meanwhile."""
    wanted = want(agent, COUNT, (key(),))
    ask_until_made(agent, wanted)
    (first,) = children()
    os.kill(first, signal.SIGKILL)
    check(agent, wanted)
    check(agent, want(agent, COUNT, (key(),), NOW + AGAIN - 1))
    assert children() == set()
    wanted = want(agent, COUNT, (key("ed25519"),), NOW + AGAIN)
    assert len(children() - {first}) == 1
    ask_until_made(agent, wanted)
    check(agent, wanted)


def test_signals_that_mean_the_daemon_do_not_end_it(agent: SigningProcess) -> None:
    """Ctrl-C and a service manager's SIGTERM reach all processes of a service: the daemon still has mail to finish."""
    wanted = want(agent, COUNT, (key(),))
    ask_until_made(agent, wanted)
    (pid,) = children()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    wanted = want(agent, COUNT, (key(),))
    ask_until_made(agent, wanted)
    assert children() == {pid}


def test_what_was_begun_is_made_after_the_end(agent: SigningProcess) -> None:
    """A reload takes another signer; mail that was read before still gets its signature."""
    wanted = want(agent, COUNT, (key(),))
    ask_until_made(agent, wanted)
    agent.close()
    assert children() == set()
    check(agent, wanted)


def test_without_a_process_the_daemon_signs_alone(agent: SigningProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether none can be started, or what was started ends at once."""
    for program in ("/nonexistent/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", program)
        check(agent, want(agent, COUNT, (key(),), NOW))
        agent.close()


def test_it_ends_with_the_daemon(agent: SigningProcess) -> None:
    """However that ends: a closed socket is all that it hears of it."""
    script = (
        "import os, sys, time\n"
        "from hashlib import sha256\n"
        "from mailer.queue.signing_process import PLENTY, SigningProcess, SignatureWanted\n"
        "from mailer.dkim.key import private_key\n"
        "os.cpu_count = lambda: 2\n"
        "agent, key = SigningProcess(), private_key(sys.stdin.buffer.read())\n"
        "for nth in range(PLENTY):\n"
        "    agent.want(SignatureWanted(key, sha256(b'x').digest()), 0.0)\n"
        "print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=key().pem, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    with suppress(ProcessLookupError):
        wait_until("the agent has ended", lambda: not alive(pid))


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
