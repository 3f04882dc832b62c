from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailer.config import secret
from mailer.config.secret import FileOwner, Secret
from mailer.mail.problem import Problem

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def a_file(path: Path, data: bytes, mode: int = 0o600) -> Secret:
    path.write_bytes(data)
    path.chmod(mode)
    return Secret("file", (str(path),))


def a_command(code: str, *arguments: str) -> Secret:
    return Secret("command", (sys.executable, "-c", code, *arguments))


@pytest.mark.parametrize("data", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_a_secret_file_holds_one_line(tmp_path: Path, data: bytes) -> None:
    """The newline that an editor leaves is no part of it."""
    assert a_file(tmp_path / "s", data)() == "hunter2"


def test_spaces_belong_to_a_secret(tmp_path: Path) -> None:
    """Only the newline goes."""
    assert a_file(tmp_path / "s", " hünter 2 \n".encode())() == " hünter 2 "


def test_a_secret_is_read_each_time(tmp_path: Path) -> None:
    """A password that was changed works without a restart."""
    place = a_file(tmp_path / "s", b"old")
    assert place() == "old"
    a_file(tmp_path / "s", b"new")
    assert place() == "new"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o610, 0o666])
def test_a_secret_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    """The error says which file and how to mend it."""
    place = a_file(tmp_path / "s", b"hunter2", mode)
    with pytest.raises(Problem, match=f"others can read the password file {tmp_path}/s; run: chmod 600 {tmp_path}/s") as caught:
        place()
    assert caught.value.kind == "bad-config"


def test_a_secret_file_behind_a_link_is_judged_itself(tmp_path: Path) -> None:
    """A symbolic link is followed; what counts is the file that is opened."""
    a_file(tmp_path / "s", b"hunter2", 0o644)
    (tmp_path / "link").symlink_to(tmp_path / "s")
    with pytest.raises(Problem, match="chmod 600"):
        Secret("file", (str(tmp_path / "link"),))()
    (tmp_path / "s").chmod(0o400)
    assert Secret("file", (str(tmp_path / "link"),))() == "hunter2"


@root
def test_a_secret_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Neither root's nor ours: whose password would that be?"""
    place = a_file(tmp_path / "s", b"hunter2")
    os.chown(tmp_path / "s", 65534, -1)
    with pytest.raises(Problem, match="belongs to somebody else; chown it"):
        place()


def test_a_secret_file_that_is_missing(tmp_path: Path) -> None:
    """A mistake of the configuration, with the path."""
    with pytest.raises(Problem, match=f"cannot read the password file {tmp_path}/s: No such file") as caught:
        Secret("file", (str(tmp_path / "s"),))()
    assert caught.value.kind == "bad-config"


def test_what_is_no_file_makes_nobody_wait(tmp_path: Path) -> None:
    """A FIFO without a writer, a directory: refused at once."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(Problem, match="is no file"):
            Secret("file", (str(path),))()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"one\ntwo\n", "has to be one line"),
        (b"a\0b", "has to be one line"),
        (b"x" * 5000, "has to be one line of at most 4096 bytes"),
        (b"hunter\xff", "not text in UTF-8"),
    ],
)
def test_what_is_no_password(tmp_path: Path, data: bytes, problem: str) -> None:
    """What could not be a password is said to be wrong, and is not repeated."""
    with pytest.raises(Problem, match=problem) as caught:
        a_file(tmp_path / "s", data)()
    assert "hunter" not in str(caught.value)
    assert str(tmp_path / "s") in str(caught.value)


def test_a_command_prints_a_secret() -> None:
    """What it prints is the secret; its input is empty."""
    assert a_command("import sys; print(sys.stdin.read() + 'hunter2')")() == "hunter2"


def test_no_shell_runs_a_command() -> None:
    """What a shell would act on is an argument."""
    assert a_command("import sys; print(sys.argv[1])", "$(id); `id` | x > y")() == "$(id); `id` | x > y"


def test_a_command_that_fails_does_not_give_the_secret_away() -> None:
    """What it wrote to either output is not in the error, nor are its arguments."""
    place = a_command("import sys; print('hunter2'); sys.exit('hunter2')")
    with pytest.raises(Problem, match="failed with exit code 1; run it by hand to see why") as caught:
        place()
    assert caught.value.kind == "bad-config"
    assert "hunter2" not in str(caught.value) + str(place) + repr(place)
    assert caught.value.__cause__ is None


def test_a_command_that_is_missing() -> None:
    """The error names the program."""
    with pytest.raises(Problem, match="cannot run the password command /no/such: No such file") as caught:
        Secret("command", ("/no/such", "hunter2"))()
    assert caught.value.kind == "bad-config"
    assert "hunter2" not in str(caught.value)


def test_a_command_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever; later may be better."""
    monkeypatch.setattr(secret, "PATIENCE", 0.3)
    with pytest.raises(Problem, match="took longer") as caught:
        a_command("import time; time.sleep(60)")()
    assert caught.value.kind == "try-again"


def test_who_only_looks_has_less_patience() -> None:
    """The error says how long was waited."""
    with pytest.raises(Problem, match="took longer than 0 seconds"):
        a_command("import time; time.sleep(60)")(0.1)


def test_a_command_that_hangs_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has started ends with it, also where it has ended itself and its child keeps the pipe."""
    monkeypatch.setattr(secret, "PATIENCE", 0.5)
    monkeypatch.setattr(os, "isatty", lambda _: False)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    child = "import os, time; os.open(sys.argv[1], os.O_WRONLY); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import sys; {child}', sys.argv[1]])"
    with pytest.raises(Problem, match="took longer"):
        a_command(code, str(pipe))()
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # nobody has the other end
    os.close(reader)


def test_a_command_that_hangs_ends_with_the_program(tmp_path: Path) -> None:
    """Nobody waits any more for what a thread had asked; nothing that the command has started is left running."""
    os.mkfifo(fifo := tmp_path / "fifo")
    command = ("sh", "-c", f"exec 3>{fifo}; sleep 600 & sleep 600")
    program = f"""if True:
        from threading import Thread
        from mailer.config.secret import Secret
        Thread(target=Secret("command", {command!r}), daemon=True).start()
        input()
    """
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process, fifo.open() as end:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
        assert end.read() == ""  # the last who could write there is gone
        assert process.wait() == 0


def test_a_command_that_prints_without_end_is_ended() -> None:
    """No more of it is kept than a secret may have."""
    with pytest.raises(Problem, match="has to be one line of at most 4096 bytes") as caught:
        a_command("while True: print('x' * 1000, end='')")()
    assert caught.value.kind == "bad-config"


def test_a_secret_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's value; not having it is a mistake of the configuration."""
    monkeypatch.setenv("A_PASSWORD", "hünter2")
    assert Secret("env", ("A_PASSWORD",))() == "hünter2"
    monkeypatch.delenv("A_PASSWORD")
    with pytest.raises(Problem, match="environment variable A_PASSWORD, which should hold a password, is not set") as caught:
        Secret("env", ("A_PASSWORD",))()
    assert caught.value.kind == "bad-config"


def test_secrets_are_equal_by_their_place() -> None:
    """Sessions that log in from one place can be shared; telling so reads nothing."""
    assert Secret("file", ("/a",)) == Secret("file", ("/a",))
    assert Secret("file", ("/a",)) != Secret("env", ("/a",))
    assert len({Secret("file", ("/a",)), Secret("file", ("/a",))}) == 1
    assert repr(Secret("command", ("pass", "hunter2"))) == "Secret(command pass …)"
    assert str(Secret("env", ("P",))) == "the environment variable P"


@root
@pytest.mark.parametrize("trick", ["link", "name", "pipe"])
def test_root_gives_only_what_he_has_made(tmp_path: Path, trick: str) -> None:
    """Who may write the directory puts something else in the place of the file: a link, another name of a file of root's, a pipe."""
    theirs, place = tmp_path / "shadow", tmp_path / "secret"
    theirs.write_text("")
    if trick == "link":
        place.symlink_to(theirs)
    elif trick == "name":
        os.link(theirs, place)
    else:
        os.mkfifo(place)
    with pytest.raises(PermissionError if trick != "link" else OSError):
        FileOwner(65534, 65534).give(str(place))
    assert {theirs.stat().st_uid, place.lstat().st_uid} == {0}
    place.unlink()
    place.write_text("")
    FileOwner(65534, 65534).give(str(place))
    assert place.stat().st_uid == 65534
