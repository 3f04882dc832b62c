"""A folder is opened and closed, and a client that comes back is told what it missed."""

from __future__ import annotations

import re

import pytest

from mailer.imap.capability import TOLD
from mailer.mail.flags import Flag
from tests.mailbox.premises import number_of, put, told

from .house import ImapHouse, in_house


def code(lines: list[str], word: str) -> str:
    """What stands behind `word` in brackets in one of the lines."""
    [found] = [match[1] for line in lines if (match := re.match(rf"\* OK \[{word} (.*?)\]", line))]
    return found


def test_select_tells_all_that_there_is_to_know() -> None:
    """Flags, how many messages, the first unseen one, and the numbers."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=4)
            box.flag(number_of(box, "INBOX"), ((1, 2),), "add", Flag.SEEN, ("$Forwarded",))
            box.claim(number_of(box, "INBOX"), 4)
            folder = box.folder("INBOX")
        client = await house.client()
        *lines, last = await client.do("SELECT inbox")
        assert last.startswith("OK [READ-WRITE]")
        assert lines[0] == r"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)"
        assert code(lines, "PERMANENTFLAGS") == r"(\Answered \Flagged \Deleted \Seen \Draft $Forwarded \*)"
        assert {"* 4 EXISTS", "* 1 RECENT"} <= {*lines}
        assert code(lines, "UNSEEN") == "3"
        assert folder is not None
        assert (code(lines, "UIDVALIDITY"), code(lines, "UIDNEXT")) == (str(folder.uidvalidity), "5")
        assert code(lines, "HIGHESTMODSEQ") == str(folder.modseq)
        assert code(lines, "MAILBOXID").strip("()")

    in_house(test)


@pytest.mark.skipif("IMAP4rev2" not in TOLD, reason="it is not told")
def test_rev2_knows_no_recent_and_names_the_folder() -> None:
    """RFC 9051 §6.3.2."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box)
            box.create("Übersicht")
        client = await house.client()
        await client.ok("ENABLE IMAP4rev2")
        lines = await client.ok("SELECT INBOX")
        assert not [line for line in lines if "RECENT" in line or "[UNSEEN" in line]
        assert [line for line in lines if re.fullmatch(r'\* LIST \(.*\) "/" "?INBOX"?', line)]
        lines = await client.ok('SELECT "Übersicht"')
        assert [line for line in lines if re.fullmatch(r'\* LIST \(.*\) "/" "Übersicht"', line)]

    in_house(test)


def test_examine_changes_nothing() -> None:
    """What would change something is refused."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=2, flags=Flag.DELETED)
        client = await house.client()
        *lines, last = await client.do("EXAMINE INBOX")
        assert last.startswith("OK [READ-ONLY]")
        assert code(lines, "PERMANENTFLAGS") == "()"
        for command in (r"STORE 1 FLAGS ()", "EXPUNGE", "UID EXPUNGE 1", "MOVE 1 Trash"):
            assert (await client.do(command))[-1].startswith("NO [READ-ONLY]")
        await client.ok("COPY 1 Trash")
        await client.ok("CLOSE")
        with house.premises.ann() as box:
            assert len(box.uids(number_of(box, "INBOX"))) == 2

    in_house(test)


def test_a_folder_that_is_not_there_closes_the_one_that_was_open() -> None:
    """RFC 9051 §6.3.2: nothing is open then."""

    async def test(house: ImapHouse) -> None:
        client = await house.selected()
        lines = await client.do("SELECT Nowhere")
        assert lines[0].startswith("* OK [CLOSED]")
        assert lines[-1].startswith("NO [NONEXISTENT]")
        assert (await client.do("EXPUNGE"))[-1].startswith("BAD")

    in_house(test)


def test_close_takes_out_in_silence_and_unselect_nothing() -> None:
    """RFC 9051 §6.4.1, §6.4.2."""

    async def test(house: ImapHouse) -> None:
        for command, left in (("UNSELECT", 2), ("CLOSE", 0)):
            with house.premises.ann() as box:
                put(box, many=2 if left else 0, flags=Flag.DELETED)
            client = await house.selected()
            assert await client.ok(command) == []
            with house.premises.ann() as box:
                assert len(box.uids(number_of(box, "INBOX"))) == left

    in_house(test)


# -- RFC 7162 §3.2.5


async def resumed(house: ImapHouse, more: str) -> list[str]:
    """What a client hears of its past, with these parameters: of the INBOX that it knows from before."""
    client = await house.client()
    await client.ok("ENABLE QRESYNC")
    lines = await client.ok(f"SELECT INBOX (QRESYNC ({more}))")
    return [line for line in lines if "VANISHED" in line or "FETCH" in line]


def test_a_client_that_comes_back_hears_what_it_missed() -> None:
    """First what went, then what changed; of other numbers nothing."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=9)
            told(box)
            known = box.folder("INBOX")
            assert known is not None
            inbox = known.id
            box.expunge(inbox, ((2, 4), (8, 8)), marked=False)
            box.flag(inbox, ((5, 5), (9, 9)), "add", Flag.SEEN)
            now = box.opened("INBOX").folder.modseq
        before = f"{known.uidvalidity} {known.modseq}"
        fetched = [rf"* {number} FETCH (UID {uid} FLAGS (\Seen) MODSEQ ({now}))" for number, uid in ((2, 5), (5, 9))]
        assert await resumed(house, before) == ["* VANISHED (EARLIER) 2:4,8", *fetched]
        assert await resumed(house, f"{before} 3:5") == ["* VANISHED (EARLIER) 3:4", fetched[0]]
        assert await resumed(house, f"{before} 1:4294967295 (1:2 1:2)") == ["* VANISHED (EARLIER) 2:4,8", *fetched]
        assert await resumed(house, f"{known.uidvalidity + 1} {known.modseq}") == []
        assert await resumed(house, f"{known.uidvalidity} {now}") == []

    in_house(test)


def test_where_nobody_knows_what_went_all_that_is_not_there_went() -> None:
    """As far as the client does not prove otherwise by pairs; a folder whose UIDs are high costs no more than one whose are low."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            box.create("Old")
            folder = box.number("Old", 77, 4_000_000_000)
            put(box, "Old", many=5)
            box.expunge(folder.id, ((4_000_000_001, 4_000_000_001), (4_000_000_003, 4_000_000_003)), marked=False)
            box.engine.change(lambda rows: rows.change("UPDATE folder SET floor = modseq WHERE owner = ? AND id = ?", (1, folder.id)))
            found = box.opened("Old", 1)
            assert found.changes is not None
            assert found.changes.whole
        client = await house.client()
        await client.ok("ENABLE QRESYNC")
        for more, gone in (
            ("", "1:3999999999,4000000001,4000000003"),
            (" 4000000000:4000000004", "4000000001,4000000003"),
            (" 4000000000:4000000004 (1:2 4000000000,4000000002)", "4000000003"),
            (" 4000000000:4000000004 (1:4294967295 1:4294967295)", "4000000001,4000000003"),
        ):
            lines = await client.ok(f"SELECT Old (QRESYNC (77 1{more}))")
            assert [line for line in lines if "VANISHED" in line] == [f"* VANISHED (EARLIER) {gone}"]
            assert len([line for line in lines if "FETCH" in line]) == 3

    in_house(test)


@pytest.mark.parametrize("said", ["SELECT INBOX (QRESYNC (1 1))", "SELECT INBOX (QRESYNC (0 1))", "SELECT INBOX (NONSENSE)"])
def test_what_was_not_enabled_or_is_no_parameter_is_bad(said: str) -> None:
    """RFC 7162 §3.2.5."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        assert (await client.do(said))[-1].startswith("BAD")

    in_house(test)
