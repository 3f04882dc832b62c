"""Pigeonhole's `sieve-test`, Debian's dovecot-sieve: what another implementation does with a script and a message.

What either says is brought into one form (`Story`), so that the two can be compared. Nothing is delivered: the program says what it would
do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from mailer import sieve
from mailer.sieve import Discard, FileInto, Forward, Keep, Vacation

PROGRAM = shutil.which("sieve-test") or ""

needs_pigeonhole = pytest.mark.peer("sieve-test")

CONFIG = """\
mail_location = maildir:{home}/box
mail_uid = {user}
mail_gid = {user}
log_path = /dev/stderr
plugin {{
  sieve_extensions = +vacation-seconds +special-use
  sieve_vacation_min_period = 1h
  sieve_vacation_max_period = 30d
  sieve_user_email = me@a.example
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""

Story = list[tuple[object, ...]]
"""What is done, an action each; or one ("wrong", line) for a script that is not right, or ("failed",) for one that failed when it ran."""


class Pigeonhole:
    """The program, with a directory of its own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        user = os.getuid() or 65534  # it will not be root
        home.chmod(0o777)
        (home / "dovecot.conf").write_text(CONFIG.format(home=home, user=user))

    def ask(self, script: str, mail: bytes, sender: str = "ann@b.example", recipient: str = "me+det@a.example") -> Story:
        """What it would do with a message."""
        (self._home / "script.sieve").write_text(script, newline="")
        (self._home / "mail").write_bytes(mail)
        (self._home / "script.svbin").unlink(missing_ok=True)
        command = [PROGRAM, "-c", "dovecot.conf", "-f", sender, "-a", recipient, "-r", recipient, "script.sieve", "mail"]
        ran = subprocess.run(
            command, cwd=self._home, capture_output=True, check=False, env={"HOME": str(self._home), "TZ": "UTC"}, timeout=60
        )
        said, errors = ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace")
        if "failed to compile" in errors:
            lines = re.findall(r"^script: line (\d+): error", errors, re.MULTILINE)
            return [("wrong", int(lines[0]))]
        if "final result: success" not in errors:
            return [("failed",)]
        return _read(said)


def _read(said: str) -> Story:
    """The actions in what the program says."""
    found: list[tuple[object, ...]] = []
    performed, _, kept = said.partition("\nImplicit keep:\n")
    text = re.sub(r"START MESSAGE\n.*?\nEND MESSAGE", "", performed, flags=re.DOTALL) + kept
    for action in re.split(r"^ \* ", text, flags=re.MULTILINE)[1:]:
        first, *rest = action.splitlines()
        details = [line.strip() for line in rest]
        if first == "discard":
            found.append(("discard",))
        elif first.startswith("redirect"):
            found.append(("forward", first.partition("<")[2].rstrip(">").lower()))
        elif first.startswith("send vacation"):
            found.append(("vacation", *(_detail(details, name) for name in ("seconds", "subject", "from"))))
        else:
            flags = next((line for line in details if line.startswith("+ add IMAP flags:")), "").partition(":")[2].lower().split()
            filed = ("file", first.partition(": ")[2], tuple(sorted(flags)), any("create mailbox" in line for line in details))
            if not any(each[:2] == filed[:2] for each in found):
                found.append(filed)
    return found


def _detail(lines: Sequence[str], name: str) -> str:
    return next((line.partition(": ")[2] for line in lines if re.match(rf"=> {name} +:", line)), "")


def told(actions: Sequence[sieve.Action]) -> Story:
    """Our actions in that form."""
    found: Story = []
    for action in actions:
        if isinstance(action, Discard):
            found.append(("discard",))
        elif isinstance(action, Forward):
            found.append(("forward", action.address.lower()))
        elif isinstance(action, Vacation):
            found.append(("vacation", str(action.seconds), action.subject, action.from_))
        elif isinstance(action, Keep):
            found.append(("file", "INBOX", tuple(sorted(flag.lower() for flag in action.flags)), False))
        else:
            assert isinstance(action, FileInto)
            found.append(("file", action.folder, tuple(sorted(flag.lower() for flag in action.flags)), action.create))
    return found


class Asked(NamedTuple):
    """A script and a message, with what stands on its envelope."""

    script: str
    mail: bytes
    sender: str = "ann@b.example"
    recipient: str = "me+det@a.example"
