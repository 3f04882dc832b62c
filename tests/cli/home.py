"""The program as its users start it: a process with a home directory, a configuration and a spool of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from mailer.spool.files.store import SpoolDirectory
from tests.fakes.processes import MAILER

WHOLE = b"From: me@example.com\nTo: you@example.net\nSubject: x\n\nhello\n"
"""A whole message, as a script pipes it in."""


class Home:
    """A user's home at `path`; commands run there as processes, away from the configuration of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spool = SpoolDirectory(str(path / "spool"))
        self.env = {"PATH": os.environ["PATH"], "HOME": str(path), "MAILER_CONFIG": str(path / "config.toml")}
        self.configure("")

    def configure(self, text: str) -> None:
        """Write the configuration: where the spool is, and `text`."""
        head = f'[mailer]\nhostname = "host.example.com"\nspool = "{self.spool.root}"\n'
        (self.path / "config.toml").write_text(head + text)

    def start(self, *arguments: str | bytes | Path, **more: Any) -> subprocess.Popen[bytes]:
        """Start ``mailer`` with its three streams in our hands."""
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([*MAILER, *arguments], env=self.env, **(pipes | more))

    def mailer(self, *arguments: str | bytes | Path, input: bytes | None = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
        """Run ``mailer`` on `input`."""
        given: dict[str, Any] = {"capture_output": True, "timeout": 60} | more
        return subprocess.run([*MAILER, *arguments], input=input, env=self.env, **given)

    def send(self, *arguments: str | bytes | Path, input: bytes | None = WHOLE, **more: Any) -> subprocess.CompletedProcess[bytes]:
        """Run ``mailer send`` on `input`."""
        return self.mailer("send", *arguments, input=input, **more)

    def queued(self) -> list[str]:
        """What lies in ``queued/``; nothing lies in ``tmp/``."""
        assert list(Path(self.spool.root).glob("tmp/*")) == []
        return self.spool.ids("queued")

    def refused(self, done: subprocess.CompletedProcess[bytes], code: int, *words: str) -> None:
        """It ended with `code`, said why in one line that has all `words`, and queued nothing."""
        said = done.stderr.decode()
        assert (done.returncode, done.stdout, said.count("\n")) == (code, b"", 1), said
        assert said.startswith("mailer: ")
        assert all(word in said for word in words), said
        assert self.queued() == []
