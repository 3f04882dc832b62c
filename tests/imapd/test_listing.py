"""Clients see which folders there are, and how they are."""

from __future__ import annotations

import time

import pytest

from mailer.imap.server import ImapSettings
from mailer.imapd import listing
from mailer.mail.flags import Flag
from mailer.mailbox.engine.api import Rows
from tests.mailbox.premises import message, number_of, put

from .house import ImapHouse, in_house

MANY = 10_000


def test_plain_list_says_what_folders_are_for() -> None:
    """RFC 6154 §2: also to clients that ask for nothing; and which have others in them (RFC 3348)."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE Sent/2026")
        assert await client.ok('LIST "" *') == [
            '* LIST (\\HasNoChildren) "/" "INBOX"',
            '* LIST (\\HasNoChildren \\Archive) "/" "Archive"',
            '* LIST (\\HasNoChildren \\Drafts) "/" "Drafts"',
            '* LIST (\\HasNoChildren \\Junk) "/" "Junk"',
            '* LIST (\\HasChildren \\Sent) "/" "Sent"',
            '* LIST (\\HasNoChildren) "/" "Sent/2026"',
            '* LIST (\\HasNoChildren \\Trash) "/" "Trash"',
        ]
        assert await client.ok('LIST "" ""') == ['* LIST (\\Noselect) "/" ""']
        assert await client.ok('LIST "Sent/" ""') == ['* LIST (\\Noselect) "/" ""']
        assert await client.ok('LIST "Sent/" %') == ['* LIST (\\HasNoChildren) "/" "Sent/2026"']
        assert await client.ok('LIST () "" ""') == []
        assert await client.ok("NAMESPACE") == ['* NAMESPACE (("" "/")) NIL NIL']

    in_house(test)


def test_list_returns_what_is_asked_for() -> None:
    """RFC 5258, RFC 5819, RFC 9590: of what is no folder there is no STATUS."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        for command in (
            "CREATE a/b",
            "SUBSCRIBE a/b",
            "CREATE gone",
            "SUBSCRIBE gone",
            "DELETE gone",
            'SETMETADATA a/b (/private/comment "x")',
        ):
            await client.ok(command)
        with house.premises.ann() as box:
            put(box, "a/b", 2)
        assert await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" (a gone) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))') == [
            '* LIST (\\HasChildren) "/" "a" ("CHILDINFO" ("SUBSCRIBED"))',
            '* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" "gone"',
        ]
        assert await client.ok('LIST "" (a a/b) RETURN (SUBSCRIBED METADATA (/private/comment /shared/comment))') == [
            '* LIST (\\HasChildren) "/" "a"',
            '* METADATA "a" ("/private/comment" NIL "/shared/comment" NIL)',
            '* LIST (\\Subscribed \\HasNoChildren) "/" "a/b"',
            '* METADATA "a/b" ("/private/comment" "x" "/shared/comment" NIL)',
        ]
        assert [(await client.do(said))[-1].split()[0] for said in ('LIST "" % RETURN (COLOUR)', 'LIST (RECURSIVEMATCH) "" %')] == [
            "BAD",
            "BAD",
        ]

    in_house(test)


def test_status_says_how_a_folder_is() -> None:
    """RFC 9051 §6.3.11, RFC 8438, RFC 7162 §3.1.7, RFC 7889 §3.1, RFC 9208 §4.1.4, RFC 8474 §4.3: what an expunge would free is of
    messages that are nowhere else."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        with house.premises.ann() as box:
            put(box, many=3, flags=Flag.SEEN)
            put(box)
            folder = number_of(box, "INBOX")
            box.copy(folder, [(1, 1)], "Archive")
            box.flag(folder, [(1, 2)], "add", Flag.DELETED)
            box.claim(folder, 2)
            now = box.folder("INBOX")
        assert now is not None
        items = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE RECENT HIGHESTMODSEQ APPENDLIMIT MAILBOXID DELETED-STORAGE"
        assert await client.ok(f"STATUS inbox ({items})") == [
            (
                f'* STATUS "INBOX" (MESSAGES 4 UIDNEXT 5 UIDVALIDITY {now.uidvalidity} UNSEEN 1 DELETED 2 SIZE {now.octets} RECENT 3 '
                f"HIGHESTMODSEQ {now.modseq} APPENDLIMIT 1000 MAILBOXID (F1) DELETED-STORAGE {len(message('number 1'))})"
            )
        ]
        assert (await client.do("STATUS nothing (MESSAGES)"))[-1].startswith("NO [NONEXISTENT]")
        await client.ok("SELECT INBOX")
        assert await client.ok("STATUS INBOX (MESSAGES)") == ['* STATUS "INBOX" (MESSAGES 4)']

    in_house(test, settings=ImapSettings(clear_auth=True, max_size=1000))


def test_names_are_in_utf_8_for_those_who_asked() -> None:
    """RFC 9051 §5.1, RFC 6855 §3: both ways."""

    async def test(house: ImapHouse) -> None:
        old, new = await house.client(), await house.client()
        await new.ok("ENABLE UTF8=ACCEPT")
        await new.ok('CREATE "été & co"')
        await new.ok('SUBSCRIBE "été & co"')
        assert await new.ok('LSUB "" "é*"') == ['* LSUB () "/" "été & co"']
        assert await old.ok('LIST "" "&AOk-*"') == ['* LIST (\\HasNoChildren) "/" "&AOk-t&AOk- &- co"']
        assert await new.ok('STATUS "été & co" (MESSAGES)') == ['* STATUS "été & co" (MESSAGES 0)']

    in_house(test)


@pytest.mark.slow
def test_ten_thousand_folders_are_listed_in_a_moment() -> None:
    """Whatever the pattern; each bound is five times what it takes on two busy cores."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE a/b")
        with house.premises.ann() as box:

            def fill(rows: Rows) -> None:
                row = [*rows.run("SELECT * FROM folder WHERE name = ?", ("a/b",))[0]]
                for number in range(MANY):
                    name = f"a/folder {number % 100}/and {number}" if number >= 100 else f"a/folder {number}"
                    row[1], row[2], row[3] = number + 100, name, name
                    rows.change(f"INSERT INTO folder VALUES ({', '.join('?' * len(row))})", row)
                rows.change("UPDATE account SET next_folder = next_folder + ?", (MANY + 100,))

            box.engine.change(fill)
        for command, many in {
            'LIST "" *': MANY + 8,
            'LIST "" "%*%*%*%*"': MANY + 8,
            'LIST "" "*a*o*e*9"': 1000,
            'LIST "" % RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE))': 14,
            'LIST "" * RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE))': 2 * (MANY + 8),
            'LSUB "" *': 6,
        }.items():
            began = time.process_time()
            lines = await client.ok(command)
            took = time.process_time() - began
            assert (len(lines), took < 3) == (many, True), (command, took)

    in_house(test)


def test_many_patterns_for_many_long_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One pattern is not, whatever it says, nor are names without wildcards."""
    monkeypatch.setattr(listing, "MOST_LETTERS", 2000)

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok(f"CREATE {'x' * 900}")
        assert (await client.do('LIST "" (x* y* *)'))[-1].startswith("NO [LIMIT]")
        assert len(await client.ok('LIST "" (x* INBOX Sent)')) == 3
        assert len(await client.ok('LIST "" (x* I%)')) == 2

    in_house(test)


@pytest.mark.parametrize("pattern", ["*a" * 500, "%*" * 1000, "*" * 30_000, "a" * 30_000])
def test_no_pattern_holds_the_others_up(pattern: str) -> None:
    """It is an answer like others."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        assert len(await client.ok(f'LIST "" {pattern}')) in (0, 6)

    in_house(test)
