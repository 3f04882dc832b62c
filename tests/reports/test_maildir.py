"""A Maildir: reports are taken and marked as read or deleted, letters stay new."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mailer.reports import selecting, sources
from mailer.reports.maildir import MaildirSource
from mailer.reports.sources import MailboxLooked, SourceTrouble

from .servers import LETTER, make_maildir, ndr, taken, taker


def names(path: Path, directory: str) -> list[str]:
    return sorted(os.listdir(path / directory))


@pytest.mark.parametrize("delete", [True, False])
def test_reports_are_taken_and_letters_stay(tmp_path: Path, delete: bool) -> None:
    """And are not read again."""
    path, who = make_maildir(tmp_path / "box", LETTER, ndr(1), ndr(2)), taker()
    source = MaildirSource(str(path), delete=delete, most=10_000)
    assert asyncio.run(source.look(who)) == MailboxLooked(taken=2, left=1)
    assert names(path, "new") == ["0.host"]
    assert names(path, "cur") == ([] if delete else ["1.host:2,S", "2.host:2,S"])
    assert taken(who) == [ndr(1), ndr(2)]
    assert asyncio.run(source.look(who)) == MailboxLooked()


def test_what_is_no_file_of_a_report_is_left_alone(tmp_path: Path) -> None:
    """Links, pipes, directories, what is too large, and what begins with a dot."""
    path, who = make_maildir(tmp_path / "box", ndr(1) + b"x" * 10_000), taker()
    (tmp_path / "secret").write_bytes(ndr(2))
    (path / "new" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(path / "new" / "pipe")
    (path / "new" / "directory").mkdir()
    (path / "new" / ".hidden").write_bytes(ndr(3))
    assert asyncio.run(MaildirSource(str(path), delete=True, most=10_000).look(who)) == MailboxLooked(larger=1)
    assert taken(who) == []
    assert len(names(path, "new")) == 5


def test_a_directory_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """It is ours to mend."""
    with pytest.raises(SourceTrouble, match="No such file") as caught:
        asyncio.run(MaildirSource(str(tmp_path / "none"), delete=True, most=10_000).look(taker()))
    assert caught.value.ours


def test_more_than_a_look_takes_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest comes in the next."""
    monkeypatch.setattr("mailer.reports.maildir.A_LOOK", 3)
    path, who = make_maildir(tmp_path / "box", *map(ndr, range(5))), taker()
    source = MaildirSource(str(path), delete=True, most=10_000)
    assert asyncio.run(source.look(who)) == MailboxLooked(taken=3, more=True)
    assert asyncio.run(source.look(who)) == MailboxLooked(taken=2)


def test_one_over_which_the_program_stumbles_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken, for whoever acts upon reports tells of it; and those behind it have their turn."""

    def stumble(content: bytes, address: str) -> bool:
        if b"odd" in content:
            raise RecursionError("too deep")
        return selecting.is_report(content, address)

    monkeypatch.setattr(sources, "is_report", stumble)
    path, who = make_maildir(tmp_path, b"Subject: odd\r\n\r\nodd\r\n", ndr(1), LETTER), taker()
    assert asyncio.run(MaildirSource(str(path), delete=False, most=100_000).look(who)) == MailboxLooked(taken=2, left=1)
