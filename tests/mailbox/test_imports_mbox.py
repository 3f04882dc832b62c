"""Reading an mbox: its dialects, its dates and flags, and what is only nearly one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem
from mailer.mailbox.imports.api import PassedOver, SourceFolder, SourceMessage
from mailer.mailbox.imports.from_line import received, written
from mailer.mailbox.imports.mbox import MboxImport

ANN = b"From ann@example.org Fri Jul  8 12:08:34 2011\n"
BEN = b"From ben@example.org Sat Jul  9 12:08:34 2011\n"


def all_of(path: Path, data: bytes, most: int = 1 << 20) -> list[tuple[SourceMessage, bytes] | PassedOver]:
    """What is in an mbox of these octets."""
    path.write_bytes(data)
    source = MboxImport(str(path), most=most)
    try:
        (folder,) = source.folders()
        assert isinstance(folder, SourceFolder)
        found: list[tuple[SourceMessage, bytes] | PassedOver] = []
        for each in source.waiting(folder):
            found += [each] if isinstance(each, PassedOver) else source.read(folder, [each])
        return found
    finally:
        source.close()


def contents(path: Path, data: bytes) -> list[bytes]:
    """The messages alone."""
    return [each[1] for each in all_of(path, data)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mbox"


def test_messages_are_parted_and_get_crlf(path: Path) -> None:
    """At a From_ line behind an empty line; that line belongs to neither, and the last message may go without."""
    data = ANN + b"Subject: a\n\none\n\n" + BEN + b"Subject: b\n\ntwo\n\nFrom here on\n"
    assert contents(path, data) == [b"Subject: a\r\n\r\none\r\n", b"Subject: b\r\n\r\ntwo\r\n\r\nFrom here on\r\n"]
    assert contents(path, data.replace(b"\n", b"\r\n")) == contents(path, data)


def test_a_greater_sign_before_from_is_taken_away(path: Path) -> None:
    """One of each line, as mboxrd has it."""
    assert contents(path, ANN + b"Subject: a\n\n>From me\n>>From you\n> From us\n") == [
        b"Subject: a\r\n\r\nFrom me\r\n>From you\r\n> From us\r\n"
    ]


def test_a_right_content_length_counts(path: Path) -> None:
    """A From_ line within it parts nothing, and nothing was put before a line "From "; the field itself goes."""
    body = b"one\n\n" + BEN + b"\n>From me\n"
    data = ANN + b"Subject: a\nContent-Length: %d\n\n" % len(body) + body + b"\n" + BEN + b"Subject: b\n\ntwo\n"
    crlf = body.replace(b"\n", b"\r\n")
    assert contents(path, data) == [b"Subject: a\r\n\r\n" + crlf, b"Subject: b\r\n\r\ntwo\r\n"]


@pytest.mark.parametrize("length", [b"3", b"4000000000", b"-1", b"x", b"9" * 40, b""])
def test_a_wrong_content_length_does_not_count(path: Path, length: bytes) -> None:
    """Where it leads is neither the end nor a From_ line: the message ends where it ends, and the field is one of its own."""
    data = ANN + b"Subject: a\nContent-Length: " + length + b"\n\none and more\n\n" + BEN + b"Subject: b\n\ntwo\n"
    field = b"Content-Length: " + length + b"\r\n"
    assert contents(path, data) == [b"Subject: a\r\n" + field + b"\r\none and more\r\n", b"Subject: b\r\n\r\ntwo\r\n"]


def test_flags_keywords_and_uids_are_read(path: Path) -> None:
    """From the fields that mutt and Dovecot write, which are no part of the message."""
    data = (
        ANN + b"Status: RO\nX-Status: AF\nX-Keywords: $Forwarded work   \nX-UID: 7\nX-IMAPbase: 1234567890 9 work\nSubject: a\n\none\n\n"
        + BEN + b"Subject: b\nX-UID: 3\n\ntwo\n"
    )  # fmt: skip
    first, second = all_of(path, data)
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert first[0][4:8] == (1310126914.0, Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED, ("$Forwarded", "work"), 7)
    assert first[1] == b"Subject: a\r\n\r\none\r\n"
    assert second[0][4:8] == (1310213314.0, PLAIN, (), 0)  # a UID that does not ascend is none
    source = MboxImport(str(path))
    assert source.folders() == [SourceFolder("INBOX", "", 1234567890, 10)]
    source.close()


def test_the_message_of_the_program_itself_is_none(path: Path) -> None:
    """What c-client puts at the head of a folder is left away."""
    data = ANN + b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 5 9\n\nThis text\n\n" + BEN + b"Subject: b\n\ntwo\n"
    assert contents(path, data) == [b"Subject: b\r\n\r\ntwo\r\n"]


def test_a_message_that_is_too_large_is_named(path: Path) -> None:
    """And those around it are taken."""
    data = ANN + b"Subject: a\n\none\n\n" + ANN + b"Subject: b\n\n" + b"x" * 70_000 + b"\n\n" + BEN + b"Subject: c\n\nthree\n"
    first, second, third = all_of(path, data, most=60_000)
    assert isinstance(first, tuple)
    assert isinstance(third, tuple)
    assert second == PassedOver(f"{path}, octet {len(ANN) + 17}", "it has 70 KB, and a message may have 60 KB")
    assert third[1] == b"Subject: c\r\n\r\nthree\r\n"


def test_messages_larger_than_a_piece_are_whole(path: Path) -> None:
    """Wherever the borders of what is read at a time lie."""
    bodies = [b"y" * size + b"\n" for size in (1, 16_380, 16_384, 1 << 20, (1 << 20) - 3, 3 << 20)]
    data = b"".join(ANN + b"Subject: a\n\n" + body + b"\n" for body in bodies)
    path.write_bytes(data)
    source = MboxImport(str(path))
    found = [next(iter(source.read(folder, [each])))[1] for folder in source.folders() for each in source.waiting(folder)]  # type: ignore[arg-type]
    assert found == [b"Subject: a\r\n\r\n" + body.replace(b"\n", b"\r\n") for body in bodies]
    source.close()


def test_an_empty_file_has_no_messages(path: Path) -> None:
    """And one that holds nothing but From_ lines has none that could be taken."""
    assert all_of(path, b"") == []
    assert [each.why for each in all_of(path, ANN + b"\n" + BEN) if isinstance(each, PassedOver)] == ["it is empty"] * 2


@pytest.mark.parametrize(("data", "what"), [(b"Subject: a\n\nb\n", "no mbox"), (b"\0" * 100, "no mbox")])
def test_what_is_no_mbox_is_refused(path: Path, data: bytes, what: str) -> None:
    """By its first line."""
    with pytest.raises(Problem, match=what):
        all_of(path, data)


def test_a_pipe_is_no_mbox(path: Path) -> None:
    """And nobody waits for what comes out of it."""
    os.mkfifo(path)
    with pytest.raises(Problem, match="no regular file"):
        MboxImport(str(path))


@pytest.mark.parametrize(
    ("line", "at"),
    [
        (b"From ann@example.org Fri Jul  8 12:08:34 2011", 1310126914),
        (b"From ann@example.org Fri Jul  8 12:08:34 2011\r\n", 1310126914),
        (b"From - Fri Jul 08 12:08:34 2011", 1310126914),
        (b"From ann@example.org Fri Jul  8 12:08 2011", 1310126880),
        (b"From ann@example.org  Fri Jul  8 14:08:34 CEST 2011 +0200", 1310126914),
        (b"From ann@example.org Fri Jul  8 12:08:34 +0000 2011", 1310126914),
        (b'From "Ann Mon"@example.org Fri Jul  8 12:08:34 2011', 1310126914),
        (b"From ann Fri Jul  8 12:08:34 2011 remote from host", 1310126914),
        (b"From here on Fri Jul  8", None),
        (b"From ann@example.org Fri Xyz  8 12:08:34 2011", None),
        (b"From ann@example.org Fri Jul  8 12:08:34 2011 and then", None),
        (b"From Mon" * 500, None),
        (b"From: ann@example.org", None),
        (b"", None),
    ],
)
def test_a_from_line_is_known_by_its_date(line: bytes, at: int | None) -> None:
    """In the ways that programs write it; a sentence is none."""
    assert received(line) == at


def test_a_from_line_that_we_write_is_one() -> None:
    """Whatever the sender's address is."""
    for sender in ("ann@example.org", "", "ann\n\nFrom b c@example.org", "ä@example.org"):
        assert received(written(sender, 1310126914.7)) == 1310126914
