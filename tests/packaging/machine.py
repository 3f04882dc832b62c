"""A machine to spoil: another system, or this one, with a layer over it that is gone when the test ends.

Its mounts and its processes are its own (`unshare -m -p`), so what is installed, started and left running there ends with it. The network
is this machine's: what listens does so on the loopback, at ports that are free. It needs root, and a kernel that lets root mount.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.processes import PATIENCE, Program, wait_until

MAKE = """
set -e
lower=$1 place=$2
mount --make-rprivate /
mount -t tmpfs -o size=4g,mode=755 throwaway "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/work" "$place/root"
cd "$place/root"
mkdir -p proc dev sys tmp run
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys || true
mount -t tmpfs -o mode=1777 throwaway tmp
mount -t tmpfs -o mode=755 throwaway run
touch "$place/made"
exec sleep infinity
"""

KEPT = ("proxy", "PIP_", "SSL_", "REQUESTS_")
"""Beginnings and ends of the variables by which programs find the network."""


def _children(pid: int) -> list[str]:
    """The numbers of the processes that `pid` has started."""
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []


class NoMachine(Exception):
    """The kernel lets no such machine be made here."""


class Inside(Program):
    """A program on such a machine. What is started from here only waits for it, and hands no signal on."""

    def stop(self, seconds: float = PATIENCE) -> int:
        """Ask the program itself to end; insist when it does not. Returns the exit code."""
        for child in _children(self.pid) if self.running else ():
            os.kill(int(child), signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        return self.process.returncode


class Throwaway:
    """The machine whose ``/`` lies over `lower`; `home` is an empty directory for it. Use it with ``with``."""

    def __init__(self, home: Path, lower: Path = Path("/")) -> None:
        self.home, self.lower = home, lower
        self.place = home / "machine"
        self.place.mkdir()
        kept = {name: value for name, value in os.environ.items() if name.lower().endswith(KEPT) or name.startswith(KEPT)}
        self.pid = ""  # of what keeps it alive
        self.env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            **kept,
        }

    def __enter__(self) -> Self:
        """Make it, and wait until it is there. Raises `NoMachine`."""
        words = ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", MAKE, "make", self.lower, self.place]
        self._init = Program(words, self.home / "machine.log")
        wait_until("there is an overlay", lambda: self._made() or not self._init.running)
        if not self._init.running:
            raise NoMachine(self._init.said)
        for name in ("resolv.conf", "hosts"):  # what may be mounted over those of the lower layer
            self.write(f"etc/{name}", Path("/etc", name).read_text(), replace=True)
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n").chmod(0o755)
        self.path("var/lib/man-db/auto-update").unlink(missing_ok=True)  # an index of the manual takes seconds, each time
        self.write("etc/dpkg/dpkg.cfg.d/throwaway", "force-unsafe-io\n")
        return self

    def _made(self) -> bool:
        children = _children(self._init.pid)
        self.pid = children[0] if children else ""
        return bool(children) and Path(f"/proc/{self.pid}/root{self.place}/made").exists()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        """End it, and all that runs in it."""
        os.kill(int(self.pid), signal.SIGKILL)  # the first of its processes, and with that all
        self._init.process.wait(PATIENCE)

    @property
    def root(self) -> Path:
        """Its ``/``, seen from here."""
        return Path(f"/proc/{self.pid}/root{self.place}/root")

    def path(self, name: str) -> Path:
        """A file of it, seen from here; `name` may begin with a slash."""
        return self.root / name.lstrip("/")

    def write(self, name: str, text: str, *, replace: bool = False) -> Path:
        """Make a file of it; with `replace` it takes the place of a link, too."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if replace and path.is_symlink():
            path.unlink()
        path.write_text(text)
        return path

    def copy(self, file: Path) -> str:
        """Bring a file of ours there; returns its path there."""
        shutil.copy(file, self.path("tmp"))
        return f"/tmp/{file.name}"

    def argv(self, *words: str, user: str = "", env: dict[str, str] | None = None) -> list[str]:
        """How `words` are started there, as root or as `user`."""
        become = (
            ["setpriv", f"--reuid={user}", f"--regid={self._group(user)}", "--clear-groups" if user.isdigit() else "--init-groups"]
            if user
            else []
        )
        variables = [f"{name}={value}" for name, value in (self.env | (env or {})).items()]
        return ["nsenter", "-t", self.pid, "-m", "-p", "chroot", str(self.place / "root"), *become, "env", "-i", *variables, *words]

    def _group(self, user: str) -> str:
        """The number of the group of `user`, who may be a number."""
        if user.isdigit():
            return user
        return next(line.split(":")[3] for line in self.path("etc/passwd").read_text().splitlines() if line.startswith(f"{user}:"))

    def run(self, *words: str, input: str = "", code: int = 0, user: str = "", env: dict[str, str] | None = None) -> str:
        """Run a program to its end, which has to be `code`; returns what it said."""
        command = self.argv(*words, user=user, env=env)
        done = subprocess.run(command, input=input, capture_output=True, text=True, cwd="/", timeout=240)
        assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start(self, *words: str, user: str = "", env: dict[str, str] | None = None) -> Inside:
        """Start a program that goes on."""
        return Inside(self.argv(*words, user=user, env=env), self.home / f"{Path(words[0]).name}.log")

    # Debian

    def answers(self, **answers: str) -> None:
        """Preseed the questions of our package."""
        kinds = {"way": "select", "password": "password", "purge_queue": "boolean"}
        lines = [f"mailer-mta mailer-mta/{name.replace('_', '-')} {kinds.get(name, 'string')} {value}\n" for name, value in answers.items()]
        self.run("debconf-set-selections", input="".join(lines))

    def install(self, *packages: str) -> str:
        """`apt-get install`, with the machine's lists of packages if there are any."""
        if not any(self.path("var/lib/apt/lists").glob("*_Packages*")):
            self.run("apt-get", "update", "-qq")
        return self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)

    def state(self, package: str) -> str:
        """The state of a package as dpkg has it, such as ``ii``; empty if it never heard of it."""
        done = subprocess.run(self.argv("dpkg-query", "-Wf", "${db:Status-Abbrev}", package), capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def daemon(self) -> Inside:
        """Start the daemon as its unit does, without systemd; wait until it is ready."""
        lines = self.path("lib/systemd/system/mailer.service").read_text().splitlines()
        unit = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        program = self.start(*unit["ExecStart"].split(), user=unit["User"])
        wait_until("the daemon is ready", lambda: '"what":"ready"' in program.said or not program.running)
        assert program.running, program.said
        return program


def tree(root: Path, names: Sequence[str]) -> list[str]:
    """Every file below the directories `names` of `root` that are there."""
    found = [path for name in names if (root / name).is_dir() for path in sorted((root / name).rglob("*"))]
    return [str(path.relative_to(root)) for path in found if not path.is_dir()]
