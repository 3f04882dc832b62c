"""Put: the bytes on disk, who may read them, and that an error leaves nothing."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.message import normalise
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.spool.files.admit import IntakeTerms
from mailer.spool.files.doorbell import hang, listen
from mailer.spool.files.enqueue import put
from mailer.spool.files.pickup import adopt
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, envelope
from tests.fakes.mail import put as put_letter
from tests.fakes.users import NOBODY, SEND, as_nobody, public_directory

ID = "01M7XZE2ZPFN5M9C7PXGDNNSF8"


def files(root: str) -> dict[str, list[str]]:
    """The names in each directory that is not empty."""
    return {name: names for name in sorted(os.listdir(root)) if os.path.isdir(f"{root}/{name}") and (names := os.listdir(f"{root}/{name}"))}


def test_a_spool_file_is_what_the_contract_says(spool: SpoolDirectory) -> None:
    """First line, envelope and body, to the byte; read here without any of our own readers."""
    letter = Envelope(
        ID, "2026-11-21T02:37:14Z", "", [Recipient("a@example.com"), Recipient("b@example.com", "bcc")], subject="grüße", request_id="k"
    )
    body = b"Subject: x\r\n\r\n" + bytes(range(1, 10)) + b"\xff\r\n"
    assert put(spool.root, ID, letter.to_line(), body) == ID
    data = Path(spool.root, "queued", ID).read_bytes()
    first, newline, rest = data.partition(b"\n")
    found = re.fullmatch(rb"mailer/1 (\d+) (\d+) ([0-9a-f]{8})", first)
    assert found
    line, content = rest[: int(found[1])], rest[int(found[1]) :]
    assert newline + line[-1:] == b"\n\n"
    assert line.isascii()
    assert (int(found[2]), content) == (len(body), body)
    assert int(found[3], 16) == zlib.crc32(line + body)
    assert json.loads(line) == {
        "id": ID,
        "created": "2026-11-21T02:37:14Z",
        "sender": "",
        "recipients": [{"address": "a@example.com", "type": "to"}, {"address": "b@example.com", "type": "bcc"}],
        "subject": "grüße",
        "request_id": "k",
    }


@pytest.mark.parametrize("body", [b"", b"\r\n", normalise(b"x" * 3_000_000)])
def test_a_body_may_have_any_length(spool: SpoolDirectory, body: bytes) -> None:
    """Nothing, one line, or megabytes in one line."""
    id = put_letter(spool, body=body)
    assert spool.content(id) == body
    assert spool.read(id).size == len(body)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_spool_file_is_its_owners_whatever_the_umask_says(tmp_path: Path, umask: int) -> None:
    """Mode 0600, and nobody else reads other people's mail."""
    root = tmp_path / "spool"
    code = f"from mailer.spool.files.enqueue import put; put({str(root)!r}, {ID!r}, {envelope(id=ID).to_line()!r}, b'x')"
    subprocess.run([sys.executable, "-c", code], check=True, umask=umask)
    assert stat.S_IMODE((root / "queued" / ID).stat().st_mode) == 0o600


def test_the_first_message_makes_the_spool(tmp_path: Path) -> None:
    """Sending needs no installation step; only one file is left where it belongs."""
    root = str(tmp_path / "a" / "spool")
    assert put(root, ID, envelope(id=ID).to_line(), BODY) == ID
    assert files(root) == {"queued": [ID]}


@pytest.mark.parametrize("nth", range(8))
def test_a_spool_that_another_process_is_making_takes_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """The first two senders start at once: wherever the one has got to with its directories, the other's message is put."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    mkdir = os.mkdir
    ids: list[str] = []
    made: list[str] = []

    def interrupted(path: str, mode: int) -> None:
        mkdir(path, mode)
        made.append(path)
        if len(made) == nth + 1:
            monkeypatch.setattr(os, "mkdir", mkdir)
            ids.append(put_letter(spool))

    monkeypatch.setattr(os, "mkdir", interrupted)
    ids.append(put_letter(spool))
    assert len(ids) == 2
    assert spool.ids("queued") == sorted(ids)


def test_a_spool_may_have_any_name(tmp_path: Path) -> None:
    """Blanks, a directory called drop above it, bytes that are no UTF-8, and a long path: the bell rings in all of them."""
    for name in ("drop/spool", "a b\n c", os.fsdecode(b"\xff\xfe"), "/".join(["long" * 20] * 4)):
        spool = SpoolDirectory(str(tmp_path / name))
        id = put_letter(spool)
        assert files(spool.root) == {"queued": [id]}
        assert not spool.ring(id)
        with hang(spool.root) as bell:
            assert spool.ring(id)
            assert listen(bell) == [id]


def test_what_a_crash_left_under_the_same_id_is_replaced(spool: SpoolDirectory) -> None:
    """A report, whose ID follows from its message, may have been put half before."""
    Path(spool.root, "tmp", ID).write_bytes(b"half a mess")
    put(spool.root, ID, envelope(id=ID).to_line(), BODY)
    assert spool.content(ID) == BODY
    assert files(spool.root) == {"queued": [ID]}


def test_a_link_in_tmp_is_not_followed(spool: SpoolDirectory, tmp_path: Path) -> None:
    """What a link in the spool points at is never written."""
    (tmp_path / "elsewhere").write_bytes(b"his")
    Path(spool.root, "tmp", ID).symlink_to(tmp_path / "elsewhere")
    put(spool.root, ID, envelope(id=ID).to_line(), BODY)
    assert spool.content(ID) == BODY
    assert (tmp_path / "elsewhere").read_bytes() == b"his"


def test_what_cannot_be_replaced_is_an_error(spool: SpoolDirectory) -> None:
    """A directory in the way: one line, and nothing queued."""
    Path(spool.root, "tmp", ID).mkdir()
    with pytest.raises(Problem, match="cannot queue the message") as caught:
        put(spool.root, ID, envelope(id=ID).to_line(), BODY)
    assert caught.value.kind == "io-error"
    assert files(spool.root) == {"tmp": [ID]}


def test_a_directory_that_is_missing_is_an_error_that_leaves_nothing(spool: SpoolDirectory) -> None:
    """Without queued/ nothing is put, and nothing lies about."""
    Path(spool.root, "queued").rmdir()
    with pytest.raises(Problem, match="cannot queue the message") as caught:
        put_letter(spool)
    assert caught.value.kind == "cannot-create"
    assert files(spool.root) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root owns nothing of it")
def test_root_puts_into_another_users_spool_in_that_users_name() -> None:
    """The user's daemon has to move it. So it is also before that daemon has run, when the spool is an empty directory of his."""
    with public_directory() as directory:
        spool = SpoolDirectory(str(directory / "spool"))
        Path(spool.root).mkdir(mode=0o711)
        os.chown(spool.root, NOBODY, NOBODY)
        ids = [put_letter(spool) for _ in range(2)]
        assert (spool.ids("queued"), [*files(spool.root)]) == (sorted(ids), ["queued"])
        assert {path.stat().st_uid for path in Path(spool.root).rglob("*")} == {NOBODY}


def test_other_users_of_a_system_wide_spool_leave_their_mail_in_drop() -> None:
    """They cannot write queued/; what they leave is whole, private, theirs, and the daemon adopts it."""
    with public_directory() as directory:
        spool = SpoolDirectory(str(directory / "spool"))
        spool.prepare()
        Path(spool.root).chmod(0o711)
        drop = Path(spool.root, "drop")
        drop.mkdir()
        drop.chmod(0o1733)
        done = as_nobody(SEND, "--spool", spool.root, "a@example.com", input=b"Subject: x\n\nhello\n", umask=0)
        assert (done.returncode, done.stderr) == (0, b"")
        id = done.stdout.decode().strip()
        assert files(spool.root) == {"drop": [id]}
        known = (drop / id).stat()
        assert (known.st_uid, stat.S_IMODE(known.st_mode)) == (NOBODY, 0o600)
        assert adopt(spool, IntakeTerms(10_000, 10)).ids == [id]
        assert files(spool.root) == {"queued": [id]}
        assert spool.read(id).envelope.submitter == unix(NOBODY).as_submitter()
        assert spool.content(id).endswith(b"\r\n\r\nhello\r\n")
