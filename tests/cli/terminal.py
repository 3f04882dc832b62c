"""Running commands as people and scripts do: in this process with its output captured, or at a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from mailer.cli import main
from tests.status.office import Office

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

ELSEWHERE = re.compile(r"mailer: warning: no daemon runs on .*, but on .*\r?\n")


def unwarned(shown: str) -> str:
    """What a terminal showed, without the warning that a daemon runs elsewhere: those of other tests do, and are of the same user."""
    return ELSEWHERE.sub("", shown)


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def objects(self) -> list[Any]:
        """Its output as JSON, one object a line."""
        return [json.loads(line) for line in self.lines]


class Shell:
    """Runs ``mailer`` on the spool of `office`."""

    def __init__(self, office: Office, capsys: pytest.CaptureFixture[str]) -> None:
        self.office = office
        self.capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        """With its output going to a program."""
        code = main(["mailer", *arguments, "--spool", self.office.spool.root])
        return Said(code, *self.capsys.readouterr())

    def at_terminal(self, *arguments: str, columns: int = 80, interrupt_at: str = "") -> Said:
        """At a terminal of that width; Ctrl-C is typed when `interrupt_at` appears."""
        primary, secondary = pty.openpty()
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "NO_COLOR": "1"}
        env.setdefault("PAGER", "cat")  # a terminal of no lines is as low as one can be
        argv = [sys.executable, "-m", "mailer", *arguments, "--spool", self.office.spool.root]
        process = subprocess.Popen(argv, stdin=secondary, stdout=secondary, stderr=subprocess.PIPE, env=env, start_new_session=True)
        os.close(secondary)
        try:
            said = _heard(primary, process, interrupt_at)
            os.close(primary)
            err = process.communicate(timeout=60)[1]
        finally:
            process.kill()  # one that watches ends in no other way
            process.wait()
        return Said(process.returncode, said.decode().replace("\r\n", "\n"), err.decode())


def _heard(terminal: int, process: subprocess.Popen[bytes], interrupt_at: str) -> bytes:
    """What `process` writes until it ends, or has said nothing for a minute; Ctrl-C is typed when `interrupt_at` appears."""
    said = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            said += os.read(terminal, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if interrupt_at and interrupt_at in said.decode(errors="replace"):
            process.send_signal(2)
            interrupt_at = ""
    return said
