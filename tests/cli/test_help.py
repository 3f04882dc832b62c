"""``mailer help``: the manual without man(1)."""

from __future__ import annotations

import subprocess

import pytest

from mailer.cli import TABLE
from tests.fakes.processes import MAILER

from .home import Home


@pytest.mark.parametrize(
    ("words", "title"), [(["queue", "list"], "mailer-queue -"), (["config.5"], "mailer-config -"), (["mailer"], "mailer -")]
)
def test_a_page_is_printed(home: Home, words: list[str], title: str) -> None:
    """Of a command, of its second word, of a file and of the program; as plain text where nobody looks."""
    done = home.mailer("help", *words)
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert lines[2] == "NAME"
    assert lines[3].strip().startswith(title)
    assert "\x1b" not in done.stdout.decode()
    assert max(map(len, lines)) < 160


def test_every_command_has_a_page_there(home: Home) -> None:
    """Each that the overview lists."""
    for name in TABLE:
        assert home.mailer("help", name).returncode == 0


def test_a_topic_without_a_page(home: Home) -> None:
    """One line with those that there are."""
    done = home.mailer("help", "nonsense")
    assert (done.returncode, done.stdout) == (67, b"")
    assert done.stderr.decode().startswith("mailer: there is no manual page about 'nonsense'; there are access, amqp, api, bounces, ")


def test_a_terminal_has_a_pager(home: Home) -> None:
    """The one of PAGER, which gets bold headings, and none with NO_COLOR."""
    for variables, heading in (({}, "\x1b[1mNAME\x1b[0m"), ({"NO_COLOR": "1"}, "NAME")):
        env = {**home.env, "TERM": "xterm", "PAGER": "sed s/^/paged:/", **variables}
        command = ["script", "-qec", f"{MAILER[0]} {MAILER[1]} help send", "/dev/null"]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, stdin=subprocess.DEVNULL)
        assert f"paged:{heading}\n" in done.stdout.replace("\r", ""), done
