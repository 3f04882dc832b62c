"""Clients note what they like at folders."""

from __future__ import annotations

import pytest

from mailer.mailbox import noting
from mailer.mailbox.noting import LONGEST

from .house import ImapHouse, in_house


def test_what_is_noted_is_told_again() -> None:
    """RFC 5464 §4.2, §4.3: in both scopes, to every session, under its name in any case; NIL where there is nothing."""

    async def test(house: ImapHouse) -> None:
        one, other = await house.client(), await house.client()
        await one.ok("CREATE a")
        await one.ok(b'SETMETADATA a (/private/comment "mine" /shared/comment {4}\r\na\r\nb /private/vendor/acme/x ~{2}\r\n\0\xff)')
        assert await other.ok("GETMETADATA a (/PRIVATE/comment /shared/comment /private/other)") == [
            '* METADATA "a" ("/private/comment" "mine" "/shared/comment" {4}\r\na\r\nb "/private/other" NIL)'
        ]
        assert await other.ok("GETMETADATA a /private/vendor/acme/x") == ['* METADATA "a" ("/private/vendor/acme/x" ~{2}\r\n\0\udcff)']
        await other.ok("SETMETADATA a (/private/comment NIL /private/none NIL)")
        assert await one.ok("GETMETADATA a /private/comment") == ['* METADATA "a" ("/private/comment" NIL)']
        assert (await one.do("GETMETADATA b /private/comment"))[-1].startswith("NO [NONEXISTENT]")
        assert (await one.do('SETMETADATA b (/private/comment "x")'))[-1].startswith("NO [NONEXISTENT]")

    in_house(test)


def test_what_is_below_is_asked_for_by_depth() -> None:
    """RFC 5464 §4.2.1, §4.2.2: what is too large for the client is not sent, but how large it is."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok('SETMETADATA INBOX (/private/f "1" /private/f/a "22" /private/f/a/b "333" /private/g "4")')
        said = {}
        for depth in ("0", "1", "infinity"):
            [said[depth]] = await client.ok(f"GETMETADATA (DEPTH {depth}) INBOX /private/f")
        assert [line.count("/private") for line in said.values()] == [1, 2, 3]
        *lines, last = await client.do("GETMETADATA INBOX (MAXSIZE 1 DEPTH infinity) (/private)")
        assert lines == ['* METADATA "INBOX" ("/private/f" "1" "/private/g" "4")']
        assert last.startswith("OK [METADATA LONGENTRIES 3]")
        *lines, last = await client.do("GETMETADATA (MAXSIZE 1) INBOX (/private/f/a)")
        assert (lines, last.startswith("OK [METADATA LONGENTRIES 2]")) == ([], True)
        assert await client.ok("GETMETADATA (DEPTH 1) INBOX /shared") == []

    in_house(test)


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5464 §4.3: all of a command is done, or nothing."""
    monkeypatch.setattr(noting, "MOST", 2)

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok('SETMETADATA INBOX (/private/a "1")')
        too_long = b'SETMETADATA INBOX (/private/a "2" /private/b {%d}\r\n%b)' % (LONGEST + 1, b"x" * (LONGEST + 1))
        assert (await client.do(too_long))[-1].startswith(f"NO [METADATA MAXSIZE {LONGEST}]")
        assert (await client.do('SETMETADATA INBOX (/private/a "2" /private/b "3" /private/c "4")'))[-1].startswith("NO [METADATA TOOMANY]")
        assert (await client.do(f'SETMETADATA INBOX (/private/{"x" * 500} "3")'))[-1].startswith("NO [LIMIT]")
        assert (await client.do('SETMETADATA INBOX (comment "3")'))[-1].startswith("BAD")
        assert await client.ok("GETMETADATA (DEPTH 1) INBOX /private") == ['* METADATA "INBOX" ("/private/a" "1")']

    in_house(test)


def test_the_server_says_where_help_is() -> None:
    """RFC 5464 §3.2.1.1: what all share is not changed; what is private is kept for its user alone."""

    async def test(house: ImapHouse) -> None:
        ann, bob = await house.client(), await house.client("bob@example.com", "battery staple")
        assert await ann.ok('GETMETADATA "" (/shared/admin /shared/comment)') == [
            '* METADATA "" ("/shared/admin" "mailto:postmaster@example.com" "/shared/comment" NIL)'
        ]
        for entry in ("/shared/admin", "/SHARED/comment", "/shared/vendor/acme/x"):
            assert (await ann.do(f'SETMETADATA "" ({entry} "x")'))[-1].startswith("NO [NOPERM]")
        await ann.ok('SETMETADATA "" (/private/vendor/acme/token "secret")')
        assert await ann.ok('GETMETADATA "" /private/vendor/acme/token') == ['* METADATA "" ("/private/vendor/acme/token" "secret")']
        assert await bob.ok('GETMETADATA "" /private/vendor/acme/token') == ['* METADATA "" ("/private/vendor/acme/token" NIL)']

    in_house(test)


def test_it_goes_with_its_folder() -> None:
    """RFC 5464 §4.1: to another name; a folder that is made again has none; from the inbox it is copied."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        await client.ok("CREATE a")
        for command in (
            'SETMETADATA a (/private/comment "a")', 'SETMETADATA INBOX (/shared/comment "in")', "RENAME a b", "RENAME INBOX old",
            "CREATE a",
        ):  # fmt: skip
            await client.ok(command)
        noted = {}
        for name in ("a", "b", "INBOX", "old"):
            noted[name] = [
                line.partition(" ")[2].partition(") ")[0] for line in await client.ok(f"GETMETADATA (DEPTH 1) {name} (/private /shared)")
            ]
        assert noted == {
            "a": [],
            "b": ['METADATA "b" ("/private/comment" "a")'],
            "INBOX": ['METADATA "INBOX" ("/shared/comment" "in")'],
            "old": ['METADATA "old" ("/shared/comment" "in")'],
        }

    in_house(test)
