"""FETCH through a door: beside other sessions, and with a client that takes his time."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from mailer.imapd.terms import ImapPace
from mailer.mail.flags import Flag
from mailer.mailbox.api import Mail, NewMail, StoredMail
from mailer.mailbox.box import OwnMailbox

from .house import ImapHouse, in_house

LARGE = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 300_000


def filled(house: ImapHouse, *contents: bytes) -> None:
    with house.premises.ann() as box:
        for first in range(0, len(contents), 500):
            box.put([NewMail("INBOX", content) for content in contents[first : first + 500]])


def test_a_client_fetches_what_was_put() -> None:
    """By number and by UID, and hears of \\Seen as another session does."""

    async def test(house: ImapHouse) -> None:
        filled(house, b"Subject: one\r\n\r\nx\r\n", b"Subject: two\r\n\r\ny\r\n")
        one, two = await house.selected(), await house.selected()
        assert await one.ok("FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject)] UID)") == [
            "* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {16}\r\nSubject: one\r\n\r\n UID 1)"
        ]
        assert await one.ok("UID FETCH 2 RFC822") == ["* 2 FETCH (UID 2 RFC822 {19}\r\nSubject: two\r\n\r\ny\r\n FLAGS (\\Seen \\Recent))"]
        assert await one.ok("NOOP") == []
        assert await two.ok("NOOP") == ["* 2 FETCH (FLAGS (\\Seen))"]

    in_house(test)


def test_a_message_that_another_session_expunged() -> None:
    """It keeps its number until it may be told that it went (RFC 9051 §7.5.1), and its UID under that number; by UID it is not there."""

    async def test(house: ImapHouse) -> None:
        filled(house, *[b"Subject: x\r\n\r\n"] * 4)
        one, two = await house.selected(), await house.selected()
        await two.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        await two.ok("EXPUNGE")
        told = [f"* {number} FETCH (UID {number})" for number in (1, 2, 3, 4)]
        assert await one.ok("FETCH 1:* UID") == told
        assert await one.do("FETCH 1:* (UID RFC822.SIZE)") == [
            *(line[:-1] + " RFC822.SIZE 14)" for line in told if "UID 2" not in line), "NO [EXPUNGEISSUED] some of these messages are gone",
        ]  # fmt: skip
        assert await one.ok("UID FETCH 1:* UID") == ["* 1 FETCH (UID 1)", "* 3 FETCH (UID 3)", "* 4 FETCH (UID 4)", "* 2 EXPUNGE"]
        assert await one.ok("FETCH 3 UID") == ["* 3 FETCH (UID 4)"]

    in_house(test)


def test_modseq_is_told_from_the_first_command_on_that_asks_for_it() -> None:
    """And the one of the folder at once (RFC 7162 §3.1)."""

    async def test(house: ImapHouse) -> None:
        filled(house, b"x\r\n", b"y\r\n")
        one = await house.selected()
        with house.premises.ann() as box:
            modseq = box.entries(1)[0].modseq
        lines = await one.ok("FETCH 1 MODSEQ")
        assert lines[0].startswith("* OK [HIGHESTMODSEQ ")
        assert lines[1:] == [f"* 1 FETCH (MODSEQ ({modseq}))"]
        lines = await one.ok("FETCH 2 BODY[]")
        assert [line.startswith("* 2 FETCH (BODY[] {3}\r\ny\r\n UID 2 FLAGS (\\Seen \\Recent) MODSEQ (") for line in lines] == [True]

    in_house(test)


def test_a_client_that_takes_his_time_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What he does not read is not read from the mailbox; and he gets all of it, octet by octet."""
    asked: list[int] = []
    read = OwnMailbox.read

    def counted(box: OwnMailbox, mail: Mail | StoredMail, start: int = 0, length: int | None = None) -> bytes:
        asked.append(start)
        return read(box, mail, start, length)

    async def test(house: ImapHouse) -> None:
        filled(house, LARGE)
        one = await house.client(limit=1 << 16)
        await one.ok("SELECT INBOX")
        monkeypatch.setattr(OwnMailbox, "read", counted)
        tag = await one.begin("FETCH 1 BODY.PEEK[]")
        assert (await one.reader.readline()) == b"* 1 FETCH (BODY[] {%d}\r\n" % len(LARGE)
        for _ in range(20):
            await house.nothing()
        assert len(asked) < 20
        assert await one.reader.readexactly(len(LARGE)) == LARGE
        assert await one.reader.readline() == b")\r\n"
        assert (await one.end(tag))[-1].startswith("OK")
        assert len(asked) > 20

    in_house(test, tmp_path)


def test_a_client_that_never_reads_is_shown_out(tmp_path: Path) -> None:
    """When he was waited for long enough."""

    async def test(house: ImapHouse) -> None:
        filled(house, LARGE)
        one = await house.client(limit=1 << 16)
        await one.ok("SELECT INBOX")
        await one.begin("FETCH 1 BODY.PEEK[]")
        while house.loop.occupied:
            await house.nothing()

    in_house(test, tmp_path, pace=ImapPace(answers=5))


def test_ten_thousand_messages_leave_others_their_turn() -> None:
    """While they are told, others wait less than 50 ms, of which the collector may take some more once."""

    async def test(house: ImapHouse) -> None:
        filled(house, *[b"Subject: a subject\r\nFrom: a@example.org\r\n\r\nx"] * 10_000)
        one, two = await house.selected(), await house.selected()
        waits: list[float] = []
        tag = await one.begin("FETCH 1:* (UID FLAGS ENVELOPE INTERNALDATE RFC822.SIZE)")
        told = asyncio.create_task(one.end(tag))
        while not told.done():
            began = time.process_time()
            await two.ok("NOOP")
            waits.append(time.process_time() - began)
        assert len(await told) == 10_001
        assert len(waits) > 5
        assert sorted(waits)[-2] < 0.05
        assert max(waits) < 0.2

    in_house(test)


def test_a_folder_that_is_examined_stays_as_it_is() -> None:
    """Nothing in it becomes \\Seen (RFC 9051 §6.3.3)."""

    async def test(house: ImapHouse) -> None:
        filled(house, b"x\r\n")
        one = await house.client()
        await one.ok("EXAMINE INBOX")
        assert await one.ok("FETCH 1 BODY[]") == ["* 1 FETCH (BODY[] {3}\r\nx\r\n)"]
        with house.premises.ann() as box:
            assert box.entries(1)[0].flags == Flag(0)

    in_house(test)


def test_a_set_may_have_thousands_of_pieces() -> None:
    """Each message once, in order."""

    async def test(house: ImapHouse) -> None:
        filled(house, *[b"x\r\n"] * 300)
        one = await house.selected()
        numbers = list(range(1, 301, 2)) * 40
        random.Random(1).shuffle(numbers)
        said = await one.ok(f"FETCH {','.join(map(str, numbers))} (UID BODY.PEEK[])")
        assert [int(line.split()[1]) for line in said] == list(range(1, 301, 2))

    in_house(test)
