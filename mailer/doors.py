"""The doors: processes beside the daemon, by which mail comes in or news go out, for as long as the daemon runs.

`mailer run` starts those that the configuration asks for, starts anew what ends, passes a reload on to them, and ends them when it ends.
Each holds a leash (`mailer.io.leash`), so none stays behind a daemon that was killed. A process that finds another one of its kind at work
for the same spool, which systemd has started, says so (75): then nothing is wrong, and it is looked again from time to time.

What keeps ending is an alarm, ``door``, that begins with the second end in a row, or at once where a person has to do something first (the
configuration is wrong, the place is taken), and is over when the process has lasted `LASTING` seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mailer.events import Alarm, DoorNews, Mended
from mailer.io.component import Component
from mailer.io.leash import VARIABLE
from mailer.limits.backoff import pause
from mailer.mail.neighbours import ACCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock

FIRST: Final = 1.0  # seconds until what has ended is started anew, at first
LONGEST: Final = 60.0  # and at most; also until it is looked again whether another one is at work
LASTING: Final = 30.0  # seconds of work that prove that it goes
ELSEWHERE: Final = 75  # its exit code when another process does its work
HOPELESS: Final = frozenset({69, 77, 78})  # its exit codes when a person has to do something first

Program = tuple[str, ...]

COMMANDS: Final[Mapping[str, Program]] = {
    "web": ("web",),
    "amqp": ("amqp",),
    "hooks": ("hooks", "run"),
    **{name: ("access", "--number", str(number)) for number, name in enumerate(ACCESS, 1)},
}
"""What is typed behind ``mailer`` to start each by hand."""


def wanted(config: Config, spool: str | None) -> dict[str, Program]:
    """The command lines of the processes that `config` asks for, by their names; `spool` is the one that the daemon was told to serve."""
    asked = {"web": config.web_doors, "amqp": config.amqp.configured, "hooks": config.webhooks}
    asked |= dict.fromkeys(_accesses(config), True)
    found = {name: COMMANDS[name] for name, is_asked in asked.items() if is_asked}
    for name in found.keys() & {"web", *_accesses(config)}:
        found[name] += ("--quiet",)  # it says on standard output where it listens, which is not ours to say
    given = (("--config", config.path), ("--spool", spool))
    places = [word for option, path in given if path for word in (option, os.path.abspath(path))]
    return {name: (sys.executable, "-P", "-m", "mailer", *words, *places) for name, words in found.items()}


def _accesses(config: Config) -> Sequence[str]:
    """The names of the processes by which users read their mail."""
    many = config.access.processes if config.access_doors else 0
    return ACCESS[:many]


class Doors(Component):
    """Processes beside the daemon, which `programs` finds in a configuration."""

    def __init__(
        self, config: Config, clock: Clock, tell: Callable[[Event], object], programs: Callable[[Config], Mapping[str, Program]]
    ) -> None:
        self._config = config
        self._clock = clock
        self._tell = tell
        self._programs = programs
        self._doors: dict[str, tuple[Program, _DoorProcess]] = {}

    async def start(self) -> None:
        """Start them, and wait for none: mail is delivered meanwhile."""
        self._take(self._config)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Start what is new, end what is asked for no more, and let the others read the configuration again."""
        yield
        self._config = config
        for _, process in self._doors.values():
            process.hang_up()
        self._take(config)

    async def stop(self, grace: float) -> None:
        """End them; each lets what is under way end first, for `grace` seconds at most."""
        processes = [process for _, process in self._doors.values()]
        self._doors.clear()
        await asyncio.gather(*(process.end(grace) for process in processes))

    def _take(self, config: Config) -> None:
        programs = self._programs(config)
        for name, (program, process) in [*self._doors.items()]:
            if programs.get(name) != program:
                del self._doors[name]
                process.leave()
        for name, program in programs.items():
            if name not in self._doors:
                self._doors[name] = program, _DoorProcess(name, program, self._clock, self._tell)


class _DoorProcess:
    """One of them, started again and again."""

    def __init__(self, name: str, argv: Sequence[str], clock: Clock, tell: Callable[[Event], object]) -> None:
        self._name = name
        self._argv = argv
        self._clock = clock
        self._tell = tell
        self._command = " ".join(COMMANDS.get(name, (name,)))
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = True
        self._soon = asyncio.Event()  # the configuration has changed: what was hopeless may go now
        self._task = asyncio.ensure_future(self._keep())

    def hang_up(self) -> None:
        """Let it read the configuration again; one that rests is tried at once."""
        self._soon.set()
        self._send(signal.SIGHUP)

    def leave(self) -> None:
        """Let it end, while the daemon goes on."""
        self._wanted = False
        self._soon.set()
        self._send(signal.SIGTERM)

    async def end(self, grace: float) -> None:
        """Let it end, and wait for that; what takes longer than `grace` seconds is killed."""
        self.leave()
        if not (await asyncio.wait([self._task], timeout=grace))[0]:
            self._send(signal.SIGKILL)
            await asyncio.wait([self._task], timeout=grace)
        self._task.cancel()

    def _send(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _keep(self) -> None:
        ends = 0
        while self._wanted:
            self._soon.clear()
            proof = asyncio.get_running_loop().call_later(LASTING, self._mended, "it goes again")
            began = self._clock.now()
            code = await self._run()
            proof.cancel()
            if not self._wanted:
                break
            ends = 1 if self._clock.now() - began > LASTING else ends + 1
            if code == ELSEWHERE:
                self._mended("another process does its work")
                ends = 0
            else:
                self._met(code, ends)
            await self._rest(LONGEST if code == ELSEWHERE else pause(ends, FIRST, 2.0, LONGEST, random.random))
        self._mended("it is asked for no more")

    async def _run(self) -> int:
        """Start it, and wait for its end; returns its exit code, a negative one being the signal that it died of."""
        try:
            ours, theirs = os.pipe()
        except OSError as error:  # no descriptor is left
            return self._unable(error)
        try:
            self._process = process = _started(self._argv, ours)
        except OSError as error:  # no room for another process
            os.close(theirs)
            return self._unable(error)
        finally:
            os.close(ours)
        try:
            await _ended(process)
        except OSError as error:  # it cannot be watched: it goes with its leash
            self._unable(error)
        finally:
            os.close(theirs)
        code = process.poll()
        return await asyncio.to_thread(process.wait) if code is None else code

    def _unable(self, error: OSError) -> int:
        self._tell(DoorNews(self._clock.now(), self._name, "bug", f"it cannot be started: {error.strerror}"))
        return 71

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._soon.wait()
        except TimeoutError:
            pass

    def _met(self, code: int, ends: int) -> None:
        how = f"was ended by signal {-code}" if code < 0 else f"has ended with exit code {code}; the line before it in the log says why"
        text = f"mailer {self._name} {how}"
        if code in HOPELESS or ends > 1:
            self._tell(Alarm(self._clock.now(), "door", text, key=self._name, remedy=f"mailer config check; then: mailer {self._command}"))
        else:
            self._tell(DoorNews(self._clock.now(), self._name, "stopped", text))

    def _mended(self, how: str) -> None:
        self._tell(Mended(self._clock.now(), "door", self._name, how))


def _started(argv: Sequence[str], leash: int) -> subprocess.Popen[bytes]:
    """The process on its leash. A SIGHUP that comes before it can hear one waits until it can."""
    environment = {**os.environ, VARIABLE: str(leash), "PYTHONPATH": str(Path(__file__).parents[1])}
    environment.pop("NOTIFY_SOCKET", None)  # who is ready is the daemon
    environment.pop("WATCHDOG_USEC", None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=(leash,), env=environment, cwd="/")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _ended(process: subprocess.Popen[bytes]) -> None:
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(process.pid)
    ended = loop.create_future()
    loop.add_reader(descriptor, ended.cancel)
    try:
        await asyncio.wait([ended])
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
