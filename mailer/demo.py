"""The whole way on this machine, in one directory: a sink, a daemon, and four letters that meet four fates.

`Demo` starts ``mailer sink`` and ``mailer run`` as processes of their own, exactly as a person would, sends its
letters with ``mailer send``, and looks at what ``mailer status`` would show. It prints nothing. Whatever happens,
its processes are ended when it is left; the directory stays.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import mailer
from mailer.cli import EXIT_CODES
from mailer.mail.problem import Problem, from_os
from mailer.spool.files.store import SpoolDirectory
from mailer.status import sqlite
from mailer.status.api import EVERYTHING, every
from mailer.status.record import Record

PATIENCE = 12.0  # seconds from the first letter; all fates together take about five
BETWEEN = 0.4  # seconds between letters, so that an eye can follow
START = 10.0  # seconds for a process to get ready
STOP = 5.0  # seconds to end when asked
SENDER = "you@demo.example"


class Fate(NamedTuple):
    """A message, the recipient that decides its fate, and the status that it is to have after so many attempts."""

    recipient: str
    subject: str
    status: str
    attempts: int

    def fulfilled(self, record: Record | None) -> bool:
        """Whether that is so."""
        return record is not None and record.status == self.status and record.attempts >= self.attempts


FATES = (
    Fate("ann@demo.example", "Good morning", "sent", 1),
    Fate("greylist@demo.example", "Whoever comes twice is let in", "sent", 2),
    Fate("nobody@demo.example", "To somebody who is not there", "failed", 1),
    Fate("full@demo.example", "To a mailbox without room", "deferred", 2),
)

MOODS = (
    "--refuse", "nobody@demo.example=550 5.1.1 there is no nobody here",
    "--defer", "full@demo.example=452 4.2.2 the mailbox is full, try again later",
)  # fmt: skip
"""What the sink does with them; ``greylist@`` it knows by itself."""

CONFIG = """\
# Made by `mailer demo`. All mail goes to the sink.
[mailer]
hostname = "demo.localhost"
spool = {spool}

[relay.sink]
host = "127.0.0.1"
port = {port}
tls = "none"

[[route]]
match = "*"
via = ["relay:sink"]

[retry]
schedule = ["2s", "10m"]
jitter = 0.0
"""


class Demo:
    """A demonstration in `directory`, which must be empty or not there yet. Use it with ``with``."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory).absolute()
        self.config = self.directory / "config.toml"
        self.mail = self.directory / "mail"
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._waiting = list(FATES)
        self._sent_at = self._began = time.monotonic()

    def __enter__(self) -> Self:
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            empty = not any(self.directory.iterdir())
        except OSError as error:
            raise from_os("the demo has no place", str(self.directory), error) from None
        if not empty:
            raise Problem(f"{self.directory} is not empty; give the demo a directory of its own", "cannot-create")
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, the daemon first: asked at first, then made to."""
        for child in reversed(self._children.values()):
            child.terminate()
            try:
                child.wait(STOP)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    # -- what happens

    def step(self) -> None:
        """Do what is next, if it is time for it: send a letter. Raises `Problem` if a process has ended."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise self._died(name)
        now = time.monotonic()
        if self._waiting and now - self._sent_at >= BETWEEN:
            self._sent_at = now
            self._send(self._waiting.pop(0))

    def records(self) -> list[Record]:
        """What is known of each message, the oldest first."""
        with sqlite.view(SpoolDirectory(str(self.directory / "spool"))) as view:
            return sorted(every(partial(view.messages, EVERYTHING)), key=lambda record: record.id)

    def shortfalls(self, records: list[Record]) -> list[str]:
        """What is not as it is to be; empty when all fates are fulfilled."""
        known = {record.recipients[0].address: record for record in records}
        wrong = [
            f"the message to {fate.recipient} is not {fate.status} after {fate.attempts} or more attempts"
            for fate in FATES
            if not fate.fulfilled(known.get(fate.recipient))
        ]
        report = known.get(SENDER)
        if report is None or report.status != "sent" or not self.bounce():
            wrong.append(f"no report has reached {SENDER}")
        return wrong

    @property
    def late(self) -> bool:
        """Whether it takes longer than it may."""
        return time.monotonic() - self._began > PATIENCE

    def bounce(self) -> str:
        """The text of the report that the sender got, as the sink kept it; empty if there is none."""
        for path in sorted((self.mail / "new").glob("*")):
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            if message["Return-Path"] == "<>":
                text = message.get_body(("plain",))
                return text.get_content() if text else ""
        return ""

    # -- processes

    def _start(self) -> None:
        self._spawn("sink", "sink", "--json", "--port", "0", "--maildir", str(self.mail), *MOODS)
        listening = json.loads(self._first_line("sink"))
        config = CONFIG.format(spool=json.dumps(str(self.directory / "spool")), port=listening["port"])
        self.config.write_text(config, encoding="utf-8")
        self._spawn("daemon", "run", "--config", str(self.config))
        self._first_line("daemon")
        self._began = time.monotonic()

    def _spawn(self, name: str, *arguments: str) -> None:
        with self._log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(
                _program(*arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(), cwd=self.directory,
                start_new_session=True,  # Ctrl-C is for us, and we end them in order
            )  # fmt: skip

    def _first_line(self, name: str) -> str:
        """What a process says first; it is ready then."""
        until = time.monotonic() + START
        while "\n" not in (said := self._log(name).read_text(encoding="utf-8", errors="replace")):
            if self._children[name].poll() is not None or time.monotonic() > until:
                raise self._died(name)
            time.sleep(0.01)
        return said.partition("\n")[0]

    def _died(self, name: str) -> Problem:
        said = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return Problem(f"the {name} did not stay: {said[-1] if said else 'it said nothing'} (see {self._log(name)})", "unavailable")

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _send(self, fate: Fate) -> None:
        words = ("--from", SENDER, "--to", fate.recipient, "--subject", fate.subject, "--text", "Sent by `mailer demo`.")
        done = subprocess.run(
            _program("send", "--config", str(self.config), *words),
            env=_environment(), cwd=self.directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            kinds = {code: kind for kind, code in EXIT_CODES.items()}
            raise Problem(f"a message could not be sent: {done.stderr.strip()}", kinds.get(done.returncode, "bug"))


def _program(*arguments: str) -> list[str]:
    """Our own program under our own interpreter, whatever is on the PATH and in the current directory."""
    return [sys.executable, "-P", "-m", "mailer", *arguments]


def _environment() -> dict[str, str]:
    """Ours, less what would lead the program to another configuration."""
    package = str(Path(mailer.__file__).parents[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAILER_", "PYTHON"))}
    return {**kept, "PYTHONPATH": package, "PYTHONUNBUFFERED": "1"}
