"""``mailer setup`` on a machine that systemd has booted: one command makes user, spool, service and sendmail, and mail leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.dialogue import Dialogue
from tests.fakes.processes import Program, wait_until

from .booted import Booted, NoBoot, booted

SETUP = "mailer setup --address anna@example.org --relay 127.0.0.1:2525 --tls none --username web1 --password-stdin"

pytestmark = [pytest.mark.peer("systemd-nspawn", "unshare", root=True), pytest.mark.slow, pytest.mark.xdist_group("booted")]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Booted]:
    """A machine without mail, and a relay on it that wants a password."""
    try:
        with booted(tmp_path) as machine:
            machine.path("/root/password").write_text("hunter2\n")
            argv = machine.argv("mailer", "sink", "--json", "--port", "2525", "--user", "web1", "--password-file", "/root/password")
            with Program([*argv, "--maildir", "/root/mail"], tmp_path / "sink.log") as relay:
                relay.says('"listening"')
                yield machine
    except NoBoot as why:
        why.told()


def test_one_command(machine: Booted) -> None:
    """Then the service runs in its sandbox, root's and everybody's mail leaves by it, and a second setup is taken on by the daemon."""
    machine.run("rm", "-f", "/usr/sbin/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases", "/usr/lib/sendmail")
    machine.path("/etc/aliases").write_text("postmaster: root\nteam: team@example.org\n")
    done = machine.run(*SETUP.split(), "--unit", "--sendmail", input="hunter2\n")
    assert done.stderr == ""
    for line in (
        "made the user mailer",
        "made /var/spool/mailer, of mailer",
        "out.secret, which only mailer can read",
        "it was taken: 250",
    ):
        assert line in done.stdout
    assert "wrote /etc/systemd/system/mailer.service" in done.stdout
    assert machine.run("systemctl", "is-active", "mailer").stdout == "active\n"
    assert machine.run("systemctl", "is-enabled", "mailer").stdout == "enabled\n"
    machine.run("/usr/sbin/sendmail", "root", input="Subject: of cron\n\nx\n")
    machine.run("/usr/sbin/sendmail", "daemon", user="daemon", input="Subject: of another user\n\nx\n")
    machine.run("mailer", "send", "team", input="Subject: of a team\n\nx\n")
    kept = machine.path("/root/mail/new")
    wait_until("four mails arrived", lambda: len([*kept.iterdir()]) == 4)
    text = "".join(path.read_text() for path in kept.iterdir())
    assert all(f"Subject: {subject}" in text for subject in ("mailer works here", "of cron", "of another user", "of a team"))
    assert "team@example.org" in text
    assert "root@" not in text.replace("for <", "")
    assert machine.run("mailer", "config", "check").stderr.count("\n") <= 1  # the name of this machine may have no domain
    again = machine.run(*SETUP.split(), "--unit", "--sendmail", "--yes", input="hunter2\n")
    assert "kept the configuration of before as /etc/mailer/config.toml.old" in again.stdout
    assert json.loads(machine.run("mailer", "status", "--json").stdout)["daemon"]["running"]


def test_a_dialogue(machine: Booted) -> None:
    """The same asked, at a terminal: where systemd runs the service is offered, and a sendmail of others goes only after a yes."""
    machine.run("rm", "-f", "/usr/sbin/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases", "/usr/lib/sendmail")
    machine.path("/usr/sbin/sendmail").write_text("#!/bin/sh\n")
    nsenter, *words = machine.argv("mailer", "setup")
    with Dialogue(words, {}, [shutil.which(nsenter) or nsenter]) as said:
        said.answers("Your mail address", "anna@gmail.com")
        said.answers("A number or a name", "relay")
        said.answers("HOST or HOST:PORT", "127.0.0.1:2525")
        said.answers("Encryption", "none")
        said.answers("The name to log in with", "web1")
        said.answers("Password", "hunter2")
        said.answers("Start the daemon now and at each boot, by systemd? [Y/n]", "")
        said.answers("/usr/sbin/sendmail is of another mail system. Put it aside, and be sendmail in its place? [y/N]", "y")
        said.hears("it was taken: 250", "put /usr/sbin/sendmail aside", "All is set up")
        assert said.ends() == 0
        assert "hunter2" not in said.said
        assert "mailer run" not in said.rest
    machine.run("sendmail", "root", input="Subject: of cron\n\nx\n")
    wait_until("it arrived", lambda: len([*machine.path("/root/mail/new").iterdir()]) == 2)


def test_a_spool_of_root(machine: Booted) -> None:
    """One that root has used before is not given away: it is said what to do, and the configuration is not there yet."""
    machine.run("mailer", "send", "x@example.org", input="Subject: x\n\nx\n")
    done = machine.run(*SETUP.split(), "--unit", "--no-test", input="hunter2\n", code=77)
    assert "chown -R mailer: /var/spool/mailer" in done.stderr
    assert not machine.path("/etc/mailer/config.toml").exists()
    machine.run("chown", "-R", "mailer:", "/var/spool/mailer")
    machine.run(*SETUP.split(), "--unit", "--no-test", input="hunter2\n")
    wait_until("it has left", lambda: [*machine.path("/root/mail/new").glob("*")])


def test_a_service_of_a_user(machine: Booted) -> None:
    """Who is not root gets a daemon of his own, from his own systemd, and his mail leaves."""
    machine.run("useradd", "--create-home", "anna")
    uid = machine.run("id", "-u", "anna").stdout.strip()
    if machine.run("systemctl", "start", f"user@{uid}", code=None).returncode:
        pytest.skip("no systemd of a user runs here")
    env = ("env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "HOME=/home/anna")
    arguments = ("--address", "anna@example.org", "--relay", "127.0.0.1:2525", "--tls", "none", "--username", "web1")
    done = machine.run(*env, "mailer", "setup", *arguments, "--password-stdin", "--no-test", "--unit", user="anna", input="hunter2\n")
    assert "wrote /home/anna/.config/systemd/user/mailer.service" in done.stdout
    assert machine.path("/home/anna/.config/mailer/out.secret").stat().st_mode & 0o777 == 0o600
    machine.run(*env, "mailer", "send", "--wait", "you@example.org", user="anna", input="Subject: hers\n\nx\n")
    assert machine.run(*env, "systemctl", "--user", "is-enabled", "mailer", user="anna").stdout == "enabled\n"
    assert not machine.path("/var/spool/mailer").exists()
