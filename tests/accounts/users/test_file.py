"""Users in a file that others write: what a line is, and what happens while somebody writes it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mailer.accounts.password import record
from mailer.accounts.users.api import User
from mailer.accounts.users.file import FRESH, FileUsers
from mailer.config.secret import keeper_of
from mailer.mail.problem import Problem

ANN = record("correct horse", b"salt", cost=4)
SCRAM = (
    "{SCRAM-SHA-256}4096,m9+TSlOkc2W3cDP0p+zzKA==,5gP1fxw8XRZa0Ou1XyegtwAC4CF0ajDVeRggQAbtQuM=,LU7Q5+wfG9CIe0/cld4kKezQKWY8DD4wAoyPmoE1+1A="
)


class Users:
    """A file of users, and a clock beside it."""

    def __init__(self, place: Path) -> None:
        self.path = place / "users"
        self.waited = 0.0
        self.users = FileUsers(str(self.path), keeper_of(str(place)), lambda: self.waited)

    def write(self, text: str, mode: int = 0o600) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(mode)
        os.replace(fresh, self.path)
        self.waited += FRESH

    def find(self, *addresses: str) -> list[User | None]:
        return [*asyncio.run(self.users.find(addresses))]


@pytest.fixture
def file(tmp_path: Path) -> Users:
    return Users(tmp_path)


def test_a_line_is_a_user(file: Users) -> None:
    """What stands behind the password is for others, and so are comments."""
    file.write(f"# people\n\nAnn@example.com:{ANN}:1000:1000::/home/ann::userdb_quota=x\nbob@example.com:{SCRAM}\n")
    ann, bob, eve = file.find("ann@EXAMPLE.com", "bob@example.com", "eve@example.com")
    assert ann == User("Ann@example.com", ANN)
    assert bob is not None
    assert (bob.password, bob.iterations, bob.keys is None) == (SCRAM, 4096, False)
    assert eve is None
    assert file.users.trouble == ""


def test_a_line_that_is_no_user_leaves_the_others(file: Users) -> None:
    """What is wrong is said with its line, and without the password."""
    file.write(f"ann@example.com:{ANN}\nbob\ncarl@example.com:secret\ndora@example.com:{{BLF-CRYPT}}$2y$05$hash\nann@example.com:{ANN}\n")
    assert file.find("ann@example.com") == [User("ann@example.com", ANN)]
    assert file.find("carl@example.com", "dora@example.com") == [None, None]
    assert "line 2" in file.users.trouble
    assert "line 4" in file.users.trouble
    assert "(and 1 more lines)" in file.users.trouble
    assert "secret" not in file.users.trouble
    assert "$2y" not in file.users.trouble


def test_a_change_is_seen(file: Users) -> None:
    """Within a second: until then the file is not looked at."""
    file.write(f"ann@example.com:{ANN}\n")
    assert file.find("bob@example.com") == [None]
    file.write(f"bob@example.com:{ANN}\n")
    file.waited -= FRESH / 2
    assert file.find("bob@example.com") == [None]
    file.waited += FRESH
    assert file.find("ann@example.com", "bob@example.com") == [None, User("bob@example.com", ANN)]


def test_a_file_that_cannot_be_read_leaves_the_users_as_they_were(file: Users) -> None:
    """Where it was never read, nobody knows who there is."""
    with pytest.raises(Problem, match="cannot read the file of users") as caught:
        file.find("ann@example.com")
    assert caught.value.kind == "try-again"
    file.write(f"ann@example.com:{ANN}\n")
    assert file.find("ann@example.com") == [User("ann@example.com", ANN)]
    file.write(f"bob@example.com:{ANN}\n", mode=0o644)
    assert file.find("ann@example.com", "bob@example.com") == [User("ann@example.com", ANN), None]
    assert "others can read" in file.users.trouble
    file.path.unlink()
    file.waited += FRESH
    assert file.find("ann@example.com") == [User("ann@example.com", ANN)]
    file.write(f"bob@example.com:{ANN}\n")
    assert file.find("ann@example.com", "bob@example.com") == [None, User("bob@example.com", ANN)]
    assert file.users.trouble == ""


def test_whoever_is_not_there_is_as_those_who_are(file: Users) -> None:
    """The first user stands in for him: a check costs what one of others does."""
    assert file.users.stand_in() is None
    file.write(f"bob@example.com:{SCRAM}\n")
    [bob] = file.find("bob@example.com")
    assert file.users.stand_in() == bob
