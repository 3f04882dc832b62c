"""Folders are made, renamed, deleted and subscribed by clients."""

from __future__ import annotations

import re

import pytest

from mailer.imap.names import modified_utf7
from mailer.mailbox import folders as kept
from tests.mailbox.premises import Premises, put

from .house import ImapHouse, in_house
from .talking import ImapTalk


def names(premises: Premises) -> list[str]:
    with premises.ann() as box:
        return [folder.name for folder in box.folders()]


async def last(client: ImapTalk, command: str | bytes) -> str:
    """The line that ends a command."""
    return (await client.do(command))[-1]


def code(line: str) -> str:
    """What a line says in brackets."""
    return line.partition("[")[2].partition("]")[0] if "[" in line else line.split(maxsplit=1)[0]


def test_a_folder_is_made_with_those_above_it() -> None:
    """RFC 9051 §6.3.4, RFC 8474 §4.1: its ID is told; nothing is subscribed by that; a delimiter at the end is not part of the name."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        made = code(await last(client, "CREATE a/b/"))
        assert made == "MAILBOXID (F8)"
        assert await client.ok("STATUS a/b (MAILBOXID)") == ['* STATUS "a/b" (MAILBOXID (F8))']
        with house.premises.ann() as box:
            assert {folder.name for folder in box.folders() if not folder.subscribed} == {"a", "a/b"}
        assert [code(await last(client, f"CREATE {name}")) for name in ("a/b", "a", "inbox", "INBOX/x", "a//c", "/", '""')] == [
            "ALREADYEXISTS", "ALREADYEXISTS", "ALREADYEXISTS", "MAILBOXID (F9)", "CANNOT", "CANNOT", "CANNOT",
        ]  # fmt: skip

    in_house(test)


def test_a_folder_is_for_something() -> None:
    """RFC 6154 §3: one folder for each use, and one use for each folder."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        assert code(await last(client, 'CREATE "Sent Messages" (USE (\\Sent))')) == "USEATTR"
        await client.ok("DELETE Sent")
        await client.ok('CREATE "Sent Messages" (USE (\\sent))')
        assert await client.ok('LIST (SPECIAL-USE) "" S*') == ['* LIST (\\HasNoChildren \\Sent) "/" "Sent Messages"']
        for use in ("\\All", "\\Flagged", "\\Sent \\Junk", "\\Colour"):
            assert code(await last(client, f"CREATE x (USE ({use}))")) == "USEATTR"

    in_house(test)


def test_there_are_so_many_folders_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO [LIMIT] says so."""
    monkeypatch.setattr(kept, "MOST", 7)

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE a")
        assert code(await last(client, "CREATE b")) == "LIMIT"

    in_house(test)


def test_a_folder_is_deleted_with_its_messages() -> None:
    """RFC 9051 §6.3.5: not the inbox, nor one with others in it. What is for something is; and a name comes again with other numbers."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE a/b")
        with house.premises.ann() as box:
            put(box, "a/b", 2)
        [before] = await client.ok("STATUS a/b (UIDVALIDITY)")
        assert [code(await last(client, f"DELETE {name}")) for name in ("a", "inbox", "c", "a/b/c")] == [
            "HASCHILDREN", "CANNOT", "NONEXISTENT", "NONEXISTENT",
        ]  # fmt: skip
        for name in ("a/b", "a", "Junk"):
            await client.ok(f"DELETE {name}")
        assert names(house.premises) == ["INBOX", "Archive", "Drafts", "Sent", "Trash"]
        await client.ok("CREATE a/b")
        [after] = await client.ok("STATUS a/b (UIDVALIDITY MESSAGES)")
        assert int(after.split()[4]) > int(before.split()[4].rstrip(")"))
        assert after.endswith("MESSAGES 0)")

    in_house(test)


def test_whoever_deletes_the_folder_that_he_has_open_has_none_open() -> None:
    """He is told so, and goes on."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE a")
        await client.ok("SELECT a")
        assert [line for line in await client.ok("DELETE a") if "CLOSED" in line]
        assert (await last(client, "FETCH 1:* FLAGS")).startswith("BAD")
        await client.ok("SELECT INBOX")

    in_house(test)


def test_another_session_that_has_it_open_is_ended() -> None:
    """With BYE: nothing that it knows means anything any more. The one that deletes it goes on."""

    async def test(house: ImapHouse) -> None:
        client, other = await house.client(), await house.client()
        await client.ok("CREATE a")
        await other.ok("SELECT a")
        await client.ok("DELETE a")
        said = await other.do("NOOP")
        assert said[-1].startswith("* BYE")
        await client.ok("NOOP")

    in_house(test)


def test_a_folder_is_renamed_with_what_is_in_it() -> None:
    """RFC 9051 §6.3.6: under parents that are made; its numbers stay."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE a/b/c")
        before = await client.ok("STATUS a/b/c (UIDVALIDITY MAILBOXID)")
        assert await client.ok("RENAME a/b x/y/z") == []
        assert [each.replace("x/y/z/c", "a/b/c") for each in await client.ok("STATUS x/y/z/c (UIDVALIDITY MAILBOXID)")] == before
        refused = ("a/b q", "a a", "a x", "x x/y/z/q", "x a//b", "x INBOX", "x /")
        assert [code(await last(client, f"RENAME {names}")) for names in refused] == [
            "NONEXISTENT", "ALREADYEXISTS", "ALREADYEXISTS", "CANNOT", "CANNOT", "ALREADYEXISTS", "CANNOT",
        ]  # fmt: skip
        assert names(house.premises)[2:] == ["Drafts", "Junk", "Sent", "Trash", "a", "x", "x/y", "x/y/z", "x/y/z/c"]

    in_house(test)


def test_the_inbox_stays_when_it_is_renamed() -> None:
    """RFC 9051 §6.3.6: its messages go, what is below it does not; and again into another folder."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE INBOX/a")
        for many in (3, 1):
            with house.premises.ann() as box:
                put(box, many=many)
            await client.ok(f"RENAME inbox old{many}")
            assert await client.ok(f"STATUS old{many} (MESSAGES)") == [f'* STATUS "old{many}" (MESSAGES {many})']
        assert await client.ok("STATUS INBOX (MESSAGES)") == ['* STATUS "INBOX" (MESSAGES 0)']
        assert code(await last(client, "RENAME INBOX old1")) == "ALREADYEXISTS"
        assert "INBOX/a" in names(house.premises)
        assert "old3/a" not in names(house.premises)

    in_house(test)


def test_a_name_stays_subscribed_when_its_folder_goes() -> None:
    """RFC 9051 §6.3.7, RFC 3501 §6.3.6: or is called otherwise. A name that no folder ever had is not subscribed."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        for command in ("CREATE a/b", "SUBSCRIBE a/b", "CREATE nothing/there", "SUBSCRIBE nothing/there", "DELETE nothing/there"):
            await client.ok(command)
        for command in ("SUBSCRIBE nothing/there", "SUBSCRIBE a/b", "DELETE a/b", "UNSUBSCRIBE never"):
            await client.ok(command)
        assert await client.ok('LSUB "" *t*here') == ['* LSUB () "/" "nothing/there"']
        assert await client.ok('LIST (SUBSCRIBED) "" (a* n*)') == [
            '* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" "a/b"',
            '* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" "nothing/there"',
        ]
        for command in ("CREATE nothing/there", "RENAME nothing something", "UNSUBSCRIBE a/b"):
            await client.ok(command)
        assert await client.ok('LIST (SUBSCRIBED) "" (a* n* s*)') == [
            '* LIST (\\Subscribed \\HasNoChildren) "/" "something/there"',
            '* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" "nothing/there"',
        ]
        assert code(await last(client, "SUBSCRIBE never")) == "NONEXISTENT"
        assert code(await last(client, "SUBSCRIBE a//b")) == "CANNOT"

    in_house(test)


KEPT = [
    "..", ".", "../u1", "a/../b", "~root", "cur", "new", "tmp", "mail/4F", "&-", "a b", "%", "*", "\\", '"', "{3}", "\u202eabc", "a\u200bb",
    "inboxes", "inbox/x", "\xdcbersicht", "日本語", "x" * 300, "e\u0301", "/".join("d" * 50), "#news", "INBOX.a", "(a)", "]", "😀",
]  # fmt: skip
REFUSED = [b"/etc", b"a//b", b"//", b'""', b"a/b//", b"/" + b"d/" * 60 + b"d", b"d/" * 60 + b"d", b"x" * 1001]
BAD = [
    b'"a\0b"', b"&AAA-", b"&Jjo", b"&", b"&AGE-", b"&2D8-", b"a\xc3\xa9", b'"\xc0\xaf"', b'"a\rb"', b"{3}\r\na\nb", b"{3}\r\na\0b",
    b"{2}\r\n\xc3\xa9",
]  # fmt: skip


def test_a_name_comes_back_as_it_was_given_or_is_refused() -> None:
    """Whatever it looks like to a file system, to a terminal, or to a grammar; and it is one folder by that name, and no path."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        for name in KEPT:
            coded = modified_utf7(name).replace("\\", "\\\\").replace('"', '\\"')
            made = "INBOX/x" if name == "inbox/x" else coded
            assert code(await last(client, f'CREATE "{coded}"')).startswith("MAILBOXID"), name
            assert f'* STATUS "{made}" (MESSAGES 0)' in await client.ok(f'STATUS "{coded}" (MESSAGES)')
            assert [line for line in await client.ok(f'LIST "" "{coded}"') if line.endswith(f'"/" "{made}"')], name
            assert (await client.do(f'SELECT "{coded}"'))[-1].startswith("OK"), name
            await client.ok("UNSELECT")
        for octets in REFUSED:
            assert code(await last(client, b"CREATE " + octets)) == "CANNOT", octets
        assert set(names(house.premises)) >= {"INBOX/x" if name == "inbox/x" else name for name in KEPT}

    in_house(test)


def test_what_is_no_name_on_the_wire_is_a_mistake() -> None:
    """RFC 3501 §5.1.3, RFC 9051 §5.1: NUL, CR and LF, octets above 127 outside of UTF-8, and what is not modified UTF-7."""

    async def test(house: ImapHouse) -> None:
        before = None
        for octets in BAD:
            client = await house.client()
            before = before or names(house.premises)
            said = await client.do(b"CREATE " + octets)
            assert said[-1].startswith("BAD"), (octets, said)
        assert names(house.premises) == before

    in_house(test)


def test_no_name_reaches_a_path(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The files of a mailbox are called the same, whatever its folders are called; those of others are not touched."""
    home = tmp_path_factory.mktemp("house")

    def files() -> set[str]:
        return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_dir()}

    async def test(house: ImapHouse) -> None:
        bob = await house.client("bob@example.com", "battery staple")
        await bob.ok("CREATE precious")
        ann = await house.client()
        await ann.append("INBOX", b"x\r\n")
        before = files()
        for name in ("..", "../u1", ".", "a/../../b", "mail", "index.sqlite3", "cur"):
            await ann.ok(f"CREATE {name}")
            assert (await ann.append(name, b"From: a@example.com\r\n\r\nx\r\n"))[-1].startswith("OK")
            await ann.ok(f"RENAME {name} ../{name}" if not name.startswith(".") else f"RENAME {name} x{name}")
        for name in ("x..", "x../u1", "../mail"):
            await ann.do(f"DELETE {name}")
        assert {path for path in files() - before if not re.search(r"/mail/[0-9A-Z]{2}$", path)} == set()
        assert await bob.ok('LIST "" precious') == ['* LIST (\\HasNoChildren) "/" "precious"']

    in_house(test, home)


def test_twins_are_one_folder() -> None:
    """A letter that is composed, and one that is not, look alike: there is one of them, and both names find it."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok(b"CREATE " + modified_utf7("e\u0301").encode())
        assert code(await last(client, b"CREATE " + modified_utf7("\xe9").encode())) == "ALREADYEXISTS"
        assert len(await client.ok(b'LIST "" ' + modified_utf7("\xe9").encode())) == 1
        await client.ok(b"DELETE " + modified_utf7("\xe9").encode())

    in_house(test)
