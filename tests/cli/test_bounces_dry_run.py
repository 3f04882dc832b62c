"""``mailer bounces ingest --dry-run``: how a report is read, and which message of ours it is about; nothing is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.reports import files
from tests.cli.terminal import Said, Shell
from tests.dsn.letters import LETTERS, OTHERS, other, written
from tests.status.office import Office

QMAIL = written(LETTERS[0])
Read = Callable[..., Said]


@pytest.fixture
def read(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Show how this is read, which comes by standard input."""

    def show(content: bytes, *words: str) -> Said:
        path = tmp_path / "report"
        path.write_bytes(content)
        with path.open() as file:
            monkeypatch.setattr("sys.stdin", file)
            return shell("bounces", "ingest", "--dry-run", *words)

    return show


def test_a_report_is_read_and_not_taken(office: Office, read: Read) -> None:
    """The fields that other programs go by have these names."""
    (said,) = read(QMAIL, "--json").objects
    assert (said["kind"], said["message_id"], said["matched"]) == ("bounce", "one@out.example.org", None)
    (user,) = said["recipients"]
    assert {name: user[name] for name in ("address", "action", "status", "class", "hard")} == {
        "address": "user@example.net",
        "action": "failed",
        "status": "5.1.1",
        "class": "unknown-user",
        "hard": True,
    }
    assert "User unknown" in user["diagnostic"]
    assert files.waiting(office.spool.root, 10) == []


@pytest.mark.usefixtures("office")
def test_a_person_sees_it_too(read: Read) -> None:
    """Who failed and why, and whether the message is one of ours."""
    said = read(QMAIL)
    assert said.code == 0
    for word in ("bounce", "user@example.net", "5.1.1", "unknown-user", "none that is known"):
        assert word in said.out


@pytest.mark.usefixtures("office")
@pytest.mark.parametrize("content", [other(OTHERS[5]), b"\0\xff", b"\n"], ids=["mail of a person", "no message", "a line end"])
def test_what_is_no_report_is_said_to_be_none(read: Read, content: bytes) -> None:
    """Exit 0: it was read."""
    said = read(content, "--json")
    assert (said.code, said.objects[0]["kind"]) == (0, "none")


def test_a_message_of_ours_is_found_by_its_name(office: Office, read: Read) -> None:
    """The Message-ID of what came back, if there is one such message."""
    id = office.sent("user@example.net", message_id="<one@out.example.org>")
    assert read(QMAIL, "--json").objects[0]["matched"] == id
    assert id in read(QMAIL).out
