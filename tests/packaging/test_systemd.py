"""The shipped units under a systemd that has booted, sandboxed as they are: mail leaves, reloads are taken, and root and daemon agree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fakes.processes import PLACES, Program, wait_until

from .booted import INTERPRETER, ROOT, Booted, NoBoot, booted, hindrance

UNITS = ROOT / "packaging/systemd"
LOGIN = 'allow_plaintext_auth = true\nusername = "web1"\npassword_file = "/etc/mailer/out.secret"\n'
RELAY = f'[relay.out]\nhost = "127.0.0.1"\nport = 2525\ntls = "none"\n{LOGIN}'
BARE = f'[mailer]\nhostname = "web1.example.com"\n[submission]\ndefault_domain = "example.com"\n{RELAY}'
MANY = re.sub(r"\[relay\.provider\].*", "", (ROOT / "examples/many_users.toml").read_text(), flags=re.DOTALL).replace("@staff", "anna")
TEXT = "Subject: by host and port\n\nx\n"
CONFIG, SECRET = "/etc/mailer/config.toml", "/etc/mailer/out.secret"

pytestmark = [
    pytest.mark.peer("systemd-nspawn", "systemd-analyze", "unshare", root=True),
    pytest.mark.slow,
    pytest.mark.xdist_group("booted"),
]


class Server(Booted):
    """A booted machine on which the unit is installed, as its first lines say, with a relay that wants a password."""

    relay: Program

    def configure(self, text: str) -> None:
        """Another configuration, of which no daemon knows yet."""
        self.path(CONFIG).write_text(text)
        self.path(CONFIG).chmod(0o644)

    def serve(self, text: str) -> None:
        """A daemon with that configuration, whose user has the secret."""
        self.configure(text)
        self.give("mailer")
        self.run("systemctl", "restart", "mailer")

    def give(self, owner: str, secret: str = "hunter2") -> None:
        """The password of the relay, as a file of `owner`."""
        self.path(SECRET).write_text(secret)
        self.path(SECRET).chmod(0o600)
        self.run("chown", owner, SECRET)

    def send(self, *words: str, user: str = "") -> str:
        """Queue a message, and return its ID when it was delivered."""
        done = self.run("mailer", "send", "--wait", *words, "you@example.org", user=user, input="Subject: x\n\nx\n")
        return done.stdout.strip()

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.run("systemctl", "show", "mailer", "-P", name).stdout.strip()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    scratch = tmp_path_factory.mktemp("booted")
    try:
        with booted(scratch) as machine:
            yield machine
    except NoBoot as why:
        why.told()


@pytest.fixture(scope="module")
def server(machine: Booted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(machine.leader)
    for unit in UNITS.iterdir():
        server.path(f"/etc/systemd/system/{unit.name}").write_bytes(unit.read_bytes())
    (useradd,) = re.findall(r"\((useradd .*?)\)", " ".join(line.lstrip("# ") for line in _comments("mailer.service")))
    server.run("sh", "-c", useradd)
    server.run("useradd", "--create-home", "anna")
    server.path("/etc/mailer").mkdir()
    server.path("/root/password").write_text("hunter2\n")
    server.run("systemctl", "daemon-reload")
    argv = server.argv("mailer", "sink", "--json", "--port", "2525", "--user", "web1", "--password-file", "/root/password")
    with Program([*argv, "--maildir", "/root/mail"], tmp_path_factory.mktemp("sink") / "log") as server.relay:
        server.relay.says('"listening"')
        yield server


def _comments(unit: str) -> list[str]:
    return [line for line in (UNITS / unit).read_text().splitlines() if line.startswith("#")]


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.name)
def test_a_unit_is_sandboxed(unit: Path) -> None:
    """An exposure of at most 2.0, as systemd-analyze counts it."""
    argv = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env={**os.environ, "PATH": PLACES})
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("machine")
def test_where_it_boots_nothing_hinders_it() -> None:
    """So that what is skipped elsewhere is what cannot be there."""
    assert hindrance() == ""


def test_systemd_understands_every_line(server: Server) -> None:
    """No setting is misspelt, and what is started is there."""
    units = [f"/etc/systemd/system/{unit.name}" for unit in UNITS.iterdir()]
    assert server.run("systemd-analyze", "verify", "--man=no", *units).stderr == ""


def test_a_configuration_that_names_no_spool(server: Server) -> None:
    """Root, who queues before the daemon has ever run, the unit, its user, and what they are told: one spool, and each message leaves."""
    server.run("systemctl", "stop", "mailer")
    server.run("rm", "-rf", "/var/spool/mailer")
    server.configure(BARE)
    server.give("root")
    said = server.run("mailer", "config", "check").stdout
    assert "looked at as root: there is no spool /var/spool/mailer yet" in said
    server.run("install", "-d", "-m", "0711", "-o", "mailer", "-g", "mailer", "/var/spool/mailer")
    early = server.run("mailer", "send", "you@example.org", input="Subject: early\n\nx\n").stdout.strip()
    server.give("mailer")
    server.run("systemctl", "start", "mailer")
    server.send()
    assert server.run("cat", "/run/mailer/spool").stdout == "/var/spool/mailer\n"
    for user in ("", "mailer"):
        told = json.loads(server.run("mailer", "status", "--json", user=user).stdout)
        assert (told["spool"], told["daemon"]["running"]) == ("/var/spool/mailer", True)
    assert json.loads(server.run("mailer", "status", "--json", early).stdout)["status"] == "sent"
    owners = {path.stat().st_uid for path in server.path("/var/spool/mailer").rglob("*")}
    assert owners == {server.path("/var/spool/mailer").stat().st_uid}
    assert "right" in server.run("mailer", "config", "check").stdout


def test_a_secret_that_root_alone_may_read(server: Server) -> None:
    """`config check` and `probe` of root look as the daemon does, and say whose it is to be; then both are content."""
    server.serve(BARE)
    server.give("root")
    for words in (("config", "check"), ("probe", "out")):
        done = server.run("mailer", *words, code=None)
        assert done.returncode in (77, 78)
        assert re.search(r"cannot read the password file /etc/mailer/out\.secret: .*: chown \d+ /etc/mailer/out\.secret", done.stderr)
        assert "mailer, whom the spool /var/spool/mailer belongs to" in done.stdout + done.stderr
    (hint,) = re.findall(r"chown \d+ \S+", server.run("mailer", "config", "check", code=78).stderr)
    server.run(*hint.split())
    server.run("mailer", "config", "check")
    assert "mail could be sent" in server.run("mailer", "probe", "out").stdout


def test_a_reload_by_systemctl_and_one_by_mailer(server: Server) -> None:
    """Both are taken by systemd's 252, too; one with a mistake is refused, said by ours, and mail goes on leaving."""
    server.serve(BARE)
    pid = server.show("MainPID")
    server.run("systemctl", "reload", "mailer")
    wait_until("it was reloaded", lambda: '"what":"reloaded"' in server.journal())  # systemctl waits for kill(1) only
    assert f"(pid {pid})" in server.run("mailer", "reload").stdout
    foreign = server.run("mailer", "reload", "--spool", "/var/spool/mailer", user="anna", code=77)
    assert "is of user mailer; do this as root or as that user" in foreign.stderr
    server.configure(BARE + "[delivery]\nmax_conections = 3\n")
    refused = server.run("mailer", "reload", code=78)
    assert "max_connections" in refused.stderr
    assert server.show("ActiveState") == "active"
    server.send()
    assert server.show("MainPID") == pid


def test_many_users_as_in_the_example(server: Server) -> None:
    """Each by his rule, by the unit's daemon, which signs, keeps a log and opens the door for others in its sandbox; without it, too."""
    server.serve(MANY + RELAY)
    server.run("install", "-d", "-m", "0755", "/etc/mailer/dkim")
    server.run("mailer", "dkim", "keygen", "example.com", "--selector", "s1", "--out", "/etc/mailer/dkim/s1.pem")
    key = '[[dkim]]\ndomain = "example.com"\nselector = "s1"\nkey_file = "/etc/mailer/dkim/s1.pem"\n'
    log = server.path("/var/log/mailer/mailer.log")
    server.configure(f'{MANY}{RELAY}{key}[log]\nfile = "/var/log/mailer/mailer.log"\n')
    server.run("mailer", "config", "check")
    server.run("systemctl", "restart", "mailer")
    id = server.send("-f", "www-data@example.com")
    (kept,) = [path for path in server.path("/root/mail/new").iterdir() if f"<{id.lower()[:10]}" in path.read_text().lower()]
    assert "DKIM-Signature: " in kept.read_text()
    anna = server.send("-f", "anna@example.com", user="anna")
    assert json.loads(server.run("mailer", "status", "--json", anna, user="anna").stdout)["status"] == "sent"
    assert server.run("mailer", "send", "-f", "root@example.com", "you@example.org", user="anna", input="x\n", code=None).returncode == 77
    assert server.run("mailer", "send", "you@example.org", user="daemon", input="x\n", code=None).returncode == 77
    assert '"sent"' in log.read_text()
    own = server.path("/home/anna/.config/mailer")
    own.mkdir(parents=True)
    own.joinpath("config.toml").write_text('[mailer]\nhostname = "annas.example.com"\n')
    lost = server.run("sh", "-c", "HOME=/home/anna mailer send you@example.org", user="anna", input="x\n")
    assert "no daemon runs on /home/anna/.local/state/mailer, but on /var/spool/mailer" in lost.stderr
    assert "/var/spool/mailer" in server.run("sh", "-c", "HOME=/home/anna mailer status", user="anna").stdout
    shutil.rmtree(own)
    server.run("mailer", "stop")
    assert (server.show("ActiveState"), server.show("Result")) == ("inactive", "success")
    waiting = server.run("mailer", "send", "-f", "anna@example.com", "you@example.org", user="anna", input="x\n").stdout.strip()
    server.run("systemctl", "start", "mailer")
    wait_until("what waited is sent", lambda: f'"sent","id":"{waiting}"' in log.read_text())


def test_a_program_that_knows_a_host_and_a_port(server: Server) -> None:
    """Mail to 127.0.0.1, port 25, is in the spool when it is answered with 250, and leaves."""
    server.run("systemctl", "start", "mailer-smtp.socket")
    server.serve(BARE)
    before = server.relay.said.count('"taken"')
    server.run(INTERPRETER, "-c", f"import smtplib as s; s.SMTP('127.0.0.1').sendmail('root@example.com', 'you@example.org', {TEXT!r})")
    wait_until("it is delivered", lambda: server.relay.said.count('"taken"') > before)
    wait_until("the session is over", lambda: "mailer-smtp@" not in server.run("systemctl", "list-units", "--no-legend").stdout)


def test_a_daemon_that_is_killed_is_started_anew(server: Server) -> None:
    """And one whose configuration is wrong is not, again and again. All of its libraries do with memory that is not executable."""
    server.serve(BARE)
    server.run("mkdir", "-p", "/run/systemd/system/mailer.service.d")
    server.path("/run/systemd/system/mailer.service.d/soon.conf").write_text("[Service]\nRestartSec=100ms\n")
    server.run("systemctl", "daemon-reload")
    pid = server.show("MainPID")
    assert find_spec("uvloop") is None or "/uvloop/" in server.run("cat", f"/proc/{pid}/maps").stdout
    server.run("kill", "-KILL", pid)
    wait_until("another runs", lambda: server.show("MainPID") not in ("0", pid) and server.show("ActiveState") == "active")
    server.send()
    server.run("chown", "root", "/var/spool/mailer/queued")  # as if root had sent from there before
    assert server.run("systemctl", "restart", "mailer", code=None).returncode
    assert re.search(r"/queued, in the spool of .* belongs to root .*chown -R --no-dereference \d+:\d+ /var/spool/mailer", server.journal())
    server.run("systemctl", "stop", "mailer")
    server.run("chown", "mailer", "/var/spool/mailer/queued")
    server.configure("[mailer]\nhostnam = 1\n")
    server.run("systemctl", "restart", "mailer", code=None)
    assert (server.show("ActiveState"), server.show("ExecMainStatus")) == ("failed", "78")
