#!/usr/bin/env python3
"""What one submission costs: `mailer send` and its sendmail face, against starting Python, and against Postfix.

    python tests/benchmarks/send.py [--rounds 40] [--size 1024] [--loop 50] [--parallel 8]

Measured is a message of 1 KB on standard input, queued durably, no daemon running: the time on the clock and of the
processor for one run, all commands in turns; then how many a second a shell loop and ``xargs -P`` manage; then how long `submit`
itself takes in a program that goes on. "sendmail of mailer" is what ``mailer config install-sendmail`` makes. The yardstick is
``python3 -c pass`` of the same interpreter, because nothing written in Python is faster. Where Postfix is installed and we are
root, its sendmail is measured too, with its own daemons up and delivery held.
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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.config.quick import submission
from mailer.submit import Submission, submit
from tests.benchmarks.measure import RECIPIENT, SENDER, cost, figure, in_turns, median, message, program, ratio
from tests.peers.postfix import DAEMONS, Postfix, scratch

SENDMAIL, POSTFIX = "sendmail of mailer", "postfix sendmail -t"
BOUNDS = {"mailer send": "must be at most 1.4", "mailer sendmail -t": "must be at most 1.2", SENDMAIL: "must be at most 1.2"}
"""Of the processor's time; the clock also counts whatever else the machine does, and the disk."""


def main() -> None:
    """Measure and print."""
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="mailer-bench-") as home, contextlib.ExitStack() as stack:
        spool, text = Path(home) / "spool", Path(home) / "message"
        text.write_bytes(message(given.size, end="\n"))
        commands = ours(spool, Path(home) / "usr")
        if os.geteuid() == 0 and (DAEMONS / "master").exists() and not given.without_postfix:
            commands[POSTFIX] = stack.enter_context(postfix())
        singles(commands, text, given.rounds)
        loops(commands, text, given)
        check(spool, commands, given)
        submissions(text.read_bytes(), given.submits)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="single runs of each command (default %(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of the message (default %(default)s)")
    parser.add_argument("--loop", type=int, default=50, help="submissions of one shell loop (default %(default)s)")
    parser.add_argument("--loops", type=int, default=9, help="how often each loop is run, in turns (default %(default)s)")
    parser.add_argument("--parallel", type=int, default=8, help="processes of xargs (default %(default)s)")
    parser.add_argument("--submits", type=int, default=1000, help="calls of submit (default %(default)s)")
    parser.add_argument("--without-postfix", action="store_true", help="leave Postfix out")
    return parser.parse_args()


def ours(spool: Path, prefix: Path) -> dict[str, list[str]]:
    """Our ways in, and the yardstick. An installed program has its modules compiled, so these may compile them."""
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        del os.environ[name]
    os.environ["MAILER_CONFIG"] = str(spool.parent / "config.toml")
    Path(os.environ["MAILER_CONFIG"]).write_text(f'[mailer]\nspool = "{spool}"\nhostname = "bench.example"\n')
    subprocess.run([*program(), "config", "install-sendmail", "--quiet", "--prefix", prefix], check=True)
    return {
        "python3 -c pass": [sys.executable, "-c", "pass"],
        "mailer send": [*program(), "send", "-f", SENDER, RECIPIENT],
        "mailer sendmail -t": [*program(), "sendmail", "-t", "-f", SENDER],
        SENDMAIL: [str(prefix / "sbin/sendmail"), "-t", "-f", SENDER],
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
    cpu = {name: 1000 * median([one.cpu for one in costs]) for name, costs in measured.items()}
    wall = {
        name: figure(f"one {name}", [1000 * one.wall for one in costs], "ms", 2, cpu_ms=f"{cpu[name]:.2f}")
        for name, costs in measured.items()
    }
    for name in submitting(commands):
        ratio(f"{name} / python3 -c pass, of the clock", wall[name], wall["python3 -c pass"])
        ratio(f"{name} / python3 -c pass, of the processor", cpu[name], cpu["python3 -c pass"], BOUNDS[name])
        if POSTFIX in wall:
            ratio(f"{name} / {POSTFIX}", wall[name], wall[POSTFIX])


def submitting(commands: Iterable[str]) -> list[str]:
    """Those of `commands` that are ours and queue a message."""
    return [name for name in commands if "mailer" in name]


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
    middle = {(how, name): figure(f"{how}, {name}", values, "/s") for (how, name), values in rates.items()}
    together = f"xargs -P{given.parallel}"
    for name in submitting(commands):
        if POSTFIX in commands:
            ratio(f"{together}, {name} / {POSTFIX}", middle[together, name], middle[together, POSTFIX], "must be at least 0.6, aim 1")


def check(spool: Path, commands: dict[str, list[str]], given: argparse.Namespace) -> None:
    """Every submission that was counted is in the spool."""
    one = given.rounds + 2 + 2 * given.loops * given.loop
    expected = one * len(submitting(commands))
    found = len(os.listdir(spool / "queued"))
    print(f"submitted to mailer {expected}, found queued {found}")
    if found != expected:
        sys.exit("some were not queued: the figures are worth nothing")


def submissions(data: bytes, count: int) -> None:
    """One after the other in this process: what a program that holds `submit` waits for."""
    settings = submission()
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        submit(Submission(data, sender=SENDER, from_header=True), settings, time.time())
        seconds.append(time.perf_counter() - begin)
    seconds.sort()
    figure("submit", [1000 * one for one in seconds], "ms", 2)
    slow = seconds[min(count - 1, count * 99 // 100)]
    print(f"FIGURE submit, 99th percentile: {1000 * slow:.2f} ms (of {count}, must be at most 50)", flush=True)


if __name__ == "__main__":
    main()
