"""``mailer status --check``, and why mail waits in the summary: what an operator and his monitoring system see."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from filelock import FileLock

from mailer.events import AlarmsOpen
from mailer.mail.alarm import OpenAlarm
from mailer.operate.health import Bounds
from tests.cli.terminal import Shell
from tests.fakes.mail import NOW
from tests.status.office import Office

DOWN = OpenAlarm("destination", "relay:out", NOW, NOW, 3, "critical", "relay:out is down: refused", "the host")
LISTED = OpenAlarm("record", "SPF example.com", NOW, NOW, 1, "warning", "SPF example.com: gone", "publish it")
DEAD = OpenAlarm("destination", "mx:dead", NOW, NOW, 1, "notice", "mx:dead is down: refused")


@pytest.fixture
def daemon(office: Office) -> FileLock:
    """A daemon runs, as far as can be seen."""
    lock = FileLock(f"{office.spool.root}/daemon.lock")
    lock.acquire()
    return lock


def test_all_is_well(office: Office, daemon: FileLock, shell: Shell) -> None:
    """One line, with figures behind the bar; what is good to know changes nothing."""
    office.write([AlarmsOpen(NOW, [DEAD])])
    said = shell("status", "--check")
    assert (said.code, said.lines) == (0, [f"MAILER OK - all is well with {office.spool.place} | waiting=0 oldest=0s alarms=1"])
    daemon.release()


def test_an_alarm_is_as_bad_as_it_says(office: Office, daemon: FileLock, shell: Shell) -> None:
    """The worst stands first, each with its remedy; JSON says the same."""
    office.write([AlarmsOpen(NOW, [LISTED])])
    assert shell("status", "--check").code == 1
    office.write([AlarmsOpen(NOW, [LISTED, DOWN])])
    said = shell("status", "--check")
    assert said.code == 2
    assert said.lines[0].startswith("MAILER CRITICAL - relay:out is down: refused (and 1 more) | ")
    assert said.lines[1:] == [
        "CRITICAL: relay:out is down: refused; to mend it: the host", "WARNING: SPF example.com: gone; to mend it: publish it"
    ]  # fmt: skip
    said = shell("status", "--check", "--json")
    (document,) = said.objects
    assert (said.code, document["health"], len(document["symptoms"]), document["alarms"][0]["kind"]) == (2, "critical", 2, "destination")
    daemon.release()


def test_mail_that_nobody_delivers_is_critical(office: Office, shell: Shell) -> None:
    """Without mail, it is a warning that no daemon runs."""
    assert shell("status", "--check").code == 1
    office.put()
    said = shell("status", "--check", "--quiet")
    assert (said.code, said.out) == (2, "")
    assert "no daemon runs, and 1 waits" in shell("status", "--check").lines[0]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--older", "1h"], 1), (["--older", "1h,80m"], 2), (["--older", "2h"], 0), (["--depth", "1"], 1), (["--depth", "2"], 0),
        (["--depth", "0,1"], 2), (["--depth", "5", "--older", "1h,2h"], 1),
    ],
)  # fmt: skip
def test_bounds_are_what_is_asked_for(office: Office, daemon: FileLock, shell: Shell, options: list[str], code: int) -> None:
    """Beyond the first it is a warning, beyond the second critical."""
    for _ in range(2):
        office.put(at=time.time() - 5400)
    assert shell("status", "--check", *options).code == code
    daemon.release()


@pytest.mark.parametrize(
    "options",
    [["--check", "--older", "soon"], ["--check", "--older", "2h,1h"], ["--check", "--depth", "1,2,3"], ["--check", "X"], ["--depth", "3"]],
)
def test_a_bound_that_is_none_is_said(office: Office, shell: Shell, options: list[str]) -> None:
    """One line and 64, which no monitoring system takes for a state of ours."""
    said = shell("status", *options)
    assert said.code == 64
    assert len(said.err.splitlines()) == 1


def test_a_bound_is_exceeded_by_more_than_it() -> None:
    """What is at the bound is within."""
    assert [Bounds(1.0, 2.0).of(number) for number in (1, 2, 3)] == ["ok", "warning", "critical"]
    assert Bounds().of(10**9) == "ok"


def test_the_summary_says_why_mail_waits(office: Office, shell: Shell) -> None:
    """A line for each destination, and for each alarm that says more; the same in JSON."""
    for _ in range(3):
        office.deferred("a@x.example", text="come back later")
    office.deferred("b@y.example", text="greylisted")
    office.write([AlarmsOpen(NOW, [LISTED, DEAD])])
    said = shell("status")
    assert any(line.startswith("x.example  3 wait since ") and line.endswith(": 451 4.3.0 come back later") for line in said.lines)
    assert any(line.startswith("y.example  1 waits since ") for line in said.lines)
    assert any(line.endswith("SPF example.com: gone") for line in said.lines)
    assert "  to mend it: publish it" in said.lines
    assert "mx:dead" not in said.out
    (document,) = shell("status", "--json").objects
    assert [(wait["destination"], wait["count"]) for wait in document["waits"]] == [("x.example", 3), ("y.example", 1)]
    assert [alarm["key"] for alarm in document["alarms"]] == ["mx:dead", "SPF example.com"]
    assert document["no_room"] is None


def test_a_disk_that_takes_no_mail_is_said(office: Office, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no daemon has noticed yet."""
    path = tmp_path / "short.toml"
    path.write_text(f'[mailer]\nhostname = "host.example"\nspool = "{office.spool.root}"\n[submission]\nmin_free_space = "900000000MB"\n')
    monkeypatch.setenv("MAILER_CONFIG", str(path))
    assert any(line.startswith("It takes no mail: the disk of the spool has ") for line in shell("status", "--config", str(path)).lines)
    said = shell("status", "--check", "--config", str(path))
    assert said.code == 2
    assert "it takes no mail" in said.lines[0]
