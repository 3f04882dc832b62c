"""``mailer send`` is started thousands of times a day: what it imports is part of its contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .home import WHOLE, Home

COSTLY = {
    "re", "json", "typing", "dataclasses", "enum", "socket", "logging", "pathlib", "tomllib", "asyncio", "ssl", "sqlite3", "rich", "dns",
    "click", "argparse", "email", "subprocess", "tempfile", "collections", "functools", "inspect", "signal", "ipaddress", "datetime",
    "filelock", "uvloop", "difflib", "textwrap", "traceback", "threading", "shutil", "random", "decimal",
}  # fmt: skip
ROOT = Path(__file__).parents[2]
CONFIG = """
[submission]
default_domain = "example.com"
max_message_size = "25MB"
[relay.out]
host = "smtp.example.com"
[[route]]
match = "*"
via = ["relay:out"]
"""


def imported(home: Home, *argv: str) -> set[str]:
    """The modules that a run imports, by their first name, with those that every run of this interpreter has."""
    done = subprocess.run([sys.executable, "-X", "importtime", *argv], input=WHOLE, capture_output=True, env=home.env, check=True)
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "arguments",
    [
        ["a@example.com"],
        ["-t", "-f", "me@example.com", "--json"],
        ["--request-id", "k", "root"],
        ["--wait=0", "-q", "a@example.com"],
    ],
)
def test_sending_imports_nothing_costly(home: Home, arguments: list[str]) -> None:
    """Neither a message on standard input nor a plain configuration file needs a module that takes time to load."""
    home.configure(CONFIG)
    script = Path(sys.executable).with_name("mailer")
    start = [str(script)] if script.exists() else ["-m", "mailer"]
    bare = imported(home, "-c", "pass")
    if "--wait=0" in arguments:
        start = ["-c", "import sys; from mailer.cli import main; main(['mailer', *sys.argv[1:]])"]  # it exits with 75
    loaded = imported(home, *start, "send", *arguments)
    assert "mailer" in loaded
    assert not loaded & COSTLY - bare


@pytest.mark.parametrize("arguments", [["-t", "-i"], ["-FName", "-f", "me@example.com", "--", "a@example.com"], ["-bi"]])
def test_sendmail_imports_even_less(home: Home, arguments: list[str]) -> None:
    """Nor what reads the options of other commands."""
    home.configure(CONFIG)
    code = (
        f"import sys; sys.path.append({str(ROOT)!r}); from mailer.cli import main; main(['sendmail', *sys.argv[1:]]); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-IS", "-c", code, *arguments], input=WHOLE, capture_output=True, env=home.env, check=True)
    loaded = set(done.stdout.decode().split())
    assert "mailer.cli.sendmail" in loaded
    assert not {name.partition(".")[0] for name in loaded} & COSTLY
    assert not loaded & {"mailer.cli.options", "mailer.cli.send", "site"}
