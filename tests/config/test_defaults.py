"""Where things are if nobody has said it: whole places, or a line that says what to set."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from mailer.config import load, values
from mailer.config.quick import given, submission
from mailer.mail.problem import Problem
from mailer.shaping.replies import shipped

NOBODY_KNOWS = 4_242_424
HOMELESS = [None, "", "here", "./x", "~"]


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user without an entry in passwd(5), as in a container, on a machine that mailer is not configured on."""
    monkeypatch.setattr(values.os, "geteuid", lambda: NOBODY_KNOWS)
    monkeypatch.setattr(values.os, "getuid", lambda: NOBODY_KNOWS)
    monkeypatch.setattr(values, "SYSTEM_FILE", str(tmp_path / "none.toml"))
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "MAILER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def at_home(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    if home is not None:
        monkeypatch.setenv("HOME", home)


@pytest.mark.parametrize("home", HOMELESS)
@pytest.mark.usefixtures("nameless")
def test_without_a_home_there_is_no_spool(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """78 that says what to set; never a place below the directory where the program was started, which no daemon would look at."""
    at_home(monkeypatch, home)
    for settings in (submission, load):
        with pytest.raises(Problem, match=r"no place for the spool: HOME is not .*set HOME; or set XDG_STATE_HOME") as caught:
            settings()
        assert caught.value.kind == "bad-config"
    assert values.files() == (values.SYSTEM_FILE,)
    with pytest.raises(Problem, match="no place for a configuration: HOME"):
        values.new_file()


@pytest.mark.usefixtures("nameless")
def test_what_is_shipped_is_read_without_a_home() -> None:
    """The daemon of a container, whose configuration says where the spool is, needs none."""
    shipped.cache_clear()
    assert shipped()


@pytest.mark.parametrize("home", HOMELESS)
@pytest.mark.usefixtures("nameless")
def test_who_says_where_the_spool_is_needs_no_home(home: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On the command line, in the configuration, or by the base directory, which counts if it is whole."""
    at_home(monkeypatch, home)
    config = tmp_path / "c.toml"
    config.write_text('[mailer]\nspool = "/srv/spool"\n')
    for settings in (submission, load):
        assert settings(None, "here").spool == str(tmp_path / "here")
        assert settings(str(config)).spool == "/srv/spool"
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert values.own_spool() == ""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert submission().spool == load().spool == "/state/mailer"


@pytest.mark.parametrize("home", HOMELESS)
@pytest.mark.usefixtures("nameless")
def test_a_home_that_is_no_whole_path_is_the_one_of_the_system(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that all programs of a user find one spool; a relative HOME would be another in each directory."""
    at_home(monkeypatch, home)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: SimpleNamespace(pw_dir="/home/pi"))
    assert submission().spool == "/home/pi/.local/state/mailer"
    assert values.files()[0] == "/home/pi/.config/mailer/config.toml"
    assert values.path("~/x") == "/home/pi/x"
    monkeypatch.setenv("HOME", "/")
    assert values.own_spool() == "/.local/state/mailer"


@pytest.mark.parametrize("home", HOMELESS)
@pytest.mark.usefixtures("nameless")
def test_a_path_below_no_home(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting that is a path, and what the command line and the environment name: refused, and never a directory called ~."""
    at_home(monkeypatch, home)
    with pytest.raises(ValueError, match=r"~ is no place: HOME is not .*write the whole path"):
        values.path("~/secret")
    for read in (lambda: given("~/x"), lambda: submission("~/c.toml"), lambda: submission(None, "~/spool"), lambda: load(None, "~/spool")):
        with pytest.raises(Problem, match="~ is no place") as caught:
            read()
        assert caught.value.kind == "bad-config"
    monkeypatch.setenv("MAILER_CONFIG", "~/c.toml")
    with pytest.raises(Problem, match="~ is no place"):
        submission()


def test_the_command_line_knows_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands the ~ of --spool=~/x, of a crontab or of a unit; that of another user is his."""
    monkeypatch.setenv("HOME", "/home/me")
    root = pwd.getpwnam("root").pw_dir
    assert (given("~/x"), given("~"), given("x/~"), given("~root/x")) == ("/home/me/x", "/home/me", "x/~", f"{root}/x")
    assert submission(os.devnull, "~/spool").spool == load(os.devnull, "~/spool").spool == "/home/me/spool"
    with pytest.raises(Problem, match="there is no user nobody-knows"):
        given("~nobody-knows/x")


def test_the_owner_of_the_machines_spool_has_that(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The daemon's user, whoever he is, finds what the service serves; a base directory that is named counts more."""
    monkeypatch.setattr(values, "SYSTEM_SPOOL", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert values.own_spool() == str(tmp_path)
    monkeypatch.setattr(values.os, "geteuid", lambda: NOBODY_KNOWS)
    assert values.own_spool() == "/home/anna/.local/state/mailer"
    monkeypatch.setattr(values, "SYSTEM_SPOOL", f"{tmp_path}/none")
    assert values.own_spool() == "/home/anna/.local/state/mailer"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert values.own_spool() == "/state/mailer"


def test_mailboxes_are_the_machines_for_whoever_has_its_spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beside the state of others, and of whoever names a base directory, as a container does; root names none."""
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(values, "SYSTEM_SPOOL", f"{tmp_path}/mailer")
    (tmp_path / "mailer").mkdir()
    assert values.mailboxes_beside(values.own_spool()) == values.SYSTEM_MAILBOXES
    monkeypatch.setattr(values.os, "geteuid", lambda: NOBODY_KNOWS)
    assert values.mailboxes_beside(values.own_spool()) == "/home/anna/.local/state/mailer/mailboxes"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert values.mailboxes_beside(values.own_spool()) == f"{tmp_path}/mailer/mailboxes"
