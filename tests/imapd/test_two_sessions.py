"""Two sessions of one folder: each sees what the other does, when it may be told, and its numbers hold until then."""

from __future__ import annotations

import asyncio

import pytest

from mailer.mail.flags import Flag
from mailer.mailbox.fencing import fence
from tests.mailbox.premises import number_of, put, told

from .house import ImapHouse, in_house


def filled(house: ImapHouse, many: int = 4) -> int:
    """So many messages in the INBOX; its number."""
    with house.premises.ann() as box:
        put(box, many=many)
        told(box)
        return number_of(box, "INBOX")


def test_each_sees_what_the_other_does() -> None:
    """What comes, what changes, and what goes."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        one, other = await house.selected(), await house.selected()
        await one.append("INBOX", b"new")
        await one.ok(r"STORE 2 +FLAGS.SILENT (\Flagged $Late)")
        await one.ok(r"STORE 3 +FLAGS.SILENT (\Deleted)")
        await one.ok("EXPUNGE")
        lines = await other.ok("NOOP")
        assert lines[:2] == [r"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Late)", lines[1]]
        assert sorted(lines[2:]) == sorted(["* 3 EXPUNGE", "* 4 EXISTS", r"* 2 FETCH (FLAGS (\Flagged $Late))"])
        assert await other.ok("NOOP") == []

    in_house(test)


def test_a_number_holds_until_the_client_may_hear_of_it() -> None:
    """Not within STORE by number; within UID STORE and NOOP it may. RFC 9051 §7.5.1"""

    async def test(house: ImapHouse) -> None:
        filled(house)
        one, other = await house.selected(), await house.selected()
        await one.ok(r"UID STORE 1 +FLAGS.SILENT (\Deleted)")
        await one.ok("EXPUNGE")
        assert r"* 3 FETCH (UID 3 FLAGS (\Seen))" in await other.ok(r"STORE 3 +FLAGS (\Seen)")
        assert r"* 4 FETCH (UID 4 FLAGS (\Seen))" in await other.ok(r"STORE 4 +FLAGS (\Seen)")
        lines = await other.ok(r"UID STORE 2 +FLAGS (\Seen)")
        assert lines == [r"* 2 FETCH (UID 2 FLAGS (\Seen))", "* 1 EXPUNGE"]
        assert await other.ok(r"STORE 1 -FLAGS (\Seen)") == ["* 1 FETCH (UID 2 FLAGS ())"]

    in_house(test)


def test_what_both_change_each_hears_in_the_end() -> None:
    """Also where one of them wanted no answer: somebody else had changed the same."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        client = await house.selected()
        with house.premises.ann() as box:
            box.flag(inbox, ((1, 1),), "add", Flag.FLAGGED)
        lines = await client.ok(r"STORE 1 +FLAGS.SILENT (\Seen)")
        assert [line for line in lines if r"\Flagged" in line and r"\Seen" in line]

    in_house(test)


@pytest.mark.parametrize("command", ["NOOP", r"STORE 1 +FLAGS (\Seen)", "UID COPY 1 Trash", "EXPUNGE"])
def test_a_folder_that_is_deleted_ends_the_session(command: str) -> None:
    """With BYE: what is open is no folder any more; a new session finds what there is."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            box.create("Old")
            put(box, "Old", many=2)
        client = await house.selected("Old")
        with house.premises.ann() as box:
            box.delete("Old")
        assert "* BYE the folder that is open was deleted" in [*await client.do(command), await client.hear()]
        assert await client.hear() == ""

    in_house(test)


def test_a_folder_that_has_another_name_is_the_same() -> None:
    """Nothing happens to those who have it open."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            box.create("Old")
            put(box, "Old", many=2)
        client = await house.selected("Old")
        with house.premises.ann() as box:
            box.rename("Old", "New")
        assert len(await client.ok(r"STORE 1:2 +FLAGS (\Seen)")) == 2

    in_house(test)


def test_a_folder_with_new_numbers_ends_the_session() -> None:
    """As after a restore: the UIDs that the client knows mean nothing."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        with house.premises.ann() as box:
            box.renumber()
        assert "* BYE the folder that is open has new numbers, open it again" in await client.do("NOOP")

    in_house(test)


def test_a_folder_that_is_made_anew_has_another_uidvalidity() -> None:
    """A higher one, RFC 9051 §2.3.1.1."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            before = box.create("Old").uidvalidity
            box.delete("Old")
            box.create("Old")
        client = await house.client()
        lines = await client.ok("SELECT Old")
        [now] = [int(line.split()[3].rstrip("]")) for line in lines if "[UIDVALIDITY" in line]
        assert now > before

    in_house(test)


def test_a_mailbox_that_is_moved_is_read_meanwhile() -> None:
    """What would change it has to come again; then all is as before."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        owners = house.premises.owners
        with house.premises.ann() as box:
            owner = owners.put(box.owner._replace(state="frozen", until=house.premises.now + 60))
            fence(box.engine, owner.epoch + 1)
        assert (await client.do(r"STORE 1 +FLAGS (\Seen)"))[-1].startswith("NO [UNAVAILABLE]")
        await client.ok("NOOP")
        owners.put(owner._replace(state="open", until=0.0))
        assert await client.ok(r"STORE 1 +FLAGS (\Seen)") == [r"* 1 FETCH (UID 1 FLAGS (\Seen))"]

    in_house(test)


def test_a_mailbox_that_is_removed_ends_the_session() -> None:
    """And what is said to it is not done to the one that its address has then."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        with house.premises.ann() as box:
            fence(box.engine, house.premises.boxes.remove("ann@example.com").epoch + 1)
        filled(house, 2)
        lines = [*await client.do(r"STORE 1 +FLAGS (\Seen)"), await client.hear()]
        assert [line for line in lines if line.startswith("* BYE the mailbox of ann@example.com was removed")]
        with house.premises.ann() as box:
            assert [int(each.flags) for each in box.entries(number_of(box, "INBOX"))] == [0, 0]

    in_house(test)


# -- RFC 9051 §6.3.13


def test_who_waits_hears_at_once() -> None:
    """What comes, changes and goes, while nothing is asked."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        waiting, other = await house.selected(), await house.selected()
        tag = await waiting.begin("IDLE")
        assert (await waiting.hear()).startswith("+")
        with house.premises.ann() as box:
            put(box)
        assert [await waiting.hear(), await waiting.hear()] == ["* 5 EXISTS", "* 1 RECENT"]
        await other.ok(r"STORE 1 +FLAGS (\Seen)")
        assert await waiting.hear() == r"* 1 FETCH (FLAGS (\Seen))"
        with house.premises.ann() as box:
            box.expunge(inbox, ((2, 3),), marked=False)
        assert [await waiting.hear(), await waiting.hear()] == ["* 3 EXPUNGE", "* 2 EXPUNGE"]
        await waiting.say(b"DONE\r\n")
        assert (await waiting.end(tag))[-1].startswith("OK")
        await waiting.ok(r"STORE 1:3 +FLAGS.SILENT (\Draft)")

    in_house(test)


def test_what_happened_before_it_is_told_in_it() -> None:
    """A client that goes on waiting misses nothing."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        waiting, other = await house.selected(), await house.selected()
        await other.append("INBOX", b"new")
        await waiting.begin("IDLE")
        assert (await waiting.hear()).startswith("+")
        assert await waiting.hear() == "* 5 EXISTS"

    in_house(test)


def test_who_waits_hears_that_we_are_there() -> None:
    """Every two minutes, for hours: no router forgets him, and nobody hangs up on him."""

    async def test(house: ImapHouse) -> None:
        client = await house.selected()
        now = asyncio.get_running_loop().time
        tag = await client.begin("IDLE")
        assert (await client.hear()).startswith("+")
        for turn in range(1, 41):
            assert await client.hear() == "* OK still here"
            assert turn * 120 <= now() < turn * 120 + 60
        await client.say(b"DONE\r\n")
        assert (await client.end(tag))[-1].startswith("OK")

    in_house(test)


def test_whose_folder_is_deleted_waits_no_more() -> None:
    """He hears BYE at once."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            box.create("Old")
        client = await house.selected("Old")
        await client.begin("IDLE")
        assert (await client.hear()).startswith("+")
        with house.premises.ann() as box:
            box.delete("Old")
        assert await client.hear() == "* BYE the folder that is open was deleted"

    in_house(test)


@pytest.mark.slow
def test_who_waits_and_does_not_read_is_left_alone() -> None:
    """What happens meanwhile costs no memory; when he reads, he hears it; and who reads nothing for long is hung up on."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house, 3000)
        client = await house.selected("INBOX")
        await client.begin("IDLE")
        assert (await client.hear()).startswith("+")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for turn in range(200):
            with house.premises.ann() as box:
                box.flag(inbox, None, "add" if turn % 2 else "remove", Flag.SEEN | Flag.FLAGGED | Flag.ANSWERED)
            await house.nothing()
        while house.loop.occupied:
            await asyncio.sleep(60)
        assert asyncio.get_running_loop().time() < 600

    in_house(test)


# -- what went, and is not told yet


def test_what_is_read_by_number_holds() -> None:
    """FETCH and SEARCH by number tell of nothing that went, and the numbers are those that the client knows; RFC 9051 §7.5.1."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        client = await house.selected()
        with house.premises.ann() as box:
            box.expunge(inbox, ((2, 2),), marked=False)
        assert await client.ok("SEARCH ALL") in (["* SEARCH 1 2 3 4"], ["* SEARCH 1 3 4"])
        *lines, last = await client.do("FETCH 1:4 (UID)")
        assert {"* 1 FETCH (UID 1)", "* 3 FETCH (UID 3)", "* 4 FETCH (UID 4)"} <= {*lines}
        assert not [line for line in lines if "EXPUNGE" in line]
        *lines, last = await client.do("FETCH 2 BODY[]")
        assert last.startswith("NO [EXPUNGEISSUED]") or "Subject: number 1" in lines[0]
        assert await client.ok("NOOP") == ["* 2 EXPUNGE"]

    in_house(test)


def test_who_resynchronizes_is_told_up_to_where_he_knows_all() -> None:
    """Where a MODSEQ is told, and what went before that is not: else he would never hear of it. RFC 5162, errata 1810"""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        client = await house.selected("INBOX", "ENABLE QRESYNC")
        with house.premises.ann() as box:
            before = box.opened("INBOX").folder.modseq
            box.expunge(inbox, ((2, 2),), marked=False)
        lines = await client.ok(r"STORE 3 +FLAGS (\Seen)")
        assert [line for line in lines if line.startswith(f"* OK [HIGHESTMODSEQ {before}]")]
        assert await client.ok("NOOP") == ["* VANISHED 2"]
        assert not [line for line in await client.ok(r"STORE 3 -FLAGS (\Seen)") if "HIGHESTMODSEQ" in line]

    in_house(test)
