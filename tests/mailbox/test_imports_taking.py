"""What a source has comes into a mailbox once, with all that belongs to it, whatever ends the import in between."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.imports.api import ImportSource, PassedOver, SourceFolder, SourceMessage
from mailer.mailbox.imports.maildir import MaildirImport
from mailer.mailbox.imports.mbox import MboxImport
from mailer.mailbox.imports.taking import MailImported, Taking
from mailer.mailbox.owners.api import Owner

from .test_imports_maildir import folder, message

ANN = Owner("01KAJ2W7C5Q0R8Z1MZ6N7V3D9E", 1, "ann@example.com", 1_700_000_000.0)


def letter(number: int) -> bytes:
    """A message like no other."""
    return b"From: ben@example.org\r\nSubject: number %d\r\n\r\nHello %d\r\n" % (number, number)


class Shelf:
    """A source of keyed messages, as a server is: folder → UID → content. It breaks before it reads `fatal`."""

    def __init__(self, shelves: dict[str, dict[int, bytes]], uidvalidity: int = 77, fatal: int = 0) -> None:
        self.shelves = shelves
        self.uidvalidity = uidvalidity
        self.fatal = fatal
        self.read_uids: list[int] = []
        self.all: str = ""

    def folders(self) -> Sequence[SourceFolder | PassedOver]:
        """In the order in which they stand."""
        return [
            SourceFolder(name, name, self.uidvalidity, max(found, default=0) + 10, shows_all=name == self.all)
            for name, found in self.shelves.items()
        ]

    def waiting(self, folder: SourceFolder) -> Iterator[SourceMessage | PassedOver]:
        """By UID."""
        for uid, content in sorted(self.shelves[folder.place].items()):
            key = f"imap-{folder.place}-{self.uidvalidity}-{uid}"
            yield SourceMessage(uid, f"{folder.name}, UID {uid}", len(content), key, 1.6e9 + uid, Flag.SEEN, ("work",), uid)

    def read(self, folder: SourceFolder, messages: Sequence[SourceMessage]) -> Iterator[tuple[SourceMessage, bytes] | PassedOver]:
        """One after the other."""
        for each in messages:
            if each.uid == self.fatal:
                raise Problem("the server is gone", "try-again")
            self.read_uids.append(each.uid)
            yield each, self.shelves[folder.place][each.uid]

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def box() -> Iterator[OwnMailbox]:
    made = OwnMailbox(ANN, MemoryEngine(), MemoryBodies())
    yield made
    assert not made.check(bodies=True)
    made.close()


def taken(source: ImportSource, box: OwnMailbox) -> MailImported:
    """What comes of an import in which nothing is passed over."""
    passed: list[PassedOver] = []
    try:
        done = Taking(source, box, lambda _: None, passed.append).run()
    finally:
        source.close()
    assert passed == []
    return done


def has(box: OwnMailbox, name: str) -> list[tuple[int, bytes]]:
    """The UIDs and contents of a folder."""
    found = box.folder(name)
    assert found is not None
    entries = box.entries(found.id)
    return [(entry.uid, box.read(mail)) for entry, mail in zip(entries, box.mails([each.mail for each in entries]), strict=True) if mail]


def test_all_that_belongs_to_a_message_comes_with_it(box: OwnMailbox) -> None:
    """UID, UIDVALIDITY, flags, keywords, time; and UIDs that were given away there are not given again here."""
    assert taken(Shelf({"INBOX": {3: letter(3), 9: letter(9)}, "Work/2024": {1: letter(1)}}), box) == MailImported(3, 159, 0, 0, 2)
    assert has(box, "INBOX") == [(3, letter(3)), (9, letter(9))]
    inbox, work = box.folder("INBOX"), box.folder("Work/2024")
    assert inbox is not None
    assert work is not None
    assert (inbox.uidvalidity, inbox.uidnext, work.uidvalidity, work.uidnext) == (77, 19, 77, 11)
    entry = box.entries(inbox.id)[0]
    mail = box.mails([entry.mail])[0]
    assert (entry.flags, entry.keywords) == (Flag.SEEN, ("work",))
    assert mail is not None
    assert mail.received == 1_600_000_003


def test_the_same_import_twice_adds_nothing(box: OwnMailbox) -> None:
    """Nor does it read anything there; what was deleted here stays so, and what is new comes."""
    shelf = Shelf({"INBOX": {uid: letter(uid) for uid in range(1, 8)}})
    taken(shelf, box)
    inbox = box.folder("INBOX")
    assert inbox is not None
    box.expunge(inbox.id, ((2, 3),), marked=False)
    box.move(inbox.id, ((4, 4),), "Archive")
    shelf.read_uids.clear()
    shelf.shelves["INBOX"][30] = letter(30)
    assert taken(shelf, box) == MailImported(1, 55, 7, 0, 1)
    assert shelf.read_uids == [30]
    assert [uid for uid, _ in has(box, "INBOX")] == [1, 5, 6, 7, 30]


def test_what_was_remembered_of_an_import_outlives_a_delivery(box: OwnMailbox) -> None:
    """A year later the messages are known still, those that were deleted as well."""
    shelf = Shelf({"INBOX": {1: letter(1)}})
    taken(shelf, box)
    box.expunge(box.folders()[0].id, ((1, 1),), marked=False)
    box.sweep(time.time() + 400 * 86400)
    assert taken(shelf, box) == MailImported(0, 0, 1, 0, 1)


@pytest.mark.parametrize("fatal", range(1, 8))
def test_an_import_that_died_goes_on(box: OwnMailbox, fatal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At any message: nothing is there twice or missing, and UIDs are those of there."""
    monkeypatch.setattr("mailer.mailbox.imports.taking.BATCH", 2)
    shelf = Shelf({"INBOX": {uid: letter(uid % 3) for uid in range(1, 8)}}, fatal=fatal)
    with pytest.raises(Problem, match="gone"):
        taken(shelf, box)
    shelf.fatal = 0
    taken(shelf, box)
    assert has(box, "INBOX") == [(uid, letter(uid % 3)) for uid in range(1, 8)]


def test_new_uids_at_the_server_double_nothing(box: OwnMailbox) -> None:
    """What is here octet for octet is known by its content; equals there are as many here."""
    contents = [letter(1), letter(2), letter(1), letter(3)]
    taken(Shelf({"INBOX": dict(enumerate(contents[:3], 1))}), box)
    assert taken(Shelf({"INBOX": dict(enumerate(contents, 5))}, uidvalidity=78), box) == MailImported(1, 53, 3, 0, 1)
    assert sorted(content for _, content in has(box, "INBOX")) == sorted(contents)


def test_a_folder_with_mail_of_its_own_keeps_its_numbers(box: OwnMailbox) -> None:
    """What comes gets UIDs behind those that are there."""
    box.put([NewMail("INBOX", letter(100))])
    before = box.folder("INBOX")
    taken(Shelf({"INBOX": {1: letter(1)}}), box)
    after = box.folder("INBOX")
    assert before is not None
    assert after is not None
    assert after.uidvalidity == before.uidvalidity != 77
    assert has(box, "INBOX") == [(1, letter(100)), (2, letter(1))]


def test_of_a_folder_that_shows_all_the_rest_is_taken(box: OwnMailbox) -> None:
    """What another folder has is not put twice."""
    shelf = Shelf({"INBOX": {1: letter(1)}, "All Mail": {5: letter(1), 6: letter(2), 7: letter(2)}})
    shelf.all = "All Mail"
    taken(shelf, box)
    assert [content for _, content in has(box, "All Mail")] == [letter(2), letter(2)]


def test_a_folder_that_cannot_be_here_is_named(box: OwnMailbox) -> None:
    """And the others are taken."""
    passed: list[PassedOver] = []
    done = Taking(Shelf({"a//b": {1: letter(1)}, "x" * 2000: {}, "Work": {2: letter(2)}}), box, lambda _: None, passed.append).run()
    assert done == MailImported(1, 53, 0, 2, 1)
    assert [each.where[:4] for each in passed] == ["a//b", "xxxx"]


def test_a_maildir_comes_once(box: OwnMailbox, tmp_path: Path) -> None:
    """Though its files have no numbers, and two of them are alike; flags are those of the first time."""
    root = folder(tmp_path / "Maildir")
    message(root / "cur", "1.a:2,S", letter(1))
    message(root / "cur", "2.b:2,", letter(1))
    message(folder(root / ".Work") / "new", "3.c", letter(1))
    assert taken(MaildirImport(str(root)), box)[:3] == (3, 159, 0)
    (root / "cur" / "1.a:2,S").rename(root / "cur" / "1.a:2,FS")
    message(root / "cur", "4.d:2,", letter(4))
    assert taken(MaildirImport(str(root)), box)[:3] == (1, 53, 3)
    assert [content for _, content in has(box, "INBOX")] == [letter(1), letter(1), letter(4)]


def test_an_mbox_of_the_same_mail_adds_nothing_to_a_maildir(box: OwnMailbox, tmp_path: Path) -> None:
    """Whatever form a message comes in, it is known by its content."""
    root = folder(tmp_path / "Maildir")
    message(root / "cur", "1.a:2,S", letter(1))
    taken(MaildirImport(str(root)), box)
    stored = letter(1).replace(b"\r\n", b"\n")
    (tmp_path / "mbox").write_bytes(b"From ben Fri Jul  8 12:08:34 2011\n" + stored + b"\nFrom ben Fri Jul  8 12:08:34 2011\n" + stored)
    assert taken(MboxImport(str(tmp_path / "mbox")), box)[:3] == (1, 53, 1)
    assert box.usage().messages == 2
    inbox = box.folder("INBOX")
    assert inbox is not None
    assert [entry.flags for entry in box.entries(inbox.id)] == [Flag.SEEN, PLAIN]
