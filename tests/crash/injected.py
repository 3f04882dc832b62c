"""Running a program under strace: to list its system calls, and to make one of them fail or kill."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.fakes import warm
from tests.fakes.processes import PATIENCE, Program, wait_until, which
from tests.journey.world import World

T = TypeVar("T")

BEGIN, END = "/mark/begin", "/mark/end"
"""Paths that a victim asks for with `os.access` before and after what is to be watched."""

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EMFILE")

REFUSALS = {
    "rename": ("EIO", "ENOSPC", "EROFS", "EACCES", "ESTALE"),
    "unlink": ("EIO", "EROFS", "EACCES", "ESTALE"),
    "close": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "fdatasync": ("EIO", "ENOSPC", "EROFS", "ESTALE"),
    "write": ("EIO", "ENOSPC", "EDQUOT", "ESTALE"),
}
"""What else than `ERRORS` a call can be told."""

WATCHED = "%file,%desc,%network"
"""Whatever takes a path or a descriptor."""

HARMLESS = frozenset(("mmap", "munmap", "fcntl", "ioctl", "lseek", "getcwd", "readlink"))
"""Of these, calls that only look, or only concern memory."""

FILTERED = "--seccomp-bpf"
"""An option of strace: only the calls that are traced stop the victim, which is several times faster. It cannot deliver a signal."""

_PLACE = re.compile(r"<([^>]*)>")
"""The file of a descriptor, as strace shows it."""

_LINE = re.compile(r"(?:\d+ +)?(\w+)\((.*)")


class Call(NamedTuple):
    """A system call of the victim: the `nth` of its name since the program started. `text` is for people."""

    name: str
    nth: int
    text: str

    def __str__(self) -> str:
        return f"{self.name} #{self.nth} ({self.text[:80]})"


class Result(NamedTuple):
    """How a run ended: the exit code (negative for a signal) and what it wrote."""

    code: int
    out: str
    err: str


class Victim:
    """A program to run again and again with the same start-up, so that the nth call is the same call in each run.

    It is watched from the first mark to the second or, with `begin`, from its first call that names that path to its end.
    """

    def __init__(
        self, argv: Sequence[str | Path], trace: Path, *, begin: str = BEGIN, input: bytes = b"", env: Mapping[str, str] | None = None
    ) -> None:
        self.argv = [str(word) for word in argv]
        self.trace = trace
        self.begin = begin
        self.input = input
        self.env = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONHASHSEED": "0", **(env or {})}

    def run(self) -> Result:
        """Undisturbed."""
        return self._run(self.argv)

    def calls(self, watched: str = WATCHED) -> list[Call]:
        """Its system calls between the marks, in order."""
        done = self.strace(FILTERED, "-e", f"trace={watched}", "-y", "-s", "80")
        assert done.code == 0, done
        seen: Counter[str] = Counter()
        between: list[Call] | None = None
        for name, text in self._traced():
            seen[name] += 1
            if between is None and self.begin in text:
                between = []
                if self.begin == BEGIN:
                    continue
            if END in text:
                break
            if between is not None and name not in HARMLESS:
                between.append(Call(name, seen[name], text))
        assert between, f"{self.argv} never passed {self.begin}"
        return between

    def die_at(self, call: Call) -> Result:
        """Run it and kill it where `call` would begin."""
        done = self._inject(call, "signal=KILL")
        assert done.code == -9, f"{call} did not come again: {done}"
        return done

    def fail_at(self, call: Call, error: str) -> Result:
        """Run it; `call` is not made, and it is told `error` instead."""
        done = self._inject(call, f"error={error}", FILTERED)
        assert any("INJECTED" in text for _, text in self._traced()), f"{call} did not come again: {done}"
        return done

    def _inject(self, call: Call, what: str, *options: str) -> Result:
        done = self.strace(*options, "-e", f"trace=access,openat,{call.name}", "-e", f"inject={call.name}:{what}:when={call.nth}")
        assert any(self.begin in text for _, text in self._traced()), f"{call} came before its time"
        return done

    def strace(self, *options: str) -> Result:
        """Run it under strace with `options`.

        What can be started warm is watched from its own first line on, and what it imports before is not.
        """
        if warm.COLD or self.argv[1] not in warm.SCRIPTS:
            return self._run([which("strace"), "-f", "-qq", "-o", str(self.trace), *options, *self.argv])
        options = tuple(option for option in options if option != FILTERED)  # which needs a program that strace starts
        pipe, env = subprocess.PIPE, warm.settings(os.environ) | self.env
        env.pop("PYTHONHASHSEED", None)
        with warm.Warm(self.argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, stopped=True) as victim:
            try:
                watching = [which("strace"), "-f", "-qq", "-o", str(self.trace), *options, "-p", str(victim.pid)]
                with Program(watching, self.trace.with_suffix(".log")) as watcher:
                    wait_until(f"{watching} watches", lambda: not watcher.running or watched(victim.pid))
                    assert watcher.running, watcher.said
                    victim.send_signal(signal.SIGCONT)
                    out, err = victim.communicate(self.input, PATIENCE)
                    watcher.wait()
            except BaseException:
                victim.kill()
                raise
        return Result(victim.returncode, out.decode(), err.decode())

    def _run(self, argv: list[str]) -> Result:
        done = warm.run(argv, input=self.input, env=self.env, timeout=PATIENCE)
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _traced(self) -> list[tuple[str, str]]:
        found = map(_LINE.match, self.trace.read_text(errors="replace").splitlines())
        return [(line[1], line[2]) for line in found if line]


def watched(pid: int) -> bool:
    """Whether somebody traces that process."""
    return "\nTracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


EVERY = False
"""Whether a call is told each error that there is, as in `tests/long`, and not the next one of them only."""


def refused(calls: Iterable[Call], errors: Mapping[str, Sequence[str]] = REFUSALS) -> list[tuple[Call, str]]:
    """Each of `calls` with an error that it can be told: by `errors`, else one of `ERRORS`; with the next one each time, or with each."""
    found = []
    for at, call in enumerate(calls):
        possible = errors.get(call.name, ERRORS)
        found += [(call, error) for error in (possible if EVERY else (possible[at % len(possible)],))]
    return found


def different(calls: Iterable[Call]) -> list[Call]:
    """Of calls of one name on one file, one after the other, the first and the last: what many pages are written by is many and alike."""
    runs = [[*run] for _, run in groupby(calls, key=lambda call: (call.name, _PLACE.findall(call.text)[:1]))]
    return [call for run in runs for call in (run if len(run) < 3 else (run[0], run[-1]))]


def side_by_side(work: Callable[[T], None], cases: Iterable[T]) -> None:
    """Do `work` for each case, as many at a time as there are cores; the first failure is raised."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(work, cases))


def sweep(home: Path, struck: Callable[[World, list[str], str, int], bool], steps: Mapping[str, int], most: int) -> None:
    """Let a pass over three messages be struck at each of the `steps`: the first time it is made, then every how manieth is its value.

    `struck` gets a world of its own below `home`, the messages (one that is taken, one put off, one refused), the step and its number, and
    says whether the pass died of it; the first that did not was the last. Each step is made fewer than `most` times.
    """
    template = World(home)
    template.configure(1)
    ids = [template.send(f"{who}@there.example") for who in ("you", "451", "550")]

    def dies(step: str) -> None:
        for nth in range(1, most, steps[step]):
            place = home / f"{step}-{nth}"
            shutil.copytree(template.spool, place / "spool")
            if not struck(World(place), ids, step, nth):
                return
        raise AssertionError(f"a pass over three messages makes {most} times {step}?")

    side_by_side(dies, steps)
