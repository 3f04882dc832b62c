"""What can be wrong with spool, status, settings and files: each is staged, and `mailer doctor` names its cause and what mends it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from mailer.mail.dates import rfc3339
from tests.dkim.keys import pem
from tests.fakes.mail import suspend
from tests.fakes.sockets import make_socket
from tests.fakes.users import NOBODY
from tests.operate.clinic import Clinic, Stage, clinic, finds, people

pytestmark = pytest.mark.slow

__all__ = ["clinic", "people"]

REPAIR = "mailer doctor --repair"
LOGIN = 'username = "anna"\n'


def write(path: Path, text: str = "x", mode: int = 0o600, age: float = 0.0) -> None:
    path.write_text(text)
    path.chmod(mode)
    moment = time.time() - age
    os.utime(path, (moment, moment))


def later(path: Path) -> None:
    """A database that a later version of the program has made."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    path.chmod(0o600)


def replace_by_file(path: Path) -> None:
    for each in sorted(path.rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() else each.unlink()
    path.rmdir()
    path.write_text("")


def at_another_time(one: Clinic) -> None:
    write(one.root / "clock", f"{rfc3339(1.8e9)} {rfc3339(time.time() + 9e6)}\n")


def pem_key(one: Clinic, mode: int = 0o600) -> str:
    path = one.home / "key.pem"
    path.write_bytes(pem("ed25519"))
    path.chmod(mode)
    return f'[[dkim]]\ndomain = "other.example"\nselector = "s"\nkey_file = "{path}"\n'


STAGED = {
    # the spool
    "directory missing": Stage(lambda one: (one.root / "queued").rmdir(), "spool", "warn", "queued: it is not there", REPAIR),
    "directory open": Stage(lambda one: (one.root / "queued").chmod(0o755), "spool", "fail", "queued: its mode is 0755", REPAIR),
    "spool listed": Stage(lambda one: one.root.chmod(0o755), "spool", "warn", "its mode is 0755", REPAIR),
    "spool writable": Stage(lambda one: one.root.chmod(0o777), "spool", "fail", "its mode is 0777", REPAIR),
    "message readable": Stage(lambda one: one.put().chmod(0o644), "spool", "fail", "its mode is 0644", REPAIR),
    "above writable": Stage(lambda one: one.home.chmod(0o777), "spool", "fail", "others can write", "chmod go-w"),
    "no directory": Stage(lambda one: replace_by_file(one.root), "spool", "fail", "is no directory", "set mailer.spool to another"),
    "stray": Stage(lambda one: write(one.root / "queued" / "notes.txt"), "orphans", "warn", "is none", "find out who put it there"),
    "corrupt": Stage(lambda one: write(one.root / "corrupt" / "x"), "orphans", "warn", "could not be read", "save what is of use"),
    "abandoned": Stage(lambda one: write(one.root / "tmp" / "x", age=2e5), "orphans", "warn", "never ended", REPAIR),
    "no space": Stage(
        lambda one: one.change("[submission]\n", '[submission]\nmin_free_space = "1000000GB"\n'),
        "space", "fail", "takes no mail", "make room on the disk",
    ),
    "no inodes": Stage(
        lambda one: one.change("[submission]\n", "[submission]\nmin_free_inodes = 1000000000000\n"),
        "inodes", "fail", "takes no mail", "what is many and small",
    ),
    "clock put back": Stage(at_another_time, "clock", "fail", "the daemon has seen", "timedatectl set-ntp true"),
    "nobody delivers": Stage(lambda one: one.put(), "daemon", "fail", "1 messages wait there", "systemctl start mailer"),
    "no daemon": Stage(lambda one: None, "daemon", "warn", "mail would wait there", "mailer run"),
    "old mail": Stage(lambda one: one.put(age=8000), "queue", "warn", "1 queued; the oldest since", "mailer explain 01"),
    "killed daemon": Stage(lambda one: make_socket(one.root / "doorbell"), "doorbell", "warn", "a daemon that was killed", REPAIR),
    # what is kept beside
    "garbage for a status": Stage(
        lambda one: write(one.root / "status.sqlite3", "garbage" * 1000), "status", "fail", "file is not a database", REPAIR
    ),
    "later status": Stage(lambda one: later(one.root / "status.sqlite3"), "status", "fail", "its version is 99", REPAIR),
    "damaged key": Stage(lambda one: write(one.root / "keys" / "ab"), "request ids", "fail", "are damaged", "if its message was sent"),
    "damaged pauses": Stage(lambda one: write(one.root / "pauses"), "pauses", "fail", "is no list of pauses", "and pause again"),
    "damaged list": Stage(
        lambda one: write(one.root / "suppress.sqlite3", "garbage" * 1000), "suppression", "fail", "mail waits until", "put back a copy"
    ),
    "open key of tokens": Stage(
        lambda one: (one.configure('[bounce]\naddress = "b@other.example"\n'), write(one.root / "bounce.key", "0" * 64, 0o644)),
        "bounce key", "fail", "mail leaves without a token", "chmod 600",
    ),
    "paused": Stage(
        lambda one: suspend(str(one.root), "example.net", float("inf"), "they asked", time.time()),
        "pauses", "warn", "until somebody resumes it: they asked", "mailer queue resume example.net",
    ),
    # settings
    "no toml": Stage(lambda one: one.configure("= 3\n"), "configuration", "fail", "this is no TOML", "mend it in"),
    "unknown setting": Stage(
        lambda one: one.change("[dns]\n", "[dns]\nserver = 3\n"), "configuration", "fail", "server", "mailer-config(5) has each setting"
    ),
    "password in it": Stage(
        lambda one: one.configure('password = "x"\n'), "configuration", "fail", "a password does not stand in", "password_file"
    ),
    "writable settings": Stage(lambda one: one.file.chmod(0o666), "configuration", "warn", "others can write this file", "chmod go-w"),
    "short name": Stage(
        lambda one: one.change('hostname = "host.example"', 'hostname = "web1"'), "configuration", "warn", "no domain", "mailer-config(5)"
    ),
    "sandbox": Stage(lambda one: one.configure('[sandbox]\nmode = "trap"\n'), "sandbox", "warn", "no mail is sent", 'mode = "live"'),
    "nobody is told": Stage(
        lambda one: one.configure('[alarm]\ncommand = ["/nonexistent/page"]\n'), "alarms", "fail", "is not there", "of [alarm]"
    ),
    # files
    "no secret": Stage(
        lambda one: one.configure(LOGIN + 'password_file = "/nonexistent"\n'), "files", "fail", "No such file", "mend it, or what names it"
    ),
    "public secret": Stage(
        lambda one: one.configure(LOGIN + f'password_file = "{one.secret(mode=0o644)}"\n'), "files", "fail", "others can read", "chmod 600"
    ),
    "empty secret": Stage(
        lambda one: one.configure(LOGIN + f'password_file = "{one.secret("")}"\n'), "files", "fail", "is empty", "mend it, or what names it"
    ),
    "failing command": Stage(
        lambda one: one.configure(LOGIN + 'password_command = ["false"]\n'), "files", "fail", "failed with exit code 1", "run it by hand"
    ),
    "no certificates": Stage(
        lambda one: (one.home / "ca.pem").unlink(), "files", "fail", "cannot read the certificates in", "mend it, or what names it"
    ),
    "public key": Stage(
        lambda one: one.configure(pem_key(one, 0o644)), "files", "fail", "others can read the key file", "chmod 600"
    ),
    "circle of aliases": Stage(
        lambda one: one.change("[submission]\n", '[submission]\naliases = { a = "b", b = "a" }\n'), "files", "fail", "alias", "mend it"
    ),
    "no place for a log": Stage(
        lambda one: one.configure('[log]\nfile = "/nonexistent/log"\n'), "files", "fail", "no directory /nonexistent", "make it, for"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STAGED)
def test_doctor_names_cause_and_remedy(clinic: Clinic, name: str) -> None:
    """And how bad it is, in its exit code as well."""
    finds(clinic, STAGED[name])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize("where", ["queued", "tmp"])
def test_what_belongs_to_somebody_else(clinic: Clinic, where: str) -> None:
    """A directory or a message that the daemon could not move."""
    path = clinic.put() if where == "queued" else clinic.root / where
    os.chown(path, NOBODY, NOBODY)
    finds(clinic, Stage(lambda _: None, "spool", "fail", f"belongs to user {NOBODY}", "chown -R --no-dereference 0"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("how", ["ro", "full"])
def test_a_disk_of_its_own(clinic: Clinic, how: str) -> None:
    """One that can be read only, and one that is full."""
    for name in os.listdir(clinic.root):
        (clinic.root / name).rmdir()
    options = "ro,mode=0700" if how == "ro" else "size=64k,mode=0700"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", clinic.root], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        cause = "can be read only" if how == "ro" else "0 MB of 0 MB are free, 50 MB have to stay so"
        check, remedy = ("spool", "`dmesg` says") if how == "ro" else ("space", "make room on the disk of")
        finds(clinic, Stage(lambda _: None, check, "fail", cause, remedy))
    finally:
        subprocess.run(["umount", "-l", clinic.root], check=True)


def test_all_is_well(clinic: Clinic) -> None:
    """But that no daemon runs, which one may not want: a warning."""
    visited = clinic.doctor()
    assert (visited.code, visited.bad) == (1, [("daemon", "warn", "no daemon runs on it: mail would wait there")])
    looked = {each["check"] for each in visited.found}
    assert looked >= {"configuration", "spool", "orphans", "space", "status", "request ids", "doorbell", "queue", "pauses", "alarm"}
    assert looked >= {"DNS", "DNS trust", "egress", "files", "relay", "certificate", "sendmail", "service", "versions"}
