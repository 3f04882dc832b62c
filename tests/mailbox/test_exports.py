"""A mailbox goes out and comes back the same, and what is lost in it is named."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.exports.api import Exported, ExportTellers, NotWritten, with_lf
from mailer.mailbox.exports.maildir import export_maildir
from mailer.mailbox.exports.mbox import export_mbox, file_name
from mailer.mailbox.imports.api import PassedOver
from mailer.mailbox.imports.maildir import MaildirImport
from mailer.mailbox.imports.mbox import MboxImport
from mailer.mailbox.imports.mboxes import MboxesImport
from mailer.mailbox.imports.taking import Taking

from .test_imports_taking import ANN, has, letter

FLAGS = (Flag(0), Flag.SEEN, Flag.SEEN | Flag.ANSWERED | Flag.FLAGGED, Flag.DRAFT, Flag.DELETED)
HARD = b"From: ben@example.org\r\nSubject: From\r\n\r\n\r\nFrom here\r\n>From there\r\nFrom ann Fri Jul  8 12:08:34 2011\r\n"


@pytest.fixture
def box() -> Iterator[OwnMailbox]:
    made = OwnMailbox(ANN, MemoryEngine(), MemoryBodies())
    for at, flags in enumerate(FLAGS):
        keywords = ("$Forwarded", "work")[: at % 3]
        made.put([NewMail("INBOX", letter(at), flags=flags, keywords=keywords, received=1.6e9 + at, uid=3 * at + 1, uidl=f"old{at}")])
    made.create("Archive/Größe & Co.", subscribed=False)
    made.put([NewMail("Archive/Größe & Co.", HARD, b"Return-Path: <ben@example.org>\r\n", received=1.6e9), NewMail("Sent", letter(9))])
    made.expunge(made.folders()[0].id, ((4, 4),), marked=False)
    yield made
    made.close()


def quiet(left: list[NotWritten] | None = None) -> ExportTellers:
    """Nobody hears how far it is; what cannot be written goes to `left`."""
    return ExportTellers(lambda _: None, (left if left is not None else []).append)


def everything(box: OwnMailbox, *, uidls: bool = True) -> list[object]:
    """All that there is to see."""
    found: list[object] = []
    for folder in box.folders():
        entries = box.entries(folder.id)
        mails = box.mails([entry.mail for entry in entries])
        names = box.uidls(folder.id) if uidls else ()
        seen = [(e.uid, e.flags, e.keywords, m.received, box.read(m)) for e, m in zip(entries, mails, strict=True) if m]
        if seen:
            found.append((folder.name, folder.uidvalidity, folder.uidnext, folder.subscribed, names, seen))
    return found


def test_a_maildir_comes_back_the_same(box: OwnMailbox, tmp_path: Path) -> None:
    """Contents, UIDs, UIDLs, flags, keywords, times, subscriptions: all but a dot in a folder's name, which parts levels there."""
    done = export_maildir(box, str(tmp_path / "out"), quiet())
    assert done[0::2] == (6, 7)
    other = OwnMailbox(ANN._replace(id="01KAJ2W7C5Q0R8Z1MZ6N7V3D9F"), MemoryEngine(), MemoryBodies())
    Taking(MaildirImport(str(tmp_path / "out")), other, lambda _: None, lambda what: pytest.fail(str(what))).run()
    box.rename("Archive/Größe & Co.", "Archive/Größe & Co_")
    assert everything(other) == everything(box)
    other.close()


def test_what_dovecot_reads_is_there(box: OwnMailbox, tmp_path: Path) -> None:
    """Names with sizes, LF in files, lists beside them; nothing is for others to read."""
    export_maildir(box, str(tmp_path / "out"), quiet())
    root = tmp_path / "out"
    names = sorted(path.name for path in (root / "cur").iterdir())
    assert [name.partition(".mailer,")[2] for name in names] == ["S=49,W=53:2,", "S=49,W=53:2,FRSab", "S=49,W=53:2,D", "S=49,W=53:2,Ta"]
    assert (root / "cur" / names[0]).read_bytes() == letter(0).replace(b"\r\n", b"\n")
    assert (root / "cur" / names[0]).stat().st_mtime == 1_600_000_000
    assert (root / "dovecot-uidlist").read_text().splitlines()[1] == f"1 Pold0 :{names[0].partition(':')[0]}"
    assert (root / "dovecot-keywords").read_text() == "0 $Forwarded\n1 work\n"
    assert "Archive\t" not in (root / "subscriptions").read_text()
    assert (root / ".Archive.Gr&APYA3w-e &- Co_" / "maildirfolder").exists()
    assert root.stat().st_mode & 0o777 == 0o700


def test_mboxes_come_back_the_same(box: OwnMailbox, tmp_path: Path) -> None:
    """All that an mbox can say."""
    assert export_mbox(box, str(tmp_path / "out"), quiet())[0::2] == (6, 7)
    assert min(path.name for path in (tmp_path / "out").iterdir()) == "Archive.Größe _ Co_.mbox"
    other = OwnMailbox(ANN._replace(id="01KAJ2W7C5Q0R8Z1MZ6N7V3D9F"), MemoryEngine(), MemoryBodies())
    (tmp_path / "out" / "link.mbox").symlink_to("/etc/passwd")
    (tmp_path / "out" / "nonsense.mbox").write_text("x")
    passed: list[PassedOver] = []
    source = MboxesImport(str(tmp_path / "out"))
    Taking(source, other, lambda _: None, passed.append).run()
    source.close()
    assert [each.where.rpartition("/")[2] for each in passed] == ["link.mbox", "nonsense.mbox"]
    other.rename("Archive/Größe _ Co_", "Archive/Größe & Co.")
    other.subscribe("Archive/Größe & Co.", subscribed=False)
    sent = [(name, *rest[1:3]) for name, _, *rest in everything(other, uidls=False)]  # type: ignore[misc]
    assert sent == [(name, *rest[1:3]) for name, _, *rest in everything(box, uidls=False)]  # type: ignore[misc]
    other.close()


def test_a_lost_body_is_named(box: OwnMailbox, tmp_path: Path) -> None:
    """The others are written."""
    inbox = box.folders()[0]
    lost = box.entries(inbox.id)[0].mail
    box.bodies.kept.remove(ANN.id, [lost])
    for export, name in ((export_maildir, "a"), (export_mbox, "b")):
        left: list[NotWritten] = []
        done = export(box, str(tmp_path / name), quiet(left))
        assert (done.messages, done.left) == (5, 1)
        assert [(each.where, lost in each.why) for each in left] == [("INBOX, UID 1", True)]


def test_more_keywords_than_a_maildir_has_are_named(box: OwnMailbox, tmp_path: Path) -> None:
    """Those of the first messages have letters."""
    box.put([NewMail("Sent", letter(1), keywords=tuple(f"word{at}" for at in range(30)))])
    left: list[NotWritten] = []
    assert export_maildir(box, str(tmp_path / "out"), quiet(left)).left == 1
    assert left[0].why.count(" word") == 4


@pytest.mark.parametrize("export", [export_maildir, export_mbox])
def test_what_is_there_is_not_touched(box: OwnMailbox, tmp_path: Path, export: object) -> None:
    """A directory with something in it, a file, a link; one that is empty will do."""
    assert callable(export)
    (tmp_path / "full" / "cur").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("full", "file", "link"):
        with pytest.raises(Problem, match="is there already"):
            export(box, str(tmp_path / name), quiet())
    with pytest.raises(Problem, match="No such file"):
        export(box, str(tmp_path / "nowhere" / "out"), quiet())
    (tmp_path / "empty").mkdir()
    assert isinstance(export(box, str(tmp_path / "empty"), quiet()), Exported)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "full", "link"]


def test_an_export_that_breaks_leaves_nothing(box: OwnMailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a part of it nor its name."""
    monkeypatch.setattr(box, "uidls", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_maildir(box, str(tmp_path / "out"), quiet())
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("data", [b"a\nb\r\n", b"a\r\r\n", b"a\n"])
def test_what_would_not_come_back_stays(data: bytes) -> None:
    """A LF alone, or a CR before the end of a line."""
    assert with_lf(data) == data


def test_names_of_files() -> None:
    """No folder's name leads elsewhere, and two of them never to one file."""
    taken: set[str] = set()
    names = [file_name(name, taken) for name in ("a/b", "a.b", "../../x", "..", "A.B", "\x1b[2J", "x" * 900, "x" * 901)]
    assert names == ["a.b", "a_b", "__.__.x", "__", "A_B_", "__2J", "x" * 200, "x" * 200 + "_"]


WORDS = [b"", b"x", b"From me", b">From me", b">>From", b"From ann Fri Jul  8 12:08:34 2011", b"Status: RO", b"\xff\x00 "]


@given(st.lists(st.lists(st.sampled_from(WORDS)), min_size=1, max_size=4))
def test_whatever_is_in_a_message_it_comes_back(bodies: list[list[bytes]]) -> None:
    """Out of an mbox and out of a Maildir: lines that look as if they parted messages, and empty ones at the end, too."""
    lines = [b"".join(line + b"\r\n" for line in body) for body in bodies]
    contents = [b"Subject: %d\r\nX-Length: 9\r\n\r\n" % at + body for at, body in enumerate(lines)]
    box = OwnMailbox(ANN, MemoryEngine(), MemoryBodies())
    box.put([NewMail("INBOX", content, received=1.6e9) for content in contents])
    with tempfile.TemporaryDirectory() as place:
        export_mbox(box, f"{place}/mboxes", quiet())
        export_maildir(box, f"{place}/Maildir", quiet())
        for source in (MboxImport(f"{place}/mboxes/INBOX.mbox"), MaildirImport(f"{place}/Maildir")):
            other = OwnMailbox(ANN, MemoryEngine(), MemoryBodies())
            Taking(source, other, lambda _: None, lambda what: pytest.fail(str(what))).run()
            assert [content for _, content in has(other, "INBOX")] == contents
            source.close()
            other.close()
    box.close()
