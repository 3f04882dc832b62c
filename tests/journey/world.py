"""A small world for mail to travel through: a home directory, a configuration, a daemon, a sink, all as real processes.

Everything that a test learns, it learns as a user would: from exit codes, from ``--json``, from the files of
the spool that `mailer-spool(5)` documents, and from what the sink kept. Only how the program comes to be is another way than a user's:
see `warm`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.fakes import warm
from tests.fakes.processes import MAILER, PATIENCE, Program, wait_until

ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
STATES = ("queued", "deferred", "held", "failed")


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Kept(NamedTuple):
    """One message that a sink took: the envelope, and the message byte by byte."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def subject(self) -> str:
        """The value of its Subject field."""
        found = re.search(rb"^Subject: (.*?)\r\n", self.content, re.MULTILINE)
        return found[1].decode() if found else ""


class Sink:
    """A running ``mailer sink``, and what it kept."""

    def __init__(self, program: Program, maildir: Path) -> None:
        self.program = program
        self.maildir = maildir
        self.port = int(self.events("listening", 1)[0]["port"])

    def events(self, name: str, count: int, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """Wait until it told `count` events of that name, and return them."""
        self.program.says(f'"{name}"', seconds)
        return wait_until(f"{count} times {name}: {self.program.said}", lambda: len(found := self.told(name)) >= count and found, seconds)

    def told(self, name: str) -> list[dict[str, Any]]:
        """The events of that name so far."""
        lines = self.program.said.splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [event for event in events if event["event"] == name]

    @property
    def kept(self) -> list[Kept]:
        """The messages so far, in the order in which they were told."""
        return [_kept(Path(event["file"]).read_bytes()) for event in self.told("taken")]

    def received(self, count: int, seconds: float = PATIENCE) -> list[Kept]:
        """Wait until it has `count` messages, and return all that it has."""
        self.events("taken", count, seconds)
        return self.kept


class World:
    """One host with a spool. What is started is stopped by `close`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.spool = home / "spool"
        self.config = home / "config.toml"
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MAILER", "XDG_"))},
            "HOME": str(home),
            "MAILER_CONFIG": str(self.config),
        }
        self._open = contextlib.ExitStack()
        self._started = 0

    def close(self) -> None:
        """Stop everything that still runs."""
        self._open.close()

    # The configuration

    def configure(self, sink: Sink | int, *, schedule: Sequence[str] = ("0.2s",), more: str = "") -> None:
        """All mail goes to `sink`, without TLS; what is put off is tried again after `schedule`."""
        port = sink if isinstance(sink, int) else sink.port
        self.config.write_text(
            f'[mailer]\nhostname = "here.example"\nspool = "{self.spool}"\n'
            f'[relay.sink]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
            '[[route]]\nmatch = "*"\nvia = ["relay:sink"]\n'
            f"[retry]\nschedule = {json.dumps(list(schedule))}\njitter = 0.0\n"
            f"{more}"
        )

    # Programs

    def mailer(self, *words: str | Path, input: bytes = b"") -> Done:
        """Run one command to its end."""
        argv = [*MAILER, *map(str, words)]
        done = warm.run(argv, input=input, env=self.env, cwd=self.home, timeout=240)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *words: str | Path, descriptors: int = 0) -> Program:
        """Start a command that goes on running, which may be allowed so many `descriptors` only."""
        self._started += 1
        limited = ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh"] if descriptors else []
        log = self.home / f"{words[0]}-{self._started}.log"
        return self._open.enter_context(Program([*limited, *MAILER, *words], log, env=self.env, cwd=self.home, popen=warm.Warm))

    def sink(self, *options: str, port: int = 0) -> Sink:
        """A sink that listens; `options` are moods, as ``mailer sink`` takes them."""
        maildir = self.home / f"mail-{self._started}"
        return Sink(self.start("sink", "--json", "--port", str(port), "--maildir", maildir, *options), maildir)

    def daemon(self) -> Program:
        """``mailer run``, ready."""
        daemon = self.start("run")
        daemon.says('"what":"ready"')
        return daemon

    def once(self) -> Done:
        """One pass over everything that is due."""
        done = self.mailer("run", "--once")
        assert done.code == 0, done
        return done

    # Mail

    def send(self, *recipients: str, subject: str = "a test", sender: str = "me@here.example") -> str:
        """Queue a message and return its ID."""
        done = self.mailer("send", "-f", sender, *recipients, input=f"Subject: {subject}\n\nThe text of {subject}.\n".encode())
        assert done.code == 0, done
        assert ID.fullmatch(done.out.strip()), done
        return done.out.strip()

    def status(self, id: str) -> dict[str, Any]:
        """What ``mailer status --json ID`` says."""
        done = self.mailer("status", "--json", id)
        assert done.code == 0, done
        told: dict[str, Any] = json.loads(done.out)
        return told

    def becomes(self, id: str, status: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the message has that status, and return what is said of it then."""
        last: dict[str, Any] = {}

        def asked() -> bool:
            last.update(self.status(id))
            return last["status"] == status

        try:
            wait_until(f"{id} is {status}", asked, seconds, every=0.05)
        except AssertionError as late:
            raise AssertionError(f"{late}; {last}") from None
        return last

    def where(self, id: str) -> str:
        """The directory of the spool that has the message, ``""`` if none has."""
        found = [state for state in STATES if (self.spool / state / id).exists()]
        assert len(found) <= 1, f"{id} is in {found}"
        return found[0] if found else ""

    def in_spool(self, *states: str) -> list[str]:
        """The IDs in these directories of the spool, all of them without a name."""
        return sorted(path.name for state in states or STATES for path in (self.spool / state).glob("*"))

    def until(self, what: str, asked: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait for something that the world shows."""
        wait_until(what, asked, seconds)


def _kept(stored: bytes) -> Kept:
    """A file of the sink's Maildir: the envelope stands above the message in fields that begin so."""
    sender, recipients = "", []
    while stored.startswith((b"Return-Path:", b"Delivered-To:")):
        line, _, stored = stored.partition(b"\r\n")
        name, _, value = line.decode().partition(": ")
        if name == "Return-Path":
            sender = value.strip("<>")
        else:
            recipients.append(value)
    return Kept(sender, recipients, stored)
