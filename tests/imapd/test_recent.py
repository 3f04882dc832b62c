"""A message is recent for one session, the first that is told of it. RFC 3501 §2.3.2."""

from __future__ import annotations

import pytest

from mailer.imap.capability import TOLD
from mailer.mail.flags import Flag
from mailer.mailbox.fencing import fence
from tests.mailbox.premises import number_of, put, told

from .house import ImapHouse, in_house


def test_only_one_session_sees_that_a_message_is_recent() -> None:
    """The first that opens the folder to write; who only looks leaves it so. RFC 3501 §6.3.1, §6.3.2"""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=2)
        looking, one, other = await house.client(), await house.client(), await house.client()
        for client, count in ((looking, 2), (one, 2), (other, 0), (looking, 0)):
            command = "EXAMINE" if client is looking else "SELECT"
            assert f"* {count} RECENT" in await client.ok(f"{command} INBOX")
        flags = await one.ok("FETCH 1:* FLAGS"), await other.ok("FETCH 1:* FLAGS")
        assert flags == ([rf"* {n} FETCH (FLAGS (\Recent))" for n in (1, 2)], [f"* {n} FETCH (FLAGS ())" for n in (1, 2)])
        assert "* 0 RECENT" in await one.ok("SELECT INBOX")

    in_house(test)


def test_what_comes_is_recent_for_the_first_that_hears_of_it() -> None:
    """Turn by turn, so that what each has is several runs."""

    async def test(house: ImapHouse) -> None:
        one, other = await house.selected(), await house.selected()
        for number, (first, second) in enumerate(((one, other), (other, one), (one, other)), 1):
            with house.premises.ann() as box:
                put(box)
            assert await first.ok("NOOP") == [f"* {number} EXISTS", f"* {(number + 1) // 2} RECENT"]
            assert await second.ok("NOOP") == [f"* {number} EXISTS"]
        assert await one.ok("SEARCH RECENT") == ["* SEARCH 1 3"]
        assert await other.ok("SEARCH RECENT") == ["* SEARCH 2"]
        with house.premises.ann() as box:
            box.flag(number_of(box, "INBOX"), ((3, 3),), "add", Flag.FLAGGED)
        assert await one.ok("NOOP") == [r"* 3 FETCH (FLAGS (\Flagged \Recent))"]
        assert await other.ok("NOOP") == [r"* 3 FETCH (FLAGS (\Flagged))"]

    in_house(test)


def test_what_is_recent_is_found_counted_and_told_with_all_flags() -> None:
    """NEW, OLD and RECENT, RFC 3501 §6.4.4; STORE and a body that is read tell it, and no client can set it."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=2)
            told(box)
            put(box, many=2)
        client = await house.client()
        assert await client.ok("STATUS INBOX (RECENT)") == ['* STATUS "INBOX" (RECENT 2)']
        await client.ok("SELECT INBOX")
        assert await client.ok("STATUS INBOX (RECENT)") == ['* STATUS "INBOX" (RECENT 0)']
        assert await client.ok(r"STORE 3 +FLAGS (\Seen)") == [r"* 3 FETCH (UID 3 FLAGS (\Seen \Recent))"]
        assert (await client.do(r"STORE 1 +FLAGS (\Recent)"))[-1].startswith("BAD")
        found = [(await client.ok(f"SEARCH {key}"))[0] for key in ("RECENT", "NEW", "OLD", "NOT OLD SEEN")]
        assert found == ["* SEARCH 3 4", "* SEARCH 4", "* SEARCH 1 2", "* SEARCH 3"]
        assert (await client.ok("FETCH 4 (BODY[HEADER.FIELDS (X)])"))[-1].endswith(r" FLAGS (\Seen \Recent))")
        assert (await client.ok("UID COPY 1 Archive")) == []
        assert await client.ok("STATUS Archive (RECENT)") == ['* STATUS "Archive" (RECENT 1)']

    in_house(test)


def test_a_mailbox_that_cannot_be_written_keeps_it_recent() -> None:
    """It is being moved: the session sees it, and so does the next."""

    async def test(house: ImapHouse) -> None:
        owners = house.premises.owners
        with house.premises.ann() as box:
            put(box)
            owner = owners.put(box.owner._replace(state="frozen", until=house.premises.now + 60))
            fence(box.engine, owner.epoch + 1)
        client = await house.client()
        assert "* 1 RECENT" in await client.ok("SELECT INBOX")
        owners.put(owner._replace(state="open", until=0.0))
        assert "* 1 RECENT" in await client.ok("SELECT INBOX")
        assert "* 0 RECENT" in await client.ok("SELECT INBOX")

    in_house(test)


@pytest.mark.skipif("IMAP4rev2" not in TOLD, reason="it is not told")
def test_rev2_hears_nothing_of_it() -> None:
    """RFC 9051 appendix E: and it is left to others."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box)
        client, other = await house.client(), await house.client()
        await other.ok("SELECT INBOX")
        await other.ok("ENABLE IMAP4rev2")
        await client.ok("ENABLE IMAP4rev2")
        await client.ok("SELECT INBOX")
        with house.premises.ann() as box:
            put(box)
        for each in (client, other):
            assert await each.ok("NOOP") == ["* 2 EXISTS"]
            assert await each.ok("FETCH 1:2 FLAGS") == ["* 1 FETCH (FLAGS ())", "* 2 FETCH (FLAGS ())"]
        with house.premises.ann() as box:
            assert box.recent(number_of(box, "INBOX")) == 1

    in_house(test)
