"""The master keys: files that nobody else reads, numbers that are never given again, and what is wrapped for one owner alone."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.api import NoKey
from mailer.mailbox.keys import KeyDirectory, MasterKeys, parsed_keys, unwrap, wrap, written_key

ONE, TWO = b"\x01" * 32, b"\x02" * 32
ANN, BOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BX5ZZKBKACTAV9WEVGEMMVRY"


class Keeper:
    """Whoever keeps the keys, counting how often he is asked; he can be out."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self.keys = keys
        self.asked = 0
        self.out = False
        self.now = 0.0

    def __call__(self) -> Mapping[int, bytes]:
        """His keys."""
        self.asked += 1
        if self.out:
            raise Problem("the command vault failed", "bad-config")
        return self.keys


def test_keys_are_asked_for_once_until_one_is_missing() -> None:
    """And for a missing one again, but not by each who needs it in the same moment."""
    keeper = Keeper({1: ONE})
    masters = MasterKeys(keeper, "the vault", lambda: keeper.now)
    assert (masters.of(1), masters.of(1), masters.newest(), keeper.asked) == (ONE, ONE, 1, 1)
    for _ in range(3):
        with pytest.raises(NoKey, match=r"the master key 2 of the mailboxes is lost: it is not in the vault \(there: 1\); put it back"):
            masters.of(2)
    assert keeper.asked == 2
    keeper.keys = {1: ONE, 2: TWO}
    keeper.now += 6
    assert (masters.of(2), masters.newest(), keeper.asked) == (TWO, 2, 3)


def test_keys_that_cannot_be_asked_for_are_missing_not_wrong() -> None:
    """What was known stays known; the reason is said, and the kind is that of what passes."""
    keeper = Keeper({1: ONE})
    masters = MasterKeys(keeper, "the vault", lambda: keeper.now)
    keeper.out = True
    with pytest.raises(NoKey, match="cannot be read: the command vault failed") as caught:
        masters.newest()
    assert caught.value.kind == "unavailable"
    assert keeper.asked == 1
    keeper.out = False
    assert masters.of(1) == ONE
    keeper.out, keeper.now = True, 9.0
    assert masters.of(1) == ONE
    with pytest.raises(NoKey):
        masters.numbers()


def test_without_any_key_it_is_said_how_the_first_is_made() -> None:
    """And nothing else: no key is ever made because one was needed."""
    with pytest.raises(NoKey, match=r"no master key .* in the vault; `mailer mailbox key make`"):
        MasterKeys(Keeper({}), "the vault").newest()


def test_a_directory_has_a_file_for_each_key(tmp_path: Path) -> None:
    """For its owner alone, whatever the umask; each is another, and its copy elsewhere is noted."""
    directory = KeyDirectory(str(tmp_path))
    before = os.umask(0)
    try:
        assert (directory.make(), directory.make()) == (1, 2)
    finally:
        os.umask(before)
    keys = directory()
    assert ([*keys], len({*keys.values()}), {len(key) for key in keys.values()}) == ([1, 2], 2, {32})
    assert os.stat(tmp_path / "1.key").st_mode & 0o777 == 0o600
    directory.exported(1)
    directory.exported(1)
    assert [(file.number, file.exported) for file in directory.files()] == [(1, True), (2, False)]
    assert parsed_keys((tmp_path / "1.key").read_text() + (tmp_path / "2.key").read_text(), "both") == keys


def test_no_directory_is_no_key(tmp_path: Path) -> None:
    """Other files in it are none either."""
    assert KeyDirectory(str(tmp_path / "none"))() == {}
    for name in ("1.key~", "x.key", "01.key", "0.key", "-1.key", "1.key.4242.aaaa", "²².key"):
        (tmp_path / name).write_text("x")
    assert KeyDirectory(str(tmp_path))() == {}


def test_a_number_is_never_given_again(tmp_path: Path) -> None:
    """A key whose file was deleted is missed by the note of its copy, or by a mailbox that needs it."""
    directory = KeyDirectory(str(tmp_path))
    directory.exported(directory.make())
    assert directory.lost() == []
    os.unlink(tmp_path / "1.key")
    assert (directory.lost(), directory.lost([1, 4]), directory.make(), directory.make([2, 6])) == ([1], [1, 4], 2, 7)
    assert (directory.lost([7]), [*directory()]) == ([1], [2, 7])


def test_what_was_begun_long_ago_is_removed_with_the_next_key(tmp_path: Path) -> None:
    """By one who was killed; what another is making this moment stays, and so does what is not ours."""
    keys = KeyDirectory(str(tmp_path))
    keys.make([])
    for name, age in (("2.key.4711.0123abcd", 3600), ("1.exported.4711.0123abcd", 3600), ("2.key.4712.0123abcd", 0), ("2.key.mine", 3600)):
        path = tmp_path / name
        path.write_text("2:AAAA")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    keys.make([])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.key", "2.key", "2.key.4712.0123abcd", "2.key.mine"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_can_read_is_none(tmp_path: Path, mode: int) -> None:
    """The error says which file, and what to type."""
    KeyDirectory(str(tmp_path)).make()
    os.chmod(tmp_path / "1.key", mode)
    with pytest.raises(NoKey, match=rf"others can read the master key {tmp_path}/1.key; run: chmod 600"):
        MasterKeys(KeyDirectory(str(tmp_path)), str(tmp_path)).of(1)


GOOD = written_key(1, ONE)


@pytest.mark.parametrize(
    "text",
    [
        "secret", "1:secret", "1", f"0{GOOD}", f"x{GOOD}", f"-{GOOD}", GOOD[:-4], f"{GOOD}AAAA", f"{GOOD} {GOOD}", f"1:{GOOD}",
        f"{GOOD} 2:secret", "²:" + GOOD[2:], "1234567890:" + GOOD[2:],
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    """In a file, or from a command: the error says which entry, and never what stands there."""
    with pytest.raises(Problem, match=r"entry [12] is no master key") as caught:
        parsed_keys(text, "the vault")
    assert "secret" not in str(caught.value)
    assert GOOD[2:] not in str(caught.value)
    (tmp_path / "1.key").write_text(text)
    os.chmod(tmp_path / "1.key", 0o600)
    with pytest.raises(Problem):
        KeyDirectory(str(tmp_path))()


def test_a_file_with_the_key_of_another_number_is_refused(tmp_path: Path) -> None:
    """Renaming a key does not make it another."""
    KeyDirectory(str(tmp_path)).make()
    os.rename(tmp_path / "1.key", tmp_path / "2.key")
    with pytest.raises(Problem, match=r"2\.key is to have the master key 2 and no other"):
        KeyDirectory(str(tmp_path))()


def test_many_keys_are_read_from_one_text() -> None:
    """A line each or all in one, as a command prints them."""
    text = f"{written_key(3, ONE)}\n{written_key(12, TWO)}\n"
    assert parsed_keys(text, "x") == parsed_keys(text.replace("\n", " "), "x") == {3: ONE, 12: TWO}
    assert written_key(3, ONE) == "3:" + b64encode(ONE).decode()


def test_what_is_wrapped_opens_for_its_owner_with_its_key_alone() -> None:
    """Not in the place of another's, of another kind or number, nor with one bit changed, cut off or empty; each time it looks new."""
    wrapped = wrap(ONE, 1, ANN, "index key", b"the key")
    assert unwrap(ONE, 1, ANN, "index key", wrapped) == b"the key"
    assert wrap(ONE, 1, ANN, "index key", b"the key") != wrapped
    flipped = bytes([*wrapped[:-1], wrapped[-1] ^ 1])
    for master, number, owner, what, data in (
        (TWO, 1, ANN, "index key", wrapped),
        (ONE, 2, ANN, "index key", wrapped),
        (ONE, 1, BOB, "index key", wrapped),
        (ONE, 1, ANN, "private key", wrapped),
        (ONE, 1, ANN, "index key", flipped),
        (ONE, 1, ANN, "index key", wrapped[:-1]),
        (ONE, 1, ANN, "index key", wrapped[:3]),
        (ONE, 1, ANN, "index key", b""),
    ):
        with pytest.raises(NoKey, match=f"the {what} of owner {owner} does not open with the master key {number}"):
            unwrap(master, number, owner, what, data)
