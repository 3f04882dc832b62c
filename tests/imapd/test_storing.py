"""Flags are changed: by number and UID, in silence, and where nobody else has changed them."""

from __future__ import annotations

from mailer.mail.flags import Flag
from mailer.mailbox.api import MOST_KEYWORDS
from tests.mailbox.premises import number_of, put, told

from .house import ImapHouse, in_house


def filled(house: ImapHouse, many: int = 3) -> int:
    """So many messages in the INBOX; its number."""
    with house.premises.ann() as box:
        put(box, many=many)
        told(box)
        return number_of(box, "INBOX")


def test_flags_are_told_as_they_are_then() -> None:
    """Added, taken off, set; a new keyword is told of first."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        assert await client.ok(r"STORE 1:2 +FLAGS (\Seen)") == [rf"* {n} FETCH (UID {n} FLAGS (\Seen))" for n in (1, 2)]
        lines = await client.ok(r"UID STORE 2 FLAGS (\Flagged $Work)")
        assert lines[0].startswith("* FLAGS (")
        assert lines[0].endswith("$Work)")
        assert lines[1].startswith("* OK [PERMANENTFLAGS (")
        assert lines[2:] == [r"* 2 FETCH (UID 2 FLAGS (\Flagged $Work))"]
        assert await client.ok(r"STORE 2 -FLAGS \Flagged") == ["* 2 FETCH (UID 2 FLAGS ($Work))"]
        assert await client.ok(r"STORE 2 FLAGS ()") == ["* 2 FETCH (UID 2 FLAGS ())"]

    in_house(test)


def test_in_silence_nothing_is_told() -> None:
    """Nor later: the client knows what it did."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        assert await client.ok(r"STORE 1:3 +FLAGS.SILENT (\Seen)") == []
        assert await client.ok("NOOP") == []

    in_house(test)


def test_who_wants_modseqs_gets_them_in_silence_too() -> None:
    """RFC 7162 §3.1.3."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        client = await house.selected("INBOX", "ENABLE CONDSTORE")
        lines = await client.ok(r"STORE 2 +FLAGS.SILENT (\Seen)")
        with house.premises.ann() as box:
            [entry] = box.entries(inbox, ((2, 2),))
        assert lines == [f"* 2 FETCH (UID 2 MODSEQ ({entry.modseq}))"]

    in_house(test)


def test_numbers_that_are_not_there_are_bad_and_uids_are_nothing() -> None:
    """RFC 9051 §6.4.9."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        assert (await client.do(r"STORE 4 +FLAGS (\Seen)"))[-1].startswith("BAD")
        assert await client.ok(r"UID STORE 4:100 +FLAGS (\Seen)") == []
        assert len(await client.ok(r"UID STORE 3:* +FLAGS (\Seen)")) == 1
        assert len(await client.ok(r"UID STORE 1:4294967295 +FLAGS (\Draft)")) == 3

    in_house(test)


def test_what_another_has_changed_is_left_and_named() -> None:
    """By its number, or by its UID where it was named so; and the client hears what it is now."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        with house.premises.ann() as box:
            box.expunge(inbox, ((1, 1),), marked=False)
        client = await house.selected()
        with house.premises.ann() as box:
            modseq = box.opened("INBOX").folder.modseq
            box.flag(inbox, ((3, 3),), "add", Flag.FLAGGED)
        *lines, last = await client.do(rf"STORE 1:2 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (\Seen)")
        assert last.startswith("OK [MODIFIED 2]")
        assert [line for line in lines if line.startswith("* 1 FETCH (UID 2 MODSEQ (")]
        assert [line for line in lines if line.startswith("* 2 FETCH (") and r"FLAGS (\Flagged)" in line]
        *_, last = await client.do(r"UID STORE 2:3 (UNCHANGEDSINCE 1) +FLAGS (\Seen)")
        assert last.startswith("OK [MODIFIED 2:3]")
        with house.premises.ann() as box:
            assert [each.flags for each in box.entries(inbox)] == [Flag.SEEN, Flag.FLAGGED]

    in_house(test)


def test_of_a_message_that_is_gone_nothing_is_stored() -> None:
    """By number the client hears of it; the others are done."""

    async def test(house: ImapHouse) -> None:
        inbox = filled(house)
        client = await house.selected()
        with house.premises.ann() as box:
            box.expunge(inbox, ((2, 2),), marked=False)
        *lines, last = await client.do(r"STORE 1:3 +FLAGS (\Seen)")
        assert last.startswith("NO [EXPUNGEISSUED]")
        assert lines == [rf"* {n} FETCH (UID {n} FLAGS (\Seen))" for n in (1, 3)]
        assert await client.ok("NOOP") == ["* 2 EXPUNGE"]

    in_house(test)


def test_there_is_an_end_to_keywords() -> None:
    """A folder has a hundred of them."""

    async def test(house: ImapHouse) -> None:
        filled(house)
        client = await house.selected()
        words = " ".join(f"k{number}" for number in range(101))
        assert (await client.do(f"STORE 1 +FLAGS ({words})"))[-1].startswith("NO [LIMIT]")
        await client.ok("STORE 1 +FLAGS (k1)")

    in_house(test)


def test_a_folder_that_has_all_keywords_it_can_have_says_so() -> None:
    """PERMANENTFLAGS has no \\* then, now and when it is opened. RFC 9051 §7.1"""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, "Drafts")
        client = await house.selected("Drafts")
        words = [f"k{number}" for number in range(MOST_KEYWORDS)]
        [some] = [line for line in await client.ok(f"STORE 1 FLAGS ({' '.join(words[1:])})") if "PERMANENTFLAGS" in line]
        assert "\\*" in some
        [full] = [line for line in await client.ok(f"STORE 1 +FLAGS ({words[0]})") if "PERMANENTFLAGS" in line]
        assert "\\*" not in full
        assert (await client.do("STORE 1 +FLAGS (more)"))[-1].startswith("NO [LIMIT]")
        [opened] = [line for line in await client.ok("SELECT Drafts") if "PERMANENTFLAGS" in line]
        assert "\\*" not in opened

    in_house(test)
