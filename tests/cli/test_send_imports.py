"""``mailer send`` is started thousands of times a day: what it imports is part of its contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailer.spool.files import doorbell, layout

from .home import WHOLE, Home

COSTLY = {
    "re", "json", "typing", "dataclasses", "enum", "socket", "logging", "pathlib", "tomllib", "asyncio", "ssl", "sqlite3", "rich", "dns",
    "click", "argparse", "email", "subprocess", "tempfile", "collections", "functools", "inspect", "signal", "ipaddress", "datetime",
    "filelock", "uvloop", "difflib", "textwrap", "traceback", "threading", "shutil", "random", "decimal",
}  # fmt: skip
PLAIN = {
    "mailer", "mailer.cli",
    "mailer.config", "mailer.config.quick", "mailer.config.sections", "mailer.config.values",
    "mailer.io", "mailer.io.durable", "mailer.io.signals", "mailer.io.system",
    "mailer.mail", "mailer.mail.address", "mailer.mail.envelope", "mailer.mail.problem", "mailer.mail.message",
    "mailer.mail.dates",
    "mailer.spool", "mailer.spool.files", "mailer.spool.files.layout", "mailer.spool.files.enqueue",
    "mailer.submit", "mailer.submit.people", "mailer.submit.steps",
}  # fmt: skip
"""What a plain message needs, all told. Each module more costs a seventieth of the start of Python."""

FOREIGN = {"__future__", "gc", "zlib", "_signal", "time"}
"""What is needed beside it that a bare interpreter may not have; all but the first are C."""

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


def modules(home: Home, *argv: str) -> set[str]:
    """The modules that a run imports, with those that every run of this interpreter has."""
    done = subprocess.run([sys.executable, "-X", "importtime", *argv], input=WHOLE, capture_output=True, env=home.env, check=True)
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines} - {"imported package"}


def imported(home: Home, *argv: str) -> set[str]:
    """The same by their first name."""
    return {name.partition(".")[0] for name in modules(home, *argv)}


def mailer() -> list[str]:
    """How ``mailer`` is started: by the script that is installed, where one is."""
    script = Path(sys.executable).with_name("mailer")
    return [str(script)] if script.exists() else ["-c", "import sys; from mailer.cli import start; start(['mailer', *sys.argv[1:]])"]


@pytest.mark.parametrize("with_daemon", [False, True], ids=["alone", "beside a daemon"])
@pytest.mark.parametrize(
    ("argv", "besides"),
    [
        (["send", "-f", "me@example.com", "a@example.com"], {"mailer.cli.options", "mailer.cli.send"}),
        (["sendmail", "-t", "-f", "me@example.com"], {"mailer.cli.sendmail", "mailer.cli.sendmail_argv", "mailer.mail.named"}),
    ],
    ids=["send", "sendmail"],
)
def test_a_plain_message_imports_these_modules_and_no_other(home: Home, argv: list[str], besides: set[str], *, with_daemon: bool) -> None:
    """One that needs no rule and no mending; a daemon hears of it by a socket, which nobody else needs."""
    home.configure(CONFIG)
    needed = PLAIN | besides
    if with_daemon:
        layout.prepare(home.spool.root)
        bell = doorbell.hang(home.spool.root)
        needed |= {"mailer.spool.files.doorbell"}
    loaded = modules(home, *mailer(), *argv) - modules(home, "-c", "pass")
    if with_daemon:
        assert len(doorbell.listen(bell)) == 1
        bell.close()
    assert {name for name in loaded if name.partition(".")[0] == "mailer"} - {"mailer.__main__", "mailer.io.compiled"} == needed
    assert {name for name in loaded if name.partition(".")[0] != "mailer"} <= FOREIGN | ({"_socket"} if with_daemon else set())


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
    start = mailer()
    bare = imported(home, "-c", "pass")
    if "--wait=0" in arguments:
        start = ["-c", "import sys; from mailer.cli import main; main(['mailer', *sys.argv[1:]])"]  # it exits with 75
    loaded = imported(home, *start, "send", *arguments)
    assert "mailer" in loaded
    assert not loaded & COSTLY - bare


@pytest.mark.parametrize("arguments", [["-t", "-i"], ["-FName", "-f", "me@example.com", "--", "a@example.com"], ["-bi"]])
def test_sendmail_imports_even_less(home: Home, arguments: list[str]) -> None:
    """Nor what reads the options of other commands, nor `os`, where `site` has not loaded it."""
    home.configure(CONFIG)
    code = (
        f"import sys; sys.path.append({str(ROOT)!r}); from mailer.cli import main; main(['sendmail', *sys.argv[1:]]); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-IS", "-c", code, *arguments], input=WHOLE, capture_output=True, env=home.env, check=True)
    loaded = set(done.stdout.decode().split())
    assert "mailer.cli.sendmail" in loaded
    assert not {name.partition(".")[0] for name in loaded} & COSTLY
    assert not loaded & {"mailer.cli.options", "mailer.cli.send", "site", "os"}


@pytest.mark.parametrize(
    ("arguments", "costly"),
    [
        (["status"], {"click", "inspect", "asyncio", "rich", "tomllib", "email", "threading"}),
        (["queue", "list"], {"click", "inspect", "asyncio", "rich", "tomllib", "email", "threading"}),
        (["explain", "--no-dns", "x"], {"click", "rich"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_monitors_ask_is_answered_without_click(home: Home, arguments: list[str], costly: set[str]) -> None:
    """Plain arguments are read by the small reader; click alone costs more than all the rest of such a start.

    Nor is the whole configuration read because there is mail in the queue, as long as nothing keeps it there.
    """
    home.configure(CONFIG)
    code = "import sys; from mailer.cli import main; main(['mailer', *sys.argv[1:]])"
    subprocess.run([sys.executable, "-c", code, "send", "a@example.com"], input=WHOLE, env=home.env, check=True, stdout=subprocess.DEVNULL)
    assert not imported(home, "-c", code, *arguments) & costly - imported(home, "-c", "pass")
    assert "click" in imported(home, "-c", code, *arguments, "--help")
