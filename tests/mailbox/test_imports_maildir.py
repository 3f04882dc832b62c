"""Reading Maildirs, as Dovecot, Courier and mbsync lay them out, and what strangers put into one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem
from mailer.mailbox.imports import dovecot, regular
from mailer.mailbox.imports.api import PassedOver, SourceFolder, SourceMessage
from mailer.mailbox.imports.maildir import MaildirImport

MAIL = b"Subject: a\n\none\n"


def folder(path: Path) -> Path:
    """A directory that is a Maildir."""
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    return path


def message(path: Path, name: str, data: bytes = MAIL, at: int = 1_700_000_000) -> Path:
    """A file in it."""
    (path / name).write_bytes(data)
    os.utime(path / name, (at, at))
    return path / name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "Maildir")


class Read:
    """All that a source tells."""

    def __init__(self, path: Path, most: int = 1 << 20) -> None:
        source = MaildirImport(str(path), most=most)
        told = source.folders()
        self.folders = [each for each in told if isinstance(each, SourceFolder)]
        self.passed = [each for each in told if isinstance(each, PassedOver)]
        self.messages: dict[str, list[SourceMessage]] = {}
        self.contents: dict[str, list[bytes]] = {}
        for each in self.folders:
            found = [*source.waiting(each)]
            self.passed += [one for one in found if isinstance(one, PassedOver)]
            self.messages[each.name] = [one for one in found if isinstance(one, SourceMessage)]
            self.contents[each.name] = [*self._contents(source, each)]
        source.close()

    def _contents(self, source: MaildirImport, each: SourceFolder) -> Iterator[bytes]:
        for one in source.read(each, self.messages[each.name]):
            if isinstance(one, PassedOver):
                self.passed.append(one)
            else:
                yield one[1]

    @property
    def names(self) -> list[str]:
        """The folders' names."""
        return [each.name for each in self.folders]


def test_flags_time_and_content_are_read(root: Path) -> None:
    """From the name, from the file's time, and with CRLF at the ends of lines; letters that nobody knows say nothing."""
    message(root / "cur", "1.a.host:2,FRSz", at=1_700_000_100)
    message(root / "new", "2.b.host", b"Subject: b\r\n\r\ntwo\n")
    read = Read(root)
    first, second = read.messages["INBOX"]
    assert (second.flags, second.received) == (Flag.FLAGGED | Flag.ANSWERED | Flag.SEEN, 1_700_000_100)
    assert (first.flags, first.received, first.uid) == (PLAIN, 1_700_000_000, 0)
    assert read.contents["INBOX"] == [b"Subject: b\r\n\r\ntwo\r\n", b"Subject: a\r\n\r\none\r\n"]
    assert read.folders == [SourceFolder("INBOX", "", 0, 0, "", True, 2)]


def test_folders_of_maildir_plus_plus(root: Path) -> None:
    """With dots between levels, in modified UTF-7 or in UTF-8, and below INBOX as Courier has them."""
    for name in (".Sent", ".Archive.2024", ".Entw&APw-rfe", ".INBOX.Work", ".Größe", ".&&", os.fsdecode(b".\xff")):
        folder(root / name)
    (root / ".hidden").mkdir()
    (root / ".Sent" / ".inner").mkdir()
    assert sorted(Read(root).names) == sorted(["INBOX", "Sent", "Archive/2024", "Entwürfe", "Work", "Größe", "&&", "=FF"])


def test_folders_in_folders_and_side_by_side(tmp_path: Path) -> None:
    """As Dovecot has them with LAYOUT=fs, and mbsync with one directory for each folder; a parent need not be a folder."""
    folder(tmp_path / "Archive" / "2024")
    folder(tmp_path / "Inbox.old")
    assert Read(tmp_path).names == ["Archive/2024", "Inbox.old"]


def test_what_dovecot_wrote_beside_is_kept(root: Path) -> None:
    """UIDs, UIDVALIDITY, keywords, UIDLs, subscriptions; a message that it has not seen yet comes last."""
    place = folder(root / ".Work")
    message(place / "cur", "1.a.host,S=17,W=20:2,Sab", at=1_700_000_900)
    message(place / "cur", "2.b.host,S=17,W=20:2,c")
    message(place / "new", "3.c.host", at=1_600_000_000)
    (place / "dovecot-uidlist").write_text("3 V1275660208 N25 Gabc\n5 W20 Pold-uidl :1.a.host,S=17,W=20\n7 :2.b.host,S=17,W=20\n")
    (place / "dovecot-keywords").write_text("0 $Forwarded\n1 work\n")
    (root / "subscriptions").write_text("V\t2\n\nWork\nArchive\t2024\n")
    folder(root / ".Other")
    folder(root / ".Archive.2024")
    read = Read(root)
    assert [(each.name, each.uidvalidity, each.uidnext, each.subscribed) for each in read.folders] == [
        ("Archive/2024", 0, 0, True),
        ("INBOX", 0, 0, True),
        ("Other", 0, 0, False),
        ("Work", 1275660208, 25, True),
    ]
    assert [(each.uid, each.uidl, each.keywords) for each in read.messages["Work"]] == [
        (5, "old-uidl", ("$Forwarded", "work")),
        (7, "000000074c0907b0", ()),
        (0, "", ()),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 50,
        b"3 V0 N1 G\n1 :a",
        b"3 N5\n1 :a",
        b"1 5\n",
        b"4 V1 N2\n1 :a\n",
        b"3 V99999999999 N1\n",
        b"x" * 100_000,
        b"3 V-5 N1\n",
    ],
)
def test_a_list_of_uids_that_is_none_costs_uids(root: Path, data: bytes) -> None:
    """And no message."""
    message(root / "cur", "a:2,")
    (root / "dovecot-uidlist").write_bytes(data)
    assert [each.uid for each in Read(root).messages["INBOX"]] == [0]


def test_uids_that_do_not_ascend_end_the_list(root: Path) -> None:
    """What was before them counts; the next one is behind the highest whatever the first line says."""
    for name in "abc":
        message(root / "cur", f"{name}:2,")
    (root / "dovecot-uidlist").write_bytes(b"3 V9 N1\n4 :a\n4 :b\n9 :c\n")
    read = Read(root)
    assert [(each.uid, each.where[-4:]) for each in read.messages["INBOX"]] == [(4, "a:2,"), (0, "b:2,"), (0, "c:2,")]
    assert read.folders[0].uidnext == 5


def test_what_is_no_message_is_named_and_passed_over(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, pipes, directories, empty files, large ones: nothing outside is read, and what is good is taken."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"root:x:0:0\n")
    (root / "cur" / "link:2,S").symlink_to(secret)
    os.mkfifo(root / "cur" / "pipe:2,")
    (root / "cur" / "directory").mkdir()
    message(root / "cur", "empty:2,", b"")
    message(root / "cur", "large,S=5:2,", b"x" * 2000)
    message(root / "new", "line\nfeed", b"Subject: b\n\ntwo\n")
    message(root / "cur", "good,S=1:2,S")
    (root / ".Trap").symlink_to(tmp_path)
    read = Read(root, most=1000)
    assert read.contents["INBOX"] == [b"Subject: a\r\n\r\none\r\n", b"Subject: b\r\n\r\ntwo\r\n"]
    assert {each.where.removeprefix(f"{root}/"): each.why for each in read.passed} == {
        "cur/link:2,S": "it is a symbolic link",
        "cur/pipe:2,": "it is no regular file",
        "cur/directory": "it is no regular file",
        "cur/empty:2,": "it is empty",
        "cur/large,S=5:2,": "it has 2.0 KB, and a message may have 1.0 KB",
        ".Trap": "it is a symbolic link to a directory",
    }
    assert [each.where for each in read.messages["INBOX"]][1].endswith("new/line\\nfeed")


def test_a_hard_link_to_what_others_own_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name can be given to a file that its maker may not read; whose it is tells."""
    message(root / "cur", "shadow:2,")
    source = MaildirImport(str(root))
    monkeypatch.setattr(source, "_owner", os.getuid() + 1)
    (told,) = source.waiting(SourceFolder("INBOX", ""))
    assert isinstance(told, PassedOver)
    assert f"belongs to user {os.getuid()}" in told.why
    source.close()


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(root: Path, tmp_path: Path) -> None:
    """Between looking and reading: of the message or of its directory."""
    (tmp_path / "outside").mkdir()
    message(tmp_path / "outside", "a:2,", b"secret\n")
    message(root / "cur", "a:2,")
    source = MaildirImport(str(root))
    (told,) = source.waiting(SourceFolder("INBOX", ""))
    assert isinstance(told, SourceMessage)
    (root / "cur" / "a:2,").unlink()
    (root / "cur" / "a:2,").symlink_to(tmp_path / "outside" / "a:2,")
    assert [*source.read(SourceFolder("INBOX", ""), [told])] == [PassedOver(f"{root}/cur/a:2,", "it is a symbolic link")]
    (root / "cur" / "a:2,").unlink()
    (root / "cur").rmdir()
    (root / "cur").symlink_to(tmp_path / "outside")
    (other,) = source.read(SourceFolder("INBOX", ""), [told])
    assert isinstance(other, PassedOver)
    source.close()


def test_a_message_that_is_read_meanwhile_is_found(root: Path) -> None:
    """A mail program gives it another flag, or moves it to cur; one that is gone is no trouble."""
    message(root / "new", "a")
    message(root / "cur", "b:2,")
    message(root / "cur", "c:2,")
    source = MaildirImport(str(root))
    inbox = SourceFolder("INBOX", "")
    told = [each for each in source.waiting(inbox) if isinstance(each, SourceMessage)]
    (root / "new" / "a").rename(root / "cur" / "a:2,S")
    (root / "cur" / "b:2,").rename(root / "cur" / "b:2,RS")
    (root / "cur" / "c:2,").unlink()
    assert len([*source.read(inbox, told)]) == 2
    source.close()


def test_two_files_of_one_name_are_two_messages(root: Path) -> None:
    """In new and cur; the UID belongs to one."""
    message(root / "new", "a")
    message(root / "cur", "a:2,S", b"Subject: b\n\n")
    (root / "dovecot-uidlist").write_bytes(b"3 V9 N5\n4 :a\n")
    read = Read(root)
    assert [each.uid for each in read.messages["INBOX"]] == [4, 0]
    assert len(read.contents["INBOX"]) == 2


def test_folders_are_bounded_in_depth(tmp_path: Path) -> None:
    """What is below is named."""
    deep = tmp_path.joinpath(*["x"] * 40)
    folder(deep)
    folder(tmp_path / "y")
    read = Read(tmp_path)
    assert read.names == ["y"]
    assert "32 levels" in read.passed[0].why


def test_what_is_no_maildir_is_refused(tmp_path: Path) -> None:
    """By what it has not."""
    (tmp_path / "file").touch()
    with pytest.raises(Problem, match="no directory"):
        MaildirImport(str(tmp_path / "file"))
    with pytest.raises(Problem, match="No such file"):
        MaildirImport(str(tmp_path / "nothing"))
    source = MaildirImport(str(tmp_path))
    with pytest.raises(Problem, match="no Maildir"):
        source.folders()
    source.close()


@pytest.mark.parametrize(
    ("data", "crlf"), [(b"a\nb\r\nc\rd\n\r\n", b"a\r\nb\r\nc\rd\r\n\r\n"), (b"", b""), (b"a\r\n", b"a\r\n"), (b"a", b"a")]
)
def test_ends_of_lines(data: bytes, crlf: bytes) -> None:
    """A LF alone gets its CR, a CR alone stays."""
    assert regular.with_crlf(data) == crlf


@given(st.binary(max_size=300), st.sampled_from([b"", b"3 V5 N9\n", b"1 5 9\n"]))
def test_no_list_of_dovecot_is_too_odd(data: bytes, head: bytes) -> None:
    """Whatever is in it: UIDs ascend, and names are bytes."""
    found = dovecot.uid_list(head + data)
    uids = [known.uid for known in found.messages.values()]
    assert uids == sorted({*uids})
    assert not uids or found.uidnext > uids[-1]
    assert len(dovecot.keywords(data)) <= 26
    assert isinstance(dovecot.subscriptions(data), list)
