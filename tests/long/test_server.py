"""A server as the README has it, by copy and paste: set up, changed, asked by host and port, upgraded, removed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.processes import Program, wait_until
from tests.packaging.booted import INTERPRETER, PACKAGES, ROOT, Booted, NoBoot, booted

SECTION = re.findall(r"^### On a server\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)[0]
LINES = [line.strip() for line in SECTION.splitlines() if line.startswith("    ")]
UPGRADE = re.findall(r"`(/opt/mailer/bin/pip [^`]*)`", SECTION)
ANSWERS = "--address web1@example.com --relay 127.0.0.1 --port 2525 --tls none --no-login --yes"
SYSTEM = "/usr/bin/python3"
SINK = "/srv/bin/sink"
WHERE = ("/etc/mailer", "/etc/systemd/system", "/opt", "/usr/local/bin", "/usr/sbin", "/usr/lib", "/usr/bin", "/var/spool", "/run/mailer")

pytestmark = [
    pytest.mark.peer("systemd-nspawn", "unshare", root=True),
    pytest.mark.slow,
    pytest.mark.xdist_group("booted"),
    pytest.mark.skipif(
        not Path(SYSTEM).exists() or Path(SYSTEM).resolve().name != f"python3.{sys.version_info.minor}",
        reason="the Python of the system is another than that of the tests, whose packages are installed",
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine on which nothing is installed, with the wheel at hand: pip fetches nothing from the network of the copy."""
    scratch = tmp_path_factory.mktemp("booted")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", scratch, ROOT], check=True, timeout=240)
    (wheel,) = scratch.glob("mailer_mta-*.whl")
    try:
        with booted(scratch) as machine:
            shutil.copy(wheel, machine.path("/srv") / wheel.name)
            machine.path("/usr/local/bin/mailer").rename(machine.path(SINK))
            yield machine
    except NoBoot as why:
        why.told()


def as_pasted(line: str) -> str:
    """A line of the README, with pip's packages from here, and the questions answered."""
    line = line.partition("  #")[0].strip()
    if line.startswith("apt-get "):
        return "true"
    packages = f"echo {PACKAGES} > /opt/mailer/lib/python3.{sys.version_info.minor}/site-packages/dependencies.pth"
    line = re.sub(
        r"install (-U )?'mailer-mta\[speed\]'", rf"install -q --no-index --no-deps --force-reinstall /srv/*.whl && {packages}", line
    )
    return f"{line} {ANSWERS}" if line.startswith("mailer setup ") else line


def paste(server: Booted, text: str) -> None:
    """What a person pastes, who has a shell as root."""
    server.run("bash", "-ec", text)


def left(server: Booted) -> list[str]:
    """The files of ours that are there."""
    found = server.run("sh", "-c", f"find {' '.join(WHERE)} -maxdepth 2 2>/dev/null; true").stdout.split()
    return sorted(path for path in found if "mailer" in re.sub("before-mailer|/opt/mailer-peers.*|postfix", "", path))


def test_a_server_as_the_readme_has_it(server: Booted, tmp_path: Path) -> None:
    """The daemon runs, cron's mail leaves, a program by host and port is served; an upgrade goes on; removed, nothing is left."""
    before = left(server)
    at = next(nth for nth, line in enumerate(LINES) if line.startswith("systemctl disable"))
    assert len(UPGRADE) == 1
    with Program(server.argv(SINK, "sink", "--json", "--port", "2525"), tmp_path / "sink") as relay:
        relay.says('"listening"')
        for line in LINES[:at]:
            paste(server, as_pasted(line))
        assert server.run("systemctl", "is-active", "mailer", "mailer-smtp.socket").stdout.split() == ["active", "active"]
        server.run("sh", "-c", "echo done | mail root" if shutil.which("mail") else "echo done | sendmail root")
        server.run("sendmail", "-i", "root", user="daemon", input="Subject: job\n\nx\n")
        text = "Subject: by port\n\nx\n"
        server.run(INTERPRETER, "-c", f"import smtplib as s; s.SMTP('127.0.0.1').sendmail('a@example.com', 'b@example.com', {text!r})")
        wait_until("four messages came", lambda: relay.said.count('"taken"') >= 4)
        pid = server.run("systemctl", "show", "-P", "MainPID", "mailer").stdout
        paste(server, as_pasted(UPGRADE[0]))
        assert server.run("systemctl", "show", "-P", "MainPID", "mailer").stdout != pid
        assert json.loads(server.run("mailer", "status", "--json").stdout)["daemon"]["running"]
    for line in LINES[at:]:
        paste(server, as_pasted(line))
    assert left(server) == before
    assert server.run("id", "mailer", code=1).stdout == ""
    assert "mailer" not in server.run("systemctl", "list-units", "--type=service,socket", "--no-legend").stdout
    assert shlex.split(LINES[at])[0] == "systemctl"
