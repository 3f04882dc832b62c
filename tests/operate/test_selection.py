"""Which messages somebody means: what is read from the command line and from other programs, and heaps."""

from __future__ import annotations

import os
import pwd
from typing import Any

import pytest

from mailer.operate.selection import HEAPS, heaps, names, sizes, subject_pattern, submitter
from mailer.status.api import Filter
from mailer.status.record import RecipientRecord, Record

ID, OTHER = "01KAHGWV7J5ZQ0C9XK3M2T8B4R", "01KAHGWV7J5ZQ0C9XK3M2T8B4S"


def record(id: str = ID, **more: Any) -> Record:
    """A message that waits."""
    people = [RecipientRecord("you@example.net", "to", "queued", 0, "", "", "", 0.0)]
    known = {"sender": "me@example.com", "subject": "Disk 7 is full", "size": 1000, "submitter": "unix:1000", "queued_at": 5.0} | more
    empty: dict[str, Any] = {"message_id": "", "request_id": "", "status": "queued", "priority": "normal", "attempts": 0, "error": ""}
    never = dict.fromkeys(("last_attempt_at", "next_attempt_at", "sent_at"))
    return Record(**{"id": id, "recipients": people, **empty, **never, **known})


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (Filter(), True),
        (Filter(subject=subject_pattern("disk 7")), True),
        (Filter(subject=subject_pattern("Disk*full")), True),
        (Filter(subject=subject_pattern("isk*full")), False),
        (Filter(subject=subject_pattern("backup")), False),
        (Filter(submitter="unix:1000"), True),
        (Filter(submitter="unix:100"), False),
        (Filter(least=1000, most=1000), True),
        (Filter(least=1001), False),
        (Filter(most=999), False),
    ],
)
def test_a_message_is_meant_by_what_it_is_like(wanted: Filter, meant: bool) -> None:
    """A part of the subject, or all of it with an asterisk; who handed it in; its size."""
    assert wanted.matches(record()) is meant


@pytest.mark.parametrize(
    ("text", "found"),
    [("1MB", (1_000_000, 0)), ("..10KB", (0, 10_000)), ("1KB..5KB", (1000, 5000)), ("5KB..5KB", (5000, 5000))],
)
def test_sizes_are_read(text: str, found: tuple[int, int]) -> None:
    """From, up to, and between."""
    assert sizes(text) == found


@pytest.mark.parametrize("text", ["", "..", "big", "5KB..1KB", "1KB..", "-1KB", "1KB..x", "..0"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """With the three ways to write one; an open end is what stands without dots."""
    if text == "1KB..":
        assert sizes(text) == (1000, 0)
        return
    with pytest.raises(ValueError, match="takes"):
        sizes(text)


def test_a_submitter_is_a_user_or_a_principal() -> None:
    """By name, by number, or as the envelope has it."""
    me = pwd.getpwuid(os.getuid()).pw_name
    assert submitter(me) == f"unix:{os.getuid()}"
    assert submitter("1000") == submitter("unix:1000") == "unix:1000"
    assert submitter("key:shop") == "key:shop"
    for text in ("no such user", "unix:x", "ftp:me", "\x00"):
        with pytest.raises(ValueError, match="no"):
            submitter(text)


def test_names_come_from_what_other_programs_print() -> None:
    """Bare names, the columns of a list below their headings, and lines of JSON."""
    lines = [
        "STATUS  ID  AGE",
        f"held    {ID}   5m",
        "",
        OTHER.lower(),
        "<20261121.1@example.com>",
        f'{{"status": "held", "id": "{OTHER}"}}',
    ]
    assert [*names(lines)] == [ID, OTHER.lower(), "<20261121.1@example.com>", OTHER]
    for line in ("no ID here", '{"id": 7}', "{", "[1"):
        if len(line.split()) == 1 and not line.startswith("{"):
            assert [*names([line])] == [line]
            continue
        with pytest.raises(ValueError, match="line 1 of standard input names no message"):
            [*names([line])]


def test_heaps_are_counted_with_the_largest_first() -> None:
    """By the shape of the subject, by sender and by submitter; each with its bytes, its oldest, and one to look at."""
    found = [record(subject=f"Disk {nth} is full", size=10, queued_at=100.0 - nth) for nth in range(3)]
    found += [record(OTHER, subject="", sender="", submitter="key:shop")]
    assert [(heap.name, heap.many, heap.size, heap.oldest, heap.example) for heap in heaps(found, "subject")] == [
        ("Disk # is full", 3, 30, 98.0, ID),
        ("(none)", 1, 1000, 5.0, OTHER),
    ]
    assert [heap.name for heap in heaps(found, "sender")] == ["me@example.com", "<>"]
    assert [heap.name for heap in heaps(found, "submitter")][1] == "key:shop"
    assert [heap.name for heap in heaps([record(submitter="")], "submitter")] == ["nobody"]
    assert len(heaps(found, "subject", 1)) == 1
    assert {heaps(found, by)[0].as_json()["count"] for by in HEAPS} == {3}


@pytest.mark.parametrize("text", ["", " "])
def test_a_subject_that_got_lost_is_not_all_mail(text: str) -> None:
    """A script with an empty variable cancels nothing."""
    with pytest.raises(ValueError, match="part of a subject"):
        subject_pattern(text)
