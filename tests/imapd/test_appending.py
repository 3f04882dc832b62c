"""Messages that a client puts: all or none, octet by octet, within the quota."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mailbox.box import OwnMailbox
from tests.mailbox.premises import message, number_of, put, uids

from .house import ANN, ImapHouse, in_house


def content(box: OwnMailbox, folder: str, uid: int) -> bytes:
    """The octets of a message."""
    [entry] = box.entries(number_of(box, folder), ((uid, uid),))
    [mail] = box.mails([entry.mail])
    assert mail is not None
    return box.read(mail)


@pytest.mark.parametrize(
    "octets", [message(), b"bare\nlines\n", b"a\rb", b"\xff\x00\xfe" * 3, b"x", b"X: y\r\n\r\n" + b"long " * 40_000], ids=range(6)
)
def test_a_message_is_kept_octet_by_octet(octets: bytes) -> None:
    """Whatever it is, as a literal and as a literal8 (RFC 3516 §4.4)."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        for uid, tilde in ((1, b""), (2, b"~")):
            [last] = await client.do(b"APPEND Drafts %b{%d}\r\n%b" % (tilde, len(octets), octets))
            assert last.startswith("OK [APPENDUID ")
            with house.premises.ann() as box:
                assert content(box, "Drafts", uid) == octets

    in_house(test)


def test_flags_and_time_are_kept() -> None:
    """And where it is, is said."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        more = r'(\Seen $Work) "01-Dec-2026 10:00:00 +0100" '
        [last] = await client.append("Sent", message(), more=more)
        with house.premises.ann() as box:
            sent = box.folder("Sent")
            assert sent is not None
            assert last.startswith(f"OK [APPENDUID {sent.uidvalidity} 1]")
            [entry] = box.entries(sent.id)
            assert (entry.flags, entry.keywords) == (Flag.SEEN, ("$Work",))
            [mail] = box.mails([entry.mail])
            assert mail is not None
            assert mail.received == 1_796_115_600

    in_house(test)


def test_several_are_all_there_or_none() -> None:
    """RFC 3502; an empty one is how a client gives up."""

    async def test(house: ImapHouse) -> None:
        client = await house.selected("Drafts")
        assert (await client.do(b"APPEND Drafts (\\Seen) {3}\r\none {3}\r\ntwo (\\Draft) {5}\r\nthree"))[-1].find(" 1:3]") > 0
        assert (await client.do(b"APPEND Drafts {3}\r\none {0}\r\n"))[-1].startswith("NO")
        assert (await client.do(b"APPEND Drafts {3}\r\none (\\Nonsense) {3}\r\ntwo"))[-1].startswith("BAD")
        assert (await client.do(b"APPEND Nowhere {3+}\r\none {3+}\r\ntwo"))[-1].startswith("NO [TRYCREATE]")
        with house.premises.ann() as box:
            assert uids(box, "Drafts") == [1, 2, 3]

    in_house(test)


def test_what_is_put_into_the_open_folder_is_told() -> None:
    """RFC 9051 §6.3.12."""

    async def test(house: ImapHouse) -> None:
        client = await house.selected("Drafts")
        assert (await client.append("Drafts", message()))[:-1] == ["* 1 EXISTS", "* 1 RECENT"]

    in_house(test)


def test_a_mailbox_that_is_full_takes_nothing() -> None:
    """Of several none; and who has used up his quota nearly finds a letter."""

    async def test(house: ImapHouse) -> None:
        client = await house.selected()
        big = message(text="x" * 900)
        await client.append("INBOX", big)
        [last] = await client.do(b"APPEND Drafts {%d+}\r\n%b {%d+}\r\n%b" % (len(big), big, len(big), big))
        assert last.startswith("NO [OVERQUOTA]")
        lines = await client.append("Drafts", big)
        assert lines[-1].startswith("OK [APPENDUID ")
        assert (await client.append("Drafts", big))[-1].startswith("NO [OVERQUOTA]")
        with house.premises.ann() as box:
            assert len(uids(box, "Drafts")) == 1
            assert b"Subject: Your mailbox is" in content(box, "INBOX", 2)
        assert "* 2 EXISTS" in [*lines, *await client.do("NOOP")]

    in_house(test, users=(ANN._replace(quota=2300),))


def test_one_takes_the_place_of_another() -> None:
    """RFC 8508: where it is, that it came, that the other went."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, "Drafts", many=2)
        client = await house.selected("Drafts")
        *lines, last = await client.do(b"REPLACE 1 Drafts (\\Draft) {6}\r\nsecond")
        assert last.startswith("OK")
        assert lines[0].startswith("* OK [APPENDUID ")
        assert " 3]" in lines[0]
        assert sorted(lines[1:]) == ["* 1 EXPUNGE", "* 2 EXISTS"] or lines[1:] == ["* 3 EXISTS", "* 1 EXPUNGE"]
        *lines, last = await client.do(b"UID REPLACE 3 Sent {4}\r\nsent")
        assert last.startswith("OK")
        with house.premises.ann() as box:
            assert (uids(box, "Drafts"), uids(box, "Sent")) == ([2], [1])
            assert content(box, "Sent", 1) == b"sent"

    in_house(test)


def test_what_takes_the_place_of_another_needs_room_for_the_rest_alone() -> None:
    """RFC 8508 §3.4: also where the client asks before it sends it; one that never has room is refused then."""

    async def test(house: ImapHouse) -> None:
        client = await house.selected("Drafts")
        big = message(text="x" * 900)
        assert (await client.append("Drafts", big))[-1].startswith("OK")
        assert (await client.append("Drafts", big))[-1].startswith("NO [OVERQUOTA]")
        assert (await client.do(b"REPLACE 1 Drafts {%d}\r\n%b" % (len(big), big)))[-1].startswith("OK")
        assert (await client.do(b"REPLACE 1 Drafts {2000}\r\n"))[-1].startswith("NO [OVERQUOTA]")
        with house.premises.ann() as box:
            assert uids(box, "Drafts") == [2]

    in_house(test, users=(ANN._replace(quota=1700),))


def test_one_that_is_gone_is_not_replaced() -> None:
    """Nor is one by what is not taken."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, "Drafts", many=2)
            drafts = number_of(box, "Drafts")
        client = await house.selected("Drafts")
        with house.premises.ann() as box:
            box.expunge(drafts, ((1, 1),), marked=False)
        assert (await client.do(b"REPLACE 1 Drafts {3}\r\none"))[-1].startswith("NO [EXPUNGEISSUED]")
        assert (await client.do(b"REPLACE 7 Drafts {3}\r\none"))[-1].startswith("BAD")
        assert (await client.do(b"UID REPLACE 7 Drafts {3}\r\none"))[-1].startswith("NO")
        assert (await client.do(b"UID REPLACE 2 Nowhere {3}\r\none"))[-1].startswith("NO [TRYCREATE]")
        with house.premises.ann() as box:
            assert uids(box, "Drafts") == [2]

    in_house(test)


def test_a_client_that_leaves_in_the_middle_has_put_nothing() -> None:
    """Nor is anything held of what it sent."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        client.writer.write(b"a APPEND INBOX {100000}\r\n")
        assert (await client.hear()).startswith("+")
        client.writer.write(b"x" * 90_000)
        await client.writer.drain()
        client.leave()
        while house.loop.occupied:
            await house.nothing()
        assert house.common.room.taken == 0
        with house.premises.ann() as box:
            assert uids(box, "INBOX") == []

    in_house(test)
