"""What can be the name of a folder; none ever becomes a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.problem import Problem
from mailer.mailbox import names
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout

from .premises import Premises, put

FINE = [
    "..", ".", "../u1", "a/../b", "~root", "cur", "new", "tmp", "&AAA-", "&", "%", "*", "a b", " ", "\u202eabc", "\u200b", "CON", "a.b",
    "x" * 300, "/".join("x" * 50), "\U0001f600", "Entw\xfcrfe", "INBOXES", "inboxx/y", "'; DROP TABLE folder; --", "\\", '"', "a:2,S",
]  # fmt: skip
BAD = [
    "",
    "/",
    "/etc",
    "a/",
    "a//b",
    "a\0b",
    "a\rb",
    "a\nb",
    "a\x7fb",
    "a\x85b",
    "a\u2028b",
    "\ud800",
    "x" * 1001,
    "\xe9" * 501,
    "/".join("x" * 51),
]


@pytest.mark.parametrize("name", FINE)
def test_a_name_comes_back_as_it_was_given(name: str) -> None:
    """Whatever it would mean to a file system, a shell or a database."""
    assert names.checked(name) == name
    assert names.key_of(name)


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_a_name_is_said_in_a_line(name: str) -> None:
    """And has no key, so that no folder is found by it."""
    with pytest.raises(Problem) as caught:
        names.checked(name)
    assert caught.value.kind == "usage"
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
    assert names.key_of(name) == ""


@given(st.text(max_size=300))
def test_a_name_is_taken_or_refused_and_stays_so(name: str) -> None:
    """What was taken is taken again, and its parents with it."""
    try:
        once = names.checked(name)
    except Problem:
        return
    assert names.checked(once) == once
    assert once == name or once.upper().startswith("INBOX")
    for parent in names.parents(once):
        assert names.checked(parent) == parent


def test_no_name_is_a_path(tmp_path: Path) -> None:
    """Folders of such names are made, filled, renamed and deleted, and on the disk are names that we gave, and no others."""
    layout = Layout(str(tmp_path / "mailboxes"))
    premises = Premises(lambda owner: (layout.have(layout.home(owner.id)), SqliteEngine(layout.index(owner.id)))[1], FileBodies(layout))
    with premises.ann() as box:
        for name in FINE:
            if box.folder(name) is None:
                box.create(name)
            put(box, name)
        home = layout.home(box.owner.id)
        assert {entry for entry in os.listdir(home) if not entry.startswith("index.sqlite3")} == {"mail", "tmp"}
        found = {path.name for path in Path(home, "mail").rglob("*") if path.is_file()}
        assert len(found) == len(FINE)
        assert all(len(name) == 26 for name in found)
        box.rename("..", "a/../../../etc")
        for folder in reversed(box.folders()):
            if folder.role != "inbox":
                box.delete(folder.name)
        assert {path.name for path in tmp_path.iterdir()} == {"mailboxes"}
    premises.boxes.close()
