"""`mailer hooks run` as a process, on a spool whose journal the test writes."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from mailer.hooks.signing import written
from mailer.journal.api import JournalEvent
from mailer.journal.files import FileJournal
from tests.fakes import warm
from tests.fakes.processes import MAILER, PATIENCE


class SenderWorld:
    """A spool, a secret, and a configuration with one endpoint at `port`; `more` are lines of it."""

    def __init__(self, place: Path, port: int, more: str = "") -> None:
        self.place = place
        self.spool = place / "spool"
        self.spool.mkdir(mode=0o700, exist_ok=True)
        self.secret = written(secrets.token_bytes(32))
        self.secret_file = place / "shop.secret"
        self.secret_file.write_text(self.secret + "\n")
        self.secret_file.chmod(0o600)
        self.config = place / "config.toml"
        self.configure(port, more)
        self.journal = FileJournal(f"{self.spool}/journal")
        self.process: subprocess.Popen[bytes] | None = None
        self.log = place / "log"
        self._before = 0

    def configure(self, port: int, more: str = "") -> None:
        self.config.write_text(
            f'[mailer]\nspool = "{self.spool}"\nhostname = "mail.example.com"\n[[webhook]]\nname = "shop"\n'
            f'url = "http://127.0.0.1:{port}/hook"\nsecret_file = "{self.secret_file}"\nprivate = true\n{more}'
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def write(self, events: Sequence[JournalEvent]) -> list[str]:
        async def write() -> list[str]:
            found = await self.journal.append(events)
            await self.journal.close()
            return [each.id for each in found]

        return asyncio.run(write())

    def cursor(self) -> str:
        return asyncio.run(self.journal.cursor("hooks.shop"))

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._before = self.log.stat().st_size
            self.process = warm.Warm([*MAILER, "hooks", "run", "--config", str(self.config)], stderr=log)

    def kill(self) -> None:
        """As a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> str:
        """As systemd does; what it has told."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> str:
        process, self.process = self.process, None
        if process is None:
            return ""
        process.send_signal(number)
        process.wait(PATIENCE)
        return self.told

    @property
    def told(self) -> str:
        """What the last one that was started has written so far."""
        return self.log.read_bytes()[self._before :].decode()

    def reload(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGHUP)

    def mailer(self, *words: str) -> tuple[int, str, str]:
        """What a command of `mailer hooks` exits with and prints."""
        done = warm.run([*MAILER, "hooks", *words, "--config", str(self.config)], text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def listed(self) -> dict[str, Any]:
        code, out, error = self.mailer("list", "--json")
        assert code == 0, error
        found = json.loads(out.splitlines()[0])
        assert isinstance(found, dict)
        return found
