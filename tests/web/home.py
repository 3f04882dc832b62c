"""What `mailer web` needs to be started by a test: a configuration with a door, a spool, and a key."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes import warm
from tests.fakes.processes import MAILER, PATIENCE, Program, free_port


class Home:
    """A configuration with a door, a spool, and a key."""

    def __init__(self, path: Path, more: str = "") -> None:
        self.path = path
        self.port = free_port()
        self.spool = path / "spool"
        self.file = path / "config.toml"
        self.write(more)

    def write(self, more: str = "") -> None:
        self.file.write_text(
            f'[mailer]\nhostname = "mail.example.com"\nspool = "{self.spool}"\n[submission]\nmin_free_space = "1MB"\n'
            f'[[listen]]\nkind = "web"\naddress = "127.0.0.1:{self.port}"\n{more}\n'
        )

    def mailer(self, *words: str) -> subprocess.CompletedProcess[str]:
        return warm.run([*MAILER, *words, "--config", str(self.file)], text=True, timeout=60)

    def key(self) -> str:
        made = self.mailer("api", "key", "add", "app", "--scope", "send,status", "--json")
        assert made.returncode == 0, made.stderr
        key: str = json.loads(made.stdout)["key"]
        return key

    @contextmanager
    def web(self, *before: str, words: tuple[str, ...] = ("--json",)) -> Iterator[Program]:
        argv = [*before, *MAILER, "web", "--config", str(self.file), *words]
        with Program(argv, self.path / "log", popen=warm.Warm) as program:
            yield program

    def get(self, path: str) -> tuple[int, bytes]:
        caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            caller.request("GET", path)
            answer = caller.getresponse()
            return answer.status, answer.read()
        finally:
            caller.close()
