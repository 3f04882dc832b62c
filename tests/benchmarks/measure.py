"""What the benchmarks share: the message, the figures, and running a command for its time."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mailer.spool import new_id

REPOSITORY = Path(__file__).parents[2]
SENDER, RECIPIENT = "sender@bench.example", "recipient@sink.example"


def program() -> list[str]:
    """How a shell script starts mailer: the installed script, else the one of this repository."""
    installed = Path(sys.executable).parent / "mailer"
    return [str(installed)] if installed.exists() else [sys.executable, str(REPOSITORY / "bin" / "mailer")]


def message(size: int, end: str = "\r\n") -> bytes:
    """A complete message of about `size` bytes: nothing is missing that a submission would add."""
    head = [
        f"From: {SENDER}",
        f"To: {RECIPIENT}",
        "Subject: a message of the benchmark",
        "Date: Sat, 21 Nov 2026 00:00:00 +0000",
        f"Message-ID: <{new_id(time.time()).lower()}@bench.example>",
        "",
    ]
    text = end.join(head) + end
    line = "Pack my box with five dozen liquor jugs, and post it before the office shuts." + end
    return (text + line * max(1, (size - len(text)) // len(line))).encode()


class Cost(NamedTuple):
    """Of one run of a command: seconds on the clock, and of the processor in user and system mode."""

    wall: float
    cpu: float


def cost(argv: Sequence[str], stdin: Path, env: Mapping[str, str] = os.environ) -> Cost:
    """Run `argv` once. Raises `RuntimeError` if it fails, because a failure is fast."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    begin = time.perf_counter()
    pid = os.posix_spawnp(argv[0], list(argv), env, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if status:
        raise RuntimeError(f"{argv} ended with status {status}")
    return Cost(wall, used.ru_utime + used.ru_stime)


def in_turns(cases: Mapping[str, Callable[[], Cost]], rounds: int, warm: int = 2) -> dict[str, list[Cost]]:
    """Each case once a round, so that a busy moment of the machine strikes them all. The first `warm` rounds do not count."""
    found: dict[str, list[Cost]] = {name: [] for name in cases}
    for round in range(rounds + warm):
        for name, case in cases.items():
            measured = case()
            if round >= warm:
                found[name].append(measured)
    return found


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def figure(label: str, values: Sequence[float], unit: str, digits: int = 1, **more: object) -> float:
    """Print one ``FIGURE`` line and return the median."""
    middle = median(values)
    details = [f"median of {len(values)}", f"{min(values):.{digits}f} to {max(values):.{digits}f}"]
    details += [f"{name.replace('_', ' ')} {value}" for name, value in more.items()]
    print(f"FIGURE {label}: {middle:.{digits}f} {unit} ({', '.join(details)})", flush=True)
    return middle


def ratio(label: str, ours: float, theirs: float, bound: str = "", digits: int = 2) -> None:
    """Print how the two compare."""
    print(f"FIGURE {label}: {ours / theirs:.{digits}f}{f' ({bound})' if bound else ''}", flush=True)
