"""A Maildir, read by the library that knows how."""

from __future__ import annotations

import mailbox
import os
from pathlib import Path
from typing import Any

import pytest

from mailer.io import durable
from mailer.io.maildir import JUNK, make_maildir, put_once, write_message


def test_what_is_written_is_read_by_others(tmp_path: Path) -> None:
    """New and unseen, or seen; each under a name of its own, also at the same moment, which the name tells."""
    root = str(tmp_path / "mail")
    make_maildir(root)
    make_maildir(root)  # it is there, and stays
    parts = (b"Subject: x\n", b"\n", b"text\n")
    new = [write_message(root, parts, 1_700_000_000.000_25, synced=False) for _ in range(2)]
    new.append(write_message(root, parts, 1_700_000_000.0))
    seen = write_message(root, parts, 1_700_000_000.0, seen=True)
    assert len({*new, seen}) == 4
    assert all(Path(path).name.startswith("1700000000.M000") and Path(path).parent.name == "new" for path in new)
    found = mailbox.Maildir(root, create=False)
    assert sorted(message.get_flags() for message in found) == ["", "", "", "S"]
    assert {message.as_bytes() for message in found} == {b"Subject: x\n\ntext\n"}
    assert os.listdir(f"{root}/tmp") == []


@pytest.mark.parametrize("synced", [True, False])
def test_what_cannot_be_written_is_an_error(tmp_path: Path, synced: bool) -> None:
    """The place is not there; half of a message is in no reader's way."""
    make_maildir(str(tmp_path / "mail"))
    (tmp_path / "mail" / "new").rmdir()
    with pytest.raises(OSError, match="No such file"):
        write_message(str(tmp_path / "mail"), (b"x",), 1.0, synced=synced)
    assert os.listdir(tmp_path / "mail" / "cur") == []


# What is put once


def put(base: Path, *parts: bytes, user: str = "example.com/ann", name: str = "1.A.mailer", **more: Any) -> bool:
    return put_once(str(base), f"{base}/{user}", name, parts, **more)


def test_a_mailbox_is_made_when_the_first_message_comes(tmp_path: Path) -> None:
    """With all directories above it, for its owner alone, whatever the umask; the file is that name, in new/."""
    before = os.umask(0o027)
    try:
        assert put(tmp_path, b"Subject: x\n", b"\ntext\n")
    finally:
        os.umask(before)
    root = tmp_path / "example.com" / "ann"
    assert (root / "new" / "1.A.mailer").read_bytes() == b"Subject: x\n\ntext\n"
    assert (root / "new" / "1.A.mailer").stat().st_mode & 0o777 == 0o600
    for path in (root.parent, root, *root.iterdir()):
        assert path.stat().st_mode & 0o777 == 0o700
    assert os.listdir(root / "tmp") == []


def test_the_same_name_is_put_once(tmp_path: Path) -> None:
    """Also where a reader has it by now, if that may be; what an attempt left that was cut off is in nobody's way."""
    root = tmp_path / "example.com" / "ann"
    assert put(tmp_path, b"one\n")
    assert not put(tmp_path, b"two\n")
    assert [path.read_bytes() for path in (root / "new").iterdir()] == [b"one\n"]
    (root / "new" / "1.A.mailer").rename(root / "cur" / "1.A.mailer:2,FS")
    assert not put(tmp_path, b"two\n", again=True)
    (root / "tmp" / "1.B.mailer").write_bytes(b"hal")
    assert put(tmp_path, b"whole\n", name="1.B.mailer", again=True)
    assert (root / "new" / "1.B.mailer").read_bytes() == b"whole\n"
    assert os.listdir(root / "tmp") == []


def test_a_folder_is_one_of_maildir_plus_plus(tmp_path: Path) -> None:
    """Programs that read such know it by its name and the file that marks it."""
    assert put(tmp_path, b"Subject: x\n\n", folder=JUNK)
    assert not put(tmp_path, b"Subject: x\n\n", folder=JUNK)
    inbox = mailbox.Maildir(str(tmp_path / "example.com" / "ann"), create=False)
    assert inbox.list_folders() == ["Junk"]
    assert len(inbox.get_folder("Junk")) == 1
    assert (tmp_path / "example.com" / "ann" / ".Junk" / "maildirfolder").exists()


def test_the_place_itself_is_not_made(tmp_path: Path) -> None:
    """A disk that is not mounted is no empty directory."""
    with pytest.raises(FileNotFoundError, match="not made by mailer") as refused:
        put(tmp_path / "unmounted", b"x")
    assert refused.value.filename == str(tmp_path / "unmounted")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "rename", "write"])
def test_what_the_disk_does_not_take_is_not_there(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither half of it nor its name; the next attempt finds nothing in its way."""
    assert put(tmp_path, b"x", name="1.A.mailer")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(durable.os, call, full)
        with pytest.raises(OSError, match="No space"):
            put(tmp_path, b"x", name="1.B.mailer")
    root = tmp_path / "example.com" / "ann"
    assert os.listdir(root / "tmp") == []
    assert os.listdir(root / "new") == ["1.A.mailer"]
    assert put(tmp_path, b"x", name="1.B.mailer")
