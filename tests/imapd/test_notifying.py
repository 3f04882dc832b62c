"""Clients hear of what they asked for: RFC 5465."""

from __future__ import annotations

import pytest

from mailer.imapd import notifying
from mailer.mail.flags import Flag
from tests.mailbox.premises import number_of, put, told

from .house import ImapHouse, in_house
from .talking import ImapTalk

ALL = "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange"


async def hears(client: ImapTalk, many: int) -> list[str]:
    """So many lines, which come while the client says nothing; without RECENT, which is told to whoever is the first."""
    lines: list[str] = []
    while len(lines) < many:
        line = await client.hear()
        if not line.endswith(" RECENT"):
            lines.append(line)
    return lines


async def watching(house: ImapHouse, said: str, *before: str) -> ImapTalk:
    """A client that has said `before`, and then wants to hear of something."""
    client = await house.client()
    for each in before:
        await client.ok(each)
    assert await client.ok(f"NOTIFY SET {said}") == []
    return client


def test_messages_in_other_folders_are_told_at_once() -> None:
    """RFC 5465 §5.2, §5.3: those that came, and those that went; of folders that were not asked for nothing is told."""

    async def test(house: ImapHouse) -> None:
        client = await watching(house, "(mailboxes (Archive Sent) (MessageNew MessageExpunge))")
        with house.premises.ann() as box:
            put(box, "Drafts")
            put(box, "Archive", 2)
        assert await hears(client, 1) == ['* STATUS "Archive" (MESSAGES 2 UIDNEXT 3)']
        with house.premises.ann() as box:
            box.flag(number_of(box, "Archive"), None, "add", Flag.FLAGGED)
            box.expunge(number_of(box, "Archive"), [(1, 1)], marked=False)
        assert await hears(client, 1) == ['* STATUS "Archive" (MESSAGES 1 UIDNEXT 3)']
        await client.ok("ENABLE CONDSTORE")
        with house.premises.ann() as box:
            put(box, "Archive")
            now = box.folder("Archive")
        assert now is not None
        numbers = f"UIDVALIDITY {now.uidvalidity} HIGHESTMODSEQ {now.modseq}"
        assert await hears(client, 1) == [f'* STATUS "Archive" (MESSAGES 2 UIDNEXT 4 {numbers})']

    in_house(test)


def test_flags_in_other_folders_are_told() -> None:
    """RFC 5465 §5.1: how many are unseen, and the MODSEQ to whoever knows of it."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, "Archive", 2)
        events = "(personal (MessageNew MessageExpunge FlagChange))"
        old, new = await watching(house, events), await watching(house, events, "ENABLE CONDSTORE")
        with house.premises.ann() as box:
            box.flag(number_of(box, "Archive"), [(1, 1)], "add", Flag.SEEN)
            now = box.folder("Archive")
        assert now is not None
        numbers = f"UIDVALIDITY {now.uidvalidity} HIGHESTMODSEQ {now.modseq}"
        assert await hears(old, 1) == ['* STATUS "Archive" (UNSEEN 1)']
        assert await hears(new, 1) == [f'* STATUS "Archive" (UNSEEN 1 {numbers})']
        with house.premises.ann() as box:
            box.flag(number_of(box, "Archive"), [(1, 1)], "add", Flag.FLAGGED)
        assert (await hears(new, 1))[0].startswith('* STATUS "Archive" (UIDVALIDITY ')
        assert await old.ok("NOOP") == []

    in_house(test)


def test_the_present_state_is_told_first() -> None:
    """RFC 5465 §3.1: of each folder of which messages are told, but for the one that is open."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, "Archive", 2)
            box.create("Archive/2026")
        client = await house.client()
        await client.ok("SELECT INBOX")
        lines = await client.ok(
            "NOTIFY SET STATUS (subtree Archive (MessageNew MessageExpunge)) (mailboxes INBOX (MessageNew MessageExpunge))"
        )
        assert [line.partition(" UIDVALIDITY")[0] for line in lines] == [
            '* STATUS "Archive" (MESSAGES 2 UIDNEXT 3',
            '* STATUS "Archive/2026" (MESSAGES 0 UIDNEXT 1',
        ]
        [line] = await client.ok("NOTIFY SET STATUS (mailboxes Archive (MessageNew MessageExpunge FlagChange))")
        assert " HIGHESTMODSEQ " in line

    in_house(test)


def test_new_messages_of_the_open_folder_bring_what_was_asked_for() -> None:
    """RFC 5465 §5.2: EXISTS, and FETCH behind it, without a command; those that the client puts itself bring nothing."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box)
        said = "(selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge))"
        client = await watching(house, said, "SELECT INBOX")
        with house.premises.ann() as box:
            put(box)
        assert await hears(client, 2) == [
            "* 2 EXISTS",
            "* 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)] {21}\r\nSubject: number 0\r\n\r\n)",
        ]
        lines = await client.append("INBOX", b"Subject: mine\r\n\r\nx\r\n")
        assert [line for line in lines if "FETCH" in line] == []
        assert "* 3 EXISTS" in lines

    in_house(test)


def test_messages_that_went_are_told_at_once_or_behind_a_command() -> None:
    """RFC 5465 §6.1: with SELECTED numbers change at any time, with SELECTED-DELAYED when the client can bear it."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=5)
        events = "(MessageNew MessageExpunge)"
        now, later = [await watching(house, f"({which} {events})", "SELECT INBOX") for which in ("selected", "selected-delayed")]
        with house.premises.ann() as box:
            box.expunge(number_of(box, "INBOX"), [(2, 3)], marked=False)
            put(box)
        assert {*await hears(now, 3)} >= {"* 3 EXPUNGE", "* 2 EXPUNGE"}
        assert await hears(later, 1) == ["* 6 EXISTS"]
        assert [line for line in await later.ok("FETCH 1 FLAGS") if "EXPUNGE" in line] == []
        assert await later.ok("NOOP") == ["* 3 EXPUNGE", "* 2 EXPUNGE"]

    in_house(test)


def test_flags_of_the_open_folder_are_told_if_that_was_asked_for() -> None:
    """RFC 5465 §5.1: with UIDs; else they are not, and nothing of messages is without SELECTED."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=2)
            told(box)
        flags = await watching(house, "(selected (MessageNew MessageExpunge FlagChange))", "SELECT INBOX")
        plain = await watching(house, "(selected (MessageNew MessageExpunge))", "SELECT INBOX")
        none = await watching(house, "(personal (MailboxName))", "SELECT INBOX")
        silent = await house.client()
        await silent.ok("SELECT INBOX")
        await silent.ok("NOTIFY NONE")
        with house.premises.ann() as box:
            box.flag(number_of(box, "INBOX"), [(1, 1)], "add", Flag.SEEN)
            put(box)
        assert {*await hears(flags, 2)} == {"* 3 EXISTS", "* 1 FETCH (UID 1 FLAGS (\\Seen))"}
        assert await hears(plain, 1) == ["* 3 EXISTS"]
        for client in (none, silent):
            assert await client.ok("NOOP") == []
            assert await client.ok("UID SEARCH 1:*") == ["* SEARCH 1 2"]
        await none.ok("NOTIFY SET (selected (MessageNew MessageExpunge))")
        assert await none.ok("UID SEARCH 1:*") == ["* SEARCH 1 2 3"]

    in_house(test)


def test_the_own_changes_of_the_open_folder_are_told_in_any_case() -> None:
    """An EXPUNGE says what went, whatever the client wants to hear of others."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=2, flags=Flag.DELETED)
        client = await house.client()
        await client.ok("SELECT INBOX")
        await client.ok("NOTIFY NONE")
        assert [line for line in await client.ok("EXPUNGE") if "EXPUNGE" in line] in (["* 2 EXPUNGE", "* 1 EXPUNGE"], ["* 1 EXPUNGE"] * 2)

    in_house(test)


def test_names_are_told() -> None:
    """RFC 5465 §5.4: a folder that is made or deleted with the one that it is in, one that is renamed once, whatever is in it."""

    async def test(house: ImapHouse) -> None:
        client = await watching(house, "(personal (MailboxName))")
        with house.premises.ann() as box:
            box.create("a/b", subscribed=False)
        assert sorted(await hears(client, 2)) == ['* LIST (\\HasChildren) "/" "a"', '* LIST (\\HasNoChildren) "/" "a/b"']
        with house.premises.ann() as box:
            box.create("a/c", subscribed=False)
        assert sorted(await hears(client, 2)) == ['* LIST (\\HasChildren) "/" "a"', '* LIST (\\HasNoChildren) "/" "a/c"']
        with house.premises.ann() as box:
            box.rename("a", "z")
        assert await hears(client, 1) == ['* LIST (\\HasChildren) "/" "z" ("OLDNAME" ("a"))']
        with house.premises.ann() as box:
            box.delete("z/b")
        assert sorted(await hears(client, 2)) == ['* LIST (\\HasChildren) "/" "z"', '* LIST (\\NonExistent \\HasNoChildren) "/" "z/b"']
        with house.premises.ann() as box:
            put(box)
            box.rename("INBOX", "old")
        assert await hears(client, 1) == ['* LIST (\\Subscribed \\HasNoChildren) "/" "old"']
        assert await client.ok("NOOP") == []

    in_house(test)


def test_subscriptions_are_told() -> None:
    """RFC 5465 §5.5: of folders and of names; who watches what is subscribed watches that from then on."""

    async def test(house: ImapHouse) -> None:
        client = await watching(house, "(personal (SubscriptionChange)) (subscribed (MessageNew MessageExpunge))")
        with house.premises.ann() as box:
            box.subscribe("Sent", False)
        assert await hears(client, 1) == ['* LIST (\\HasNoChildren \\Sent) "/" "Sent"']
        with house.premises.ann() as box:
            box.subscribe("nothing", True)
        assert await hears(client, 1) == ['* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" "nothing"']
        with house.premises.ann() as box:
            put(box, "Sent")
            box.create("nothing", subscribed=False)
            put(box, "nothing")
        assert (await hears(client, 1))[0].startswith('* STATUS "nothing" (MESSAGES 1 UIDNEXT 2')

    in_house(test)


def test_notes_are_told() -> None:
    """RFC 5465 §5.6, §5.7: the names of entries; those that are gone too."""

    async def test(house: ImapHouse) -> None:
        client = await watching(house, "(personal (MailboxMetadataChange ServerMetadataChange))")
        other = await house.client()
        await other.ok('SETMETADATA INBOX (/private/comment "x" /shared/comment "y")')
        assert await hears(client, 1) == ['* METADATA "INBOX" "/private/comment" "/shared/comment"']
        await other.ok("SETMETADATA INBOX (/shared/comment NIL)")
        assert await hears(client, 1) == ['* METADATA "INBOX" "/shared/comment"']
        await other.ok('SETMETADATA "" (/private/vendor/acme/x "1")')
        assert await hears(client, 1) == ['* METADATA "" "/private/vendor/acme/x"']

    in_house(test)


def test_nobody_hears_of_what_he_did_himself() -> None:
    """RFC 5465 §5: of names, subscriptions and notes; others hear of it."""

    async def test(house: ImapHouse) -> None:
        said = "(personal (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))"
        client, other = await watching(house, said), await watching(house, said)
        for command in (
            "CREATE a/b/c", "SUBSCRIBE a", "RENAME a y/z/a", "RENAME y/z/a z",
            'SETMETADATA z (/private/comment "x")', 'SETMETADATA "" (/private/x "x")',
            "UNSUBSCRIBE none", "DELETE z/b/c", "DELETE z/b", "NOOP",
        ):  # fmt: skip
            assert await client.ok(command) == [], command
        heard = await other.ok("NOOP")
        while not any('"z/b"' in line for line in heard):
            heard.append(await other.hear())
        assert {line.split()[1] for line in heard} >= {"LIST", "METADATA"}

    in_house(test)


def test_nobody_hears_of_messages_that_he_put_himself() -> None:
    """RFC 5465 §5, §5.2: into another folder, or the one that is open; but of what others put there at the same time."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box)
        said = "(selected (MessageNew (UID) MessageExpunge)) (personal (MessageNew MessageExpunge))"
        client, other = await watching(house, said, "SELECT INBOX"), await watching(house, said)
        letter = b"Subject: mine\r\n\r\nx\r\n"
        assert [line for line in await client.append("Archive", letter) if line.startswith("* ")] == []
        assert await client.ok("COPY 1 Archive") == []
        assert await client.ok("NOOP") == []
        assert await client.ok("COPY 1 INBOX") == ["* 2 EXISTS", "* 2 RECENT"]
        heard = await other.ok("NOOP")
        while '* STATUS "Archive" (MESSAGES 2 UIDNEXT 3)' not in heard:
            heard.append(await other.hear())
        with house.premises.ann() as box:
            put(box, "INBOX")
            put(box, "Archive")
        lines = [*await client.do(b"APPEND Archive {%d+}\r\n%b" % (len(letter), letter)), *await client.ok("NOOP")]
        while not any("STATUS" in line and "Archive" in line for line in lines) or not any("FETCH (UID 3" in line for line in lines):
            lines.append(await client.hear())
        assert "* 3 EXISTS" in lines

    in_house(test)


def test_idle_tells_the_same() -> None:
    """RFC 5465 §4; and messages that went as well, which SELECTED-DELAYED has put off."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=2)
        said = "(selected-delayed (MessageNew MessageExpunge)) (mailboxes Archive (MessageNew MessageExpunge))"
        client = await watching(house, said, "SELECT INBOX")
        tag = await client.begin("IDLE")
        assert (await client.hear()).startswith("+")
        with house.premises.ann() as box:
            box.expunge(number_of(box, "INBOX"), [(1, 1)], marked=False)
            put(box, "Archive")
        assert {*await hears(client, 2)} == {"* 1 EXPUNGE", '* STATUS "Archive" (MESSAGES 1 UIDNEXT 2)'}
        await client.say(b"DONE\r\n")
        assert (await client.end(tag))[-1].startswith("OK")

    in_house(test)


def test_what_cannot_be_watched_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5465 §3.1, §5.8: with NO; what was asked for before stands. Too much at once ends it."""

    async def test(house: ImapHouse) -> None:
        client = await watching(house, "(personal (MailboxName))")
        assert (await client.do("NOTIFY SET (personal (MailboxName AnnotationChange))"))[-1].startswith(f"NO [BADEVENT ({ALL})]")
        with house.premises.ann() as box:
            box.create("a")
        assert (await hears(client, 1))[0].endswith('"a"')
        monkeypatch.setattr(notifying, "MOST_FOLDERS", 7)
        with house.premises.ann() as box:
            box.create("b")
        assert (await hears(client, 1))[0].startswith("* OK [NOTIFICATIONOVERFLOW]")
        with house.premises.ann() as box:
            box.create("c")
        assert await client.ok("NOOP") == []
        assert (await client.do("NOTIFY SET (personal (MailboxName))"))[-1].startswith("NO [NOTIFICATIONOVERFLOW]")
        await client.ok("NOTIFY SET (selected (MessageNew MessageExpunge))")

    in_house(test)


def test_news_wait_for_no_command_and_spoil_none() -> None:
    """Commands and news come side by side; every line is whole, and every command has its answer."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=20)
        said = f"(selected (MessageNew (UID BODY.PEEK[]) MessageExpunge FlagChange)) (personal ({ALL}))"
        client = await watching(house, said, "SELECT INBOX")
        heard = []
        for number in range(30):
            with house.premises.ann() as box:
                put(box, "INBOX" if number % 3 else "Archive")
                box.expunge(number_of(box, "INBOX"), [(number, number)], marked=False)
                box.create(f"folder {number}")
            heard += await client.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER])")
        heard += await client.ok("NOOP")
        with house.premises.ann() as box:
            there = len(box.uids(number_of(box, "INBOX")))
        assert len([line for line in heard if line.startswith("* LIST")]) == 30
        assert all(line.startswith("* ") for line in heard)
        [answer] = await client.ok("SEARCH 1:*")
        assert len(answer.split()) - 2 == there

    in_house(test)
