"""A daemon under measure: its spool and configuration, a queue that is filled at once, and what it has cost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.spool import new_id
from mailer.spool.files import doorbell
from mailer.spool.files.enqueue import head
from mailer.spool.files.store import SpoolDirectory
from tests.benchmarks.measure import RECIPIENT, SENDER, message, program
from tests.fakes.processes import Program, wait_until


class House:
    """A spool in `home` whose mail for the domain NAME.example goes to the relay at port `relays[NAME]`, and all other to the first.

    `more` are further lines of the configuration.
    """

    def __init__(self, home: Path, relays: Mapping[str, int], more: str = "") -> None:
        self.home = home
        self.spool = SpoolDirectory(str(home / "spool"))
        self.spool.prepare()
        lines = [f'[mailer]\nhostname = "bench.example"\nspool = "{self.spool.root}"']
        lines += [f'[relay.{name}]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"' for name, port in relays.items()]
        lines += [f'[[route]]\nmatch = "{name}.example"\nvia = ["relay:{name}"]' for name in relays]
        lines += [f'[[route]]\nmatch = "*"\nvia = ["relay:{next(iter(relays))}"]']
        lines += [more]
        home.joinpath("config.toml").write_text("\n".join(lines) + "\n")

    def fill(
        self,
        count: int,
        size: int,
        recipients: Sequence[str] = (RECIPIENT,),
        *,
        due: float = 0.0,
        apart: float = 0.0,
        name: Callable[[float], str] = new_id,
    ) -> None:
        """Write spool files as `put` does, without its syncs; then make them old news to the disk. `name` makes an ID for a time.

        With `due` (seconds since the epoch) they are deferred until then, each `apart` seconds later than the one before.
        """
        body = message(size)
        to = [Recipient(address) for address in recipients]
        for nth in range(count):
            now = time.time()
            envelope = Envelope(name(now), rfc3339(now), SENDER, to)
            line = envelope.to_line()
            path = self.spool.path("deferred" if due else "queued", envelope.id)
            with open(path, "wb") as file:
                file.write(head(line, body) + line + body)
            if due:
                os.utime(path, (due + nth * apart, due + nth * apart))
        os.sync()

    def start(self, *options: str) -> Program:
        """``mailer run``, with its modules compiled and nothing else of Python's environment."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        log = self.home / "daemon.log"
        log.unlink(missing_ok=True)
        return Program([*program(), "run", "--config", self.home / "config.toml", *options], log, env=env)

    @contextmanager
    def running(self, seconds: float = 15.0) -> Iterator[Program]:
        """The daemon, once it says that it is ready."""
        with self.start() as daemon:
            wait_until("the daemon is ready", lambda: "ready" in daemon.said, seconds)
            yield daemon

    @contextmanager
    def held(self) -> Iterator[Program]:
        """The daemon, up and standing still; `release` lets it go."""
        with self.running() as daemon:
            daemon.signal(signal.SIGSTOP)
            yield daemon
            daemon.signal(signal.SIGCONT)  # what stands still hears no SIGTERM

    def release(self, daemon: Program) -> None:
        """Let it go, and tell it to look through its queue."""
        doorbell.ring(self.spool.root, doorbell.EVERYTHING)
        daemon.signal(signal.SIGCONT)


def resident(pid: int) -> float:
    """The memory of a process this moment, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
