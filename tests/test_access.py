"""The process by which users read their mail: its places, its number, and what keeps it from beginning."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailer.config.file import config_of
from mailer.doors import wanted
from tests.fakes.processes import free_port

GIVEN = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
START = "os.execv(sys.executable, [sys.executable, '-m', 'mailer', *sys.argv[2:]])"


def configured(home: Path, port: int, more: str = "") -> list[str]:
    """The words of the command, with a configuration that has a door of each kind."""
    (home / "config.toml").write_text(f"""
[mailer]
hostname = "mx.example.com"
spool = "{home}/spool"
[mailboxes]
path = "{home}/mailboxes"
[[domain]]
name = "example.com"
via = "local"
[[listen]]
kind = "imap"
address = "127.0.0.1:{port}"
{more}
""")
    return ["access", "--config", str(home / "config.toml")]


@contextmanager
def started(words: list[str], given: socket.socket | None = None) -> Iterator[subprocess.Popen[str]]:
    """The process, which listens; with a socket that was opened for it if there is one. It has to end well."""
    argv = [sys.executable, "-m", "mailer", *words]
    descriptors: tuple[int, ...] = ()
    if given is not None:
        descriptors = (given.fileno(),)
        argv = [sys.executable, "-c", GIVEN + START, str(given.fileno()), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=descriptors) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("listening on ")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == 0


def ended(words: list[str]) -> tuple[int, str]:
    """How the command ends, and what it says."""
    done = subprocess.run([sys.executable, "-m", "mailer", *words], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def greeting(port: int) -> bytes:
    """What a caller hears."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client, client.makefile("rb") as lines:
        return lines.readline()


def test_a_socket_that_was_opened_for_it_is_taken_over(tmp_path: Path) -> None:
    """Callers that came before are served; and another process with this number finds that one is there."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        port = given.getsockname()[1]
        words = configured(tmp_path, port)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as early, started(words, given):
            assert early.recv(4) == b"* OK"
            assert greeting(port).startswith(b"* OK")
            code, said = ended(words)
            assert (code, "another mailer access serves the spool" in said) == (75, True)
    assert os.listdir(tmp_path / "mailboxes/bell") == []


def test_two_processes_have_one_place(tmp_path: Path) -> None:
    """Each by its number."""
    port = free_port()
    words = configured(tmp_path, port, "[access]\nprocesses = 2")
    with started(words), started([*words, "--number", "2"]):
        assert greeting(port).startswith(b"* OK")
        assert {name for name in os.listdir(tmp_path / "spool") if name.endswith(".lock")} == {"access.lock", "access-2.lock"}
        assert len(os.listdir(tmp_path / "mailboxes/bell")) == 2


@pytest.mark.parametrize(
    ("more", "words", "code", "said"),
    [
        ("", ["--number", "17"], 64, "--number"),
        ('tls = "implicit"\ncertificate_file = "/nowhere.pem"', [], 78, "/nowhere.pem"),
        ("[access]\nprocesses = 17", [], 78, "a number from 1 to 16"),
        ('[access]\nlogin_timeout = "2h"', [], 78, "access.idle_timeout"),
    ],
)
def test_what_keeps_it_from_beginning_is_one_line(tmp_path: Path, more: str, words: list[str], code: int, said: str) -> None:
    """With the exit code that says whose turn it is."""
    found, line = ended([*configured(tmp_path, free_port(), more), *words])
    assert (found, said in line) == (code, True), line
    assert line.count("\n") == 1


def test_without_a_door_there_is_nothing_to_do(tmp_path: Path) -> None:
    """It says what to write."""
    (tmp_path / "config.toml").write_text(f'[mailer]\nspool = "{tmp_path}/spool"\n')
    code, said = ended(["access", "--config", str(tmp_path / "config.toml")])
    assert (code, 'kind = "imap"' in said) == (78, True)


def test_the_daemon_starts_as_many_as_are_asked_for(tmp_path: Path) -> None:
    """And none without a door."""
    configured(tmp_path, 143, "[access]\nprocesses = 3")
    text = (tmp_path / "config.toml").read_bytes()
    found = wanted(config_of("x", text), None)
    assert {name: words[4:7] for name, words in found.items()} == {
        "access": ("access", "--number", "1"),
        "access-2": ("access", "--number", "2"),
        "access-3": ("access", "--number", "3"),
    }
    assert wanted(config_of("x", text.replace(b'"imap"', b'"mx"')), None) == {}
