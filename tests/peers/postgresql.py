"""A whole PostgreSQL in a scratch directory, as an ordinary user, on a port of its own of the loopback; killed and started again as a test
likes.

Its programs are those of this machine, or those that `tests.peers.install` has fetched. What it has said to be stored outlives its
processes, which are all that is killed here; it does not wait for the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Literal, Self, TypeVar

import pytest

from mailer.testing import LoopbackServer
from tests.fakes.processes import Program, free_port, listens, wait_until

from .install import POSTGRESQL

T = TypeVar("T")
NEEDED = (pytest.mark.peer("postgresql"), pytest.mark.xdist_group("postgresql"))
"""The marks of a test that asks for the server: those of one process share it."""


def needed(test: T) -> T:
    """Mark a test that asks for the server."""
    for mark in NEEDED:
        test = mark(test)
    return test


NOBODY = 65534
USER = "mailer"
PASSWORD = "correct horse?"  # it has a character that a URL would have to hide

CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
fsync = off
shared_buffers = 32MB
max_connections = 60
jit = off
log_min_messages = warning
autovacuum = off
"""


def programs() -> Path | None:
    """The directory of PostgreSQL's programs, of the newest that is there."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/postgres"), *POSTGRESQL.glob("usr/lib/postgresql/*/bin/postgres")]
    return max(found, key=lambda path: int(path.parts[-3])).parent if found else None


def parent_of(process: Path) -> int:
    """The parent of a process, by its directory in /proc; 0 for one that has ended."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class PostgreSQL:
    """Start and stop it as a context manager; `home` is a directory that other users may enter, gone with whoever made it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        where = programs()
        assert where is not None, "PostgreSQL is not installed"
        self._programs = where
        self._schemas = itertools.count(1)
        self._as = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(home, NOBODY, NOBODY)
        libraries = where.parents[3] / "lib/x86_64-linux-gnu"
        self._environment = {"HOME": str(home), "LC_ALL": "C", "PATH": os.defpath, "LD_LIBRARY_PATH": str(libraries)}

    def __enter__(self) -> Self:
        (self.home / "password").write_text(PASSWORD)
        (self.home / "password").chmod(0o644)
        words = ["-D", self.data, "-U", USER, "-E", "UTF8", "-A", "scram-sha-256", f"--pwfile={self.home}/password", "--no-sync"]
        words += ["--locale-provider=icu", "--icu-locale=en-US"]  # as most are: the order of texts is that of a language
        done = subprocess.run(
            [*self._as, self._programs / "initdb", *words], env=self._environment, cwd=self.home, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION.format(port=self.port))
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def data(self) -> Path:
        """The directory of what it keeps."""
        return self.home / "data"

    def url(self, schema: str = "", port: int = 0) -> str:
        """Where it is, with a schema that nobody else has unless one is named; `port` is that of a proxy before it."""
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/postgres?options=-csearch_path%3D{schema or self.schema()}"

    def schema(self) -> str:
        """The name of a new schema."""
        name = f"s{next(self._schemas)}"
        self.asked(f"CREATE SCHEMA {name}")
        return name

    def asked(self, statement: str) -> list[tuple[object, ...]]:
        """What the server answers to `statement`, asked by a connection of its own."""
        import psycopg

        with psycopg.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True) as db:
            cursor = db.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def standby(self, home: Path) -> PostgreSQL:
        """A standby of its own in the directory `home`, which it waits for with each commit from now on; it is running."""
        other = PostgreSQL(home)
        source = f"host=127.0.0.1 port={self.port} user={USER} application_name=standby"
        words = ["-D", other.data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", source]
        environment = {**self._environment, "PGPASSWORD": PASSWORD}
        done = subprocess.run(
            [*self._as, self._programs / "pg_basebackup", *words], env=environment, cwd=home, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with (other.data / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION.format(port=other.port))
        other.start()
        self.asked("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.asked("SELECT pg_reload_conf()")
        wait_until("the standby is waited for", lambda: ("sync",) in self.asked("SELECT sync_state FROM pg_stat_replication"))
        return other

    def promote(self) -> None:
        """Have a standby take changes from now on, and wait for no other."""
        self.asked("SELECT pg_promote()")
        self.asked("ALTER SYSTEM RESET synchronous_standby_names")
        self.asked("SELECT pg_reload_conf()")

    def start(self) -> None:
        """Start it, on what it has stored, and wait until it answers."""
        self._server = Program([*self._as, self._programs / "postgres", "-D", self.data], self.home / "log", env=self._environment)
        self._server.accepts(self.port)
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        wait_until("PostgreSQL answers", lambda: subprocess.run(ready, env=self._environment).returncode == 0)

    def stop(self) -> None:
        """Let it end, whoever is connected."""
        if self._server.running:
            self._server.signal(signal.SIGINT)
            self._server.wait()

    def kill(self) -> None:
        """End all of its processes as a loss of power would."""
        parts = [path.name for path in Path("/proc").iterdir() if path.name.isdecimal() and parent_of(path) == self._server.pid]
        self._server.kill()
        for part in parts:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(part), signal.SIGKILL)
        wait_until("its processes have ended", lambda: not any(Path("/proc", part).exists() for part in parts))
        wait_until("PostgreSQL has ended", lambda: not listens(self.port))


class LosingProxy(LoopbackServer):
    """Stands before the server at `target`; of the commits that are to come `lose` says what is lost: each question, or each answer to it.

    After such a loss the connection is closed on both sides. With `deaf` nobody is let in.
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target
        self.lose: list[Literal["question", "answer"]] = []
        self.deaf = False
        self.lost = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.deaf:
            return
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.target)
        swallowing = asyncio.Event()
        back = asyncio.create_task(carried(theirs, writer, swallowing))
        try:
            while data := await reader.read(65536):
                lost = self.lose.pop(0) if self.lose and b"COMMIT\0" in data else ""
                self.lost += bool(lost)
                if lost == "question":
                    return
                if lost == "answer":
                    swallowing.set()
                ours.write(data)
        finally:
            back.cancel()
            ours.close()


async def carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallowing: asyncio.Event) -> None:
    """Hand on what comes, to its end, or to what is to be swallowed; then the connection is closed."""
    while (data := await reader.read(65536)) and not swallowing.is_set():
        writer.write(data)
    writer.close()
