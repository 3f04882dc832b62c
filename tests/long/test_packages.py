"""Packages as they are handed out: what lintian says, what README promises, and an upgrade on a machine that systemd runs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer import __version__
from tests.fakes.processes import Program, wait_until
from tests.packaging.booted import Booted, NoBoot, booted
from tests.packaging.newer import newer

pytestmark = [pytest.mark.peer("dpkg-deb", "systemd-nspawn", "unshare", root=True), pytest.mark.timeout(900)]

TREE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is handed out, or one that was built before, in ``DEBIAN_PACKAGE``."""
    if before := os.environ.get("DEBIAN_PACKAGE"):
        return Path(before)
    built = subprocess.run(
        [TREE / "packaging/debian/build", tmp_path_factory.mktemp("package")], check=True, capture_output=True, text=True
    )
    return Path(built.stdout.strip())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Booted]:
    """A machine that systemd runs, without an MTA, where packages may start services; ``mailer`` is not installed there."""
    try:
        with booted(tmp_path) as machine:
            machine.run(
                "sh", "-c", "rm -f /usr/local/bin/mailer /usr/sbin/policy-rc.d; rm -rf /opt/mailer; dpkg --purge postfix", code=None
            )
            yield machine
    except NoBoot as why:
        why.told()


def sink(machine: Booted, place: Path, program: str) -> Program:
    """A relay in the network of the machine, at port 2525, by the program that is installed there."""
    started = Program(machine.argv(program, "sink", "--json", "--port", "2525", "--maildir", "/root/sink"), place / "sink.log")
    started.says('"listening"')
    return started


def arrived(machine: Booted) -> int:
    """How many messages the relay took."""
    return len([*machine.path("/root/sink/new").iterdir()])


@pytest.mark.peer("lintian")
def test_lintian_finds_no_error(package: Path) -> None:
    """Nor anything to warn of; what is overridden has its reason beside it."""
    done = subprocess.run(["lintian", "--fail-on", "error,warning", "--allow-root", package], capture_output=True, text=True, timeout=800)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_a_daemon_is_stopped_and_started_by_an_upgrade(machine: Booted, package: Path, tmp_path: Path) -> None:
    """It runs as soon as the package is installed, and again after an upgrade with mail in the queue, which leaves; removed, it ends."""
    machine.path("/root/a.deb").write_bytes(package.read_bytes())
    machine.path("/root/b.deb").write_bytes(newer(package, tmp_path).read_bytes())
    answers = ("way select relay", "relay string 127.0.0.1:2525", "root string ops@example.net", "mailname string web1.example.com")
    machine.run("debconf-set-selections", input="".join(f"mailer-mta mailer-mta/{answer}\n" for answer in answers))
    install = ("env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--install")
    machine.run(*install, "/root/a.deb")
    first = machine.run("systemctl", "show", "mailer", "-P", "MainPID").stdout.strip()
    assert machine.run("systemctl", "is-active", "mailer").stdout == "active\n"
    for number in range(20):  # nobody listens at the relay yet
        machine.run("/usr/sbin/sendmail", "root", input=f"Subject: {number}\n\nx\n", user="nobody" if number % 2 else "")
    machine.run(*install, "/root/b.deb")
    assert machine.run("mailer", "--version").stdout == f"mailer {__version__}+1\n"
    second = machine.run("systemctl", "show", "mailer", "-P", "MainPID").stdout.strip()
    assert machine.run("systemctl", "is-active", "mailer").stdout == "active\n"
    assert second != first
    with sink(machine, tmp_path, "mailer"):
        machine.run("mailer", "queue", "retry", "--all")
        wait_until("all have left", lambda: arrived(machine) == 20)
        assert machine.run("systemctl", "reload", "mailer").returncode == 0
    machine.run("dpkg", "--purge", "mailer-mta")
    assert machine.run("systemctl", "is-active", "mailer", code=None).returncode != 0
    assert machine.run("sh", "-c", "ls -d /etc/mailer /var/spool/mailer /usr/lib/mailer", code=None).stdout == ""


def commands(section: str) -> list[str]:
    """The lines of a section of README that are to be typed, without comments."""
    text = (TREE / "README.md").read_text().partition(f"### {section}\n")[2].partition("\n##")[0]
    return [re.sub(r"\s{2,}#.*", "", line[4:]) for line in text.splitlines() if line.startswith("    ")]


def test_readme_installs_a_server_upgrades_and_removes_it(machine: Booted, tmp_path: Path) -> None:
    """The lines of "On a server", as they stand: `setup` gets its answers as options. In the end nothing of it is there."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", tmp_path / "venv"], check=True)
    wheels = machine.path("/root/wheels")
    subprocess.run([tmp_path / "venv/bin/pip", "wheel", "-q", "-w", wheels, f"{TREE}[speed]"], check=True, capture_output=True)
    index = ("env", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/root/wheels", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-ec")
    lines = commands("On a server")
    at = next(number for number, line in enumerate(lines) if line.startswith("mailer setup"))
    for line in lines[:at]:
        machine.run(*index, line)
    with sink(machine, tmp_path, "/opt/mailer/bin/mailer"):
        options = "--address ops@example.net --relay 127.0.0.1:2525 --tls none --no-login"
        machine.run(*index, f"{lines[at]} {options}")
        machine.run("/usr/sbin/sendmail", "root", input="Subject: cron\n\nx\n")
        wait_until("the mail to oneself and that of root arrive", lambda: arrived(machine) == 2)
        end = next(number for number, line in enumerate(lines) if line.startswith("systemctl disable"))
        (upgrade,) = re.findall(r"Upgrade with `(.*?)`", (TREE / "README.md").read_text().replace("\n", " "))
        for line in [*lines[at + 1 : end], upgrade]:
            machine.run(*index, line)
        assert machine.run("systemctl", "is-active", "mailer").stdout == "active\n"
        for line in lines[end:]:
            machine.run(*index, line)
    left = machine.run(
        "sh", "-c", "ls -d /etc/mailer /var/spool/mailer /opt/mailer /usr/sbin/sendmail /etc/systemd/system/mailer*", code=None
    )
    assert left.stdout == ""
