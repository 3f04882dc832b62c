"""What reports in sums come to: whose domains they are about, and what is noted of each."""

from __future__ import annotations

import gzip
from asyncio import run
from pathlib import Path

import pytest

from mailer.bounces.aggregates import count, ours
from mailer.config import load
from mailer.status.memory import MemoryReader, MemoryRecorder
from tests.aggregate import letters
from tests.aggregate.letters import BEGIN, END, attached, row

CONFIGURATION = """
[mailer]
hostname = "mail.example.com"
postmaster = "hostmaster@example.org"
[submission]
default_domain = "Example.net"
[bounce]
address = "bounces@bounces.example"
"""


@pytest.mark.parametrize(
    ("domain", "is_ours"),
    [
        ("example.net", True),
        ("news.shop.example.net", True),
        ("example.org", True),
        ("bounces.example", True),
        ("mail.example.com", True),
        ("example.com", False),
        ("notexample.net", False),
        ("example.net.evil.example", False),
        ("net", False),
        ("", False),
    ],
)
def test_ours_is_what_mail_is_sent_from_and_all_below(tmp_path: Path, domain: str, is_ours: bool) -> None:
    """A domain that only ends alike is another's."""
    file = tmp_path / "config.toml"
    file.write_text(CONFIGURATION)
    assert ours(load(str(file)))(domain) is is_ours


def test_a_note_says_what_became_of_each_document() -> None:
    """Of a message with several: what was counted, what was known, and what could not be read."""
    status = MemoryRecorder()
    good = attached(gzip.compress(letters.dmarc(row(), row("nowhere"))))
    both = good.replace(b"--=b--", b"--=b\r\nContent-Type: application/zip\r\n\r\nPK\x03\x04\r\n--=b--")
    first = run(count(both, END + 1.0, status, "example.com".__eq__))
    assert [first[name] for name in ("counted", "known", "no_room", "bad_rows")] == [1, 0, 0, 1]
    assert first["problems"] == ["its ZIP archive is cut off: the directory at its end is missing"]
    assert run(count(good, END + 2.0, status, "example.com".__eq__))["known"] == 1
    assert [each.messages for each in MemoryReader(status).dmarc_sums(0)] == [1]


def test_what_holds_no_report_is_counted_as_nothing() -> None:
    """Whoever called it one."""
    note = run(count(b"Subject: x\r\n\r\nx\r\n", 1.0, MemoryRecorder(), bool))
    assert note == {"counted": 0, "known": 0, "no_room": 0, "bad_rows": 0, "problems": []}


def test_a_report_about_the_future_takes_no_room() -> None:
    """It would never be old enough to go; a clock that is a day ahead is nobody's fault."""
    status, day = MemoryRecorder(), 86400
    said = [
        run(count(attached(letters.dmarc(id=str(days), begin=BEGIN + days * day)), float(BEGIN), status, bool)) for days in (1, 2, 3000)
    ]
    assert [each["counted"] for each in said] == [1, 0, 0]
    assert said[2]["problems"] == ["it is about a time that has not come yet"]
