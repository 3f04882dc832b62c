"""This machine once more, booted with systemd: a throw-away copy in which services start and stop as on a server.

An overlay of all that is here, whose changes are in memory, in systemd-nspawn(1), with a network of its own that has the loopback only, and
with the clone as what is installed: `/usr/local/bin/mailer`. Whatever is written in it goes with it. Needs root, and a machine that lets it
mount and make control groups; where it lets nobody, tests are skipped, and it is said what it does not let them do. Where it lets them
and systemd does not come up all the same, that is a failure in CI.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.fakes.processes import PATIENCE, Program, wait_until

ROOT = Path(__file__).parents[2]
HOUSE, PACKAGES, PYTHON = "/srv/clone", "/srv/packages", "/srv/python"
INTERPRETER = "/srv/bin/python3"
"""Python in the copy."""
TARGET = "[Unit]\nRequires=sysinit.target dbus.socket\nAfter=sysinit.target dbus.socket\nAllowIsolate=yes\n"
PLACE = """
set -e
for base in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  if [ -f $base/cgroup.procs ] && mkdir "$base/$3"; then echo $$ > "$base/$3/cgroup.procs"; fi
done
mount -t tmpfs tmpfs /run
mount -t tmpfs -o size=2g,mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
rm -rf etc/mailer var/spool/mailer etc/systemd/system/mailer* usr/local/bin/mailer opt/mailer
mkdir -p srv/clone srv/packages srv/python srv/bin opt
printf '%s' "$2" > etc/systemd/system/few.target
root=$1/root
shift 3
"""
NSPAWN = 'exec systemd-nspawn -q -D "$root" --register=no --keep-unit --private-network --link-journal=no --console=pipe "$@" '
BOOT = f"{PLACE}{NSPAWN} --boot -- --unit=few.target systemd.show_status=no"
BOOTING = 180.0  # seconds: it takes five where nothing else goes on
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


TRIES = {
    "no mounts can be made apart from those of the machine": "true",
    "no tmpfs can be mounted": "mount -t tmpfs tmpfs /run",
    "no overlay can be mounted": "mount -t tmpfs tmpfs /run && mkdir /run/u /run/w /run/r && "
    "mount -t overlay overlay -o lowerdir=/,upperdir=/run/u,workdir=/run/w /run/r",
    "no control group can be made": "for base in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do "
    "if [ -f $base/cgroup.procs ] && mkdir $base/$3; then rmdir $base/$3 && exit 0; fi; done; exit 1",
    "systemd-nspawn runs no program at all": f"{PLACE}{NSPAWN} /bin/true",
}
"""What has to go before systemd can boot in a copy, each with the words for where it does not."""


class NoBoot(Exception):
    """systemd does not come up here: why, as far as the machine lets that be known, and the last words of what was started."""

    def __init__(self, words: str) -> None:
        last = " | ".join(line.strip() for line in words.splitlines()[-3:] if line.strip())
        self.hindered = hindrance()
        super().__init__(f"{self.hindered or 'the machine lets it, and it did not come up in time'}; it said: {last or 'nothing'}")

    def told(self) -> NoReturn:
        """Skip where the machine does not let it be. Where it does, something of ours is broken, which a gate does not pass over."""
        report = pytest.fail if os.environ.get("CI") == "true" and not self.hindered else pytest.skip
        report(f"systemd does not boot here: {self}")


def hindrance() -> str:
    """What this machine does not let root do, and in what words; empty where all that is needed goes."""
    name = f"try-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as view, _groups(name):
        for words, script in TRIES.items():
            argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "try", view, TARGET, name]
            try:
                done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                return f"{words} (it hangs)"
            if done.returncode:
                return f"{words} ({' '.join(done.stderr.split()) or 'exit code ' + str(done.returncode)})"
    return ""


class Booted:
    """The booted copy, whose first process is `leader`."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def path(self, path: str) -> Path:
        """A path of the copy, as this process sees it."""
        return Path(f"/proc/{self.leader}/root{path}")

    def argv(self, *words: str | Path, user: str = "") -> list[str]:
        """What runs a command in the copy, as root or as `user`."""
        become = ["runuser", "-u", user, "--"] if user else []
        env = [f"{name}={value}" for name, value in ENV.items() if not (user and name == "HOME")]
        return ["nsenter", "-t", str(self.leader), "-a", "env", "-i", *env, *become, *map(str, words)]

    def run(self, *words: str | Path, user: str = "", input: str = "", code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy to its end, which has to be `code`, if that is not None."""
        done = subprocess.run(self.argv(*words, user=user), input=input, capture_output=True, text=True, timeout=400)
        assert code is None or done.returncode == code, f"{shlex.join(map(str, words))}: {done}\n{self.journal()}"
        return done

    def journal(self, unit: str = "mailer*") -> str:
        """What a unit has told so far."""
        argv = self.argv("journalctl", "--no-pager", "-o", "cat", "-u", unit)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60).stdout


@contextlib.contextmanager
def booted(scratch: Path) -> Iterator[Booted]:
    """The copy, up; below the directory `scratch`, which is there. Raises `NoBoot`."""
    mounts, interpreter = [f"{ROOT}:{HOUSE}", f"{site.getsitepackages()[0]}:{PACKAGES}"], Path(sys.executable).resolve()
    if not interpreter.is_relative_to("/usr"):  # a service sees no homes and has a /tmp of its own
        mounts.append(f"{sys.base_prefix}:{PYTHON}")
        interpreter = Path(PYTHON) / interpreter.relative_to(Path(sys.base_prefix).resolve())
    view = scratch / "view"
    view.mkdir()
    name = f"booted-{os.getpid()}-{secrets.token_hex(4)}"  # control groups of its own: two copies must not end each other's services
    words = [str(view), TARGET, name, *(f"--bind-ro={each}" for each in mounts)]
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", BOOT, "boot", *words]
    with _groups(name), Program(argv, scratch / "boot.log") as machine:
        try:
            leader = wait_until("systemd is up", lambda: _up(machine), BOOTING, every=0.05)
        except AssertionError as error:
            raise NoBoot(f"{error}: {machine.said}") from None
        if leader < 0:
            raise NoBoot(machine.said)
        found = Booted(leader)
        for name, text in programs(interpreter).items():
            found.path(name).write_text(text)
            found.path(name).chmod(0o755)
        try:
            yield found
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader, 9)  # with it goes all that it has started
            machine.process.wait(30)
            shutil.rmtree(view, ignore_errors=True)


@contextlib.contextmanager
def _groups(name: str) -> Iterator[None]:
    """Remove the control groups of that name afterwards, when nobody is in them any more."""
    try:
        yield
    finally:
        for base in ("", "systemd", "unified"):
            top = Path("/sys/fs/cgroup", base, name)
            for group in sorted([top, *(path for path in top.rglob("*") if path.is_dir())], reverse=True):
                with contextlib.suppress(OSError):
                    group.rmdir()


def programs(interpreter: Path) -> dict[str, str]:
    """What stands in the copy for an installed program; an interpreter that was in a home is told where its library is."""
    start = f"import sys\nsys.path += {[HOUSE, PACKAGES]}\nfrom mailer.cli import start\nstart(sys.argv)\n"
    if interpreter.is_relative_to("/usr"):
        return {"/usr/local/bin/mailer": f"#!{interpreter} -IS\n{start}", INTERPRETER: f'#!/bin/sh\nexec {interpreter} -IS "$@"\n'}
    shell = f"#!/bin/sh\nLD_LIBRARY_PATH={PYTHON}/lib exec {interpreter} -IS"
    return {"/srv/bin/mailer": start, "/usr/local/bin/mailer": f'{shell} /srv/bin/mailer "$@"\n', INTERPRETER: f'{shell} "$@"\n'}


def _up(machine: Program) -> int:
    """The first process of the copy, when it has started everything; -1 if it never will, and 0 if not yet.

    It is the child of systemd-nspawn, into which the shell has turned; there is another for a moment before.
    """
    try:
        children = Path(f"/proc/{machine.pid}/task/{machine.pid}/children").read_text().split()
        leader = int(children[0]) if "nspawn" in Path(f"/proc/{machine.pid}/comm").read_text() and children else 0
    except OSError:
        leader = 0
    if not machine.running:
        return -1
    argv = Booted(leader).argv("systemctl", "is-active", "-q", "few.target")
    return leader if leader and subprocess.run(argv, capture_output=True, timeout=60).returncode == 0 else 0
