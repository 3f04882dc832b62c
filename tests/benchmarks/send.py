#!/usr/bin/env python3
"""What one submission costs: `mailer send` and its sendmail face, against starting Python, and against Postfix.

    python tests/benchmarks/send.py [--rounds 40] [--size 1024] [--loop 200] [--parallel 8]

Measured is a message of 1 KB on standard input, queued durably, no daemon running: the time on the clock and of the
processor for one run, all commands in turns; then how many a second a shell loop and ``xargs -P`` manage. The
yardstick is ``python3 -c pass`` of the same interpreter, because nothing written in Python is faster. Where
Postfix is installed and we are root, its sendmail is measured too, with its own daemons up and delivery held.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.measure import RECIPIENT, SENDER, cost, figure, in_turns, median, message, program, ratio
from tests.peers.postfix import DAEMONS, Postfix, scratch


def main() -> None:
    """Measure and print."""
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as home, contextlib.ExitStack() as stack:
        spool, text = Path(home) / "spool", Path(home) / "message"
        text.write_bytes(message(given.size, end="\n"))
        commands = ours(spool)
        if os.geteuid() == 0 and (DAEMONS / "master").exists() and not given.without_postfix:
            commands["postfix sendmail -t"] = stack.enter_context(postfix())
        singles(commands, text, given.rounds)
        loops(commands, text, given)
        check(spool, commands, given)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="single runs of each command (default %(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of the message (default %(default)s)")
    parser.add_argument("--loop", type=int, default=200, help="submissions of one shell loop (default %(default)s)")
    parser.add_argument("--loops", type=int, default=3, help="how often each loop is run (default %(default)s)")
    parser.add_argument("--parallel", type=int, default=8, help="processes of xargs (default %(default)s)")
    parser.add_argument("--without-postfix", action="store_true", help="leave Postfix out")
    return parser.parse_args()


def ours(spool: Path) -> dict[str, list[str]]:
    """Our two ways in, and the yardstick. An installed program has its modules compiled, so these may compile them."""
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        del os.environ[name]
    os.environ["MAILER_CONFIG"] = str(spool.parent / "config.toml")
    Path(os.environ["MAILER_CONFIG"]).write_text(f'[mailer]\nspool = "{spool}"\nhostname = "bench.example"\n')
    return {
        "python3 -c pass": [sys.executable, "-c", "pass"],
        "mailer send": [*program(), "send", "-f", SENDER, RECIPIENT],
        "mailer sendmail -t": [*program(), "sendmail", "-t", "-f", SENDER],
    }


@contextlib.contextmanager
def postfix() -> Iterator[list[str]]:
    """Postfix's sendmail for an instance that is up but whose queue manager stands still."""
    with scratch("postfix") as home, Postfix(home, {"relayhost": "[127.0.0.1]:1", "in_flow_delay": 0}) as instance:
        while not instance.pids("qmgr"):
            time.sleep(0.01)
        os.kill(instance.pids("qmgr")[0], signal.SIGSTOP)
        yield ["/usr/sbin/sendmail", "-C", str(instance.config), "-t", "-f", SENDER]


def singles(commands: dict[str, list[str]], text: Path, rounds: int) -> None:
    """One at a time, in turns."""
    cases: dict[str, Callable[[], object]] = {name: lambda argv=argv: cost(argv, text) for name, argv in commands.items()}
    measured = in_turns(cases, rounds)
    wall = {
        name: figure(f"one {name}", [1000 * c.wall for c in costs], "ms", 2, cpu_ms=f"{1000 * median([c.cpu for c in costs]):.2f}")
        for name, costs in measured.items()
    }
    for name in commands:
        if name.startswith("mailer"):
            ratio(f"{name} / python3 -c pass", wall[name], wall["python3 -c pass"], "must be at most 3")
            if "postfix sendmail -t" in wall:
                ratio(f"{name} / postfix sendmail -t", wall[name], wall["postfix sendmail -t"])


def loops(commands: dict[str, list[str]], text: Path, given: argparse.Namespace) -> None:
    """Many in a row from a shell, and several at a time."""
    shells = {name: f"{shlex.join(argv)} < {shlex.quote(str(text))} > /dev/null" for name, argv in commands.items()}
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(given.loops):
        for name, line in shells.items():
            row = f"for i in $(seq {given.loop}); do {line} || exit 1; done"
            parallel = f"seq {given.loop} | xargs -P{given.parallel} -n1 sh -c {shlex.quote(line)}"
            for how, script in (("shell loop", row), (f"xargs -P{given.parallel}", parallel)):
                begin = time.perf_counter()
                subprocess.run(["bash", "-c", script], check=True)
                rates.setdefault((how, name), []).append(given.loop / (time.perf_counter() - begin))
    for (how, name), values in rates.items():
        figure(f"{how}, {name}", values, "/s")


def check(spool: Path, commands: dict[str, list[str]], given: argparse.Namespace) -> None:
    """Every submission that was counted is in the spool."""
    one = given.rounds + 2 + 2 * given.loops * given.loop
    expected = one * sum(name.startswith("mailer") for name in commands)
    found = len(os.listdir(spool / "queued"))
    print(f"submitted to mailer {expected}, found queued {found}")
    if found != expected:
        sys.exit("some were not queued: the figures are worth nothing")


if __name__ == "__main__":
    main()
