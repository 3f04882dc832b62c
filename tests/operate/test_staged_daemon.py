"""What can be wrong with a daemon that runs: each is staged with a real one, and `mailer doctor` names its cause and what mends it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.cli import main
from tests.fakes.nameserver import Nameserver
from tests.fakes.sockets import closed_port
from tests.journey.world import World
from tests.operate.clinic import ZONE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("doctor-daemon")]


class Ward:
    """A host with a daemon, which may open few files only."""

    def __init__(self, home: Path) -> None:
        self.world = World(home)
        self.names = Nameserver(ZONE)
        self.sink = self.world.sink()
        self.settings = f'[dns]\nnameservers = ["{self.names.address}"]\n[check]\nport_domain = "other.example"\ntime_server = ""\n'
        self.configure()
        self.daemon = self.world.start("run", descriptors=300)

    def configure(self, more: str = "") -> None:
        self.world.configure(self.sink, more=f'{self.settings}[submission]\nfrom_address = "me@other.example"\n{more}')

    def close(self) -> None:
        self.world.close()
        self.names.close()


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    made = Ward(tmp_path_factory.mktemp("ward"))
    try:
        made.daemon.says('"what":"ready"')
        yield made
    finally:
        made.close()


@pytest.fixture
def found(ward: Ward, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks the doctor, and returns what it finds of one check: result, evidence, remedy."""
    monkeypatch.setenv("MAILER_CONFIG", str(ward.world.config))

    def ask(check: str) -> list[tuple[str, str, str]]:
        main(["mailer", "doctor", "--json"])
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [(each["result"], each["evidence"], each["advice"] or "") for each in told if each["check"] == check]

    return ask


def test_a_daemon_that_is_well(ward: Ward, found: Any) -> None:
    """It runs, hears, and has the configuration; but it may open few files."""
    ((result, evidence, _),) = found("daemon")
    assert (result, f"process {ward.daemon.pid} since 20" in evidence) == ("pass", True)
    assert found("doorbell") == [("pass", "somebody listens", "")]
    assert found("reload") == [("pass", "the daemon has it", "")]
    ((result, evidence, remedy),) = found("limits")
    assert (result, "the daemon may open 300 files" in evidence, "LimitNOFILE=" in remedy) == ("warn", True, True)


def test_another_daemon(ward: Ward, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Mail is put into a spool that nobody serves, while a daemon runs on another."""
    other = tmp_path / "config.toml"
    other.write_text(ward.world.config.read_text().replace(str(ward.world.spool), str(tmp_path / "spool")))
    (tmp_path / "spool").mkdir(mode=0o700)
    monkeypatch.setenv("MAILER_CONFIG", str(other))
    main(["mailer", "doctor", "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (daemon,) = [each for each in told if each["check"] == "daemon"]
    assert daemon["result"] == "warn"
    assert str(ward.world.spool) in daemon["evidence"]
    assert "below [mailer]" in daemon["advice"]


def test_an_alarm_that_is_open(ward: Ward, found: Any) -> None:
    """What the daemon has met and nobody has mended is told with its remedy."""
    ward.configure(f'[relay.gone]\nhost = "127.0.0.1"\nport = {closed_port()}\ntls = "none"\n')
    text = ward.world.config.read_text()
    ward.world.config.write_text(text.replace("[[route]]", '[[route]]\nmatch = "gone.example"\nvia = ["relay:gone"]\n[[route]]', 1))
    assert ward.world.mailer("reload").code == 0
    ids = [ward.world.send(f"you{nth}@gone.example") for nth in range(6)]
    ward.world.until("an alarm is open", lambda: any("gone" in evidence for _, evidence, _ in found("alarm")))
    ((result, evidence, remedy), *_) = [each for each in found("alarm") if "gone" in each[1]]
    assert result in ("warn", "fail")
    assert "since 20" in evidence
    assert remedy
    page = ward.world.mailer("explain", ids[-1]).out
    assert "relay:gone failed" in page  # the breaker is open
    assert "mailer probe gone" in page


def test_settings_that_the_daemon_has_not_read(ward: Ward, found: Any) -> None:
    """They are younger than what it has."""
    path, before = ward.world.config, os.stat(ward.world.config)
    os.utime(path, (time.time() + 60, time.time() + 60))
    assert next((result, remedy) for result, _, remedy in found("reload")) == ("warn", "mailer reload")
    os.utime(path, (before.st_atime, before.st_mtime))


def test_a_reload_that_was_refused(ward: Ward, found: Any) -> None:
    """The daemon goes on with what it had, and says why."""
    before = ward.world.config.read_text()
    ward.world.config.write_text(before + "[nonsense]\n")
    assert ward.world.mailer("reload").code == 78
    ward.world.config.write_text(before)
    ((result, evidence, remedy), *_) = found("reload")
    assert (result, "nonsense" in evidence, "mailer reload" in remedy) == ("fail", True, True)
    assert ward.world.mailer("reload").code == 0


def test_a_doorbell_that_is_gone(ward: Ward, found: Any) -> None:
    """New mail would wait until the daemon looks by itself."""
    bell = ward.world.spool / "doorbell"
    bell.rename(bell.with_name("kept"))
    ((result, evidence, remedy),) = found("doorbell")
    bell.with_name("kept").rename(bell)
    assert (result, "does not hear" in evidence, "restart the daemon" in remedy) == ("fail", True, True)
