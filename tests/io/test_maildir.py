"""A Maildir, read by the library that knows how."""

from __future__ import annotations

import mailbox
import os
from pathlib import Path

import pytest

from mailer.io.maildir import make_maildir, write_message


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
