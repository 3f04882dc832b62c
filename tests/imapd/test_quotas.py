"""Clients hear how much there may be."""

from __future__ import annotations

from mailer.imapd.quotas import resources
from mailer.mail.flags import Flag
from mailer.mailbox.api import Quota, Usage
from tests.mailbox.premises import put

from .house import ANN, BOB, ImapHouse, in_house


def test_a_quota_is_of_all_folders() -> None:
    """RFC 9208 §4: one root, with no name, of what is limited; and nobody changes it."""
    users = (ANN._replace(quota=10_000, quota_messages=5), BOB._replace(quota_messages=7))

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        with house.premises.ann() as box:
            put(box, "Archive", 3, Flag.SEEN)
            used = -(-box.usage().octets // 1024)
        line = f'* QUOTA "" (STORAGE {used} 9 MESSAGE 3 5)'
        assert await client.ok("GETQUOTAROOT inbox") == ['* QUOTAROOT "INBOX" ""', line]
        assert await client.ok('GETQUOTAROOT "not there"') == ['* QUOTAROOT "not there" ""', line]
        assert await client.ok('GETQUOTA ""') == [line]
        assert (await client.do("GETQUOTA other"))[-1].startswith("NO [NONEXISTENT]")
        assert (await client.do('SETQUOTA "" (STORAGE 100000)'))[-1].startswith("NO [NOPERM]")
        bob = await house.client(BOB.address, "battery staple")
        assert await bob.ok('GETQUOTA ""') == ['* QUOTA "" (MESSAGE 0 7)']

    in_house(test, users=users)


def test_who_has_none_has_no_root() -> None:
    """RFC 9208 §4.2.2."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        assert await client.ok("GETQUOTAROOT INBOX") == ['* QUOTAROOT "INBOX"']
        assert (await client.do('GETQUOTA ""'))[-1].startswith("NO [NONEXISTENT]")

    in_house(test)


def test_octets_are_told_in_units() -> None:
    """RFC 9208 §5.1: as many as they take, and as fit; a limit is never none."""
    assert resources(Quota(1, 0), Usage(1, 1)) == {"STORAGE": (1, 1)}
    assert resources(Quota(2048, 0), Usage(2049, 1)) == {"STORAGE": (3, 2)}
