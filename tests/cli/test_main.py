"""The front of the program: which command is meant, and how errors look."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailer import __version__
from mailer.cli import TABLE

from .home import WHOLE, Home


def test_without_arguments_it_says_what_there_is(home: Home) -> None:
    """The overview, and 64, because nothing was asked for; with --help the same and 0."""
    done = home.mailer()
    assert (done.returncode, done.stderr) == (64, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("usage: mailer COMMAND")
    assert [line.split()[0] for line in lines[2:-2]] == list(TABLE)
    assert max(map(len, lines)) <= 100
    for arguments in (["--help"], ["-h"], ["help"], ["help", "-v"]):
        asked = home.mailer(*arguments)
        assert (asked.returncode, asked.stdout) == (0, done.stdout)


@pytest.mark.parametrize("argument", ["--version", "-V"])
def test_the_version(home: Home, argument: str) -> None:
    """One line."""
    done = home.mailer(argument)
    assert (done.returncode, done.stdout.decode()) == (0, f"mailer {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sned"], "there is no command 'sned'; did you mean `send`?"),
        (["stauts"], "did you mean `status`?"),
        (["zzzz"], "there is no command 'zzzz'; `mailer --help` lists the commands"),
        (["--zzz"], "there is no command '--zzz'; options stand behind the command: mailer COMMAND --zzz"),
        (["--", "status"], "there is no command '--'"),
        (["queue", "--", "list"], "`mailer queue` has no '--'; it has list"),
        (["queue", "lits"], "`mailer queue` has no 'lits'; it has list"),
        (["a\nb\x1b[2J"], "there is no command"),
    ],
)
def test_an_unknown_command_is_one_line(home: Home, arguments: list[str], words: str) -> None:
    """64, and the nearest one if one is near."""
    done = home.mailer(*arguments)
    assert (done.returncode, done.stdout) == (64, b"")
    (line,) = done.stderr.decode().splitlines()
    assert words in line
    assert "\x1b" not in line


def test_a_command_of_two_words_says_what_it_has(home: Home) -> None:
    """`mailer queue` lists the second words: 64, with --help 0."""
    done = home.mailer("queue")
    assert (done.returncode, done.stdout) == (64, b"")
    asked = home.mailer("queue", "--help")
    assert (asked.returncode, asked.stdout) == (0, done.stderr)
    assert b"mailer queue hold" in asked.stdout


def test_help_of_a_command(home: Home) -> None:
    """On standard output, 0, whatever else was given; nothing is read and nothing done."""
    done = home.mailer("send", "a@example.com", "--help", input=WHOLE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"usage: mailer send ")
    assert not os.path.exists(home.spool.root)


BUG = """
import sys
import mailer.cli.send
def submit(*_):
    raise {error}
mailer.cli.send.submit = submit
sys.argv[1:] = {arguments}
sys.exit(mailer.cli.main(["mailer", *sys.argv[1:]]))
"""


def broken(home: Home, error: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """``mailer send`` in which submission raises `error`."""
    code = BUG.format(error=error, arguments=["send", "a@example.com", *arguments])
    return subprocess.run([sys.executable, "-c", code], input=WHOLE, capture_output=True, env=home.env)


def test_a_bug_is_one_line_that_says_where(home: Home) -> None:
    """70; the traceback only for who asks for it."""
    done = broken(home, "ValueError('first\\nsecond')")
    assert done.returncode == 70
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("mailer: a bug in mailer: ValueError: first second (<string>:5); please report it")
    told = broken(home, "ValueError('x')", "-v")
    assert told.returncode == 70
    assert b"Traceback" in told.stderr


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("OSError(28, 'No space left on device', '/x')", 75, "/x: No space left on device; try again"),
        ("PermissionError(13, 'Permission denied', '/x')", 77, "/x: Permission denied"),
        ("OSError(5, 'Input/output error')", 74, "Input/output error"),
        ("KeyboardInterrupt", 75, "interrupted"),
    ],
)
def test_trouble_of_the_machine_is_no_bug(home: Home, error: str, code: int, words: str) -> None:
    """One line, and the code that says whether to try again."""
    done = broken(home, error)
    assert done.returncode == code
    (line,) = done.stderr.decode().splitlines()
    assert words in line
    assert "bug" not in line


def test_a_reader_that_leaves_is_no_error(home: Home) -> None:
    """`mailer --help | true`: 0 and silence."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = home.mailer("--help", capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_that_cannot_be_written_is_told(home: Home) -> None:
    """A full disk behind standard output: 74 and one line."""
    with open("/dev/full", "wb") as full:
        done = home.mailer("--help", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 74
    assert done.stderr.decode() == "mailer: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("name", ["sendmail", "mailq", "newaliases"])
def test_the_program_answers_to_its_old_names(home: Home, name: str) -> None:
    """Started as sendmail it is sendmail: a link is all that an installation needs."""
    script = home.path / name
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom mailer.cli import main\nsys.exit(main(sys.argv))\n")
    script.chmod(0o755)
    arguments = ["a@example.com"] if name == "sendmail" else []
    done = subprocess.run([script, *arguments], input=WHOLE, capture_output=True, env=home.env)
    assert done.returncode == 0, done
    assert len(home.queued()) == (1 if name == "sendmail" else 0)


def test_the_sendmail_face_survives_a_closed_input(home: Home) -> None:
    """One line, no bug."""
    done = home.mailer("sendmail", "a@example.com", input=None, preexec_fn=lambda: os.close(0))
    home.refused(done, 74, "standard input is closed")


def test_whoever_asked_to_be_told_of_the_end_is_told(home: Home) -> None:
    """A process ends at once only where nobody registered anything; what was written is written either way."""
    for told in ("", "import atexit; atexit.register(print, 'told'); "):
        code = told + "import sys; from mailer.cli import start; start(sys.argv)"
        done = subprocess.run(
            [sys.executable, "-c", code, "--version"], capture_output=True, text=True, env=home.env, cwd=Path(__file__).parents[2]
        )
        assert done.returncode == 0
        assert done.stdout.splitlines() == [f"mailer {__version__}", *(["told"] if told else [])]
