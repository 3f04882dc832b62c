"""Completion, as bash, zsh and fish ask for it, and where they are installed, by themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from tests.fakes.processes import MAILER, which

from .home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a ``mailer`` on its path, and two relays."""
    home = Home(tmp_path)
    home.configure(
        '[relay.out]\nhost = "a.example.com"\n[relay.other]\nhost = "b.example.com"\n[[route]]\nmatch = "*"\nvia = ["relay:out"]\n'
    )
    script = tmp_path / "bin" / "mailer"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {MAILER[0]} {MAILER[1]} "$@"\n')
    script.chmod(0o755)
    home.env["PATH"] = f"{script.parent}:{home.env['PATH']}"
    return home


def offered(home: Home, line: str) -> list[str]:
    """What is offered for the end of `line`, as bash asks for it: files and directories by that word."""
    words = line.split(" ")
    more = {"_MAILER_COMPLETE": "bash_complete", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(MAILER, capture_output=True, text=True, env=home.env | more, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [value if kind == "plain" else kind for kind, _, value in (row.partition(",") for row in done.stdout.splitlines()) if kind]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mailer sta", ["status"]),
        ("mailer se", ["setup", "send", "sendmail"]),
        ("mailer he", ["help"]),
        ("mailer --v", ["--version"]),
        ("mailer queue pau", ["pause", "pauses"]),
        ("mailer queue list --li", ["--limit"]),
        ("mailer status --st", ["--state", "--status", "--stream"]),
        ("mailer status --state de", ["deferred"]),
        ("mailer status --by ", ["destination", "domain", "reason"]),
        ("mailer send --priority ", ["high", "normal", "low"]),
        ("mailer send --attach ", ["file"]),
        ("mailer send --fcc ", ["dir"]),
        ("mailer send --subject ", []),
        ("mailer config check ", ["file"]),
        ("mailer config set mailer.h", ["mailer.hostname"]),
        ("mailer config set relay.oth", [f"relay.other.{key}" for key in ("host", "port", "tls")]),
        ("mailer config set mailer.hostname mailer.h", []),
        ("mailer probe ", ["out", "other"]),
        ("mailer probe o", ["out", "other"]),
        ("mailer queue pause ", ["relay:out", "relay:other"]),
        ("mailer queue resume ", []),
        ("mailer status -- --", []),
        ("mailer nonsense --", ["--help", "--version"]),
    ],
)
def test_what_is_offered(home: Home, line: str, words: list[str]) -> None:
    """Commands, verbs, options and values that can be known at little cost."""
    found = offered(home, line)
    assert found[: len(words)] == words
    assert len(found) == len(words) or line.startswith("mailer config set relay")


def test_what_is_in_the_spool_is_offered(home: Home) -> None:
    """IDs of messages, newest first, and the domains that they go to; where a command is for what waits, only that."""
    ids = [home.send(f"a@{domain}.example.net").stdout.decode().strip() for domain in ("one", "two")]
    assert home.mailer("queue", "cancel", ids[0]).returncode == 0
    for command in ("status", "explain", "queue show", "queue replay"):
        assert offered(home, f"mailer {command} 0") == ids[::-1]
    assert offered(home, "mailer queue hold ") == ids[1:]
    assert offered(home, "mailer bounces --domain ") == ["one.example.net", "two.example.net"]
    assert offered(home, "mailer queue pause t") == ["two.example.net"]
    assert offered(home, f"mailer status --spool {home.path}/none ") == []


def test_a_configuration_with_a_mistake_offers_nothing(home: Home) -> None:
    """And says nothing, for it would be in the middle of what is typed."""
    home.configure("nonsense\n")
    assert offered(home, "mailer probe ") == []


def test_a_message_is_sent_whatever_the_variable_says(home: Home) -> None:
    """Completion is asked for without arguments; where one is there, the variable was left behind."""
    home.env["_MAILER_COMPLETE"] = "bash_complete"
    assert home.send("a@example.com").returncode == 0
    assert home.mailer("status", "--quiet").returncode == 0
    assert home.mailer("run", "--once").returncode == 0


def test_bash_itself(home: Home) -> None:
    """The line of the manual, and what bash then has for the end of a line."""
    code = """
        eval "$(_MAILER_COMPLETE=bash_source mailer)"
        COMP_WORDS=(mailer queue list --state de) COMP_CWORD=4
        _mailer_completion mailer
        printf '%s\\n' "${COMPREPLY[@]}"
        complete -p mailer
    """
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, env=home.env, timeout=60)
    assert done.stdout.splitlines() == ["deferred", "complete -o nosort -F _mailer_completion mailer"], done


@pytest.mark.parametrize(
    ("line", "put"),
    [
        ("mailer queue pause relay:o", ["out", "other"]),  # in the place of what stands behind the colon
        ("mailer queue pause r", ["relay:out", "relay:other"]),
        ("mailer status --state=de", ["deferred"]),
        ("mailer status --state de nonsense", []),
    ],
)
def test_bash_cuts_words_at_colons(home: Home, line: str, put: list[str]) -> None:
    """Bash gives the line, too, and puts what is chosen in the place of the last piece of it."""
    code = """
        eval "$(_MAILER_COMPLETE=bash_source mailer)"
        COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=() COMP_CWORD=0
        _mailer_completion mailer
        printf '%s\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "--norc", "-c", code, "-", line], capture_output=True, text=True, env=home.env, timeout=60)
    assert (done.stdout.split(), done.stderr) == (put, "")


@pytest.mark.peer("fish")
def test_fish_itself(home: Home) -> None:
    """The same of fish, which also shows what a command does."""
    code = 'env _MAILER_COMPLETE=fish_source mailer | source; complete -C "mailer sta"; complete -C "mailer status --state de"'
    done = subprocess.run([which("fish"), "-N", "-c", code], capture_output=True, text=True, env=home.env, timeout=60)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["status", "deferred"], done


@pytest.mark.peer("zsh")
def test_zsh_itself(home: Home) -> None:
    """The same of zsh, at a terminal, for there is no other way to ask it."""
    primary, secondary = pty.openpty()
    env = home.env | {"TERM": "dumb", "PS1": "> "}
    process = subprocess.Popen(
        [which("zsh"), "-f", "-i"], stdin=secondary, stdout=secondary, stderr=secondary, env=env, start_new_session=True
    )
    os.close(secondary)
    try:
        typed(primary, b'autoload -U compinit; compinit -D -u; eval "$(_MAILER_COMPLETE=zsh_source mailer)"; echo rea""dy\n', "ready")
        assert "status" in typed(primary, b"mailer sta\t", "status")
    finally:
        process.kill()
        process.wait()
        os.close(primary)


def typed(terminal: int, keys: bytes, awaited: str) -> str:
    """What a terminal shows from the moment that `keys` are typed until `awaited` is there, or for half a minute."""
    os.write(terminal, keys)
    said, end = "", time.monotonic() + 30
    while awaited not in said and select.select([terminal], [], [], max(end - time.monotonic(), 0))[0]:
        said += re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", os.read(terminal, 4096).decode(errors="replace"))
    return said
