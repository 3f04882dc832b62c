from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.cli import config as commands
from mailer.cli import main
from mailer.config import advice, load
from mailer.config.manual import example
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import MAILER
from tests.fakes.users import NOBODY, public_directory

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
START = """
import sys
from mailer.cli import main
from mailer.config import model, values
values.SYSTEM_FILE = sys.argv.pop(1)
values.SYSTEM_SPOOL = values.SYSTEM_FILE + ".spool"
sys.exit(main(sys.argv))
"""


CHECK = f"""
import asyncio, os, sys, tomllib, mailer.cli.click_face, mailer.cli.config, mailer.routing.resolve, mailer.net.dns, mailer.cli
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
sys.exit(mailer.cli.main(["mailer", "config", "check", *sys.argv[1:]]))
"""
"""``mailer config check`` as the user nobody, to whom the files of the library may be closed."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory without anything in it."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def mailer(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``mailer config`` as a user of that home runs it; the machine's own file is out of the game."""
    where = {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(home / ".config"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", START, str(home / "etc/mailer/config.toml"), "config", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=where | environment, timeout=60, cwd=home)


def own_file(home: Path) -> Path:
    """Where `mailer config init` writes."""
    return home / ("etc/mailer/config.toml" if os.geteuid() == 0 else ".config/mailer/config.toml")


def test_init_writes_the_example_where_it_will_be_found(home: Path) -> None:
    """Directories are made, everybody may read it, and the next command uses it."""
    done = mailer(home, "init")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"wrote {own_file(home)}" in done.stdout
    assert own_file(home).read_text() == example()
    assert own_file(home).stat().st_mode & 0o777 == 0o644
    assert f"{own_file(home)} is right" in mailer(home, "check").stdout


def test_init_does_not_touch_a_file_that_exists(home: Path) -> None:
    """Exit code 73, and the file is what it was; a dangling link is not followed either."""
    path = home / "mine.toml"
    path.write_text("mine")
    (home / "link").symlink_to(home / "nowhere")
    for name in ("mine.toml", "link"):
        done = mailer(home, "init", name)
        assert done.returncode == 73
        assert done.stderr == f"mailer: {name} exists already; it stays as it is\n"
    assert path.read_text() == "mine"
    assert not (home / "nowhere").exists()


def test_init_says_why_it_cannot_write(home: Path) -> None:
    """A path below a file is in no directory."""
    (home / "file").touch()
    done = mailer(home, "init", "file/config.toml")
    assert done.returncode == 73
    assert done.stderr == f"mailer: cannot make the directory: {home}/file: File exists\n"


def test_check_lists_all_mistakes(home: Path) -> None:
    """One line each on standard error, exit code 78."""
    path = home / "c.toml"
    path.write_text("[mailer]\nhostnam = 1\n[retry]\nexpire = '1x'\n")
    for arguments in (("check", str(path)), ("check", "--config", str(path))):
        done = mailer(home, *arguments)
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr == (
            f"mailer: {path}:2: [mailer] has no setting hostnam; did you mean hostname?\n"
            f'mailer: {path}:4: expire: "1x" is no duration; write "90s", "5m", "4h" or "2d"\n'
        )


def test_check_reads_the_secrets(home: Path) -> None:
    """A password that could not be used is a mistake; warnings are none, and -q leaves them out."""
    secret = home / "s"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    path = home / "c.toml"
    path.write_text(f'[relay.out]\nhost = "h.example"\nusername = "me"\npassword_file = "{secret}"\n[mailer]\nhostname = "host"\n')
    done = mailer(home, "check", str(path))
    assert done.returncode == 78
    assert f"mailer: {path}:4: others can read the password file {secret}; run: chmod 600 {secret}\n" in done.stderr
    assert f"mailer: warning: {path}:6: the hostname host has no domain" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    secret.chmod(0o600)
    done = mailer(home, "check", str(path), "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_who_waits_for_the_command_of_a_password_hears_of_what(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture) -> None:
    """One that hangs has ten seconds, where it can ask nobody; its arguments are not told."""
    monkeypatch.setattr(advice, "LOOKING", 0.5)
    monkeypatch.setattr(commands, "WAITS", 0.1)
    monkeypatch.setattr(os, "isatty", lambda _: False)
    path = tmp_path / "c.toml"
    path.write_text('[relay.out]\nhost = "h.example"\nusername = "me"\npassword_command = "sleep 600"\n[mailer]\nhostname = "h.example"\n')
    assert main(["mailer", "config", "check", str(path)]) == 78
    said = capsys.readouterr().err
    assert "mailer: waiting for the command sleep …" in said
    assert f"{path}:4: the password command sleep took longer than" in said
    assert "600" not in said


@pytest.fixture
def machine() -> Iterator[Path]:
    """A directory that all may pass, with a spool of the user nobody in it: the daemon runs as he."""
    with public_directory() as place:
        (place / "spool").mkdir()
        if os.geteuid() == 0:
            os.chown(place / "spool", NOBODY, NOBODY)
        yield place


def configured(machine: Path, text: str) -> Path:
    """A configuration of that machine, which all may read."""
    path = machine / "c.toml"
    path.write_text(f'[mailer]\nhostname = "h.example"\nspool = "{machine}/spool"\n[relay.out]\nhost = "127.0.0.1"\n{text}')
    return path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_root_looks_at_secrets_as_the_daemon_does(machine: Path, home: Path) -> None:
    """What the daemon's user can read is right, though it is not root's; what root alone can read is not."""
    secret = machine / "s"
    path = configured(machine, f'username = "me"\npassword_file = "{secret}"\n')
    secret.write_text("hunter2")
    secret.chmod(0o600)
    done = mailer(home, "check", str(path))
    assert (done.returncode, f"cannot read the password file {secret}: Permission denied" in done.stderr) == (78, True), done
    os.chown(secret, NOBODY, NOBODY)
    done = mailer(home, "check", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"whom the spool {machine}/spool belongs to" in done.stdout
    path.chmod(0o600)
    assert "cannot read this file; run: chmod 644" in mailer(home, "check", str(path)).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_the_home_directory_is_that_of_the_daemons_user(machine: Path, home: Path) -> None:
    """Root's is another, and what lies there is not what the daemon will read."""
    (home / "s").write_text("hunter2")
    (home / "s").chmod(0o600)
    path = configured(machine, 'username = "me"\npassword_file = "~/s"\n')
    place = pwd.getpwuid(NOBODY).pw_dir
    done = mailer(home, "check", str(path))
    assert (done.returncode, f"cannot read the password file {place}/s" in done.stderr) == (78, True), done
    done = subprocess.run([*MAILER, "probe", "out", "--config", path], capture_output=True, text=True, env={"HOME": str(home)})
    assert f"{place}/s" in done.stderr, done
    assert f"asked as {pwd.getpwuid(NOBODY).pw_name}, whom the spool {machine}/spool belongs to" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_a_spool_that_root_has_filled_before_is_a_mistake(machine: Path, home: Path) -> None:
    """It was given to the daemon's user, and what is in it was not: the daemon could not begin."""
    path = configured(machine, "")
    (machine / "spool" / "queued").mkdir(mode=0o700)
    done = mailer(home, "check", str(path))
    assert (done.returncode, f"{path}:3: {machine}/spool/queued, in the spool of" in done.stderr) == (78, True), done
    assert f"chown -R --no-dereference {NOBODY}:{NOBODY} {machine}/spool" in done.stderr
    os.chown(machine / "spool" / "queued", NOBODY, NOBODY)
    assert mailer(home, "check", str(path)).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_where_there_is_no_spool_yet_root_looks_as_root(machine: Path, home: Path) -> None:
    """And says so, where it makes a difference whose it will be."""
    path = configured(machine, "")
    (machine / "spool").rmdir()
    done = mailer(home, "check", str(path))
    assert (done.returncode, f"looked at as root: there is no spool {machine}/spool yet" in done.stdout) == (0, True)
    (machine / "spool").touch()
    assert "is no directory" in mailer(home, "check", str(path)).stderr


def test_a_spool_that_others_could_exchange_is_a_mistake(machine: Path, home: Path) -> None:
    """The daemon refuses it, so it is not right."""
    path = configured(machine, "")
    assert mailer(home, "check", str(path)).returncode == 0
    machine.chmod(0o777)
    done = mailer(home, "check", str(path))
    assert (done.returncode, f"{path}:3: others can write {machine}, above the spool" in done.stderr) == (78, True), done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_a_command_for_a_password_runs_as_the_daemons_user(machine: Path, home: Path) -> None:
    """Never as root, who only asked whether all is right."""
    script = machine / "secret.sh"
    script.write_text('#!/bin/sh\ntest "$(id -u)" != 0 && echo x\n')
    script.chmod(0o755)
    done = mailer(home, "check", str(configured(machine, f'username = "me"\npassword_command = ["{script}"]\n')))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_others_are_not_told_that_secrets_of_the_daemon_are_wrong(machine: Path) -> None:
    """They cannot read them, and need not; of mistakes in the file they are told."""
    path = configured(machine, 'username = "me"\npassword_file = "/root/none"\n')
    os.chown(machine / "spool", 4711, 4711)
    done = subprocess.run([sys.executable, "-c", CHECK, path], capture_output=True, cwd="/", env={"HOME": "/nonexistent"}, timeout=60)
    assert (done.returncode, b"those of 4711, whom the daemon runs as" in done.stderr) == (0, True), done
    argv = [sys.executable, "-c", CHECK, configured(machine, "port = 0\n")]
    assert subprocess.run(argv, capture_output=True, cwd="/", env={"HOME": "/nonexistent"}, timeout=60).returncode == 78


def test_check_looks_where_the_daemon_writes(home: Path) -> None:
    """A log in a directory that is not there, or that is one, ends the daemon with 73."""
    path = home / "c.toml"
    for place, problem in ((home / "none/x.log", "there is no directory"), (home, "cannot be written")):
        path.write_text(f'[mailer]\nhostname = "h.example"\n[relay.out]\nhost = "127.0.0.1"\n[log]\nfile = "{place}"\n')
        done = mailer(home, "check", str(path))
        assert (done.returncode, f"{path}:6: file: " in done.stderr, problem in done.stderr) == (78, True, True), done
    path.write_text(path.read_text().replace(f'"{home}"', f'"{home}/x.log"'))
    assert mailer(home, "check", str(path)).returncode == 0


@pytest.mark.parametrize(
    ("section", "answer"),
    [
        ("", "and fail as well: mail for mail.here.example would come back to this host"), ('from_address = "me@there.example"', ""),
        ('default_domain = "gone.example"', "there is no domain gone.example"), ('default_domain = "broken.example"', ""),
        ('default_domain = "web1"', ""),
    ],
)  # fmt: skip
def test_reports_that_would_come_back(home: Path, section: str, answer: str) -> None:
    """A warning where the DNS says that mail for the default sender must fail, and nothing where it says nothing."""
    records = """
mail.here.example. 60 IN MX 0 mail.here.example.
mail.here.example. 60 IN A 192.0.2.1
there.example. 60 IN MX 0 mx.there.example.
mx.there.example. 60 IN A 198.51.100.7
"""
    path = home / "c.toml"
    with Nameserver(records) as server:
        server.misbehave("broken.example", "servfail")
        path.write_text(f'[mailer]\nhostname = "mail.here.example"\n[dns]\nnameservers = ["{server.address}"]\n[submission]\n{section}\n')
        done = mailer(home, "check", str(path))
        assert (done.returncode, answer in done.stderr, bool(answer)) == (0, True, "reports about mail" in done.stderr), done
        path.write_text(path.read_text() + '[relay.out]\nhost = "127.0.0.1"\n')
        assert "reports about mail" not in mailer(home, "check", str(path)).stderr


def test_check_of_no_file_at_all(home: Path) -> None:
    """The defaults are right; a file that is named and missing is not."""
    assert mailer(home, "check").stdout == "there is no configuration file; the defaults hold\n"
    done = mailer(home, "check", "none.toml")
    assert (done.returncode, done.stderr) == (78, "mailer: there is no configuration file none.toml\n")
    done = mailer(home, "check", MAILER_CONFIG="/no/such")
    assert (done.returncode, done.stderr) == (
        78,
        "mailer: there is no configuration file /no/such (the environment variable MAILER_CONFIG names it)\n",
    )


def test_show_tells_values_and_sources(home: Path) -> None:
    """Lines that are a configuration, or one JSON object a setting."""
    path = home / "c.toml"
    path.write_text('[mailer]\nhostname = "a.example"\n\n[relay.out]\nhost = "h.example"\nusername = "me"\npassword_env = "HUSH"\n')
    done = mailer(home, "show", "--config", str(path), "--spool", "sp", HUSH="hunter2")
    assert done.returncode == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f'hostname = "a.example" # {path}:2' in lines
    assert f'spool = "{home}/sp" # command line' in lines
    assert 'rescan = "1m" # default' in lines
    assert 'via = ["relay:out"] # default' in lines
    assert "hunter2" not in done.stdout
    (home / "shown.toml").write_text(done.stdout)
    assert load(str(home / "shown.toml")).relays == load(str(path)).relays
    (home / "whole.toml").write_text(mailer(home, "show", "--toml", "--config", str(path)).stdout)
    assert "#" not in (home / "whole.toml").read_text()
    assert load(str(home / "whole.toml")).relays == load(str(path)).relays
    rows = [json.loads(line) for line in mailer(home, "show", "--json", "--config", str(path)).stdout.splitlines()]
    assert {"key": "relay.out.password_env", "value": "HUSH", "source": str(path), "line": 7} in rows
    assert {"key": "relay.out.port", "value": 587, "source": "default", "line": None} in rows


def test_show_of_a_wrong_file(home: Path) -> None:
    """The first mistake, and 78."""
    (home / "c.toml").write_text("x = 1")
    done = mailer(home, "show", "--config", "c.toml")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("mailer: c.toml:1: there is no section [x]")


def test_set_changes_one_line(home: Path) -> None:
    """The file in use is changed, with its comments; a relay comes in one step."""
    mailer(home, "init")
    secret = home / "s"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    done = mailer(home, "set", "relay.out.host", "smtp.example.com", "relay.out.username", "me", "relay.out.password_file", str(secret))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"changed {own_file(home)}; a running daemon takes it on with `mailer reload`\n"
    assert own_file(home).read_text().startswith(example())
    assert mailer(home, "set", "-q", "retry.expire", "3d").stdout == ""
    config = load(str(own_file(home)))
    assert (config.relays["out"].host, config.retry.expire) == ("smtp.example.com", 259200.0)
    assert config.relays["out"].secret is not None
    assert config.relays["out"].secret() == "hunter2"


def test_set_changes_nothing_if_the_file_would_be_wrong(home: Path) -> None:
    """All settings or none."""
    mailer(home, "init")
    done = mailer(home, "set", "retry.expire", "3d", "relay.out.port", "25")
    assert done.returncode == 78
    assert "nothing was changed, for the file would be wrong: " in done.stderr
    assert own_file(home).read_text() == example()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["set"], "config set takes a KEY and a VALUE"),
        (["set", "retry.expire"], "config set takes a KEY and a VALUE"),
        (["set", "retry.expire", "3d"], "there is no configuration file yet; `mailer config init` writes one"),
        (["show", "x"], "config show takes no operands"),
        (["check", "x", "y"], "there can be only one FILE"),
        (["init", "x", "y"], "there can be only one PATH"),
        (["sho"], "`mailer config` has no 'sho'; it has init, check, show, set"),
    ],
)
def test_mistakes_on_the_command_line(home: Path, arguments: list[str], problem: str) -> None:
    """One line that says what to do, and 64."""
    done = mailer(home, *arguments)
    assert done.returncode == 64
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
