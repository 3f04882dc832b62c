"""A stranger's words on the command line of sendmail: they write no file, load no configuration and run nothing.

The arguments are those with which web applications were broken into (CVE-2016-10033, CVE-2016-10045, CVE-2017-15806), and what
they would have liked.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess

import pytest

from mailer.cli import main
from tests.fakes.processes import MAILER

from .home import WHOLE, Home

ARGUMENTS = (
    "-X{bait}/x.php", "-X {bait}/x.php", "-OQueueDirectory={bait}", "-O QueueDirectory={bait}", "-OMailerOptions={bait}/x", "-oQ{bait}",
    "-oA{bait}/aliases -bi", "-C{bait}/config.toml", "-C {bait}/config.toml", "-D{bait}/debug", "-D {bait}/debug", "-d0-99.9", "-be",
    "-be ${{run{{/usr/bin/touch {bait}/run}}}}", "-bi", "-bt", "-bd", "-bD", "-bs", "-bp", "-q", "-q1m", "-qI../../{bait}/x",
    "-qI--config={bait}/config.toml", "-qR--spool={bait}/spool", "-qI{bait}/x", "-M{bait}/x", "-p{bait}/x", "-e{bait}", "-L{bait}/log",
    "-E{bait}/x", "-v -v -v", "-f{bait}/x", "-F{bait}/x",
    "--config={bait}/config.toml", "--config {bait}/config.toml", "--spool={bait}/spool", "--text-file={bait}/config.toml",
    "--password-command=touch {bait}/run", "--fcc={bait}/fcc", "--attach={bait}/config.toml", "--batch={bait}", "--help",
    "-fa@b.example -OQueueDirectory={bait} -X{bait}/x.php", "to@example.net -X{bait}/x.php", "to@example.net -t", "-- -X{bait}/x@d.example",
    "-- {bait}/file@example.net", "-- |touch${{IFS}}{bait}/run", "-- :include:{bait}/config.toml", "-- {bait}/file",
)  # fmt: skip
"""Divided into words at blanks, as a shell would."""

WORDS = (
    ("-f", 'a" -X{bait}/x.php "b@example.com'),
    ('-f"a -X{bait}/x.php"@example.com',),
    ('-f"attacker\\" -oQ{bait}/ -X{bait}/x.php  some"@example.com',),
    ("-fa@b.example -X{bait}/x.php",),
    ("-f", "a@b.example\n-X{bait}/x.php"),
    ("--", "a@b.example\r\nRCPT TO:<{bait}@d.example>"),
    ("-FName\r\nX-Injected: {bait}",),
    ("-V", "id\r\nRCPT TO:<x@d.example>", "you@example.net"),
    ("-o", "", "you@example.net"),
)
"""Words with blanks in them, as PHP's escapeshellarg gives them."""

CORPUS = [line.split(" ") for line in ARGUMENTS] + [list(words) for words in WORDS]


class Bait:
    """A directory that is full of what would be liked, and one that has to stay empty, in which everything is started."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.path, self.empty = home.path / "bait", home.path / "empty"
        self.path.mkdir()
        self.empty.mkdir()
        (self.path / "config.toml").write_text(f'[mailer]\nspool = "{self.path}/spool"\nhostname = "evil.example"\n')

    def words(self, words: list[str]) -> list[str]:
        return [word.format(bait=self.path) for word in words]

    def look(self) -> dict[str, bytes | None]:
        """Every path in both, with what it holds."""
        paths = [*self.path.rglob("*"), *self.empty.rglob("*")]
        return {str(path): path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else None for path in paths}


@pytest.fixture
def bait(home: Home) -> Bait:
    return Bait(home)


@pytest.mark.parametrize("words", CORPUS, ids=repr)
def test_nothing_is_written_where_a_stranger_wants_it(bait: Bait, words: list[str]) -> None:
    """Whatever the exit code: 0 for a message to those who are named, 64, 65 or 69 for the rest."""
    before = bait.look()
    for more in ([], ["you@example.net"]):
        done = bait.home.mailer("sendmail", *bait.words(words), *more, input=WHOLE, cwd=bait.empty)
        assert done.returncode in (0, 64, 65, 67, 69), done
        assert b"bug" not in done.stderr
        assert b"evil.example" not in done.stdout + done.stderr
    assert bait.look() == before
    for id in bait.home.queued():
        assert b"\r\nX-Injected" not in bait.home.spool.content(id)
        entry = bait.home.spool.read(id)
        assert entry.envelope.sender.isprintable()
        assert all(recipient.address.isprintable() for recipient in entry.envelope.recipients)


LOOKS = ("open", "stat", "lstat", "newfstat", "access", "faccess", "readlink", "getcwd", "statfs", "statx")
"""How the names of system calls begin that change nothing."""

OPENED = re.compile(r'^(?:\d+ +)?(\w+)\((?:AT_FDCWD, )?"((?:[^"\\]|\\.)*)"(.*)')


@pytest.mark.peer("strace")
@pytest.mark.parametrize("words", [words for words in CORPUS if any("{bait}" in word for word in words)][::3], ids=repr)
def test_nothing_is_even_opened(bait: Bait, words: list[str]) -> None:
    """System calls with a path in them: none of the bait, none that changes anything outside of the spool, and one program."""
    log = bait.home.path / "strace"
    argv = ["strace", "-f", "-qq", "-s", "400", "-e", "trace=%file", "-o", log, *MAILER, "sendmail", *bait.words(words), "you@example.net"]
    subprocess.run(
        argv, input=WHOLE, env={**bait.home.env, "PYTHONDONTWRITEBYTECODE": "1"}, cwd=bait.empty, capture_output=True, timeout=60
    )
    programs = 0
    for line in log.read_text(errors="replace").splitlines():
        if not (call := OPENED.match(line)):
            continue
        name, path, rest = call.groups()
        if name == "execve":
            programs += " = 0" in rest
            continue
        assert not path.startswith(str(bait.path)), line
        changes = not name.startswith(LOOKS) or any(flag in rest for flag in ("O_WRONLY", "O_RDWR", "O_CREAT"))
        assert not changes or path.startswith((bait.home.spool.root, os.devnull)), line
    assert programs == 1


def test_the_environment_is_not_on_the_command_line(bait: Bait) -> None:
    """What a stranger's argument may not name, whoever starts the program may: it is his."""
    bait.home.env["MAILER_CONFIG"] = str(bait.path / "config.toml")
    assert bait.home.mailer("sendmail", "you@example.net", input=WHOLE).returncode == 0
    assert len(list((bait.path / "spool/queued").iterdir())) == 1


def test_no_other_command_is_reached(bait: Bait, capsys: pytest.CaptureFixture[str]) -> None:
    """Started as sendmail, its first word is no command of mailer."""
    for name in ("sendmail", "mailq", "newaliases"):
        assert main([f"/usr/sbin/{name}", "--config", str(bait.path / "config.toml"), "run"]) in (64, 69)
    assert "evil" not in capsys.readouterr().err
