"""Messages are copied, moved and taken out."""

from __future__ import annotations

import pytest

from mailer.mail.flags import PLAIN, Flag
from tests.mailbox.premises import number_of, put, uids

from .house import ImapHouse, in_house


def filled(house: ImapHouse, many: int = 4, flags: Flag = PLAIN) -> int:
    """So many messages in the INBOX; its number."""
    with house.premises.ann() as box:
        put(box, many=many, flags=flags)
        return number_of(box, "INBOX")


def test_a_copy_says_where_it_is() -> None:
    """COPYUID, RFC 4315 §3; with its flags."""

    async def test(house: ImapHouse) -> None:
        filled(house, flags=Flag.FLAGGED)
        client = await house.selected()
        with house.premises.ann() as box:
            archive = box.folder("Archive")
            assert archive is not None
        assert (await client.do("COPY 2,4 Archive"))[-1].startswith(f"OK [COPYUID {archive.uidvalidity} 2,4 1:2]")
        assert (await client.do("UID COPY 1:2 Archive"))[-1].startswith(f"OK [COPYUID {archive.uidvalidity} 1:2 3:4]")
        assert (await client.do("UID COPY 9 Archive"))[-1].startswith("OK there")
        with house.premises.ann() as box:
            assert [each.flags for each in box.entries(archive.id)] == [Flag.FLAGGED] * 4

    in_house(test)


def test_a_move_says_where_it_is_and_that_it_went() -> None:
    """RFC 6851 §4.3: where it is first."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        *lines, last = await client.do("MOVE 2:3 Trash")
        assert lines[0].startswith("* OK [COPYUID ")
        assert lines[1:] == ["* 3 EXPUNGE", "* 2 EXPUNGE"]
        assert last.startswith("OK they have moved")
        with house.premises.ann() as box:
            assert (uids(box, "INBOX"), uids(box, "Trash")) == ([1, 4], [1, 2])

    in_house(test)


@pytest.mark.parametrize(("command", "left"), [("COPY", [1, 2, 3, 4, 5]), ("MOVE", [1, 3, 4, 5])])
def test_into_the_same_folder(command: str, left: list[int]) -> None:
    """There it is once more, or has another UID."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        lines = await client.ok(f"{command} 2 INBOX")
        assert "* 5 EXISTS" in lines if command == "COPY" else "* 4 EXISTS" in lines
        with house.premises.ann() as box:
            assert uids(box, "INBOX") == left

    in_house(test)


@pytest.mark.parametrize("command", ["COPY 1", "UID COPY 1", "MOVE 1", "UID MOVE 1"])
def test_into_a_folder_that_is_not_there(command: str) -> None:
    """The client may make it; nothing happened."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        assert (await client.do(f"{command} Nowhere"))[-1].startswith("NO [TRYCREATE]")
        with house.premises.ann() as box:
            box.create("Gone")
            box.delete("Gone")
        assert (await client.do(f"{command} Gone"))[-1].startswith("NO [TRYCREATE]")
        with house.premises.ann() as box:
            assert uids(box, "INBOX") == [1, 2, 3, 4]

    in_house(test)


@pytest.mark.parametrize("command", ["COPY", "MOVE"])
def test_where_one_is_gone_none_is_copied(command: str) -> None:
    """By number; by UID the others are."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        client = await house.selected()
        with house.premises.ann() as box:
            box.expunge(inbox, ((2, 2),), marked=False)
        assert (await client.do(f"{command} 1:3 Archive"))[-1].startswith("NO [EXPUNGEISSUED]")
        with house.premises.ann() as box:
            assert uids(box, "Archive") == []
        await client.ok(f"UID {command} 1:3 Archive")
        with house.premises.ann() as box:
            assert uids(box, "Archive") == [1, 2]

    in_house(test)


def test_expunge_takes_out_what_is_marked() -> None:
    """UID EXPUNGE of those alone that are named (RFC 4315 §2.1)."""

    async def test(house: ImapHouse) -> None:
        filled(house, 5)
        client = await house.selected()
        await client.ok(r"STORE 1,3,5 +FLAGS.SILENT (\Deleted)")
        assert await client.ok("UID EXPUNGE 1:3") == ["* 3 EXPUNGE", "* 1 EXPUNGE"]
        assert await client.ok("UID EXPUNGE 77") == []
        assert await client.ok("EXPUNGE") == ["* 3 EXPUNGE"]
        assert await client.ok("EXPUNGE") == []
        with house.premises.ann() as box:
            assert uids(box, "INBOX") == [2, 4]

    in_house(test)


def test_who_resynchronizes_hears_of_uids_and_up_to_where() -> None:
    """VANISHED and HIGHESTMODSEQ, RFC 7162 §3.2.7, §3.2.10."""

    async def test(house: ImapHouse) -> None:
        filled(house, 5)
        client = await house.selected("INBOX", "ENABLE QRESYNC")
        await client.ok(r"STORE 2:4 +FLAGS.SILENT (\Deleted)")
        *lines, last = await client.do("EXPUNGE")
        with house.premises.ann() as box:
            assert lines == ["* VANISHED 2:4"]
            assert last.startswith(f"OK [HIGHESTMODSEQ {box.opened('INBOX').folder.modseq}]")
        *lines, last = await client.do("UID MOVE 1,5 Trash")
        assert lines[1:] == ["* VANISHED 1,5"]
        assert last.startswith("OK [HIGHESTMODSEQ ")

    in_house(test)
