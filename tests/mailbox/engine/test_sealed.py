"""The index of a mailbox, encrypted: nothing readable on the disk, the same rows, and one key that opens it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.api import NoKey
from mailer.mailbox.engine import sealed
from mailer.mailbox.engine.api import Engine, Rows
from mailer.mailbox.engine.sealed import SealedEngine, renew
from mailer.mailbox.keyring import Keyring
from mailer.mailbox.keys import MasterKeys
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.memory import MemoryOwners
from tests.mailbox.encrypted_house import PLAIN, is_plain
from tests.peers.postfix import scratch

NEEDLE = "Nadel-im-Heuhaufen"
ADD = "INSERT INTO keyword (owner, folder, word, name) VALUES (?, 1, ?, ?)"
ALL = "SELECT word FROM keyword WHERE owner = ? ORDER BY word"


def add(*words: str) -> Callable[[Rows], None]:
    """A change: these words are there."""
    return lambda rows: rows.many(ADD, [(1, word, NEEDLE) for word in words])


def words(engine: Engine) -> list[str]:
    """All words that are there."""
    return engine.read(lambda rows: [row[0] for row in rows.run(ALL, (1,))])


class Home:
    """A mailbox of one owner, opened by processes that wish this or that."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "index.sqlite3")
        self.owners = MemoryOwners()
        self.masters = {1: b"\x01" * 32}
        self.ann = self.owners.make("ann@example.com", 1.0)
        self.open: list[SealedEngine] = []

    def ring(self, *, encrypting: bool = True) -> Keyring:
        """The keys as a process knows them."""
        return Keyring(self.owners, MasterKeys(lambda: self.masters, "keys"), encrypting=encrypting)

    def engine(self, *, encrypting: bool = True) -> SealedEngine:
        """The rows, as such a process opens them."""
        self.open.append(SealedEngine(self.path, self.ann, self.ring(encrypting=encrypting)))
        return self.open[-1]

    def index_keys(self) -> tuple[bytes, ...]:
        """The keys of the index."""
        keys = self.ring().of(self.ann)
        assert keys is not None
        return keys.index_keys

    def give_keys(self, *index_keys: bytes) -> None:
        """Have these be the keys of his index."""
        [row] = self.owners.by_id([self.ann.id])
        keys = self.ring().of(self.ann)
        assert row is not None
        assert keys is not None
        self.ring().put(row, keys._replace(index_keys=index_keys))

    def on_disk(self) -> bytes:
        """All that is in any file there."""
        return b"".join(path.read_bytes() for path in Path(self.path).parent.iterdir())

    def close(self) -> None:
        """As if the processes ended."""
        while self.open:
            self.open.pop().close()


@pytest.fixture
def home(tmp_path: Path) -> Any:
    """Where nothing is yet."""
    made = Home(tmp_path)
    yield made
    made.close()


def test_nothing_is_readable_on_the_disk(home: Home) -> None:
    """Neither in the file nor in its write-ahead log, of rows, names of tables or full text; and another process reads all."""
    engine = home.engine()
    engine.change(add("one", "two"))
    engine.change(lambda rows: rows.run("CREATE VIRTUAL TABLE found USING fts5(body)"))
    engine.change(lambda rows: rows.run("INSERT INTO found VALUES (?)", (NEEDLE,)))
    assert os.path.getsize(f"{home.path}-wal") > 0
    for _ in range(2):
        content = home.on_disk()
        assert not [text for text in (NEEDLE, NEEDLE.lower(), "keyword", "CREATE", "SQLite format") if text.encode() in content]
        assert home.index_keys()[0] not in content
        assert words(home.engine()) == ["one", "two"]
        home.close()  # and the log is in the file
    assert {path.stat().st_mode & 0o777 for path in Path(home.path).parent.iterdir()} == {0o600}


def test_a_transaction_is_whole_or_undone(home: Home) -> None:
    """As in a file that is not encrypted; what another one has changed is seen at once."""
    engine, other = home.engine(), home.engine()
    engine.change(add("one"))

    def fail(rows: Rows) -> None:
        add("two")(rows)
        raise KeyError

    with pytest.raises(KeyError):
        engine.change(fail)
    assert engine.change(lambda rows: rows.change("UPDATE keyword SET name = ? WHERE owner = 1", ("x",))) == 1
    assert other.change(lambda rows: rows.run("UPDATE keyword SET name = 'y' WHERE owner = 1 RETURNING word, name")) == [("one", "y")]
    assert words(other) == words(engine) == ["one"]


def test_what_sqlite_says_is_told_as_of_any_file(home: Home) -> None:
    """A word of SQL that is wrong, a row that is there already, an error of each kind: a `Problem`."""
    engine = home.engine()
    engine.change(add("one"))
    for act in (add("one"), lambda rows: rows.run("SELECT nothing")):
        with pytest.raises(Problem, match=home.path):
            engine.change(act)
    assert words(engine) == ["one"]


def test_a_file_that_was_never_made_is_no_such(home: Home) -> None:
    """Reading makes none."""
    with pytest.raises(Problem) as caught:
        words(home.engine())
    assert caught.value.kind == "no-such"
    assert not os.path.exists(home.path)


def test_without_the_master_key_nothing_opens_and_nothing_is_written(home: Home) -> None:
    """The key is named by its number; also where no file is there yet."""
    kept = {**home.masters}
    home.engine().change(add("one"))
    home.close()
    before = home.on_disk()
    home.masters.clear()
    for encrypting in (True, False):
        with pytest.raises(NoKey, match=r"the master key 1 .* is lost"):
            words(home.engine(encrypting=encrypting))
    assert home.on_disk() == before
    home.masters.update(kept)
    assert words(home.engine()) == ["one"]


def flip(page: bytes, wanted: bool) -> bytes:
    """A page with one bit of another value, if that is wanted."""
    return page[:40] + bytes([page[40] ^ 1]) + page[41:] if wanted else page


def test_the_index_of_another_does_not_open(home: Home, tmp_path: Path) -> None:
    """Nor one that was changed: it says so, and the file stays as it is."""
    home.engine().change(add("one"))
    home.close()
    (tmp_path / "bob").mkdir()
    bob = Home(tmp_path / "bob")
    bob.engine().change(add("his"))
    bob.close()
    mine = Path(home.path).read_bytes()
    flipped = [b"".join(flip(mine[at : at + 4096], at in which) for at in range(0, len(mine), 4096)) for which in ((0,), range(1, 10**9))]
    for content in (Path(bob.path).read_bytes(), b"\0" * 100, *flipped):
        Path(home.path).write_bytes(content)
        with pytest.raises(Problem, match=home.path):
            words(home.engine())
        home.close()
        assert Path(home.path).read_bytes() == content
    assert not [path for path in tmp_path.iterdir() if "damaged" in path.name]
    assert home.engine().set_aside(7.0) == f"{home.path}.damaged-7"
    home.engine().change(add("begun"))
    home.close()
    Path(home.path).write_bytes(mine)
    assert words(home.engine()) == ["one"]
    assert home.engine().set_aside(8.0) == ""


# Switching it on and off


def test_an_index_from_before_is_encrypted_when_it_is_opened(home: Home) -> None:
    """All rows are there, and what was readable is not any more; and the other way round."""
    home.engine(encrypting=False).change(add("one", "two"))
    home.close()
    assert NEEDLE.encode() in home.on_disk()
    engine = home.engine()
    assert words(engine) == ["one", "two"]
    assert NEEDLE.encode() not in home.on_disk()
    engine.change(add("zoo"))
    assert NEEDLE.encode() not in home.on_disk()
    home.close()
    engine = home.engine(encrypting=False)
    engine.change(add("zzz"))
    assert words(engine) == ["one", "two", "zoo", "zzz"]
    home.close()
    with sqlite3.connect(home.path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert [path.name for path in Path(home.path).parent.iterdir()] == ["index.sqlite3"]


@pytest.mark.parametrize("encrypting", [True, False])
def test_an_index_that_others_have_open_is_not_written_anew(home: Home, encrypting: bool) -> None:
    """It is said what to do, and nothing is lost of what they write."""
    other = home.engine(encrypting=not encrypting)
    other.change(add("one"))
    assert words(other) == ["one"]
    with pytest.raises(Problem, match="is in use") as caught:
        words(home.engine(encrypting=encrypting))
    assert caught.value.kind == "try-again"
    other.change(add("two"))
    home.close()
    assert words(home.engine(encrypting=encrypting)) == ["one", "two"]


HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
print(db.execute("SELECT count(*) FROM keyword").fetchone(), flush=True)
sys.stdin.read()
"""


def test_an_index_that_another_process_has_open_is_not_written_anew(home: Home) -> None:
    """Though it does nothing at the moment; when it has ended, it is."""
    home.engine(encrypting=False).change(add("one"))
    home.close()
    with subprocess.Popen([sys.executable, "-c", HOLDER, home.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"(1,)\n"
        with pytest.raises(Problem, match="is in use"):
            words(home.engine())
        other.stdin.close()
        other.wait()
    assert words(home.engine()) == ["one"]


def test_who_opened_the_file_before_it_was_written_anew_writes_into_the_new_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or is told to try again; never into a file that has no name any more."""
    home.engine(encrypting=False).change(add("one"))
    home.close()
    late = apsw.Connection(home.path)  # of a process that has not asked for anything yet
    monkeypatch.setattr(sealed, "_is_open_here", lambda about: False)
    engine = home.engine()
    assert words(engine) == ["one"]
    assert late.execute("PRAGMA user_version").fetchall() == [(2147483647,)]
    late.close()
    engine.change(add("two"))
    assert words(engine) == ["one", "two"]


@pytest.mark.parametrize("step", ["os.rename", "sync_file", "_copy"])
def test_a_disk_that_fails_leaves_the_index_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """And no copy of it; the next one that opens it does it all."""
    home.engine(encrypting=False).change(add("one"))
    home.close()

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device", home.path)

    monkeypatch.setattr(*((os, "rename") if step == "os.rename" else (sealed, step)), full)
    with pytest.raises(Problem) as caught:
        words(home.engine())
    monkeypatch.undo()
    assert caught.value.kind == "try-again"
    assert [path.name for path in Path(home.path).parent.iterdir()] == ["index.sqlite3"]
    assert Path(home.path).read_bytes().startswith(PLAIN)
    assert words(home.engine()) == ["one"]


def test_a_copy_that_a_crash_left_is_written_over(home: Home) -> None:
    """Half of it is nobody's index."""
    home.engine(encrypting=False).change(add("one"))
    home.close()
    Path(f"{home.path}.new").write_bytes(b"half" * 5000)
    assert words(home.engine()) == ["one"]
    assert not os.path.exists(f"{home.path}.new")


def test_an_index_of_another_program_is_refused(home: Home) -> None:
    """One that others may write is not copied into ours."""
    home.engine(encrypting=False).change(add("one"))
    home.close()
    os.chmod(home.path, 0o622)
    with pytest.raises(Problem, match="may be written by others"):
        words(home.engine())


# Another key


def test_another_key_is_given_in_one_transaction(home: Home) -> None:
    """The one before does not open it any more, and nothing of what was encrypted with it stays; doing it twice is doing it once."""
    home.engine().change(add("one", "two"))
    old = home.index_keys()
    home.give_keys(b"n" * 32, *old)
    home.close()
    assert words(home.engine()) == ["one", "two"]  # it opens with the key before, for nobody has changed it
    home.close()
    for _ in range(2):
        renew(home.path, home.index_keys())
    home.give_keys(b"n" * 32)
    assert words(home.engine()) == ["one", "two"]
    with pytest.raises(Problem, match="opens with no key of its owner"):
        sealed.opened(home.path, 1.0, old)


def test_who_has_it_open_meanwhile_goes_on_with_the_new_one(home: Home) -> None:
    """Who reads, and who writes, each of his own; what was done before is done once."""
    reader, writer, other = home.engine(), home.engine(), home.engine()
    writer.change(add("one"))
    assert words(reader) == words(other) == ["one"]
    home.give_keys(b"n" * 32, *home.index_keys())
    other.renew()
    home.give_keys(b"n" * 32)
    assert words(reader) == ["one"]
    writer.change(add("two"))
    assert words(other) == words(reader) == ["one", "two"]


def test_an_index_that_was_written_anew_by_another_is_opened_as_it_is_now(home: Home) -> None:
    """Whoever had it open and idle could not: this one has looked at it a moment before."""
    home.engine(encrypting=False).change(add("one"))
    home.close()
    first, second = home.engine(), home.engine()
    assert words(first) == ["one"]
    second.change(add("two"))
    assert words(first) == ["one", "two"]


def test_a_mailbox_is_forgotten_without_its_key(home: Home) -> None:
    """Who lost the key can still remove what nobody will ever read."""
    home.engine().change(add("one"))
    home.close()
    home.masters.clear()
    home.engine().forget()
    assert [*Path(home.path).parent.iterdir()] == []


def test_an_index_that_is_not_encrypted_has_no_key_to_change(home: Home) -> None:
    """Nor one that is not there."""
    renew(home.path, (b"n" * 32,))
    home.engine(encrypting=False).change(add("one"))
    renew(home.path, (b"n" * 32,))
    assert words(home.engine(encrypting=False)) == ["one"]


@pytest.mark.parametrize("library", [None, object()])
def test_without_the_library_it_is_said_which(home: Home, monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    """Also where there is an SQLite of that name without ciphers, which would write plain text."""
    monkeypatch.setitem(__import__("sys").modules, "apsw", library)
    with pytest.raises(Problem, match=r"apsw-sqlite3mc: .*mailer-mta\[mailboxes\]"):
        home.engine().change(add("one"))
    assert not os.path.exists(home.path)


def test_an_owner_is_one_number_in_his_rows(home: Home) -> None:
    """As his row among the owners has it."""
    engine = home.engine()
    assert isinstance(engine, SealedEngine)
    assert (engine.owner, engine.dialect, engine.path) == (home.ann.number, "sqlite", home.path)
    assert is_plain(home.path) is None
    assert Owner is type(home.ann)


@pytest.mark.skipif(os.geteuid() != 0, reason="root writes where another has his mailboxes")
def test_what_root_makes_is_of_whom_the_directory_is() -> None:
    """Made, written anew or given another key: the daemon, who runs as that user, can go on with it."""
    with scratch("sealed") as above:
        place = above / "home"
        place.mkdir()
        os.chown(place, 65534, 65534)
        home = Home(place)
        home.engine(encrypting=False).change(add("one"))
        assert {path.stat().st_uid for path in place.iterdir()} == {65534}
        home.close()
        engine = home.engine()
        engine.change(add("two"))
        home.give_keys(b"n" * 32, *home.index_keys())
        engine.renew()
        assert words(engine) == ["one", "two"]
        assert {path.stat().st_uid for path in place.iterdir()} == {65534}
        home.close()


def test_a_key_is_in_no_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name that a copy is written by has the key in it, and SQLite says that name where it cannot open the file."""
    home.engine(encrypting=False).change(add("one"))
    home.close()
    uri_of = sealed.uri_of
    monkeypatch.setattr(sealed, "uri_of", lambda path, key: uri_of(f"{path}/no-such", key))
    with pytest.raises(Problem, match="unable to open") as caught:
        words(home.engine())
    keys = home.ring().of(home.ann)
    assert keys is not None
    assert keys.index_keys[0].hex() not in str(caught.value)
