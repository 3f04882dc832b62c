"""``mailer config install-sendmail``: three names for one program, and nobody else's file is touched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .home import WHOLE, Home

FILES = ["bin/mailq", "bin/newaliases", "lib/sendmail", "sbin/sendmail"]


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink())


def install(home: Home, *more: str) -> subprocess.CompletedProcess[bytes]:
    return home.mailer("config", "install-sendmail", "--prefix", home.path / "usr", *more)


def run(home: Home, name: str, *arguments: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([home.path / "usr" / name, *arguments], input=input, capture_output=True, env=home.env, timeout=60, cwd="/")


def test_the_programs_are_there(home: Home) -> None:
    """Each does under its name what that name means, wherever it is started."""
    done = install(home)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.decode().splitlines()] == ["wrote", "linked", "linked", "linked"]
    assert files(home.path / "usr") == FILES
    assert run(home, "sbin/sendmail", "-t", input=WHOLE).returncode == 0
    assert run(home, "lib/sendmail", "-i", "--", "x@example.net", input=WHOLE).returncode == 0
    assert len(home.queued()) == 2
    assert run(home, "bin/mailq").stdout.endswith(b"in 2 Requests.\n")
    assert run(home, "bin/newaliases").returncode == 0


def test_it_does_not_matter_how_often(home: Home) -> None:
    """The second time nothing has to be done; a script from before is replaced."""
    install(home)
    assert install(home).stdout.count(b"is there already") == 4
    program = home.path / "usr/sbin/sendmail"
    program.write_text(program.read_text() + "# as an older version made it\n")
    assert b"wrote" in install(home).stdout
    assert "older" not in program.read_text()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("link", [False, True])
def test_a_foreign_file_stays(home: Home, name: str, link: bool) -> None:
    """Then nothing at all is changed, and a line names it."""
    path = home.path / "usr" / name
    path.parent.mkdir(parents=True)
    if link:
        path.symlink_to("/bin/true")
    else:
        path.write_text("#!/bin/sh\n")
    home.refused(install(home), 73, str(path), "not of mailer")
    assert files(home.path / "usr") == [name]


def test_what_it_made_it_removes(home: Home) -> None:
    """And nothing else."""
    install(home)
    other = home.path / "usr/bin/mailq"
    other.unlink()
    other.write_text("#!/bin/sh\n")
    assert install(home, "--remove").returncode == 0
    assert files(home.path / "usr") == ["bin/mailq"]
    home.refused(install(home, "--remove"), 73, "not of mailer")


def test_it_asks_for_the_prefix(home: Home) -> None:
    """There is no place that is right for everybody."""
    home.refused(home.mailer("config", "install-sendmail"), 64, "--prefix")


def test_the_environment_of_python_leads_it_nowhere(home: Home) -> None:
    """A module of somebody's directory is not imported instead of ours, whatever the environment says."""
    install(home)
    bait = home.path / "bait"
    bait.mkdir()
    for name in ("mailer", "os", "sitecustomize", "usercustomize", "_json"):
        bait.joinpath(f"{name}.py").write_text(f"open({str(home.path / 'bitten')!r}, 'w')\n")
    home.env |= {"PYTHONPATH": str(bait), "PYTHONSTARTUP": str(bait / "os.py"), "PYTHONHOME": str(bait), "PYTHONINSPECT": "1"}
    done = subprocess.run([home.path / "usr/sbin/sendmail", "-t"], input=WHOLE, capture_output=True, env=home.env, cwd=bait, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert not (home.path / "bitten").exists()
