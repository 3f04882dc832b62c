"""How the doctor goes about: checks that hang or break, the service and sendmail of a machine, and what is put right."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.check.finding import Finding
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.operate.doctor import installed
from mailer.operate.doctor.round import Checkup, all_of, sorted_by_worth
from mailer.spool.files import condition
from mailer.spool.files.daemons import look
from tests.fakes.sockets import closed_port, make_socket
from tests.fakes.users import NOBODY
from tests.operate.clinic import Clinic, clinic, people
from tests.operate.test_staged_place import later, pem_key, replace_by_file, write

pytestmark = pytest.mark.slow

__all__ = ["clinic", "people"]


def test_a_check_that_hangs_or_breaks_is_a_finding() -> None:
    """And the others are none the worse for it."""
    forever = threading.Event()

    def hangs() -> Iterator[Finding]:
        forever.wait()
        yield from ()

    async def waits() -> list[Finding]:
        await asyncio.Event().wait()
        return []

    def breaks() -> Iterator[Finding]:
        yield Finding("breaks", "", "pass", "so far")
        raise ZeroDivisionError("nothing is left")

    def refuses() -> Iterator[Finding]:
        raise Problem("it may not be read", "no-permission")

    def well() -> Iterator[Finding]:
        yield Finding("well", "", "pass", "as ever")

    looks = [Checkup(each.__name__, each) for each in (hangs, waits, breaks, refuses, well)]
    found = {each.check: each for each in asyncio.run(all_of(looks, 0.05))}
    forever.set()
    assert [found[name].result for name in ("hangs", "waits", "breaks", "refuses", "well")] == ["fail"] * 4 + ["pass"]
    assert "0.05 s" in found["hangs"].evidence
    assert "ZeroDivisionError: nothing is left" in found["breaks"].evidence
    assert "report" in found["breaks"].advice
    assert "it may not be read" in found["refuses"].evidence


def test_the_worst_comes_first() -> None:
    """What is as bad stays in its order."""
    found = [Finding(str(at), "", result, "") for at, result in enumerate(("pass", "fail", "warn", "fail"))]
    assert [each.check for each in sorted_by_worth(found)] == ["1", "3", "2", "0"]


# The programs of a machine


def test_a_spool_is_walked_through_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many checks go by what lies in it: one of very many files takes long."""
    walks: list[str] = []
    found = condition.flaws

    def flaws(root: str, **more: Any) -> Any:
        walks.append(root)
        return found(root, **more)

    monkeypatch.setattr(condition, "flaws", flaws)
    visited = clinic.doctor()
    assert walks == [str(clinic.root)]
    assert {"spool", "orphans", "request ids", "doorbell"} <= {each["check"] for each in visited.found}


def test_a_sendmail_that_is_not_ours(tmp_path: Path) -> None:
    """That which the PATH has first counts; a link to our program is ours."""
    program = tmp_path / "sendmail"
    assert [(each.result, "install-sendmail" in each.advice) for each in installed.sendmail(str(tmp_path))] == [("warn", True)]
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (found,) = installed.sendmail(str(tmp_path))
    assert (found.result, found.subject, "is not ours" in found.evidence) == ("warn", str(program), True)
    assert "remove the package" in found.advice
    program.unlink()
    (tmp_path / "mailer").write_text("#!/bin/sh\n")
    (tmp_path / "mailer").chmod(0o755)
    program.symlink_to("mailer")
    assert [each.result for each in installed.sendmail(str(tmp_path))] == ["pass"]


UNITS = {
    "well": (
        "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nNeedDaemonReload=no",
        "pass",
        "active (running)",
        "",
    ),
    "failed": (
        "LoadState=loaded\nActiveState=failed\nResult=exit-code\nUnitFileState=enabled",
        "fail",
        "has failed (exit-code)",
        "journalctl -u",
    ),
    "changed": ("LoadState=loaded\nActiveState=active\nNeedDaemonReload=yes", "warn", "has not read it", "systemctl daemon-reload"),
    "disabled": ("LoadState=loaded\nActiveState=active\nUnitFileState=disabled", "warn", "is not started at boot", "systemctl enable"),
    "masked": ("LoadState=masked\nActiveState=inactive\nUnitFileState=masked", "warn", "is masked", "systemctl unmask"),
    "none": ("LoadState=not-found\nActiveState=inactive", "warn", "there is no unit", "mailer setup"),
}


@pytest.mark.parametrize("name", UNITS)
def test_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As its manager shows it."""
    shown, result, evidence, remedy = UNITS[name]
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    manager = tmp_path / "systemctl"
    manager.write_text(f"#!/bin/sh\ncat <<'END'\n{shown}\nEND\n")
    manager.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (found,) = installed.unit(running=False, root=str(tmp_path))
    assert (found.result, evidence in found.evidence, remedy in found.advice) == (result, True, True), found


def test_a_service_whose_spool_is_anothers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its daemon could not move a message."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    manager = tmp_path / "systemctl"
    manager.write_text("#!/bin/sh\necho User=postman\necho LoadState=loaded\necho ActiveState=active\n")
    manager.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (found,) = installed.unit(running=False, spool=str(tmp_path), root=str(tmp_path))
    assert (found.result, "runs as postman" in found.evidence) == ("fail", True)
    assert f"chown -R --no-dereference postman: {tmp_path}" in found.advice


def test_a_manager_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a problem, which the round makes a finding of."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "systemctl").write_text("#!/nonexistent/shell\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Problem, match="cannot run systemctl"):
        list(installed.unit(running=False, root=str(tmp_path)))


# Repair


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_of_what_comes_back_are_closed(clinic: Clinic) -> None:
    """The key of return tokens, and the password of a mailbox; what is in them stays."""
    key, password = clinic.root / "bounce.key", clinic.home / "mailbox"
    write(key, f"{'0' * 64} 2026-01-01T00:00:00Z\n", 0o644)
    write(password, "s3cret", 0o644)
    place = f'host = "127.0.0.1"\nport = {closed_port()}\nusername = "me"\npassword_file = "{password}"\n'
    clinic.configure(f'[bounce]\naddress = "b@other.example"\n[[report_source]]\nname = "box"\nkind = "imap"\n{place}')
    visited = clinic.doctor("--repair")
    assert (mode(key), mode(password), password.read_text()) == (0o600, 0o600, "s3cret")
    assert [each["result"] for each in visited.of("bounce key")] == ["pass"]
    assert ["Connection refused" in each["evidence"] for each in visited.of("mailbox")] == [True]


def test_the_secret_of_what_is_passed_on_is_closed_and_counted(clinic: Clinic) -> None:
    """It is made by a daemon where somebody could pass something on; elsewhere nobody looks."""
    assert not clinic.doctor().of("srs secret")
    clinic.configure('[[domain]]\nname = "ours.example"\ncatch_all = "ann@other.example"\n')
    [finding] = clinic.doctor().of("srs secret")
    assert (finding["result"], "there is none yet" in finding["evidence"]) == ("pass", True)
    secret = clinic.root / "srs.secret"
    write(secret, "0123456789abcdef\n", 0o644)
    [finding] = clinic.doctor().of("srs secret")
    assert (finding["result"], "keeps its sender" in finding["evidence"]) == ("fail", True)
    assert "0123456789abcdef" not in str(finding)
    [finding] = clinic.doctor("--repair").of("srs secret")
    assert (finding["result"], finding["evidence"], mode(secret)) == ("pass", "there is 1", 0o600)


def test_what_is_safe_is_put_right_and_said(clinic: Clinic) -> None:
    """Directories, modes, left-overs, sockets; messages and what needs a person stay."""
    message = clinic.put()
    message.chmod(0o644)
    (clinic.root / "held").rmdir()
    (clinic.root / "failed").chmod(0o777)
    write(clinic.root / "tmp" / "left", age=2e5)
    write(clinic.root / "corrupt" / "kept")
    write(clinic.root / "queued" / "notes.txt")
    make_socket(clinic.root / "doorbell")
    now = time.time()
    write(clinic.root / "clock", f"{rfc3339(now - 2e5)} {rfc3339(now - 60)}\n")
    clinic.configure(pem_key(clinic, 0o640))
    before = message.read_bytes()
    visited = clinic.doctor("--repair")
    said = "\n".join(visited.did)
    for words in ("made: ", "held", "failed (its mode is 0777)", "0644", "swept 1 abandoned", "removed: ", "key.pem (its mode was 0640"):
        assert words in said, said
    assert len(visited.did) == 6
    assert (mode(message), mode(clinic.root / "held"), mode(clinic.root / "failed")) == (0o600, 0o700, 0o700)
    assert message.read_bytes() == before
    assert not (clinic.root / "tmp" / "left").exists()
    assert not (clinic.root / "doorbell").exists()
    assert (clinic.root / "corrupt" / "kept").exists()
    assert (clinic.root / "queued" / "notes.txt").exists()
    assert {check for check, *_ in visited.bad} == {"orphans", "daemon", "DKIM"}
    assert clinic.doctor("--repair").did == []


def test_a_status_that_cannot_be_used_is_begun_anew(clinic: Clinic) -> None:
    """The old one is kept, and the new one has what is in the spool."""
    path = clinic.root / "status.sqlite3"
    for spoil in (lambda: write(path, "garbage" * 1000), lambda: later(path)):
        path.unlink(missing_ok=True)
        spoil()
        visited = clinic.doctor("--repair")
        assert ["aside" in line for line in visited.did] == [True, False]
        assert [each["result"] for each in visited.of("status")] == ["pass"]
        assert mode(path) == 0o600
    assert sorted(each.name for each in clinic.root.glob("status.sqlite3.aside?")) == ["status.sqlite3.aside1", "status.sqlite3.aside2"]
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM emails").fetchone() == (0,)
    db.close()


def test_nothing_is_swept_by_a_clock_that_has_just_been_set(clinic: Clinic) -> None:
    """What looks old may not be."""
    write(clinic.root / "tmp" / "left", age=2e5)
    visited = clinic.doctor("--repair")
    assert ["has not stood for a day" in line for line in visited.did] == [True]
    assert (clinic.root / "tmp" / "left").exists()


def test_a_link_is_not_followed(clinic: Clinic, tmp_path: Path) -> None:
    """What somebody has put in the place of a directory stays as it is, and so does what it leads to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (clinic.root / "failed").rmdir()
    (clinic.root / "failed").symlink_to(elsewhere)
    visited = clinic.doctor("--repair")
    assert mode(elsewhere) == 0o755
    assert visited.bad
    assert visited.did == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_root_gives_the_owner_what_is_his(clinic: Clinic) -> None:
    """Not what has another name as well: that may be of another place."""
    message, other = clinic.put(), clinic.put()
    os.chown(message, NOBODY, NOBODY)
    os.chown(other, NOBODY, NOBODY)
    os.link(other, clinic.home / "elsewhere")
    visited = clinic.doctor("--repair")
    assert (message.stat().st_uid, other.stat().st_uid) == (0, NOBODY)
    assert sorted(line.split(":")[0] for line in visited.did) == ["given to user 0", "not given, for it has several names, to user 0"]


def test_what_is_no_spool_is_left_alone(clinic: Clinic) -> None:
    """Somebody has put a file in its place."""
    replace_by_file(clinic.root)
    visited = clinic.doctor("--repair")
    assert (visited.code, visited.did) == (2, [f"left {clinic.root} as it is: it is no directory"])
    assert clinic.root.read_text() == ""


def test_a_spool_that_a_daemon_serves_keeps_its_doorbell(clinic: Clinic) -> None:
    """The lock says that somebody is there."""
    from filelock import FileLock

    make_socket(clinic.root / "doorbell")
    with FileLock(clinic.root / "daemon.lock", mode=0o600):
        assert look(str(clinic.root))[0]
        write(clinic.root / "status.sqlite3", "garbage" * 1000)
        assert clinic.doctor("--repair").did == ["left the status database to the daemon, which begins it anew"]
    assert (clinic.root / "doorbell").exists()
