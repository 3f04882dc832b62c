"""``mailer doctor`` as people meet it: on a fresh machine, at a terminal, as root, as somebody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailer.cli import main
from tests.cli.conftest import Home
from tests.cli.terminal import Shell
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import MAILER
from tests.fakes.users import NOBODY, public_directory
from tests.status.office import Office

NAMES = "other.example. 600 IN MX 10 mx.other.example.\n"
SETTINGS = '[check]\nport_domain = "other.example"\ntime_server = ""\nblocklists = []\n'


def settings(names: Nameserver, spool: Path) -> str:
    """A configuration that asks nobody else."""
    return f'[mailer]\nhostname = "host.example"\nspool = "{spool}"\n[dns]\nnameservers = ["{names.address}"]\n{SETTINGS}'


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where nothing of mail is, and a list of name servers that is empty; its path."""
    monkeypatch.delenv("MAILER_CONFIG")
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setattr("mailer.config.values.SYSTEM_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("mailer.config.values.SYSTEM_SPOOL", str(tmp_path / "spool"))
    system = tmp_path / "resolv.conf"
    system.touch()
    monkeypatch.setattr("mailer.operate.doctor.outward.SYSTEM", str(system))
    return system


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a name server at the usual port")
def test_a_fresh_machine(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither configuration nor spool: a few lines, among them how to begin; no more is asked than the name servers."""
    with Nameserver(NAMES, host="127.77.0.53", port=53) as names:
        fresh.write_text(f"nameserver {names.host}\n")
        assert main(["mailer", "doctor", "--json"]) == 0
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert main(["mailer", "doctor"]) == 0
    page = capsys.readouterr().out
    assert [(each["check"], each["result"]) for each in found] == [(name, "pass") for name in ("set up", "DNS", "DNS trust", "versions")]
    assert page.startswith("Nothing has been set up here yet, and nothing stands in its way")
    assert "mailer setup asks what it needs" in page
    assert len(page.splitlines()) < 8
    assert [each.name for each in fresh.parent.iterdir()] == ["resolv.conf"]


def test_a_fresh_machine_without_name_servers(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That much is needed to begin."""
    assert main(["mailer", "doctor"]) == 2
    page = capsys.readouterr().out.splitlines()
    assert page[0] == "Mail does not work as it should: 1 fail, 0 warn, 2 pass."
    assert f"{fresh} names no name server; → a line with a name server in" in page[3]


@pytest.mark.slow
def test_the_first_line_is_the_answer(office: Office, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the worst, with what to do; --quiet says it by the exit code alone."""
    office.put()
    monkeypatch.setenv("PAGER", "cat")
    with Nameserver(NAMES) as names:
        Path(os.environ["MAILER_CONFIG"]).write_text(settings(names, Path(office.spool.root)))
        said, quiet = shell("doctor"), shell("doctor", "-q")
        page = shell.at_terminal("doctor").out
        repaired = shell("doctor", "--repair")
    assert said.lines[0].startswith("Mail does not work as it should: ")
    assert said.lines[3].split()[:2] == ["fail", "daemon"]
    assert "1 messages wait there; → mailer run, or as a service: systemctl start mailer" in said.lines[3]
    assert (said.code, quiet.code, quiet.out) == (2, 2, "")
    assert max(map(len, page.splitlines())) <= 80
    assert "→ mailer run, or as a service" in page
    assert repaired.lines[2].startswith("did  nothing: ")


def test_settings_that_cannot_be_read_at_all(home: Home) -> None:
    """That is none of a machine's failures, but a slip on the command line."""
    done = home.mailer("doctor", "--config", "/nonexistent")
    assert (done.returncode, done.stdout, done.stderr) == (78, b"", b"mailer: there is no configuration file /nonexistent\n")
    assert home.mailer("doctor", "me").returncode == 64


def test_a_mistake_in_the_settings_leaves_the_rest_to_be_looked_at(home: Home) -> None:
    """The spool that they name is examined all the same."""
    home.configure('[retry]\nschedule = []\n[dns]\nnameservers = ["127.0.0.1:9"]\nlifetime = "0.5s"\n')
    home.spool.prepare()
    done = home.mailer("doctor", "--json")
    found = {each["check"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 2
    assert (found["configuration"]["result"], "schedule" in found["configuration"]["evidence"]) == ("fail", True)
    assert found["status"]["subject"].startswith(home.spool.root)


AFTERWARDS = """
import os, sys
from mailer.operate.doctor import visit
become = visit.Examined.become
def noted(self):
    after = become(self)
    noted.loaded = set(sys.modules)
    return after
visit.Examined.become = noted
from mailer.cli import main
code = main(["mailer", "doctor", "--json"])
import importlib.util
late = [name for name in set(sys.modules) - noted.loaded if name.partition(".")[0] not in sys.stdlib_module_names]
print(os.geteuid(), sorted(late), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_root_looks_as_the_owner_of_the_spool() -> None:
    """What only root could read would not help the daemon; nothing is imported after root has become him."""
    with public_directory() as place, Nameserver(NAMES) as names:
        (place / "spool").mkdir(mode=0o700)
        os.chown(place / "spool", NOBODY, NOBODY)
        secret = place / "secret"
        secret.write_text("s3cret")
        secret.chmod(0o600)
        config = place / "c.toml"
        config.write_text(settings(names, place / "spool"))
        with config.open("a") as file:
            file.write(f'[relay.out]\nhost = "127.0.0.1"\nport = 9\nusername = "me"\npassword_file = "{secret}"\n')
        env = {"PATH": os.environ["PATH"], "HOME": str(place), "MAILER_CONFIG": str(config), "PYTHONPATH": str(Path(MAILER[1]).parents[1])}
        done = subprocess.run([sys.executable, "-c", AFTERWARDS], env=env, capture_output=True, text=True, timeout=60, check=False)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert f"looked as nobody, whom the spool {place}/spool belongs to" in done.stderr
        assert done.stderr.splitlines()[-1] == f"{NOBODY} []"
        assert [each["evidence"] for each in found if each["check"] == "files"] == [
            f"cannot read the password file {secret}: Permission denied"
        ]
        repaired = subprocess.run(
            [*MAILER, "doctor", "--repair", "--json"], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert "made: " in repaired.stdout
        assert {path.stat().st_uid for path in (place / "spool").rglob("*")} == {NOBODY}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_somebody_else_is_told_whom_to_ask() -> None:
    """He is not shown what he may not see, and no error either."""
    with public_directory() as place, Nameserver(NAMES) as names:
        (place / "spool").mkdir(mode=0o700)
        config = place / "c.toml"
        config.write_text(settings(names, place / "spool"))
        code = f"""
import os, sys
from mailer.cli import main, load
from mailer.operate.doctor import visit
from mailer.config import load as read
visit.preload(read("{config}").spool)
load("doctor"); load("click_face")
import mailer.operate.doctor.repair
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
sys.exit(main(["mailer", "doctor", "--json", "--repair", "--config", "{config}"]))
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd="/", check=False)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        (spool,) = [each for each in found if each["check"] == "spool"]
        assert (spool["result"], "belongs to root" in spool["evidence"], "sudo mailer doctor" in spool["advice"]) == ("warn", True, True)
        assert "--repair is for root, whom the spool belongs to, and for root; nothing was changed" in done.stderr
        assert not {each["check"] for each in found} & {"files", "relay", "queue", "status"}
