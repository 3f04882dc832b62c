"""``mailer mailbox move``: a mailbox goes to another place and back, whoever is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mailer.operate.schemas import SCHEMAS
from tests.mailbox.test_imports_maildir import folder, message
from tests.mailbox.test_imports_taking import letter
from tests.operate.test_schemas import right

from .home import Home

ANN = "ann@example.com"
DIES = """
import os, signal, sys
from mailer.config import load
from mailer.operate import mailbox_move

def watched(phase, many):
    if phase == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

mailbox_move.move(load(sys.argv[1]), "ann@example.com", "south", watched)
"""


@pytest.fixture
def kept(home: Home) -> Home:
    """A home with two places, and a mailbox of ann's with three messages."""
    places = f'\n[mailboxes]\npath = "{home.path}/mailboxes"\n[[mailbox_store]]\nname = "south"\npath = "{home.path}/south"\n'
    home.configure(places)
    root = folder(home.path / "Maildir")
    message(root / "cur", "1.a:2,S", letter(1))
    message(root / "new", "2.b", letter(2))
    message(folder(root / ".Work") / "cur", "3.c:2,F", letter(3))
    assert home.mailer("mailbox", "import", ANN, root, "--make").returncode == 0
    return home


def known(home: Home) -> bytes:
    """All folders, with their numbers."""
    return home.mailer("mailbox", "list", ANN, "--json").stdout


def test_a_mailbox_goes_there_and_back(kept: Home) -> None:
    """With all its numbers; what it left behind is removed, and nothing where it is."""
    before = known(kept)
    done = kept.mailer("mailbox", "move", ANN, "--to", "south", "--json")
    assert done.returncode == 0, done.stderr
    (moved,) = right("mailbox move", done.stdout.decode(), lines=0)
    assert (moved["from"], moved["to"], moved["messages"]) == ("home", "south", 3)
    assert "mailbox move" in SCHEMAS
    assert known(kept) == before
    assert kept.mailer("mailbox", "verify", ANN).returncode == 0
    kept.refused(kept.mailer("mailbox", "move", ANN, "--forget", "south"), 64, "and stays")
    done = kept.mailer("mailbox", "move", ANN, "--forget", "home")
    assert done.returncode == 0, done.stderr
    assert not list((kept.path / "mailboxes").glob("u/*/*/index.sqlite3"))
    assert not list((kept.path / "mailboxes").glob("u/*/*/mail/*/*"))
    done = kept.mailer("mailbox", "move", ANN, "--to", "home")
    assert b"ann@example.com is in the place home now; nobody could write for 0." in done.stdout
    assert b"mailer mailbox move ann@example.com --forget south" in done.stderr
    assert known(kept) == before
    assert kept.mailer("mailbox", "show", ANN, "Work", "1").stdout == letter(3)


@pytest.mark.parametrize("phase", ["messages", "copy", "chase", "freeze"])
def test_a_move_that_is_killed_leaves_a_whole_mailbox(kept: Home, phase: str) -> None:
    """Where it was; the same command goes on, after the seconds in which nobody could write."""
    before = known(kept)
    configuration = kept.path / ".config" / "mailer" / "mailer.toml"
    if not configuration.exists():
        configuration = next(Path(kept.path).rglob("*.toml"))
    done = subprocess.run([sys.executable, "-c", DIES, str(configuration), phase], capture_output=True, cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert known(kept) == before
    assert kept.mailer("mailbox", "verify", ANN).returncode == 0
    (line,) = [json.loads(line) for line in kept.mailer("mailbox", "list", "--json").stdout.splitlines()]
    assert line["state"] == ("frozen" if phase == "freeze" else "open")
    done = kept.mailer("mailbox", "move", ANN, "--to", "south")
    if phase == "freeze":
        kept.refused(done, 75, "is frozen, and is not moved")
    else:
        assert done.returncode == 0, done.stderr
        assert known(kept) == before
        assert kept.mailer("mailbox", "verify", ANN).returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        ((ANN,), 64, "it needs an ADDRESS, and --to PLACE or --forget PLACE"),
        ((ANN, "--to", "south", "--forget", "home"), 64, "--to PLACE or --forget PLACE"),
        (("--to", "south"), 64, "it needs an ADDRESS"),
        ((ANN, "--to", "north"), 78, "there is no [[mailbox_store]] 'north'"),
        ((ANN, "--to", "home"), 64, "already"),
        (("bob@example.com", "--to", "south"), 67, "there is no mailbox of bob@example.com"),
    ],
)
def test_mistakes_are_one_line(kept: Home, words: tuple[str, ...], code: int, why: str) -> None:
    """That says what, where, and what to do."""
    kept.refused(kept.mailer("mailbox", "move", *words), code, why)
