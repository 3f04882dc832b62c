"""Owners in a file are those of all processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.owners.sqlite import SqliteOwners

MAKES = """
import sys
from mailer.mailbox.owners.sqlite import SqliteOwners
owners = SqliteOwners(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(*[owners.make(f"u{number}@example.com", 1.0).id for number in range(20)], flush=True)
"""


@pytest.mark.slow
def test_two_processes_that_make_the_same_owners_at_once_make_each_once(tmp_path: Path) -> None:
    """The file itself as well."""
    path = str(tmp_path / "owners.sqlite3")
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKES, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for maker in makers:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    made = {maker.communicate(timeout=60)[0] for maker in makers}
    assert len(made) == 1
    assert sorted(made.pop().split()) == [owner.id for owner in SqliteOwners(path).listing()]


def test_a_file_that_is_none_is_said_and_stays(tmp_path: Path) -> None:
    """Nothing is begun anew over it."""
    path = tmp_path / "owners.sqlite3"
    path.write_bytes(b"x" * 5000)
    path.chmod(0o600)
    with pytest.raises(Problem, match=r"database of mailboxes' owners .* is damaged") as caught:
        SqliteOwners(str(path)).find(["ann@example.com"])
    assert caught.value.kind == "io-error"
    assert path.read_bytes() == b"x" * 5000


def test_what_was_kept_is_there_for_who_opens_the_file_anew(tmp_path: Path) -> None:
    """With all that is known of him."""
    path = str(tmp_path / "owners.sqlite3")
    ann = SqliteOwners(path).make("ann@example.com", 1.0)
    kept = SqliteOwners(path).put(ann._replace(public_key="age1", wrapped_private=b"\0", key_number=1))
    assert SqliteOwners(path).find(["ann@example.com"]) == [kept]
